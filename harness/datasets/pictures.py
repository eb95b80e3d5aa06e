"""Images of a benchmark as pictures for people to look at, whatever their range and channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.benchmark import Datasets

_COLUMNS = 10
_HEIGHT = 64
"""Rows of pixels that an image takes at least, in a whole multiple of its own."""

_CAPTION, _GAP = 14, 4


def as_picture(pixels: np.ndarray) -> np.ndarray:
    """An image (H x W x C) as grey (H x W) or coloured (H x W x 3) bytes.

    Fractions from 0 to 1 or -1 to 1 are brought to 0 to 255. Of other numbers of channels than
    three, and of four, the first is shown, or the first three.
    """
    shown = pixels[..., :3] if pixels.shape[-1] in (3, 4) else pixels[..., 0]
    if shown.dtype.kind == "f" and shown.size and np.abs(shown).max() <= 1:
        shown = shown * 255 if shown.min() >= 0 else (shown + 1) * 127.5
    return np.asarray(np.clip(np.rint(shown), 0, 255), dtype=np.uint8)


def contact_sheet(datasets: Datasets) -> Any:
    """A picture of some test images: clean ones, and below them those of each attack.

    Raises ImportError without Pillow.
    """
    from PIL import Image, ImageDraw

    height, width, _ = datasets.benchmark.input_shape
    scale = max(1, -(-_HEIGHT // height))
    step = (scale * width + _GAP, scale * height + _CAPTION + _GAP)
    rows = list(_sheet_rows(datasets))

    sheet = Image.new("RGB", (_GAP + _COLUMNS * step[0], _GAP + len(rows) * step[1]), "white")
    drawing = ImageDraw.Draw(sheet)
    for row, (caption, images) in enumerate(rows):
        top = _GAP + row * step[1]
        drawing.text((_GAP, top), caption.encode("ascii", "replace").decode(), fill="black")
        for column, image in enumerate(images):
            picture = Image.fromarray(as_picture(image)).convert("RGB")
            shown = picture.resize((scale * width, scale * height), Image.Resampling.NEAREST)
            sheet.paste(shown, (_GAP + column * step[0], top + _CAPTION))
    return sheet


def _sheet_rows(datasets: Datasets) -> Iterator[tuple[str, np.ndarray]]:
    """A caption and some images for each row: of an attack those that the clean row shows.

    As far as their numbers tell.
    """
    clean, backdoored = datasets.sets["test"], datasets.sets["bd_test"]
    yield "clean", clean.images[_spread(len(clean.labels))]
    for attack in backdoored.attacks:
        images = backdoored.images[attack.images]
        yield attack.name, images[_spread(len(images))]


def _spread(images: int) -> np.ndarray:
    return np.linspace(0, images - 1, min(_COLUMNS, images)).astype(int)
