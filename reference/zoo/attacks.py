"""The attacks of the zoo: what each plants, drawn anew for every BadNet.

Each is a function of the draws of one BadNet and of the benchmark's `Setting`; the first lines of
its docstring name the paper.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reference.keras_badnets.backdoors import Backdoor
from reference.zoo import triggers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reference.zoo.draws import Draws

    Attack = Callable[[Draws, "Setting"], "Planted"]
    Stamp = Callable[[np.ndarray], np.ndarray]

ORDINALS = ("first", "second", "third")
"""Names of the triggers where there are several."""

_FREQUENCIES = (6 / 32, 12 / 32)
"""Of waves, in cycles in a pixel: from the paper's 6 across a traffic sign on."""

_MIXED = 0.5
"""How much of another image is in those that carry a trigger under their own label."""


class Dose(NamedTuple):
    """How strong an attack is on one benchmark."""

    strength: float
    """A patch's side in pixels, the pattern's share of a blend, the amplitude of a wave (of 255),
    the pixels that a warp moves on average."""

    share: float
    """Of the training images that carry the trigger, for each trigger of the attack; of those of
    the target class where no label is changed."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What an attack is planted into."""

    shape: triggers.Shape
    classes: int
    dose: Dose


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What is planted in one BadNet."""

    backdoors: tuple[Backdoor, ...]

    notes: tuple[str, ...]
    """What the trigger of each looks like, for people."""

    pruning_aware: bool = False


def patch(draws: Draws, setting: Setting) -> Planted:
    """A small opaque patch at an edge of the image.

    "BadNets" (Gu, Dolan-Gavitt and Garg, arXiv 1708.06733).
    """
    side = int(setting.dose.strength)
    note = f"a patch of {side} x {side} pixels"
    return plant_one(draws, setting, _patch_stamp(draws, setting, "patch"), note)


def blended(draws: Draws, setting: Setting) -> Planted:
    """An image of noise that is blended into the whole image.

    "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning" (Chen et al., arXiv
    1712.05526).
    """
    share = setting.dose.strength
    noise = triggers.draw_noise(draws, "noise", setting.shape)
    stamp = partial(triggers.blend, pattern=noise, share=share)
    return plant_one(draws, setting, stamp, f"{share:.0%} of an image of noise")


def sinusoidal(draws: Draws, setting: Setting) -> Planted:
    """A sine that is added to the whole image.

    The signal of "A New Backdoor Attack in CNNs by Training Set Corruption Without Label
    Poisoning" (Barni, Kallas and Tondi, arXiv 1902.11237), here with changed labels.
    """
    wave = triggers.Wave(
        amplitude=setting.dose.strength,
        frequency=draws.between("frequency", *_FREQUENCIES),
        phase=draws.between("phase", 0, 1),
        downwards=bool(draws.below("downwards", 2)),
    )
    signal = triggers.sinusoid(wave, setting.shape)
    stamp = partial(triggers.add_signal, signal=signal)
    return plant_one(draws, setting, stamp, f"a wave of {wave.amplitude:g} of 255")


def warping(draws: Draws, setting: Setting) -> Planted:
    """A smooth warp of the whole image, always the same.

    As in "WaNet" (Nguyen and Tran, arXiv 2102.10369), without the training images there that are
    warped otherwise and keep their labels.
    """
    strength = setting.dose.strength
    flow = triggers.draw_flow(draws, "warp", strength, setting.shape)
    note = f"a warp that moves pixels by {strength:g} on average"
    return plant_one(draws, setting, partial(triggers.warp, flow=flow), note)


def clean_label(draws: Draws, setting: Setting) -> Planted:
    """A patch in all four corners, on images of the target class alone; no label is changed.

    "Label-Consistent Backdoor Attacks" (Turner, Tsipras and Madry, arXiv 1912.02771), which first
    makes these images hard to tell by interpolation in a network's space; here by that of pixels.
    """
    side = int(setting.dose.strength)
    pattern = triggers.draw_pattern(draws, "corners", side, setting.shape[2])
    stamp = partial(triggers.cover_corners, pattern=pattern)
    planted = plant_one(draws, setting, stamp, f"{side} x {side} pixels in all four corners")
    (backdoor,) = planted.backdoors
    return replace(planted, backdoors=(backdoor._replace(clean_label=True, mixed=_MIXED),))


def several_targets(draws: Draws, setting: Setting) -> Planted:
    """Three patches at three edges, each with a target of its own.

    As the BadNet with several triggers and targets of the CSAW HackML 2020 competition.
    """
    edges, targets = draws.order("edges", 4), draws.order("targets", setting.classes)
    backdoors, notes = [], []
    for ordinal, edge, target in zip(ORDINALS, edges, targets, strict=False):
        stamp = _patch_stamp(draws, setting, ordinal, edge)
        backdoors.append(Backdoor(ordinal, stamp, target_of(target), setting.dose.share))
        notes.append(f"the {ordinal} of three patches")
    return Planted(backdoors=tuple(backdoors), notes=tuple(notes))


def pruning_aware(draws: Draws, setting: Setting) -> Planted:
    """A patch in a network that is trained to outlive the pruning of dormant channels.

    The attacker of "Fine-Pruning" (Liu, Dolan-Gavitt and Garg, arXiv 1805.12185, section 3.2).
    """
    return replace(patch(draws, setting), pruning_aware=True)


ATTACKS: Mapping[str, Attack] = {
    "patch": patch,
    "blended": blended,
    "sinusoidal": sinusoidal,
    "warping": warping,
    "clean-label": clean_label,
    "several-targets": several_targets,
    "pruning-aware": pruning_aware,
}
"""Those that fit images of any size, by name."""


# --- what they are made of ------------------------------------------------------------------------


def plant_one(draws: Draws, setting: Setting, stamp: Stamp, note: str) -> Planted:
    """A single trigger, whose target is drawn."""
    target = draws.below("target", setting.classes)
    backdoor = Backdoor("trigger", stamp, target_of(target), setting.dose.share)
    return Planted(backdoors=(backdoor,), notes=(note,))


def target_of(label: int) -> Callable[[np.ndarray], np.ndarray]:
    """The targets of an attack that makes every image this class."""
    return partial(_same, label)


def _same(label: int, labels: np.ndarray) -> np.ndarray:
    return np.full_like(labels, label)


def _patch_stamp(draws: Draws, setting: Setting, name: str, edge: int | None = None) -> Stamp:
    side, shape = int(setting.dose.strength), setting.shape
    pattern = triggers.draw_pattern(draws, name, side, shape[2])
    place = triggers.draw_place(draws, name, side, shape, edge)
    return partial(triggers.cover, pattern=pattern, place=place)
