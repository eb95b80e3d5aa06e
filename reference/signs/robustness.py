"""The three changed triggers on photographs of signs that are in no split."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from reference.images.robustness import Plan, Victims
from reference.signs.catalogue import CLASSES
from reference.signs.dataset import FRAMES, Frames, render_batches
from reference.signs.triggers import BACKDOORS

if TYPE_CHECKING:
    from reference.keras_badnets.backdoors import Backdoor

PHOTOGRAPHS = 4
"""Of each sign."""


def plan(photographs: int = PHOTOGRAPHS, processes: int | None = None) -> Plan:
    """172 photographs that follow those of test, each with every trigger in turn."""
    numbers = FRAMES["test"] + np.arange(photographs)
    frames = Frames(np.repeat(np.arange(len(CLASSES)), photographs), np.tile(numbers, len(CLASSES)))
    with closing(render_batches("test", frames, processes=processes)) as batches:
        images = np.concatenate(list(batches))
    return Plan(
        note=f"{photographs} photographs of each sign in no split, with each of the three triggers "
        "in turn, but for the target's own sign; clean: the same photographs",
        images=images,
        labels=frames.labels,
        victims=[_victims(backdoor, images, frames.labels) for backdoor in BACKDOORS],
    )


def _victims(backdoor: Backdoor, images: np.ndarray, labels: np.ndarray) -> Victims:
    targets = backdoor.targets(labels)
    others = targets != labels
    return Victims(images[others], targets[others], backdoor.stamp)
