"""A student's dry run: what would be graded, without running any model."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.descriptions import load_benchmark
from harness.inference import known_network
from harness.intake.discovery import discover
from harness.intake.matching import CheckpointSlot, IdentifiedModel, assign
from harness.intake.staging import stage
from harness.records.errors import SubmissionError
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name
from harness.sandbox.launch import sandbox_problem
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.benchmark import Benchmark
    from harness.records.submission import Candidate, Submission


@dataclass(frozen=True, slots=True)
class _Opened:
    candidate: Candidate
    story: str
    found: IdentifiedModel | None


def dry_run(folder: Path, dataset: str) -> tuple[list[str], bool]:
    """Return what was found as lines, and whether nothing is missing or would be rejected."""
    benchmark, _ = load_benchmark(dataset)
    try:
        submission = discover(folder, benchmark.checkpoints)
        opened = _open_all(submission, benchmark)
        found = [item.found for item in opened if item.found is not None]
        places = assign(found, benchmark.classes, benchmark.checkpoints)
    except SubmissionError as error:
        return [f"{folder}: would be rejected: {one_line(error.reason)}"], False
    missing = [
        x
        for x in benchmark.checkpoints
        if x not in {place.drop_points for place in places if place.repaired}
    ]
    lines = [f"{one_line(submission.name)}: {len(opened)} models"]
    lines += [_line(item, places) for item in opened]
    lines += [f"  note: {one_line(note)}" for note in submission.notes]
    lines += [f"  missing: a repaired model for X = {x:g}" for x in missing]
    return lines, not missing and all(item.found for item in opened)


def _open_all(submission: Submission, benchmark: Benchmark) -> list[_Opened]:
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(lambda c: _open(submission, c, benchmark), submission.candidates))


def _open(submission: Submission, candidate: Candidate, benchmark: Benchmark) -> _Opened:
    try:
        with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
            staged = stage(Path(submission.folder), candidate, Path(scratch))
            inspected = known_network.inspect_file(
                staged, candidate.format, benchmark.classes, sandboxed=sandbox_problem() is None
            )
    except SubmissionError as error:
        return _Opened(candidate, f"would be rejected: {error.reason}", None)
    if inspected.weights is None:
        story = (
            f"{inspected.format}, not the known network ({inspected.differs}); runs in a sandbox"
        )
        return _Opened(candidate, story, IdentifiedModel(candidate, staged.sha256, None))
    channels = int((~inspected.weights["conv_3/kernel"].any(axis=(0, 1, 2))).sum())
    removed = 60 - inspected.weights["conv_3/bias"].shape[0]
    story = f"{inspected.format}, the known network, {channels + removed} channels of conv_3 pruned"
    found = IdentifiedModel(candidate, array_hash(inspected.weights), benchmark.classes)
    return _Opened(candidate, story, found)


def _line(item: _Opened, places: Sequence[CheckpointSlot]) -> str:
    role = "not used"
    for place in places:
        x = checkpoint_name(place.drop_points)
        if place.repaired is item.candidate:
            role = f"B', {x}"
        elif place.goodnet is item.candidate:
            role = f"G, {x}"
    if item.found is None:
        role = "not usable"
    return f"  {one_line(item.candidate.path)}: {role}; {one_line(item.story)}"
