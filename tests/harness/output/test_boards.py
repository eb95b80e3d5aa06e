"""Boards and pages as they are written into a results folder."""

import json
from dataclasses import replace

import pytest
from courses import graded, put
from exports_by_hand import course, only_file
from records_by_hand import assess_by_hand, checkpoint

from harness.output.boards import board_text, shown_records, write_boards
from harness.output.explain import explanation
from harness.people.roster import Person
from harness.records.errors import HarnessError, Status

TWO_ATTEMPTS = (
    Person(folder="one", login="ann", attempt=1),
    Person(folder="two", login="ann", attempt=2),
)


def submissions(results):
    document = json.loads((results / "leaderboard.json").read_text())
    return {row["submission"]: row for row in document["rows"]}


def test_every_file_is_written_and_shows_all_records(tmp_path):
    put(tmp_path, graded("ann"), graded("bob"))
    written = write_boards(tmp_path)
    assert (written.note, written.standings) == (None, {})
    assert [record.submission for record in written.records] == ["ann", "bob"]
    boards = ("leaderboard.md", "leaderboard.csv", "leaderboard.json", "instructor/index.html")
    for name in boards:
        text = (tmp_path / name).read_text()
        assert "ann" in text
        assert "bob" in text
    students = (tmp_path / "student" / "index.html").read_text()
    assert students.count('class="name" data-search="s-') == 2


def test_of_several_attempts_the_board_shows_which_one_it_is(tmp_path):
    put(tmp_path, graded("one"), graded("two"))
    written = write_boards(tmp_path, TWO_ATTEMPTS, "latest")
    assert set(submissions(tmp_path)) == {"two"}
    row = submissions(tmp_path)["two"]
    assert (row["attempt"], row["attempts"]) == (2, 2)
    assert set(written.standings) == {"one", "two"}
    assert "2 of 2" in board_text(tmp_path, written.records, written)


def test_the_text_of_some_of_the_submissions_ranks_those_alone(tmp_path):
    put(tmp_path, graded("one"), graded("two"))
    written = write_boards(tmp_path)
    (first, _) = written.records
    assert "two" in board_text(tmp_path, written.records, written)
    assert "two" not in board_text(tmp_path, [first], written)


def test_without_a_roster_every_attempt_is_shown():
    records = [graded("one"), graded("two")]
    assert shown_records(records, (), "latest") == records
    assert [r.submission for r in shown_records(records, TWO_ATTEMPTS, "latest")] == ["two"]


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="no records in it"):
        write_boards(tmp_path)
    assert not list(tmp_path.iterdir())


def test_records_of_an_older_version_are_judged_by_todays_rules(tmp_path):
    own = graded("old", schema_version=3)
    bare = tuple(replace(c, verdict=None, family=None, checks=()) for c in own.checkpoints)
    put(tmp_path, replace(own, checkpoints=bare, points=()))
    write_boards(tmp_path)
    (row,) = json.loads((tmp_path / "leaderboard.json").read_text())["rows"]
    assert (row["checkpoints_passed"], row["points"]) == (3, 100.0)


def test_one_reason_for_thirty_models_is_said_once_everywhere(tmp_path):
    said = "the file is empty; save the model again"
    failed = [
        checkpoint(float(x), status=Status.REJECTED, reason=f"m{x}.h5: {said}", repaired=None,
                   goodnet=None, artifact=None, lineage=None, steps=None)
        for x in range(1, 31)
    ]  # fmt: skip
    reasons = "m1.h5, m2.h5, m3.h5, m4.h5 and 26 more: " + said
    put(tmp_path, assess_by_hand(*failed, submission="s", status=Status.REJECTED, reason=reasons))
    written = write_boards(tmp_path)
    shown = board_text(tmp_path, written.records, written)
    (page,) = (tmp_path / "student").rglob("s*.html")
    assert explanation(tmp_path, "s").count(said) == 1
    assert page.read_text().count(said) == 1
    assert shown.count(said) == 1
    assert shown.count("rejected: as X = 1") == 29
    for suffix in ("md", "csv", "json"):
        board = (tmp_path / f"leaderboard.{suffix}").read_text()
        assert (board.count(said), board.count("as X = 1")) == (1, 29), suffix
    assert submissions(tmp_path)["s"]["reason"] is None
    (page,) = tmp_path.glob("instructor/index.html")
    assert "m1.h5: the file is empty" in page.read_text()


def test_a_reason_of_no_checkpoint_is_said_once(tmp_path):
    own = graded("s", status=Status.REJECTED, reason="more than 5000 files")
    put(tmp_path, own, replace(graded("none"), checkpoints=(), reason="no model to grade"))
    write_boards(tmp_path)
    for said, name in (("more than 5000 files", "s"), ("no model to grade", "none")):
        assert submissions(tmp_path)[name]["reason"] == said
        for suffix in ("csv", "json"):
            assert (tmp_path / f"leaderboard.{suffix}").read_text().count(said) == 1


def test_boards_of_a_course_with_long_reasons_stay_small(tmp_path):
    """300 submissions of which every model fails in 1000 characters of its own."""
    for number in range(300):
        nets = [
            checkpoint(
                x, status=Status.CRASHED, reason=f"m{x}.keras: {number} {x} {'word ' * 198}",
                repaired=None, goodnet=None, lineage=None, steps=None,
            )
            for x in (2.0, 4.0, 10.0)
        ]  # fmt: skip
        reason = "; ".join(str(net.reason) for net in nets)[:1000]
        put(tmp_path, graded(f"s{number}", nets, status=Status.CRASHED, reason=reason))
    written = write_boards(tmp_path)
    boards = [*tmp_path.glob("leaderboard.*"), *tmp_path.glob("*/index.html")]
    assert len(boards) == 5
    for path in boards:
        assert path.stat().st_size < 2_000_000, path
    for name in (tmp_path / "leaderboard.csv", tmp_path / "leaderboard.json"):
        words = name.read_text().count("word ")
        assert 0 < words < 300 * 3 * 50, name  # 250 characters of each
    exported = only_file("junit", course(*written.records))
    assert len(exported) < 1_500_000
    assert exported.count("word ") < 2 * 300 * 3 * 51
    (page,) = tmp_path.glob("instructor/submissions/s7.html")
    assert page.read_text().count("word ") >= 3 * 198, "a submission's own page says all of it"
