"""What a submission is before any of its models is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

Points = Annotated[float, msgspec.Meta(ge=0, le=100)]
"""An X, in percentage points."""

ShortText = Annotated[str, msgspec.Meta(max_length=200)]


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

    graph: str | None = None
    """A JSON file that by its name holds the graph whose weights are in this one."""

    network: str | None = None
    """Which BadNet of a competition it is declared for; None where that was not said."""


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
class DeclaredFile:
    """What ``[artifacts]`` says of a file."""

    role: Literal["repaired", "goodnet"] = "repaired"
    drop_points: Points | None = None

    network: ShortText | None = None
    """Of a competition, the BadNet that it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredProgram:
    """``[program]``: a Python file whose ``predict(images)`` gives labels, N + 1st included."""

    file: str
    drop_points: Points | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredScript:
    """``[scripts]``, of a competition: a Python file that prints a class for the file of an image.

    In ``arguments``, ``{image}`` stands for that file, ``{network}`` for the BadNet's name.
    """

    file: str
    arguments: list[ShortText] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredDefence:
    """``[defence]``: a Python file whose ``repair`` repairs BadNets, and as what it takes them."""

    file: str = "defence.py"

    badnet: Literal["keras", "arrays"] = "keras"
    """A Keras model, or arrays and a graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What ``submission.toml`` declares; empty where there is none."""

    name: ShortText | None = None
    """What the student chose to be called."""

    badnet: ShortText | None = None
    """The benchmark that it was made for."""

    artifacts: Mapping[str, DeclaredFile] = field(default_factory=dict)
    """By path as it is written there, with slashes; not looked up yet."""

    program: DeclaredProgram | None = None

    programs: Mapping[str, DeclaredProgram] = field(default_factory=dict)
    """Of a competition, by the BadNet that each is for."""

    scripts: Mapping[str, DeclaredScript] = field(default_factory=dict)
    """The same of scripts that take the file of an image."""

    defence: DeclaredDefence | None = None
    """For the benchmark of defences; `grade` leaves it aside."""

    claims: tuple[Claim, ...] = ()

    notes: tuple[str, ...] = ()
    """How it was read where that is not plain, and keys that nobody knows."""


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


# --- what a student sees before handing in ---------------------------------------------------

COMPLETE = "complete; accuracy is checked by `grade`"


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunModel:
    """A model file as it would be graded."""

    path: str
    """Relative to the submission."""

    role: str
    """As what it would be graded: ``B', X = 2``, or what is not clear."""

    story: str
    """What the file holds, or why it would be rejected."""

    usable: bool
    """Whether it can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What would be graded; every text is one printable line."""

    submission: str

    models: tuple[DryRunModel, ...] = ()

    notes: tuple[str, ...] = ()
    """What was left aside, what stands in for what."""

    problems: tuple[str, ...] = ()
    """What is missing, unclear or not usable."""

    rejected: bool = False
    """Whether the whole submission would be rejected; the one problem says why."""

    @property
    def faultless(self) -> bool:
        """Whether nothing is missing, unclear or not usable."""
        return not self.problems

    @property
    def lines(self) -> list[str]:
        """All of it as text."""
        if self.rejected:
            return [f"{self.submission}: {problem}" for problem in self.problems]
        many = len(self.models)
        lines = [f"{self.submission}: {many} model{'s' if many != 1 else ''}"]
        lines += [f"  {model.path}: {model.role}; {model.story}" for model in self.models]
        lines += [f"  note: {note}" for note in self.notes]
        return lines + [f"  {problem}" for problem in self.problems or (COMPLETE,)]
