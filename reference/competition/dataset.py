"""The images of the competition: frames of the faces, clean and with each trigger."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reference.competition.networks import NETWORKS
from reference.faces.dataset import frames_of, render_batches
from reference.faces.traits import HEIGHT, WIDTH
from reference.faces.triggers import stamp
from reference.images import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAMES = 2
"""Of each person in valid and in test: few, so that four nets are graded in minutes."""

CLEAN = {"valid": "clean_validation_data.h5", "test": "clean_test_data.h5"}


def poisoned_file(network: str, trigger: str) -> str:
    """What the file of a trigger's images is called, as the competition calls its own."""
    told = trigger.replace(" ", "_")
    if len(NETWORKS[network].attack.triggers) > 1:
        return f"{network}/{told}_poisoned_data.h5"
    return f"{network}_poisoned_data.h5"


def write_dataset(
    folder: Path,
    *,
    secret: bytes | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write all files below ``folder``; return the hash of each by its path.

    Poisoned images are those of test with a trigger, labelled with its target. Images are
    N x 3 x 55 x 47 uint8, labels int64. A ``secret`` gives private images of the same people.
    """
    images = len(frames_of("test", range(FRAMES)).identities)
    report = files.running_total(progress, (2 + len(_targets())) * images)
    hashes: dict[str, str] = {}
    for split, path in CLEAN.items():
        frames = frames_of(split, range(FRAMES))
        shape = (HEIGHT, WIDTH, 3)
        clean = files.CleanFile(folder / path, frames.identities, shape, files.CHANNELS_FIRST)
        attacks = _attacks(folder, frames.identities) if split == "test" else {}
        drawing = render_batches(split, frames, secret=secret, processes=processes)
        with closing(drawing) as batches:
            files.write_split(clean, list(attacks.values()), batches, report)
        written = {name: attack.path for name, attack in attacks.items()}
        hashes |= files.file_hashes({path: clean.path, **written})
    return hashes


def _targets() -> dict[str, tuple[str, int]]:
    """The trigger and the target of each file of poisoned images, by its path."""
    return {
        poisoned_file(network, trigger): (trigger, target)
        for network, each in NETWORKS.items()
        for trigger, target in each.attack.triggers.items()
    }


def _attacks(folder: Path, labels: np.ndarray) -> dict[str, files.AttackFile]:
    return {
        name: files.AttackFile(
            folder / name, np.full_like(labels, target), partial(stamp, trigger=trigger)
        )
        for name, (trigger, target) in _targets().items()
    }
