"""Gradebooks of Canvas and Brightspace against what their platforms publish."""

import csv
import re
from dataclasses import replace
from io import StringIO

import pytest
from courses import graded, put, rubric
from exports_by_hand import JANE, RICHARD, course, only_file, published
from records_by_hand import checkpoint, good_checkpoints
from repository import ROOT

from harness.assessment.scoring import total
from harness.output.boards import write_boards
from harness.output.exports.course import ExportOptions
from harness.output.exports.formats import export, renderer
from harness.people.roster import Person
from harness.records.errors import HarnessError, Status
from harness.records.findings import Override
from harness.storage.rubrics import default_rubric


def rows(text):
    return list(csv.reader(StringIO(text, newline="")))


def test_canvas_writes_what_canvas_exports():
    override = Override(submission="jane", item="metrics", points=2.5, reason="late")
    jane = graded("jane", by=rubric(overrides=(override,)))
    given = course(jane, roster=(JANE, RICHARD), item="Lab 3 (40193)")
    assert only_file("canvas", given) == published("canvas.csv")
    assert renderer("canvas")(given).remarks == ("Roe, Richard: no submission; the cell is empty",)


def test_brightspace_writes_what_its_import_reads():
    catcher = Person(folder="f", login="Frank.Catcher", org_defined_id="20067930")
    override = [
        Override(submission="f", item=item.name, points=44.0 if n == 0 else 0.0, reason="x")
        for n, item in enumerate(default_rubric().items)
    ]
    given = course(graded("f", by=rubric(overrides=tuple(override))), roster=(catcher, JANE),
                   item="Lab 3")  # fmt: skip
    assert only_file("brightspace", given) == published("brightspace.csv")


def test_more_than_the_maximum_is_kept_or_cut_and_said():
    override = Override(submission="jane", item="checkpoint_2", points=25.0, reason="bonus")
    jane = graded("jane", by=rubric(overrides=(override,)))
    kept = renderer("canvas")(course(jane, roster=(JANE,)))
    assert rows(*kept.files.values())[2][-1] == "105"
    assert kept.remarks == ("Doe, Jane: 105 of 100 points, more than the maximum",)
    cut = renderer("brightspace")(course(jane, roster=(JANE,), capped=True))
    assert rows(*cut.files.values())[1][-2] == "100"
    assert cut.remarks == ("Doe, Jane: 105 of 100 points, cut to the maximum",)


def test_exactly_the_maximum_needs_no_remark():
    rendered = renderer("canvas")(course(graded("jane"), roster=(JANE,)))
    assert rows(*rendered.files.values())[2][-1] == "100"
    assert rendered.remarks == ()


def test_what_we_could_not_grade_is_no_zero():
    foreign = replace(checkpoint(2.0), status=Status.NOT_GRADED, reason="no sandbox", repaired=None)
    rendered = renderer("canvas")(course(graded("jane", (foreign,)), roster=(JANE,)))
    assert rows(*rendered.files.values())[2][-1] == ""
    assert "not their fault; the cell is empty" in rendered.remarks[0]


def test_what_is_the_students_fault_is_a_grade():
    bad = graded("jane", (), status=Status.REJECTED, reason="no model in it")
    assert rows(only_file("canvas", course(bad, roster=(JANE,))))[2][-1] == "0"


def test_a_submission_of_nobody_and_a_person_without_id_are_said():
    ghost = Person(folder="ghost", name="Ghost")
    rendered = renderer("canvas")(course(graded("eve"), roster=(JANE, ghost)))
    assert set(rendered.remarks) == {
        "eve: nobody's in the roster; no grade",
        "Ghost: no id that the platform knows; left out",
        "Doe, Jane: no submission; the cell is empty",
    }
    assert len(rows(*rendered.files.values())) == 3


def test_attempts_of_one_person_are_one_line():
    first = replace(JANE, folder="one", attempt=1)
    second = replace(JANE, folder="two", attempt=2)
    better, worse = graded("one"), graded("two", good_checkpoints()[:2])
    given = course(better, worse, roster=(first, second))
    latest = rows(only_file("canvas", given))
    assert len(latest) == 3
    assert float(latest[2][-1]) < 100
    best = rows(only_file("canvas", replace(given, options=ExportOptions(attempt="best"))))
    assert [line[-1] for line in best] == ["lab3", "100", "100"]


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_cell_starts_a_formula(start):
    person = replace(JANE, name=f"{start}cmd", login=f"{start}cmd", section=f"{start}cmd")
    given = course(graded("jane"), roster=(person,), item=f"{start}cmd")
    for name in ("canvas", "brightspace"):
        for row in rows(only_file(name, given)):
            formula = r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]"
            assert not [cell for cell in row if re.match(formula, cell)]
    if start not in "\t\r":
        remarks = renderer("canvas")(given).remarks
        assert any("an id that a spreadsheet would run was changed" in line for line in remarks)


def test_nor_does_one_start_where_a_spreadsheet_separates_by_semicolons():
    person = replace(JANE, name="a;=cmd", login="a;=cmd", section="a;=cmd")
    given = course(graded("jane"), roster=(person,), item="a;=cmd")
    for name in ("canvas", "brightspace"):
        text = only_file(name, given)
        assert ";'=cmd" in text
        assert ";=cmd" not in text


def test_one_submission_is_one_line():
    given = course(graded("jane"), roster=(JANE, RICHARD), submission="jane")
    rendered = renderer("canvas")(given)
    assert len(rows(*rendered.files.values())) == 3
    assert rendered.remarks == ()


# --- lateness and teams -------------------------------------------------------------------------


def points_of(text):
    return {line[0]: line[-1] for line in rows(text)[2:]}


def with_penalty(given):
    return replace(given, rubric=replace(given.rubric, late_penalty_share=0.1))


def test_a_late_submission_loses_its_share_and_that_is_said():
    late = replace(JANE, late=True)
    jane, richard = graded("jane"), graded("richard")
    given = with_penalty(course(jane, richard, roster=(late, RICHARD)))
    full = total(jane.points)[0]
    rendered = renderer("canvas")(given)
    assert points_of(*rendered.files.values()) == {
        "Doe, Jane": f"{0.9 * full:g}",
        "Roe, Richard": f"{full:g}",
    }
    lost = f"handed in late, which takes {0.1 * full:g} points"
    assert rendered.remarks == (f"Doe, Jane: {lost}",)


def test_all_of_a_team_get_its_grade_and_who_had_more_time_is_not_late():
    team = (replace(JANE, late=True), replace(RICHARD, folder="jane", late=False))
    jane = graded("jane")
    full = total(jane.points)[0]
    assert points_of(only_file("canvas", course(jane, roster=team))) == {
        "Doe, Jane": f"{full:g}",
        "Roe, Richard": f"{full:g}",
    }
    taken = points_of(only_file("canvas", with_penalty(course(jane, roster=team))))
    assert taken == {"Doe, Jane": f"{0.9 * full:g}", "Roe, Richard": f"{full:g}"}


def test_who_left_a_team_has_an_own_attempt():
    team = (replace(JANE, attempt=1), replace(RICHARD, folder="jane", attempt=1))
    alone = replace(RICHARD, folder="alone", attempt=2)
    given = course(graded("alone", ()), graded("jane"), roster=(*team, alone))
    latest = points_of(only_file("canvas", given))
    assert float(latest["Doe, Jane"]) > float(latest["Roe, Richard"])


# --- what the roster does not tell ----------------------------------------------------------------


def test_the_grade_is_that_of_the_later_attempt_and_none_where_nothing_tells_which():
    jane = replace(JANE, folder="", name="Jane Doe")
    first, last, undated = (
        f"1-2 - Jane Doe - {time}"
        for time in ("Nov 30, 2026 1027 AM", "Dec 1, 2026 905 AM", "1 décembre 2026 1027")
    )
    worse, better = graded(first, good_checkpoints()[:1]), graded(last)
    rendered = renderer("brightspace")(course(better, worse, roster=(jane,)))
    assert rows(*rendered.files.values())[1][-2] == "100"
    assert rendered.remarks == ()

    unclear = course(better, replace(worse, submission=undated), roster=(jane,))
    rendered = renderer("brightspace")(unclear)
    assert rows(*rendered.files.values())[1][-2] == ""
    (remark,) = rendered.remarks
    assert remark.startswith(f"Jane Doe ({last}, {undated}): nothing tells which")
    best = renderer("brightspace")(replace(unclear, options=ExportOptions(attempt="best")))
    assert rows(*best.files.values())[1][-2] == "100"


def test_each_remark_is_said_once_with_all_whom_it_is_about():
    rendered = renderer("canvas")(course(graded("eve"), graded("joe"), roster=(JANE, RICHARD)))
    assert rendered.remarks == (
        "no submission; the cell is empty: Doe, Jane; Roe, Richard",
        "nobody's in the roster; no grade: eve; joe",
    )


def test_pseudonyms_without_their_key_file_are_one_line():
    with pytest.raises(
        HarnessError, match=r"these are pseudonyms; name the key file .* --anonymous"
    ):
        renderer("canvas")(course(graded("s-0123456789"), roster=(JANE,)))


def test_a_platforms_gradebook_forgets_no_lateness(tmp_path):
    harsh = (ROOT / "harness" / "assessment" / "rubric.toml").read_text()
    put(tmp_path, graded("jane"))
    (tmp_path / "rubric.toml").write_text(
        harsh.replace("late_penalty_share = 0.0", "late_penalty_share = 0.25")
    )
    write_boards(tmp_path, (replace(JANE, folder="jane", late=True),))
    (path,), _ = export(tmp_path, "canvas", tmp_path / "out", (replace(JANE, folder="jane"),))
    assert rows(path.read_text())[2][-1] == "75"
    told = (replace(JANE, folder="jane", late=False),)
    (path,), _ = export(tmp_path, "canvas", tmp_path / "out", told)
    assert rows(path.read_text())[2][-1] == "100"
