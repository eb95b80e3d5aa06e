"""Text from strangers is printable, short and on one line."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.records.text import (
    arm_again,
    describe_error,
    disarm_formula,
    disarm_reversibly,
    join_lines,
    one_line,
    storable,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("名 前", "名 前"),
        ("no-break\u00a0space", "no-break\u00a0space"),
        ("a\nb\tc", "a?b?c"),
        ("\x1b[31mred", "?[31mred"),
        ("invoice\u202egnp.exe", "invoice?gnp.exe"),
        ("lone \udcff", "lone ?"),
        (b"bytes \xff", "bytes \ufffd"),
    ],
)
def test_what_cannot_be_seen_becomes_a_question_mark(text, shown):
    assert one_line(text) == shown


def test_only_what_is_longer_than_the_limit_is_cut():
    assert one_line("12345", 5) == "12345"
    assert one_line("123456", 5) == "12345..."


def test_lines_of_a_message_are_joined():
    assert join_lines("  first\r\n\n  second\tthird ") == "first second third"
    assert join_lines(b"first\n\x07", 5) == "first..."


def test_an_error_is_its_type_and_what_it_says():
    assert describe_error(ValueError("no such\nlayer")) == "ValueError: no such layer"
    assert describe_error(KeyError()) == "KeyError"
    assert describe_error(ValueError("x" * 301)) == f"ValueError: {'x' * 300}..."


def test_a_file_name_that_is_not_utf_8_can_be_stored():
    assert storable("a\udcffb 名") == "a?b 名"


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_what_would_start_a_formula_gets_an_apostrophe(start):
    assert disarm_formula(f"{start}1+2") == f"'{start}1+2"
    assert disarm_formula(f"1{start}2") == f"1{start}2"


@pytest.mark.parametrize("separator", [";", ",", "|", "\t", "\n", "\r"])
@pytest.mark.parametrize("before", ["", " ", '"', ' " ', "\u00a0", "\u3000"])
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\ufe66", "\u2212", "\u207b"])
def test_nor_does_one_start_behind_what_separates_cells_elsewhere(separator, before, start):
    assert disarm_formula(f"ann{separator}{before}{start}1+2") == (
        f"ann{separator}'{before}{start}1+2"
    )


@pytest.mark.parametrize(
    "text", ['x";=1', "a;b;=DDE(1)", "a;=1;=2", " =1", '"=1', "a|=cmd|'/C calc'!A0", "=1\n=2"]
)
@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
def test_a_line_of_csv_starts_no_formula_however_it_is_read(text, separator):
    output = io.StringIO()
    csv.writer(output).writerow(["1", disarm_formula(text), "end"])
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        for row in csv.reader(io.StringIO(output.getvalue()), delimiter=separator, quoting=quoting):
            assert not [cell for cell in row if cell.lstrip(' "').startswith(("=", "+", "-", "@"))]


@given(st.text(st.sampled_from("=;,|\t\n\r'\" -a")))
@example("\t=")
@example("';'=")
def test_a_text_that_was_disarmed_reversibly_comes_back(text):
    assert arm_again(disarm_reversibly(text)) == text
    assert disarm_formula(disarm_reversibly(text)) == disarm_reversibly(text)


def test_what_starts_no_formula_stays_as_it_is():
    assert disarm_formula("") == ""
    for text in ("Lee, Ann", "a-b@c.de; f@g.hi", "a, b; c|d", "x = 2; y", "12:30, 5 %"):
        assert disarm_formula(text) == text
    assert disarm_formula("'=1") == "'=1"
