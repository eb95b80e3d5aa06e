"""Results folders with predictions by hand: which images each G gets right is chosen."""

from dataclasses import replace

import numpy as np
from records_by_hand import artifact, counts, record

from harness.records.errors import Status
from harness.records.predictions import Answers
from harness.records.record import Checkpoint, DatasetIdentity, SplitCounts
from harness.storage.results import Store, StoredAnswers, answers_key

IMAGES = 1000
CLASSES = 1283
TARGET = 7
HASHES = {name: f"{name}-hash" for name in ("valid", "test", "bd_valid", "bd_test")}
LABELS = {"test": np.arange(IMAGES) % 5, "bd_test": np.full(IMAGES, TARGET)}
OTHER = 9
"""A class that no image has."""


def put_answers(results, key, by_set):
    for name, class_ids in by_set.items():
        answers = Answers(class_ids=np.asarray(class_ids), classes=CLASSES,
                          not_finite=np.zeros(len(class_ids), dtype=bool))  # fmt: skip
        Store(results).put_answers(key, HASHES[name], StoredAnswers(answers, CLASSES, None))


def put_badnet(results, scale=1.0):
    """Labels, and a BadNet that is right on clean images and fooled by all backdoored ones."""
    put_answers(results, answers_key("b", scale), LABELS)
    for name, labels in LABELS.items():
        Store(results).put_labels(HASHES[name], labels)


def submission(results, name, right=IMAGES, fooled=0, scale=1.0):
    """A record whose B' is right on the first clean images and fooled by the last backdoored."""
    key = answers_key(f"key{name}", scale)
    clean = np.where(np.arange(IMAGES) < right, LABELS["test"], OTHER)
    backdoored = np.where(np.arange(IMAGES) >= IMAGES - fooled, TARGET, OTHER)
    put_answers(results, key, {"test": clean, "bd_test": backdoored})

    measured = counts(right, fooled, IMAGES, flagged=(IMAGES - right, IMAGES - fooled))
    own = Checkpoint(
        drop_points=2.0,
        required=True,
        status=Status.GRADED,
        reason=None,
        artifact=replace(artifact(weights_hash=f"key{name}"), predictions=key),
        goodnet_artifact=None,
        goodnet=SplitCounts(valid=measured, test=measured),
        verdict="passed",
    )
    data = DatasetIdentity(name="lab3", arrays=HASHES)
    return record(own, submission=name, dataset=data, classes=CLASSES)
