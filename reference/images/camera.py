"""What a camera does to an image: blur and noise."""

from __future__ import annotations

import numpy as np

from reference.images.randomness import sequence

GRAIN_DEVIATION = 147.8
"""The standard deviation of `grain`."""


def blur(image: np.ndarray) -> np.ndarray:
    """Filter images (N x height x width x 3) with the binomial 3 x 3 kernel, edges repeated."""
    tall = np.pad(image, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="edge")
    rows = (tall[:, :-2] + tall[:, 2:]) * 0.25 + image * 0.5
    wide = np.pad(rows, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="edge")
    columns: np.ndarray = (wide[:, :, :-2] + wide[:, :, 2:]) * 0.25 + rows * 0.5
    return columns


def grain(keys: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Nearly normal noise for images of this shape: sums of four hashed bytes (N x shape)."""
    height, width, colours = shape
    values = height * width * colours
    numbers = sequence(keys, np.arange((values + 1) // 2, dtype=np.uint64))
    quarters = numbers.astype("<u8").view(np.uint8).reshape(len(keys), -1, 4)
    sums = quarters[..., 0].astype(np.int16)
    for index in (1, 2, 3):
        sums += quarters[..., index]
    return (sums[:, :values] - np.int16(510)).astype(np.float32).reshape(-1, *shape)
