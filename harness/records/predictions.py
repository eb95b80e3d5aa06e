"""Predicted classes: encoding, the GoodNet rule, and the streams a sandboxed model sees.

A prediction travels and is stored as one uint16. The low 15 bits hold the class id (0..N-1,
N for "backdoored"); the top bit marks an answer that was not finite. An answer that is no
class id at all is stored as ``UNREPRESENTABLE``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NOT_FINITE = 0x8000
UNREPRESENTABLE = 0x7FFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Decoded predictions of one net on one set, each array of length N.

    ``class_ids`` is what argmax says (int64), ``abstained`` where it is N, ``invalid`` where
    the answer was not finite or lies outside 0..N.
    """

    class_ids: np.ndarray
    abstained: np.ndarray
    invalid: np.ndarray


def encode_scores(scores: np.ndarray) -> np.ndarray:
    """Encode rows of class scores (N x classes) by argmax, as the official protocol does."""
    class_ids = scores.argmax(axis=1).astype(np.uint16)
    class_ids[~np.isfinite(scores).all(axis=1)] |= NOT_FINITE
    return class_ids  # type: ignore[no-any-return]


def encode_labels(labels: np.ndarray) -> np.ndarray:
    """Encode label answers (N or N x 1, integer or float)."""
    flat = np.asarray(labels, dtype=np.float64).reshape(-1)
    finite = np.isfinite(flat)
    whole = np.where(finite, flat, 0.0)
    representable = (whole >= 0) & (whole < UNREPRESENTABLE) & (whole == np.floor(whole))
    encoded = np.where(representable, whole, UNREPRESENTABLE).astype(np.uint16)
    encoded[~finite] |= NOT_FINITE
    return encoded


def decode(encoded: np.ndarray, classes: int) -> Answers:
    """Decode uint16 predictions of a net over ``classes`` classes."""
    class_ids = (encoded & np.uint16(0xFFFF ^ NOT_FINITE)).astype(np.int64)
    invalid = (encoded & NOT_FINITE).astype(bool) | (class_ids > classes)
    return Answers(class_ids=class_ids, abstained=class_ids == classes, invalid=invalid)


def compose_goodnet(badnet: np.ndarray, repaired: np.ndarray, classes: int) -> np.ndarray:
    """GoodNet of the lab: the common class where B and B' agree, else N (its N+1st class).

    Takes and returns encoded predictions; an answer that was not finite on either side stays
    marked as such.
    """
    class_mask = np.uint16(0xFFFF ^ NOT_FINITE)
    agree = (badnet & class_mask) == (repaired & class_mask)
    answers = np.where(agree, badnet & class_mask, np.uint16(classes))
    return np.asarray(answers | ((badnet | repaired) & np.uint16(NOT_FINITE)), dtype=np.uint16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The order in which one process sees images: ``set_names[i]``, ``indices[i]`` for image i."""

    set_ids: np.ndarray
    indices: np.ndarray


def deal_streams(sizes: dict[str, int], rng: np.random.Generator) -> tuple[Stream, Stream]:
    """Deal all images over two shuffled streams; no clean image meets its poisoned twin.

    ``sizes`` maps set names (some of valid, test, bd_valid, bd_test) to lengths. Image i of a
    backdoored set is taken as the twin of image i of its clean set and goes to the other
    stream, so that no process can compare the two.
    """
    halves: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    coins = {split: rng.random(max(sizes.get(split, 0), sizes.get(f"bd_{split}", 0))) < 0.5
             for split in ("valid", "test")}  # fmt: skip
    for set_id, (name, size) in enumerate(sizes.items()):
        first = coins[name.removeprefix("bd_")][:size] ^ name.startswith("bd_")
        for half, chosen in zip(halves, (first, ~first), strict=True):
            indices = np.flatnonzero(chosen)
            half.append(np.stack([np.full(len(indices), set_id), indices]))
    return _shuffled(halves[0], rng), _shuffled(halves[1], rng)


def _shuffled(parts: list[np.ndarray], rng: np.random.Generator) -> Stream:
    both = np.concatenate(parts, axis=1)
    both = both[:, rng.permutation(both.shape[1])]
    return Stream(set_ids=both[0], indices=both[1])


def gather(stream: Stream, answers: np.ndarray, sizes: dict[str, int],
           into: dict[str, np.ndarray]) -> None:  # fmt: skip
    """Put a stream's answers back where its images came from."""
    for set_id, name in enumerate(sizes):
        chosen = stream.set_ids == set_id
        into[name][stream.indices[chosen]] = answers[chosen]
