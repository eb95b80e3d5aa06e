"""No text starts a formula."""

import pytest

from harness.records.spreadsheets import disarm

STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.mark.parametrize("start", STARTS)
def test_what_would_start_a_formula_gets_an_apostrophe(start):
    assert disarm(f"{start}1+2") == f"'{start}1+2"
    assert disarm(f"1{start}2") == f"1{start}2"


def test_other_text_stays_as_it_is():
    assert disarm("") == ""
    assert disarm("'=1") == "'=1"
