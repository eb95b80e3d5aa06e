"""The tables of one submission's page, as plain text cells; templates escape them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.output.leaderboard.columns import ABSENT, NOISY, family, known_ratio
from harness.records.traversal import checkpoint_name, located_checks, located_diagnoses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.findings import Comparison
    from harness.records.record import Artifact, Record, Speed

ANSWERS = {True: "passed", False: "failed", None: "open"}


def asked(record: Record) -> Iterator[tuple[str, str, str, str]]:
    """Every check: verdict, what it is about, its name, its reason; what could not run too."""
    for about, check in located_checks(record):
        yield ANSWERS[check.passed], about, check.name.replace("_", " "), check.reason
    for checkpoint in record.checkpoints:
        if checkpoint.reason:
            status = checkpoint.status.value.replace("_", " ")
            yield "failed", checkpoint_name(checkpoint.drop_points), status, checkpoint.reason


def found(record: Record) -> Iterator[dict[str, object]]:
    """Every diagnosis with its explanation and the numbers behind it."""
    for about, diagnosis in located_diagnoses(record):
        yield {
            "about": about,
            "code": diagnosis.code,
            "explanation": diagnosis.explanation,
            "certain": diagnosis.certain,
        }


def speeds(record: Record) -> Iterator[tuple[str, ...]]:
    """X, net, latency, its 95th percentile, throughput, and both times of the BadNet's."""
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


def stated(comparisons: Sequence[Comparison]) -> Iterator[tuple[str, ...]]:
    """Figures that somebody states: verdict, net, split, figure, stated, what was found."""
    for each in comparisons:
        net = {"badnet": "B", "repaired": "B'", "goodnet": "G"}.get(each.net, each.net)
        points = "" if each.drop_points is None else f", X = {each.drop_points:g}"
        yield (
            ANSWERS[each.agrees],
            f"{net}{points}",
            each.split,
            each.figure.replace("_", " "),
            f"{100 * each.stated:.2f} %",
            each.reason,
        )


def paired(record: Record) -> Iterator[tuple[str, ...]]:
    """McNemar's exact test against the reference's net, on the same images."""
    for checkpoint in record.checkpoints:
        for pair in checkpoint.paired:
            yield (
                checkpoint_name(checkpoint.drop_points),
                "B'" if pair.net == "repaired" else "G",
                pair.set,
                str(pair.only_submission),
                str(pair.only_reference),
                str(pair.images),
                f"{pair.p_value:.3g}",
            )


def models(record: Record) -> Iterator[tuple[str, ...]]:
    """The files that were graded and what they are."""
    for checkpoint in record.checkpoints:
        for name, artifact in (("B'", checkpoint.artifact), ("G", checkpoint.goodnet_artifact)):
            if artifact is not None:
                channels = checkpoint.channels_pruned
                yield (
                    checkpoint_name(checkpoint.drop_points),
                    name,
                    artifact.path,
                    *_file(artifact),
                    family(checkpoint),
                    ABSENT if channels is None or name == "G" else str(channels),
                    checkpoint.isolation or ABSENT,
                )


def _file(artifact: Artifact) -> tuple[str, str, str]:
    return artifact.format, f"{artifact.size_bytes / 1024:,.0f} KiB", artifact.sha256[:16]
