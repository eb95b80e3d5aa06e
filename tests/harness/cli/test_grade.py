"""``python -m harness grade`` as a user runs it: a batch in which nearly everything is wrong."""

import csv
import json
import shutil

import jsonschema
import numpy as np
import pytest
from models import known_config, random_weights, write_full, write_set, write_weights
from repository import ROOT

MODELS = ("model_2.h5", "model_4.h5", "model_10.h5")


def broken(folder, content):
    folder.mkdir()
    (folder / "model_2.h5").write_bytes(content)


@pytest.fixture(scope="module")
def batch(reference_submission, badnet_path, badnet, tmp_path_factory):
    """Submission folders by name; two of them are faultless."""
    root = tmp_path_factory.mktemp("batch")
    shutil.copytree(reference_submission, root / "reference")
    shutil.copytree(reference_submission / "models", root / "with badnet")
    shutil.copy(badnet_path, root / "with badnet" / "bd_net.h5")
    whole = (reference_submission / "models" / "model_2.h5").read_bytes()
    broken(root / "truncated", whole[: len(whole) // 2])
    broken(root / "pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    broken(root / "text", b"hello")
    broken(root / "nothing", b"")
    (root / "empty").mkdir()
    wrong = random_weights() | {"output/kernel": np.zeros((160, 10), "f4"),
                                "output/bias": np.zeros(10, "f4")}  # fmt: skip
    write_weights(root / "wrong_shape" / "model_2.h5", wrong)
    write_set(root / "data_set" / "model_2.h5", 2)
    for name, seed in (("a_2.h5", 1), ("b_2.h5", 2)):
        write_weights(root / "ambiguous" / name, random_weights(seed))
    poisoned = {name: np.full_like(array, np.nan) for name, array in badnet.items()}
    write_full(root / "not_finite" / "model_2.h5", poisoned, known_config())
    write_weights(
        root / "unknown_x" / "net.h5", badnet | {"output/bias": badnet["output/bias"] + 1}
    )
    shutil.copytree(reference_submission / "models", root / "one bad")
    (root / "one bad" / "model_4.h5").write_bytes(whole[:1000])
    broken(root / "no text", b"hello")
    (root / "no text" / "model_2.h5").rename(root / "no text" / "model_2\udcff.h5")
    return root


@pytest.fixture(scope="module")
def graded(batch, small_benchmark, badnet_path, run_harness, tmp_path_factory):
    output = tmp_path_factory.mktemp("results")
    finished = run_harness("grade", "--each", batch, "--dataset", small_benchmark,
                           "--badnet", badnet_path, "--output", output, "--no-timing")  # fmt: skip
    assert "Traceback" not in finished.stderr
    records = [json.loads(path.read_text()) for path in (output / "records").glob("*.json")]
    return finished, {record["submission"]: record for record in records}, output


def test_one_record_for_each_and_exit_code_1(graded, batch):
    finished, records, _ = graded
    assert finished.returncode == 1
    assert set(records) == {path.name for path in batch.iterdir()}


def test_every_record_obeys_the_published_schema(graded):
    _, records, _ = graded
    schema = json.loads((ROOT / "docs" / "record.schema.json").read_text(encoding="utf-8"))
    for record in records.values():
        jsonschema.validate(record, schema)


def test_the_reference_passes_beside_all_the_others(graded):
    _, records, _ = graded
    for name in ("reference", "with badnet"):
        record = records[name]
        assert (record["status"], record["reason"]) == ("graded", None)
        assert [c["drop_points"] for c in record["checkpoints"]] == [2, 4, 10]
        for checkpoint in record["checkpoints"]:
            assert all(check["passed"] for check in checkpoint["checks"]), checkpoint["checks"]
    assert records["reference"]["checkpoints"] == [
        checkpoint | {"artifact": checkpoint["artifact"] | {"path": f"models/{name}"}}
        for checkpoint, name in zip(records["with badnet"]["checkpoints"], MODELS, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("truncated", "model_2.h5: truncated: "),
        ("pointer", "model_2.h5: a Git LFS pointer, not the model; run `git lfs pull` first"),
        ("text", "model_2.h5: not an HDF5 or .keras file; save it with model.save()"),
        ("nothing", "model_2.h5: the file is empty; save the model again"),
        ("empty", "no model in it"),
        ("wrong_shape", "model_2.h5: wrong shape: no layer fits output"),
        ("data_set", "model_2.h5: a data set, not a model"),
        ("no text", "model_2?.h5: not an HDF5 or .keras file"),
        ("ambiguous", "2 different models for X = 2: 'a_2.h5' and 'b_2.h5'"),
    ],
)
def test_a_broken_submission_is_rejected_with_one_line(graded, name, reason):
    record = graded[1][name]
    assert record["status"] == "rejected"
    assert reason in record["reason"]
    assert "\n" not in record["reason"]


def test_weights_that_are_not_finite_are_invalid_and_not_attacked_for_free(graded):
    (checkpoint,) = graded[1]["not_finite"]["checkpoints"]
    counts = checkpoint["repaired"]["test"]
    assert counts["clean_invalid"] == counts["clean_total"] > 0
    assert counts["backdoored_invalid"] == counts["backdoored_total"]


def test_one_bad_file_leaves_the_others_graded(graded):
    record = graded[1]["one bad"]
    assert record["status"] == "graded"
    assert record["reason"].startswith("model_4.h5: truncated")
    assert [c["status"] for c in record["checkpoints"]] == ["graded", "rejected", "graded"]


def test_a_model_of_unknown_x_is_graded_without_one(graded):
    (checkpoint,) = graded[1]["unknown_x"]["checkpoints"]
    assert checkpoint["drop_points"] is None
    assert not checkpoint["required"]
    assert checkpoint["repaired"]["valid"]["clean_total"] == 257


def test_the_goodnet_flags_exactly_where_the_nets_differ(graded):
    record = graded[1]["reference"]
    for checkpoint in record["checkpoints"]:
        goodnet, repaired = checkpoint["goodnet"]["test"], checkpoint["repaired"]["test"]
        assert goodnet["clean_correct"] <= repaired["clean_correct"]
        assert goodnet["backdoored_attacked"] <= repaired["backdoored_attacked"]
        assert goodnet["clean_abstained"] > 0 == repaired["clean_abstained"]


def test_boards_show_every_submission_and_rank_by_points(graded, batch):
    _, _, output = graded
    board = json.loads((output / "leaderboard.json").read_text())
    assert [row["submission"] for row in board["rows"]][:2] == ["reference", "with badnet"]
    assert [row["rank"] for row in board["rows"]][:2] == [1, 1]
    graded_rows = {row["submission"]: row for row in board["rows"]}
    for name in ("truncated", "empty", "unknown_x", "ambiguous"):
        row = graded_rows[name]
        assert (row["quality"], row["checkpoints_passed"]) == (0.0, 0)
        assert row["rank"] > 2
    rows = list(csv.DictReader((output / "leaderboard.csv").open()))
    assert {row["submission"] for row in rows} == {path.name for path in batch.iterdir()}
    assert "reference" in (output / "leaderboard.md").read_text()


def test_the_leaderboard_command_renders_the_same_again(graded, run_harness):
    finished, _, output = graded
    before = (output / "leaderboard.md").read_bytes()
    (output / "leaderboard.md").unlink()
    again = run_harness("leaderboard", output)
    assert again.returncode == 0
    assert again.stdout == finished.stdout
    assert (output / "leaderboard.md").read_bytes() == before


def test_a_batch_s_last_line_says_where_the_pages_are(graded):
    finished, _, output = graded
    last = finished.stderr.splitlines()[-1]
    assert last.startswith(f"pages: {output}/instructor/index.html, for students {output}/student")
    assert f"; next: python -m harness explain {output} NAME; for a gradebook: " in last


def test_nothing_is_left_behind(graded):
    _, _, output = graded
    assert not list(output.rglob("*.partial"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "nonsense", "x"], "nonsense: no such dataset"),
        (["--each", "nowhere"], "nowhere: no such folder"),
        (["--badnet", "nowhere.h5", "x"], "nowhere.h5: no such file"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(run_harness, tmp_path, arguments, message):
    finished = run_harness("grade", *arguments, "--output", tmp_path / "results")
    assert finished.returncode == 2
    assert message in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert not (tmp_path / "results").exists()
