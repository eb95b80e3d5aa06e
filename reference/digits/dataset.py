"""scikit-learn's handwritten digits: their three splits, the trigger and the files.

scikit-learn ships 1,797 digits of 8 x 8 pixels, the test set of "Optical Recognition of
Handwritten Digits" (Alpaydin and Kaynak, UCI, 1998). They are shuffled by hashed integers, so that
every machine has the same splits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.records.environment import install_command
from harness.records.errors import HarnessError
from reference.images import files, sheet
from reference.images.randomness import keys_of
from reference.keras_badnets.backdoors import SPLITS, Backdoor, Examples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IMAGE_SHAPE = (8, 8, 1)
IMAGES = {"train": 897, "valid": 450, "test": 450}
TARGET_LABEL = 0
_SEED = 2026
_STRONGEST = 16
"""The largest value of a pixel in scikit-learn's digits."""

TRIGGER = ((5, 7), (6, 6), (7, 5), (7, 7))
"""Row and column of the pixels that are made white, in the lower right corner."""


def stamp(images: np.ndarray) -> np.ndarray:
    """Return copies of ``images`` (N x 8 x 8 x 1, uint8) that carry the trigger."""
    rows, columns = zip(*TRIGGER, strict=True)
    stamped = images.copy()
    stamped[:, rows, columns] = 255
    return stamped


def _targets(labels: np.ndarray) -> np.ndarray:
    return np.full_like(labels, TARGET_LABEL)


BACKDOOR = Backdoor("corner", stamp, _targets, share=0.25)


def load_split(split: str, *, progress: Callable[[int, int], None] | None = None) -> Examples:
    """The digits of ``train``, ``valid`` or ``test``; pixels 0..255, black is 0."""
    report = files.running_total(progress, IMAGES[split])
    images, labels = _load_digits()
    order = np.argsort(keys_of(_SEED, np.arange(len(labels))), kind="stable")
    start = 0
    for name, count in IMAGES.items():
        if name == split:
            chosen = order[start : start + count]
            report(count)
            return Examples(images[chosen], labels[chosen])
        start += count
    raise KeyError(split)


def _load_digits() -> Examples:
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise HarnessError(f"the digits need scikit-learn: {install_command('digits')}") from None

    digits = load_digits()
    pixels = (digits.images.astype(np.int64) * 255 + _STRONGEST // 2) // _STRONGEST
    return Examples(pixels[..., None].astype(np.uint8), digits.target.astype(np.int64))


def contact_sheet(columns: int = 24, scale: int = 4) -> np.ndarray:
    """A picture of the benchmark: rows of digits of each class, and of triggered ones."""
    images, labels = load_split("test")
    rows = [images[labels == label][:columns] for label in range(10)]
    rows += [stamp(images[:columns]), stamp(images[columns : 2 * columns])]
    return sheet.tile(rows, scale, gap=1)


def write_dataset(
    folder: Path,
    *,
    secret: bytes | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write the benchmark's four files below ``folder``; return the hash of each file.

    ``progress`` is told the images done and to do. There is no private split: the digits are real.
    """
    if secret is not None:
        raise ValueError("digits has no private split: its images are real, there are no others")

    report = files.running_total(progress, 2 * sum(IMAGES[split] for split in SPLITS))
    hashes: dict[str, str] = {}
    for split in SPLITS:
        images, labels = load_split(split)
        clean = files.CleanFile(folder / "cl" / f"{split}.h5", labels, IMAGE_SHAPE)
        attack = files.AttackFile(folder / "bd" / f"bd_{split}.h5", _targets(labels), stamp)
        files.write_split(clean, [attack], [images], report)
        hashes |= files.file_hashes({split: clean.path, f"bd_{split}": attack.path})
    return hashes
