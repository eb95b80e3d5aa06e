"""A student's dry run: what would be graded, without running any model."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.descriptions import load_benchmark
from harness.inference.known_network import inspect_file
from harness.intake.discovery import discover
from harness.intake.matching import CheckpointSlot, IdentifiedModel, assign
from harness.intake.staging import stage
from harness.networks.deepid import CONV_3_CHANNELS
from harness.records.errors import SubmissionError
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name
from harness.sandbox.launch import sandbox_problem
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.networks.deepid import Weights
    from harness.records.benchmark import Benchmark
    from harness.records.submission import Candidate, Submission


@dataclass(frozen=True, slots=True)
class _Inspected:
    """A candidate after a look at its file."""

    candidate: Candidate

    story: str
    """What it is, or why it would be rejected."""

    model: IdentifiedModel | None
    """None where it would be rejected."""


def dry_run(folder: Path, dataset: str) -> tuple[list[str], bool]:
    """Return what was found as lines, and whether nothing is missing or would be rejected."""
    benchmark, _ = load_benchmark(dataset)
    try:
        submission = discover(folder, benchmark.checkpoints)
        inspected = _inspect_all(submission, benchmark)
        models = [each.model for each in inspected if each.model is not None]
        slots = assign(models, benchmark.classes, benchmark.checkpoints)
    except SubmissionError as error:
        return [f"{folder}: would be rejected: {one_line(error.reason)}"], False

    filled = {slot.drop_points for slot in slots if slot.repaired}
    missing = [points for points in benchmark.checkpoints if points not in filled]
    lines = [f"{one_line(submission.name)}: {len(inspected)} models"]
    lines += [_line(each, slots) for each in inspected]
    lines += [f"  note: {one_line(note)}" for note in submission.notes]
    lines += [f"  missing: a repaired model for X = {points:g}" for points in missing]
    return lines, not missing and len(models) == len(inspected)


def _inspect_all(submission: Submission, benchmark: Benchmark) -> list[_Inspected]:
    look = partial(_inspect, Path(submission.folder), benchmark)
    with ThreadPoolExecutor(max_workers=4) as threads:
        return list(threads.map(look, submission.candidates))


def _inspect(folder: Path, benchmark: Benchmark, candidate: Candidate) -> _Inspected:
    try:
        with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
            staged = stage(folder, candidate, Path(scratch))
            inspection = inspect_file(
                staged, candidate.format, benchmark.classes, sandboxed=sandbox_problem() is None
            )
    except SubmissionError as error:
        return _Inspected(candidate, f"would be rejected: {error.reason}", None)

    weights, name = inspection.weights, inspection.format
    if weights is None:
        story = f"{name}, not the known network ({inspection.differs}); runs in a sandbox"
        story += f"; {inspection.note}" if inspection.note else ""
        return _Inspected(candidate, story, IdentifiedModel(candidate, staged.sha256, None))
    story = f"{name}, the known network, {_pruned_channels(weights)} channels of conv_3 pruned"
    model = IdentifiedModel(candidate, array_hash(weights), benchmark.classes)
    return _Inspected(candidate, story, model)


def _pruned_channels(weights: Weights) -> int:
    """How many channels of conv_3 are zeroed or removed."""
    zeroed = int((~weights["conv_3/kernel"].any(axis=(0, 1, 2))).sum())
    removed = CONV_3_CHANNELS - len(weights["conv_3/bias"])
    return zeroed + removed


def _line(inspected: _Inspected, slots: Sequence[CheckpointSlot]) -> str:
    path, story = one_line(inspected.candidate.path), one_line(inspected.story)
    return f"  {path}: {_role(inspected, slots)}; {story}"


def _role(inspected: _Inspected, slots: Sequence[CheckpointSlot]) -> str:
    """Which checkpoint a candidate would be, and as what."""
    if inspected.model is None:
        return "not usable"
    for slot in slots:
        name = checkpoint_name(slot.drop_points)
        if slot.repaired is inspected.candidate:
            return f"B', {name}"
        if slot.goodnet is inspected.candidate:
            return f"G, {name}"
    return "not used"
