"""Whole submissions, graded by us, beside runs of the course's official script."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import nets
import peers
from ratios import Row, Spent, measure_process

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "datasets" / "faces" / "data"
WORKED_EXAMPLE = ROOT / "submissions" / "jk7846"
SUBMISSIONS = 12

_SIX = "six official runs (one a round, scaled)"
"""What a submission of three B' takes: each net on two splits."""


def measure_known(rounds: int, scratch: Path) -> list[Row]:
    """Submissions of the known network."""
    stored = Row("one pruned submission (3 B', 3 G), features stored", _SIX, ">= 20 wall")
    decided = Row("the same, at most 46 channels pruned", _SIX, ">= 20 wall")
    nothing = Row("the reference's own three B', nothing stored", _SIX, ">= 3.5 wall")
    course = Row(
        f"{SUBMISSIONS} pruned submissions ({3 * SUBMISSIONS} different B'), features stored",
        f"{6 * SUBMISSIONS} official runs ({rounds} measured, scaled)",
        ">= 20 wall",
    )

    submissions = nets.pruned_submissions(scratch / "course", SUBMISSIONS)
    few_channels = nets.pruned_submissions(scratch / "sure", rounds, nets.FEW_CHANNELS)
    prepared, one_by_one = scratch / "prepared", scratch / "one by one"
    _grade(scratch, prepared, WORKED_EXAMPLE)
    shutil.copytree(prepared, one_by_one)

    official_runs = []
    for number in range(rounds):
        submission = submissions[number]
        official = _run_official(scratch, submission, number)
        six_runs = official.spent.times(6)
        official_runs.append(official.spent)

        stored.add(six_runs, _grade(scratch, one_by_one, submission))
        _require_equal(one_by_one, submission, official)
        decided.add(six_runs, _grade(scratch, one_by_one, few_channels[number]))
        nothing.add(six_runs, _grade(scratch, scratch / f"fresh {number}", WORKED_EXAMPLE))

    together = _grade(scratch, prepared, "--each", scratch / "course")
    for spent in official_runs:
        course.add(spent.times(6 * SUBMISSIONS), together)
    return [stored, decided, nothing, course]


def measure_foreign(rounds: int, scratch: Path) -> list[Row]:
    """A submission of three models that need the sandbox."""
    work = "three models of another architecture in the sandbox, probes included"
    foreign = nets.foreign_submission(scratch / "foreign")
    return _measure_run(rounds, scratch, foreign, Row(work, _SIX, ">= 1.2 wall"))


def measure_onnx(rounds: int, scratch: Path) -> list[Row]:
    """The same three as ONNX, which ONNX Runtime runs."""
    work = "three ONNX models of another architecture in the sandbox, probes included"
    foreign = nets.onnx_submission(scratch / "onnx")
    return _measure_run(rounds, scratch, foreign, Row(work, _SIX, ">= 1.2 wall"))


def _measure_run(rounds: int, scratch: Path, foreign: Path, row: Row) -> list[Row]:
    """A submission of models that are run, beside the official script on the same nets."""
    prepared = scratch / f"prepared for {foreign.name}"
    _grade(scratch, prepared, WORKED_EXAMPLE)

    for number in range(rounds):
        official = _run_official(scratch, WORKED_EXAMPLE, number)
        results = scratch / f"{foreign.name} {number}"
        shutil.copytree(prepared, results)
        row.add(official.spent.times(6), _grade(scratch, results, foreign))
        _require_equal(results, foreign, official, tolerance=2)
    return [row]


@dataclass(frozen=True, slots=True)
class OfficialRun:
    """One run of the official script."""

    points: int
    """X of the net that it ran."""

    split: str
    spent: Spent

    counts: tuple[int, int]
    """Clean images that were right, backdoored ones that were attacked."""


def _run_official(scratch: Path, submission: Path, number: int) -> OfficialRun:
    """Run the official script; another net and another split in each round."""
    points, split = (2, 4, 10)[number % 3], ("valid", "test")[number % 2]
    files = (DATA / "cl" / f"{split}.h5", DATA / "bd" / f"bd_{split}.h5")
    model = submission / "models" / f"model_{points}.h5"

    log = scratch / "log"
    spent = measure_process(log, Path(peers.__file__), *files, model)
    clean, attacked = log.read_text().split()[-2:]
    return OfficialRun(points, split, spent, (int(clean), int(attacked)))


def _grade(scratch: Path, results: Path, *submissions: str | Path) -> Spent:
    command = ("-m", "harness", "grade", *submissions, "--no-timing", "--out", results)
    return measure_process(scratch / "log", *command)


def _require_equal(
    results: Path, submission: Path, official: OfficialRun, tolerance: int = 0
) -> None:
    """Stop where the record has other counts than the official script."""
    record = json.loads((results / "records" / f"{submission.name}.json").read_text())
    by_points = {each["drop_points"]: each for each in record["checkpoints"]}
    repaired = by_points[official.points]["repaired"][official.split]
    counts = (repaired["clean_correct"], repaired["backdoored_attacked"])
    differences = [abs(ours - theirs) for ours, theirs in zip(counts, official.counts, strict=True)]
    if max(differences) > tolerance:
        raise SystemExit(
            f"{submission.name}, X = {official.points}, {official.split}: {list(counts)}, "
            f"official {list(official.counts)}"
        )
