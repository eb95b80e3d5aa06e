"""The rows of the tables on a submission's page, as plain text; the templates escape it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.assessment.diagnoses import what_was_seen
from harness.assessment.verdict import verdict_reason
from harness.output.leaderboard.columns import ABSENT, NOISY, family, known_ratio
from harness.records.traversal import (
    checkpoint_name,
    failures,
    located_checks,
    required_checkpoints,
    seen_together,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.findings import Comparison
    from harness.records.record import Artifact, Checkpoint, Record, Speed

ANSWERS = {True: "passed", False: "failed", None: "undecided"}
_TONES = {"passed": "passed", "failed": "failed"}
_NETS = {"badnet": "B", "repaired": "B'", "goodnet": "G"}


def check_rows(record: Record) -> Iterator[tuple[str, str, str, str]]:
    """Every check: its answer, place, name and reason.

    Models that could not be graded are among what to do, and here where that is hidden.
    """
    for about, check in located_checks(record):
        yield ANSWERS[check.passed], about, check.name.replace("_", " "), check.reason
    for failure in failures(record.checkpoints) if "hints" in record.hidden else ():
        yield "failed", failure.places, failure.status.value.replace("_", " "), failure.reason


def diagnosis_rows(record: Record) -> Iterator[dict[str, object]]:
    """Every diagnosis: what was seen; what to do stands above. The first of a code has an id."""
    known: set[str] = set()
    for about, diagnosis in seen_together(record):
        yield {
            "about": about,
            "code": diagnosis.code,
            "id": None if diagnosis.code in known else anchor(diagnosis.code),
            "explanation": what_was_seen(diagnosis) or diagnosis.explanation,
            "certain": diagnosis.certain,
        }
        known.add(diagnosis.code)


def anchor(code: str) -> str:
    """The id of the first text of a diagnosis on a submission's page."""
    return re.sub(r"[^\w-]", "_", code)


def verdict_rows(record: Record) -> Iterator[dict[str, str]]:
    """How every X stands, those without a model included."""
    required = required_checkpoints(record)
    others = {c.drop_points: c for c in record.checkpoints if c.drop_points not in required}
    for points, checkpoint in (required | others).items():
        verdict = checkpoint.verdict if checkpoint else None
        if checkpoint is None:
            answer, reason = "failed", "no model"
        else:
            answer = _TONES.get(verdict or "", "undecided")
            reason = verdict_reason(checkpoint) if verdict else checkpoint.status.value
        name, extra = checkpoint_name(points), "" if points in required else ", not asked for"
        yield {"name": f"{name}{extra}", "answer": answer, "reason": reason}


def speed_rows(record: Record) -> Iterator[tuple[str, ...]]:
    """X, net, latency, its 95th percentile, throughput, and both as ratios to the BadNet's."""
    for checkpoint in record.checkpoints:
        timing = checkpoint.timing
        nets = (("B'", timing.repaired), ("G", timing.goodnet)) if timing else ()
        for name, speed in nets:
            if speed is not None:
                yield checkpoint_name(checkpoint.drop_points), name, *_speed(speed)


def _speed(speed: Speed) -> tuple[str, ...]:
    return (
        f"{1000 * speed.latency_median_seconds:.2f}",
        f"{1000 * speed.latency_p95_seconds:.2f}",
        f"{speed.throughput_images_per_second:,.0f}",
        _ratio(speed.latency_ratio, speed.latency_ratio_interval),
        _ratio(speed.throughput_ratio, speed.throughput_ratio_interval),
    )


def _ratio(ratio: float, interval: tuple[float, float] | None) -> str:
    shown = NOISY if known_ratio(ratio, interval) is None else f"{ratio:.2f}"
    return f"{shown} ({interval[0]:.2f} to {interval[1]:.2f})" if interval else shown


def claim_rows(comparisons: Sequence[Comparison]) -> Iterator[tuple[str, ...]]:
    """Figures of a report or a publication: verdict, net, split, figure, stated, reason."""
    for claim in comparisons:
        net = _NETS.get(claim.net, claim.net)
        x = "" if claim.drop_points is None else f", X = {claim.drop_points:g}"
        yield (
            ANSWERS[claim.agrees],
            f"{net}{x}",
            claim.split,
            claim.figure.replace("_", " "),
            f"{100 * claim.stated:.2f} %",
            claim.reason,
        )


def mcnemar_rows(record: Record) -> Iterator[tuple[str, ...]]:
    """McNemar's exact test against the reference's net, on the same images."""
    for checkpoint in record.checkpoints:
        for pair in checkpoint.paired:
            yield (
                checkpoint_name(checkpoint.drop_points),
                "B'" if pair.net == "repaired" else "G",
                pair.set,
                f"{pair.only_submission:,}",
                f"{pair.only_reference:,}",
                f"{pair.images:,}",
                f"{pair.p_value:.3g}",
            )


def model_rows(record: Record) -> Iterator[tuple[str, ...]]:
    """The files that were graded and what they are."""
    for checkpoint in record.checkpoints:
        channels = checkpoint.channels_pruned
        if checkpoint.artifact is not None:
            pruned = ABSENT if channels is None else str(channels)
            yield _model_row(checkpoint, "B'", checkpoint.artifact, pruned)
        if checkpoint.goodnet_artifact is not None:
            yield _model_row(checkpoint, "G", checkpoint.goodnet_artifact, ABSENT)


def _model_row(
    checkpoint: Checkpoint, net: str, artifact: Artifact, pruned: str
) -> tuple[str, ...]:
    return (
        checkpoint_name(checkpoint.drop_points),
        net,
        artifact.path,
        artifact.format,
        f"{artifact.size_bytes / 1024:,.0f} KiB",
        artifact.sha256[:16],
        family(checkpoint),
        pruned,
        checkpoint.isolation or ABSENT,
    )
