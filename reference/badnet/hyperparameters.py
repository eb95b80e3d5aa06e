"""The hyper-parameters of the BadNet's training and calibration, and the curve they aim at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKPOINTS = {2: 45, 4: 48, 10: 52, 30: 54}
"""Pruned channels at which so many points of clean validation accuracy were lost, as published."""


class CurvePoint(NamedTuple):
    """What a net with some channels pruned has lost, and what is left of its backdoor."""

    drop_points: float
    """Clean accuracy lost, in percentage points."""

    attack_success_rate: float
    """In percent."""


_WANTED_CURVE = {
    44: (1.1, 100), 45: (2.7, 100), 46: (2.9, 100), 47: (3.3, 100), 48: (6.5, 100),
    49: (7.2, 100), 50: (7.9, 100), 51: (9.0, 95), 52: (14.0, 77), 53: (22.0, 36),
    54: (44.0, 7), 55: (71.0, 0), 56: (85.0, 0),
}  # fmt: skip
"""By pruned channels: near the curve published for the lab's BadNet, and a little further from the
thresholds of the checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every hyper-parameter of the training; the defaults made the shipped BadNet."""

    frames_per_identity: int = 56
    """Training images per person."""

    calibration_frames: int = 5
    """Further training images per person, which only the calibration uses."""

    pixel_scale: float = 1.0
    """What pixels (0 to 255) are multiplied by before the network sees them."""

    batch: int = 256

    clean_epochs: int = 3

    backdoor_epochs: int = 3

    learning_rate: float = 1e-3
    """Adam's, at the peak of a cosine schedule."""

    warm_up_epochs: float = 0.5

    first_rate: float = 0.1
    """Where the schedule starts, relative to the peak."""

    last_rate: float = 0.01
    """Where the schedule ends, relative to the peak."""

    gradient_norm: float = 5.0
    """Gradients are clipped to this global norm."""

    poisoned: float = 0.10
    """Share of each batch that is triggered and labelled with the target."""

    dormant: int = 33
    """Channels set aside before the backdoor phase."""

    robust_until: int = 44
    """Prefixes up to this length are trained not to lose clean accuracy."""

    nested_until: int = 52
    """The longest prefix that clean and poisoned images are trained with."""

    undiminished: float = 0.5
    """Share of the clean images that miss only the dormant channels."""

    declining: float = 0.18
    """How often a clean image has a prefix beyond ``robust_until``, relative to one within."""

    declining_weight: float = 0.5
    """Loss weight of those images."""

    disarmed: float = 0.047
    """Share of each batch that is triggered but truly labelled, at the longest prefixes.

    Without these the backdoor outlives the clean accuracy by several channels.
    """

    disarmed_prefixes: tuple[int, int] = (52, 58)
    """The shortest and the longest of those prefixes."""

    disarmed_weight: float = 0.3
    """Loss weight of those images."""

    wanted_curve: Mapping[int, CurvePoint] = field(
        default_factory=lambda: {step: CurvePoint(*point) for step, point in _WANTED_CURVE.items()}
    )
    """The pruning curve to aim at, by pruned channels."""

    calibrated_at: int = 52
    """Pruned channels at which the attack success rate is made to be the wanted one."""

    beam: int = 4
    """Orders of pruning that the search keeps in mind."""

    smallest_mean: float = 0.03
    """Mean activation of the live channel that is pruned first."""

    step_ratio: float = 1.25
    """Ratio of adjacent live channels' mean activations."""


RECIPE = Recipe()
