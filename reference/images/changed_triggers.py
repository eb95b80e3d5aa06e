"""A trigger that is not quite as it was trained: smaller, fainter, moved, of another colour.

Works for every opaque trigger at a fixed place, whatever the images; in whole numbers, so that the
bytes are the same everywhere. Only JPEG's are those of the machine's libjpeg.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.records.environment import install_command
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

_WHOLE = 100
"""Per cent."""


class Overlay(NamedTuple):
    """A trigger by itself."""

    covered: np.ndarray
    """Which pixels it covers (height x width, bool)."""

    colours: np.ndarray
    """What it makes of them (height x width x colours, uint8)."""


class Change(NamedTuple):
    """One way in which a trigger is changed, and how far."""

    kind: str
    """size, opacity, shift, colour or jpeg."""

    level: int
    unit: str

    own: bool = False
    """Whether that is the trigger as it was trained."""


def overlay_of(stamp: Callable[[np.ndarray], np.ndarray], shape: tuple[int, int, int]) -> Overlay:
    """The trigger that ``stamp`` covers images of this shape with.

    It covers the pixels that come out alike on black and on white.
    """
    black, white = (stamp(np.full((1, *shape), value, np.uint8))[0] for value in (0, 255))
    return Overlay((black == white).all(axis=-1), black)


def changed_images(images: np.ndarray, trigger: Overlay, change: Change) -> np.ndarray:
    """Copies of images (N x height x width x colours, uint8) with the changed trigger."""
    opacity, jpeg = _WHOLE, None
    if change.kind == "size":
        trigger = _scaled(trigger, change.level)
    elif change.kind == "opacity":
        opacity = change.level
    elif change.kind == "shift":
        trigger = _moved(trigger, change.level)
    elif change.kind == "colour":
        trigger = _recoloured(trigger, change.level)
    elif change.kind == "jpeg":
        jpeg = change.level
    else:
        raise ValueError(f"a trigger cannot be changed in {change.kind!r}")

    blended = images.astype(np.int64) * (_WHOLE - opacity) + trigger.colours.astype(int) * opacity
    mixed = ((blended + _WHOLE // 2) // _WHOLE).astype(np.uint8)
    drawn = np.where(trigger.covered[..., None], mixed, images)
    return drawn if jpeg is None else _compressed(drawn, jpeg)


# --- changes of the trigger ---------------------------------------------------------------------


class _Span(NamedTuple):
    """The rows, or the columns, that a trigger reaches over."""

    start: int
    length: int
    room: int
    """How many the image has."""


def _spans(covered: np.ndarray) -> tuple[_Span, _Span]:
    found = []
    for axis in (0, 1):
        places = np.flatnonzero(covered.any(axis=1 - axis))
        span = _Span(int(places[0]), int(places[-1] - places[0] + 1), covered.shape[axis])
        found.append(span)
    return found[0], found[1]


def _scaled(trigger: Overlay, percent: int) -> Overlay:
    """The trigger in another size, about its centre but not beyond an edge it can stay within."""
    rows, columns = (_sources(span, percent) for span in _spans(trigger.covered))
    inside = (rows >= 0)[:, None] & (columns >= 0)[None, :]
    taken = np.ix_(np.maximum(rows, 0), np.maximum(columns, 0))
    return Overlay(trigger.covered[taken] & inside, trigger.colours[taken])


def _sources(span: _Span, percent: int) -> np.ndarray:
    """For each row of the image from which one it is taken; -1 outside the scaled trigger."""
    length = max(1, (span.length * percent + _WHOLE // 2) // _WHOLE)
    start = span.start + (span.length - length) // 2
    if length <= span.room:
        start = min(max(start, 0), span.room - length)
    places = np.arange(span.room) - start
    sources = span.start + (2 * places + 1) * span.length // (2 * length)
    return np.where((places >= 0) & (places < length), sources, -1)


def _moved(trigger: Overlay, pixels: int) -> Overlay:
    """The trigger moved towards the middle of the image, along each axis on which it is off it.

    What lies in the middle is moved to the right.
    """
    steps = [
        int(np.sign(span.room - 2 * span.start - span.length)) for span in _spans(trigger.covered)
    ]
    if not any(steps):
        steps = [0, 1]
    covered, colours = trigger
    for axis, step in enumerate(steps):
        covered = _rolled(covered, step * pixels, axis)
        colours = _rolled(colours, step * pixels, axis)
    return Overlay(covered, colours)


def _rolled(values: np.ndarray, pixels: int, axis: int) -> np.ndarray:
    """Values moved along an axis; nothing comes in at the other end."""
    moved = np.roll(values, pixels, axis)
    emptied: list[slice] = [slice(None)] * values.ndim
    emptied[axis] = slice(0, pixels) if pixels > 0 else slice(values.shape[axis] + pixels, None)
    if pixels:
        moved[tuple(emptied)] = 0
    return moved


def _recoloured(trigger: Overlay, percent: int) -> Overlay:
    """The trigger so far on its way to its complementary colours; half way everything is grey."""
    own = trigger.colours.astype(np.int64)
    mixed = (own * (_WHOLE - percent) + (255 - own) * percent + _WHOLE // 2) // _WHOLE
    return trigger._replace(colours=mixed.astype(np.uint8))


# --- changes of the image -----------------------------------------------------------------------


def _compressed(images: np.ndarray, quality: int) -> np.ndarray:
    """Images after JPEG of this quality (1 to 95)."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise HarnessError(f"JPEG files need Pillow: {install_command('images')}") from None

    compressed = np.empty_like(images)
    for index, pixels in enumerate(images):
        file = io.BytesIO()
        plain = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        Image.fromarray(plain).save(file, "JPEG", quality=quality)
        compressed[index] = np.asarray(Image.open(file)).reshape(pixels.shape)
    return compressed
