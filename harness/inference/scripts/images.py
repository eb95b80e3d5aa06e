"""Images as files that scripts read: PNG, which changes no pixel, or JPEG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from harness.records.environment import install_command
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from harness.records.benchmark import LabeledSet

FORMATS = {"png": ".png", "jpeg": ".jpg"}
"""Suffixes of the files, by the names of the formats."""

_JPEG_QUALITY = 95


def image_file(pixels: np.ndarray, form: str) -> bytes:
    """An image (rows x columns x 3, 0..255) as the bytes of a file. Raises HarnessError."""
    try:
        from PIL import Image
    except ImportError:
        raise HarnessError(
            f"scripts are shown files of images, which needs Pillow: {install_command('images')}"
        ) from None
    shown = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    picture = Image.fromarray(shown[..., 0] if shown.shape[-1] == 1 else shown)
    file = io.BytesIO()
    if form == "jpeg":
        picture.save(file, "JPEG", quality=_JPEG_QUALITY)
    else:
        picture.save(file, "PNG")
    return file.getvalue()


def drawn_images(
    labeled: LabeledSet, most: int, rng: np.random.Generator, avoided: np.ndarray
) -> np.ndarray:
    """Which images of a set are shown (indices): so many of each of its attacks.

    ``avoided`` are indices of which twins were drawn already; they come only where others lack.
    """
    parts = [attack.images for attack in labeled.attacks] or [slice(0, len(labeled.labels))]
    drawn = []
    for part in parts:
        size = part.stop - part.start
        order = rng.permutation(size)
        late = np.isin(order, avoided)
        drawn.append(part.start + np.concatenate([order[~late], order[late]])[:most])
    return np.sort(np.concatenate(drawn))
