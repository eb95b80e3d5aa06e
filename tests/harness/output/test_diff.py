"""What differs between two results folders, one line for each submission."""

import json
from dataclasses import replace

import pytest
from courses import graded, put
from records_by_hand import both, checkpoint, counts, good_checkpoints, record
from repository import ROOT

from harness.output.boards import write_boards
from harness.output.diff import compare_folders, differences
from harness.people.choice import known_people
from harness.records.errors import HarnessError, Status


def lines(tmp_path, before, after):
    put(tmp_path / "before", *before)
    put(tmp_path / "after", *after)
    return differences(tmp_path / "before", tmp_path / "after")


def test_equal_folders_have_a_summary_only(tmp_path):
    assert lines(tmp_path, [graded("ann")], [graded("ann")]) == ["0 differ, 1 are the same"]


def test_submissions_that_came_and_went(tmp_path):
    found = lines(tmp_path, [graded("ann"), graded("bob")], [graded("ann"), graded("eve")])
    assert found == ["bob: is gone", "eve: is new", "2 differ, 1 are the same"]


def test_each_change_is_named(tmp_path):
    two, four, ten = good_checkpoints()
    late = checkpoint(10.0, clean=800, before=850)
    found = lines(tmp_path, [graded("ann", (two, four, ten))], [graded("ann", (two, late))])
    reasons, summary = found
    # Four points for being late, X = 4's twenty, and a third of the forty for metrics and G.
    assert reasons.split("; ") == [
        "ann: points 100 of 100 -> 57.7 of 100",
        "every required model is there and can be loaded: 10 of 10 -> 6.7 of 10",
        "B' for X = 4: 20 of 20 -> 0 of 20",
        "B' for X = 10: 20 of 20 -> 16 of 20",
        "G answers by the GoodNet rule: 15 of 15 -> 5 of 15",
        "clean accuracy and ASR of G on test, against the reference: 15 of 15 -> 10 of 15",
        "X = 4 is gone",
        "X = 10 counts of B' changed",
        "X = 10 counts of G changed",
        "X = 10 checks failed none -> first_crossing",
        "diagnoses none -> MISSING_CHECKPOINT, OVER_PRUNED",
    ]
    assert summary == "1 differ, 0 are the same"


def test_a_new_file_with_the_same_counts_and_other_data_are_named(tmp_path):
    before = graded("ann")
    first, *others = before.checkpoints
    first = replace(first, artifact=replace(first.artifact, sha256="other"))
    after = replace(
        before,
        checkpoints=(first, *others),
        dataset=replace(before.dataset, arrays={"valid": "other"}),
    )
    assert lines(tmp_path, [before], [after])[0] == "ann: data changed; X = 2 file changed"


def test_rank_and_status(tmp_path):
    better = graded("bob", (checkpoint(2.0, goodnet=both(counts(900, 0), counts(900, 0))),))
    rejected = record(submission="ann", status=Status.REJECTED, reason="empty")
    found = lines(tmp_path, [graded("ann"), better], [rejected, better])
    assert found[0].startswith("ann: rank 1 -> none; status graded -> rejected; ")
    assert found[1] == "bob: rank 2 -> 1"


def test_a_hostile_name_stays_on_its_line(tmp_path):
    found = lines(tmp_path, [graded("ann")], [graded("ann"), graded("a\nb\u202e")])
    assert found[0] == "a?b?: is new"


def test_a_folder_without_records_is_refused(tmp_path):
    put(tmp_path / "before", graded("ann"))
    with pytest.raises(HarnessError, match="no records in it"):
        differences(tmp_path / "before", tmp_path / "after")


def test_ranks_are_those_of_the_boards(tmp_path):
    """Lateness counts in them."""
    harsh = (ROOT / "harness" / "assessment" / "rubric.toml").read_text()
    harsh = harsh.replace("late_penalty_share = 0.0", "late_penalty_share = 0.5")
    roster = "folder,login,late,attempt\nann,ann,yes,1\nbob,bob,no,1\n"
    for folder in ("before", "after"):
        put(tmp_path / folder, graded("ann"), graded("bob", good_checkpoints()[:2]))
        (tmp_path / folder / "rubric.toml").write_text(harsh)
        (tmp_path / folder / "roster.csv").write_text(roster)
    ranks = ranks_of(tmp_path / "before")
    write_boards(tmp_path / "before", known_people(tmp_path / "before"))
    board = json.loads((tmp_path / "before" / "leaderboard.json").read_text())
    assert ranks == {row["submission"]: row["rank"] for row in board["rows"]}
    assert ranks["bob"] < ranks["ann"]
    (tmp_path / "after" / "roster.csv").write_text(roster.replace("ann,ann,yes", "ann,ann,no"))
    assert any(each.startswith("ann: rank ") for each in differences(*folders(tmp_path)))


def folders(tmp_path):
    return tmp_path / "before", tmp_path / "after"


def ranks_of(results):
    return {each.name: each.before.rank for each in compare_folders(results, results)}


def test_new_losses_are_kept_for_the_page(tmp_path):
    late = checkpoint(10.0, clean=800, before=850)
    before, after = graded("ann"), graded("ann", (*good_checkpoints()[:2], late))
    lines(tmp_path, [before], [after])
    (found,) = compare_folders(*folders(tmp_path))
    (first, *_) = after.points[3].losses
    assert f"{after.points[3].title}: -{first.points:g}: {first.reason}" in found.new_losses
    (back,) = compare_folders(*reversed(folders(tmp_path)))
    assert back.new_losses == ()
