"""Which of several ways to read a file is meant: the one that is right on most clean images.

A file of arrays does not say in which order it flattens images, nor a mask whether 1 keeps a
channel or takes it away. A net that is read wrongly is as good as random: clean images tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.lineage.lineage import zero_channels
from harness.networks.readings.weights import Reading
from harness.records.errors import Status, SubmissionError

if TYPE_CHECKING:
    from harness.networks.deepid import Weights
    from harness.networks.readings.masks import MaskReading
    from harness.records.network import Network

RightAnswers = Callable[[Sequence["Weights"]], list[float]]
"""The share of clean images that each of some nets gets right."""


def masked_nets(
    masks: Sequence[MaskReading], network: Network, badnet: Weights | None
) -> tuple[Reading, ...]:
    """The BadNet without the channels of each reading of a mask. Raises SubmissionError."""
    if badnet is None:
        raise SubmissionError(
            Status.NOT_GRADED, "a mask of the BadNet, which is not at hand; fetch or name it"
        )
    return tuple(
        Reading(mask.label, zero_channels(badnet, mask.pruned, network=network)) for mask in masks
    )


def settle(
    readings: Sequence[Reading], right_answers: RightAnswers | None
) -> tuple[Weights, str]:  # fmt: skip
    """The weights that are meant, and a sentence on how that was found out.

    Without clean images it is the likeliest reading, the first.
    """
    labels = [reading.label for reading in readings]
    if right_answers is None:
        ways = " or ".join(labels)
        return readings[0].weights, (
            f"can be read in {len(readings)} ways ({ways}); which one is meant is settled on "
            "clean images when it is graded"
        )

    shares = right_answers([reading.weights for reading in readings])
    best = max(range(len(readings)), key=shares.__getitem__)
    others = ", ".join(
        f"{label} ({share:.1%})"
        for index, (label, share) in enumerate(zip(labels, shares, strict=True))
        if index != best
    )
    return readings[best].weights, (
        f"can be read in {len(readings)} ways; taken: {labels[best]} ({shares[best]:.1%} of clean "
        f"images right), not {others}"
    )
