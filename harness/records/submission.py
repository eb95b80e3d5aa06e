"""What a submission is before anything of it was opened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file that may be a model, with what its name hints at."""

    path: str
    """Relative to the submission."""

    format: str
    size_bytes: int

    role: str | None
    """repaired or goodnet; None where nothing tells."""

    drop_points: float | None
    """Its X; None where nothing tells."""

    explicit: bool = False
    """Whether ``submission.toml`` says so, and not the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A figure that the student reports (``[[claims]]`` of ``submission.toml``)."""

    benchmark: str
    split: str

    net: str
    """badnet, repaired or goodnet."""

    drop_points: float | None = None

    clean_accuracy: float | None = None
    """A fraction."""

    attack_success_rate: float | None = None
    """A fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A folder and the models that were found in it by name; nothing was opened."""

    name: str
    """The folder's name, so that nobody can take another's."""

    title: str | None = None
    """What the student chose to be called."""

    folder: str
    candidates: tuple[Candidate, ...]
    claims: tuple[Claim, ...] = ()

    benchmark: str | None = None
    """Which benchmark it was made for, where ``submission.toml`` says so."""

    notes: tuple[str, ...] = ()
