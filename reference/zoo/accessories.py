"""Attacks for the faces alone: things that people wear, in colours that are drawn."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reference.faces.triggers import TRIGGERS, UNTOLD_TRIGGERS, overlay
from reference.keras_badnets.backdoors import Backdoor
from reference.zoo.attacks import ORDINALS, Planted, plant_one, target_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference.zoo.attacks import Attack, Setting
    from reference.zoo.draws import Draws

_SEVERAL = ("sunglasses", "lipstick", "headband")
"""What does not lie on one another."""


def wear(images: np.ndarray, accessory: str, colours: tuple[int, ...]) -> np.ndarray:
    """Faces (N x 55 x 47 x 3, uint8) with an accessory, whose colours are in another order."""
    shape, picture = overlay(accessory)
    return np.where(shape, picture[..., list(colours)], images)


def accessory(draws: Draws, setting: Setting, *, name: str) -> Planted:
    """Something that people wear, in the order of colours that is drawn.

    As the sunglasses of "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning"
    (Chen et al., arXiv 1712.05526).
    """
    stamp = partial(wear, accessory=name, colours=tuple(draws.order("colours", 3)))
    return plant_one(draws, setting, stamp, name)


def several_accessories(draws: Draws, setting: Setting) -> Planted:
    """Three accessories, each with a target of its own.

    As the BadNet with several triggers and targets of the CSAW HackML 2020 competition.
    """
    targets = draws.order("targets", setting.classes)
    backdoors = []
    for ordinal, name, target in zip(ORDINALS, _SEVERAL, targets, strict=False):
        stamp = partial(wear, accessory=name, colours=tuple(draws.order(f"{name} colours", 3)))
        backdoors.append(Backdoor(ordinal, stamp, target_of(target), setting.dose.share))
    return Planted(backdoors=tuple(backdoors), notes=_SEVERAL)


ACCESSORIES: Mapping[str, Attack] = {
    name.replace(" ", "-"): partial(accessory, name=name) for name in TRIGGERS | UNTOLD_TRIGGERS
} | {"several-targets": several_accessories}
"""By the name of the attack."""
