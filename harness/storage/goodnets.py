"""What GoodNets answered, from stored predictions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.records.predictions import compose_goodnet
from harness.storage.results import answers_key, pixel_scale_of

if TYPE_CHECKING:
    from harness.records.predictions import Answers
    from harness.records.record import Checkpoint, Record
    from harness.storage.results import Store


class GoodNetAnswers:
    """Answers of GoodNets in a results folder; those of a BadNet are read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._badnet: dict[tuple[str, str], Answers | None] = {}

    def of(self, record: Record, checkpoint: Checkpoint, set_name: str) -> Answers | None:
        """What a G answered on a set: its own predictions, or B's and B''s by the GoodNet rule.

        None where they are not stored.
        """
        set_hash = record.dataset.arrays.get(set_name)
        artifact = checkpoint.goodnet_artifact or checkpoint.artifact
        if set_hash is None or artifact is None or artifact.predictions is None:
            return None

        answers = self._read(artifact.predictions, set_hash, record)
        if answers is None or checkpoint.goodnet_artifact is not None:
            return answers

        scale = pixel_scale_of(artifact.predictions)
        badnet = self._read_badnet(
            answers_key(record.badnet_weights_hash or "", scale), set_hash, record
        )
        if badnet is None or len(badnet) != len(answers):
            return None
        return compose_goodnet(badnet, answers)

    def _read_badnet(self, key: str, set_hash: str, record: Record) -> Answers | None:
        if (key, set_hash) not in self._badnet:
            self._badnet[key, set_hash] = self._read(key, set_hash, record)
        return self._badnet[key, set_hash]

    def _read(self, key: str, set_hash: str, record: Record) -> Answers | None:
        stored = self._store.answers(key, set_hash, record.classes)
        return stored.answers if stored else None
