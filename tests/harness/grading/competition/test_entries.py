"""What a submission may hand in for the BadNets of a competition, and what commands say of it."""

import json

import h5py
import numpy as np
import pytest
from competition_entries import tuned


def statuses(record):
    return [member["status"] for member in record["networks"]]


def test_files_go_where_they_are_declared_named_or_alike(graded):
    assert statuses(graded["declared"]) == ["graded", "graded"]
    assert statuses(graded["alike"]) == ["graded", "rejected"]
    assert any("taken for sunglasses by its weights" in n for n in graded["alike"]["notes"])
    assert statuses(graded["swapped"]) == ["rejected", "graded"]
    assert any(
        "named for anonymous_1, but its weights are those of sunglasses" in note
        for note in graded["swapped"]["notes"]
    )


def test_a_badnet_is_left_alone_and_a_stranger_is_asked_about(graded):
    assert any("the BadNet sunglasses; left alone" in note for note in graded["badnets"]["notes"])
    assert statuses(graded["badnets"]) == ["graded", "rejected"]
    (note,) = graded["stranger"]["notes"]
    assert "its name and its weights do not tell which BadNet it is for" in note
    assert statuses(graded["stranger"]) == ["rejected", "rejected"]


def test_what_cannot_be_decided_is_one_line(graded):
    assert graded["rivals"]["networks"][0]["reason"] == (
        "2 different models for sunglasses: 'sunglasses_one.keras' and 'sunglasses_two.keras'; "
        "keep one, or name it in submission.toml"
    )
    assert graded["unknown"]["status"] == "rejected"
    assert (
        "is for 'moon', which is none of sunglasses, anonymous_1" in (graded["unknown"]["reason"])
    )
    assert graded["broken"]["networks"][0]["reason"].startswith("sunglasses.h5: ")


def test_a_program_takes_the_place_of_g(graded, tiny):
    member = graded["program"]["networks"][1]
    (checkpoint,) = member["checkpoints"]
    assert checkpoint["family"] == "program"
    assert checkpoint["repaired"] is None
    assert checkpoint["goodnet"]["test"]["clean_abstained"] == flagged_by_hand(tiny)


def flagged_by_hand(tiny):
    with h5py.File(tiny / "anonymous_1" / "test.h5") as file:
        return int((file["data"][()].reshape(60, -1).max(axis=1) > 254).sum())


def test_the_same_net_is_scored_alone_and_composed(graded):
    (checkpoint,) = graded["declared"]["networks"][0]["checkpoints"]
    alone, composed = checkpoint["repaired"]["test"], checkpoint["goodnet"]["test"]
    assert alone["clean_abstained"] == 0 < composed["clean_abstained"]
    assert checkpoint["family"] == "tuned"
    assert checkpoint["repaired"]["valid"]["backdoored_total"] == 0


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("explain", "{results}", "swapped"), 0, "named for anonymous_1"),
        (("leaderboard", "{results}"), 0, "flag everything"),
        (("regrade", "{results}"), 0, "declared"),
        (("export", "{results}", "--format", "codabench", "--out", "{out}"), 2, "a competition"),
        (("plot", "scatter", "{results}", "--out", "{out}.svg"), 2, "`plot scatter` does not take"),
        (("diff", "{results}", "{results}"), 2, "results of a competition, which `diff` does not"),
        (
            ("package", "gradescope", "--dataset", "{tiny}", "--out", "{out}.zip"),
            2,
            "a competition of several BadNets",
        ),
        (
            ("grade", "{tiny}", "--dataset", "digits", "--out", "{results}"),
            2,
            "holds results of a competition",
        ),
        (("data", "info", "{tiny}"), 0, "sunglasses: dot"),
    ],
)
def test_commands_know_a_competition_or_say_that_they_do_not(
    results, tiny, tmp_path, run_harness, command, code, said
):
    given = {"results": results, "tiny": tiny, "out": tmp_path / "out"}
    finished = run_harness(*(str(word).format(**given) for word in command))
    assert finished.returncode == code, finished.stderr + finished.stdout
    assert said in finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    if code == 2:
        assert finished.stderr.count("\n") == 1


def test_a_course_of_one_badnet_is_not_mixed_with_a_competition(tiny, run_harness, tmp_path):
    (tmp_path / "records").mkdir()
    old = {"schema_version": 6, "submission": "x", "status": "graded", "reason": None,
           "dataset": {"name": "faces", "arrays": {}}, "badnet": None, "badnet_weights_hash": None,
           "checkpoints": [], "checks": [], "notes": [], "environment": {}}  # fmt: skip
    (tmp_path / "records" / "x.json").write_text(json.dumps(old))
    tuned(0, tmp_path / "entry" / "sunglasses.keras")
    finished = run_harness(
        "grade", tmp_path / "entry", "--dataset", tiny, "--out", tmp_path, timeout=300
    )
    assert finished.returncode == 2
    assert "holds results of faces, which is no competition; choose another --out" in (
        finished.stderr
    )


def test_ranks_are_told_by_the_mean(results):
    board = json.loads((results / "leaderboard.json").read_text())
    rows = [row for row in board["rows"] if not row["is_baseline"]]
    assert "declared" in [row["submission"] for row in rows]
    ranked = [row["quality"] for row in rows if row["rank"]]
    assert ranked == sorted(ranked, reverse=True)
    assert np.isclose(rows[0]["quality"], np.mean([
        max(net["quality"] for net in (entry["alone"], entry["composed"]) if net)
        for entry in rows[0]["entries"]
    ]))  # fmt: skip
