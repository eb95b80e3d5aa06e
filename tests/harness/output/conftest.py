"""A browser for the pages."""

import shutil

import pytest


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium without a window; while it is open, so is its driver's event loop."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium here; apt install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update",
                "--disable-sync"]  # fmt: skip
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=switches)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """A function that opens a page; in the end nothing was said, asked for or loaded."""
    contexts, found = [], []

    def opened(path, **settings):
        context = chromium.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: found.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: found.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (found.append("a dialog"), dialog.dismiss()))
        page.on("popup", lambda _: found.append("a window"))
        page.on("request", lambda request: found.append(f"request: {request.url[:80]}")
                if not request.url.startswith(("file:", "data:image/png")) else None)  # fmt: skip
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert found == []
