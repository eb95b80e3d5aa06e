"""Which files are for which BadNet: as declared, else by name, else by likeness of weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.inference.identification import Failed, KnownModel
from harness.intake.network_names import named_networks, network_called
from harness.lineage.likeness import most_alike
from harness.records.errors import Status, SubmissionError
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inference.identification import Identified
    from harness.networks.deepid import Weights
    from harness.records.benchmark import CompetingNetwork


@dataclass(frozen=True, slots=True)
class CompetingBadNet:
    """A BadNet of the competition, by which files are told apart."""

    described: CompetingNetwork

    weights: Weights
    """Empty where the file is not there; then names alone tell."""

    @property
    def name(self) -> str:
        """As the competition calls it."""
        return self.described.name


@dataclass(slots=True)
class Allocation:
    """The files of a submission by the BadNets that they are for."""

    models: dict[str, list[Identified | Failed]]
    """By the BadNet's name; empty lists where nothing was handed in."""

    notes: list[str] = field(default_factory=list)
    """What was left aside, and what was given to a BadNet by anything but its name."""


def allocate(
    models: Sequence[Identified | Failed], networks: Sequence[CompetingBadNet]
) -> Allocation:
    """Give each file to a BadNet; a BadNet itself, and what fits none, is left aside.

    Raises SubmissionError for a declaration that names no BadNet of the competition.
    """
    hashes = {array_hash(each.weights): each.name for each in networks if each.weights}
    given = Allocation({network.name: [] for network in networks})
    for model in models:
        path = model.candidate.path
        if isinstance(model, KnownModel) and model.key in hashes and not model.candidate.explicit:
            given.notes.append(f"{path}: the BadNet {hashes[model.key]}; left alone")
            continue
        name, note = _network_of(model, networks)
        if note:
            given.notes.append(f"{path}: {note}")
        if name is not None:
            given.models[name].append(model)
        elif isinstance(model, Failed):
            given.notes.append(f"{path}: left aside: {model.error.reason}")
    return given


def _network_of(
    model: Identified | Failed, networks: Sequence[CompetingBadNet]
) -> tuple[str | None, str]:
    """The BadNet that a file is for, and what there is to be said of that."""
    described = [network.described for network in networks]
    declared = model.candidate.network
    if declared is not None:
        called = network_called(declared, described)
        if called is None:
            known = ", ".join(network.name for network in networks)
            raise SubmissionError(
                Status.REJECTED,
                f"submission.toml: {model.candidate.path} is for {declared!r:.60}, which is none "
                f"of {known}",
            )
        return called, ""

    named = named_networks(model.candidate.path, described)
    alike = _alike(model, networks)
    if alike is None:
        if len(named.nearest) == 1:
            return named.nearest[0], ""
        return None, _question(model, named.nearest, networks)

    likeliest, cosine = alike
    if len(named.nearest) == 1 and likeliest not in named.anywhere:
        said = f"named for {named.nearest[0]}, but its weights are those of {likeliest}"
        return named.nearest[0], f"{said} (cosine {cosine:.2f}); graded by its name"
    if named.nearest == (likeliest,):
        return likeliest, ""
    return likeliest, f"taken for {likeliest} by its weights (cosine {cosine:.2f})"


def _alike(
    model: Identified | Failed, networks: Sequence[CompetingBadNet]
) -> tuple[str, float] | None:
    if not isinstance(model, KnownModel):
        return None
    known = {network.name: network.weights for network in networks if network.weights}
    return most_alike(model.weights, known) if known else None


def _question(
    model: Identified | Failed, named: Sequence[str], networks: Sequence[CompetingBadNet]
) -> str:
    """What has to be said before a file can be graded; nothing of one that is no model."""
    if isinstance(model, Failed):
        return ""
    names = " or ".join(named or [network.name for network in networks])
    return (
        f"left aside: its name and its weights do not tell which BadNet it is for ({names}); put "
        "the BadNet's name into the file's, or say it in submission.toml"
    )
