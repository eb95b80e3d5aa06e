"""What counts of what a script prints."""

import pytest

from harness.inference.scripts.worker import _Tail, last_integer


@pytest.mark.parametrize(
    ("printed", "number"),
    [
        ("7\n", 7), ("1283", 1283), ("The class is 12.", 12), ("[42]", 42), ("class: 12.0", 12),
        ("7 (p = 0.93)", 7), ("tensor([5])", 5), ("1/1 [====] - 0s 31ms/step\n9\n", 9),
        ("", None), ("no class", None), ("0.93", None), ("model_2 says nothing", None),
        ("-1", -1), ("1e3", 1000),
    ],
)  # fmt: skip
def test_the_last_whole_number_counts(printed, number):
    assert last_integer(printed) == number


def test_the_end_is_kept_of_what_is_printed():
    tail = _Tail()
    for _ in range(40):
        tail.write("x" * 10_000)
    tail.write("\n17\n")
    assert len(tail.getvalue()) < 300_000
    assert last_integer(tail.getvalue()) == 17
