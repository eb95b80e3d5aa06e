"""Every diagnosis by name, on miniature submissions whose names and masks are drawn at random.

The nets are real: a drawn BadNet, labels that it answers itself, and its own pruning curve. What
a student's file says (its X) comes from its drawn name, as in grading.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from records_by_hand import checkpoint as made
from records_by_hand import counts, good_checkpoints
from records_by_hand import record as record_of

from harness.assessment.diagnoses import explanations
from harness.assessment.metrics import split_counts
from harness.assessment.verdict import assess
from harness.grading.context import GradingBasis, Options, RunContext
from harness.grading.evidence import gather_checkpoint, trace_lineages
from harness.grading.models import Predicted, predict_weights
from harness.inference.identification import KnownModel, OtherModel
from harness.intake.discovery import drop_points_in_name
from harness.intake.matching import IdentifiedModel, assign
from harness.intake.staging import Staged
from harness.lineage import lineage as lin
from harness.lineage.rankings import measured_rankings
from harness.records.benchmark import SETS, Benchmark, Datasets, LabeledSet
from harness.records.findings import NeighbouringSteps, Step
from harness.records.predictions import Predictions, compose_goodnet
from harness.records.record import SCHEMA_VERSION, Probe
from harness.records.submission import Candidate, Claim
from harness.storage.hashing import array_hash
from harness.storage.results import Store
from harness.storage.rubrics import default_rubric

IMAGES = 400
DORMANT = 12
ALL_CODES = {code.partition(".")[0] for code in explanations()}
NAMES = ("model_X={x}.h5", "B_prime_{x}_weights.h5", "repaired_x{x}.h5", "pruned_net_{x}.h5",
         "Repaired_net_{x}_percent_threshold.h5", "Lab/Lab3 /{x}_percent_drop.h5")  # fmt: skip


class Silent:
    def stage(self, submission, what):
        pass

    def images(self, done, total):
        pass


def drawn_badnet(rng):
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


def drawn_images(rng):
    blocks = rng.integers(0, 256, (IMAGES, 8, 7, 3)).repeat(7, 1).repeat(7, 2)
    return blocks[:, :55, :47].astype(np.uint8)


@dataclass
class World:
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

    def shuffled(self, channels):
        return self.rng.permutation(sorted(channels)).tolist()

    def honest(self):
        return {
            x: lin.zero_channels(self.badnet, self.shuffled(self.mask(x))) for x in (2.0, 4.0, 10.0)
        }

    def candidate(self, points, role=None):
        pattern = self.rng.choice(NAMES)
        path = pattern.format(x=f"{points:g}")
        assert drop_points_in_name(path, (2.0, 4.0, 10.0)) == points
        return Candidate(path=f"{self.rng.integers(1e6)}/{path}", format="h5", size_bytes=1,
                         role=role, drop_points=points)  # fmt: skip

    def repaired(self, points, weights):
        key = array_hash(weights)
        model = KnownModel(candidate=self.candidate(points), staged=staged(key), format="h5",
                           weights=weights, key=key, isolation="plain")  # fmt: skip
        return Predicted(
            model=model, predictions=self.predict(weights), stored_as=key, probe=None
        )  # fmt: skip

    def goodnet(self, points, answers, output_count):
        key = f"file-{self.rng.integers(1e9)}"
        model = OtherModel(candidate=self.candidate(points, role="goodnet"), staged=staged(key),
                           format="h5", differs="", key=key, isolation="none", seed=0)  # fmt: skip
        predictions = Predictions(answers=answers, output_count=output_count)
        return Predicted(model=model, predictions=predictions, stored_as=key, probe=None)

    def graded(self, nets, goodnets=(), claims=()):
        models = [self.repaired(x, weights) for x, weights in nets.items()] + list(goodnets)
        benchmark = self.datasets.benchmark
        found = [
            IdentifiedModel(m.candidate, m.model.key, m.predictions.output_count) for m in models
        ]
        slots = assign(found, benchmark.classes, benchmark.checkpoints)
        given = trace_lineages(models, slots, self.basis)
        checkpoints = [
            gather_checkpoint(slot, given, self.basis, self.datasets, self.run) for slot in slots
        ]
        evidence = replace(
            record_of(*checkpoints),
            schema_version=SCHEMA_VERSION,
            badnet=split_counts(self.basis.predictions.answers, self.datasets.sets),
            badnet_weights_hash=array_hash(self.badnet),
            pruning_order=given.order,
            claimed=tuple(claims),
        )
        return assess(evidence, self.basis.rubric, None, benchmark.checkpoints)


def staged(key):
    return Staged(path=None, sha256=key, size_bytes=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Grown anew, some times at most, until each X has a step of its own."""
    for seed in range(20):
        grown = grow(np.random.default_rng(seed), tmp_path_factory.mktemp("results"))
        if grown is not None:
            return grown
    pytest.fail("no drawn BadNet has a usable pruning curve")


def grow(rng, folder):
    from harness.networks.deepid import class_ids, forward_batches, tail_class_ids

    badnet = drawn_badnet(rng)
    images = {name: drawn_images(rng) for name in SETS}
    scores = np.concatenate([s for s, _ in forward_batches(badnet, images["valid"])])
    # Without the classes' common part, different images get different classes.
    badnet["output/bias"] = -np.log(np.maximum(scores, 1e-30)).mean(axis=0).astype(np.float32)
    sets = {
        name: LabeledSet(
            name=name,
            kind="backdoored" if name.startswith("bd_") else "clean",
            images=images[name],
            labels=np.zeros(IMAGES, np.int64)
            if name.startswith("bd_")
            else class_ids(badnet, images[name]),
            sha256=array_hash({"data": images[name]}),
        )
        for name in SETS
    }
    features = np.concatenate([f for _, f in forward_batches(badnet, images["valid"])])
    pool = features.mean(axis=(0, 1, 2), dtype=np.float64)
    conv = swapped_neighbours(pool)
    rankings = measured_rankings({"pool_3": pool, "conv_3": conv})
    correct, kept = [IMAGES], np.ones(60, np.float32)
    for channel in rankings.orders[0].sequence():
        kept[channel] = 0
        answers = tail_class_ids(badnet, features * kept)
        correct.append(int((answers == sets["valid"].labels).sum()))
    crossings = usable_crossings(np.array(correct))
    if crossings is None:
        return None
    benchmark = Benchmark(schema_version=1, name="mini", title="mini")
    datasets = Datasets(benchmark=benchmark, sets=sets)
    run = RunContext(store=Store(folder), options=Options(), progress=Silent())
    elsewhere = drawn_badnet(np.random.default_rng(99))
    basis = GradingBasis(
        badnet=badnet,
        predictions=predict_weights(badnet, datasets, run),
        rankings=rankings,
        kernel_hashes={"elsewhere": lin.kernel_hashes(elsewhere)},
    )
    return World(rng, basis, datasets, run, crossings)


def swapped_neighbours(pool):
    """A conv_3 ranking that differs from pool_3's in each second pair of live channels."""
    conv, order = pool.copy(), [c for c in np.argsort(pool, kind="stable") if pool[c] > 0]
    for one, other in zip(order[::4], order[1::4], strict=False):
        conv[[one, other]] = conv[[other, one]]
    return conv


def usable_crossings(correct):
    """First steps that cross 2, 4 and 10 points; None where two of them are the same."""
    lost = IMAGES - correct
    crossings = {
        points: int(np.flatnonzero(lost * 100 >= points * IMAGES)[0]) for points in (2.0, 4.0, 10.0)
    }
    return crossings if len(set(crossings.values())) == 3 else None


@pytest.fixture
def graded(world):
    def grade(nets, goodnets=(), **changes):
        return world.graded(nets, goodnets, **changes)

    return grade


def codes(record, points=None):
    if points is None:
        return [d.code for c in record.checkpoints for d in c.diagnoses] + [
            d.code for d in record.diagnoses
        ]
    (found,) = [c for c in record.checkpoints if c.drop_points == points]
    return [d.code for d in found.diagnoses]


def evidence(record, code):
    everything = [d for c in record.checkpoints for d in c.diagnoses] + list(record.diagnoses)
    return next(d for d in everything if d.code == code).evidence


# --- honest work: no diagnosis ----------------------------------------------------------------


def test_the_reference_itself(world, graded):
    own = graded(world.honest())
    assert codes(own) == []
    assert own.pruning_order == "pool_3 increasing"
    assert own.nested is True
    assert [c.crossing.margin >= 0 > c.crossing.lost_before - c.crossing.needed
            for c in own.checkpoints] == [True] * 3  # fmt: skip


def test_narrowed_nets(world, graded):
    own = graded({x: lin.remove_channels(world.badnet, world.mask(x)) for x in (2.0, 4.0, 10.0)})
    assert codes(own) == []


def test_some_dormant_channels_left_in(world, graded):
    dormant = sorted(world.basis.rankings.dormant)
    nets = {}
    for x in (2.0, 4.0, 10.0):
        left = world.rng.choice(dormant, 5, replace=False)
        nets[x] = lin.zero_channels(world.badnet, set(world.mask(x)) - set(left.tolist()))
    own = graded(nets)
    assert codes(own) == []
    assert own.nested is True


def test_the_conv_3_family(world, graded):
    """Its own first crossings may differ; only its order is looked at."""
    nets = {x: lin.zero_channels(world.badnet, world.mask(x, family=1)) for x in (2.0, 4.0, 10.0)}
    own = graded(nets)
    assert own.pruning_order in ("pool_3 increasing", "conv_3 increasing")
    assert not set(codes(own)) - {"BELOW_THRESHOLD", "OVER_PRUNED", "RELATIVE_DROP",
                                  "DUPLICATE_CHECKPOINT"}  # fmt: skip


def composed_goodnet(world, repaired):
    badnet, own = world.basis.predictions.answers, world.predict(repaired).answers
    return {name: compose_goodnet(badnet[name], own[name]) for name in SETS}


def test_a_right_g_with_scores_or_labels(world, graded):
    nets = world.honest()
    composed = composed_goodnet(world, nets[4.0])
    for width in (1284, 0):
        own = graded(nets, [world.goodnet(4.0, composed, width)])
        assert codes(own) == []
        assert own.checkpoints[1].contract.broken == 0


def test_equal_steps_for_two_x_are_no_duplicate():
    """Where one step is the first to cross 2 and 4 points, both files are rightly the same."""
    _, four, ten = good_checkpoints()
    shared = replace(four, steps=replace(four.steps, before=Step(channel=7, clean_correct=980)))
    twin = replace(shared, drop_points=2.0)
    own = assess(record_of(twin, shared, ten), default_rubric(), None, (2.0, 4.0, 10.0))
    assert codes(own) == []


def test_extra_models_and_close_calls():
    two, four, ten = good_checkpoints()
    extra = made(30.0, clean=600, before=700)
    close = replace(two, repaired=replace(two.repaired, valid=counts(972)))  # 18 of 20 images
    own = assess(record_of(close, four, ten, extra), default_rubric(), None, (2.0, 4.0, 10.0))
    assert codes(own) == []
    assert own.checkpoints[0].checks[0].passed is None


# --- mistakes, one by one ---------------------------------------------------------------------


def test_bias_not_zeroed(world, graded):
    nets = world.honest()
    mask = world.mask(4.0)
    nets[4.0] = lin.zero_channels(world.badnet, mask, keep_biases=True)
    own = graded(nets)
    assert "BIAS_NOT_ZEROED" in codes(own, 4.0)
    assert codes(own, 2.0) == codes(own, 10.0) == []
    active = int((world.badnet["conv_3/bias"][mask] > 0).sum())
    assert evidence(own, "BIAS_NOT_ZEROED") == {
        "kept": len(mask), "pruned": len(mask), "active": active,
    }  # fmt: skip


def test_wrong_x_with_the_right_and_with_a_wrong_mask(world, graded):
    nets = world.honest()
    right = {2.0: nets[2.0], 5.0: nets[4.0], 10.0: nets[10.0]}
    own = graded(right)
    assert codes(own) == ["WRONG_X"]
    assert evidence(own, "WRONG_X")["right"] == 1
    wrong = {2.0: nets[2.0], 5.0: nets[10.0], 10.0: nets[10.0]}
    assert evidence(graded(wrong), "WRONG_X")["right"] == 0


def test_below_threshold(world, graded):
    nets = world.honest() | {10.0: lin.zero_channels(world.badnet, world.mask(4.0))}
    own = graded(nets | {4.0: world.honest()[4.0]})
    assert "BELOW_THRESHOLD" in codes(own, 10.0)
    assert evidence(own, "BELOW_THRESHOLD")["needed"] == 40


def test_over_pruned(world, graded):
    own = graded(world.honest() | {2.0: lin.zero_channels(world.badnet, world.mask(10.0))})
    assert codes(own, 2.0) == ["OVER_PRUNED"]
    assert "DUPLICATE_CHECKPOINT" in codes(own)


@pytest.mark.parametrize("layer", ["conv_1", "conv_2", "conv_4"])
def test_wrong_layer(world, graded, layer):
    weights = lin.zero_channels(world.badnet, world.mask(10.0))
    channels = world.rng.choice(20, 2, replace=False)
    for part in ("kernel", "bias"):
        weights[f"{layer}/{part}"] = weights[f"{layer}/{part}"].copy()
        weights[f"{layer}/{part}"][..., channels] = 0
    own = graded(world.honest() | {10.0: weights})
    assert "WRONG_LAYER" in codes(own, 10.0)
    assert "FINE_TUNED" not in codes(own)
    assert evidence(own, "WRONG_LAYER")["layers"] == layer


def masked(world, order):
    return {
        x: lin.zero_channels(world.badnet, order[: DORMANT + world.crossings[x]])
        for x in (2.0, 4.0, 10.0)
    }


def test_index_order(world, graded):
    own = graded(masked(world, list(range(60))))
    assert {"INDEX_ORDER"} <= set(codes(own, 10.0))
    assert own.pruning_order == "index"


def test_decreasing_order(world, graded):
    order = list(reversed(world.basis.rankings.orders[0].sequence()))
    own = graded(masked(world, order))
    assert {"DECREASING_ORDER"} <= set(codes(own, 10.0))


def test_other_order(world, graded):
    order = world.rng.permutation(60).tolist()
    own = graded(masked(world, order))
    assert "OTHER_ORDER" in codes(own, 4.0)
    assert own.nested is True


def test_not_nested(world, graded):
    live = world.basis.rankings.orders[0].sequence()
    nets = world.honest()
    nets[4.0] = lin.zero_channels(world.badnet, live[1 : world.crossings[4.0] + 1])
    own = graded(nets)
    assert "NOT_NESTED" in codes(own)
    assert own.nested is False
    assert evidence(own, "NOT_NESTED")["channels"] == str(live[0])


def test_fine_tuned(world, graded):
    weights = lin.zero_channels(world.badnet, world.mask(10.0))
    for name in ("output/kernel", "fc_2/bias"):
        noise = world.rng.normal(0, 1e-4, weights[name].shape).astype(np.float32)
        weights[name] = weights[name] + noise
    own = graded(world.honest() | {10.0: weights})
    assert "FINE_TUNED" in codes(own, 10.0)
    assert evidence(own, "FINE_TUNED")["layers"] == "fc_2, output"


def test_other_base(world, graded):
    own = graded(world.honest() | {2.0: drawn_badnet(np.random.default_rng(98))})
    assert codes(own, 2.0) == ["OTHER_BASE"]
    assert evidence(own, "OTHER_BASE")["base"] is None
    other = lin.zero_channels(drawn_badnet(np.random.default_rng(99)), range(30))
    own = graded(world.honest() | {2.0: other})
    assert codes(own, 2.0) == ["OTHER_BASE"]
    assert evidence(own, "OTHER_BASE")["base"] == "elsewhere"


def test_is_badnet(world, graded):
    own = graded(world.honest() | {4.0: dict(world.badnet)})
    assert codes(own, 4.0) == ["IS_BADNET"]


def test_g_is_b_prime(world, graded):
    nets = world.honest()
    answers = world.predict(nets[10.0]).answers
    for width, certain in ((1283, True), (1284, True), (0, True)):
        own = graded(nets, [world.goodnet(10.0, answers, width)])
        assert codes(own, 10.0) == ["G_IS_B_PRIME"]
        assert own.checkpoints[-1].diagnoses[0].certain is certain
    other = world.predict(nets[2.0]).answers
    own = graded(nets, [world.goodnet(10.0, other, 0)])
    assert own.checkpoints[-1].diagnoses[0].certain is False


@pytest.mark.parametrize("label", [1284, 5000])
def test_g_label_1284(world, graded, label):
    nets = world.honest()
    shifted = {
        name: replace(answers, class_ids=np.where(answers.abstained, label, answers.class_ids))
        for name, answers in composed_goodnet(world, nets[2.0]).items()
    }
    own = graded(nets, [world.goodnet(2.0, shifted, 0)])
    assert codes(own, 2.0) == ["G_LABEL_1284"]
    assert evidence(own, "G_LABEL_1284")["outside"] == label


def test_input_scaled(world):
    """Kernels for pixels / 255, on images that such a net gets wrong when they are raw."""
    weights = lin.zero_channels(world.badnet, world.mask(2.0))
    weights["conv_1/kernel"] = weights["conv_1/kernel"] * np.float32(255)
    valid = world.datasets.sets["valid"]
    raw = world.predict(weights, ("valid",)).answers["valid"]
    own = at(world, np.flatnonzero(raw.class_ids != valid.labels))
    total = len(own.datasets.sets["valid"].labels)
    assert total > IMAGES / 2
    found = own.graded({2.0: weights, 4.0: world.honest()[4.0]})
    assert "INPUT_SCALED" in codes(found, 2.0)
    assert "BELOW_THRESHOLD" not in codes(found, 2.0)
    assert evidence(found, "INPUT_SCALED")["raw"] == 0
    assert evidence(found, "INPUT_SCALED")["scaled"] >= 0.9 * total
    assert found.checkpoints[1].scaled_clean_correct is None  # not even tried


def at(world, images):
    """The same world with only some of its clean validation images."""
    valid = world.datasets.sets["valid"]
    fewer = replace(
        valid, images=valid.images[images], labels=valid.labels[images], sha256=f"{len(images)}"
    )
    datasets = replace(world.datasets, sets=world.datasets.sets | {"valid": fewer})
    predictions = predict_weights(world.badnet, datasets, world.run)
    basis = replace(world.basis, predictions=predictions)
    return World(world.rng, basis, datasets, world.run, world.crossings)


@pytest.mark.parametrize(
    ("raw", "scaled", "seen"),
    [(50, 500, True), (51, 500, False), (50, 499, False), (50, None, False)],
)
def test_the_limits_of_input_scaled(raw, scaled, seen):
    own = made(2.0, clean=raw, before=None, scaled_clean_correct=scaled)
    found = assess(record_of(own), default_rubric(), None, (2.0,))
    assert ("INPUT_SCALED" in codes(found)) is seen


def test_relative_drop():
    """700 of 1000 were correct: X = 10 needs 100 images, taken relatively 70."""
    steps = NeighbouringSteps(order="pool_3 increasing", before=Step(channel=1, clean_correct=640))
    badnet = replace(record_of().badnet, valid=counts(700))
    own = made(10.0, clean=620, steps=steps)
    found = assess(replace(record_of(own), badnet=badnet), default_rubric(), None, (10.0,))
    assert codes(found) == ["BELOW_THRESHOLD", "RELATIVE_DROP"]
    assert found.checkpoints[0].diagnoses[1].certain
    unknown = assess(
        replace(record_of(replace(own, steps=None)), badnet=badnet), default_rubric(), None, (10.0,)
    )
    assert not unknown.checkpoints[0].diagnoses[1].certain


def test_missing_and_duplicate_checkpoints(world, graded):
    nets = world.honest()
    missing = float(world.rng.choice([2.0, 4.0, 10.0]))
    own = graded({x: weights for x, weights in nets.items() if x != missing})
    assert codes(own) == ["MISSING_CHECKPOINT"]
    assert evidence(own, "MISSING_CHECKPOINT") == {"points": missing}
    own = graded({2.0: nets[10.0], 4.0: nets[10.0], 10.0: nets[10.0]})
    assert codes(own).count("DUPLICATE_CHECKPOINT") == 3


def test_claim_mismatch(world, graded):
    claim = Claim(benchmark="lab3", split="valid", net="repaired", drop_points=2.0,
                  clean_accuracy=0.5)  # fmt: skip
    own = graded(world.honest(), claims=[claim])
    assert codes(own) == ["CLAIM_MISMATCH"]
    fine = own.checkpoints[0].repaired.valid.clean_correct / IMAGES
    assert codes(graded(world.honest(), claims=[replace(claim, clean_accuracy=fine)])) == []
    elsewhere = replace(claim, benchmark="another")
    assert codes(graded(world.honest(), claims=[elsewhere])) == []


# --- answers that are no function of the image -------------------------------------------------


@pytest.mark.parametrize(
    ("repeated", "perturbed", "codes", "passed"),
    [
        (0, 0, [], True),
        (10, 100, [], True),  # exactly at the limits of 1 and 10 %
        (11, 0, ["NOT_A_FUNCTION"], False),
        (10, 101, ["INPUT_HASHING"], False),
        (1000, 1000, ["NOT_A_FUNCTION"], False),
    ],
)
def test_the_probe_just_below_at_and_just_above_its_limits(repeated, perturbed, codes, passed):
    probe = Probe(images=1000, repeated_changed=repeated, perturbed_changed=perturbed)
    record = record_of(made(2.0, probe=probe))
    found = assess(record, default_rubric(), None, (2.0,)).checkpoints[0]
    wanted = {"NOT_A_FUNCTION", "INPUT_HASHING"}
    assert [d.code for d in found.diagnoses if d.code in wanted] == codes
    (check,) = (c for c in found.checks if c.name == "function_of_the_image")
    assert check.passed is passed


# --- the texts --------------------------------------------------------------------------------


def test_every_code_of_the_table_is_explained():
    assert {
        "BIAS_NOT_ZEROED", "WRONG_X", "BELOW_THRESHOLD", "OVER_PRUNED", "WRONG_LAYER",
        "INDEX_ORDER", "DECREASING_ORDER", "OTHER_ORDER", "NOT_NESTED", "FINE_TUNED",
        "OTHER_BASE", "IS_BADNET", "G_IS_B_PRIME", "G_LABEL_1284", "INPUT_SCALED",
        "RELATIVE_DROP", "MISSING_CHECKPOINT", "DUPLICATE_CHECKPOINT", "CLAIM_MISMATCH",
        "NOT_A_FUNCTION", "INPUT_HASHING",
    } == ALL_CODES  # fmt: skip
    assert all(set(text) == {"seen", "do"} for text in explanations().values())


def test_an_order_measured_on_a_private_split_is_not_certain():
    own = made(2.0, lineage=replace(made().lineage, orders=("other",), ranking="measured"))
    public = record_of(own, pruning_order="other")
    private = replace(public, dataset=replace(public.dataset, split="private"))
    for record, certain in ((public, True), (private, False)):
        found = assess(record, default_rubric(), None, (2.0,)).checkpoints[0].diagnoses
        assert [(d.code, d.certain) for d in found] == [("OTHER_ORDER", certain)]
        assert found[0].explanation.startswith("Not certain") is not certain
