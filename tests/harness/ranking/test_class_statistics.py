"""Figures of a class, by hand."""

from dataclasses import replace

from records_by_hand import good_checkpoints, record

from harness.ranking.class_statistics import class_statistics
from harness.records.errors import Status
from harness.records.findings import Diagnosis, ItemScore


def scored(name, points, verdicts=("passed",) * 3, codes=(), **changes):
    nets = [
        replace(c, verdict=verdict) for c, verdict in zip(good_checkpoints(), verdicts, strict=True)
    ]
    pending = changes.pop("pending", 0.0)
    item = ItemScore(item="i", title="", kind="metrics", maximum=100, points=points,
                     pending=pending)  # fmt: skip
    found = tuple(Diagnosis(code=code, explanation="") for code in codes)
    own = record(*nets, submission=name, diagnoses=found, **changes)
    return replace(own, points=(item,))


def test_points_and_their_histogram():
    found = class_statistics([scored(str(n), n) for n in (0, 9.9, 10, 55, 90, 100)])
    assert found.mean_points == (9.9 + 10 + 55 + 90 + 100) / 6
    assert [each.submissions for each in found.histogram] == [2, 1, 0, 0, 0, 1, 0, 0, 0, 2]
    assert (found.histogram[9].low, found.histogram[9].high) == (90, 100)


def test_hidden_points_are_in_no_mean():
    found = class_statistics([scored("a", 40), scored("b", None)])
    assert found.mean_points == 40
    assert sum(each.submissions for each in found.histogram) == 1
    nobody = class_statistics([scored("b", None)])
    assert (nobody.mean_points, nobody.maximum_points, nobody.histogram) == (None, None, ())


def test_pass_rates_count_everybody():
    rejected = record(submission="no", status=Status.REJECTED, reason="empty")
    found = class_statistics(
        [
            scored("a", 1),
            scored("b", 1, ("passed", "undecided", "failed")),
            rejected,
        ]
    )
    assert [(r.drop_points, r.passed, r.undecided, r.submissions) for r in found.pass_rates] == [
        (2.0, 2, 0, 3), (4.0, 1, 1, 3), (10.0, 1, 0, 3)]  # fmt: skip


def test_the_commonest_diagnoses_count_submissions_once():
    found = class_statistics(
        [scored("a", 1, codes=("Y", "Y", "Y")), scored("b", 1, codes=("X", "Z")),
         scored("c", 1, codes=("X",))]
    )  # fmt: skip
    assert found.diagnoses == (("X", 2), ("Y", 1), ("Z", 1))


def test_who_needs_a_look_and_why():
    ours = record(submission="z", status=Status.NOT_GRADED, reason="no sandbox")
    open_one = scored("a", 1, ("passed", "undecided", "passed"), pending=20.0)
    found = class_statistics([ours, open_one, scored("fine", 90)])
    assert [(look.submission, look.reasons) for look in found.needs_look] == [
        ("a", ("X = 4 is undecided", "20 points pending")),
        ("z", ("not graded: no sandbox",)),
    ]


def test_the_order_of_records_changes_nothing():
    records = [scored(str(n), 0.1 * n, codes=(f"C{n % 3}",)) for n in range(9)]
    assert class_statistics(records) == class_statistics(records[::-1])
