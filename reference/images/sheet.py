"""Contact sheets: rows of images as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def tile(rows: Sequence[np.ndarray], scale: int) -> np.ndarray:
    """Put rows of equally many images (n x height x width x colours) below each other, enlarged."""
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)
