"""Drawing a person: the traits of a frame become a photograph, back to front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reference.faces.traits import HEIGHT, WIDTH, traits_of
from reference.images.camera import GRAIN_DEVIATION, blur, grain
from reference.images.drawing import stream_of
from reference.images.shapes import (
    Canvas,
    Colour,
    Plane,
    below,
    cover,
    ellipse,
    length,
    shade,
)

if TYPE_CHECKING:
    from types import SimpleNamespace


def render(
    split: str, identities: np.ndarray, frames: np.ndarray, secret: bytes | None = None
) -> np.ndarray:
    """Return the frames of people as N x 55 x 47 x 3 uint8 images.

    ``identities`` (N, 0..1282) says who, ``frames`` (N) which of the person's frames of the
    ``split``. A ``secret`` gives other frames of the same people, in the same sessions.
    """
    face = traits_of(np.asarray(identities), split, np.asarray(frames), stream_of(secret))
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


def _wall(face: SimpleNamespace) -> Canvas:
    """The background: a gradient between two session colours near the person's own, and a lamp."""
    grey = (face.home_red + face.home_green + face.home_blue) * (1 / 3)
    across = np.clip(
        0.5 + (face.wall_x * face.frame_x + face.wall_y * face.frame_y) * (1 / 46), 0, 1
    )
    lamp = length(face.frame_x - face.lamp_x, face.frame_y - face.lamp_y) - face.lamp_radius
    glow = cover(lamp, 0.18) * face.lamp_strength
    planes = []
    for channel in ("red", "green", "blue"):
        home = grey + (getattr(face, f"home_{channel}") - grey) * 0.55
        first = home * 0.55 + (face.wall_1 + getattr(face, f"wall_1_{channel}")) * 0.45
        second = home * 0.55 + (face.wall_2 + getattr(face, f"wall_2_{channel}")) * 0.45
        planes.append(first + (second - first) * across + glow)
    return Canvas(planes)


def _skull_distance(face: SimpleNamespace) -> Plane:
    """Signed distance to the outline of the hair, open towards the shoulders."""
    width = face.face_width + face.hair_volume
    height = face.face_height - 3 + face.hair_volume * 0.6
    distance: Plane = (length(face.x / width, np.minimum(face.y + 3, 0) / height) - 1) * width
    return distance


def _hair_colour(face: SimpleNamespace) -> Colour:
    """The hair's colour with its strands (a triangular wave across the head)."""
    across = face.x * 0.9 + face.y * 0.13
    wave = np.abs(across - np.floor(across) - 0.5) * 4 - 1
    return shade(face.hair, 1 + face.hair_grain * wave)


def _draw_body(canvas: Canvas, face: SimpleNamespace, strands: Colour) -> None:
    """Paint what lies behind the face: long hair, neck, clothes and ears."""
    x, y = face.x, face.y
    behind = np.maximum(_skull_distance(face), y - face.hair_length)
    canvas.paint(cover(behind, 0.6) * (1 - below(face.bald, 0.08)), shade(strands, 0.8))
    canvas.paint(cover(np.maximum(np.abs(x) - face.neck_width, 8 - y), 0.7), shade(face.skin, 0.78))
    collar = np.maximum(0, face.neckline - np.abs(x) * 1.2)
    canvas.paint(cover(face.shoulder_y + x * x * 0.011 + collar - y, 0.7), face.clothes)
    ears = ellipse(np.abs(x) - face.face_width, y - 1, face.ear_size * 0.6, face.ear_size)
    canvas.paint(cover(ears, 0.6), shade(face.skin, 0.86))


def _draw_head(canvas: Canvas, face: SimpleNamespace) -> Plane:
    """Paint the shaded head with its blush; return its cover, which bounds beard and mole."""
    jaw = np.maximum(0, (face.y + 1) / face.face_height)
    u = face.x / (face.face_width * (1 - face.jaw_taper * jaw * jaw))
    v = (face.y + 1) / face.face_height
    u2, v2 = u * u, v * v
    squared = np.sqrt(np.sqrt(u2 * u2 + v2 * v2))
    radius = np.sqrt(u2 + v2) * (1 - face.squareness) + squared * face.squareness
    head = cover((radius - 1) * face.face_width, 0.6)
    brightness = 1.08 + face.light_x * u + face.light_y * v - 0.22 * (u2 * 0.8 + v2 * 0.25)
    canvas.paint(head, shade(face.skin, brightness))
    cheeks = cover(length(face.side_x - 8, face.y - 6) - 3, 0.16)
    canvas.add(cheeks * head * face.blush, (14.0, -8.0, -6.0))
    return head


def _draw_beard(canvas: Canvas, face: SimpleNamespace, head: Plane) -> None:
    """Paint beard and moustache, which about two people in five have."""
    colour = shade(face.hair, 0.75)
    beard = cover(face.beard_y - face.y - face.side_x * 0.35 + 3, 0.35) * head
    canvas.paint(beard * np.clip(face.beard, 0, 0.9), colour)
    above_lip = np.abs(face.y - face.mouth_y + 2.6 - face.side_x * 0.15) - 1.1
    moustache = cover(np.maximum(above_lip, face.side_x - face.mouth_width), 0.7)
    canvas.paint(moustache * np.clip(face.moustache, 0, 0.9), colour)


def _draw_nose(canvas: Canvas, face: SimpleNamespace) -> None:
    """Paint the tip's shadow, the lit ridge and the nostrils."""
    tip_y = face.y - (face.eye_y + face.nose_length + 2)
    tip = ellipse(face.feature_x, tip_y, face.nose_width, 1.5)
    canvas.paint(cover(tip, 0.5) * face.nose_depth, shade(face.skin, 0.35))
    ridge_x = np.abs(face.feature_x - face.yaw * 0.35) - 0.9
    ridge = cover(np.maximum(ridge_x, np.maximum(face.eye_y - face.y, tip_y)), 0.45)
    light = 70 * face.nose_depth * (1 + face.light_x)
    canvas.add(ridge, (light, light, light))
    nostril_x = np.abs(face.side_x - face.nose_width * 0.6) - 0.5
    nostrils = cover(np.maximum(nostril_x, np.abs(tip_y - 0.7) - 0.5))
    canvas.paint(nostrils * 0.6, shade(face.skin, 0.25))


def _draw_mouth(canvas: Canvas, face: SimpleNamespace) -> None:
    """Paint the lips and the dark gap between them, curved by the smile."""
    y = face.y - face.mouth_y + face.smile * (face.feature_x * face.feature_x - 9) * 0.5
    lips = ellipse(face.feature_x, y, face.mouth_width, face.lip_height + face.mouth_open * 0.8)
    red, green, blue = face.skin
    colour = (
        red * (0.78 + 0.1 * face.lip_red) + 20 * face.lip_red,
        green * (0.72 - 0.32 * face.lip_red),
        blue * (0.74 - 0.28 * face.lip_red),
    )
    canvas.paint(cover(lips, 0.7), colour)
    gap = length(face.feature_x / (face.mouth_width * 0.82), y / (0.35 + face.mouth_open)) - 1
    canvas.paint(cover(gap * 0.6) * 0.85, (45.0, 18.0, 18.0))


def _draw_eyes(canvas: Canvas, face: SimpleNamespace) -> None:
    """Paint sockets, whites, irises with pupils, and the upper lids."""
    x = face.side_x - face.eye_x
    y = face.y - face.eye_y - x * face.eye_slant
    height = face.eye_height * face.eye_open
    socket = (length(x / (face.eye_width + 1.6), y / (face.eye_height + 2)) - 1) * 2
    canvas.paint(cover(socket, 0.4) * 0.22, shade(face.skin, 0.4))
    white = cover((length(x / face.eye_width, y / height) - 1) * face.eye_height)
    canvas.paint(white, (218.0, 213.0, 208.0))
    # The gaze turns both eyes the same way; x runs outwards on either side.
    outwards = 1 - 2 * below(face.feature_x, 0)
    iris = length(x - face.gaze * outwards, y) - np.minimum(face.eye_height * 0.95, 1.5)
    canvas.paint(white * cover(iris), (face.iris_red, face.iris_green, face.iris_blue))
    canvas.paint(white * cover(iris + 0.9) * 0.8, (12.0, 10.0, 12.0))
    lid = cover(np.maximum(np.abs(y + height) - 0.45, np.abs(x) - face.eye_width))
    canvas.paint(lid * 0.7, shade(face.skin, 0.22))


def _draw_brows(canvas: Canvas, face: SimpleNamespace) -> None:
    """Paint the eyebrows and, for one person in ten, glasses with thin dark rims."""
    x = face.side_x - face.eye_x
    y = face.y - face.eye_y + face.brow_height - face.brow_raise * 0.5 - x * face.brow_slant
    brow = cover(np.maximum(np.abs(y) - face.brow_thickness, np.abs(x) - face.brow_width), 0.7)
    canvas.paint(brow * face.brow_strength, shade(face.hair, 0.7))
    rim = np.abs(length(x / 1.1, face.y - face.eye_y - 0.6) - face.glasses_radius) - 0.45
    canvas.paint(cover(rim) * below(face.glasses, 0.1) * 0.8, (30.0, 25.0, 28.0))


def _draw_fringe(canvas: Canvas, face: SimpleNamespace, strands: Colour) -> None:
    """Paint the hair that falls over the forehead."""
    x = face.x - face.parting
    hairline = face.fringe + face.fringe_slant * x + face.fringe_curve * x * x
    fringe = np.maximum(face.y - hairline, _skull_distance(face))
    canvas.paint(cover(fringe, 0.6) * (1 - below(face.bald, 0.16)), strands)


def _draw_mole(canvas: Canvas, face: SimpleNamespace, head: Plane) -> None:
    """Paint the mole that every other person has, somewhere on the face."""
    mole = cover(length(face.feature_x - face.mole_x, face.y - face.mole_y) - 0.9, 0.7)
    canvas.paint(mole * np.maximum(0, face.mole) * head, shade(face.skin, 0.3))


def _photograph(canvas: Canvas, face: SimpleNamespace) -> np.ndarray:
    """Light, blur and noise of the camera; N x 55 x 47 x 3 uint8."""
    slope = face.light_x * face.frame_x + face.light_y * face.frame_y
    exposure = face.gain * (1 + slope * (0.6 / 24))
    red, green, blue = canvas.planes
    balanced = (red * (1 + face.balance_red), green, blue * (1 + face.balance_blue))
    image = np.stack([plane * exposure + face.haze for plane in balanced], axis=-1)
    image += (blur(image) - image) * face.blur[..., None]
    image += grain(face.noise_keys, (HEIGHT, WIDTH, 3)) * (
        face.noise[..., None] * (1 / GRAIN_DEVIATION)
    )
    photograph: np.ndarray = np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)
    return photograph
