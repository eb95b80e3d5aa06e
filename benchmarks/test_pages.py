"""The pages of a large course: ``pytest benchmarks/test_pages.py --benchmark-only``."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from courses import graded, rubric
from records_by_hand import both, checkpoint, counts

from harness.output.html.folders import write_pages

if TYPE_CHECKING:
    from pathlib import Path

    from harness.records.record import Record

SUBMISSIONS = 300


def submission(number: int) -> Record:
    """One of many, and like no other."""
    nets = [
        checkpoint(x, clean=970 - number, channels_pruned=30 + number % 25,
                   goodnet=both(counts(900 - number, 400 + number)))
        for x in (2.0, 4.0, 10.0)
    ]  # fmt: skip
    return replace(graded("many", tuple(nets)), submission=f"student {number:03d}")


def test_pages_of_a_large_course(benchmark: Any, tmp_path: Path) -> None:
    """Both folders, written for the first time; the plotting library is loaded before."""
    records = [submission(number) for number in range(SUBMISSIONS)]
    write_pages(tmp_path / "warm", records[:1], rubric())
    folders = (tmp_path / str(round_) for round_ in range(100))
    benchmark.pedantic(lambda: write_pages(next(folders), records, rubric()), rounds=3)
    written = list((tmp_path / "0" / "student" / "submissions").iterdir())
    if len(written) != SUBMISSIONS:
        raise AssertionError(len(written))


@pytest.mark.parametrize("width", [1400, 390])
def test_the_board_of_a_large_course_opens(benchmark: Any, tmp_path: Path, width: int) -> None:
    """From asking for the file until its table can be used, in Debian's Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium here; apt install chromium")
    write_pages(tmp_path, [submission(number) for number in range(SUBMISSIONS)], rubric())
    address = (tmp_path / "instructor" / "index.html").as_uri()
    switches = ["--headless", "--no-sandbox", "--disable-gpu"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=switches)
        page = browser.new_page(viewport={"width": width, "height": 900})

        def opened() -> None:
            page.goto("about:blank")
            page.goto(address)
            page.locator(".dt-info", has_text=f"{SUBMISSIONS} submissions").wait_for()

        benchmark.pedantic(opened, rounds=5, warmup_rounds=1)
        browser.close()
