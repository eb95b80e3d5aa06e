"""Walks through a record."""

import pytest
from records_by_hand import artifact, checkpoint, record

from harness.records import traversal
from harness.records.errors import Status
from harness.records.findings import Diagnosis
from harness.records.record import Check


def check(name, limit=None):
    return Check(name=name, passed=True, observed=None, limit=limit, reason="")


def diagnosis(code):
    return Diagnosis(code=code, explanation="")


def a_record():
    second = artifact("b.keras", None, "goodnet")
    return record(
        checkpoint(
            2.0,
            artifact=artifact("a.h5", "hash", "repaired"),
            checks=(check("own"),),
            diagnoses=(diagnosis("FIRST"),),
        ),
        checkpoint(None, artifact=None, goodnet_artifact=second, checks=(), diagnoses=()),
        checks=(check("present", limit=10.0), check("other")),
        diagnoses=(diagnosis("LAST"),),
    )


@pytest.mark.parametrize(
    ("points", "name"), [(2.0, "X = 2"), (2.5, "X = 2.5"), (None, "X unknown")]
)
def test_a_checkpoint_is_called_by_its_x(points, name):
    assert traversal.checkpoint_name(points) == name


def test_checks_of_the_submission_come_first_and_name_what_they_are_about():
    located = [(place, check.name) for place, check in traversal.located_checks(a_record())]
    assert located == [("X = 10", "present"), ("submission", "other"), ("X = 2", "own")]


def test_diagnoses_of_the_submission_come_last():
    located = [(place, d.code) for place, d in traversal.located_diagnoses(a_record())]
    assert located == [("X = 2", "FIRST"), ("submission", "LAST")]


def test_artifacts_are_the_files_that_were_opened():
    assert [each.path for each in traversal.artifacts(a_record())] == ["a.h5", "b.keras"]


def test_statuses_are_the_submissions_and_its_checkpoints():
    assert traversal.statuses(a_record()) == [Status.GRADED] * 3
