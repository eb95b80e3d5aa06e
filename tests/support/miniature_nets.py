"""A miniature benchmark of drawn nets: submissions are graded on it without a file or a sandbox.

The nets are real: a drawn BadNet, labels that it answers itself, and its own pruning curve. What
a student's file says (its X) comes from its drawn name, as in grading.
"""

from dataclasses import dataclass, replace

import numpy as np
from records_by_hand import record

from harness.assessment.metrics import split_counts
from harness.assessment.verdict import assess
from harness.grading.context import GradingBasis, Options, RunContext
from harness.grading.evidence import gather_checkpoint, trace_lineages
from harness.grading.models import Predicted, predict_weights
from harness.inference.identification import KnownModel, OtherModel
from harness.intake.checkpoint_names import points_in_name
from harness.intake.matching import Expectation, IdentifiedModel, assign
from harness.intake.staging import Staged
from harness.lineage.lineage import kernel_hashes, zero_channels
from harness.lineage.rankings import measured_rankings
from harness.records.benchmark import SETS, Benchmark, Datasets, LabeledSet
from harness.records.predictions import Predictions, compose_goodnet
from harness.records.record import SCHEMA_VERSION
from harness.records.submission import Candidate
from harness.storage.hashing import array_hash
from harness.storage.results import Store

IMAGES = 400
DORMANT = 12
REQUIRED = (2.0, 4.0, 10.0)

ELSEWHERE_SEED = 99
"""Draws the other BadNet that is known, by the name ``elsewhere``."""

NAMES = (
    "model_X={x}.h5",
    "B_prime_{x}_weights.h5",
    "repaired_x{x}.h5",
    "pruned_net_{x}.h5",
    "Repaired_net_{x}_percent_threshold.h5",
    "Lab/Lab3 /{x}_percent_drop.h5",
)


class Silent:
    def stage(self, submission, what):
        pass

    def images(self, done, total):
        pass


@dataclass
class World:
    """The miniature benchmark and what is drawn for it; ``crossings`` maps X to its step."""

    rng: np.random.Generator
    basis: GradingBasis
    datasets: Datasets
    run: RunContext
    crossings: dict

    @property
    def badnet(self):
        return self.basis.badnet

    def predict(self, weights, names=SETS):
        return predict_weights(weights, self.datasets, self.run, names)

    def mask(self, points, family=0):
        order = self.basis.rankings.orders[family]
        return [*order.dormant, *order.sequence()[: self.crossings[points]]]

    def honest_nets(self):
        """B' for each X, the right channels zeroed in a drawn sequence."""
        return {
            x: zero_channels(self.badnet, self.rng.permutation(sorted(self.mask(x))).tolist())
            for x in REQUIRED
        }

    def nets_in_order(self, order):
        """B' for each X, as many channels pruned as is right, but in another order."""
        return {
            x: zero_channels(self.badnet, order[: DORMANT + self.crossings[x]]) for x in REQUIRED
        }

    def composed_answers(self, repaired):
        """What the G of B and this B' answers."""
        badnet, answers = self.basis.predictions.answers, self.predict(repaired).answers
        return {name: compose_goodnet(badnet[name], answers[name]) for name in SETS}

    def candidate(self, points, role=None):
        path = self.rng.choice(NAMES).format(x=f"{points:g}")
        assert points_in_name(path, REQUIRED) == points
        return Candidate(
            path=f"{self.rng.integers(1e6)}/{path}",
            format="h5",
            size_bytes=1,
            role=role,
            drop_points=points,
        )

    def repaired(self, points, weights):
        key = array_hash(weights)
        model = KnownModel(
            candidate=self.candidate(points),
            staged=Staged(path=None, sha256=key, size_bytes=1),
            format="h5",
            weights=weights,
            key=key,
            isolation="plain",
        )
        predictions = self.predict(weights)
        return Predicted(model=model, predictions=predictions, stored_as=key, probe=None)

    def goodnet(self, points, answers, output_count):
        key = f"file-{self.rng.integers(1e9)}"
        model = OtherModel(
            candidate=self.candidate(points, role="goodnet"),
            staged=Staged(path=None, sha256=key, size_bytes=1),
            format="h5",
            differs="",
            key=key,
            isolation="none",
            seed=0,
        )
        predictions = Predictions(answers=answers, output_count=output_count)
        return Predicted(model=model, predictions=predictions, stored_as=key, probe=None)

    def grade(self, nets, goodnets=(), claims=()):
        """The record of a submission with a B' for each X of ``nets``, and these G."""
        models = [self.repaired(x, weights) for x, weights in nets.items()] + list(goodnets)
        identified = [
            IdentifiedModel(m.candidate, m.model.key, m.predictions.output_count) for m in models
        ]
        benchmark = self.datasets.benchmark
        slots = assign(identified, Expectation(benchmark.classes, benchmark.checkpoints))

        traced = trace_lineages(models, slots, self.basis)
        checkpoints = [
            gather_checkpoint(slot, traced, self.basis, self.datasets, self.run) for slot in slots
        ]
        evidence = replace(
            record(*checkpoints),
            schema_version=SCHEMA_VERSION,
            badnet=split_counts(self.basis.predictions.answers, self.datasets.sets),
            badnet_weights_hash=array_hash(self.badnet),
            pruning_order=traced.order,
            claimed=tuple(claims),
        )
        return assess(evidence, self.basis.rubric, None, benchmark.checkpoints)


# --- drawing ----------------------------------------------------------------------------------


def draw_world(rng, folder):
    """A miniature benchmark; None where two X have the same first step."""
    from harness.networks.deepid import class_ids, forward_batches

    badnet = draw_badnet(rng)
    images = {name: draw_images(rng) for name in SETS}
    scores = np.concatenate([s for s, _ in forward_batches(badnet, images["valid"])])
    # Without the classes' common part, different images get different classes.
    badnet["output/bias"] = -np.log(np.maximum(scores, 1e-30)).mean(axis=0).astype(np.float32)

    sets = {}
    for name in SETS:
        is_backdoored = name.startswith("bd_")
        sets[name] = LabeledSet(
            name=name,
            kind="backdoored" if is_backdoored else "clean",
            images=images[name],
            labels=np.zeros(IMAGES, np.int64) if is_backdoored else class_ids(badnet, images[name]),
            sha256=array_hash({"data": images[name]}),
        )

    features = np.concatenate([f for _, f in forward_batches(badnet, images["valid"])])
    pool = features.mean(axis=(0, 1, 2), dtype=np.float64)
    rankings = measured_rankings({"pool_3": pool, "conv_3": swap_neighbours(pool)})
    sequence = rankings.orders[0].sequence()
    crossings = usable_crossings(count_correct(badnet, features, sets["valid"].labels, sequence))
    if crossings is None:
        return None

    datasets = Datasets(benchmark=Benchmark(schema_version=1, name="mini", title="mini"), sets=sets)
    run = RunContext(store=Store(folder), options=Options(), progress=Silent())
    elsewhere = draw_badnet(np.random.default_rng(ELSEWHERE_SEED))
    basis = GradingBasis(
        badnet=badnet,
        predictions=predict_weights(badnet, datasets, run),
        rankings=rankings,
        kernel_hashes={"elsewhere": kernel_hashes(elsewhere)},
    )
    return World(rng, basis, datasets, run, crossings)


def draw_badnet(rng):
    """Strong biases, so that the scale of pixels matters; some channels of conv_3 are dormant.

    The others differ much in strength, so that accuracy drops slowly at first.
    """
    from harness.networks.deepid import weight_shapes

    weights = {}
    for name, shape in weight_shapes().items():
        fan_in = int(np.prod(shape[:-1]))
        spread = np.sqrt(2 / fan_in) if name.endswith("kernel") else 30.0
        weights[name] = rng.normal(0, spread, shape).astype(np.float32)

    for name in ("conv_3/kernel", "conv_3/bias"):
        weights[name] *= rng.permutation(np.logspace(-2.5, 0, 60)).astype(np.float32)
    weights["conv_3/bias"][rng.choice(60, DORMANT, replace=False)] = -1e6
    weights["output/bias"][:] = 0
    return weights


def draw_images(rng):
    blocks = rng.integers(0, 256, (IMAGES, 8, 7, 3)).repeat(7, 1).repeat(7, 2)
    return blocks[:, :55, :47].astype(np.uint8)


def swap_neighbours(pool):
    """A conv_3 ranking that differs from pool_3's in each second pair of live channels."""
    conv = pool.copy()
    order = [c for c in np.argsort(pool, kind="stable") if pool[c] > 0]
    for first, second in zip(order[::4], order[1::4], strict=False):
        conv[[first, second]] = conv[[second, first]]
    return conv


def count_correct(badnet, features, labels, sequence):
    """Images that are right after 0, 1, ... prunings in this sequence."""
    from harness.networks.deepid import tail_class_ids

    correct, mask = [IMAGES], np.ones(60, np.float32)
    for channel in sequence:
        mask[channel] = 0
        correct.append(int((tail_class_ids(badnet, features * mask) == labels).sum()))
    return np.array(correct)


def usable_crossings(correct):
    """First steps that cross 2, 4 and 10 points; None where two of them are the same."""
    lost = IMAGES - correct
    crossings = {x: int(np.flatnonzero(lost * 100 >= x * IMAGES)[0]) for x in REQUIRED}
    return crossings if len(set(crossings.values())) == len(REQUIRED) else None


# --- what a record says -----------------------------------------------------------------------


def codes(record, points=None):
    """Codes of all diagnoses, or of those of one X."""
    if points is None:
        every = [d.code for c in record.checkpoints for d in c.diagnoses]
        return every + [d.code for d in record.diagnoses]
    (checkpoint,) = [c for c in record.checkpoints if c.drop_points == points]
    return [d.code for d in checkpoint.diagnoses]


def evidence(record, code):
    """Evidence of the first diagnosis with this code."""
    every = [d for c in record.checkpoints for d in c.diagnoses] + list(record.diagnoses)
    return next(d for d in every if d.code == code).evidence
