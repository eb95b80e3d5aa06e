"""How far a defence's repairs hold: counts of its BadNets together, lines, file and page."""

import csv
import io
from dataclasses import replace

import pytest
from defence_boards import cell, run, zoo

from harness.output.defences.boards import board_text, write_defence_boards
from harness.output.defences.robustness import csv_of, pooled, section, worst_of
from harness.output.robustness import panels
from harness.ranking.defences import rank_defences
from harness.records.findings import ReactivationPoint, Robustness, RobustnessPoint

ZOO = zoo("patch", seeds=2)


def point(level, net, attacked, total=100):
    return RobustnessPoint(
        kind="size", level=level, unit="%", own=level == 100, net=net, drop_points=None,
        images="i", predictions="p", total=total, attacked=attacked, abstained=1, invalid=0,
    )  # fmt: skip


def step(number, attacked):
    return ReactivationPoint(
        drop_points=None, step=number, images="i", clean_images="c", predictions="p", total=100,
        attacked=attacked, clean_total=50, clean_correct=45,
    )  # fmt: skip


def found(first, second, composed=0, unmeasured=()):
    points = [
        point(level, net, count)
        for level, count in ((50, first), (100, second))
        for net, count in (("badnet", 90), ("repaired", count), ("goodnet", composed))
    ]
    return Robustness(points=tuple(points), reactivation=(step(0, second), step(1, 70)),
                      unmeasured=unmeasured)  # fmt: skip


def board(first=None, second=None):
    records = run("mine", ZOO, 190, 20, 150)
    measured = [replace(record, robustness=own) for record, own in
                zip(records, (first, second), strict=True)]  # fmt: skip
    return rank_defences(measured, ZOO)


def row_of(found_board, name="mine"):
    return next(row for row in found_board.rows if row.defence == name)


def test_counts_of_all_badnets_are_added_up_and_the_judged_net_stands_beside_b():
    both = pooled(row_of(board(found(10, 5), found(30, 1))))
    assert [(p.level, p.net, p.attacked, p.total, p.abstained) for p in both.points] == [
        (50, "badnet", 180, 200, 2), (50, "repaired", 40, 200, 2),
        (100, "badnet", 180, 200, 2), (100, "repaired", 6, 200, 2),
    ]  # fmt: skip
    assert [(s.step, s.attacked, s.total) for s in both.reactivation] == [
        (0, 6, 200),
        (1, 140, 200),
    ]
    assert [curve.label for curve in panels(both)[0].curves] == ["B", "B'"]


def test_of_a_detector_its_own_answers_are_told():
    records = [cell("mine", "patch-0", 190, 20, 150, flagged=50, detector=True)]
    own = Robustness(points=(point(50, "badnet", 90), point(50, "goodnet", 7)))
    ranked = rank_defences([replace(records[0], robustness=own)], ZOO)
    assert [(p.net, p.attacked) for p in pooled(row_of(ranked)).points] == [
        ("badnet", 90), ("goodnet", 7)
    ]  # fmt: skip


def test_a_line_for_each_defence_says_where_most_attacks_come_through():
    measured = board(found(10, 5), found(30, 1, unmeasured=("it ended",)))
    (line,) = worst_of(measured)
    assert line == (
        "mine: worst ASR on changed triggers: B' 70.0 % (re-activation, 1 step); 1 not measured, "
        "see its page"
    )
    assert line in board_text(measured).splitlines()
    assert list(worst_of(board())) == []


def test_what_was_not_measured_is_told_with_its_badnet():
    told = section(row_of(board(found(10, 5, unmeasured=("it ended\nso",)), None)))
    assert told["worst"][-1] == "not measured: patch-0: it ended?so"
    assert told["networks"] == "patch-0"
    assert section(row_of(board())) is None
    assert all(section(row) is None for row in board(found(1, 1)).rows if row.is_baseline)


def test_the_file_has_every_point_of_every_cell_and_goes_with_the_last(tmp_path):
    pytest.importorskip("jinja2")
    measured = board(found(10, 5), found(30, 1))
    rows = list(csv.DictReader(io.StringIO(csv_of(measured))))
    assert {row["submission"] for row in rows} == {"mine@patch-0", "mine@patch-1"}
    assert len(rows) == 2 * (6 + 2)
    write_defence_boards(tmp_path, measured)
    assert (tmp_path / "robustness.csv").read_text() == csv_of(measured)
    page = (tmp_path / "pages" / "mine.html").read_text()
    assert "How far its repairs hold" in page
    assert "robustness.csv" in (tmp_path / "index.html").read_text()

    write_defence_boards(tmp_path, board())
    assert not (tmp_path / "robustness.csv").exists()
    assert "How far its repairs hold" not in (tmp_path / "pages" / "mine.html").read_text()
    assert "robustness.csv" not in (tmp_path / "index.html").read_text()

    (tmp_path / "robustness.csv").write_text("mine, not theirs")
    write_defence_boards(tmp_path, board())
    assert (tmp_path / "robustness.csv").read_text() == "mine, not theirs"
