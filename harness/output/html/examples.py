"""A few images on which G is wrong, from stored predictions and the dataset.

Only where both are there and fit the record: the predictions must give exactly the counts that
the record holds.
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
from harness.records.traversal import checkpoint_name
from harness.storage.goodnets import GoodNetAnswers

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
    """One image, what it is and what G answered."""

    checkpoint: str
    """Whose G it is, as in ``X = 2``."""

    picture: str
    """A data URI of a PNG."""

    truth: str
    answer: str


class Evidence:
    """Images and labels of one benchmark and stored predictions, each read when it is needed."""

    def __init__(self, store: Store, benchmark: Benchmark, folder: Path) -> None:
        self.benchmark = benchmark
        self._goodnets, self._folder = GoodNetAnswers(store), folder
        self._open = ExitStack()
        self._files: dict[str, dict[str, object]] = {}
        self._labels: dict[tuple[str, str], np.ndarray | None] = {}
        self._pictures: dict[tuple[str, int], str] = {}

    def __enter__(self) -> Evidence:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def labels(self, name: str, key: str = "label") -> np.ndarray | None:
        """The labels of a set; of ``original_label`` None where the file has none."""
        if (name, key) not in self._labels:
            file = self._file(name)
            labels = None
            if key in file:
                labels = np.asarray(file[key]).reshape(-1).astype(np.int64)
            self._labels[name, key] = labels
        return self._labels[name, key]

    def picture(self, name: str, index: int) -> str:
        """An image of a set as a data URI."""
        if (name, index) not in self._pictures:
            pixels = np.asarray(self._file(name)["data"][index])  # type: ignore[index]
            self._pictures[name, index] = _data_uri(pixels.transpose(1, 2, 0))
        return self._pictures[name, index]

    def goodnet(self, checkpoint: Checkpoint, record: Record, name: str) -> Answers | None:
        """What G answered on a set; None where it is not stored."""
        return self._goodnets.of(record, checkpoint, name)

    def _file(self, name: str) -> dict[str, object]:
        import h5py

        if name not in self._files:
            path = self._folder / self.benchmark.files[name]
            self._files[name] = self._open.enter_context(h5py.File(path, "r"))
        return self._files[name]


@contextmanager
def open_examples(store: Store, audience: str) -> Iterator[Callable[[Record], list[Example]]]:
    """A function from a view of a record to its examples, while the data's files are open.

    Students see images of the validation set, which they have, and none of a private split.
    """
    datasets = DatasetCache(store.folder / "sets")
    with ExitStack() as files:

        @cache
        def open_once(dataset: str) -> Evidence | None:
            evidence = _open_evidence(store, dataset)
            return files.enter_context(evidence) if evidence else None

        def examples_of(record: Record) -> list[Example]:
            if audience == "student" and record.dataset.split != "public":
                return []
            split = "test" if audience == "instructor" else "valid"
            dataset = datasets.known_dataset(record.dataset.arrays) or record.dataset.name
            return examples(record, split, open_once(dataset))

        yield examples_of


def _open_evidence(store: Store, dataset: str) -> Evidence | None:
    """What there is of a benchmark; None where its data is no longer on this machine."""
    try:
        benchmark, folder = load_benchmark(dataset)
    except HarnessError:
        return None
    return Evidence(store, benchmark, folder) if data_is_present(benchmark, folder) else None


def examples(record: Record, split: str, evidence: Evidence | None) -> list[Example]:
    """Images of ``split`` on which G is wrong: a few for each checkpoint and kind of mistake."""
    if evidence is None or evidence.benchmark.name != record.dataset.name:
        return []

    mistakes: list[Example] = []
    try:
        for checkpoint in record.checkpoints:
            mistakes += _checkpoint_examples(checkpoint, record, split, evidence)
    except (OSError, KeyError, ValueError, IndexError):
        # The data has changed or is damaged. Grading reports that; a page does without examples.
        return []
    return mistakes


def _checkpoint_examples(
    checkpoint: Checkpoint, record: Record, split: str, evidence: Evidence
) -> Iterator[Example]:
    counts = getattr(checkpoint.goodnet, split) if checkpoint.goodnet else None
    if counts is None:
        return
    expected = {split: counts.clean_correct, f"bd_{split}": counts.backdoored_attacked}

    answers: dict[str, Answers] = {}
    for name, hits in expected.items():
        goodnet = evidence.goodnet(checkpoint, record, name)
        if goodnet is None or _hits(goodnet, evidence.labels(name)) != hits:
            return
        answers[name] = goodnet

    for name, goodnet in answers.items():
        for index in _mistakes(name, goodnet, evidence):
            answer = int(goodnet.class_ids[index])
            yield Example(
                checkpoint=checkpoint_name(checkpoint.drop_points),
                picture=evidence.picture(name, index),
                truth=_truth(name, index, evidence),
                answer=_answer_in_words(answer, name, record.classes, evidence),
            )


def _hits(answers: Answers, labels: np.ndarray | None) -> int | None:
    """How many answers are the label; None where answers and labels do not belong together."""
    if labels is None or len(labels) != len(answers.class_ids):
        return None
    return int(np.count_nonzero(answers.class_ids == labels))


def _mistakes(name: str, answers: Answers, evidence: Evidence) -> Iterator[int]:
    """Images on which G is wrong, by kind of mistake.

    Clean: called backdoored, or of another class. Backdoored: of the target class, or of another.
    """
    labels = evidence.labels(name)
    of_label = answers.class_ids == labels
    of_other_class = ~answers.abstained & ~of_label
    first_kind = of_label if name.startswith("bd_") else answers.abstained

    # The same random order for everybody, so that the pages of a course show the same images.
    order = np.random.default_rng(0).permutation(len(answers.class_ids))
    for is_mistake in (first_kind, of_other_class):
        for index in order[is_mistake[order]][:_EACH]:
            yield int(index)


def _truth(name: str, index: int, evidence: Evidence) -> str:
    labels = evidence.labels(name)
    if not name.startswith("bd_"):
        return f"clean, class {labels[index]}" if labels is not None else "clean"
    original = evidence.labels(name, "original_label")
    return "backdoored" if original is None else f"backdoored, class {original[index]}"


def _answer_in_words(answer: int, name: str, classes: int, evidence: Evidence) -> str:
    if answer == classes:
        return "backdoored (N+1)"
    if name.startswith("bd_") and answer == evidence.benchmark.target_label:
        return f"class {answer}, the attack's target"
    return f"class {answer}"


def _data_uri(pixels: np.ndarray) -> str:
    from PIL import Image

    output = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(output, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(output.getvalue()).decode()
