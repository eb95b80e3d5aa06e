"""The five real submissions against the counts that the official protocol gives."""

import json

import pytest

pytestmark = pytest.mark.real_files

FIELDS = {"valid": ("valid", "clean_correct"), "test": ("test", "clean_correct"),
          "bd_valid": ("valid", "backdoored_attacked"),
          "bd_test": ("test", "backdoored_attacked")}  # fmt: skip


@pytest.fixture(scope="module")
def graded_output(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def graded(real_files, run_harness, graded_output):
    output = graded_output
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


# --- lineage, by the BadNet's known order -----------------------------------------------------

LINEAGE_CODES = {"BIAS_NOT_ZEROED", "WRONG_X", "WRONG_LAYER", "INDEX_ORDER", "DECREASING_ORDER",
                 "OTHER_ORDER", "FINE_TUNED", "OTHER_BASE", "IS_BADNET"}  # fmt: skip


def lineage_codes(record):
    """Codes by X, without those that follow from the data at hand (the drops)."""
    return {
        c["drop_points"]: sorted({d["code"] for d in c["diagnoses"]} & LINEAGE_CODES)
        for c in record["checkpoints"]
    }


def of_submission(record):
    return [d["code"] for d in record["diagnoses"]]


def test_r01_and_r02_are_clean_masks_in_the_order_of_pool_3(graded):
    for name in ("r01", "r02"):
        assert graded[name]["pruning_order"] == "pool_3 increasing"
        assert graded[name]["nested"] is True
        assert lineage_codes(graded[name]) == {2: [], 4: [], 10: []}
        assert of_submission(graded[name]) == []
        for checkpoint in graded[name]["checkpoints"]:
            lineage = checkpoint["lineage"]
            assert lineage["ranking"] == "known"
            assert lineage["published_points"] == [checkpoint["drop_points"]]
            assert (lineage["changes"], lineage["biases_kept"]) == ([], [])


def test_r03_is_the_same_but_for_one_name(graded):
    assert lineage_codes(graded["r03"]) == {2: [], 4: ["WRONG_X"], 10: []}
    (found,) = [d for d in graded["r03"]["checkpoints"][1]["diagnoses"] if d["code"] == "WRONG_X"]
    assert found["certain"]
    assert found["evidence"] == {"named": 5, "asked": 4, "pruned": 48, "right": 1}
    assert "nothing is taken off" in found["explanation"]
    given = [{p["item"]: p["points"] for p in graded[n]["points"]} for n in ("r01", "r03")]
    assert given[0] == given[1]


def test_r04_ranks_by_conv_3_and_keeps_its_biases(graded):
    own = graded["r04"]
    assert own["pruning_order"] == "conv_3 increasing"
    assert lineage_codes(own) == {x: ["BIAS_NOT_ZEROED"] for x in (2, 4, 10, 30)}
    assert of_submission(own) == []
    assert [c["required"] for c in own["checkpoints"]] == [True, True, True, False]
    assert [c["lineage"]["published_points"] for c in own["checkpoints"]] == [[2], [4], [10], [30]]


def test_r05_follows_no_order_and_strays_into_conv_2(graded):
    own = graded["r05"]
    common = ["BIAS_NOT_ZEROED", "OTHER_ORDER"]
    assert lineage_codes(own) == {2: common, 4: common, 10: [*common, "WRONG_LAYER"]}
    assert of_submission(own) == ["NOT_NESTED"]
    assert own["nested"] is False
    assert [c["layer"] for c in own["checkpoints"][2]["lineage"]["changes"]] == ["conv_2"]
    assert own["checkpoints"][2]["lineage"]["changes"][0]["zeroed"] == [18]


def test_drops_are_judged_on_the_data_at_hand(graded):
    """The surrogate's first crossings are at 46, 46 and 47 channels, not at 45, 48 and 52."""
    codes = [[d["code"] for d in c["diagnoses"]] for c in graded["r01"]["checkpoints"]]
    assert codes == [["BELOW_THRESHOLD"], ["OVER_PRUNED"], ["OVER_PRUNED"]]
    two = graded["r01"]["checkpoints"][0]
    assert two["crossing"]["lost_after"] >= two["crossing"]["needed"] > two["crossing"]["lost"]
    assert [n["channels_pruned"] for n in graded["r01"]["reference"]] == [46, 46, 47]
    assert graded["r01"]["published"] == []


def test_the_same_weights_lose_nothing_against_each_other(graded):
    pairs = [[c["paired"] for c in graded[name]["checkpoints"]] for name in ("r01", "r02", "r03")]
    assert pairs[0] == pairs[1] == pairs[2]
    assert all(p["images"] == 2566 for c in pairs[0] for p in c)


def test_the_story_of_a_real_submission(graded, run_harness, graded_output):
    finished = run_harness("explain", graded_output, "r05")
    assert finished.returncode == 0, finished.stderr
    for word in ("NOT_NESTED", "WRONG_LAYER", "conv_2 18", "What to do"):
        assert word in finished.stdout
