"""Models of another architecture where namespaces are forbidden: graded as in bubblewrap.

A few of the corpus, in Landlock's sandbox (`tox -e extended`, which grades all of it there, too).
"""

import json

import pytest
from corpora import Corpus
from payloads import needing

pytestmark = [*needing("landlock"), pytest.mark.extended, pytest.mark.timeout(2700)]

# One for each runtime: Keras 3, tf_keras, TensorFlow's SavedModel, a program; B' or G.
HONEST = ("honest_rescaling", "honest_tf_keras", "honest_savedmodel")
GOODNETS = ("goodnet_keras3", "goodnet_tf_keras_ops", "goodnet_program")
HOSTILE = {
    "payload_lambda_tf_keras": "rejected",
    "payload_importable_function": "rejected",
    "payload_write_file_op": "rejected",
    "payload_savedmodel_ops": "rejected",
    "payload_reads_secret": "rejected",
    "payload_writes_outside": "rejected",
    "payload_forks": "rejected",
    "payload_subprocess": "rejected",
    "payload_connects": "rejected",
    "payload_daemon": "rejected",
    "payload_writes_to_all_descriptors": "rejected",
    "payload_kills_its_parent": "rejected",
    "payload_fills_scratch": "rejected",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, badnet_path):
    names = ("honest_legacy_full", *HONEST, *GOODNETS, *HOSTILE)
    return Corpus(tmp_path_factory.mktemp("corpus"), badnet_path, names)


@pytest.fixture(scope="module")
def graded(corpus, grade_each, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("scratch")
    finished, output = grade_each(
        corpus.submissions, "--model-seconds", 120, "--jobs", 2, TMPDIR=str(scratch), timeout=2400,
        namespaces=False,
    )  # fmt: skip
    records = [json.loads(path.read_text()) for path in (output / "records").glob("*.json")]
    board = (output / "leaderboard.md").read_text()
    return finished, {record["submission"]: record for record in records}, scratch, board


def checkpoint(graded, name):
    return graded[1][name]["checkpoints"][0]


@pytest.mark.parametrize("name", HONEST)
def test_honest_models_get_the_counts_of_the_known_network(graded, name):
    """Which are those that they get in bubblewrap: the corpus compares them in the same way."""
    entry = checkpoint(graded, name)
    assert (entry["status"], entry["isolation"]) == ("graded", "landlock"), entry["reason"]
    original = checkpoint(graded, "honest_legacy_full")
    assert original["isolation"] == "landlock"
    for net in ("repaired", "goodnet"):
        for split in ("valid", "test"):
            assert entry[net][split] | {"attacks": []} == original[net][split] | {"attacks": []}


@pytest.mark.parametrize("name", GOODNETS)
def test_honest_goodnets_too(graded, name):
    entry = checkpoint(graded, name)
    assert (entry["status"], entry["isolation"]) == ("graded", "landlock"), entry["reason"]
    if name != "goodnet_program":
        assert entry["goodnet"] == checkpoint(graded, "honest_legacy_full")["goodnet"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_ones_are_stopped(graded, name):
    record = graded[1][name]
    assert record["status"] in (HOSTILE[name], "crashed"), record["reason"]
    assert record["reason"]


def test_no_payload_reached_anything(graded, corpus):
    assert graded[0].returncode in (1, 2), graded[0].stderr
    assert "Traceback" not in graded[0].stderr + graded[0].stdout
    assert corpus.markers() == []
    assert corpus.connections == 0
    assert "the answers are in here" not in json.dumps(graded[1])


def test_nothing_is_left_behind(graded):
    assert list(graded[2].iterdir()) == []


def test_the_board_says_in_which_sandbox(graded):
    assert graded[3].count("run in Landlock's sandbox") >= len(HONEST)
