"""A few images on which G is wrong, from stored predictions and the dataset.

Only where both are there and fit the record: the predictions must give exactly the counts that
the record holds.
"""

from __future__ import annotations

import base64
import io
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.cache import DatasetCache
from harness.datasets.descriptions import data_is_present, load_benchmark, load_sets
from harness.datasets.pictures import as_picture
from harness.records.errors import HarnessError
from harness.records.traversal import checkpoint_name
from harness.storage.goodnets import GoodNetAnswers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.records.benchmark import Benchmark, LabeledSet
    from harness.records.predictions import Answers
    from harness.records.record import Checkpoint, Record
    from harness.storage.results import Store

_EACH = 2
"""Images of one kind for one checkpoint."""

_HEIGHT = 110
"""About as many pixels are shown of each, in a whole multiple of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One image, what it is and what G answered."""

    checkpoint: str
    """Whose G it is, as in ``X = 2``."""

    picture: str
    """A data URI of a PNG."""

    truth: str
    answer: str

    width: int
    """In pixels, as it is shown."""

    height: int


class Evidence:
    """Images and labels of one benchmark and stored predictions, each read when it is needed."""

    def __init__(self, store: Store, benchmark: Benchmark, sets: Mapping[str, LabeledSet]) -> None:
        self.benchmark = benchmark
        self.sets = sets
        self._goodnets = GoodNetAnswers(store)
        self._pictures: dict[tuple[str, int], str] = {}

    def picture(self, name: str, index: int) -> str:
        """An image of a set as a data URI."""
        if (name, index) not in self._pictures:
            self._pictures[name, index] = _data_uri(self.sets[name].images[index])
        return self._pictures[name, index]

    def shown_size(self) -> tuple[int, int]:
        """Width and height at which images are shown."""
        height, width, _ = self.benchmark.input_shape
        scale = max(1, _HEIGHT // height)
        return scale * width, scale * height

    def goodnet(self, checkpoint: Checkpoint, record: Record, name: str) -> Answers | None:
        """What G answered on a set; None where it is not stored."""
        return self._goodnets.of(record, checkpoint, name)


@contextmanager
def open_examples(store: Store, audience: str) -> Iterator[Callable[[Record], list[Example]]]:
    """A function from a view of a record to its examples.

    Students see images of the validation set, which they have, and none of a private split.
    """
    evidence_of = evidence_opener(store)

    def examples_of(record: Record) -> list[Example]:
        if audience == "student" and record.dataset.split != "public":
            return []
        split = "test" if audience == "instructor" else "valid"
        return examples(record, split, evidence_of(record))

    yield examples_of


def evidence_opener(store: Store) -> Callable[[Record], Evidence | None]:
    """A function from a record to the images it was graded on; None where they are not here."""
    datasets = DatasetCache(store.folder / "sets")

    @cache
    def open_once(dataset: str) -> Evidence | None:
        return _open_evidence(store, dataset, datasets)

    def evidence_of(record: Record) -> Evidence | None:
        dataset = datasets.known_dataset(record.dataset.arrays) or record.dataset.name
        return open_once(dataset)

    return evidence_of


def _open_evidence(store: Store, dataset: str, kept: DatasetCache) -> Evidence | None:
    """What there is of a benchmark; None where its data is not on this machine, or is damaged."""
    try:
        benchmark, folder = load_benchmark(dataset)
        if not data_is_present(benchmark, folder):
            return None
        # Whether these images are the record's is told by its counts.
        sets = load_sets(replace(benchmark, hashes={}), folder, cache=kept)
        return Evidence(store, benchmark, sets)
    except HarnessError:
        return None


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
        if goodnet is None or _hits(goodnet, evidence.sets[name].labels) != hits:
            return
        answers[name] = goodnet

    for name, goodnet in answers.items():
        for index in _mistakes(name, goodnet, evidence):
            labeled, answer = evidence.sets[name], int(goodnet.class_ids[index])
            width, height = evidence.shown_size()
            yield Example(
                checkpoint=checkpoint_name(checkpoint.drop_points),
                picture=evidence.picture(name, index),
                truth=_truth(labeled, index),
                answer=_answer_in_words(answer, labeled, index, record.classes),
                width=width,
                height=height,
            )


def _hits(answers: Answers, labels: np.ndarray) -> int | None:
    """How many answers are the label; None where answers and labels do not belong together."""
    if len(labels) != len(answers.class_ids):
        return None
    return int(np.count_nonzero(answers.class_ids == labels))


def _mistakes(name: str, answers: Answers, evidence: Evidence) -> Iterator[int]:
    """Images on which G is wrong, by kind of mistake.

    Clean: called backdoored, or of another class. Backdoored: of the target class, or of another.
    """
    labels = evidence.sets[name].labels
    of_label = answers.class_ids == labels
    of_other_class = ~answers.abstained & ~of_label
    first_kind = of_label if name.startswith("bd_") else answers.abstained

    # The same random order for everybody, so that the pages of a course show the same images.
    order = np.random.default_rng(0).permutation(len(answers.class_ids))
    for is_mistake in (first_kind, of_other_class):
        for index in order[is_mistake[order]][:_EACH]:
            yield int(index)


def _truth(labeled: LabeledSet, index: int) -> str:
    if labeled.kind == "clean":
        return f"clean, class {labeled.labels[index]}"
    names = [each.name for each in labeled.attacks if each.start <= index < each.stop]
    said = f"backdoored ({names[0]})" if names else "backdoored"
    originals = labeled.original_labels
    return said if originals is None else f"{said}, class {originals[index]}"


def _answer_in_words(answer: int, labeled: LabeledSet, index: int, classes: int) -> str:
    if answer == classes:
        return "backdoored (N+1)"
    if labeled.kind == "backdoored" and answer == labeled.labels[index]:
        return f"class {answer}, the attack's target"
    return f"class {answer}"


def _data_uri(pixels: np.ndarray) -> str:
    from PIL import Image

    output = io.BytesIO()
    Image.fromarray(as_picture(pixels)).save(output, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(output.getvalue()).decode()
