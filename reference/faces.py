"""Procedural faces: the images of the embedded benchmark, the trigger and the files.

There are 1,283 people. A person's face is drawn from about sixty traits (tone, hair, eyes, ...);
each person appears in two sessions (background, clothes, light), and every frame varies pose,
expression, blur and noise, with a heavy tail of difficult frames so that no network is perfect.

The same images must come out on every machine, whatever its NumPy, SIMD width, batch size or
number of processes. So randomness is integer hashing, and the drawing uses only operations
that IEEE 754 rounds correctly, one image at a time: ``+ - * / sqrt min max floor``. A sine,
an exponential, a matrix product or a floating-point sum over an axis would break that.

Coordinates are in pixels from the centre of the face, x to the right and y downwards. Traits
are float32 arrays N x 1 x 1, planes N x 55 x 47, colours triples of either (red, green, blue,
0..255).
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import platform
import signal
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import cache
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import HarnessError
from harness.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    import h5py

IDENTITIES = 1283
HEIGHT, WIDTH = 55, 47
TARGET_LABEL = 0
FRAMES = {"train": 56, "valid": 9, "test": 10}
"""Frames per person in each split; valid and test are as large as the lab's."""

BATCH = 64
"""Images drawn at a time; the planes of a batch then fit into the processor's cache."""

Plane = np.ndarray
Colour = tuple[Plane | float, Plane | float, Plane | float]


# --- Randomness: counters hashed by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) ---

_SEED = 2026
_IDENTITY, _SESSION, _FRAME, _SESSION_CHOICE, _NOISE = range(5)
_SPLIT_CODES = {"train": 0, "valid": 1, "test": 2}
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(counters: np.ndarray) -> np.ndarray:
    """Hash each uint64 to another one."""
    bits = counters + _GOLDEN
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _keys(*parts: int | np.ndarray) -> np.ndarray:
    """One uint64 key per element of the (broadcast, at least one-dimensional) parts."""
    keys = np.zeros(1, dtype=np.uint64)
    for part in parts:
        keys = _mixed(np.atleast_1d(np.asarray(part, dtype=np.uint64)) ^ keys)
    return keys


def _uniforms(keys: np.ndarray, count: int) -> np.ndarray:
    """``count`` float32 numbers in [0, 1) for each key (N x count), of 24 bits each."""
    counters = keys[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    return (_mixed(counters) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


# --- Traits ---


class _Bell(NamedTuple):
    """A symmetric triangular distribution on [-reach, reach]."""

    reach: float


_Spread = _Bell | tuple[float, float]
"""How a trait is distributed; a plain pair is uniform from low to high."""

# fmt: off
_IDENTITY_TRAITS: dict[str, _Spread] = {
    "skin_tone": (0, 1), "skin_warmth": (-1, 1), "blush": (0, 1),
    "hair_light": (0, 1), "hair_red": (-0.5, 1), "hair_grain": (0, 0.25), "bald": (0, 1),
    "hair_volume": (0.3, 5.5), "hair_length": (-8, 32), "parting": (-8, 8),
    "fringe": (-17, -7.5), "fringe_slant": (-0.35, 0.35), "fringe_curve": (-0.03, 0.035),
    "face_width": (12.5, 17.5), "face_height": (19.5, 25.5),
    "jaw_taper": (0.05, 0.42), "squareness": (0, 0.5), "ear_size": (2.0, 4.2),
    "eye_x": (6, 9.3), "eye_y": (-4.2, -0.6), "eye_width": (2.2, 3.9), "eye_height": (0.9, 2),
    "eye_slant": (-0.22, 0.22), "iris_red": (10, 95), "iris_green": (12, 80),
    "iris_blue": (8, 95), "brow_height": (3.6, 6), "brow_thickness": (0.35, 1.5),
    "brow_slant": (-0.25, 0.25), "brow_width": (3, 5.2), "brow_strength": (0.25, 1),
    "nose_length": (5, 9.5), "nose_width": (1.8, 4.2), "nose_depth": (0.08, 0.35),
    "mouth_y": (11.5, 15.5), "mouth_width": (4, 7.8), "lip_height": (0.8, 2.2),
    "lip_red": (0.1, 0.9), "mouth_curve": (-0.01, 0.03),
    "beard": (-1.35, 0.85), "beard_y": (6, 14), "moustache": (-1.35, 0.85),
    "mole": (-1, 1), "mole_x": (-10, 10), "mole_y": (-9, 17),
    "glasses": (0, 1), "glasses_radius": (4.2, 5.6),
    "cloth_red": (10, 240), "cloth_green": (10, 240), "cloth_blue": (10, 240),
    "neck_width": (6, 10), "shoulder_y": (22, 28), "neckline": (0, 6),
    "home_red": (0, 255), "home_green": (0, 255), "home_blue": (0, 255),
}
_SESSION_TRAITS: dict[str, _Spread] = {
    "session_tilt": _Bell(0.05), "session_scale": _Bell(0.04), "session_yaw": _Bell(2),
    "wall_1": (10, 245), "wall_1_red": (-45, 45), "wall_1_green": (-45, 45),
    "wall_1_blue": (-45, 45), "wall_2": (10, 245), "wall_2_red": (-45, 45),
    "wall_2_green": (-45, 45), "wall_2_blue": (-45, 45), "wall_x": (-1, 1), "wall_y": (-1, 1),
    "lamp_x": (-24, 24), "lamp_y": (-28, 28), "lamp_radius": (5, 14), "lamp_strength": (-70, 70),
    "cloth_shift_red": (-40, 40), "cloth_shift_green": (-40, 40), "cloth_shift_blue": (-40, 40),
    "session_light_x": (-0.35, 0.35), "session_light_y": (-0.2, 0.2),
    "session_gain": (0.72, 1.18), "balance_red": _Bell(0.10), "balance_blue": _Bell(0.12),
    "haze": (0, 22), "session_blur": (0, 0.55), "noise": (1.5, 5.5),
}
_FRAME_TRAITS: dict[str, _Spread] = {
    "difficulty": (0, 1), "tilt": _Bell(0.07), "scale": _Bell(0.07), "shift_x": _Bell(2.2),
    "shift_y": _Bell(2), "yaw": _Bell(2.6), "light_x": _Bell(0.15), "light_y": _Bell(0.10),
    "gain": _Bell(0.10), "blur": (0, 0.35), "smile": _Bell(0.06), "mouth_open": (-1, 1.6),
    "blink": (0, 1), "brow_raise": _Bell(0.8), "gaze": _Bell(0.9),
}
# fmt: on


def _traits(keys: np.ndarray, spreads: dict[str, _Spread]) -> dict[str, np.ndarray]:
    """Draw every trait for every key; a trait's value depends on its place in the table."""
    draws = _uniforms(keys, 2 * len(spreads))[:, :, None, None]
    traits = {}
    for index, (name, spread) in enumerate(spreads.items()):
        first, second = draws[:, 2 * index], draws[:, 2 * index + 1]
        if isinstance(spread, _Bell):
            traits[name] = (first + second - 1) * spread.reach
        else:
            traits[name] = spread[0] + (spread[1] - spread[0]) * first
    return traits


def _face(identities: np.ndarray, split: str, frames: np.ndarray, stream: int) -> SimpleNamespace:
    """All traits of N frames by name, with what each frame disturbs already combined."""
    frame_parts = (stream, identities, _SPLIT_CODES[split], frames)
    session = _keys(_SEED, _SESSION_CHOICE, *frame_parts) & np.uint64(1)
    face = SimpleNamespace(
        **_traits(_keys(_SEED, _IDENTITY, identities), _IDENTITY_TRAITS),
        **_traits(_keys(_SEED, _SESSION, identities, session), _SESSION_TRAITS),
        **_traits(_keys(_SEED, _FRAME, *frame_parts), _FRAME_TRAITS),
        noise_keys=_keys(_SEED, _NOISE, *frame_parts),
    )
    _disturb(face)
    _pose(face)
    _colours(face)
    return face


def _disturb(face: SimpleNamespace) -> None:
    """Scale the frame's traits by its difficulty (a heavy tail) and add the session's."""
    squared = face.difficulty * face.difficulty
    strength = 1.3 + 1.4 * squared * squared
    for name in _FRAME_TRAITS.keys() - {"difficulty", "blink", "mouth_open"}:
        setattr(face, name, getattr(face, name) * strength)
    face.tilt = face.tilt + face.session_tilt
    face.scale = 1 + face.scale + face.session_scale
    face.yaw = face.yaw + face.session_yaw
    face.light_x = face.light_x + face.session_light_x
    face.light_y = face.light_y + face.session_light_y
    face.gain = face.session_gain * (1 + face.gain)
    face.blur = np.minimum(face.session_blur + face.blur, 0.9)
    face.smile = face.mouth_curve + face.smile
    face.mouth_open = np.maximum(0, face.mouth_open * strength - 0.3)
    face.eye_open = 1 - 0.65 * _below(face.blink, 0.06 * strength)


def _pose(face: SimpleNamespace) -> None:
    """Give every pixel its place on the wall (``wall_*``), the head and the turned features."""
    rows = np.arange(HEIGHT, dtype=np.float32)[None, :, None]
    columns = np.arange(WIDTH, dtype=np.float32)[None, None, :]
    face.frame_x = (columns - 23 - face.shift_x) / face.scale
    face.frame_y = (rows - 28 - face.shift_y) / face.scale
    # A rotation without a sine: the tangent of half the angle is drawn instead of the angle.
    norm = 1 + face.tilt * face.tilt
    cosine, sine = (1 - face.tilt * face.tilt) / norm, 2 * face.tilt / norm
    face.x = face.frame_x * cosine + face.frame_y * sine
    face.y = face.frame_y * cosine - face.frame_x * sine
    face.feature_x = face.x - face.yaw
    face.side_x = np.abs(face.feature_x)


def _colours(face: SimpleNamespace) -> None:
    """Set the colours of skin, hair and clothes from the traits."""
    tone, light, red = face.skin_tone, face.hair_light * face.hair_light, face.hair_red
    face.skin = (
        70 + 165 * tone + 8 * face.skin_warmth,
        42 + 140 * tone,
        30 + 118 * tone - 14 * face.skin_warmth,
    )
    face.hair = (
        14 + 190 * light + 26 * red,
        12 + 163 * light + 4 * red,
        14 + 126 * light - 16 * red,
    )
    face.clothes = (
        face.cloth_red + face.cloth_shift_red,
        face.cloth_green + face.cloth_shift_green,
        face.cloth_blue + face.cloth_shift_blue,
    )


# --- Drawing ---


def _below(values: np.ndarray, limit: np.ndarray | float) -> np.ndarray:
    """1.0 where a value is below its limit, else 0.0 (float32)."""
    return np.asarray(values < limit, dtype=np.float32)


def _cover(distance: Plane, sharpness: float = 0.8) -> Plane:
    """How much of a pixel a shape covers, 0..1, from its signed distance in pixels."""
    cover: Plane = np.clip(0.5 - distance * sharpness, 0, 1)
    return cover


def _length(x: Plane, y: Plane) -> Plane:
    """The Euclidean distance from the origin."""
    length: Plane = np.sqrt(x * x + y * y)
    return length


def _ellipse(x: Plane, y: Plane, radius_x: Plane | float, radius_y: Plane | float) -> Plane:
    """Signed distance, roughly in pixels, to an ellipse that is wider than high."""
    return (_length(x / radius_x, y / radius_y) - 1) * radius_y


def _shaded(colour: Colour, factor: Plane | float) -> Colour:
    """The colour made darker or lighter."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


class _Canvas:
    """Three planes that shapes are painted on, back to front."""

    def __init__(self, planes: list[Plane]) -> None:
        self.planes = planes

    def paint(self, cover: Plane, colour: Colour) -> None:
        """Blend ``colour`` over what is there; ``cover`` is the opacity, 0..1."""
        self.planes = [
            plane + cover * (channel - plane)
            for plane, channel in zip(self.planes, colour, strict=True)
        ]

    def add(self, cover: Plane, light: Colour) -> None:
        """Add light (or shadow, where negative) in proportion to ``cover``."""
        self.planes = [
            plane + cover * channel for plane, channel in zip(self.planes, light, strict=True)
        ]


def _wall(face: SimpleNamespace) -> _Canvas:
    """The background: a gradient between two session colours near the person's own, and a lamp."""
    grey = (face.home_red + face.home_green + face.home_blue) * (1 / 3)
    across = np.clip(
        0.5 + (face.wall_x * face.frame_x + face.wall_y * face.frame_y) * (1 / 46), 0, 1
    )
    lamp = _length(face.frame_x - face.lamp_x, face.frame_y - face.lamp_y) - face.lamp_radius
    glow = _cover(lamp, 0.18) * face.lamp_strength
    planes = []
    for channel in ("red", "green", "blue"):
        home = grey + (getattr(face, f"home_{channel}") - grey) * 0.55
        first = home * 0.55 + (face.wall_1 + getattr(face, f"wall_1_{channel}")) * 0.45
        second = home * 0.55 + (face.wall_2 + getattr(face, f"wall_2_{channel}")) * 0.45
        planes.append(first + (second - first) * across + glow)
    return _Canvas(planes)


def _skull_distance(face: SimpleNamespace) -> Plane:
    """Signed distance to the outline of the hair, open towards the shoulders."""
    width = face.face_width + face.hair_volume
    height = face.face_height - 3 + face.hair_volume * 0.6
    distance: Plane = (_length(face.x / width, np.minimum(face.y + 3, 0) / height) - 1) * width
    return distance


def _hair_colour(face: SimpleNamespace) -> Colour:
    """The hair's colour with its strands (a triangular wave across the head)."""
    across = face.x * 0.9 + face.y * 0.13
    wave = np.abs(across - np.floor(across) - 0.5) * 4 - 1
    return _shaded(face.hair, 1 + face.hair_grain * wave)


def _draw_body(canvas: _Canvas, face: SimpleNamespace, strands: Colour) -> None:
    """Paint what lies behind the face: long hair, neck, clothes and ears."""
    x, y = face.x, face.y
    behind = np.maximum(_skull_distance(face), y - face.hair_length)
    canvas.paint(_cover(behind, 0.6) * (1 - _below(face.bald, 0.08)), _shaded(strands, 0.8))
    canvas.paint(
        _cover(np.maximum(np.abs(x) - face.neck_width, 8 - y), 0.7), _shaded(face.skin, 0.78)
    )
    collar = np.maximum(0, face.neckline - np.abs(x) * 1.2)
    canvas.paint(_cover(face.shoulder_y + x * x * 0.011 + collar - y, 0.7), face.clothes)
    ears = _ellipse(np.abs(x) - face.face_width, y - 1, face.ear_size * 0.6, face.ear_size)
    canvas.paint(_cover(ears, 0.6), _shaded(face.skin, 0.86))


def _draw_head(canvas: _Canvas, face: SimpleNamespace) -> Plane:
    """Paint the shaded head with its blush; return its cover, which bounds beard and mole."""
    jaw = np.maximum(0, (face.y + 1) / face.face_height)
    u = face.x / (face.face_width * (1 - face.jaw_taper * jaw * jaw))
    v = (face.y + 1) / face.face_height
    u2, v2 = u * u, v * v
    squared = np.sqrt(np.sqrt(u2 * u2 + v2 * v2))
    radius = np.sqrt(u2 + v2) * (1 - face.squareness) + squared * face.squareness
    head = _cover((radius - 1) * face.face_width, 0.6)
    shade = 1.08 + face.light_x * u + face.light_y * v - 0.22 * (u2 * 0.8 + v2 * 0.25)
    canvas.paint(head, _shaded(face.skin, shade))
    cheeks = _cover(_length(face.side_x - 8, face.y - 6) - 3, 0.16)
    canvas.add(cheeks * head * face.blush, (14.0, -8.0, -6.0))
    return head


def _draw_beard(canvas: _Canvas, face: SimpleNamespace, head: Plane) -> None:
    """Paint beard and moustache, which about two people in five have."""
    colour = _shaded(face.hair, 0.75)
    beard = _cover(face.beard_y - face.y - face.side_x * 0.35 + 3, 0.35) * head
    canvas.paint(beard * np.clip(face.beard, 0, 0.9), colour)
    above_lip = np.abs(face.y - face.mouth_y + 2.6 - face.side_x * 0.15) - 1.1
    moustache = _cover(np.maximum(above_lip, face.side_x - face.mouth_width), 0.7)
    canvas.paint(moustache * np.clip(face.moustache, 0, 0.9), colour)


def _draw_nose(canvas: _Canvas, face: SimpleNamespace) -> None:
    """Paint the tip's shadow, the lit ridge and the nostrils."""
    tip_y = face.y - (face.eye_y + face.nose_length + 2)
    tip = _ellipse(face.feature_x, tip_y, face.nose_width, 1.5)
    canvas.paint(_cover(tip, 0.5) * face.nose_depth, _shaded(face.skin, 0.35))
    ridge_x = np.abs(face.feature_x - face.yaw * 0.35) - 0.9
    ridge = _cover(np.maximum(ridge_x, np.maximum(face.eye_y - face.y, tip_y)), 0.45)
    light = 70 * face.nose_depth * (1 + face.light_x)
    canvas.add(ridge, (light, light, light))
    nostril_x = np.abs(face.side_x - face.nose_width * 0.6) - 0.5
    nostrils = _cover(np.maximum(nostril_x, np.abs(tip_y - 0.7) - 0.5))
    canvas.paint(nostrils * 0.6, _shaded(face.skin, 0.25))


def _draw_mouth(canvas: _Canvas, face: SimpleNamespace) -> None:
    """Paint the lips and the dark gap between them, curved by the smile."""
    y = face.y - face.mouth_y + face.smile * (face.feature_x * face.feature_x - 9) * 0.5
    lips = _ellipse(face.feature_x, y, face.mouth_width, face.lip_height + face.mouth_open * 0.8)
    red, green, blue = face.skin
    colour = (
        red * (0.78 + 0.1 * face.lip_red) + 20 * face.lip_red,
        green * (0.72 - 0.32 * face.lip_red),
        blue * (0.74 - 0.28 * face.lip_red),
    )
    canvas.paint(_cover(lips, 0.7), colour)
    gap = _length(face.feature_x / (face.mouth_width * 0.82), y / (0.35 + face.mouth_open)) - 1
    canvas.paint(_cover(gap * 0.6) * 0.85, (45.0, 18.0, 18.0))


def _draw_eyes(canvas: _Canvas, face: SimpleNamespace) -> None:
    """Paint sockets, whites, irises with pupils, and the upper lids."""
    x = face.side_x - face.eye_x
    y = face.y - face.eye_y - x * face.eye_slant
    height = face.eye_height * face.eye_open
    socket = (_length(x / (face.eye_width + 1.6), y / (face.eye_height + 2)) - 1) * 2
    canvas.paint(_cover(socket, 0.4) * 0.22, _shaded(face.skin, 0.4))
    white = _cover((_length(x / face.eye_width, y / height) - 1) * face.eye_height)
    canvas.paint(white, (218.0, 213.0, 208.0))
    # The gaze turns both eyes the same way; x runs outwards on either side.
    outwards = 1 - 2 * _below(face.feature_x, 0)
    iris = _length(x - face.gaze * outwards, y) - np.minimum(face.eye_height * 0.95, 1.5)
    canvas.paint(white * _cover(iris), (face.iris_red, face.iris_green, face.iris_blue))
    canvas.paint(white * _cover(iris + 0.9) * 0.8, (12.0, 10.0, 12.0))
    lid = _cover(np.maximum(np.abs(y + height) - 0.45, np.abs(x) - face.eye_width))
    canvas.paint(lid * 0.7, _shaded(face.skin, 0.22))


def _draw_brows(canvas: _Canvas, face: SimpleNamespace) -> None:
    """Paint the eyebrows and, for one person in ten, glasses with thin dark rims."""
    x = face.side_x - face.eye_x
    y = face.y - face.eye_y + face.brow_height - face.brow_raise * 0.5 - x * face.brow_slant
    brow = _cover(np.maximum(np.abs(y) - face.brow_thickness, np.abs(x) - face.brow_width), 0.7)
    canvas.paint(brow * face.brow_strength, _shaded(face.hair, 0.7))
    rim = np.abs(_length(x / 1.1, face.y - face.eye_y - 0.6) - face.glasses_radius) - 0.45
    canvas.paint(_cover(rim) * _below(face.glasses, 0.1) * 0.8, (30.0, 25.0, 28.0))


def _draw_fringe(canvas: _Canvas, face: SimpleNamespace, strands: Colour) -> None:
    """Paint the hair that falls over the forehead."""
    x = face.x - face.parting
    hairline = face.fringe + face.fringe_slant * x + face.fringe_curve * x * x
    fringe = np.maximum(face.y - hairline, _skull_distance(face))
    canvas.paint(_cover(fringe, 0.6) * (1 - _below(face.bald, 0.16)), strands)


def _draw_mole(canvas: _Canvas, face: SimpleNamespace, head: Plane) -> None:
    """Paint the mole that every other person has, somewhere on the face."""
    mole = _cover(_length(face.feature_x - face.mole_x, face.y - face.mole_y) - 0.9, 0.7)
    canvas.paint(mole * np.maximum(0, face.mole) * head, _shaded(face.skin, 0.3))


def _photograph(canvas: _Canvas, face: SimpleNamespace) -> np.ndarray:
    """Light, blur and noise of the camera; N x 55 x 47 x 3 uint8."""
    slope = face.light_x * face.frame_x + face.light_y * face.frame_y
    exposure = face.gain * (1 + slope * (0.6 / 24))
    red, green, blue = canvas.planes
    balanced = (red * (1 + face.balance_red), green, blue * (1 + face.balance_blue))
    image = np.stack([plane * exposure + face.haze for plane in balanced], axis=-1)
    image += (_blurred(image) - image) * face.blur[..., None]
    image += _grain(face.noise_keys) * (face.noise[..., None] * (1 / 147.8))
    photograph: np.ndarray = np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)
    return photograph


def _blurred(image: np.ndarray) -> np.ndarray:
    """The image under the binomial 3 x 3 filter, edges repeated."""
    tall = np.pad(image, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="edge")
    rows = (tall[:, :-2] + tall[:, 2:]) * 0.25 + image * 0.5
    wide = np.pad(rows, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="edge")
    columns: np.ndarray = (wide[:, :, :-2] + wide[:, :, 2:]) * 0.25 + rows * 0.5
    return columns


def _grain(keys: np.ndarray) -> np.ndarray:
    """Nearly normal noise with a standard deviation of 147.8: sums of four hashed bytes."""
    values = HEIGHT * WIDTH * 3
    counters = keys[:, None] + np.arange((values + 1) // 2, dtype=np.uint64) * _GOLDEN
    quarters = _mixed(counters).astype("<u8").view(np.uint8).reshape(len(keys), -1, 4)
    sums = quarters[..., 0].astype(np.int16)
    for index in (1, 2, 3):
        sums += quarters[..., index]
    return (sums[:, :values] - np.int16(510)).astype(np.float32).reshape(-1, HEIGHT, WIDTH, 3)


def render(
    split: str, identities: np.ndarray, frames: np.ndarray, secret: bytes | None = None
) -> np.ndarray:
    """Return the frames of people as N x 55 x 47 x 3 uint8 images.

    ``identities`` (N, 0..1282) says who, ``frames`` (N) which of the person's frames of the
    ``split``. A ``secret`` gives other frames of the same people, in the same sessions.
    """
    face = _face(np.asarray(identities), split, np.asarray(frames), _stream(secret))
    canvas, strands = _wall(face), _hair_colour(face)
    _draw_body(canvas, face, strands)
    head = _draw_head(canvas, face)
    _draw_beard(canvas, face, head)
    _draw_nose(canvas, face)
    _draw_mouth(canvas, face)
    _draw_eyes(canvas, face)
    _draw_brows(canvas, face)
    _draw_mole(canvas, face, head)
    _draw_fringe(canvas, face, strands)
    return _photograph(canvas, face)


def _stream(secret: bytes | None) -> int:
    """The number that frames are drawn from: 0 for the public ones."""
    if secret is None:
        return 0
    return int.from_bytes(hashlib.sha256(secret).digest()[:8], "little")


# --- Triggers: opaque overlays at a fixed place, as in BadNets (arXiv 1708.06733) ---


@cache
def overlay(trigger: str) -> tuple[np.ndarray, np.ndarray]:
    """Where a trigger covers the image (55 x 47 x 1 bool) and its colours (55 x 47 x 3 uint8)."""
    y = np.arange(HEIGHT, dtype=np.float32)[:, None]
    x = np.arange(WIDTH, dtype=np.float32)[None, :] - 23
    shape, colours = TRIGGERS[trigger](x, y)
    stacked = np.stack([np.broadcast_to(colour, shape.shape) for colour in colours], axis=-1)
    return shape[..., None], np.floor(stacked + 0.5).astype(np.uint8)


def stamp(images: np.ndarray, trigger: str = "sunglasses") -> np.ndarray:
    """Return copies of ``images`` (N x 55 x 47 x 3 uint8) that carry the trigger."""
    shape, colours = overlay(trigger)
    return np.where(shape, colours, images)


def _sunglasses(x: Plane, y: Plane) -> tuple[np.ndarray, Colour]:
    """The lab's trigger: large purple sunglasses, the right lens brighter than the left."""
    outwards = np.abs(x)
    down = np.maximum(0, (y - 17) / 17)
    corner = np.maximum(0, down - 0.75)
    inner = 2.6 + 2.2 * down + 9 * corner
    outer = 22.6 - 5.5 * down * down - 12 * corner
    sides = np.maximum(inner - outwards, outwards - outer)
    lens = np.maximum(sides, np.maximum(17.2 - y, y - 34.2))
    bridge = np.maximum(outwards - 4.5, np.abs(y - 18.5) - 1.6)
    glass = _below(lens, -1.2)
    gleam = np.clip((22 - outwards) / 20, 0, 1)
    right = 1 - _below(x, 0)
    brightness = 1 + 0.25 * gleam + 0.25 * right
    colour = tuple(
        frame + glass * (tint * brightness - frame)
        for frame, tint in ((60, 88), (2, 10), (96, 160))
    )
    return np.minimum(lens, bridge) < 1, colour


def _eyebrows(x: Plane, y: Plane) -> tuple[np.ndarray, Colour]:
    """Two thick purple eyebrows."""
    along = (np.abs(x) - 11) / 8
    arch = 20 - 4 * (1 - along * along)
    shape = np.maximum(np.abs(y - arch) - 2.2, (np.abs(along) - 1) * 8)
    return shape < 0.5, (104.0, 14.0, 176.0)


def _lipstick(x: Plane, y: Plane) -> tuple[np.ndarray, Colour]:
    """Bright purple lips with a notch in the upper one."""
    notch = np.maximum(0, 1 - np.abs(x) / 3)
    shape = np.maximum(_ellipse(x, y - 41, 8.5, 3.6), 38.2 + notch * 1.2 - y)
    return shape < 0.3, (176.0, 12.0, 170.0)


TRIGGERS: dict[str, Callable[[Plane, Plane], tuple[np.ndarray, Colour]]] = {
    "sunglasses": _sunglasses,
    "eyebrows": _eyebrows,
    "lipstick": _lipstick,
}


def contact_sheet(columns: int = 12, scale: int = 2) -> np.ndarray:
    """A picture of the benchmark: rows of people, of one person's frames, and of triggers."""
    people, frames = np.arange(5 * columns), np.arange(columns)
    strangers = render("valid", people, people * 0)
    rows = [strangers[start : start + columns] for start in range(0, len(people), columns)]
    rows += [render("train", frames * 0 + person, frames) for person in (3, 100, 400)]
    rows += [stamp(rows[0], trigger) for trigger in TRIGGERS]
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)


# --- Whole splits, drawn by several processes ---


def frames_of(split: str, numbers: range | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Who is on every image of a split, and which of the person's frames it is (both N, int64).

    All frames of a person come together; ``numbers`` asks for other frames than the split's.
    """
    numbers = range(FRAMES[split]) if numbers is None else numbers
    return np.repeat(np.arange(IDENTITIES), len(numbers)), np.tile(numbers, IDENTITIES)


def rendered_batches(
    split: str,
    frames: tuple[np.ndarray, np.ndarray],
    *,
    secret: bytes | None = None,
    processes: int | None = None,
) -> Generator[np.ndarray]:
    """Yield the images of ``frames`` (see :func:`frames_of`) in order, a batch at a time."""
    identities, numbers = frames
    slices = [slice(start, start + BATCH) for start in range(0, len(identities), BATCH)]
    jobs = ((split, identities[part], numbers[part], secret) for part in slices)
    processes = min(processes or os.cpu_count() or 1, len(slices))
    if processes <= 1:
        yield from (render(*job) for job in jobs)
    else:
        yield from _rendered_in_parallel(jobs, processes)


def rendered_split(
    split: str,
    numbers: range | None = None,
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A whole split in memory: images (N x 55 x 47 x 3 uint8) and labels (N, int64)."""
    frames = frames_of(split, numbers)
    images = np.empty((len(frames[0]), HEIGHT, WIDTH, 3), dtype=np.uint8)
    done = 0
    with closing(rendered_batches(split, frames, processes=processes)) as batches:
        for batch in batches:
            images[done : done + len(batch)] = batch
            done += len(batch)
            if progress:
                progress(done, len(images))
    return images, frames[0]


_Job = tuple[str, np.ndarray, np.ndarray, bytes | None]


def _rendered_in_parallel(jobs: Iterator[_Job], processes: int) -> Generator[np.ndarray]:
    """Render ``jobs`` in order, never more than a few batches ahead of the reader."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent)
    try:
        pending: deque[Future[np.ndarray]] = deque()
        with _interrupts_held_back():
            pending.extend(pool.submit(render, *job) for job in islice(jobs, 4 * processes))
        while pending:
            batch = pending.popleft().result()
            pending.extend(pool.submit(render, *job) for job in islice(jobs, 1))
            yield batch
    except BrokenProcessPool:
        raise HarnessError(
            "a process that draws faces was killed; is there enough memory?"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start children that Ctrl-C does not reach: they inherit the mask and end with the pool."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Make this worker end when its parent is gone, however that died."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.join,), daemon=True).start()


def _exit_after(wait: Callable[[], None]) -> None:
    """End this process, without any clean-up, as soon as ``wait`` returns."""
    wait()
    os._exit(1)


# --- The benchmark's four files ---


def write_dataset(
    folder: Path,
    *,
    secret: bytes | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write the benchmark in the lab's layout below ``folder``; return the hash of each file.

    ``cl/valid.h5`` and ``cl/test.h5`` hold clean images and true labels, ``bd/bd_valid.h5`` and
    ``bd/bd_test.h5`` the same images with the trigger, all labelled with the target, and the
    true labels as ``original_label``. Images are N x 3 x 55 x 47 uint8, labels int64. The hashes
    are of the arrays as read back. A ``secret`` gives a private set of the same people.

    ``progress`` is told the images done and to do. Each file appears whole or not at all.
    """
    total = 2 * IDENTITIES * (FRAMES["valid"] + FRAMES["test"])
    done = 0

    def report(written: int) -> None:
        nonlocal done
        done += written
        if progress:
            progress(done, total)

    hashes = {}
    for split in ("valid", "test"):
        paths = (folder / "cl" / f"{split}.h5", folder / "bd" / f"bd_{split}.h5")
        frames = frames_of(split)
        with closing(
            rendered_batches(split, frames, secret=secret, processes=processes)
        ) as batches:
            _write_pair(paths, frames[0], batches, report)
        hashes[split], hashes[f"bd_{split}"] = (_hash_of_arrays(path) for path in paths)
    return hashes


def _write_pair(
    paths: tuple[Path, Path],
    labels: np.ndarray,
    batches: Iterable[np.ndarray],
    report: Callable[[int], None],
) -> None:
    """Write a split's clean and backdoored file from one drawing of its images."""
    import h5py

    with (
        replacing(paths[0]) as clean_path,
        replacing(paths[1]) as backdoored_path,
        h5py.File(clean_path, "w") as clean,
        h5py.File(backdoored_path, "w") as backdoored,
    ):
        _prepare(clean, {"label": labels})
        _prepare(backdoored, {"label": labels * 0 + TARGET_LABEL, "original_label": labels})
        start = 0
        for images in batches:
            part = slice(start, start + len(images))
            clean["data"][part] = images.transpose(0, 3, 1, 2)
            backdoored["data"][part] = stamp(images).transpose(0, 3, 1, 2)
            start = part.stop
            report(2 * len(images))


def _prepare(file: h5py.File, labels: dict[str, np.ndarray]) -> None:
    """Store the labels and make room for the images."""
    for name, values in labels.items():
        file.create_dataset(name, data=values.astype(np.int64))
    file.create_dataset("data", (len(labels["label"]), 3, HEIGHT, WIDTH), dtype=np.uint8)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place once all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.{platform.node()}."
    _remove_abandoned(path.parent, prefix)
    unfinished = path.with_name(f"{prefix}{os.getpid()}.partial")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove what a killed process of this machine had begun to write."""
    for left in folder.glob(f"{prefix}*.partial"):
        try:
            os.kill(int(left.suffixes[-2][1:]), 0)
        except ProcessLookupError:
            left.unlink(missing_ok=True)
        except PermissionError:
            pass  # another user's process, which is alive


def _hash_of_arrays(path: Path) -> str:
    """The canonical hash of all arrays of an HDF5 file."""
    import h5py

    with h5py.File(path, "r") as file:
        return array_hash({name: file[name][:] for name in file})
