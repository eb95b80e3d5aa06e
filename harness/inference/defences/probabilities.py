"""What a detector answers: how likely a network is a BadNet, as the bytes that a child leaves.

It is checked in the child, whose author gets one line, and once more by the parent, which holds
nothing true that a child has written.
"""

from __future__ import annotations

import math
import struct
from typing import SupportsFloat

from harness.records.text import one_line

_DOUBLE = struct.Struct("<d")
_WANTED = "it returns a number from 0 to 1: how likely the network is backdoored"


class ProbabilityError(ValueError):
    """What is wrong with an answer, on one line."""


def pack_probability(answer: object) -> bytes:
    """The bytes of what ``detect`` returned. Raises ProbabilityError for what is none."""
    if getattr(answer, "shape", ()) != ():
        shape = one_line(str(getattr(answer, "shape", "")), 40)
        raise ProbabilityError(f"detect() returned an array of shape {shape}; {_WANTED}")
    try:
        # Texts have no __float__, though float() would read them.
        value = float(answer) if isinstance(answer, SupportsFloat) else None
    except (TypeError, ValueError, OverflowError):
        value = None
    if value is None:
        raise ProbabilityError(f"detect() returned {type(answer).__name__}; {_WANTED}")
    return _DOUBLE.pack(_checked(value))


def read_probability(content: bytes) -> float:
    """The probability in these bytes. Raises ProbabilityError."""
    if len(content) != _DOUBLE.size:
        raise ProbabilityError(f"detect() left {len(content)} bytes; {_WANTED}")
    return _checked(_DOUBLE.unpack(content)[0])


def _checked(value: float) -> float:
    if math.isnan(value) or not 0 <= value <= 1:
        raise ProbabilityError(f"detect() returned {value:.6g}; {_WANTED}")
    return value + 0.0  # no negative zero
