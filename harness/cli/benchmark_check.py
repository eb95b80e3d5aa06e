"""Do a benchmark's files, its BadNet and what is stated of them fit? For ``data`` commands."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.attack_sets import require_targets
from harness.datasets.descriptions import badnet_file, load_sets
from harness.inference.known_network import (
    BadNet,
    predict_known_network,
    read_benchmark_badnet,
)
from harness.inference.plausibility import require_plausible
from harness.records.benchmark import Datasets
from harness.records.errors import HarnessError
from harness.records.rubric import tolerance_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.records.benchmark import Benchmark, LabeledSet
    from harness.records.predictions import Answers

_log = logging.getLogger(__name__)

WEAK_ATTACK = 0.5
"""An attack that succeeds more seldom is said to be implausible."""

_SPLITS = ("valid", "test")


def verify_files(benchmark: Benchmark, folder: Path) -> list[str]:
    """Check files, shapes, labels, targets and numbers of images; a line for each set."""
    sets = load_sets(benchmark, folder)
    require_targets(benchmark, folder, sets)
    lines = []
    for name, labeled in sets.items():
        expected = benchmark.images.get(name, len(labeled.labels))
        files = ", ".join(str(folder / path) for path in benchmark.set_files[name])
        if len(labeled.labels) != expected:
            raise HarnessError(f"{files}: {len(labeled.labels)} images, expected {expected}")
        if labeled.kind == "clean" and _is_unproven_download(benchmark, name):
            per_class = np.bincount(labeled.labels, minlength=benchmark.classes)
            if len(set(per_class.tolist())) != 1:
                raise HarnessError(f"{files}: not the same number of images in every class")
        lines.append(f"{files}: {expected} images, ok")
    for line in unseen_classes(benchmark, sets):
        _log.warning("%s: %s", folder, line)
    return lines


def _is_unproven_download(benchmark: Benchmark, name: str) -> bool:
    """Whether no hash tells that a set is the published one, which has all classes alike."""
    downloaded = benchmark.google_drive_folder is not None
    return downloaded and name in benchmark.images and name not in benchmark.hashes


def unseen_classes(benchmark: Benchmark, sets: Mapping[str, LabeledSet]) -> Iterator[str]:
    """What there is to say where classes beyond the labels are stated: perhaps one too many."""
    labels = [labeled.labels for labeled in sets.values() if labeled.kind == "clean"]
    most = max(int(each.max()) for each in labels)
    if most < benchmark.classes - 1:
        yield (
            f"{benchmark.classes} classes are stated, but no clean image has a class above {most}; "
            "is classes right?"
        )


def verify_badnet(benchmark: Benchmark, folder: Path, badnet: Path | None) -> list[str]:
    """Compare the BadNet's hits with the published ones, within the tolerance."""
    try:
        path = badnet or badnet_file(benchmark, folder)
    except HarnessError as error:
        return [f"not checked against the BadNet: {error}"]
    datasets = Datasets(benchmark=benchmark, sets=load_sets(benchmark, folder))
    _, answers = ask_badnet(path, datasets, str(folder))
    tolerance = tolerance_of(benchmark)

    lines = []
    for name, labeled in datasets.sets.items():
        hits = count_hits(answers[name], labeled)
        published = benchmark.badnet_counts.get(name)
        if published is not None and abs(hits - published) > tolerance:
            raise HarnessError(
                f"{folder / benchmark.set_files[name][0]}: the BadNet hits {hits} labels, "
                f"published are {published}; these are not the published images"
            )
        lines.append(f"the BadNet hits {hits} of {len(labeled.labels)} labels of {name}")
        for attack in labeled.attacks:
            own = count_hits(answers[name], labeled, attack.images)
            total = attack.stop - attack.start
            lines.append(f"  {attack.name}: {own} of {total}")
    return lines


def ask_badnet(
    badnet: Path, datasets: Datasets, where: str, progress: Callable[[int], None] | None = None
) -> tuple[BadNet, Mapping[str, Answers]]:
    """Read the BadNet and have it answer all sets; raises HarnessError where it does not fit them.

    ``where`` names the data, ``progress`` gets images done so far.
    """
    network, weights = read_benchmark_badnet(
        badnet, datasets.benchmark, lambda: datasets.sets["valid"]
    )
    datasets = replace(datasets, network=network)
    require_plausible(datasets, weights, where)
    answers = predict_known_network(weights, datasets, progress).answers
    return BadNet(network, weights), answers


def count_hits(answers: Answers, labeled: LabeledSet, part: slice = slice(None)) -> int:
    """How many images of a set, or of a part of it, get their label."""
    return int(np.count_nonzero((answers.class_ids == labeled.labels)[part]))


# --- what is implausible ------------------------------------------------------------------------


def implausibilities(datasets: Datasets, answers: Mapping[str, Answers]) -> Iterator[str]:
    """What a benchmark of these images and this BadNet is unlikely to have been meant to be."""
    yield from unseen_classes(datasets.benchmark, datasets.sets)
    yield from _weak_attacks(datasets, answers)
    yield from _repeated_images(datasets)
    yield from _coarse_checkpoints(datasets)


def _weak_attacks(datasets: Datasets, answers: Mapping[str, Answers]) -> Iterator[str]:
    for split in _SPLITS:
        backdoored = datasets.sets[f"bd_{split}"]
        for attack in backdoored.attacks:
            hits = count_hits(answers[backdoored.name], backdoored, attack.images)
            images = attack.stop - attack.start
            if hits >= WEAK_ATTACK * images:
                continue
            given = answers[backdoored.name].class_ids[attack.images]
            common = int(np.bincount(given).argmax())
            share = np.count_nonzero(given == common) / images
            yield (
                f"{attack.name} succeeds on {hits / images:.1%} of its {split} images only, to "
                f"{share:.0%} of which the BadNet answers {common}; is its target right, and the "
                "trigger in them?"
            )


def _repeated_images(datasets: Datasets) -> Iterator[str]:
    seen = {name: _image_bytes(labeled.images) for name, labeled in datasets.sets.items()}
    both = _count_in(seen["valid"], seen["test"])
    if both:
        yield (
            f"{both} of {len(seen['valid'])} images of valid are in test too; a defence is to be "
            "tested on others than it was made on"
        )
    for split in _SPLITS:
        backdoored = datasets.sets[f"bd_{split}"]
        for attack in backdoored.attacks:
            own = seen[backdoored.name][attack.images]
            same = _count_in(own, seen[split])
            if same:
                yield (
                    f"{same} of {len(own)} images of {attack.name} ({split}) are clean images as "
                    "they are, without a trigger"
                )


def _count_in(images: Sequence[bytes], others: Sequence[bytes]) -> int:
    known = set(others)
    return sum(image in known for image in images)


def _image_bytes(images: np.ndarray) -> list[bytes]:
    """A digest of each image: equal for equal pixels."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images]


def _coarse_checkpoints(datasets: Datasets) -> Iterator[str]:
    benchmark = datasets.benchmark
    tolerance = tolerance_of(benchmark)
    images = len(datasets.sets["valid"].labels)
    for points in benchmark.checkpoints:
        if points * images / 100 <= 2 * tolerance:
            yield (
                f"X = {points:g} is {points * images / 100:.1f} of {images} validation images, "
                f"and {tolerance} images off count as equal; take more images, a larger X "
                "(--checkpoint) or --tolerance-images 0"
            )
