"""Drawing a sign: a street behind it, the board, the pictogram, and the camera."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from reference.images.camera import GRAIN_DEVIATION, blur, grain
from reference.images.drawing import stream_of
from reference.images.randomness import keys_of
from reference.images.shapes import Canvas, Colour, Plane, below, cover, length, shade
from reference.images.traits import Bell, Spread, draw_traits
from reference.signs.catalogue import BOARDS, CELLS, CLASSES, pictograms

IMAGE_SHAPE = (32, 32, 3)
_HEIGHT, _WIDTH, _ = IMAGE_SHAPE

_SEED = 2027
_FRAME, _NOISE = range(2)
_SPLIT_CODES = {"train": 0, "valid": 1, "test": 2}

# fmt: off
_TRAITS: dict[str, Spread] = {
    "difficulty": (0, 1), "shift_x": Bell(2), "shift_y": Bell(2), "radius": (10.5, 13.5),
    "tilt": Bell(0.09), "narrow": (0.88, 1), "lean": Bell(0.12),
    "sky_red": (60, 230), "sky_green": (80, 235), "sky_blue": (90, 250), "sky_slope": Bell(3),
    "ground_red": (20, 170), "ground_green": (30, 170), "ground_blue": (20, 140),
    "horizon": (-6, 40), "horizon_slope": Bell(0.35),
    "tree_x": (-4, 36), "tree_y": (-4, 30), "tree_radius": (3, 12), "tree_green": (30, 130),
    "wall_x": (-20, 52), "wall_width": (3, 12), "wall_light": (30, 220), "pole": (0, 1),
    "fade": (0, 0.35), "red_shift": Bell(28), "dirt_x": Bell(0.9), "dirt_y": Bell(0.9),
    "dirt_radius": (0.05, 0.35), "dirt": (-0.6, 0.5),
    "gain": (0.45, 1.15), "light_x": Bell(0.3), "light_y": Bell(0.3), "balance_red": Bell(0.08),
    "balance_blue": Bell(0.10), "haze": (0, 45), "blur": (0, 0.75), "noise": (1.5, 7),
}
# fmt: on


def render(
    split: str, labels: np.ndarray, frames: np.ndarray, secret: bytes | None = None
) -> np.ndarray:
    """Return photographs of signs as N x 32 x 32 x 3 uint8 images.

    ``labels`` (N, 0..42) says which sign, ``frames`` (N) which of its photographs of the
    ``split``. A ``secret`` gives other photographs.
    """
    labels = np.asarray(labels)
    parts = (stream_of(secret), labels, _SPLIT_CODES[split], np.asarray(frames))
    sign = SimpleNamespace(
        **draw_traits(keys_of(_SEED, _FRAME, *parts), _TRAITS),
        labels=labels,
        noise_keys=keys_of(_SEED, _NOISE, *parts),
    )
    _disturb(sign)
    _set_coordinates(sign)

    canvas = _street(sign)
    _draw_board(canvas, sign)
    _draw_dirt(canvas, sign)
    return _photograph(canvas, sign)


def _disturb(sign: SimpleNamespace) -> None:
    """Make a few photographs much harder than the others."""
    squared = sign.difficulty * sign.difficulty
    strength = 0.8 + 0.9 * squared * squared
    for name in ("shift_x", "shift_y", "tilt", "lean", "light_x", "light_y"):
        setattr(sign, name, getattr(sign, name) * strength)
    sign.noise = sign.noise * strength
    sign.blur = np.minimum(sign.blur * strength, 1)
    sign.dirt = np.maximum(0, sign.dirt)


def _set_coordinates(sign: SimpleNamespace) -> None:
    """Give every pixel its place on the image (``frame_*``) and on the sign, in its radii."""
    sign.frame_y = np.arange(_HEIGHT, dtype=np.float32)[None, :, None]
    sign.frame_x = np.arange(_WIDTH, dtype=np.float32)[None, None, :]
    centred_x = (sign.frame_x - 15.5 - sign.shift_x) / (sign.radius * sign.narrow)
    centred_y = (sign.frame_y - 15.5 - sign.shift_y) / sign.radius

    # A rotation without a sine: the tangent of half the angle is drawn instead of the angle.
    norm = 1 + sign.tilt * sign.tilt
    cosine, sine = (1 - sign.tilt * sign.tilt) / norm, 2 * sign.tilt / norm
    sign.x = centred_x * cosine + centred_y * sine
    sign.y = centred_y * cosine - centred_x * sine + sign.lean * centred_x


def _street(sign: SimpleNamespace) -> Canvas:
    """Sky, ground, a wall, a tree and the pole."""
    slope = sign.sky_slope * (sign.frame_y - 16)
    canvas = Canvas([sign.sky_red + slope, sign.sky_green + slope, sign.sky_blue + slope])
    ground = sign.horizon + sign.horizon_slope * (sign.frame_x - 16) - sign.frame_y
    canvas.paint(cover(ground), (sign.ground_red, sign.ground_green, sign.ground_blue))

    wall = np.abs(sign.frame_x - sign.wall_x) - sign.wall_width
    light = sign.wall_light
    canvas.paint(cover(wall + 0 * sign.frame_y), (light, 0.9 * light, 0.85 * light))
    tree = length(sign.frame_x - sign.tree_x, sign.frame_y - sign.tree_y) - sign.tree_radius
    canvas.paint(cover(tree, 0.4), (0.5 * sign.tree_green, sign.tree_green, 0.3 * sign.tree_green))

    pole = np.maximum(np.abs(sign.x) - 0.1, 0.5 - sign.y) * sign.radius
    canvas.paint(cover(pole) * below(sign.pole, 0.7), (120.0, 122.0, 126.0))
    return canvas


def _draw_board(canvas: Canvas, sign: SimpleNamespace) -> None:
    """Rim, face, pictogram and the bars that cross it out."""
    styles = [CLASSES[label][0] for label in sign.labels]
    rim, face, ink = (
        _colours(sign, [getattr(style, part) for style in styles])
        for part in ("rim", "face", "ink")
    )
    inside = _distance(sign, np.array([BOARDS.index(style.board) for style in styles]))
    width = _numbers([style.rim_width for style in styles])
    canvas.paint(cover(inside * sign.radius), rim)
    canvas.paint(cover((inside + width) * sign.radius), face)

    size, down = (_numbers([getattr(style, part) for style in styles]) for part in ("size", "down"))
    canvas.paint(_pictogram(sign, size, down), ink)
    bars = np.maximum(np.abs(np.abs(sign.x + sign.y) - 0.12) - 0.05, inside + width)
    crossed = _numbers([float(style.crossed) for style in styles])
    canvas.paint(cover(bars * sign.radius) * crossed, (40.0, 40.0, 44.0))


def _numbers(values: list[float]) -> Plane:
    return np.array(values, np.float32)[:, None, None]


def _colours(sign: SimpleNamespace, colours: list[tuple[float, float, float]]) -> Colour:
    """Colours of N signs, faded and, where they are red, more or less so."""
    red, green, blue = (_numbers([colour[index] for colour in colours]) for index in range(3))
    red = red + sign.red_shift * below(green, 100)
    red, green, blue = (plane + (150 - plane) * sign.fade for plane in (red, green, blue))
    return red, green, blue


def _distance(sign: SimpleNamespace, boards: np.ndarray) -> Plane:
    """Signed distance to the edge of each sign's board, in its radii."""
    x, y = np.abs(sign.x), sign.y
    down, slope = y - 0.18, 0.8660254 * x
    distances = {
        "disc": length(x, y) - 1,
        "triangle": np.maximum(down, slope - 0.5 * down) - 0.6,
        "yield": np.maximum(-down - 0.36, slope + 0.5 * (down + 0.36)) - 0.6,
        "octagon": np.maximum(np.maximum(x, np.abs(y)), 0.70710678 * (x + np.abs(y))) - 0.95,
        "diamond": 0.70710678 * (x + np.abs(y)) - 0.8,
    }
    chosen = boards[:, None, None]
    distance: Plane = distances["disc"]
    for index, board in enumerate(BOARDS):
        distance = np.where(chosen == index, distances[board], distance)
    return distance


def _pictogram(sign: SimpleNamespace, size: Plane, down: Plane) -> Plane:
    """How much ink is on each pixel, 0..1: between the centres of cells it changes evenly."""
    planes = np.pad(pictograms()[sign.labels], ((0, 0), (1, 2), (1, 2)))
    half = CELLS / 2
    column = np.clip((sign.x / size + 1) * half + 0.5, 0, CELLS + 1)
    row = np.clip(((sign.y - down) / size + 1) * half + 0.5, 0, CELLS + 1)
    left, top = np.floor(column), np.floor(row)
    right_share, lower_share = column - left, row - top

    x, y = left.astype(np.int64), top.astype(np.int64)
    image = np.arange(len(sign.labels))[:, None, None]
    upper = _between(planes[image, y, x], planes[image, y, x + 1], right_share)
    lower = _between(planes[image, y + 1, x], planes[image, y + 1, x + 1], right_share)
    ink: Plane = np.clip((_between(upper, lower, lower_share) - 0.25) * 2, 0, 1)
    return ink


def _between(first: Plane, second: Plane, share: Plane) -> Plane:
    value: Plane = first + (second - first) * share
    return value


def _draw_dirt(canvas: Canvas, sign: SimpleNamespace) -> None:
    """A spot on the sign."""
    spot = length(sign.x - sign.dirt_x, sign.y - sign.dirt_y) - sign.dirt_radius
    canvas.paint(cover(spot * sign.radius, 0.5) * sign.dirt, (96.0, 84.0, 70.0))


def _photograph(canvas: Canvas, sign: SimpleNamespace) -> np.ndarray:
    """Light, haze, white balance, blur and noise; then whole numbers."""
    x, y = (sign.frame_x - 15.5) * (1 / 16), (sign.frame_y - 15.5) * (1 / 16)
    light = sign.gain * (1 + sign.light_x * x + sign.light_y * y)
    red, green, blue = shade((canvas.planes[0], canvas.planes[1], canvas.planes[2]), light)
    balanced = (red * (1 + sign.balance_red), green, blue * (1 + sign.balance_blue))
    image = np.stack([plane + sign.haze for plane in balanced], axis=-1)

    image += (blur(image) - image) * sign.blur[..., None]
    noise = sign.noise[..., None] * (1 / GRAIN_DEVIATION)
    image += grain(sign.noise_keys, IMAGE_SHAPE) * noise
    photograph: np.ndarray = np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)
    return photograph
