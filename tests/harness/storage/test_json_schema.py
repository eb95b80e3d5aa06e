"""Records obey the schema that is committed, the schema is what the types say."""

import copy
import json

import jsonschema
import msgspec
import pytest
from records_by_hand import artifact, checkpoint, counts, good_checkpoints, record
from repository import ROOT

from harness.records.errors import Status
from harness.records.findings import Diagnosis, GoodNetRule
from harness.records.record import Checkpoint, Probe, Record, SplitCounts
from harness.storage.json_schema import record_schema, schema_text
from harness.storage.results import Store

COMMITTED = ROOT / "docs" / "record.schema.json"
PAGE = ROOT / "docs" / "record.md"
EXAMPLE = ROOT / "docs" / "record.example.json"


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(COMMITTED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def as_json(value):
    return json.loads(msgspec.json.encode(value))


def test_the_committed_schema_is_what_the_types_say():
    told = "python -m harness schema > docs/record.schema.json"
    assert COMMITTED.read_text(encoding="utf-8") == schema_text(), told


def test_the_command_prints_it(run_harness):
    printed = run_harness("schema")
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout == schema_text()


def test_every_docstring_under_a_field_describes_its_property():
    definitions = record_schema()["$defs"]
    checkpoint, lineage = (definitions[name]["properties"] for name in ("Checkpoint", "Lineage"))
    assert checkpoint["drop_points"]["description"] == (
        "X, in percentage points; None where nothing tells it."
    )
    assert checkpoint["scaled_clean_correct"]["description"].splitlines() == [
        "Clean validation images that are right on pixels / 255.",
        "",
        "Tried only where a net was tuned, or its clean accuracy on raw pixels is near chance.",
    ]
    assert lineage["live"]["description"] == "Pruned channels that are not dormant in the BadNet."
    assert "description" not in checkpoint["lineage"]  # none is under that field
    # A field with a docstring of its own whose type has one as well.
    assert checkpoint["repaired"]["description"] == "Counts of B'."


@pytest.mark.parametrize(
    "each",
    [
        record(*good_checkpoints()),
        record(status=Status.REJECTED, reason="no model in it", badnet=None),
        record(
            checkpoint(
                None,
                goodnet_artifact=artifact("g.keras", None, "goodnet"),
                lineage=None,
                repaired=SplitCounts(valid=counts(), test=None),
                probe=Probe(images=512, repeated_changed=0, perturbed_changed=3),
                contract=GoodNetRule(
                    against="B",
                    width=0,
                    images=1,
                    broken=0,
                    abstained=0,
                    outside=0,
                    outside_label=None,
                    as_repaired=None,
                ),
                diagnoses=(Diagnosis(code="X", explanation="y", evidence={"a": None, "b": 1.5}),),
            )
        ),
    ],
    ids=["graded", "rejected", "foreign"],
)
def test_records_written_by_hand_obey_it(validator, each):
    validator.validate(as_json(each))


def test_the_example_obeys_it_and_is_read(validator):
    validator.validate(json.loads(EXAMPLE.read_bytes()))
    assert msgspec.json.decode(EXAMPLE.read_bytes(), type=Record).status is Status.GRADED


def test_a_record_of_an_older_version_obeys_it_and_is_read(validator, tmp_path):
    old = as_json(record(checkpoint(), schema_version=1))
    since = {"nested", "diagnoses", "points", "claims", "fingerprint", "timed", "reference"}
    old = {name: value for name, value in old.items() if name not in since}
    validator.validate(old)
    path = tmp_path / "records" / "s.json"
    path.parent.mkdir()
    path.write_text(json.dumps(old))
    (read,) = Store(tmp_path).records()
    assert read.points == ()
    assert read.timed is False


def test_a_record_of_version_5_has_a_probe_without_fresh_images(validator, tmp_path):
    probe = Probe(images=512, repeated_changed=0, perturbed_changed=3)
    old = as_json(record(checkpoint(probe=probe), schema_version=5))
    del old["checkpoints"][0]["probe"]["fresh"]
    validator.validate(old)
    path = tmp_path / "records" / "s.json"
    path.parent.mkdir()
    path.write_text(json.dumps(old))
    (read,) = Store(tmp_path).records()
    assert read.checkpoints[0].probe == probe


def without(name):
    def change(content):
        del content[name]

    return change


def with_value(*path, value):
    def change(content):
        *way, last = path
        for step in way:
            content = content[step]
        content[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("submission"),
        without("dataset"),
        with_value("status", value="fine"),
        with_value("schema_version", value=99),
        with_value("badnet", "valid", "clean_correct", value=98.6),
        with_value("badnet", "valid", "clean_correct", value="11391"),
        with_value("checkpoints", 0, "drop_points", value="2 %"),
        with_value("checkpoints", 0, "repaired", value={"valid": None, "test": None}),
        with_value("checkpoints", 0, "lineage", "pruned", value=["0"]),
        with_value("checks", value=None),
    ],
)
def test_a_broken_record_does_not_obey_it(validator, change):
    broken = copy.deepcopy(as_json(record(*good_checkpoints())))
    validator.validate(broken)
    change(broken)
    assert not validator.is_valid(broken)


@pytest.mark.parametrize("kind", [Record, Checkpoint])
def test_the_page_explains_every_field(kind):
    explained = PAGE.read_text(encoding="utf-8").split("(versions)=")[0]
    assert [name for name in kind.__dataclass_fields__ if f"`{name}`" not in explained] == []
