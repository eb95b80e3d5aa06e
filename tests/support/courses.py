"""Courses for tests of what shows them: records by hand, and what lies in a results folder."""

import json
from dataclasses import replace

from hostile import NAMES, hostile_record
from records_by_hand import both, checkpoint, counts, good_checkpoints, record

from harness.assessment.verdict import assess
from harness.lineage.pruning_curve import Curve
from harness.records.errors import Status
from harness.records.findings import Comparison
from harness.records.record import ReferenceNet, Speed, Timing
from harness.records.rubric import StudentView
from harness.storage.results import Store
from harness.storage.rubrics import default_rubric

REQUIRED = (2.0, 4.0, 10.0)


CURVE = Curve(
    order=tuple(range(60)),
    clean_total=1000,
    clean_correct=tuple(990 - 16 * k for k in range(61)),
    backdoored_total=500,
    backdoored_attacked=tuple(500 - 8 * k for k in range(61)),
)


def rubric(*hidden, overrides=(), names=False):
    view = StudentView(hide=hidden, names=names)
    return replace(default_rubric(), student_view=view, overrides=overrides)


def graded(name="ann", checkpoints=None, by=None, **changes):
    """A record of these checkpoints (default: good ones), assessed by a rubric."""
    nets = good_checkpoints() if checkpoints is None else checkpoints
    return assess(record(*nets, submission=name, **changes), by or rubric(), None, REQUIRED)


def speed(ratio, seconds=0.0):
    return Speed(
        latency_median_seconds=0.00987 + seconds,
        latency_p95_seconds=0.02,
        throughput_images_per_second=4321.0,
        latency_ratio=ratio,
        throughput_ratio=ratio,
    )


def telling(name="telling", *, test=0, reference=0, seconds=0.0, points=0.0):
    """A record with all that a rubric can hide; each keyword changes what one word hides."""
    first = checkpoint(
        2.0,
        repaired=both(counts(965, 811), counts(717 - test, 618 + test)),
        goodnet=both(counts(963, 803), counts(727 - test, 628 + test)),
        timing=Timing(
            badnet=speed(1.0, seconds), repaired=speed(1.37, seconds), goodnet=speed(2.39, seconds)
        ),
    )
    reference_net = ReferenceNet(
        drop_points=2.0,
        channels_pruned=45,
        repaired=both(counts(555 + reference, 444), counts(534, 423 - reference)),
        goodnet=both(counts(553, 443 + reference), counts(532 - reference, 421)),
    )
    assessed = graded(
        name,
        (first, *good_checkpoints()[1:]),
        reference=(reference_net,),
        badnet=both(counts(990, 1000), counts(988, 999)),
    )

    claim = Comparison(
        net="goodnet",
        split="test",
        drop_points=2.0,
        figure="clean_accuracy",
        stated=0.7131,
        stated_images=713,
        measured_images=727 - test,
        total=1000,
        agrees=False,
        slip=None,
        reason=f"{14 + test} images off",
    )
    first_item, *other_items = assessed.points
    first_item = replace(first_item, points=(first_item.points or 0) - points)
    return replace(assessed, claims=(claim,), points=(first_item, *other_items))


def put(results, *records):
    for each in records:
        Store(results).put_record(each)
    return Store(results).records()


def crowd():
    """Submissions that differ in all that the table can be sorted and filtered by."""
    late = [checkpoint(x, clean=990 - int(10 * x) - 90, before=880) for x in REQUIRED]
    return [
        graded("ann", good_checkpoints()),
        graded("bob", tuple(late)),
        graded("cyd", (checkpoint(2.0, clean=985),)),
        record(submission="dan", status=Status.REJECTED, reason="no model in it"),
        *(hostile_record(name) for name in NAMES if "\udcff" not in name),
    ]


def names_on_disk(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))


def texts(folder):
    return {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*.html")}


def set_rubric(results, *hidden):
    text = "schema_version = 2\nname = 'x'\nitems = []\nshares = {clean_accuracy_drop = 1.0}\n"
    (results / "rubric.toml").write_text(f"{text}[student_view]\nhide = {json.dumps(hidden)}\n")
