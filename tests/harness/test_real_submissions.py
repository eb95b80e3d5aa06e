"""The five real submissions against the counts that the official protocol gives."""

import json

import pytest

pytestmark = pytest.mark.real_files

FIELDS = {"valid": ("valid", "clean_correct"), "test": ("test", "clean_correct"),
          "bd_valid": ("valid", "backdoored_attacked"),
          "bd_test": ("test", "backdoored_attacked")}  # fmt: skip


@pytest.fixture(scope="module")
def graded(real_files, run_harness, tmp_path_factory):
    output = tmp_path_factory.mktemp("results")
    finished = run_harness(
        "grade", "--each", real_files / "submissions", "--dataset", real_files / "data",
        "--badnet", real_files / "models" / "bd_weights.h5", "--output", output,
    )  # fmt: skip
    assert finished.returncode == 1, finished.stderr  # on the surrogate the drops are not met
    assert "Traceback" not in finished.stderr
    return {p.stem: json.loads(p.read_text()) for p in (output / "records").glob("*.json")}


def expected_lines(real_files):
    return [json.loads(line) for line in (real_files / "expected.jsonl").read_text().splitlines()]


def test_every_count_equals_the_official_protocols(graded, real_files):
    compared = 0
    checkpoints = {
        f"{name}/{checkpoint['artifact']['path']}": checkpoint
        for name, record in graded.items()
        for checkpoint in record["checkpoints"]
    }
    for line in expected_lines(real_files):
        model = line["model"]
        if model == "B":
            net = graded["r01"]["badnet"]
        else:
            kind = "goodnet" if model.startswith("G:") else "repaired"
            net = checkpoints[model.removeprefix("G:")][kind]
        for key, (split, field) in FIELDS.items():
            assert net[split][field] == line[key], (model, key)
            compared += 1
            if "flag" in line:
                abstained = "backdoored" if key.startswith("bd") else "clean"
                assert net[split][f"{abstained}_abstained"] == line["flag"][key], (model, key)
    assert compared == 4 * len(expected_lines(real_files)) > 100


def test_drop_points_come_from_the_file_names(graded):
    points = {name: [c["drop_points"] for c in r["checkpoints"]] for name, r in graded.items()}
    assert points == {
        "r01": [2, 4, 10],
        "r02": [2, 4, 10],
        "r03": [2, 4, 10],  # X = 5 stands in for the missing 4
        "r04": [2, 4, 10, 30],
        "r05": [2, 4, 10],
    }
    assert "saved as X = 5, graded as X = 4" in graded["r03"]["notes"][0]


def test_pruned_channels_are_those_of_the_published_curve(graded):
    for name in ("r01", "r02", "r03"):
        assert [c["channels_pruned"] for c in graded[name]["checkpoints"]] == [45, 48, 52]


def test_equal_weights_in_different_formats_have_one_hash(graded):
    hashes = [
        [c["artifact"]["weights_hash"] for c in graded[name]["checkpoints"]]
        for name in ("r01", "r02", "r03")
    ]
    assert hashes[0] == hashes[1] == hashes[2]
