"""What a staged file is: the known network, read as data, or a model that has to be run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.inference.known_network import inspect_file
from harness.records.errors import Status, SubmissionError
from harness.sandbox.availability import AUTO, NONE, find_sandbox, sandbox_problem
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
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


def identify(
    candidate: Candidate,
    staged: Staged,
    network: Network,
    isolation: str,
    secret_number: SecretNumber,
) -> Identified:
    """Find out what a staged file is, beside the BadNet's ``network``.

    ``isolation`` is the option of that name. Raises SubmissionError.
    """
    sandbox = find_sandbox(isolation)
    if sandbox is None and isolation not in (AUTO, NONE):
        raise SubmissionError(Status.NOT_GRADED, str(sandbox_problem(isolation)))
    inspection = inspect_file(staged, candidate.format, network, sandbox=sandbox)

    if inspection.weights is not None:
        return KnownModel(
            candidate=candidate,
            staged=staged,
            format=inspection.format,
            weights=inspection.weights,
            key=array_hash(inspection.weights),
            isolation=sandbox or "plain",
        )

    key = f"file-{staged.identity}"
    return OtherModel(
        candidate=candidate,
        staged=staged,
        format=inspection.format,
        differs=inspection.differs or "",
        key=key,
        isolation=NONE if isolation == NONE else sandbox,
        seed=secret_number(key),
        note=inspection.note,
    )
