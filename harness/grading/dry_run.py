"""A student's dry run: what would be graded, without running any model."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.competitions import is_competition
from harness.datasets.descriptions import (
    badnet_file,
    benchmark_names,
    load_benchmark,
    load_clean_set,
)
from harness.grading.competition import dry_run as competition
from harness.grading.context import Options
from harness.inference.identification import Failed, KnownModel, ReadOptions
from harness.inference.known_network import BadNet, read_badnet
from harness.inference.opening import identify_model, open_submission
from harness.intake.discovery import discover
from harness.intake.entries import find_entries, prepare_folder
from harness.intake.matching import Expectation, assign, missing_points, stand_in_notes
from harness.lineage.known import known_kernel_hashes, pruned_channels
from harness.lineage.lineage import THIS_BADNET, find_base
from harness.networks.deepid import lab_network
from harness.records.errors import HarnessError, SubmissionError
from harness.records.submission import DryRun, DryRunModel
from harness.records.text import one_line
from harness.records.traversal import checkpoint_name, enumeration
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.inference.identification import Identified
    from harness.inference.opening import OpenedSubmission
    from harness.intake.matching import CheckpointSlot
    from harness.records.benchmark import Benchmark
    from harness.records.network import Network


def dry_run(path: Path, dataset: str, badnet: Path | None = None) -> DryRun:
    """Look at a submission, a folder or an archive, as `grade` does before the first prediction.

    Raises HarnessError where there is none.
    """
    if is_competition(dataset):
        return competition.dry_run(path, dataset, badnet)
    benchmark, folder = load_benchmark(dataset)
    known = _read_badnet(benchmark, folder, badnet)
    network = known.network if known else lab_network(benchmark.classes)
    key = array_hash(known.weights) if known else benchmark.badnet_weights_hash
    expected = Expectation(benchmark.classes, benchmark.checkpoints, key)
    (entry,) = find_entries([path], None)
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
        unpacked, models = Path(scratch) / "unpacked", Path(scratch) / "models"
        unpacked.mkdir()
        models.mkdir()
        try:
            submission = discover(prepare_folder(entry, unpacked), benchmark.checkpoints)
            # Nothing is shown to a model here.
            how = ReadOptions(
                network,
                "auto",
                secret_number=len,
                most_models=Options().most_models,
                badnet=known.weights if known else None,
            )
            opened = open_submission(submission, models, expected, how)
        except SubmissionError as error:
            problem = f"would be rejected: {one_line(error.reason)}"
            return DryRun(submission=one_line(entry.name), problems=(problem,), rejected=True)
    found = _describe(entry.name, opened, expected, network)
    strangers = tuple(_other_bases(opened.models, known, benchmark.name)) if known else ()
    return replace(found, problems=(*found.problems, *map(one_line, strangers)))


def _read_badnet(benchmark: Benchmark, folder: Path, badnet: Path | None) -> BadNet | None:
    """The benchmark's BadNet; None where it was not fetched yet."""
    # No model is shown images here, but the BadNet may be.
    clean = partial(load_clean_set, benchmark, folder)
    if badnet is not None:
        return read_badnet(badnet, benchmark, clean)
    with suppress(HarnessError):
        return read_badnet(badnet_file(benchmark, folder), benchmark, clean)
    return None


def _describe(
    name: str, opened: OpenedSubmission, expected: Expectation, network: Network
) -> DryRun:
    slots = assign([identify_model(model, expected.classes) for model in opened.models], expected)
    missing = missing_points(slots, expected.required)
    problems = [*_problems(opened, slots)]
    problems += [f"missing: a repaired model for X = {points:g}" for points in missing]
    notes = [*opened.submission.notes, *stand_in_notes(slots), *_twins(opened.models)]
    notes += _misnamed(opened.models, slots, network)
    return DryRun(
        submission=one_line(name),
        models=tuple(_model(model, opened.models, slots, network) for model in opened.models),
        notes=tuple(map(one_line, notes)),
        problems=tuple(map(one_line, problems)),
    )


def _problems(opened: OpenedSubmission, slots: Sequence[CheckpointSlot]) -> Iterator[str]:
    """What a student has to mend or to say before all is graded."""
    failed = [model.candidate.path for model in opened.models if isinstance(model, Failed)]
    if failed:
        yield f"not usable: {', '.join(failed)}"
    for slot in slots:
        yield from slot.questions.values()


def _other_bases(
    models: Sequence[Identified | Failed], badnet: BadNet, dataset: str
) -> Iterator[str]:
    """A sentence for the nets of each other BadNet; what is made of one passes nothing here."""
    network = badnet.network
    strangers = [
        model
        for model in models
        if isinstance(model, KnownModel)
        and find_base(model.weights, badnet.weights, {}, network)[0] != THIS_BADNET
    ]
    if not strangers:
        return  # most often; to know the other BadNets takes reading their files
    others = known_kernel_hashes(array_hash(badnet.weights), network)
    paths: dict[str, list[str]] = {}
    for model in strangers:
        base, _ = find_base(model.weights, badnet.weights, others, network)
        paths.setdefault(base or "", []).append(model.candidate.path)
    for base, files in paths.items():
        known = f"from the BadNet of {base}" if base else "from another BadNet"
        switch = f"--dataset {base}" if base in benchmark_names() else "--dataset and --badnet"
        yield (
            f"{enumeration(files)}: made {known}, not from that of {dataset}, against which this "
            f"was checked; name its data ({switch}), or start from the BadNet's file of {dataset}"
        )


def _misnamed(
    models: Sequence[Identified | Failed], slots: Sequence[CheckpointSlot], network: Network
) -> Iterator[str]:
    """A sentence for each net that has fewer channels pruned than that of a smaller X."""
    pruned = {
        model.candidate.path: pruned_channels(network, model.weights)
        for model in models
        if isinstance(model, KnownModel)
    }
    known = [
        (slot.drop_points, pruned[slot.repaired.path])
        for slot in slots
        if slot.drop_points is not None and slot.repaired and slot.repaired.path in pruned
    ]
    for (smaller, more), (larger, fewer) in pairwise(known):
        if 0 < fewer < more:
            yield (
                f"the net for X = {smaller:g} has {more} channels pruned, that for X = {larger:g} "
                f"only {fewer}: does each have its own name?"
            )


def _twins(models: Sequence[Identified | Failed]) -> Iterator[str]:
    """A sentence for each net that is handed in for several X."""
    first: dict[str, Identified] = {}
    for model in models:
        if isinstance(model, Failed):
            continue
        earlier = first.setdefault(model.key, model)
        if earlier.candidate.drop_points != model.candidate.drop_points:
            yield (
                f"{model.candidate.path}: the same weights as {earlier.candidate.path}; "
                "one net cannot be saved at several X"
            )


def _model(
    model: Identified | Failed,
    models: Sequence[Identified | Failed],
    slots: Sequence[CheckpointSlot],
    network: Network,
) -> DryRunModel:
    return DryRunModel(
        path=one_line(model.candidate.path),
        role=one_line(_role(model, models, slots)),
        story=one_line(_story(model, network)),
        usable=not isinstance(model, Failed),
    )


def _role(
    model: Identified | Failed,
    models: Sequence[Identified | Failed],
    slots: Sequence[CheckpointSlot],
) -> str:
    """Which checkpoint a model would be, and as what."""
    for slot in slots:
        name = checkpoint_name(slot.drop_points)
        if slot.repaired is model.candidate:
            return f"B', {name}"
        if slot.goodnet is model.candidate:
            return f"G, {name}"
    used = [slot.repaired for slot in slots] + [slot.goodnet for slot in slots]
    for other in models:
        is_same = not isinstance(model, Failed) and not isinstance(other, Failed)
        if is_same and other.candidate in used and other.key == model.key:  # type: ignore[union-attr]
            return f"a copy of {other.candidate.path}"
    return f"{checkpoint_name(model.candidate.drop_points)}, not clear"


def _story(model: Identified | Failed, network: Network) -> str:
    """What a file holds, or why it would be rejected."""
    if isinstance(model, Failed):
        return f"would be rejected: {model.error.reason}"
    if not isinstance(model, KnownModel):
        return f"{model.format}, not the known network ({model.differs}); runs in a sandbox"
    pruned, layer = pruned_channels(network, model.weights), network.pruned_layer
    return f"{model.format}, the known network, {pruned} channels of {layer} pruned"
