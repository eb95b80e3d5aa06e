"""Text of strangers made fit to print."""

import json

import pytest

from harness.records.text import describe_error, disarm_formula, join_lines, one_line, storable

BELL, RIGHT_TO_LEFT, LINE_SEPARATOR = "\x07", "\u202e", "\u2028"


@pytest.mark.parametrize(
    "break_out", ["\n", "\r", BELL, "\x1b[31m"[:1], RIGHT_TO_LEFT, LINE_SEPARATOR]
)
def test_nothing_breaks_out_of_a_line(break_out):
    assert one_line(f"a{break_out}b") == "a?b"


def test_ordinary_text_stays_as_it_is():
    text = "Zo\u00eb's model\u00a02 \u2013 \u5b66\u751f"
    assert one_line(text) == text


def test_bytes_and_broken_names_become_text():
    assert one_line(b"m\xff.h5") == "m\ufffd.h5"
    assert one_line("m\udcff.h5") == storable("m\udcff.h5") == "m?.h5"
    json.dumps(storable("m\udcff.h5")).encode()


def test_long_text_is_cut():
    assert one_line("x" * 5, 5) == "xxxxx"
    assert one_line("x" * 6, 5) == "xxxxx..."


def test_a_message_of_several_lines_becomes_one():
    assert join_lines(b"no such\n  layer:\tconv_9") == "no such layer: conv_9"


def test_an_error_says_what_it_is():
    assert describe_error(ValueError("no such\nlayer")) == "ValueError: no such layer"
    assert describe_error(KeyError()) == "KeyError"


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_what_would_start_a_formula_gets_an_apostrophe(start):
    assert disarm_formula(f"{start}1+2") == f"'{start}1+2"
    assert disarm_formula(f"1{start}2") == f"1{start}2"


def test_what_starts_no_formula_stays_as_it_is():
    assert disarm_formula("") == ""
    assert disarm_formula("'=1") == "'=1"
