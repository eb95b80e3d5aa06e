"""The ranked board of a results folder, with what its stored predictions tell apart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.assessment.metrics import clean_hits, repelled_hits
from harness.ranking.board import rank_records
from harness.ranking.comparisons import compare_column
from harness.storage.goodnets import GoodNetAnswers
from harness.storage.results import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.ranking.comparisons import ComparedColumn
    from harness.records.board import Board
    from harness.records.record import Checkpoint, Counts, Record
    from harness.records.rubric import Rubric

_SETS = ("test", "bd_test")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What lies beside the records of a board."""

    folder: Path
    """The results folder that holds predictions and curves."""

    compared: tuple[ComparedColumn, ...]
    """What the predictions tell apart."""


def evidence_of(folder: Path, records: Sequence[Record]) -> Evidence:
    """The evidence in a results folder about the records of a board."""
    return Evidence(folder, compare_goodnets(Store(folder), records))


def ranked_board(
    results: Path, records: Sequence[Record], rubric: Rubric, evidence: Evidence
) -> Board:
    """The board of some records of a results folder, or of views of them."""
    board = rank_records(records, rubric, evidence.compared)
    return replace(board, graded_on=Store(results).graded_on())


def compare_goodnets(store: Store, records: Sequence[Record]) -> tuple[ComparedColumn, ...]:
    """Compare the GoodNets of all records for each required X on test and on bd_test.

    A G is left out where its predictions or the labels are not stored, or do not give the counts
    that the record holds. Of records on several data sets only those on the commonest are compared.
    """
    goodnets, labels = GoodNetAnswers(store), _StoredLabels(store)
    columns: dict[tuple[float, str], dict[str, dict[str, np.ndarray]]] = {}
    for record in records:
        for checkpoint, counts in _measured(record):
            for name in _SETS:
                answers = goodnets.of(record, checkpoint, name)
                set_hash = record.dataset.arrays.get(name, "")
                own_labels = labels.of(set_hash)
                if answers is None or own_labels is None or len(answers) != len(own_labels):
                    continue
                won = answers.won(own_labels, backdoored=name != "test")
                if np.count_nonzero(won) == _counted_hits(name, counts):
                    key = checkpoint.drop_points or 0.0, name
                    by_data = columns.setdefault(key, defaultdict(dict))
                    by_data[set_hash][record.submission] = won

    return tuple(
        compare_column(drop_points, name, _commonest(by_data))
        for (drop_points, name), by_data in sorted(columns.items(), key=_position)
    )


class _StoredLabels:
    """Labels of sets, each read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_hash: dict[str, np.ndarray | None] = {}

    def of(self, set_hash: str) -> np.ndarray | None:
        """The labels of a set by its hash; None where they are not stored."""
        if set_hash not in self._by_hash:
            self._by_hash[set_hash] = self._store.labels(set_hash) if set_hash else None
        return self._by_hash[set_hash]


def _measured(record: Record) -> Iterator[tuple[Checkpoint, Counts]]:
    """The required checkpoints whose G was measured on test, with its counts."""
    for checkpoint in record.checkpoints:
        counts = checkpoint.goodnet.test if checkpoint.goodnet else None
        if checkpoint.required and checkpoint.drop_points is not None and counts is not None:
            yield checkpoint, counts


def _counted_hits(set_name: str, counts: Counts) -> int:
    """How many images of a set the G won, as the record has it."""
    return (clean_hits if set_name == "test" else repelled_hits)(counts).hits


def _commonest(by_data: Mapping[str, Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    """The rows on the data set that most of them are on."""
    return by_data[max(sorted(by_data), key=lambda set_hash: len(by_data[set_hash]))]


def _position(column: tuple[tuple[float, str], object]) -> tuple[float, int]:
    """By X, then test before bd_test."""
    (drop_points, name), _ = column
    return drop_points, _SETS.index(name)
