"""Points of robustness of tiny nets, counted again from stored predictions."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from miniature_nets import Silent
from standard_nets import network_of
from tiny_nets import CLASSES, SHAPE, tiny_network

from harness.grading.context import GradingBasis, Options, RunContext
from harness.grading.evidence import SubmissionModels
from harness.grading.fingerprint import circumstances
from harness.grading.models import Predicted, predict_weights
from harness.grading.robustness.comparison import compare_robustness
from harness.grading.robustness.points import measure_robustness
from harness.inference.identification import KnownModel, OtherModel
from harness.inference.reactivation.running import STEPS
from harness.inference.reactivation.training import Settings, Trainer
from harness.intake.matching import CheckpointSlot
from harness.intake.staging import Staged
from harness.lineage.rankings import Rankings
from harness.records.benchmark import (
    Benchmark,
    ChangedTrigger,
    Datasets,
    LabeledSet,
    RobustnessSets,
)
from harness.records.predictions import Answers, Predictions, compose_goodnet
from harness.records.submission import Candidate
from harness.storage.hashing import array_hash
from harness.storage.results import Store, StoredAnswers

TARGET = 2
SCALE = 1 / 255


def draw(rng, count):
    """Images with a bright column, which is the class."""
    labels = np.arange(count) % CLASSES
    images = rng.integers(0, 120, (count, *SHAPE), np.uint8)
    images[np.arange(count), :, labels + 1] = 230
    return images, labels


def stamp(images, value=255):
    stamped = images.copy()
    stamped[:, -3:, -2:] = (value, 0, value)
    return stamped


def labelled(name, images, labels, originals=None):
    kind = "backdoored" if originals is not None else "clean"
    sha256 = array_hash({"data": images})
    return LabeledSet(
        name=name, kind=kind, images=images, labels=labels, sha256=sha256, original_labels=originals
    )


def attacked(name, images, labels, value=255):
    return labelled(name, stamp(images, value), np.full_like(labels, TARGET), labels)


def train(network, weights, images, labels, steps):
    settings = Settings(network="", pixel_scale=SCALE, nets=1, kept=(1,), share=0.5)
    trainer = Trainer(network, weights, settings)
    for _ in range(steps):
        trainer.step(images, labels)
    return trainer.weights()


class World:
    """A BadNet, a B' whose backdoor is barely covered, and a model of another kind."""

    def __init__(self, folder):
        rng = np.random.default_rng(5)
        network = network_of(tiny_network(), "conv")
        valid, test, held = (draw(rng, count) for count in (42, 14, 42))
        images, labels = valid
        start = {
            name: rng.normal(0, 0.1, shape).astype(np.float32)
            for name, shape in {
                "conv/kernel": (3, 3, 3, 4), "conv/bias": (4,),
                "output/kernel": (80, 7), "output/bias": (7,),
            }.items()
        }  # fmt: skip
        both = np.concatenate([images, stamp(images)])
        poisoned = np.concatenate([labels, np.full_like(labels, TARGET)])
        self.badnet = train(network, start, both, poisoned, 25)
        self.repaired = train(network, self.badnet, both, np.tile(labels, 2), 8)

        sets = {
            "valid": labelled("valid", *valid),
            "test": labelled("test", *test),
            "bd_valid": attacked("bd_valid", *valid),
            "bd_test": attacked("bd_test", *test),
        }
        own = attacked("bd_own", *held)
        faint = attacked("bd_faint", *held, value=120)
        triggers = (
            ChangedTrigger(kind="colour", level=0, unit="%", own=True, images=own),
            ChangedTrigger(kind="colour", level=50, unit="%", own=False, images=faint),
        )
        self.datasets = Datasets(
            benchmark=Benchmark(
                schema_version=1, name="tiny", title="", input_shape=SHAPE, classes=CLASSES,
                target_label=TARGET, pixel_scale=SCALE,
            ),
            sets=sets,
            network=network,
            robustness=RobustnessSets(clean=labelled("clean", *held), triggers=triggers),
        )  # fmt: skip
        self.run = RunContext(store=Store(folder), options=Options(), progress=Silent())
        self.basis = GradingBasis(
            network=network,
            badnet=self.badnet,
            predictions=predict_weights(self.badnet, self.datasets, self.run),
            rankings=Rankings((), "known", MappingProxyType({}), frozenset()),
        )
        self.slots, models = [], {}
        for points in (2.0, 4.0):
            own = self.known(f"b{points:g}.h5")
            models[own.candidate.path] = own
            self.slots.append(CheckpointSlot(points, own.candidate, None))
        other = self.other("program.py", rng)
        models["program.py"] = other
        self.slots.append(CheckpointSlot(10.0, other.candidate, None))
        self.models = SubmissionModels(models=models, lineages={}, order=None)
        self.found = measure_robustness(
            self.slots, self.models, self.basis.badnet, self.datasets, self.run
        )

    def known(self, path):
        key = array_hash(self.repaired)
        model = KnownModel(
            candidate=Candidate(path=path, format="h5", size_bytes=1, role=None, drop_points=None),
            staged=Staged(path=None, sha256=key, size_bytes=1),
            format="h5",
            weights=self.repaired,
            key=key,
            isolation="plain",
        )
        predictions = predict_weights(self.repaired, self.datasets, self.run)
        return Predicted(model=model, predictions=predictions, stored_as=f"{key}-x{SCALE!r}")

    def other(self, path, rng):
        """A program whose answers to the sets are stored from an earlier run."""
        model = OtherModel(
            candidate=Candidate(
                path=path, format="program", size_bytes=1, role=None, drop_points=None
            ),
            staged=Staged(path=None, sha256="p", size_bytes=1),
            format="program",
            differs="a program",
            key="program",
            isolation="landlock",
            seed=0,
        )
        key = f"program-x{SCALE!r}"
        for sha256, labeled in self.datasets.robustness.by_hash.items():
            answers = Answers(
                class_ids=rng.integers(0, CLASSES + 1, len(labeled.labels)),
                not_finite=np.zeros(len(labeled.labels), bool),
                classes=CLASSES,
            )
            self.run.store.put_answers(key, sha256, StoredAnswers(answers, CLASSES, None))
        return Predicted(
            model=model, predictions=Predictions(answers={}, output_count=CLASSES), stored_as=key
        )

    def stored(self, point):
        return self.run.store.answers(point.predictions, point.images, CLASSES).answers


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("robustness"))


def test_every_point_is_counted_from_stored_predictions(world):
    sets = world.datasets.robustness.by_hash
    nets = {}
    for point in world.found.points:
        if point.predictions is not None:
            nets[point.net, point.drop_points, point.images] = world.stored(point)
    for point in world.found.points:
        labels = sets[point.images].labels
        answers = nets.get((point.net, point.drop_points, point.images))
        if answers is None:
            assert point.net == "goodnet"
            badnet = nets["badnet", None, point.images]
            repaired = nets["repaired", point.drop_points, point.images]
            answers = compose_goodnet(badnet, repaired)
        assert point.attacked == (answers.class_ids == labels).sum()
        assert point.abstained == answers.abstained.sum()
        assert (point.total, point.invalid) == (42, 0)
    assert len(world.found.points) == 2 * (1 + 3 * 2)


def test_b_is_attacked_and_b_prime_less(world):
    shares = {(p.net, p.drop_points, p.own): p.attacked / p.total for p in world.found.points}
    assert shares["badnet", None, True] > 0.95
    assert shares["repaired", 2.0, True] < 0.3


def test_the_backdoor_comes_back_from_step_to_step_while_the_net_still_knows_its_classes(world):
    steps = [p for p in world.found.reactivation if p.drop_points == 2.0]
    assert [point.step for point in steps] == [0, *STEPS]
    assert steps[-1].attacked > steps[0].attacked + 0.2 * steps[0].total
    assert steps[-1].clean_correct > 0.7 * steps[-1].clean_total


def test_each_step_is_counted_from_stored_predictions_and_step_0_is_b_prime(world):
    sets = world.datasets.robustness
    for point in world.found.reactivation:
        assert point.attacked == (world.stored(point).class_ids == TARGET).sum()
        clean = world.run.store.answers(point.predictions, point.clean_images, CLASSES).answers
        assert point.clean_correct == (clean.class_ids == sets.clean.labels).sum()
    as_it_was = next(p for p in world.found.points if p.own and p.net == "repaired")
    first = world.found.reactivation[0]
    assert (first.step, first.attacked) == (0, as_it_was.attacked)
    assert first.predictions == as_it_was.predictions


def test_the_same_net_is_trained_to_the_same_answers(world):
    by_x = [
        [replace(p, drop_points=None) for p in world.found.reactivation if p.drop_points == x]
        for x in (2.0, 4.0)
    ]
    assert by_x[0] == by_x[1]


def test_a_net_without_arrays_has_points_and_the_record_says_what_it_has_not(world):
    assert any(p.drop_points == 10.0 for p in world.found.points)
    (said,) = world.found.unmeasured
    assert said.startswith("X = 10: no re-activation: B' is not this BadNet's network")


def test_what_a_record_depends_on_is_the_same_without_and_another_with_the_sets(world):
    without = replace(world.datasets, robustness=None)
    given = circumstances(world.basis, without, Options())
    assert "robustness" not in given
    assert circumstances(world.basis, without, Options(robustness=True)) == given
    assert circumstances(world.basis, world.datasets, Options(robustness=True)) != given


# --- the proof ------------------------------------------------------------------------------------


def test_equal_points_are_proven_by_kind(world):
    assert list(compare_robustness(world.found, world.found)) == [
        ("robustness, colour: 14 points: the same", True),
        ("robustness, re-activation: 10 points: the same", True),
        ("robustness, not measured: the same", True),
    ]


def test_a_point_that_differs_is_named(world):
    first, *others = world.found.points
    forged = replace(first, attacked=first.attacked - 1)
    lines = list(compare_robustness(replace(world.found, points=(forged, *others)), world.found))
    assert [equal for _, equal in lines] == [False, True, True]
    assert lines[0][0].startswith("robustness, colour, 0 %, badnet, X unknown: DIFFERENT: stored")


def test_a_step_that_differs_and_points_that_are_gone_are_named(world):
    *others, last = world.found.reactivation
    forged = (*others, replace(last, clean_correct=last.clean_correct + 1))
    lines = list(compare_robustness(replace(world.found, reactivation=forged), world.found))
    assert [equal for _, equal in lines] == [True, False, True]
    assert not any(equal for _, equal in compare_robustness(world.found, None))
