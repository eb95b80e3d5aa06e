"""JUnit XML against Jenkins's schema."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
import xmlschema
from courses import graded
from exports_by_hand import PUBLISHED, course, hostile_record, only_file, published
from records_by_hand import checkpoint

from harness.records.errors import Status


def junit():
    return xmlschema.XMLSchema(PUBLISHED / "junit.xsd")


def test_the_junit_example_is_valid():
    junit().validate(published("junit.xml"))
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        junit().validate(published("junit.xml").replace(' tests="4"', ""))


def test_junit_says_each_outcome_and_counts_it():

    two = checkpoint(2.0, before=None)
    late = checkpoint(10.0, clean=800, before=850)
    ours = replace(checkpoint(4.0), status=Status.NOT_GRADED, reason="no sandbox", repaired=None)
    text = only_file("junit", course(graded("ann", (two, ours, late)), hostile_record()))
    junit().validate(text)
    root = ElementTree.fromstring(text)
    ann, bad = root
    assert ann.get("name") == "ann"
    for suite in root:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(counted)) == len(suite.findall(f"testcase/{tag}"))
    cases = {(case.get("classname"), case.get("name")): case for case in ann.iter("testcase")}
    assert cases["ann.X = 4", "graded"].find("error").get("message") == "no sandbox"
    assert cases["ann.X = 10", "first_crossing"].find("failure").text.startswith("one channel")
    assert cases["ann.X = 2", "first_crossing"].find("skipped") is not None
    assert len(cases["ann.X = 2", "clean_accuracy_drop"]) == 0
    assert bad.find("testcase/failure").get("type") == "rejected"
