"""What the words of pages mean: one short text for each, also the documentation's glossary."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Term:
    """A word and what it means."""

    name: str
    """How it is written."""

    text: str
    """One or two sentences."""


@cache
def terms() -> dict[str, Term]:
    """Every term by its key."""
    text = files("harness.output").joinpath("terms.toml").read_text(encoding="utf-8")
    return {key: Term(**entry) for key, entry in tomllib.loads(text).items()}
