"""Who is at fault."""

import pytest

from harness.records.errors import HarnessError, Status, blame_harness


def raise_blamed(error):
    with blame_harness(lambda raised: HarnessError(f"there: {raised}")):
        raise error


def test_whatever_a_library_raises_is_laid_at_the_harness():
    with pytest.raises(HarnessError, match=r"^there: no route$") as raised:
        raise_blamed(OSError("no route"))
    assert raised.value.__suppress_context__  # one line, without the library's traceback


def test_what_is_the_harness_already_stays_as_it_is():
    original = HarnessError("one line")
    with pytest.raises(HarnessError) as raised:
        raise_blamed(original)
    assert raised.value is original


def test_an_interrupt_is_nobodys_fault():
    with pytest.raises(KeyboardInterrupt):
        raise_blamed(KeyboardInterrupt())


def test_two_ends_are_no_grade_of_the_submission():
    assert {status for status in Status if status.is_ours} == {
        Status.NOT_GRADED,
        Status.HARNESS_ERROR,
    }
