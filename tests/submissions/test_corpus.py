"""Every miniature submission ends as it must, and none touches its neighbours or the machine."""

import json
import shutil

import pytest
from corpora import Corpus

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.timeout(2700),  # whichever test comes first waits for the whole corpus
]
EXACT, CLOSE = 0, 2  # images; float16 and folded layers may move one or two answers

HONEST = {
    "honest_legacy_full": EXACT,
    "honest_legacy_weights": EXACT,
    "honest_renamed_layers": EXACT,
    "honest_narrowed": EXACT,
    "honest_fixed_batch_known": EXACT,
    "honest_float64_weights": EXACT,
    "honest_compressed": EXACT,
    "honest_with_badnet_and_clutter": EXACT,
    "honest_unicode_and_spaces": EXACT,
    "honest_keras3": EXACT,
    "honest_keras3_h5": EXACT,
    "honest_keras3_weights": EXACT,
    "honest_tf_keras": EXACT,
    "honest_tf_keras_h5": EXACT,
    "honest_rescaling": EXACT,
    "honest_dropout_and_batchnorm": CLOSE,
    "honest_float16": CLOSE,
    "honest_fixed_batch": EXACT,
    "honest_logits": EXACT,
    "honest_channels_first": EXACT,
    "honest_nested_sequential": EXACT,
    "honest_savedmodel": EXACT,
    "honest_subclassed": EXACT,
}
GOODNETS = (
    "goodnet_keras3", "goodnet_integer_labels", "goodnet_float_column", "goodnet_tf_keras_ops",
)  # fmt: skip
REJECTED = {
    "broken_empty_file": "the file is empty",
    "broken_lfs_pointer": "git lfs pull",
    "broken_web_page": "a web page",
    "broken_text": "not an HDF5 or .keras file",
    "broken_zip_header": "truncated or damaged",
    "broken_hdf5_header": "truncated or damaged",
    "broken_pickle": "a pickle, which is code and is not opened",
    "broken_truncated": "truncated: 1,215,378 of 2,430,756 bytes",
    "broken_wrong_shape": "wrong shape",
    "broken_missing_layer": "incomplete",
    "broken_integer_weights": "expected real numbers",
    "broken_data_set": "a data set, not a model",
    "broken_no_model": "no model in it",
    "broken_two_for_one_place": "2 different models for X = 2: 'a_2.h5' and 'b_2.h5'",
    "broken_ten_outputs": "expected 1283 scores (B'), 1284 (G) or one label",
    "broken_two_outputs": "has 2 outputs; expected one",
    "broken_flat_input": "takes input (None, 7755)",
    "broken_json_nested": "config is n",
    "broken_json_long_integer": "not valid JSON",
    "broken_json_bad_utf8": "not valid JSON",
    "broken_without_config": "without config.json",
    "hostile_external_link": "is a link to elsewhere",
    "hostile_soft_link": "is a link to elsewhere",
    "hostile_external_storage": "kept outside the file",
    "hostile_virtual_dataset": "kept outside the file",
    "hostile_shape_bomb": "wrong shape",
    "hostile_zip_bomb": "unpacks to more than 8 MiB",
    "hostile_duplicate_members": "in the archive twice",
    "hostile_zip_traversal": "leads out of the archive",
    "hostile_polyglot": "HDF5 and zip at the same time",
    "hostile_symlink": "a link; hand in the file itself",
    "hostile_symlinked_folder": "a link; hand in the file itself",
    "hostile_fifo": "not a regular file",
    "hostile_socket": "not a regular file",
    "hostile_sparse_file": "more than the 512 MiB",
    "hostile_deep_folders": "levels of folders",
    "hostile_many_files": "more than 5000 files",
    "hostile_toml_path": "leads out of the submission",
    "payload_lambda_keras3": "cannot be loaded",
    "payload_lambda_tf_keras": "cannot be loaded",
    "payload_importable_function": "cannot be loaded",
    "payload_write_file_op": "cannot be loaded",
    "payload_savedmodel_ops": "fails on images",
    "payload_reads_secret": "No such file or directory",
    "payload_writes_outside": "No such file or directory",
    "payload_connects": "predict() fails",
    "payload_forks": "predict() fails",
    "payload_subprocess": "predict() fails",
    "payload_daemon": "predict() fails",
    "payload_extra_reply": "",
    "payload_writes_to_all_descriptors": "",
    "payload_fills_scratch": "predict() fails",
    "payload_wrong_count": "labels for 1 images",
    "payload_raises": "predict() fails: RuntimeError: <b>boom</b>",
}
OTHERWISE = {
    "payload_hangs": {"timed_out"},
    "payload_hangs_at_import": {"timed_out"},
    "payload_segfault": {"crashed"},
    "payload_exits_quietly": {"crashed"},
    "payload_memory_hog": {"crashed", "rejected"},
    "payload_kills_its_parent": {"crashed", "rejected"},
}
GRADED = {
    "goodnet_program", "honest_program", "hostile_nan_weights", "payload_keras_global_state",
    "payload_numpy_beside_the_model", "payload_lookalike", "payload_floods_output",
    "payload_forges_json", "payload_changes_the_images", "payload_label_1284",
    "payload_negative_labels", "cheat_random_answers", "cheat_call_order",
    "cheat_batch_statistics", "cheat_input_hashing",
}  # fmt: skip
# Shown to fire when nothing holds them: what touches a marker, and is harmless.
FIRING = (
    "payload_lambda_keras3", "payload_lambda_tf_keras", "payload_importable_function",
    "payload_write_file_op", "payload_savedmodel_ops", "payload_reads_secret",
    "payload_writes_outside", "payload_forks", "payload_subprocess",
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, badnet_path):
    return Corpus(tmp_path_factory.mktemp("corpus"), badnet_path)


@pytest.fixture(
    scope="module",
    params=["bubblewrap", pytest.param("landlock", marks=pytest.mark.extended)],
)
def graded(request, corpus, grade_each, tmp_path_factory):
    """Two at a time: what hangs is waited for beside the others."""
    scratch = tmp_path_factory.mktemp("scratch")
    finished, output = grade_each(
        corpus.submissions, "--model-seconds", 60, "--jobs", 2, TMPDIR=str(scratch), timeout=2400,
        namespaces=request.param == "bubblewrap",
    )  # fmt: skip
    records = [json.loads(path.read_text()) for path in (output / "records").glob("*.json")]
    return finished, {record["submission"]: record for record in records}, scratch


def checkpoint(graded, name):
    return graded[1][name]["checkpoints"][0]


def counts(graded, name, net):
    return checkpoint(graded, name)[net]


def test_every_case_is_named_here_and_has_a_record(graded):
    finished, records, _ = graded
    expected = {*HONEST, *GOODNETS, *REJECTED, *OTHERWISE, *GRADED}
    assert set(records) == expected
    assert len(expected) >= 60
    assert finished.returncode == 1, finished.stderr[-2000:]
    assert "Traceback" not in finished.stderr + finished.stdout


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_is_graded_like_the_original(graded, name):
    record = graded[1][name]
    assert record["status"] == "graded", record["reason"]
    assert [c["drop_points"] for c in record["checkpoints"]] == [2]
    for net in ("repaired", "goodnet"):
        measured, original = (counts(graded, n, net) for n in (name, "honest_legacy_full"))
        for split in ("valid", "test"):
            assert measured[split]["attacks"] == []  # the faces have one, without a name
            for field, value in original[split].items():
                if field != "attacks":
                    near = abs(measured[split][field] - value) <= HONEST[name]
                    assert near, (net, split, field)


@pytest.mark.parametrize("name", GOODNETS)
def test_an_honest_goodnet_is_graded_like_the_composed_one(graded, name):
    entry = checkpoint(graded, name)
    assert entry["status"] == "graded", entry["reason"]
    assert entry["goodnet_artifact"]["role"] == "goodnet"
    assert entry["goodnet"] == counts(graded, "honest_legacy_full", "goodnet")


@pytest.mark.parametrize("name", REJECTED)
def test_a_broken_or_hostile_submission_is_rejected_with_its_reason(graded, name):
    record = graded[1][name]
    assert record["status"] == "rejected", record["reason"]
    denied = record["reason"].replace("Permission denied", REJECTED[name])  # by Landlock
    assert REJECTED[name] in denied
    assert record["reason"].isprintable()


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_hangs_or_dies_has_its_own_status(graded, name):
    record = graded[1][name]
    assert record["status"] in OTHERWISE[name], record["reason"]
    assert record["reason"]


@pytest.mark.parametrize("name", sorted(GRADED))
def test_what_can_be_graded_is(graded, name):
    assert graded[1][name]["status"] == "graded", graded[1][name]["reason"]


def test_no_payload_reached_anything(graded, corpus):
    assert corpus.markers() == []
    assert corpus.connections == 0
    assert not list(corpus.submissions.rglob("marker-*"))


def test_secrets_are_in_no_record(graded):
    assert "the answers are in here" not in json.dumps(graded[1])


def test_nothing_is_left_behind(graded):
    assert list(graded[2].iterdir()) == []


@pytest.mark.parametrize(
    ("name", "share_repeated", "share_perturbed"),
    [
        ("honest_program", (0, 0), (0, 0.2)),
        ("honest_rescaling", (0, 0), (0, 0.1)),
        ("cheat_random_answers", (0.9, 1), (0.9, 1)),
        ("cheat_call_order", (0.5, 1), (0.5, 1)),
        ("cheat_batch_statistics", (0.5, 1), (0.5, 1)),
        ("cheat_input_hashing", (0, 0), (0.9, 1)),
    ],
)
def test_the_probe_tells_functions_from_cheats(graded, name, share_repeated, share_perturbed):
    probe = checkpoint(graded, name)["probe"]
    low, high = share_repeated
    assert low <= probe["repeated_changed"] / probe["images"] <= high
    low, high = share_perturbed
    assert low <= probe["perturbed_changed"] / probe["images"] <= high


def test_labels_out_of_range_are_invalid(graded):
    for name in ("payload_label_1284", "payload_negative_labels"):
        measured = counts(graded, name, "goodnet")["test"]
        assert measured["clean_invalid"] == measured["clean_total"]
        assert measured["backdoored_attacked"] == 0


@pytest.mark.extended
def test_payloads_fire_where_nothing_holds_them(
    corpus, small_benchmark, badnet_path, prepared, run_harness, tmp_path
):
    """An absent marker means something only if the payload works."""
    loose = tmp_path / "loose"
    for name in (*FIRING, "payload_connects"):
        shutil.copytree(corpus.submissions / name, loose / name)
    corpus.clear()
    shutil.copytree(prepared, tmp_path / "results")
    finished = run_harness(
        "grade", "--each", loose, "--dataset", small_benchmark, "--badnet", badnet_path,
        "--output", tmp_path / "results", "--no-timing", "--isolation", "none",
    )  # fmt: skip
    assert corpus.markers() == sorted(f"marker-{name}" for name in FIRING), finished.stderr
    assert corpus.connections > 0
    board = (tmp_path / "results" / "leaderboard.md").read_text()
    assert "run without a sandbox" in board
    corpus.clear()
