"""What is told of changed triggers: words, tables, the file, the plot and the page."""

import csv
import io
from dataclasses import replace

import pytest
from pages import Page
from records_by_hand import assess_by_hand, good_checkpoints

from harness.output.explain import story
from harness.output.html import submission
from harness.output.leaderboard.robustness_plot import robustness_chart
from harness.output.robustness import (
    accuracy_rows,
    csv_text,
    panels,
    summary_line,
    table_of,
    worst_lines,
)
from harness.people.views import student_view
from harness.ranking.board import rank_records
from harness.records.findings import ReactivationPoint, Robustness, RobustnessPoint

HOSTILE = "=cmd|' /C calc'!A0"


def point(level, net, attacked, x=2.0, kind="size", unit="%", **changes):
    fields = {
        "kind": kind, "level": level, "unit": unit, "own": level == 100, "net": net,
        "drop_points": None if net == "badnet" else x, "images": "i", "predictions": "p",
        "total": 200, "attacked": attacked, "abstained": 3, "invalid": 0,
    }  # fmt: skip
    return RobustnessPoint(**(fields | changes))


def step(number, attacked, right, x=2.0):
    return ReactivationPoint(
        drop_points=x, step=number, images="i", clean_images="c", predictions="p", total=200,
        attacked=attacked, clean_total=50, clean_correct=right,
    )  # fmt: skip


FOUND = Robustness(
    points=(
        point(50.0, "badnet", 100), point(50.0, "repaired", 41), point(50.0, "goodnet", 40),
        point(50.0, "repaired", 80, 4.0), point(50.0, "goodnet", 10, 4.0),
        point(100.0, "badnet", 200), point(100.0, "repaired", 2), point(100.0, "goodnet", 1),
        point(100.0, "repaired", 4, 4.0), point(100.0, "goodnet", 6, 4.0),
        point(1.0, "badnet", 30, kind="shift", unit="pixels"),
        point(1.0, "repaired", 9, kind="shift", unit="pixels"),
    ),
    reactivation=(step(0, 2, 49), step(1, 20, 48), step(10, 150, 45)),
    unmeasured=("X = 10: no re-activation: it is a program",),
)  # fmt: skip


@pytest.fixture(scope="module")
def record():
    own = assess_by_hand(*good_checkpoints())
    return replace(own, submission="jk7846", robustness=FOUND)


def test_the_worst_changed_level_of_each_kind_is_told_and_what_is_missing():
    size, *others = worst_lines(FOUND)
    assert size == (
        "size: B', X = 4: 40.0 % at 50 %, as trained 2.0 %; G, X = 2: 20.0 % at 50 %, "
        "as trained 0.5 %; B: 50.0 % at 50 %, as trained 100.0 %"
    )
    assert others == [
        "shift: B', X = 2: 4.5 % at 1 pixel; B: 15.0 % at 1 pixel",
        "re-activation: B', X = 2: 75.0 % at 10 steps, as handed in 1.0 %; B: 100.0 %",
        "not measured: X = 10: no re-activation: it is a program",
    ]


def test_a_record_has_one_line_for_the_terminal(record):
    assert summary_line(record) == (
        "jk7846: worst ASR on changed triggers: B' 75.0 % (re-activation, 10 steps); "
        "G 20.0 % (size, 50 %); 1 not measured, see explain"
    )
    assert summary_line(replace(record, robustness=None)) is None
    nothing = replace(record, robustness=Robustness(points=()))
    assert summary_line(nothing) == "jk7846: worst ASR on changed triggers: no net to measure"


def test_a_table_has_a_row_for_each_net():
    size, _, again = panels(FOUND)
    assert size.title == "size (%)"
    assert table_of(size) == (
        ["net", "50", "100 (as trained)"],
        [
            ["B", "50.0", "100.0"],
            ["B', X = 2", "20.5", "1.0"],
            ["G, X = 2", "20.0", "0.5"],
            ["B', X = 4", "40.0", "2.0"],
            ["G, X = 4", "5.0", "3.0"],
        ],
    )
    assert table_of(again) == (
        ["net", "0 (as handed in)", "1", "10"],
        [["B", "100.0", "100.0", "100.0"], ["B', X = 2", "1.0", "10.0", "75.0"]],
    )
    assert accuracy_rows(FOUND)[1] == [["B', X = 2", "98.0", "96.0", "90.0"]]


def test_the_file_has_a_row_for_each_point_and_no_cell_starts_a_formula(record):
    hostile = replace(record, submission=HOSTILE)
    rows = list(
        csv.DictReader(
            io.StringIO(csv_text([(r.submission, r.robustness) for r in (record, hostile)]))
        )
    )
    assert len(rows) == 2 * (len(FOUND.points) + len(FOUND.reactivation))
    assert rows[1] == {
        "submission": "jk7846", "kind": "size", "level": "50", "unit": "%", "own_trigger": "no",
        "net": "B'", "x": "2", "images": "200", "attacked": "41", "abstained": "3",
        "invalid": "0", "attack_success_rate": "0.205000", "clean_accuracy": "",
    }  # fmt: skip
    assert rows[14]["clean_accuracy"] == "0.900000"
    assert rows[-1]["submission"] == f"'{HOSTILE}"
    assert csv_text([("jk7846", None)]) is None


def test_the_plot_has_a_panel_for_each_kind_and_a_line_for_each_net():
    pytest.importorskip("matplotlib")
    figure = robustness_chart(panels(FOUND))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "size (%)", "shift (pixels)", "re-activation (steps)",
    ]  # fmt: skip
    assert [len(axes.lines) for axes in figure.axes] == [5, 2, 2]
    assert list(figure.axes[0].lines[3].get_ydata()) == [40.0, 2.0]
    assert "B (no repair)" in [text.get_text() for text in figure.legends[0].texts]


def test_the_page_shows_it_where_it_was_measured_and_is_what_it_was_elsewhere(record):
    pytest.importorskip("jinja2")
    page = rendered(record)
    assert "How far the repair holds" in page.text
    assert "75.0 % at 10 steps" in page.text
    assert "0 (as handed in)" in page.text
    without = replace(record, robustness=None)
    assert "How far the repair holds" not in rendered(without).text


def rendered(record):
    row = rank_records([record]).rows[0]
    return Page(submission.render(submission.Subject(record, row, None), [], "instructor"))


def test_explain_names_the_worst_levels(record):
    told = story(record, full=False)
    assert "How far the repair holds (worst attack success rate)\n  size: B', X = 4: 40.0 %" in told
    assert "How far" not in story(replace(record, robustness=None))


def test_who_may_not_see_test_does_not_see_it(record):
    assert student_view(record, ["test"]).robustness is None
    assert student_view(record, ["points"]).robustness == FOUND
