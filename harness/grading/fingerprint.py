"""What a submission's grade depends on, as one hash: the same hash, the same grade.

A second run takes a stored record for granted only where nothing that could change it has
changed: the files handed in, the data, the BadNet, the grader and its options.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from harness.intake.file_rules import MAX_MODEL_BYTES, files_below
from harness.records.errors import SubmissionError
from harness.storage.hashing import array_hash, file_hash

if TYPE_CHECKING:
    from pathlib import Path

    from harness.grading.context import GradingBasis, Options
    from harness.records.benchmark import Benchmark, Datasets, RobustnessSets

GRADER_VERSION = 4
"""Raised when a change of the grader changes evidence; finished work is then done again."""

_CHUNK = 1 << 20


def grading_inputs_hash(
    submission: Path, basis: GradingBasis, datasets: Datasets, options: Options
) -> str | None:
    """Hash of a folder's files (or of an archive) and of what they are graded with.

    None for one that has too many files or cannot be read.
    """
    return hash_of_inputs(submission, circumstances(basis, datasets, options))


def hash_of_inputs(submission: Path, given: str) -> str | None:
    """The same, where it is known what they are graded with."""
    digest = hashlib.sha256(f"{GRADER_VERSION}|{given}".encode())
    try:
        if submission.is_file():
            digest.update(file_hash(submission).encode())
            return digest.hexdigest()
        for path, information in sorted(files_below(submission)):
            # Doubled, the marks in a name are told from those between it and what follows.
            name = path.relative_to(submission).as_posix().replace("|", "||")
            digest.update(f"|{name}|{information.st_mode}|{information.st_size}|".encode(
                errors="surrogateescape"))  # fmt: skip
            if stat.S_ISREG(information.st_mode) and information.st_size <= MAX_MODEL_BYTES:
                _add_content(path, information.st_size, digest)
    except (SubmissionError, OSError):
        return None
    return digest.hexdigest()


def circumstances(basis: GradingBasis, datasets: Datasets, options: Options) -> str:
    """What submissions are graded with: data, BadNet and options."""
    given = (
        sorted(datasets.hashes.items()),
        array_hash(basis.badnet),
        datasets.benchmark.pixel_scale,
        datasets.benchmark.checkpoints,
        *limits_of(options),
        basis.rubric.thresholds.near_chance_accuracy,
    )
    stated = _stated_by_benchmark(datasets.benchmark)
    return repr(given + stated + _robustness_sets(datasets.robustness))


def _robustness_sets(robustness: RobustnessSets | None) -> tuple[object, ...]:
    """What points of robustness depend on; empty where they are not asked for."""
    if robustness is None:
        return ()
    levels = [
        (each.kind, each.level, each.unit, each.own, each.images.sha256)
        for each in robustness.triggers
    ]
    return ("robustness", robustness.clean.sha256, *levels)


def limits_of(options: Options) -> tuple[object, ...]:
    """The options that change what models may do."""
    return (
        options.isolation,
        options.model_seconds,
        options.model_memory_bytes,
        options.submission_seconds,
        options.most_models,
    )


def _stated_by_benchmark(benchmark: Benchmark) -> tuple[object, ...]:
    """What changes records, though data and BadNet are the same; empty in the lab's short form."""
    stated = (
        tuple(attack.name for attack in benchmark.attacks),
        benchmark.tolerance_images,
        benchmark.pruned_layer,
    )
    return stated if any(each not in ((), None) for each in stated) else ()


def _add_content(path: Path, size: int, digest: hashlib._Hash) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        left = size
        while left > 0 and (part := file.read(min(_CHUNK, left))):
            digest.update(part)
            left -= len(part)
