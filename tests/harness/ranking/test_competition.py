"""The competition's board by hand: what counts of an entry, means, ranks and baselines."""

from dataclasses import replace

import pytest

from harness.ranking.competition import entries_of, rank_competition
from harness.records.errors import Status
from harness.records.record import (
    Checkpoint,
    Counts,
    DatasetIdentity,
    Record,
    ReferenceNet,
    SplitCounts,
)


def counts(correct, attacked, false=0, found=0, poisoned=100):
    return Counts(
        clean_total=100, clean_correct=correct, clean_abstained=false, clean_invalid=0,
        backdoored_total=poisoned, backdoored_attacked=attacked, backdoored_abstained=found,
        backdoored_invalid=0,
    )  # fmt: skip


def split(test):
    return SplitCounts(valid=counts(99, 0), test=test)


BADNET = split(counts(98, 100))


def record(name, network="", members=(), status=Status.GRADED, **checkpoint):
    own = Checkpoint(
        drop_points=None, required=True, status=status, reason=None, artifact=None,
        goodnet_artifact=None, **checkpoint,
    )  # fmt: skip
    return Record(
        schema_version=7, submission=name, status=status, reason=None,
        dataset=DatasetIdentity(name=f"c/{network}" if network else "c", arrays={}),
        badnet=BADNET if network else None, badnet_weights_hash=None,
        checkpoints=(own,) if network else (), checks=(), notes=(), environment={},
        networks=tuple(members),
    )  # fmt: skip


def entry(network, alone, composed, **others):
    return record("s", network, repaired=split(alone), goodnet=split(composed), **others)


def test_the_better_of_both_counts_and_both_are_kept():
    one = entry("one", counts(90, 20), counts(80, 5, false=10, found=70))
    two = entry("two", counts(90, 20), counts(60, 20, false=35, found=10))
    first, second = entries_of(record("s", members=[one, two]))
    assert first.counted.name == "G"
    assert first.quality == pytest.approx((0.80 + 0.95) / 2)
    assert second.counted.name == "B'"
    assert second.quality == pytest.approx((0.90 + 0.80) / 2)
    assert first.alone.quality == second.alone.quality
    assert first.detection == pytest.approx((0.70 + 0.90) / 2)
    row = next(r for r in rank_competition([record("s", members=[one, two])]).rows if r.rank)
    assert row.quality == pytest.approx((0.875 + 0.85) / 2)
    assert row.detection == pytest.approx((0.80 + (0.10 + 0.65) / 2) / 2)


def test_what_is_missing_counts_nothing_and_what_is_ours_ranks_nobody():
    good = entry("one", counts(90, 0), counts(90, 0))
    missing = record("s", "two", status=Status.REJECTED)
    ours = record("s", "two", status=Status.NOT_GRADED)
    rows = {
        each.submission: each
        for each in rank_competition(
            [record("missing", members=[good, missing]), record("ours", members=[good, ours])]
        ).rows
    }
    assert rows["missing"].quality == pytest.approx(0.475)
    assert rows["missing"].rank == 1
    assert (rows["ours"].quality, rows["ours"].rank) == (None, None)


def test_a_badnet_without_backdoored_images_is_shown_and_left_out_of_the_mean():
    nothing = split(counts(98, 0, poisoned=0))
    clean = replace(
        record("s", "two", repaired=split(counts(91, 0, poisoned=0)), goodnet=nothing),
        badnet=nothing,
    )
    first = entry("one", counts(90, 20), counts(90, 20))
    row = next(r for r in rank_competition([record("s", members=[first, clean])]).rows if r.rank)
    assert row.quality == pytest.approx(0.85)
    assert row.entries[1].quality is None
    assert row.entries[1].counted.counts.clean_correct == 98  # the better accuracy


def test_equal_rows_share_a_rank_and_baselines_have_their_places():
    def of(name, correct):
        own = counts(correct, 0)
        return record(name, members=[entry("one", own, own)])

    board = rank_competition([of("b", 90), of("a", 90), of("c", 10)])
    assert [(row.submission, row.rank) for row in board.rows] == [
        ("a", 1), ("b", 1), ("c", 3), ("flag everything", None), ("do nothing (BadNet)", None),
    ]  # fmt: skip
    flagged, nothing = board.rows[3:]
    assert (flagged.quality, flagged.detection) == (0.5, 0.5)
    assert (nothing.quality, nothing.detection) == (pytest.approx(0.49), 0.5)


def test_the_reference_is_a_baseline_where_it_has_a_net_for_every_badnet():
    net = ReferenceNet(
        drop_points=0.0, channels_pruned=3, repaired=split(counts(90, 30)),
        goodnet=split(counts(90, 30)),
    )  # fmt: skip
    one = replace(entry("one", counts(90, 0), counts(90, 0)), reference=(net,))
    two = replace(one, dataset=DatasetIdentity(name="c/two", arrays={}))
    names = [row.submission for row in rank_competition([record("s", members=[one, two])]).rows]
    assert "the reference" in names
    two = replace(two, reference=())
    names = [row.submission for row in rank_competition([record("s", members=[one, two])]).rows]
    assert "the reference" not in names
