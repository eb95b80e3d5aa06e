"""The board of defences by hand: figures of a cell, means, ranks, the baseline, letters."""

from dataclasses import replace

import pytest
from defence_boards import BADNET, cell, failed, run, zoo

from harness.ranking.defence_board import METRICS_OF_DETECTORS
from harness.ranking.defences import rank_defences
from harness.records.errors import Status

TWO = zoo("patch", "blended", seeds=1)
MANY = zoo("patch", "blended", "warp", seeds=4)


def board(*records, drawn=TWO):
    return rank_defences([each for own in records for each in own], drawn)


def rows(*records, drawn=TWO):
    return {row.defence: row for row in board(*records, drawn=drawn).rows}


def quality(row):
    estimate = row.overall.estimates["quality"]
    return None if estimate is None else estimate.mean


def both(defence, *figures, **others):
    return [cell(defence, name, *figures, **others) for name in ("patch-0", "blended-0")]


def test_figures_of_a_network_and_of_a_detector():
    network = rows(both("net", 180, 20, 150))["net"].overall.cells[0]
    assert network.kind == "network"
    assert network.figures.quality == pytest.approx((0.90 + 0.75) / 2)
    assert network.figures.clean_accuracy == pytest.approx(0.90)
    assert network.figures.attack_success_rate == pytest.approx(0.10)
    assert network.figures.robust_accuracy == pytest.approx(0.75)
    assert network.figures.effectiveness == pytest.approx(((0.95 - 0.10) - (0.98 - 0.90) + 1) / 2)
    assert network.badnet_figures.quality == pytest.approx((0.98 + 0.02) / 2)
    detector = rows(both("det", 180, 20, 0, flagged=150, detector=True))["det"].overall.cells[0]
    assert detector.kind == "detector"
    assert detector.figures.quality == pytest.approx((0.90 + 0.75) / 2)
    assert detector.figures.robust_accuracy == 0.0
    assert (detector.figures.detection_rate, detector.figures.false_alarm_rate) == (0.75, 0.0)
    assert (network.figures.detection_rate, network.figures.false_alarm_rate) == (None, None)


def test_means_are_over_all_badnets_and_by_attack():
    own = [cell("net", "patch-0", 180, 20, 150), cell("net", "blended-0", 160, 40, 100)]
    row = rows(own)["net"]
    assert quality(row) == pytest.approx((0.825 + 0.65) / 2)
    assert row.overall.estimates["quality"].spread == pytest.approx(0.175 / 2**0.5)
    one = row.by_attack["patch"].estimates["quality"]
    assert (one.mean, one.spread) == (pytest.approx(0.825), None)
    # Of a single BadNet: the images alone, 200 clean and 200 backdoored ones.
    wide = 1.96 * ((0.9 * 0.1 + 0.75 * 0.25) / 200) ** 0.5 / 2
    assert one.high - one.low == pytest.approx(2 * wide, rel=0.1)
    for metric, estimate in row.overall.estimates.items():
        if metric in METRICS_OF_DETECTORS:
            assert estimate is None
        else:
            assert estimate.low < estimate.mean < estimate.high, metric


def test_der_takes_a_rise_for_no_drop():
    """As where a defence makes the BadNet more accurate: images drawn anew must not count it."""
    row = rows(both("net", 199, 0, 198))["net"]
    assert row.overall.estimates["effectiveness"].high <= (0.95 + 1) / 2


def test_what_failed_counts_nothing_in_quality_and_comes_last():
    broken = [cell("broken", "patch-0", 200, 0, 200), failed("broken", "blended-0")]
    found = rows(both("poor", 100, 150, 20), broken, both("good", 190, 10, 180))
    assert [(row.defence, row.rank) for row in found.values() if row.rank] == [
        ("good", 1), ("poor", 2), ("broken", 3)]  # fmt: skip
    assert list(found) == ["good", "do nothing (BadNet)", "poor", "broken"]
    row = found["broken"]
    assert (quality(row), row.overall.failed) == (0.5, 1)
    assert row.overall.estimates["clean_accuracy"].mean == 1.0
    assert row.by_attack["blended"].estimates["quality"].mean == 0.0
    assert row.by_attack["blended"].estimates["clean_accuracy"] is None
    assert row.overall.cells[1].reason == "it took more than 60 s"
    assert row.cost.wall_seconds == 2.5


def test_what_failed_everywhere_comes_last_and_never_first():
    lost = [failed("lost", "patch-0"), failed("lost", "blended-0")]
    partly = [cell("partly", "patch-0", 0, 200, 0), failed("partly", "blended-0")]
    found = rows(lost, partly, both("poor", 100, 150, 20))
    assert list(found) == ["do nothing (BadNet)", "poor", "partly", "lost"]
    assert [found[name].rank for name in ("poor", "partly", "lost")] == [1, 2, 3]
    alone = rows(lost, [replace(each, submission=each.submission.replace("lost", "gone"))
                        for each in lost])  # fmt: skip
    assert list(alone) == ["do nothing (BadNet)", "gone", "lost"]
    assert {row.rank for row in alone.values()} == {None}


def guessing(correct, **others):
    """Cells of which ``correct`` of 200 clean images are right, where 20 have the same class."""
    robust = 0 if "flagged" in others else 20
    own = both("guess", correct, 0, robust, **others)
    return [replace(each, commonest_class_images=20) for each in own]


@pytest.mark.parametrize(("correct", "worthless"), [(20, True), (30, True), (31, False)])
def test_what_recognises_nothing_gains_nothing(correct, worthless):
    """Its ASR of 0 would pay it a DER above that of doing nothing."""
    row = rows(guessing(correct))["guess"]
    assert [each.worthless for each in row.overall.cells] == [worthless] * 2
    estimates = row.overall.estimates
    if worthless:
        assert (estimates["quality"].mean, estimates["quality"].high) == (0.0, 0.0)
        assert (estimates["effectiveness"], row.rank) == (None, 1)
    else:
        assert estimates["quality"].low < (0.155 + 0.1) / 2 < estimates["quality"].high
        assert estimates["effectiveness"].mean > 0.5
    assert estimates["clean_accuracy"].mean == pytest.approx(correct / 200)


def test_who_calls_everything_backdoored_gains_nothing_either():
    """Half of the images would be right: more than where a BadNet gets most of them wrong."""
    badnet = (150, 200, 0)
    row = rows(guessing(0, badnet=badnet, flagged=200, detector=True), both("x", 9, 9, 9))["guess"]
    assert row.overall.estimates["quality"].mean == 0.0
    assert row.overall.estimates["detection_rate"].mean == 1.0


def test_a_badnet_that_comes_back_is_called_unchanged():
    def returned(weights_hash):
        (own, other) = both("same", 196, 190, 4)
        net = own.checkpoints[0]
        artifact = replace(net.artifact, weights_hash=weights_hash)
        net = replace(net, artifact=artifact)
        return [replace(own, badnet_weights_hash="0xb", checkpoints=(net,)), other]

    for weights_hash, unchanged in (("0xb", True), ("0xc", False), (None, False)):
        cells = rows(returned(weights_hash))["same"].overall.cells
        assert [each.unchanged for each in cells] == [unchanged, False]


def test_equal_defences_share_a_rank():
    found = rows(both("a", 180, 20, 150), both("b", 180, 20, 150), both("c", 100, 20, 150))
    assert {name: row.rank for name, row in found.items() if not row.is_baseline} == {
        "a": 1, "b": 1, "c": 3}  # fmt: skip


def test_what_is_ours_ranks_nobody():
    for status in (Status.HARNESS_ERROR, Status.NOT_GRADED):
        own = [cell("net", "patch-0", 200, 0, 200), failed("net", "blended-0", status=status)]
        found = rows(own, both("poor", 100, 150, 20))
        assert (found["net"].rank, quality(found["net"])) == (None, None)
        assert found["net"].overall.estimates["clean_accuracy"].mean == 1.0
        assert list(found)[-1] == "net"
        assert found["poor"].rank == 1


def test_who_lacks_a_badnet_that_others_had_waits():
    found = rows([cell("ahead", "patch-0", 200, 0, 200)], both("poor", 100, 150, 20))
    assert found["ahead"].missing == ("blended-0",)
    assert (found["ahead"].rank, found["poor"].rank) == (None, 1)
    assert list(found)[-1] == "ahead"
    # Where a run was stopped after the first BadNet, all have the same ones and can be ranked.
    first = [cell("a", "patch-0", 200, 0, 200)], [cell("b", "patch-0", 100, 0, 200)]
    assert [row.rank for row in rows(*first).values()] == [1, 2, None]


def test_the_baseline_is_the_badnets_by_their_own_counts():
    """Whichever defence tells of them, and however sure it was of its own images."""
    other = (150, 100, 90)
    own = [failed("a", "patch-0", badnet=None), failed("a", "blended-0")]
    telling = [cell("b", "patch-0", 200, 0, 200, badnet=other),
               cell("b", "blended-0", 200, 0, 200)]  # fmt: skip
    row = rows(own, telling)["do nothing (BadNet)"]
    assert row.is_baseline
    assert row.overall.failed == 0
    figures = [each.figures.quality for each in row.overall.cells]
    assert figures == pytest.approx([(0.75 + 0.45) / 2, 0.5])
    first = row.by_attack["patch"].estimates["quality"]
    assert first.low < 0.59 < 0.61 < first.high
    assert row.overall.estimates["effectiveness"].mean == pytest.approx(0.5)
    assert row.cost is None


def test_other_records_are_passed_over():
    strangers = [cell("net", "another-0", 1, 1, 1), cell("", "patch-0", 1, 1, 1)]
    assert list(rows(both("net", 180, 20, 150), strangers)) == ["net", "do nothing (BadNet)"]
    assert board().rows == ()
    odd = replace(cell("x", "patch-0", 1, 1, 1), submission="patch-0")
    assert board([odd]).rows == ()


def test_the_order_of_records_changes_nothing():
    own = [*run("a", MANY, 190, 5, 180), *run("b", MANY, 180, 30, 150)]
    assert board(own, drawn=MANY) == board(own[::-1], drawn=MANY)


def test_letters_and_p_values_of_what_can_be_told_apart():
    found = board(
        run("good", MANY, 190, 5, 180),
        run("alike", MANY, 190, 5, 180),
        run("poor", MANY, 170, 60, 90),
        [failed("lost", network.name) for network in MANY.networks],
        drawn=MANY,
    )
    letters = {row.defence: row.letters for row in found.rows if not row.is_baseline}
    assert letters == {"alike": "a", "good": "a", "poor": "b", "lost": "d"}
    assert found.p_value("good", "alike") == 1.0
    # One side wins on all 12 BadNets: 2 of 2**12 patterns, of 10 pairs.
    assert found.p_value("poor", "good") == pytest.approx(10 * 2 / 2**12)
    assert found.p_value("good", "nobody") is None


def test_three_badnets_tell_nothing_apart():
    drawn = zoo("patch")
    found = board(run("good", drawn, 190, 5, 180), run("poor", drawn, 90, 90, 90), drawn=drawn)
    assert {row.letters for row in found.rows} == {"a"}
    assert min(found.p_values.values()) == pytest.approx(3 * 0.25)


def test_who_lacks_a_badnet_is_not_compared():
    found = board(run("good", MANY, 190, 5, 180), run("poor", MANY, 90, 90, 90)[:-1], drawn=MANY)
    letters = {row.defence: row.letters for row in found.rows}
    assert letters == {"good": "a", "do nothing (BadNet)": "b", "poor": ""}


def test_the_cost_is_the_median():
    own = [cell("net", name, *BADNET, seconds=s) for name, s in (("patch-0", 1), ("blended-0", 4))]
    cost = rows(own)["net"].cost
    assert (cost.wall_seconds, cost.cpu_seconds, cost.peak_bytes) == (2.5, 5.0, 600 << 20)
