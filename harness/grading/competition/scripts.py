"""A script that was handed in for one BadNet, from its file to counts on a sample of images."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.grading.competition.entry import grade_entry_for
from harness.grading.competition.networks import counted_checkpoint
from harness.grading.models import required_sandbox, run_until
from harness.inference.identification import KnownModel
from harness.inference.scripts.images import FORMATS, drawn_images
from harness.inference.scripts.order import asked_order
from harness.inference.scripts.processes import ScriptRun
from harness.inference.scripts.running import Questions, ask_script
from harness.inference.scripts.worker import Settings
from harness.intake.scripts import badnet_beside
from harness.lineage.family import PROGRAM
from harness.records.errors import Status, SubmissionError
from harness.records.predictions import decode
from harness.records.record import Artifact, Checkpoint
from harness.records.text import storable
from harness.sandbox.availability import NONE, find_sandbox
from harness.sandbox.launch import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.grading.competition.networks import PreparedNetwork
    from harness.grading.context import RunContext
    from harness.inference.identification import Failed, Identified
    from harness.inference.scripts.running import ScriptAnswers
    from harness.intake.scripts import Script
    from harness.intake.staging import Staged
    from harness.records.benchmark import LabeledSet
    from harness.records.record import Record
    from harness.records.submission import Submission

_FEWER = 20
"""Of each set and trigger: so many a slow script must answer, and of one that keeps a state so many
are asked."""

_SHARE_OF_WARM = 0.8
"""Of the time for a script; fresh processes take the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEntry:
    """What was handed in for one BadNet, where that is a script."""

    script: Script
    repository: Staged

    models: Sequence[Identified | Failed]
    """Files for the same BadNet, which the script may read, and of which one may be B'."""

    submission: Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """By when a script must be done, in the time of `time.monotonic`."""

    warm: float
    """The process that answers all images."""

    cold: float
    """The fresh ones, and whatever was handed in beside it."""


def time_for_script(deadline: float, scripts: int) -> Until:
    """The time of one of ``scripts`` that have until ``deadline`` together."""
    begun = time.monotonic()
    share = max(0.0, deadline - begun) / scripts
    return Until(warm=begun + _SHARE_OF_WARM * share, cold=deadline)


@dataclass(frozen=True, slots=True)
class _Shown:
    """The images that a script is asked about, set by set."""

    sets: dict[str, LabeledSet]
    drawn: dict[str, np.ndarray]
    """Their indices in the sets, by the sets' names."""

    @property
    def images(self) -> list[np.ndarray]:
        return [
            self.sets[name].images[place] for name, places in self.drawn.items() for place in places
        ]

    @property
    def places(self) -> list[tuple[str, int]]:
        return [(name, int(place)) for name, places in self.drawn.items() for place in places]

    @property
    def groups(self) -> np.ndarray:
        """The set and trigger of each, as numbers."""
        numbers: dict[tuple[str, str], int] = {}
        found = []
        for name, place in self.places:
            attacks = self.sets[name].attacks
            of = next((a.name for a in attacks if a.start <= place < a.stop), "")
            found.append(numbers.setdefault((name, of), len(numbers)))
        return np.array(found, np.int64)


def grade_script(
    network: PreparedNetwork, entry: ScriptEntry, run: RunContext, until: Until
) -> tuple[Record, str]:
    """The record of a script, which stands where a G would, and a note on how it was run.

    A B' that was handed in beside it is scored alone.
    """
    script, name = entry.script, entry.submission.name
    run.progress.stage(name, f"running {script.path} for {network.name}")
    try:
        shown, found = _ask(network, entry, run, until)
    except SubmissionError as error:
        reason = f"{script.path}: {error.reason}"
        record = network.record(name, error.status, reason)
        return replace(record, out_of_memory=error.out_of_memory), ""

    beside = _repaired_beside(network, entry, run, until.cold)
    counted = _checkpoint(network, shown, found)
    checkpoint = replace(
        counted,
        repaired=beside.repaired,
        repaired_originals=beside.repaired_originals,
        artifact=beside.artifact,
        goodnet_artifact=_artifact(entry),
        family=PROGRAM,
        isolation=find_sandbox(run.options.isolation) or NONE,
    )
    return network.record(name, Status.GRADED, None, checkpoint), _note(entry, found, run)


def _ask(
    network: PreparedNetwork, entry: ScriptEntry, run: RunContext, until: Until
) -> tuple[_Shown, ScriptAnswers]:
    options = run_until(until.warm, run).options
    sandbox = required_sandbox(options.isolation, "a script")
    # The same images for every submission, which nobody can know.
    rng = np.random.default_rng(run.store.secret_number(f"script images {network.name}"))
    shown = _shown(network, options.script_images, rng)
    groups = shown.groups
    order = asked_order(groups, _FEWER, rng)
    images = shown.images
    how = ScriptRun(
        repository=entry.repository.path,
        settings=_settings(network, entry, options.image_format),
        image_format=options.image_format,
        sandbox=sandbox,
        limits=Limits(
            start_seconds=min(180.0, options.model_seconds),
            wall_seconds=options.model_seconds,
            cpu_seconds=int(2 * options.model_seconds) + 1,
            memory_bytes=options.model_memory_bytes,
        ),
        deadline=until.cold,
    )
    questions = Questions(
        images=[images[place] for place in order],
        groups=groups[order],
        fewest=min(_FEWER, options.script_images),
        compared=options.cold_images,
        rng=rng,
    )

    def progress(done: int) -> None:
        run.progress.images(done, len(images))

    found = ask_script(how, questions, progress)
    return shown, replace(found, asked=order[found.asked])


def _shown(network: PreparedNetwork, most: int, rng: np.random.Generator) -> _Shown:
    sets = network.datasets.sets
    clean = drawn_images(sets["test"], most, rng, np.empty(0, np.int64))
    drawn = {"test": clean}
    if len(sets["bd_test"].labels):
        # Not the same people's twins, as far as there are others.
        drawn["bd_test"] = drawn_images(sets["bd_test"], most, rng, clean)
    return _Shown(dict(sets), drawn)


def _settings(network: PreparedNetwork, entry: ScriptEntry, form: str) -> Settings:
    folder = Path(entry.submission.folder)
    repaired = [model.candidate.path for model in entry.models]
    return Settings(
        script=entry.script.path,
        suffix=FORMATS[form],
        network=network.name,
        badnet=badnet_beside(folder, network.name, [network.described]),
        repaired=repaired[0] if repaired else None,
        arguments=entry.script.arguments,
    )


def _repaired_beside(
    network: PreparedNetwork, entry: ScriptEntry, run: RunContext, deadline: float
) -> Checkpoint:
    """The checkpoint of a B' that was handed in beside the script; an empty one without any.

    Models of other networks are what the script is made of, and are not run once more.
    """
    nets = [model for model in entry.models if isinstance(model, KnownModel)]
    record = grade_entry_for(network, nets, entry.submission, run, deadline)
    (checkpoint,) = record.checkpoints
    return checkpoint


# --- counts -------------------------------------------------------------------------------------


def _checkpoint(network: PreparedNetwork, shown: _Shown, found: ScriptAnswers) -> Checkpoint:
    """Counts over the images that were asked, as of a G."""
    places = shown.places
    numbers = zip(found.asked.tolist(), found.encoded.tolist(), strict=True)
    asked = [(*places[number], answer) for number, answer in numbers]
    sets, answers = {}, {}
    for name, labeled in network.datasets.sets.items():
        own = sorted((place, answer) for of, place, answer in asked if of == name)
        chosen = np.array([place for place, _ in own], np.int64)
        sets[name] = _only(labeled, chosen)
        encoded = np.array([answer for _, answer in own], np.uint16)
        answers[name] = decode(encoded, network.datasets.benchmark.classes)
    return counted_checkpoint(sets, None, answers)


def _only(labeled: LabeledSet, chosen: np.ndarray) -> LabeledSet:
    """A set with some of its images (sorted indices), attack by attack."""
    attacks = tuple(
        replace(
            attack,
            start=int(np.searchsorted(chosen, attack.start)),
            stop=int(np.searchsorted(chosen, attack.stop)),
        )
        for attack in labeled.attacks
    )
    originals = labeled.original_labels
    return replace(
        labeled,
        images=labeled.images[chosen] if len(chosen) else labeled.images[:0],
        labels=labeled.labels[chosen],
        original_labels=None if originals is None else originals[chosen],
        attacks=attacks,
    )


def _artifact(entry: ScriptEntry) -> Artifact:
    return Artifact(
        path=storable(entry.script.path),
        sha256=entry.repository.sha256,
        size_bytes=entry.repository.size_bytes,
        format="script",
        role="goodnet",
        weights_hash=None,
    )


def _note(entry: ScriptEntry, found: ScriptAnswers, run: RunContext) -> str:
    """How a script was run."""
    form = "PNG" if run.options.image_format == "png" else "JPEG"
    images = f"{len(found.asked):,} images as {form}, drawn by a secret seed"
    where = f"{entry.script.path} for {entry.script.network}"
    if found.reason:
        return (
            f"{where}: keeps a state between calls: {found.reason}; {images}, each in a process of "
            "its own"
        )
    if found.each is not None:
        images = (
            f"{images}: the first {found.each} of each set and trigger, since it is slow and no "
            f"more were answered in time ({run.options.script_images} of each are asked)"
        )
    return (
        f"{where}: {images}; all in one process, {found.compared} of them in a process of their "
        "own, too, with the same answers"
    )
