"""What is drawn at random in one BadNet of the zoo: it follows from a key, everywhere alike."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import numpy as np

from reference.images.randomness import keys_of, uniforms

if TYPE_CHECKING:
    from collections.abc import Sequence


def badnet_key(secret: bytes | None, benchmark: str, attack: str, seed: int) -> bytes:
    """The key of one BadNet: of its name, or of a secret and its name (HMAC-SHA256)."""
    name = f"{benchmark}/{attack}/{seed}".encode()
    if secret is None:
        return hashlib.sha256(b"zoo/" + name).digest()
    return hmac.digest(secret, name, "sha256")


class Draws:
    """Random numbers by the name of what they are for: those of other names do not move them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def uniforms(self, name: str, count: int) -> np.ndarray:
        """``count`` numbers in [0, 1), float64 of 24 random bits."""
        numbers: np.ndarray = uniforms(self._number(name), count)[0].astype(np.float64)
        return numbers

    def below(self, name: str, limit: int) -> int:
        """A whole number in 0 .. limit - 1, for limits that are small."""
        return int(self.uniforms(name, 1)[0] * limit)

    def between(self, name: str, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * float(self.uniforms(name, 1)[0])

    def order(self, name: str, count: int) -> Sequence[int]:
        """The numbers 0 .. count - 1 in a random order."""
        return [int(each) for each in np.argsort(self.uniforms(name, count), kind="stable")]

    def seed(self, name: str) -> int:
        """A seed of 31 bits for a library's random numbers."""
        return int(self._number(name)[0] >> np.uint64(33))

    def _number(self, name: str) -> np.ndarray:
        digest = hashlib.sha256(self._key + name.encode()).digest()
        return keys_of(int.from_bytes(digest[:8], "little"))
