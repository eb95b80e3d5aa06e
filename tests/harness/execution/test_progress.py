"""The live display: a total, and one line for each submission that is being graded."""

import io
import re
import select
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from rich.console import Console
from worker_calls import send_events

from harness.execution.progress import (
    Event,
    Quiet,
    _LineDisplay,
    _LiveDisplay,
    live_bar,
    rough_time,
)
from harness.execution.worker_process import WorkerLostError, WorkerProcess


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
    display = _LiveDisplay(bar)
    display.stage("faces", "reading valid")
    assert shown(bar) == ["faces: reading valid |"]
    display.begin(30, 4)
    display.show_event(Event(1, "stage", ("ann", "predicting model_2.h5")))
    display.show_event(Event(2, "stage", ("bob", "predicting model_2.h5")))
    display.show_event(Event(2, "images", (25, 100)))
    assert shown(bar) == [
        "submissions | 4 of 30 -:--:--",
        "ann: predicting model_2.h5 |",
        "bob: predicting model_2.h5 | 25% -:--:--",
    ]
    display.show_event(Event(2, "stage", ("bob", "probing model_2.h5")))
    display.finish("ann")
    display.show_event(Event(1, "stage", ("carl", "reading model_2.h5")))
    lines = [line.removesuffix(" -:--:--") for line in shown(bar)]  # rich is slow to forget
    assert lines == [
        "submissions | 5 of 30",
        "bob: probing model_2.h5 |",
        "carl: reading model_2.h5 |",
    ]


def test_the_line_of_a_lost_worker_goes_when_its_submission_is_tried_again(bar):
    display = _LiveDisplay(bar)
    display.begin(2, 0)
    display.show_event(Event(1, "stage", ("ann", "predicting model_2.h5")))
    display.show_event(Event(3, "stage", ("ann", "reading model_2.h5")))
    assert shown(bar)[1:] == ["ann: reading model_2.h5 |"]


def test_a_long_name_is_cut_and_a_hostile_one_harmless(bar):
    display = _LiveDisplay(bar)
    display.begin(300, 299)
    display.show_event(Event(1, "stage", ("[red]\x1b[2J" + "x" * 200, "reading")))
    display.show_event(Event(1, "images", (48_754, 48_754)))
    display.message("[bold]so[/bold]\n")
    first, second = shown(bar)
    assert first == "submissions | 299 of 300 -:--:--"
    assert second.startswith("[red]?[2Jxxx")
    assert "…" in second
    assert "100%" in second
    assert bar.console.file.getvalue() == "[bold]so[/bold]?\n"


def test_plain_lines_count_what_is_done_already(capsys):
    display = _LineDisplay()
    display.begin(6, 4)
    display.stage("ann", "reading model_2.h5")
    display.finish("ann")
    assert capsys.readouterr().err.splitlines() == [
        "4 of 6 submissions are done already",
        "ann: reading model_2.h5",
        "ann: done (5 of 6), about 5 s left",
    ]


def test_a_second_round_counts_anew_and_says_what_it_does(bar, capsys):
    plain, live = _LineDisplay(), _LiveDisplay(bar)
    for display in (plain, live):
        display.begin(2, 0)
        display.finish("ann")
        display.finish("bob")
        display.begin(2, 0, "timed")
        display.finish("ann")
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "bob: done (2 of 2)",
        "ann: timed (1 of 2), about 5 s left",
    ]
    (line,) = shown(bar)
    assert line.startswith("submissions timed | 1 of 2")


def test_what_failed_is_told_as_failed_on_one_line(bar, capsys):
    reason = "defence.py line 2:\nKeyError: 'x'" + 300 * "!"
    plain, live = _LineDisplay(), _LiveDisplay(bar)
    for display in (plain, live):
        display.begin(6, 4)
        display.finish("ann", reason)
    (line,) = capsys.readouterr().err.splitlines()[1:]
    assert line.startswith("ann: failed: defence.py line 2:?KeyError: 'x'!!!")
    assert line.endswith("... (5 of 6), about 5 s left")
    assert bar.console.file.getvalue().startswith("ann: failed: defence.py line 2:?KeyError: ")


# --- other processes ----------------------------------------------------------------------------


class EventCounter(Quiet):
    """Counts events by worker."""

    def __init__(self):
        self.events = Counter()

    def show_event(self, event):
        assert (event.name, len(event.arguments)) == ("images", 2)
        self.events[event.worker] += 1

    def receives(self, worker, more=100):
        """Whether a worker sends so many events within ten seconds."""
        end, enough = time.monotonic() + 10, self.events[worker] + more
        while self.events[worker] < enough and time.monotonic() < end:
            time.sleep(0.002)
        return self.events[worker] >= enough


@contextmanager
def telling(wire, worker):
    """A process that sends events, until it is killed at the end of the block."""
    process = WorkerProcess([wire.fileno()])
    with ThreadPoolExecutor(1) as thread:
        lost = thread.submit(process.call, send_events, wire, worker)
        yield
        process.kill()
    assert isinstance(lost.exception(), WorkerLostError)
    process.close()


def test_a_process_that_is_killed_while_it_tells_silences_nobody():
    display = EventCounter()
    with display.receive_events() as wire, telling(wire, "steady"):
        for number in range(12):
            with telling(wire, number):
                assert display.receives(number)
            assert display.receives("steady")


def test_nobody_waits_where_what_is_told_can_be_shown_no_more():
    display = EventCounter()
    count_event = display.show_event

    def unreadable(event):
        count_event(event)
        raise BrokenPipeError

    display.show_event = unreadable
    with display.receive_events() as wire:
        for number in range(3000):
            wire.put(Event(1, "images", (number, number)))
    assert display.events[1] == 3000


def test_nobody_waits_for_a_terminal_that_has_stopped():
    display, going_on = Quiet(), threading.Event()
    display.show_event = lambda _: going_on.wait()
    with display.receive_events() as wire:
        for _ in range(2000):
            wire.put(Event(1, "stage", ("ann", "x" * 500)))
            if not has_room(wire):
                break
        else:
            pytest.fail("the wire is never full")
        wire.put(Event(1, "stage", ("ann", "reading")))
        going_on.set()


def has_room(wire):
    return bool(select.select([], [wire._sending], [], 0)[1])


def test_a_hostile_name_arrives_as_it_is():
    heard = []
    display = Quiet()
    display.show_event = heard.append
    with display.receive_events() as wire:
        wire.put(Event(7, "stage", ("a\udcff\n" * 80, "reading")))
    assert heard == [Event(7, "stage", ("a\udcff\n" * 80, "reading"))]


def test_a_log_says_how_much_time_is_left(monkeypatch, capsys):
    """Each takes as long as those that this run has done; those of an earlier one do not count."""
    now = [100.0]
    monkeypatch.setattr("harness.execution.progress.time.monotonic", lambda: now[0])
    display = _LineDisplay()
    display.begin(6, 2)
    for name, seconds in (("ann", 90), ("bob", 30), ("cyd", 1), ("dan", 1)):
        now[0] += seconds
        display.finish(name)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "ann: done (3 of 6), about 4 min left",
        "bob: done (4 of 6), about 2 min left",
        "cyd: done (5 of 6), about 40 s left",
        "dan: done (6 of 6)",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "5 s"), (41, "40 s"), (56, "1 min"), (61, "1 min"), (3540, "59 min"), (3599, "1 h"),
     (7860, "2 h 10 min"), (86_400, "24 h")],
)  # fmt: skip
def test_times_are_said_as_people_say_them(seconds, said):
    assert rough_time(seconds) == said
