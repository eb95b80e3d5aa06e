"""Walks through a record: what it holds at several checkpoints, in one order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harness.records.errors import HarnessError
from harness.records.record import PRESENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.records.board import Row
    from harness.records.errors import Status
    from harness.records.findings import Diagnosis, McNemarResult, Override
    from harness.records.record import Artifact, Check, Checkpoint, Record

SUBMISSION = "submission"
"""The name that stands in for a checkpoint's where something concerns none of them."""

MAX_NAMES = 5
"""So many are named where something concerns several."""


def checkpoint_name(drop_points: float | None) -> str:
    """A checkpoint by its X, as in ``X = 2``, or ``X unknown``."""
    return "X unknown" if drop_points is None else f"X = {drop_points:g}"


def is_of_competition(records: Sequence[Record]) -> bool:
    """Whether these are results of a competition. Raises HarnessError for a mixture."""
    found = {bool(record.networks) for record in records}
    if len(found) > 1:
        raise HarnessError(
            "results of a competition and of a single BadNet lie in one folder, and have no common "
            "board; grade them into two"
        )
    return True in found


def require_single(records: Iterable[Record], command: str) -> None:
    """Raise HarnessError where results are a competition's, which ``command`` does not take."""
    if any(record.networks for record in records):
        raise HarnessError(
            f"these are results of a competition, which `{command}` does not take; its figures are "
            "in leaderboard.csv and leaderboard.json"
        )


class Failure(NamedTuple):
    """What kept one or several checkpoints from being graded."""

    places: str
    """Names of the checkpoints, as in ``X = 2 and X = 4``."""

    status: Status

    reason: str
    """Once, with the files that it is about: ``a.h5 and b.h5: the file is empty``."""


def failures(checkpoints: Iterable[Checkpoint]) -> list[Failure]:
    """Why checkpoints were not graded, each reason once."""
    groups: dict[tuple[Status, str], list[tuple[str, str]]] = {}
    for checkpoint in checkpoints:
        if checkpoint.reason:
            file, colon, text = checkpoint.reason.partition(": ")
            key = (checkpoint.status, text if colon else file)
            place = checkpoint_name(checkpoint.drop_points)
            groups.setdefault(key, []).append((place, file if colon else ""))

    found = []
    for (status, text), members in groups.items():
        files = list(dict.fromkeys(file for _, file in members if file))
        places = list(dict.fromkeys(place for place, _ in members))
        reason = f"{enumeration(files)}: {text}" if files else text
        found.append(Failure(enumeration(places), status, reason))
    return found


def submission_reason(record: Record) -> str | None:
    """Why a submission was not graded, where its checkpoints do not say it."""
    said_below = any(checkpoint.reason for checkpoint in record.checkpoints)
    return None if said_below else record.reason


def joined_reasons(checkpoints: Iterable[Checkpoint]) -> str:
    """Why checkpoints were not graded, in one line; of many reasons the first ones."""
    found = failures(checkpoints)
    reasons = "; ".join(failure.reason for failure in found[:MAX_NAMES])
    if len(found) > MAX_NAMES:
        reasons += f"; and {len(found) - MAX_NAMES} more reasons, at their checkpoints"
    return reasons


def enumeration(names: Sequence[str]) -> str:
    """``a, b and c``; of many, the first and how many more."""
    if len(names) > MAX_NAMES:
        names = [*names[: MAX_NAMES - 1], f"{len(names) - MAX_NAMES + 1} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def statuses(record: Record) -> list[Status]:
    """How the submission ended, and each of its checkpoints."""
    own = [record.status, *(checkpoint.status for checkpoint in record.checkpoints)]
    return [*own, *(each.status for each in record.networks)]


def checks(record: Record) -> list[Check]:
    """All checks, those of the submission first."""
    return [check for _, check in located_checks(record)]


def located_checks(record: Record) -> Iterator[tuple[str, Check]]:
    """All checks, each with the name of what it is about."""
    for check in record.checks:
        # Where a check asks whether there is a checkpoint at all, its limit is the X.
        if isinstance(check.limit, int | float):
            yield checkpoint_name(check.limit), check
        else:
            yield SUBMISSION, check

    for checkpoint in record.checkpoints:
        for check in checkpoint.checks:
            yield checkpoint_name(checkpoint.drop_points), check


def diagnoses(record: Record | Row) -> list[Diagnosis]:
    """All diagnoses, those of the checkpoints first."""
    return [diagnosis for _, diagnosis in located_diagnoses(record)]


def located_diagnoses(record: Record | Row) -> Iterator[tuple[str, Diagnosis]]:
    """All diagnoses, each with the name of what it is about."""
    for checkpoint in record.checkpoints:
        for diagnosis in checkpoint.diagnoses:
            yield checkpoint_name(checkpoint.drop_points), diagnosis
    for diagnosis in record.diagnoses:
        yield SUBMISSION, diagnosis


def seen_together(record: Record) -> list[tuple[str, Diagnosis]]:
    """`located_diagnoses`, those of the same words once, with the names of all they are about."""
    places: dict[tuple[str, str, bool], list[str]] = {}
    first: dict[tuple[str, str, bool], Diagnosis] = {}
    for place, diagnosis in located_diagnoses(record):
        key = diagnosis.code, diagnosis.explanation, diagnosis.certain
        places.setdefault(key, []).append(place)
        first.setdefault(key, diagnosis)
    return [(enumeration(places[key]), diagnosis) for key, diagnosis in first.items()]


def artifacts(record: Record) -> list[Artifact]:
    """All model files that were opened, by checkpoint."""
    files: list[Artifact | None] = []
    for checkpoint in record.checkpoints:
        files += [checkpoint.artifact, checkpoint.goodnet_artifact]
    return [artifact for artifact in files if artifact is not None]


def required_points(record: Record) -> tuple[float, ...]:
    """Every X that the benchmark asks for."""
    limits = [check.limit for check in record.checks if check.name == PRESENT]
    return tuple(float(limit) for limit in limits if isinstance(limit, int | float))


def required_checkpoints(record: Record) -> dict[float, Checkpoint | None]:
    """The checkpoint for each X that is asked for; None where there is none."""
    by_points = {checkpoint.drop_points: checkpoint for checkpoint in record.checkpoints}
    return {points: by_points.get(points) for points in required_points(record)}


def decided(override: Override) -> str:
    """What an override decides, in a few words."""
    if override.verdict is not None:
        return f"{checkpoint_name(override.drop_points)} {override.verdict}"
    return f"status {override.status}" if override.status else str(override.item)


def reference_result(checkpoint: Checkpoint, net: str, set_name: str) -> McNemarResult | None:
    """The test of B' or G (``net``) against the reference's on one set, where there is one."""
    for result in checkpoint.paired:
        if result.net == net and result.set == set_name:
            return result
    return None
