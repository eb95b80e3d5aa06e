"""``regrade`` and ``leaderboard`` keep roster and attempts; lateness is shown and counts."""

import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner
from courses import graded, put, rubric
from records_by_hand import good_checkpoints

from harness.assessment.scoring import total
from harness.cli.main import main
from harness.output.boards import write_boards
from harness.people.roster import read_roster
from harness.records.errors import Status
from harness.storage.results import Store

ROSTER = """folder,login,attempt,late
one,ann,1,no
two,ann,2,yes
bob,bob,1,
"""


def run(*words):
    result = CliRunner().invoke(main, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(results):
    content = json.loads((results / "leaderboard.json").read_text())
    return {row["submission"]: row for row in content["rows"]}


@pytest.fixture
def results(tmp_path):
    """A course whose boards were written by a roster that lies elsewhere."""
    folder = tmp_path / "results"
    put(folder, graded("one", good_checkpoints()[:1]), graded("two"), graded("bob"))
    (tmp_path / "roster.csv").write_text(ROSTER)
    write_boards(folder, read_roster(tmp_path / "roster.csv"), "latest")
    (tmp_path / "roster.csv").unlink()
    return folder


@pytest.fixture
def harsh(tmp_path):
    path = tmp_path / "harsh.toml"
    from importlib.resources import files

    text = files("harness.assessment").joinpath("rubric.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("late_penalty_share = 0.0", "late_penalty_share = 0.9"))
    return path


@pytest.mark.parametrize("command", ["regrade", "leaderboard"])
def test_the_next_board_is_by_the_same_roster_and_attempts(results, command):
    before = rows(results)
    assert set(before) == {"two", "bob"}
    assert (before["two"]["attempt"], before["two"]["attempts"], before["two"]["late"]) == (
        2, 2, True,
    )  # fmt: skip
    assert "2 of 2, late" in run(command, results)
    after = rows(results)
    assert [after[n]["attempt"] for n in after] == [before[n]["attempt"] for n in after]
    assert set(after) == set(before)


def test_elsewhere_too_and_what_is_named_anew_counts_from_then_on(results, tmp_path):
    other = tmp_path / "other"
    run("regrade", results, "--out", other)
    assert set(rows(other)) == {"two", "bob"}
    run("regrade", results, "--out", other, "--attempts", "all")
    assert set(rows(other)) == {"one", "two", "bob"}
    run("regrade", other)
    assert set(rows(other)) == {"one", "two", "bob"}
    assert rows(other)["one"]["attempts"] == 2


def test_lateness_costs_what_the_rubric_says_on_board_page_and_in_words(results, harsh):
    full = total(graded("two").points)[0]
    run("regrade", results, "--rubric", harsh, "--attempts", "all")
    assert rows(results)["two"]["points"] == pytest.approx(0.1 * full)
    assert rows(results)["bob"]["points"] == full
    assert rows(results)["two"]["rank"] > rows(results)["bob"]["rank"]

    line = f"handed in late: 90 % of {full:g} points"
    assert f"{-0.9 * full:g}  {line}" in run("explain", results, "two")
    assert "handed in late" not in run("explain", results, "bob")
    for audience in ("student", "instructor"):
        page = (results / audience / "submissions" / "two.html").read_text()
        assert f"<span>{line}</span> <b>{-0.9 * full:g}</b>" in page
    # Who knows what lateness costs counts the better attempt.
    run("regrade", results, "--attempts", "best")
    assert set(rows(results)) == {"one", "bob"}


def test_the_record_knows_nothing_of_people(results, harsh):
    run("regrade", results, "--rubric", harsh)
    text = (results / "records" / "two.json").read_text()
    assert "handed in late" not in text


def test_exports_take_it_too(results, harsh):
    run("regrade", results, "--rubric", harsh)
    run("export", results, "--format", "gradescope", "--submission", "two")
    tests = json.loads((results / "exports" / "results.json").read_text())["tests"]
    full = total(graded("two").points)[0]
    scores = {test["name"]: test["score"] for test in tests if "score" in test}
    assert scores[f"handed in late: 90 % of {full:g} points"] == pytest.approx(-0.9 * full)
    assert sum(scores.values()) == pytest.approx(0.1 * full)


def test_boards_alone_are_not_changed_by_a_rubric_without_a_penalty(results):
    assert replace(rubric()).late_penalty_share == 0.0
    assert rows(results)["two"]["points"] == total(graded("two").points)[0]


def record_of(results, name):
    return next(each for each in Store(results).records() if each.submission == name)


def decision(**what):
    lines = [f"{key} = {json.dumps(value)}" for key, value in what.items()]
    return "\n".join(["\n[[overrides]]", 'reason = "appeal"', *lines]) + "\n"


NAMELESS = "note: who people are is not kept in results; for their names on pages: --roster FILE"


def stderr_of(*words):
    result = CliRunner().invoke(main, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stderr.splitlines()


def test_a_decision_that_left_the_rubric_is_taken_back(results, harsh, tmp_path):
    plain = harsh.read_text()
    before = record_of(results, "bob")
    decided = decision(submission="bob", item="loading", points=1.0)
    harsh.write_text(plain + decided + decision(submission="bob", status="rejected"))
    assert stderr_of("regrade", results, "--rubric", harsh) == [NAMELESS]
    own = record_of(results, "bob")
    assert (own.status, own.points[0].points, own.points[0].losses) == (Status.REJECTED, 1.0, ())

    harsh.write_text(plain)
    said = stderr_of("regrade", results, "--rubric", harsh, "--out", tmp_path / "again")
    assert said == [
        "note: bob: no longer decided by the instructor: loading",
        "note: bob: no longer decided by the instructor: status rejected",
        NAMELESS,
    ]
    again = record_of(tmp_path / "again", "bob")
    assert (again.status, again.points, again.overrides) == (Status.GRADED, before.points, ())


def test_a_decision_about_nobody_is_named(results, harsh):
    harsh.write_text(harsh.read_text() + decision(submission="bop", item="loading", points=1.0))
    assert stderr_of("regrade", results, "--rubric", harsh) == [
        "note: override for 'bop': no such submission; did you mean 'bob'?",
        NAMELESS,
    ]


def test_students_keep_their_pseudonyms_in_another_folder(results, tmp_path):
    run("regrade", results, "--out", tmp_path / "again")
    pages = [each / "student" / "index.html" for each in (results, tmp_path / "again")]
    found = [sorted(set(re.findall(r"s-[0-9a-f]{10}", page.read_text()))) for page in pages]
    run("leaderboard", tmp_path / "again")
    found.append(sorted(set(re.findall(r"s-[0-9a-f]{10}", pages[1].read_text()))))
    assert found[0] == found[1] == found[2] != []
