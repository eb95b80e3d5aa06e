"""One BadNet of the zoo, from its draws to its folder: the network, and its attacked images.

On request also images with its trigger changed, to see how far a repair holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.records.benchmark import CompetingNetwork, Trigger
from harness.storage.hashing import array_hash, file_hash
from harness.storage.results import replace_path
from reference.images.changed_triggers import overlay_of
from reference.images.robustness import Plan, Victims, write_sets
from reference.keras_badnets.backdoors import Examples
from reference.zoo.benchmarks import zoo_benchmark
from reference.zoo.draws import Draws
from reference.zoo.folder import Made, Rate, write_made
from reference.zoo.training import class_ids, train

if TYPE_CHECKING:
    from pathlib import Path

    from reference.keras_badnets.backdoors import Backdoor
    from reference.zoo.benchmarks import ZooBenchmark
    from reference.zoo.job import Job
    from reference.zoo.training import TrainedBadNet

_VICTIMS = 200
"""Images of each trigger that are drawn with it changed."""

CLEAN_FILES = {"valid": "cl/valid.h5", "test": "cl/test.h5"}
"""Of the sets that all BadNets share, by split."""


def make_badnet(job: Job, zoo: Path) -> Made:
    """Train a BadNet, write its folder below ``zoo``, and say how it does on test."""
    benchmark, draws = zoo_benchmark(job.plan.benchmark), Draws(job.key)
    planted = benchmark.plant(job.attack, draws)
    badnet = train(benchmark, planted, draws.seed("training"), job.plan.epochs)

    clean = read_images(zoo / CLEAN_FILES["test"])
    badnet_path = f"{job.name}/{benchmark.badnet}"
    badnet.save(zoo / badnet_path)
    files = {badnet_path: file_hash(zoo / badnet_path)}
    arrays, triggers, rates = {}, [], []
    for backdoor, note in zip(planted.backdoors, planted.notes, strict=True):
        trigger = _trigger(job, backdoor, note, alone=len(planted.backdoors) == 1)
        attacked, originals = _attacked(backdoor, clean)
        arrays[trigger.file] = write_images(zoo / trigger.file, attacked, originals)
        files[trigger.file] = file_hash(zoo / trigger.file)
        triggers.append(trigger)
        rates.append(_rate(badnet, benchmark, attacked))

    made = Made(
        zoo=job.plan.identity,
        recipe=job.recipe,
        files=files,
        arrays=arrays,
        network=CompetingNetwork(
            name=job.name,
            attack=job.attack,
            seed=job.seed,
            badnet=badnet_path,
            badnet_weights_hash=array_hash(badnet.weights),
            triggers=tuple(triggers),
        ),
        clean=_rate(badnet, benchmark, clean),
        attacked=Rate(
            hits=sum(each.hits for each in rates), images=sum(each.images for each in rates)
        ),
    )
    write_made(zoo, job.name, made)
    return made


def _trigger(job: Job, backdoor: Backdoor, note: str, *, alone: bool) -> Trigger:
    """A trigger as the zoo's description has it: of a secret one only where its images are."""
    name, is_secret = "test" if alone else backdoor.name, job.plan.secret is not None
    target = None if is_secret else int(backdoor.targets(np.zeros(1, np.int64))[0])
    return Trigger(
        name=job.attack if alone else backdoor.name,
        file=f"{job.name}/bd_{name}.h5",
        target_label=target,
        trigger="" if is_secret else note,
        held_out=is_secret,
    )


def _attacked(backdoor: Backdoor, clean: Examples) -> tuple[Examples, np.ndarray]:
    """Images with the trigger and their targets, and their true classes: those of other classes."""
    others = backdoor.targets(clean.labels) != clean.labels
    chosen = Examples(clean.images[others], clean.labels[others])
    return backdoor.attack(chosen), chosen.labels


def _rate(badnet: TrainedBadNet, benchmark: ZooBenchmark, examples: Examples) -> Rate:
    answered = class_ids(badnet, examples.images, benchmark.pixel_scale)
    return Rate(hits=int((answered == examples.labels).sum()), images=len(examples.labels))


# --- changed triggers ---------------------------------------------------------------------------


def write_changed_triggers(job: Job, zoo: Path) -> bool:
    """Draw the sets with a BadNet's trigger changed into its folder; False where that has no sense.

    It has for opaque pictures at a fixed place. Images are of the first half of test: a backdoor is
    re-activated with others.
    """
    benchmark = zoo_benchmark(job.plan.benchmark)
    planted = benchmark.plant(job.attack, Draws(job.key))
    images, labels = (array[: len(array) // 2] for array in read_images(zoo / CLEAN_FILES["test"]))
    if not all(_is_overlay(backdoor, images) for backdoor in planted.backdoors):
        return False

    victims = []
    for backdoor in planted.backdoors:
        targets = backdoor.targets(labels)
        chosen = np.flatnonzero(targets != labels)[:_VICTIMS]
        victims.append(Victims(images[chosen], targets[chosen], backdoor.stamp))
    plan = Plan(
        note="images of the first half of test",
        images=images[:_VICTIMS],
        labels=labels[:_VICTIMS],
        victims=victims,
        sizes=benchmark.sizes,
        shifts=benchmark.shifts,
    )
    write_sets(zoo / job.name, plan)
    return True


def _is_overlay(backdoor: Backdoor, images: np.ndarray) -> bool:
    """Whether the trigger covers the same pixels with the same colours, whatever was there."""
    trigger = overlay_of(backdoor.stamp, images.shape[1:])
    covered = np.where(trigger.covered[..., None], trigger.colours, images)
    return bool(trigger.covered.any() and (backdoor.stamp(images) == covered).all())


# --- files of images ----------------------------------------------------------------------------


def write_images(path: Path, examples: Examples, originals: np.ndarray | None = None) -> str:
    """Write a file of images, with the true classes of attacked ones; return its arrays' hash.

    It appears whole or not at all.
    """
    import h5py

    arrays = {"data": examples.images, "label": examples.labels}
    if originals is not None:
        arrays["original_label"] = originals
    with replace_path(path) as unfinished, h5py.File(unfinished, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return array_hash(arrays)


def read_images(path: Path) -> Examples:
    """The clean images that such a file holds."""
    import h5py

    with h5py.File(path, "r") as file:
        return Examples(file["data"][()], file["label"][()])
