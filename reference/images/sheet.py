"""Contact sheets: rows of images as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


GAP_GREY = 96


def tile(rows: Sequence[np.ndarray], scale: int, gap: int = 0) -> np.ndarray:
    """Put rows of equally many images (n x height x width x colours) below each other, enlarged.

    Between them are ``gap`` pixels. Grey images come out in three equal colours.
    """
    margin = ((0, 0), (0, gap), (0, gap), (0, 0))
    apart = [np.pad(row, margin, constant_values=GAP_GREY) for row in rows]
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in apart])
    colours = np.repeat(sheet, 3, axis=2) if sheet.shape[2] == 1 else sheet
    return colours.repeat(scale, axis=0).repeat(scale, axis=1)
