"""The pages of a large course: ``pytest benchmarks/test_pages.py --benchmark-only``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

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
