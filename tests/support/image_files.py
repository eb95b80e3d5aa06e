"""Image files of random pixels."""

import numpy as np
from PIL import Image

_RNG = np.random.default_rng(0)


def put(path, size=(7, 6), mode="RGB", **options):
    """An image of random pixels, ``size`` as Pillow says it: width, height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    pixels = _RNG.integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    image.save(path, **options)
    return np.asarray(image)
