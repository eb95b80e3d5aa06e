"""The live display: a total, and one line for each submission that is being graded."""

import io
import re

import pytest
from rich.console import Console

from harness.reporting import LineProgress, LiveProgress, live_bar


@pytest.fixture
def bar():
    console = Console(file=io.StringIO(), width=72, force_terminal=True)
    return live_bar(console)


def shown(bar):
    """What the terminal would show, without bars and the spaces that fill the columns."""
    with bar.console.capture() as captured:
        bar.console.print(bar.get_renderable())
    plain = re.sub(r"\x1b\[[0-9;]*m", "", captured.get())
    plain = re.sub(r" *[━╸╺]+ *", " | ", plain)
    return [re.sub(" +", " ", line).strip() for line in plain.splitlines()]


def test_one_line_for_each_running_submission_and_a_total(bar):
    display = LiveProgress(bar)
    display.stage("faces", "reading valid")
    assert shown(bar) == ["faces: reading valid |"]
    display.starts(30, 4)
    display.event(1, "stage", ("ann", "predicting model_2.h5"))
    display.event(2, "stage", ("bob", "predicting model_2.h5"))
    display.event(2, "images", (25, 100))
    assert shown(bar) == [
        "submissions | 4 of 30 -:--:--",
        "ann: predicting model_2.h5 |",
        "bob: predicting model_2.h5 | 25% -:--:--",
    ]
    display.event(2, "stage", ("bob", "probing model_2.h5"))
    display.finished("ann")
    display.event(1, "stage", ("carl", "reading model_2.h5"))
    lines = [line.removesuffix(" -:--:--") for line in shown(bar)]  # rich is slow to forget
    assert lines == [
        "submissions | 5 of 30",
        "bob: probing model_2.h5 |",
        "carl: reading model_2.h5 |",
    ]


def test_the_line_of_a_lost_worker_goes_when_its_submission_is_tried_again(bar):
    display = LiveProgress(bar)
    display.starts(2, 0)
    display.event(1, "stage", ("ann", "predicting model_2.h5"))
    display.event(3, "stage", ("ann", "reading model_2.h5"))
    assert shown(bar)[1:] == ["ann: reading model_2.h5 |"]


def test_a_long_name_is_cut_and_a_hostile_one_harmless(bar):
    display = LiveProgress(bar)
    display.starts(300, 299)
    display.event(1, "stage", ("[red]\x1b[2J" + "x" * 200, "reading"))
    display.event(1, "images", (48_754, 48_754))
    display.says("[bold]so[/bold]\n")
    first, second = shown(bar)
    assert first == "submissions | 299 of 300 -:--:--"
    assert second.startswith("[red]?[2Jxxx")
    assert "…" in second
    assert "100%" in second
    assert bar.console.file.getvalue() == "[bold]so[/bold]?\n"


def test_plain_lines_count_what_is_done_already(capsys):
    display = LineProgress()
    display.starts(6, 4)
    display.stage("ann", "reading model_2.h5")
    display.finished("ann")
    assert capsys.readouterr().err.splitlines() == [
        "4 of 6 submissions are graded already",
        "ann: reading model_2.h5",
        "ann: done (5 of 6)",
    ]
