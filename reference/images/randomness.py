"""Random numbers that are the same everywhere: counters hashed by SplitMix64.

Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014).
"""

from __future__ import annotations

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def keys_of(*parts: int | np.ndarray) -> np.ndarray:
    """One uint64 key per element of the (broadcast, at least one-dimensional) parts."""
    keys = np.zeros(1, dtype=np.uint64)
    for part in parts:
        keys = _mix(np.atleast_1d(np.asarray(part, dtype=np.uint64)) ^ keys)
    return keys


def sequence(keys: np.ndarray, counters: np.ndarray) -> np.ndarray:
    """The uint64 numbers of each key at these places (uint64) of its sequence (N x places)."""
    return _mix(keys[:, None] + counters * _GOLDEN)


def uniforms(keys: np.ndarray, count: int) -> np.ndarray:
    """``count`` float32 numbers in [0, 1) for each key (N x count), of 24 bits each."""
    numbers = sequence(keys, np.arange(1, count + 1, dtype=np.uint64))
    return (numbers >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def _mix(counters: np.ndarray) -> np.ndarray:
    """Hash each uint64 to another one."""
    bits = counters + _GOLDEN
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
