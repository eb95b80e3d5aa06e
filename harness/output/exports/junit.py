"""Checks as JUnit XML, which every continuous integration shows: a suite for each submission.

Format: Jenkins's junit-10.xsd and what others read of it. A check that could not be made is
skipped; what we could not grade is an error; all else that is wrong is a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from harness.output.exports.course import Rendered
from harness.records.errors import Status
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name, located_checks

if TYPE_CHECKING:
    from harness.output.exports.course import Course
    from harness.records.record import Check, Record

_OUTCOMES = ("failure", "error", "skipped")


def render(course: Course) -> Rendered:
    """``junit.xml``; no character in it is illegal in XML."""
    root = ElementTree.Element("testsuites", name="backdoor-defence-harness")
    for record in course.records:
        _suite(root, course.view(record))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return Rendered(files={"junit.xml": f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'})


def _suite(root: ElementTree.Element, record: Record) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=one_line(record.submission))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in [("dataset", record.dataset.name), *record.environment.items()]:
        ElementTree.SubElement(properties, "property", name=one_line(name), value=one_line(value))
    _status(suite, "submission", record.status, record.reason)
    for checkpoint in record.checkpoints:
        _status(
            suite, checkpoint_name(checkpoint.drop_points), checkpoint.status, checkpoint.reason
        )
    for place, check in located_checks(record):
        _check(suite, place, check)
    suite.set("tests", str(len(suite.findall("testcase"))))
    for attribute, outcome in zip(("failures", "errors", "skipped"), _OUTCOMES, strict=True):
        suite.set(attribute, str(len(suite.findall(f"testcase/{outcome}"))))


def _status(suite: ElementTree.Element, place: str, status: Status, reason: str | None) -> None:
    case = _case(suite, place, "graded")
    if status is not Status.GRADED:
        outcome = "error" if status.is_ours else "failure"
        _outcome(case, outcome, status.value, reason or status.value)


def _check(suite: ElementTree.Element, place: str, check: Check) -> None:
    case = _case(suite, place, check.name)
    if check.passed is None:
        ElementTree.SubElement(case, "skipped", message=one_line(check.reason))
    elif not check.passed:
        _outcome(case, "failure", check.name, check.reason)


def _case(suite: ElementTree.Element, place: str, name: str) -> ElementTree.Element:
    classname = f"{suite.get('name')}.{one_line(place)}"
    return ElementTree.SubElement(suite, "testcase", classname=classname, name=one_line(name))


def _outcome(case: ElementTree.Element, outcome: str, kind: str, reason: str) -> None:
    text = one_line(reason)
    ElementTree.SubElement(case, outcome, type=one_line(kind), message=text).text = text
