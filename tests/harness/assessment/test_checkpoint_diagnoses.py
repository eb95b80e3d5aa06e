"""Every diagnosis of a checkpoint, on miniature submissions whose names and masks are drawn."""

from dataclasses import replace

import numpy as np
import pytest
from miniature_nets import (
    ELSEWHERE_SEED,
    IMAGES,
    World,
    codes,
    draw_badnet,
    evidence,
)
from records_by_hand import assess_by_hand, both, checkpoint, counts, good_checkpoints, lineage

from harness.grading.models import predict_weights
from harness.lineage.lineage import remove_channels, zero_channels
from harness.records.findings import GoodNetRule, LayerChange, NeighbouringSteps, Step
from harness.records.record import DatasetIdentity, FreshCounts, Probe

# --- honest work: no diagnosis ----------------------------------------------------------------


def test_the_reference_itself(world):
    own = world.grade(world.honest_nets())
    assert codes(own) == []
    assert own.pruning_order == "pool_3 increasing"
    assert own.nested is True
    assert [
        c.crossing.margin >= 0 > c.crossing.lost_before - c.crossing.needed for c in own.checkpoints
    ] == [True] * 3


def test_narrowed_nets(world):
    own = world.grade({x: remove_channels(world.badnet, world.mask(x)) for x in (2.0, 4.0, 10.0)})
    assert codes(own) == []


def test_some_dormant_channels_left_in(world):
    dormant = sorted(world.basis.rankings.dormant)
    nets = {}
    for x in (2.0, 4.0, 10.0):
        left = world.rng.choice(dormant, 5, replace=False)
        nets[x] = zero_channels(world.badnet, set(world.mask(x)) - set(left.tolist()))
    own = world.grade(nets)
    assert codes(own) == []
    assert own.nested is True


def test_the_conv_3_family(world):
    """Its own first crossings may differ; only its order is looked at."""
    nets = {x: zero_channels(world.badnet, world.mask(x, family=1)) for x in (2.0, 4.0, 10.0)}
    own = world.grade(nets)
    assert own.pruning_order in ("pool_3 increasing", "conv_3 increasing")
    assert not set(codes(own)) - {
        "BELOW_THRESHOLD",
        "OVER_PRUNED",
        "RELATIVE_DROP",
        "DUPLICATE_CHECKPOINT",
    }


def test_a_right_g_with_scores_or_labels(world):
    nets = world.honest_nets()
    composed = world.composed_answers(nets[4.0])
    for width in (1284, 0):
        own = world.grade(nets, [world.goodnet(4.0, composed, width)])
        assert codes(own) == []
        assert own.checkpoints[1].contract.broken == 0


def test_extra_models_and_close_calls():
    two, four, ten = good_checkpoints()
    extra = checkpoint(30.0, clean=600, before=700)
    close = replace(two, repaired=replace(two.repaired, valid=counts(972)))  # 18 of 20 images
    own = assess_by_hand(close, four, ten, extra)
    assert codes(own) == []
    assert own.checkpoints[0].checks[0].passed is True


# --- mistakes, one by one ---------------------------------------------------------------------


def test_bias_not_zeroed(world):
    nets = world.honest_nets()
    mask = world.mask(4.0)
    nets[4.0] = zero_channels(world.badnet, mask, keep_biases=True)
    own = world.grade(nets)
    assert "BIAS_NOT_ZEROED" in codes(own, 4.0)
    assert codes(own, 2.0) == codes(own, 10.0) == []
    active = int((world.badnet["conv_3/bias"][mask] > 0).sum())
    assert evidence(own, "BIAS_NOT_ZEROED") == {
        "kept": len(mask),
        "pruned": len(mask),
        "active": active,
    }


def test_wrong_x_with_the_right_and_with_a_wrong_mask(world):
    nets = world.honest_nets()
    right = {2.0: nets[2.0], 5.0: nets[4.0], 10.0: nets[10.0]}
    own = world.grade(right)
    assert codes(own) == ["WRONG_X"]
    assert evidence(own, "WRONG_X")["right"] == 1
    wrong = {2.0: nets[2.0], 5.0: nets[10.0], 10.0: nets[10.0]}
    assert evidence(world.grade(wrong), "WRONG_X")["right"] == 0


def test_below_threshold(world):
    nets = world.honest_nets() | {10.0: zero_channels(world.badnet, world.mask(4.0))}
    own = world.grade(nets | {4.0: world.honest_nets()[4.0]})
    assert "BELOW_THRESHOLD" in codes(own, 10.0)
    assert evidence(own, "BELOW_THRESHOLD")["needed"] == 40


def test_over_pruned(world):
    own = world.grade(world.honest_nets() | {2.0: zero_channels(world.badnet, world.mask(10.0))})
    assert codes(own, 2.0) == ["OVER_PRUNED"]
    assert "DUPLICATE_CHECKPOINT" in codes(own)


@pytest.mark.parametrize("layer", ["conv_1", "conv_2", "conv_4"])
def test_wrong_layer(world, layer):
    weights = zero_channels(world.badnet, world.mask(10.0))
    channels = world.rng.choice(20, 2, replace=False)
    for part in ("kernel", "bias"):
        weights[f"{layer}/{part}"] = weights[f"{layer}/{part}"].copy()
        weights[f"{layer}/{part}"][..., channels] = 0
    own = world.grade(world.honest_nets() | {10.0: weights})
    assert "WRONG_LAYER" in codes(own, 10.0)
    assert "FINE_TUNED" not in codes(own)
    assert evidence(own, "WRONG_LAYER")["layers"] == layer


def test_index_order(world):
    own = world.grade(world.nets_in_order(list(range(60))))
    assert {"INDEX_ORDER"} <= set(codes(own, 10.0))
    assert own.pruning_order == "index"


def test_decreasing_order(world):
    order = list(reversed(world.basis.rankings.orders[0].sequence()))
    own = world.grade(world.nets_in_order(order))
    assert {"DECREASING_ORDER"} <= set(codes(own, 10.0))


def test_other_order(world):
    order = world.rng.permutation(60).tolist()
    own = world.grade(world.nets_in_order(order))
    assert "OTHER_ORDER" in codes(own, 4.0)
    assert own.nested is True


def test_fine_tuned(world):
    weights = zero_channels(world.badnet, world.mask(10.0))
    for name in ("output/kernel", "fc_2/bias"):
        noise = world.rng.normal(0, 1e-4, weights[name].shape).astype(np.float32)
        weights[name] = weights[name] + noise
    own = world.grade(world.honest_nets() | {10.0: weights})
    assert "FINE_TUNED" in codes(own, 10.0)
    assert evidence(own, "FINE_TUNED")["layers"] == "fc_2, output"


def test_other_base(world):
    own = world.grade(world.honest_nets() | {2.0: draw_badnet(np.random.default_rng(98))})
    assert codes(own, 2.0) == ["NEAR_CHANCE", "OTHER_BASE"]
    assert evidence(own, "OTHER_BASE")["base"] is None
    other = zero_channels(draw_badnet(np.random.default_rng(ELSEWHERE_SEED)), range(30))
    own = world.grade(world.honest_nets() | {2.0: other})
    assert codes(own, 2.0) == ["NEAR_CHANCE", "OTHER_BASE"]
    assert evidence(own, "OTHER_BASE")["base"] == "elsewhere"


def test_is_badnet(world):
    own = world.grade(world.honest_nets() | {4.0: dict(world.badnet)})
    assert codes(own, 4.0) == ["IS_BADNET"]


def test_g_is_b_prime(world):
    nets = world.honest_nets()
    answers = world.predict(nets[10.0]).answers
    for width, certain in ((1283, True), (1284, True), (0, True)):
        own = world.grade(nets, [world.goodnet(10.0, answers, width)])
        assert codes(own, 10.0) == ["G_IS_B_PRIME"]
        assert own.checkpoints[-1].diagnoses[0].certain is certain
    other = world.predict(nets[2.0]).answers
    own = world.grade(nets, [world.goodnet(10.0, other, 0)])
    assert own.checkpoints[-1].diagnoses[0].certain is False


@pytest.mark.parametrize("label", [1284, 5000])
def test_g_label_1284(world, label):
    nets = world.honest_nets()
    shifted = {
        name: replace(answers, class_ids=np.where(answers.abstained, label, answers.class_ids))
        for name, answers in world.composed_answers(nets[2.0]).items()
    }
    own = world.grade(nets, [world.goodnet(2.0, shifted, 0)])
    assert codes(own, 2.0) == ["G_LABEL_1284"]
    assert evidence(own, "G_LABEL_1284")["outside"] == label


def test_input_scaled(world):
    """Kernels for pixels / 255, on images that such a net gets wrong when they are raw."""
    weights = zero_channels(world.badnet, world.mask(2.0))
    weights["conv_1/kernel"] = weights["conv_1/kernel"] * np.float32(255)
    valid = world.datasets.sets["valid"]
    raw = world.predict(weights, ("valid",)).answers["valid"]
    fewer = at(world, np.flatnonzero(raw.class_ids != valid.labels))
    total = len(fewer.datasets.sets["valid"].labels)
    assert total > IMAGES / 2
    own = fewer.grade({2.0: weights, 4.0: world.honest_nets()[4.0]})
    assert "INPUT_SCALED" in codes(own, 2.0)
    assert "BELOW_THRESHOLD" not in codes(own, 2.0)
    assert evidence(own, "INPUT_SCALED")["raw"] == 0
    assert evidence(own, "INPUT_SCALED")["scaled"] >= 0.9 * total
    assert own.checkpoints[1].scaled_clean_correct is None  # not even tried


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
    near_chance = checkpoint(2.0, clean=raw, before=None, scaled_clean_correct=scaled)
    own = assess_by_hand(near_chance, required=(2.0,))
    assert ("INPUT_SCALED" in codes(own)) is seen


@pytest.mark.parametrize(
    ("commonest", "raw", "scaled", "seen"),
    [
        (100, 150, 500, True),  # ten classes: one class, and 5 % of the images
        (100, 151, 900, False),
        (500, 500, 600, True),  # two classes
        (500, 500, 599, False),  # hardly better
        (50, 50, 500, True),
        (50, 51, 500, False),  # twenty classes: 5 % as of many
    ],
)
def test_input_scaled_where_classes_are_few(commonest, raw, scaled, seen):
    """One class alone is more than 5 % of the images: chance is more, too."""
    near_chance = checkpoint(2.0, clean=raw, before=None, scaled_clean_correct=scaled)
    own = assess_by_hand(near_chance, required=(2.0,), commonest_class_images=commonest)
    assert ("INPUT_SCALED" in codes(own)) is seen


def test_relative_drop():
    """700 of 1000 were correct: X = 10 needs 100 images, taken relatively 70."""
    steps = NeighbouringSteps(order="pool_3 increasing", before=Step(channel=1, clean_correct=640))
    badnet = both(counts(700), counts())
    relative = checkpoint(10.0, clean=620, steps=steps)
    own = assess_by_hand(relative, badnet=badnet, required=(10.0,))
    assert codes(own) == ["BELOW_THRESHOLD", "RELATIVE_DROP"]
    assert own.checkpoints[0].diagnoses[1].certain
    unknown = replace(relative, steps=None)
    unknown = assess_by_hand(unknown, badnet=badnet, required=(10.0,))
    assert not unknown.checkpoints[0].diagnoses[1].certain


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
    own = assess_by_hand(checkpoint(2.0, probe=probe), required=(2.0,))
    wanted = {"NOT_A_FUNCTION", "INPUT_HASHING"}
    assert [d.code for d in own.checkpoints[0].diagnoses if d.code in wanted] == codes
    (check,) = (c for c in own.checkpoints[0].checks if c.name == "function_of_the_image")
    assert check.passed is passed


def on_images(total, clean, repelled):
    """Counts of a net on so many clean and as many backdoored images."""
    return replace(
        counts(clean),
        clean_total=total,
        backdoored_total=total,
        backdoored_attacked=total - repelled,
    )


@pytest.mark.parametrize(
    ("public", "fresh", "badnet", "seen"),
    [
        ((9000, 0), (410, 0), 450, []),  # 8 points fewer than 450 of 500
        ((9000, 0), (401, 0), 450, []),  # just below the limit of 10 points
        ((9000, 0), (400, 0), 450, ["Of the public clean"]),  # exactly at it
        ((9000, 0), (400, 0), 400, []),  # the BadNet finds these images as hard
        ((9000, 0), (0, 0), 0, []),
        ((9000, 0), (400, 0), 500, ["Of the public clean"]),  # easier ones excuse nobody less
        ((3000, 9900), (151, 400), 450, ["Of the public backdoored"]),
        ((9000, 9900), (0, 0), 450, ["Of the public clean"]),  # named once
        ((3000, 0), (500, 500), 450, []),  # better on fresh ones
    ],
)
def test_memory_just_below_at_and_just_above_its_limit(public, fresh, badnet, seen):
    """The BadNet gets 90 % of public images right, and is always attacked."""
    counted = FreshCounts(
        fresh=on_images(500, *fresh),
        public=on_images(10_000, *public),
        badnet_fresh=on_images(500, badnet, 0),
    )
    probe = Probe(images=500, repeated_changed=0, perturbed_changed=0, fresh=counted)
    badnets = both(counts(), on_images(10_000, 9000, 0))
    own = assess_by_hand(checkpoint(2.0, probe=probe), badnet=badnets, required=(2.0,))
    (judged,) = own.checkpoints
    found = [each for each in judged.diagnoses if each.code == "MEMORISED_IMAGES"]
    assert [each.explanation[: len(seen[0])] for each in found] == seen
    assert all(each.certain for each in found)
    assert judged.verdict == ("failed" if seen else "passed")


def test_few_fresh_images_prove_nothing():
    """5 of 10 where 90 % were right: chance leaves so few once in 600 times."""
    public, fresh = on_images(10_000, 9000, 0), on_images(10, 5, 0)
    counted = FreshCounts(fresh=fresh, public=public, badnet_fresh=on_images(10, 9, 0))
    probe = Probe(images=500, repeated_changed=0, perturbed_changed=0, fresh=counted)
    badnets = both(counts(), public)
    own = assess_by_hand(checkpoint(2.0, probe=probe), badnet=badnets, required=(2.0,))
    assert "MEMORISED_IMAGES" not in codes(own)


def test_an_order_measured_on_a_private_split_is_not_certain():
    unordered = checkpoint(2.0, lineage=lineage(("other",), ranking="measured"))
    for split, certain in (("public", True), ("private", False)):
        dataset = DatasetIdentity(name="lab3", arrays={}, split=split)
        own = assess_by_hand(unordered, pruning_order="other", dataset=dataset, required=(2.0,))
        (diagnosis,) = own.checkpoints[0].diagnoses
        assert (diagnosis.code, diagnosis.certain) == ("OTHER_ORDER", certain)
        assert diagnosis.explanation.startswith("Not certain") is not certain


def test_diagnoses_come_in_one_order_and_nothing_follows_from_a_graver_mistake():
    """Answers first, then weights, then the threshold."""
    change = LayerChange(layer="conv_1", zeroed=(1,), values_changed=2, values_now_zero=0)
    net = checkpoint(
        2.0,
        clean=980,
        named_points=3.0,
        lineage=lineage(("index",), (0, 1), biases_kept=(1,), changes=(change,)),
        probe=Probe(images=1000, repeated_changed=500, perturbed_changed=0),
        contract=GoodNetRule(
            against="B",
            width=1283,
            images=4000,
            broken=9,
            abstained=0,
            outside=0,
            outside_label=None,
            as_repaired=None,
        ),
    )
    own = assess_by_hand(net, pruning_order="index", required=(2.0,))
    assert codes(own, 2.0) == [
        "G_IS_B_PRIME", "NOT_A_FUNCTION", "BIAS_NOT_ZEROED", "WRONG_LAYER", "FINE_TUNED",
        "INDEX_ORDER", "WRONG_X", "BELOW_THRESHOLD",
    ]  # fmt: skip

    elsewhere = replace(net, lineage=replace(net.lineage, base=None))
    own = assess_by_hand(elsewhere, pruning_order="index", required=(2.0,))
    assert codes(own, 2.0) == ["G_IS_B_PRIME", "NOT_A_FUNCTION", "OTHER_BASE"]
