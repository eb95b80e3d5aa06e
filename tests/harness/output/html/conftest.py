"""A results folder as a grading leaves it, and one whose images are found."""

import shutil
from dataclasses import replace

import pytest

from harness.storage.results import Store


@pytest.fixture(scope="session")
def graded_results(reference_submission, small_benchmark, badnet_path, run_harness,
                   tmp_path_factory):  # fmt: skip
    """A results folder that ``grade`` wrote, pages included."""
    output = tmp_path_factory.mktemp("pages") / "results"
    finished = run_harness("grade", reference_submission, "--dataset", small_benchmark,
                           "--badnet", badnet_path, "--output", output, "--no-timing")  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return output


@pytest.fixture(scope="session")
def data_home(small_benchmark, tmp_path_factory):
    """A $HARNESS_DATA in which the benchmark ``faces`` is the small one."""
    home = tmp_path_factory.mktemp("home")
    (home / "faces").symlink_to(small_benchmark)
    return home


@pytest.fixture
def course(graded_results, data_home, tmp_path, monkeypatch):
    """A copy of the graded folder in which the benchmark's name tells where its images are."""
    monkeypatch.setenv("HARNESS_DATA", str(data_home))
    results = tmp_path / "results"
    shutil.copytree(graded_results, results, ignore=shutil.ignore_patterns("*.f32", "sets"))
    store = Store(results)
    (own,) = store.records()
    store.put_record(replace(own, dataset=replace(own.dataset, name="faces")))
    return results


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
