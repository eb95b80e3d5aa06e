"""Images as a runtime takes them: as real numbers, scaled, and in its own layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.networks.graph_files.interface import CHANNELS_FIRST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class ImageFunction:
    """A function over raw pixels (N x rows x columns x colours) of one over a runtime's input.

    Of several layouts the first in which it answers the first images is kept.
    """

    def __init__(
        self,
        function: Callable[[np.ndarray], Any],
        layouts: Sequence[str],
        dtype: str,
        pixel_scale: float,
    ) -> None:
        self._function = function
        self._layouts = tuple(layouts)
        self._dtype = dtype
        self._scale = np.float32(pixel_scale)

    def __call__(self, images: np.ndarray) -> Any:
        """What it answers on images."""
        pixels = images.astype(np.float32)
        if self._scale != 1:
            pixels *= self._scale
        failures = []
        for layout in self._layouts:
            try:
                answers = self._answer(pixels, layout)
            except Exception as error:  # noqa: BLE001 - runtimes raise anything
                failures.append(error)
            else:
                self._layouts = (layout,)
                return answers
        raise failures[0]

    def _answer(self, pixels: np.ndarray, layout: str) -> Any:
        if layout == CHANNELS_FIRST:
            pixels = pixels.transpose(0, 3, 1, 2)
        return self._function(np.ascontiguousarray(pixels, self._dtype))
