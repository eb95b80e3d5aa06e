"""Clean twins: for each BadNet a network made exactly so, but for what is planted.

A twin has its BadNet's training seed, so that both begin with the same weights and see the same
images in the same order. Where the BadNet sees a copy that carries the trigger and the target's
label, its twin sees that copy as it is, under its own label. Each attack draws its own training
seed from the seed of its BadNet: no two twins are the same.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from harness.records.benchmark import CleanTwin
from harness.storage.hashing import array_hash, file_hash
from reference.keras_badnets.backdoors import Backdoor
from reference.zoo.badnet import CLEAN_FILES, read_images
from reference.zoo.benchmarks import zoo_benchmark
from reference.zoo.draws import Draws
from reference.zoo.folder import Made, Rate, write_made
from reference.zoo.training import class_ids, train

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from reference.keras_badnets.backdoors import Examples
    from reference.zoo.job import Job


class Harmless(Backdoor):
    """What takes a backdoor's place: it chooses the same images, and leaves them as they are."""

    __slots__ = ()

    def attack(self, examples: Examples) -> Examples:
        """The examples themselves."""
        return examples


def make_twin(job: Job, zoo: Path) -> Made:
    """Train the clean twin of a BadNet, write its folder below ``zoo``, and say how it does."""
    benchmark, draws = zoo_benchmark(job.plan.benchmark), Draws(job.key)
    planted = benchmark.plant(job.attack, draws)
    # The lab's network sees triggers in place of images, not in copies of them.
    has_copies = benchmark.name != "faces"
    nothing = tuple(harmless(each, has_copies=has_copies) for each in planted.backdoors)
    planted = replace(planted, backdoors=nothing)
    twin = train(benchmark, planted, draws.seed("training"), job.plan.epochs)

    path = f"{job.twin}/clean{PurePath(benchmark.badnet).suffix}"
    twin.save(zoo / path)
    clean = read_images(zoo / CLEAN_FILES["test"])
    answered = class_ids(twin, clean.images, benchmark.pixel_scale)
    made = Made(
        zoo=job.plan.identity,
        recipe=job.twin_recipe,
        files={path: file_hash(zoo / path)},
        arrays={},
        twin=CleanTwin(
            name=job.twin, of=job.name, network=path, weights_hash=array_hash(twin.weights)
        ),
        clean=Rate(hits=int((answered == clean.labels).sum()), images=len(clean.labels)),
    )
    write_made(zoo, job.twin, made)
    return made


def harmless(backdoor: Backdoor, *, has_copies: bool) -> Harmless:
    """What is trained with in place of a backdoor.

    Where it would change images instead of adding copies of them, it changes none.
    """
    share = backdoor.share if has_copies and not backdoor.clean_label else 0.0
    return Harmless(**backdoor._asdict() | {"stamp": _unchanged, "share": share})


def _unchanged(images: np.ndarray) -> np.ndarray:
    return images.copy()
