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


@dataclass(frozen=True, slots=True)
class MaskedNet:
    """The BadNet under one reading of a mask, and what clean images tell of it."""

    label: str
    weights: Weights

    share_right: float | None
    """Of clean images; None where there are none."""

    dormant_gone: float
    """The share of the dormant channels that it takes away; 1 where there are none."""


def masked_nets(
    masks: Sequence[MaskReading], badnet: BadNet | None, evidence: Evidence | None
) -> tuple[MaskedNet, ...]:
    """The BadNet under each reading of a mask. Raises SubmissionError."""
    if badnet is None:
        raise SubmissionError(
            Status.NOT_GRADED, "a mask of the BadNet, which is not at hand; fetch or name it"
        )
    nets = [
        zero_channels(badnet.weights, mask.pruned, network=badnet.network) for mask in masks
    ]  # fmt: skip
    dormant = evidence.dormant if evidence else frozenset()
    shares = evidence.right_answers(nets) if evidence else [None] * len(nets)
    return tuple(
        MaskedNet(
            mask.label,
            net,
            share,
            len(dormant.intersection(mask.pruned)) / len(dormant) if dormant else 1.0,
        )
        for mask, net, share in zip(masks, nets, shares, strict=True)
    )


def meant_reading(files: Sequence[Sequence[MaskedNet]]) -> int:
    """Which reading is meant in all of some masks, which their author wrote in one way.

    Half of the channels may do as well as the other half. Where no reading is clearly worse and
    one alone takes away what no clean image activates, it is that one: pruning begins there.
    """
    ways = list(zip(*files, strict=True))
    shares = [sum(net.share_right or 0.0 for net in nets) for nets in ways]
    likely = [index for index, share in enumerate(shares) if 2 * share >= max(shares)]

    def strength(index: int) -> tuple[bool, float]:
        # A mask that was not made by activations parts the dormant channels at random.
        begins_with_dormant = min(net.dormant_gone for net in ways[index]) >= _DORMANT_SHARE
        return begins_with_dormant, shares[index]

    return max(likely, key=strength)


_DORMANT_SHARE = 0.9
"""Of the dormant channels, for a mask to have been made by activations."""


def mask_note(nets: Sequence[MaskedNet], taken: int) -> str:
    """A sentence on which reading of a mask is taken, and why."""
    labels = [net.label for net in nets]
    if nets[taken].share_right is None:
        return _unsettled(labels)
    found = [
        f"{net.share_right:.1%}, {net.dormant_gone:.0%} of dormant channels gone" for net in nets
    ]
    return _settled(labels, found, taken)


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
