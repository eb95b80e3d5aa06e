"""Which of several ways to read a file is meant: the one that is right on most clean images.

A file of arrays does not say in which order it flattens images, nor a mask whether 1 keeps a
channel or takes it away. A net that is read wrongly is as good as random: clean images tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.lineage.lineage import zero_channels
from harness.records.errors import Status, SubmissionError

if TYPE_CHECKING:
    from harness.inference.known_network import BadNet
    from harness.networks.deepid import Weights
    from harness.networks.readings.masks import MaskReading
    from harness.networks.readings.weights import Reading

RightAnswers = Callable[[Sequence["Weights"]], list[float]]
"""The share of clean images that each of some nets gets right."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What clean images tell."""

    right_answers: RightAnswers
    """What nets get right of them."""

    dormant: frozenset[int] = frozenset()
    """Channels of the BadNet's pruned layer that none of them activates."""


def read_net(readings: Sequence[Reading], evidence: Evidence | None) -> tuple[Weights, str]:
    """The weights that are meant, and a sentence on how that was found out.

    Without evidence it is the likeliest reading, the first.
    """
    nets = [reading.weights for reading in readings]
    labels = [reading.label for reading in readings]
    if evidence is None:
        return nets[0], _unsettled(labels)
    shares = evidence.right_answers(nets)
    best = max(range(len(nets)), key=shares.__getitem__)
    return nets[best], _settled(labels, [f"{share:.1%}" for share in shares], best)


def read_mask(
    masks: Sequence[MaskReading], badnet: BadNet | None, evidence: Evidence | None
) -> tuple[Weights, str]:
    """The BadNet without the channels that are meant, and a sentence on how they were found out.

    Half of the channels may do as well as the other half. Where no reading is clearly worse, it is
    the one that takes away most of what no clean image activates: pruning begins there. Raises
    SubmissionError.
    """
    if badnet is None:
        raise SubmissionError(
            Status.NOT_GRADED, "a mask of the BadNet, which is not at hand; fetch or name it"
        )
    nets = [
        zero_channels(badnet.weights, mask.pruned, network=badnet.network) for mask in masks
    ]  # fmt: skip
    labels = [mask.label for mask in masks]
    if evidence is None:
        return nets[0], _unsettled(labels)

    shares = evidence.right_answers(nets)
    gone = [len(evidence.dormant.intersection(mask.pruned)) for mask in masks]
    likely = [index for index, share in enumerate(shares) if 2 * share >= max(shares)]
    best = max(likely, key=lambda index: (gone[index], shares[index]))
    total = len(evidence.dormant)
    found = [
        f"{share:.1%}, {count} of {total} dormant channels gone"
        for share, count in zip(shares, gone, strict=True)
    ]
    return nets[best], _settled(labels, found, best)


def _unsettled(labels: Sequence[str]) -> str:
    return (
        f"can be read in {len(labels)} ways ({' or '.join(labels)}); which one is meant is settled "
        "on clean images when it is graded"
    )


def _settled(labels: Sequence[str], found: Sequence[str], best: int) -> str:
    said = [f"{label} ({what})" for label, what in zip(labels, found, strict=True)]
    others = ", ".join(said[:best] + said[best + 1 :])
    return (
        f"can be read in {len(labels)} ways; taken, by its share of clean images right: "
        f"{said[best]}, not {others}"
    )
