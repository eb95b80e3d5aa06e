"""Claimed and published figures against measured ones, and the slips that explain them."""

from dataclasses import replace

import pytest
from records_by_hand import both, checkpoint, counts, record

from harness.assessment.claims import agree, claim_comparisons, published_comparisons
from harness.datasets.descriptions import load_benchmark
from harness.records.record import DatasetIdentity
from harness.records.submission import Claim

N = 12830
X2 = checkpoint(
    2.0,
    repaired=both(counts(11057, 11547, 11547), counts(12304, N, N)),
    goodnet=both(counts(11040, 11500, 11547), counts(12284, 9906, N)),
)
X4 = checkpoint(
    4.0,
    repaired=both(counts(10634, 11546, 11547), counts(11841, 12828, N)),
    goodnet=both(counts(10620, 11546, 11547), counts(11820, 12828, N)),
)


def compare_claim(
    accuracy=None, asr=None, split="test", net="goodnet", points=2.0, benchmark="lab3"
):
    claim = Claim(
        benchmark=benchmark,
        split=split,
        net=net,
        drop_points=points,
        clean_accuracy=accuracy,
        attack_success_rate=asr,
    )
    return claim_comparisons(replace(record(X2, X4), claimed=(claim,)), 2)


@pytest.mark.parametrize(("off", "agrees"), [(-3, False), (-2, True), (0, True), (2, True),
                                             (3, False)])  # fmt: skip
def test_a_claim_may_be_two_images_off(off, agrees):
    # Written to 8 digits, rounding is 0.00006 images; 3 images are beyond the tolerance.
    (found,) = compare_claim(round((12284 + off) / N, 8))
    assert found.agrees is agrees
    assert found.stated_images == 12284 + off
    assert f"({off:+d})" in found.reason


@pytest.mark.parametrize(
    ("stated", "hits", "total", "agrees"),
    [(0.9574, 12284, N, True), (0.957, 12284, N, True), (0.96, 12284, N, False),
     (1.0, N, N, True), (1.0, N - 2, N, True), (1.0, N - 3, N, False), (0.0, 0, N, True),
     (0.5, 50, 100, True), (0.53, 50, 100, False)],
)  # fmt: skip
def test_a_figure_stands_for_all_that_round_to_it(stated, hits, total, agrees):
    assert agree(stated, hits, total, 2) is agrees


@pytest.mark.parametrize(
    ("claim", "slip"),
    [
        ({"accuracy": 0.9561, "asr": 0.9959}, "the figure of valid"),
        ({"accuracy": 0.9590, "asr": 1.0}, "the figure of B-prime"),
        ({"accuracy": 0.7721, "asr": 0.9574}, "swapped"),
        ({"accuracy": 0.9213, "asr": 0.9998}, "the figure of X = 4"),
        ({"accuracy": 0.9754}, "two digits are swapped"),
        ({"accuracy": 0.9174}, "one digit is wrong"),
        ({"accuracy": 0.96}, "rounded to 2 digits"),
    ],
)
def test_known_slips_are_named(claim, slip):
    found = compare_claim(**claim)
    assert all(each.agrees is False for each in found)
    assert slip in found[0].slip


def test_a_figure_that_no_slip_explains():
    (found,) = compare_claim(0.1234)
    assert (found.agrees, found.slip) == (False, None)


def test_what_is_right_has_no_slip():
    found = compare_claim(0.9574, 0.7721)
    assert [(each.agrees, each.slip) for each in found] == [(True, None)] * 2


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ({"benchmark": "faces"}, "claimed for faces"),
        ({"points": 30.0}, "no such net"),
        ({"accuracy": 95.74}, "fraction between 0 and 1"),
        ({"accuracy": float("nan")}, "fraction between 0 and 1"),
        ({"accuracy": float("inf")}, "fraction between 0 and 1"),
    ],
)
def test_what_cannot_be_compared_is_not_held_against_anybody(claim, reason):
    (found,) = compare_claim(**({"accuracy": 0.5} | claim))
    assert found.agrees is None
    assert reason in found.reason


def test_a_private_split_is_not_what_was_claimed_for():
    claim = Claim(benchmark="lab3", split="test", net="badnet", clean_accuracy=0.1)
    own = replace(
        record(X2), claimed=(claim,), dataset=DatasetIdentity(name="lab3", arrays={}, split="x")
    )
    assert [each.agrees for each in claim_comparisons(own, 2)] == [None]


# --- published figures ------------------------------------------------------------------------

FACTS = {  # net, X: valid accuracy, valid ASR, test accuracy, test ASR in percent, as in the report
    ("badnet", None): (98.6490, 100, 98.6204, 100),
    ("repaired", 2): (95.7565, 100, 95.9002, 100),
    ("repaired", 4): (92.0932, 99.9913, 92.2915, 99.9844),
    ("repaired", 10): (84.4375, 77.0157, 84.5440, 77.2097),
    ("repaired", 30): (54.8627, 6.9542, 54.76, 6.96),
    ("goodnet", 2): (None, None, 95.7443, 100),
    ("goodnet", 4): (None, None, 92.1278, 99.9844),
    ("goodnet", 10): (None, None, 84.3336, 77.2097),
    ("goodnet", 30): (None, None, 54.6843, 6.9680),
}


@pytest.fixture(scope="module")
def lab3():
    return load_benchmark("lab3")[0]


def test_every_published_figure_is_in_the_description(lab3):
    told = {
        (p.net, p.drop_points, p.split): (p.clean_accuracy, p.attack_success_rate)
        for p in lab3.published
        if p.ranking == "pool_3"
    }
    expected = {}
    for (net, points), figures in FACTS.items():
        for split, pair in (("valid", figures[:2]), ("test", figures[2:])):
            if pair[0] is not None:
                expected[net, points, split] = tuple(round(f / 100, 6) for f in pair)
    assert told == expected
    second = {p.split: p.clean_accuracy for p in lab3.published if p.ranking == "conv_3"}
    assert second == {"valid": 0.943449, "test": 0.947701}
    assert {p.drop_points: p.channels for p in lab3.published if p.channels} == {
        2: 45,
        4: 48,
        10: 52,
        30: 54,
    }


def real_counts(lab3, off=0):
    """A record with the counts that the published figures stand for."""
    sizes = {"valid": 11547, "test": N}

    def split_counts(net, points):
        by_split = {}
        for split, total in sizes.items():
            entry = next(
                p
                for p in lab3.published
                if (p.net, p.drop_points) == (net, points)
                and p.split in (split, "test")
                and p.ranking == "pool_3"
            )
            clean, attacked = (
                round(v * total) + off for v in (entry.clean_accuracy, entry.attack_success_rate)
            )
            by_split[split] = counts(clean, attacked, total)
        return both(by_split["valid"], by_split["test"])

    nets = [
        checkpoint(
            float(x), repaired=split_counts("repaired", x), goodnet=split_counts("goodnet", x)
        )
        for x in (2, 4, 10, 30)
    ]
    badnet = both(counts(11391, 11547, 11547), counts(12653, N, N))
    return record(*nets, badnet=badnet)


def test_on_the_real_data_the_published_figures_are_met_to_the_image(lab3):
    found = published_comparisons(real_counts(lab3), lab3, 2)
    assert len(found) == 2 * len([p for p in lab3.published if p.ranking == "pool_3"])
    assert all(each.agrees for each in found)


def test_three_images_are_too_many(lab3):
    for off, agrees in ((-2, True), (-3, False)):
        found = published_comparisons(real_counts(lab3, off), lab3, 2)
        assert {each.agrees for each in found if each.net != "badnet"} == {agrees}


def test_the_conv_3_family_has_its_own_figures(lab3):
    own = replace(real_counts(lab3), pruning_order="conv_3 increasing")
    found = {
        (e.net, e.drop_points, e.split): e.stated
        for e in published_comparisons(own, lab3, 2)
        if e.figure == "clean_accuracy"
    }
    assert found["repaired", 4.0, "test"] == 0.947701
    assert found["repaired", 2.0, "test"] == 0.959002


def test_on_other_data_nothing_is_compared(lab3):
    own = real_counts(lab3)
    other = replace(own, badnet=both(counts(11388, 11547, 11547), counts(12653, N, N)))
    assert published_comparisons(other, lab3, 2) == ()
    assert published_comparisons(replace(own, badnet=both(counts())), lab3, 2) == ()
    assert published_comparisons(own, None, 2) == ()
