"""Walks through a record."""

import pytest
from records_by_hand import artifact, checkpoint, record

from harness.records import traversal
from harness.records.errors import Status
from harness.records.findings import Diagnosis
from harness.records.record import Check
from harness.records.traversal import failures


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


def failed(points, reason, status=Status.REJECTED):
    return checkpoint(points, status=status, reason=reason, repaired=None, goodnet=None)


def test_a_reason_is_said_once_with_the_files_that_it_is_about():
    found = failures([
        failed(2.0, "a.h5: the file is empty"),
        failed(4.0, "b.h5: truncated (at: 5)"),
        failed(10.0, "c.h5: the file is empty"),
        checkpoint(30.0),
    ])  # fmt: skip
    assert found == [
        ("X = 2 and X = 10", Status.REJECTED, "a.h5 and c.h5: the file is empty"),
        ("X = 4", Status.REJECTED, "b.h5: truncated (at: 5)"),
    ]


def test_thirty_files_are_a_few_names():
    (failure,) = failures([failed(float(n), f"m{n}.h5: the file is empty") for n in range(30)])
    assert failure.places == "X = 0, X = 1, X = 2, X = 3 and 26 more"
    assert failure.reason == "m0.h5, m1.h5, m2.h5, m3.h5 and 26 more: the file is empty"


def test_one_file_at_three_checkpoints_is_named_once():
    (failure,) = failures([failed(x, "all.h5: the file is empty") for x in (2.0, 4.0, 10.0)])
    assert failure.places == "X = 2, X = 4 and X = 10"
    assert failure.reason == "all.h5: the file is empty"


def test_other_statuses_are_other_failures():
    late = failed(4.0, "b.h5: it ended", Status.TIMED_OUT)
    assert len(failures([failed(2.0, "a.h5: it ended"), late])) == 2
