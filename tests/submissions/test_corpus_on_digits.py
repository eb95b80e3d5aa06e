"""The miniature submissions on the digits end as they do on the faces."""

import json

import pytest
from cases import BUILDERS, NOT_ON_DIGITS, is_the_labs
from corpora import Corpus
from test_corpus import GOODNETS, GRADED, HONEST, REJECTED

pytestmark = [
    pytest.mark.extended,
    pytest.mark.sandbox,
    pytest.mark.timeout(1200),  # whichever test comes first waits for all cases
]
# Where a reason tells a number of the network.
REASONS = REJECTED | {
    "broken_ten_outputs": "expected 10 scores (B'), 11 (G) or one label",
    "broken_flat_input": "takes input (None, 64)",
}
ORIGINAL = "honest_keras3"
"""What all honest ones are compared with."""


def here(names):
    return [name for name in names if not is_the_labs(name)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, digits_folder):
    return Corpus(tmp_path_factory.mktemp("corpus of the digits"), "digits")


@pytest.fixture(scope="module")
def graded(corpus, grade_each_of_digits):
    """The records by submission."""
    finished, output = grade_each_of_digits(
        corpus.submissions, "--model-seconds", 60, "--jobs", 2, timeout=1000
    )
    assert finished.returncode == 1, finished.stderr[-2000:]
    assert "Traceback" not in finished.stderr + finished.stdout
    records = [json.loads(path.read_text()) for path in (output / "records").glob("*.json")]
    return {record["submission"]: record for record in records}


def test_every_case_has_a_record(graded):
    assert set(graded) == set(here(BUILDERS))
    assert set(NOT_ON_DIGITS) < set(BUILDERS)
    assert len(graded) >= 50


@pytest.mark.parametrize("name", here(HONEST))
def test_an_honest_model_is_graded_like_the_original(graded, name):
    record, original = graded[name], graded[ORIGINAL]["checkpoints"][0]
    assert record["status"] == "graded", record["reason"]
    (checkpoint,) = record["checkpoints"]
    for net in ("repaired", "goodnet"):
        for split in ("valid", "test"):
            for field, value in original[net][split].items():
                if field != "attacks":
                    measured = checkpoint[net][split][field]
                    assert abs(measured - value) <= HONEST[name], (net, split, field)


@pytest.mark.parametrize("name", here(GOODNETS))
def test_an_honest_goodnet_is_graded_like_the_composed_one(graded, name):
    (checkpoint,) = graded[name]["checkpoints"]
    assert checkpoint["status"] == "graded", checkpoint["reason"]
    assert checkpoint["goodnet_artifact"]["role"] == "goodnet"
    assert checkpoint["goodnet"] == graded[ORIGINAL]["checkpoints"][0]["goodnet"]


@pytest.mark.parametrize("name", here(REJECTED))
def test_a_broken_or_hostile_submission_is_rejected_with_its_reason(graded, name):
    record = graded[name]
    assert record["status"] == "rejected", record["reason"]
    assert REASONS[name] in record["reason"]
    assert record["reason"].isprintable()


@pytest.mark.parametrize("name", here(sorted(GRADED)))
def test_what_can_be_graded_is(graded, name):
    assert graded[name]["status"] == "graded", graded[name]["reason"]


def test_nothing_was_reached(graded, corpus):
    assert corpus.markers() == []
    assert corpus.connections == 0
