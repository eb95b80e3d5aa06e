"""What a staged file is: the known network, read as data, or a model that has to be run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.known_network import BadNet, inspect_file
from harness.inference.readings import (
    Evidence,
    MaskedNet,
    mask_note,
    masked_nets,
    meant_reading,
    read_net,
)
from harness.records.errors import Status, SubmissionError
from harness.sandbox.availability import AUTO, NONE, find_sandbox, sandbox_problem
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.intake.staging import Staged
    from harness.networks.deepid import Weights
    from harness.records.network import Network
    from harness.records.submission import Candidate

SecretNumber = Callable[[str], int]
"""A number that nobody can guess, always the same for the same purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """A file that holds the known network, whose weights were read as data."""

    candidate: Candidate
    staged: Staged
    format: str
    weights: Weights

    key: str
    """The hash of the weights."""

    isolation: str
    """How the file was read: in which sandbox, or plain, by a process without one."""

    note: str = ""
    """How it was read, where that could be done in several ways."""

    masked: tuple[MaskedNet, ...] = ()
    """Of a mask of the BadNet, all ways to read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherModel:
    """A file that holds anything else: it has to be run."""

    candidate: Candidate
    staged: Staged
    format: str

    differs: str
    """Where it differs from the known network."""

    key: str
    """Follows from the bytes of the file."""

    isolation: str | None
    """Which sandbox it runs in, none (one's own work), or None where it may not be run here."""

    seed: int
    """Of the secret order in which it sees images."""

    note: str = ""
    """Which files its own classes come from, where it has any."""


Identified = KnownModel | OtherModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A candidate that could not be graded."""

    candidate: Candidate
    error: SubmissionError

    staged: Staged | None = None
    """None where not even that was possible."""

    model: Identified | None = None
    """None where it was never found out what it is."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How submitted files are read."""

    network: Network
    """The BadNet's graph."""

    isolation: str
    """The option of that name."""

    secret_number: SecretNumber
    """Where the secret order comes from in which models see images."""

    most_models: int = 20
    """How many files of a submission are opened."""

    badnet: Weights | None = None
    """The BadNet's weights, which masks are for; None where they are not at hand."""

    evidence: Evidence | None = None
    """By which it is settled how a file is meant; None where there are no images."""


def identify(candidate: Candidate, staged: Staged, how: ReadOptions) -> Identified:
    """Find out what a staged file is. Raises SubmissionError."""
    sandbox = find_sandbox(how.isolation)
    if sandbox is None and how.isolation not in (AUTO, NONE):
        raise SubmissionError(Status.NOT_GRADED, str(sandbox_problem(how.isolation)))
    inspection = inspect_file(staged, candidate.format, how.network, sandbox=sandbox)
    weights, note = inspection.weights, ""
    if inspection.readings:
        weights, note = read_net(inspection.readings, how.evidence)
    masked: tuple[MaskedNet, ...] = ()
    if inspection.masks:
        badnet = None if how.badnet is None else BadNet(how.network, how.badnet)
        masked = masked_nets(inspection.masks, badnet, how.evidence)
        weights = masked[0].weights

    if weights is not None:
        return KnownModel(
            candidate=candidate,
            staged=staged,
            format=inspection.format,
            weights=weights,
            key=array_hash(weights),
            isolation=sandbox or "plain",
            note=note,
            masked=masked,
        )

    if inspection.format in _ARRAYS_ALONE:
        staged, note = _as_goodnet(candidate, staged, how, sandbox)
    key = f"file-{staged.identity}"
    return OtherModel(
        candidate=candidate,
        staged=staged,
        format=inspection.format,
        differs=inspection.differs or "",
        key=key,
        isolation=NONE if how.isolation == NONE else sandbox,
        seed=how.secret_number(key),
        note=note or inspection.note,
    )


_ARRAYS_ALONE = ("torch", "safetensors", "npz")
"""Formats that hold no graph: what is not the known network is that with a class more."""


def _as_goodnet(
    candidate: Candidate, staged: Staged, how: ReadOptions, sandbox: str | None
) -> tuple[Staged, str]:
    """Arrays of the known network with a class more, in a file of ours that is read in one way.

    Also a sentence on how that way was found out: by the classes that both have.
    """
    wider = how.network.with_classes(how.network.classes + 1)
    inspection = inspect_file(staged, candidate.format, wider, sandbox=sandbox)
    weights, note = inspection.weights, ""
    if weights is None:
        raise SubmissionError(Status.REJECTED, "the file could not be read as a model")
    if inspection.readings:
        narrow = [
            replace(each, weights=_without_last_class(each.weights, how.network))
            for each in inspection.readings
        ]
        taken, note = read_net(narrow, how.evidence)
        index = next(i for i, each in enumerate(narrow) if each.weights is taken)
        weights = inspection.readings[index].weights
    path = staged.path.with_name("goodnet.npz")
    np.savez(path, **weights)  # type: ignore[arg-type]
    return replace(staged, path=path), note


def _without_last_class(weights: Weights, network: Network) -> Weights:
    """A G's arrays without what tells that an image is backdoored."""
    output = network.output
    own = {
        f"{output.name}/{name}": weights[f"{output.name}/{name}"][..., : network.classes]
        for name in output.variables
    }
    return {**weights, **own}


def agree_on_masks(models: Sequence[Identified | Failed]) -> list[Identified | Failed]:
    """The models, with each mask of a submission read in the way that is meant in all of them."""
    alike = defaultdict(list)
    for model in models:
        if isinstance(model, KnownModel) and model.masked:
            alike[tuple(net.label for net in model.masked)].append(model.masked)
    meant = {labels: meant_reading(files) for labels, files in alike.items()}
    return [_as_meant(model, meant) for model in models]


def _as_meant(
    model: Identified | Failed, meant: Mapping[tuple[str, ...], int]
) -> Identified | Failed:  # fmt: skip
    if not isinstance(model, KnownModel) or not model.masked:
        return model
    taken = meant[tuple(net.label for net in model.masked)]
    weights = model.masked[taken].weights
    note = mask_note(model.masked, taken)
    return replace(model, weights=weights, key=array_hash(weights), note=note)
