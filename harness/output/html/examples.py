"""A few images on which G and the truth part ways, from stored predictions and the data set.

Only where both are there and fit the record: the stored predictions must give the very counts
that the record holds.
"""

from __future__ import annotations

import base64
import io
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.cache import DatasetCache
from harness.datasets.descriptions import data_is_present, load_benchmark
from harness.records.errors import HarnessError
from harness.records.predictions import compose_goodnet
from harness.records.traversal import checkpoint_name
from harness.storage.results import answers_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.records.benchmark import Benchmark
    from harness.records.predictions import Answers
    from harness.records.record import Checkpoint, Record
    from harness.storage.results import Store

_EACH = 2
"""Images of one kind for one checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One image, what it is and what G answered; ``picture`` is a data URI of a PNG."""

    where: str
    picture: str
    truth: str
    answer: str


class Evidence:
    """Images and labels of one benchmark and stored predictions, read as they are asked for."""

    def __init__(self, store: Store, benchmark: Benchmark, folder: Path) -> None:
        self.benchmark = benchmark
        self._store, self._folder = store, folder
        self._open = ExitStack()
        self._files: dict[str, dict[str, object]] = {}
        self._labels: dict[tuple[str, str], np.ndarray | None] = {}
        self._drawn: dict[tuple[str, int], str] = {}
        self._badnet: dict[tuple[str, str], Answers | None] = {}

    def __enter__(self) -> Evidence:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def labels(self, name: str, key: str = "label") -> np.ndarray | None:
        """The labels of a set; of ``original_label`` None where the file has none."""
        if (name, key) not in self._labels:
            file = self._file(name)
            found = np.asarray(file[key]).reshape(-1).astype(np.int64) if key in file else None
            self._labels[name, key] = found
        return self._labels[name, key]

    def picture(self, name: str, index: int) -> str:
        """An image of a set as a data URI."""
        if (name, index) not in self._drawn:
            pixels = np.asarray(self._file(name)["data"][index])  # type: ignore[index]
            self._drawn[name, index] = _data_uri(pixels.transpose(1, 2, 0))
        return self._drawn[name, index]

    def goodnet(self, checkpoint: Checkpoint, record: Record, name: str) -> Answers | None:
        """What G answered: its own stored predictions, or those of B and B' by the GoodNet rule."""
        set_hash = record.dataset.arrays.get(name)
        own = checkpoint.goodnet_artifact or checkpoint.artifact
        if set_hash is None or own is None or own.predictions is None:
            return None
        answers = self._answers(own.predictions, set_hash, record)
        if answers is None or checkpoint.goodnet_artifact is not None:
            return answers
        badnet = self._badnet_answers(record, set_hash)
        if badnet is None or len(badnet) != len(answers):
            return None
        return compose_goodnet(badnet, answers)

    def _badnet_answers(self, record: Record, set_hash: str) -> Answers | None:
        weights_hash = record.badnet_weights_hash or ""
        if (weights_hash, set_hash) not in self._badnet:
            key = answers_key(weights_hash, self.benchmark.pixel_scale)
            self._badnet[weights_hash, set_hash] = self._answers(key, set_hash, record)
        return self._badnet[weights_hash, set_hash]

    def _answers(self, key: str, set_hash: str, record: Record) -> Answers | None:
        stored = self._store.answers(key, set_hash, record.classes)
        return stored.answers if stored else None

    def _file(self, name: str) -> dict[str, object]:
        import h5py

        if name not in self._files:
            path = self._folder / self.benchmark.files[name]
            self._files[name] = self._open.enter_context(h5py.File(path, "r"))
        return self._files[name]


@contextmanager
def shown_examples(store: Store, audience: str) -> Iterator[Callable[[Record], list[Example]]]:
    """A function from a view of a record to its examples, while the data's files are open.

    Students see images of the validation set, which is theirs, and none of a private split.
    """
    kept = DatasetCache(store.folder / "sets")
    with ExitStack() as files:

        @cache
        def evidence(dataset: str) -> Evidence | None:
            found = _evidence(store, dataset)
            return files.enter_context(found) if found else None

        def of(record: Record) -> list[Example]:
            if audience == "student" and record.dataset.split != "public":
                return []
            split = "test" if audience == "instructor" else "valid"
            found_at = kept.known_dataset(record.dataset.arrays) or record.dataset.name
            return examples(record, split, evidence(found_at))

        yield of


def _evidence(store: Store, dataset: str) -> Evidence | None:
    """What there is of a benchmark; None where its data is not on this machine any more."""
    try:
        benchmark, folder = load_benchmark(dataset)
    except HarnessError:
        return None
    return Evidence(store, benchmark, folder) if data_is_present(benchmark, folder) else None


def examples(record: Record, split: str, evidence: Evidence | None) -> list[Example]:
    """Images of ``split`` on which G is wrong: a few for each checkpoint and kind of mistake."""
    if evidence is None or evidence.benchmark.name != record.dataset.name:
        return []
    try:
        return [
            example
            for checkpoint in record.checkpoints
            for example in _of_checkpoint(checkpoint, record, split, evidence)
        ]
    except (OSError, KeyError, ValueError, IndexError):
        return []  # the data has changed or is damaged: grading says so, a page does without


def _of_checkpoint(
    checkpoint: Checkpoint, record: Record, split: str, evidence: Evidence
) -> Iterator[Example]:
    clean, backdoored = (
        evidence.goodnet(checkpoint, record, name) for name in (split, f"bd_{split}")
    )
    if clean is None or backdoored is None:
        return
    if not _fits(checkpoint, split, (clean, backdoored), evidence):
        return
    where, classes = checkpoint_name(checkpoint.drop_points), record.classes
    for name, found in ((split, clean), (f"bd_{split}", backdoored)):
        for index in _mistakes(name, found, evidence):
            yield Example(
                where=where,
                picture=evidence.picture(name, index),
                truth=_truth(name, index, evidence),
                answer=_said(int(found.class_ids[index]), name, classes, evidence),
            )


def _fits(
    checkpoint: Checkpoint, split: str, answers: tuple[Answers, Answers], evidence: Evidence
) -> bool:
    """Whether labels and predictions give the counts of the record, and so belong to it."""
    counts = getattr(checkpoint.goodnet, split) if checkpoint.goodnet else None
    labels = evidence.labels(split), evidence.labels(f"bd_{split}")
    if counts is None or any(
        known is None or len(known) != len(found.class_ids)
        for known, found in zip(labels, answers, strict=True)
    ):
        return False
    right = [
        int(np.count_nonzero(found.class_ids == known))
        for known, found in zip(labels, answers, strict=True)
    ]
    return right == [counts.clean_correct, counts.backdoored_attacked]


def _mistakes(name: str, answers: Answers, evidence: Evidence) -> Iterator[int]:
    """Clean images called backdoored or another class; attacks that got through or to a class."""
    labels = evidence.labels(name)
    other = ~answers.abstained & (answers.class_ids != labels)
    kinds = (answers.class_ids == labels, other) if name.startswith("bd_") else (
        answers.abstained, other)  # fmt: skip
    # The same mixed order for everybody, so that the pages of a course are alike.
    order = np.random.default_rng(0).permutation(len(answers.class_ids))
    for kind in kinds:
        yield from (int(index) for index in order[kind[order]][:_EACH])


def _truth(name: str, index: int, evidence: Evidence) -> str:
    labels = evidence.labels(name)
    if not name.startswith("bd_"):
        return f"clean, class {labels[index]}" if labels is not None else "clean"
    original = evidence.labels(name, "original_label")
    return "backdoored" + ("" if original is None else f", class {original[index]}")


def _said(answer: int, name: str, classes: int, evidence: Evidence) -> str:
    if answer == classes:
        return "backdoored (N+1)"
    is_target = name.startswith("bd_") and answer == evidence.benchmark.target_label
    return f"class {answer}" + (", the attack's target" if is_target else "")


def _data_uri(pixels: np.ndarray) -> str:
    from PIL import Image

    output = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(output, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(output.getvalue()).decode()
