"""What a person looks like on a frame: traits of the person, the session and the frame.

A person's face is drawn from about sixty traits (tone, hair, eyes, ...); each person appears in
two sessions (background, clothes, light), and every frame varies pose, expression, blur and
noise, with a heavy tail of difficult frames so that no network is perfect.

Traits are float32 arrays N x 1 x 1; the origin of their coordinates is the centre of the face.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from reference.images.randomness import keys_of
from reference.images.shapes import below
from reference.images.traits import Bell, Spread, draw_traits

HEIGHT, WIDTH = 55, 47
"""Of a frame, in pixels."""

_SEED = 2026
_IDENTITY, _SESSION, _FRAME, _SESSION_CHOICE, _NOISE = range(5)
_SPLIT_CODES = {"train": 0, "valid": 1, "test": 2}


# fmt: off
_IDENTITY_TRAITS: dict[str, Spread] = {
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
_SESSION_TRAITS: dict[str, Spread] = {
    "session_tilt": Bell(0.05), "session_scale": Bell(0.04), "session_yaw": Bell(2),
    "wall_1": (10, 245), "wall_1_red": (-45, 45), "wall_1_green": (-45, 45),
    "wall_1_blue": (-45, 45), "wall_2": (10, 245), "wall_2_red": (-45, 45),
    "wall_2_green": (-45, 45), "wall_2_blue": (-45, 45), "wall_x": (-1, 1), "wall_y": (-1, 1),
    "lamp_x": (-24, 24), "lamp_y": (-28, 28), "lamp_radius": (5, 14), "lamp_strength": (-70, 70),
    "cloth_shift_red": (-40, 40), "cloth_shift_green": (-40, 40), "cloth_shift_blue": (-40, 40),
    "session_light_x": (-0.35, 0.35), "session_light_y": (-0.2, 0.2),
    "session_gain": (0.72, 1.18), "balance_red": Bell(0.10), "balance_blue": Bell(0.12),
    "haze": (0, 22), "session_blur": (0, 0.55), "noise": (1.5, 5.5),
}
_FRAME_TRAITS: dict[str, Spread] = {
    "difficulty": (0, 1), "tilt": Bell(0.07), "scale": Bell(0.07), "shift_x": Bell(2.2),
    "shift_y": Bell(2), "yaw": Bell(2.6), "light_x": Bell(0.15), "light_y": Bell(0.10),
    "gain": Bell(0.10), "blur": (0, 0.35), "smile": Bell(0.06), "mouth_open": (-1, 1.6),
    "blink": (0, 1), "brow_raise": Bell(0.8), "gaze": Bell(0.9),
}
# fmt: on


def traits_of(
    identities: np.ndarray, split: str, frames: np.ndarray, stream: int
) -> SimpleNamespace:
    """All traits of N frames by name, with what each frame disturbs already combined."""
    frame_parts = (stream, identities, _SPLIT_CODES[split], frames)
    session = keys_of(_SEED, _SESSION_CHOICE, *frame_parts) & np.uint64(1)
    face = SimpleNamespace(
        **draw_traits(keys_of(_SEED, _IDENTITY, identities), _IDENTITY_TRAITS),
        **draw_traits(keys_of(_SEED, _SESSION, identities, session), _SESSION_TRAITS),
        **draw_traits(keys_of(_SEED, _FRAME, *frame_parts), _FRAME_TRAITS),
        noise_keys=keys_of(_SEED, _NOISE, *frame_parts),
    )
    _disturb(face)
    _set_coordinates(face)
    _set_colours(face)
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
    face.eye_open = 1 - 0.65 * below(face.blink, 0.06 * strength)


def _set_coordinates(face: SimpleNamespace) -> None:
    """Give every pixel its place on the wall (``frame_*``), the head and the turned features."""
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


def _set_colours(face: SimpleNamespace) -> None:
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
