"""Checks as JUnit XML, which every continuous integration shows: a suite for each submission.

Format: Jenkins's junit-10.xsd and what other tools read of it. A check that could not be made is
skipped; what we could not grade is an error; all else that is wrong is a failure.

By hand, since junitparser would add ``time="0"`` to every suite, and nothing was timed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from harness.output.exports.course import Rendered
from harness.records.errors import Status
from harness.records.text import one_line, shorten
from harness.records.traversal import (
    SUBMISSION,
    checkpoint_name,
    located_checks,
    submission_reason,
)

if TYPE_CHECKING:
    from harness.output.exports.course import Course
    from harness.records.record import Check, Record

_COUNTERS = {"failures": "failure", "errors": "error", "skipped": "skipped"}
"""The attributes of a suite, and the outcomes that they count."""


def render(course: Course) -> Rendered:
    """``junit.xml``; no character in it is illegal in XML."""
    root = ElementTree.Element("testsuites", name="backdoor-defence-harness")
    for record in course.records:
        _add_suite(root, course.view(record))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return Rendered(files={"junit.xml": f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'})


def _add_suite(root: ElementTree.Element, record: Record) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=one_line(record.submission))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in [("dataset", record.dataset.name), *record.environment.items()]:
        ElementTree.SubElement(properties, "property", name=one_line(name), value=one_line(value))

    _add_status(suite, SUBMISSION, record.status, submission_reason(record))
    for checkpoint in record.checkpoints:
        name = checkpoint_name(checkpoint.drop_points)
        _add_status(suite, name, checkpoint.status, checkpoint.reason)
    for place, check in located_checks(record):
        _add_check(suite, place, check)

    suite.set("tests", str(len(suite.findall("testcase"))))
    for attribute, outcome in _COUNTERS.items():
        suite.set(attribute, str(len(suite.findall(f"testcase/{outcome}"))))


def _add_status(suite: ElementTree.Element, place: str, status: Status, reason: str | None) -> None:
    case = _add_case(suite, place, "graded")
    if status is not Status.GRADED:
        outcome = "error" if status.is_ours else "failure"
        _add_outcome(case, outcome, status.value, reason or status.value)


def _add_check(suite: ElementTree.Element, place: str, check: Check) -> None:
    case = _add_case(suite, place, check.name)
    if check.passed is None:
        ElementTree.SubElement(case, "skipped", message=shorten(check.reason))
    elif not check.passed:
        _add_outcome(case, "failure", check.name, check.reason)


def _add_case(suite: ElementTree.Element, place: str, name: str) -> ElementTree.Element:
    classname = f"{suite.get('name')}.{one_line(place)}"
    return ElementTree.SubElement(suite, "testcase", classname=classname, name=one_line(name))


def _add_outcome(case: ElementTree.Element, outcome: str, kind: str, reason: str) -> None:
    text = shorten(reason)
    ElementTree.SubElement(case, outcome, type=one_line(kind), message=text).text = text
