"""Walks through a record."""

from dataclasses import replace

from records_by_hand import checkpoint, record

from harness.records.errors import Status
from harness.records.findings import Diagnosis
from harness.records.record import Check
from harness.records.traversal import (
    artifacts,
    checkpoint_name,
    checks,
    diagnoses,
    located_checks,
    statuses,
)


def a_check(name, limit=None):
    return Check(name=name, passed=True, observed=None, limit=limit, reason="")


def a_diagnosis(code):
    return Diagnosis(code=code, explanation="")


def test_everything_is_met_once_and_in_order():
    two = replace(checkpoint(2.0), checks=(a_check("b"),), diagnoses=(a_diagnosis("TWO"),))
    unknown = replace(checkpoint(2.0), drop_points=None, status=Status.CRASHED, artifact=None)
    own = replace(
        record(two, unknown),
        checks=(a_check("a", 2.0), a_check("c")),
        diagnoses=(a_diagnosis("ALL"),),
    )
    assert [check.name for check in checks(own)] == ["a", "c", "b"]
    assert [place for place, _ in located_checks(own)] == ["X = 2", "submission", "X = 2"]
    assert [found.code for found in diagnoses(own)] == ["TWO", "ALL"]
    assert statuses(own) == [own.status, Status.GRADED, Status.CRASHED]
    assert artifacts(own) == [two.artifact] * (two.artifact is not None)


def test_a_checkpoint_has_one_name():
    assert checkpoint_name(2.0) == "X = 2"
    assert checkpoint_name(2.5) == "X = 2.5"
    assert checkpoint_name(None) == "X unknown"
