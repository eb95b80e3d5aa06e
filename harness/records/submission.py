"""What a submission is before any of its models is opened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file that may be a model, with what its name says of it."""

    path: str
    """Relative to the submission."""

    format: str
    size_bytes: int

    role: str | None
    """repaired or goodnet; None where it is not known."""

    drop_points: float | None
    """Its X; None where it is not known."""

    explicit: bool = False
    """Whether role and X come from ``submission.toml`` and not from the name."""

    inferred: bool = False
    """Whether X was read from the name in another way than plainly."""

    named_badnet: bool = False
    """Whether its name says that it is the BadNet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A figure that the student reports (``[[claims]]`` of ``submission.toml``)."""

    benchmark: str

    split: str
    """valid or test."""

    net: str
    """badnet, repaired or goodnet."""

    drop_points: float | None = None
    """The net's X; None for the BadNet."""

    clean_accuracy: float | None = None
    """A fraction."""

    attack_success_rate: float | None = None
    """A fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A folder and the models in it, as far as their names tell."""

    name: str
    """The folder's name; the student cannot choose it, so nobody can take another's."""

    title: str | None = None
    """What the student chose to be called."""

    folder: str
    candidates: tuple[Candidate, ...]
    claims: tuple[Claim, ...] = ()

    benchmark: str | None = None
    """The benchmark that it was made for, where ``submission.toml`` says so."""

    notes: tuple[str, ...] = ()
    """What was left alone, for the record."""
