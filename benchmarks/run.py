"""Measure the grader beside what people use today: ``python benchmarks/run.py``.

Peer and project alternate in one run, with the same threads; counts are compared before any
time is reported. Writes ``bench.md`` and ``bench.json`` into ``--out``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.lineage.pruning_curve import Curve

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import nets  # noqa: E402
import peers  # noqa: E402
from costs import cost_of  # noqa: E402

DATA = ROOT / "datasets" / "faces" / "data"
PEER_STEPS = (0, 20, 47)
"""Steps of the loop that are run in full; its other 57 do the same work and are scaled."""

BATCH_SIZES = (256, 512, 1024)
SUBMISSIONS = 12
FORWARD_FLOPS = 16.3e6
"""Multiplications and additions of one image's forward pass; docs/performance.md adds them up."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one run of some work, and the peak of its memory where it was a process."""

    wall: float
    processor: float
    peak_bytes: int = 0

    def times(self, factor: int) -> Spent:
        """The cost of so many runs of the same."""
        return Spent(factor * self.wall, factor * self.processor, self.peak_bytes)


@dataclass(slots=True)
class Row:
    """Work of ours against a peer's, a pair of costs for each round."""

    work: str
    against: str
    goal: str
    pairs: list[tuple[Spent, Spent]] = field(default_factory=list)

    def cells(self) -> list[str]:
        """The row of the table: ratios as median (range), memory of ours."""
        ratios = [
            [getattr(peer, kind) / getattr(own, kind) for peer, own in self.pairs]
            for kind in ("wall", "processor")
        ]
        peaks = [own.peak_bytes for _, own in self.pairs if own.peak_bytes]
        memory = f"{max(peaks) / 2**20:.0f} MiB" if peaks else "-"
        seconds = statistics.median(own.wall for _, own in self.pairs)
        spread = [f"{statistics.median(r):.2f} ({min(r):.2f} to {max(r):.2f})" for r in ratios]
        return [self.work, self.against, self.goal, *spread, f"{seconds:.2f}", memory]


def measured(work: Callable[[], Any]) -> tuple[Any, Spent]:
    """The result and the cost of a call in this process."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, Spent(time.perf_counter() - wall, time.process_time() - processor)


def process(scratch: Path, *arguments: str | Path, codes: Sequence[int] = (0, 1)) -> Spent:
    """The cost of ``python *arguments`` as a whole process tree, from its start to its end."""
    log = scratch / "log"
    cost = cost_of([sys.executable, *arguments], log, every=0.2)
    if cost.exit_code not in codes:
        raise SystemExit(log.read_text())
    return Spent(cost.wall_seconds, cost.processor_seconds, cost.peak_bytes)


# --- the sweep --------------------------------------------------------------------------------


def sweep_rows(rounds: int) -> Iterator[Row | str]:
    """The sweep beside the notebook's loop and beside one forward pass of the same images."""
    from harness.networks import deepid
    from reference.defence.inputs import load_inputs
    from reference.pruning.pruning import (
        LabeledMaps,
        mean_activations,
        pool_3_features,
        pruning_order,
        sweep,
    )

    inputs = load_inputs("faces")
    data = [
        (deepid.packed(labeled.images), labeled.labels)
        for labeled in (inputs.datasets.sets[name] for name in ("valid", "bd_valid"))
    ]
    weights, images = inputs.badnet, sum(len(labels) for _, labels in data)
    model = deepid.load_network(weights)
    model.predict(data[0][0][:64], verbose=0)
    batch = _fastest_batch(weights, data[0][0])

    def features() -> list[np.ndarray]:
        return [pool_3_features(weights, pixels) for pixels, _ in data]

    def steps(maps: list[np.ndarray]) -> Curve:
        order = pruning_order(mean_activations(maps[0]))
        valid, bd_valid = (
            LabeledMaps(each, labels) for each, (_, labels) in zip(maps, data, strict=True)
        )
        return sweep(weights, order, valid, bd_valid)

    steps(features())  # warm
    one_pass = f"one forward pass, batch {batch}"
    rows = {
        (work, peer): Row(f"60-step sweep, features {work}", against, goal)
        for work, peer, against, goal in (
            ("given", "loop", "notebook loop", ">= 120 wall, 80 processor"),
            ("given", "forward", one_pass, ">= 0.5 (2 passes)"),
            ("included", "loop", "notebook loop", ">= 120 wall, 80 processor"),
            ("included", "forward", one_pass, ">= 0.5 (2 passes)"),
        )
    }
    rates: dict[str, list[float]] = {"forward": [], "product": []}
    for number in range(rounds):
        maps, below = measured(features)
        curve, above = measured(lambda maps=maps: steps(maps))
        forward = _forward(weights, data, batch)
        loop = _loop_step(model, weights, data, curve, PEER_STEPS[number % len(PEER_STEPS)])
        both = Spent(below.wall + above.wall, below.processor + above.processor)
        for work, own in (("given", above), ("included", both)):
            rows[work, "loop"].pairs.append((loop.times(len(curve.order)), own))
            rows[work, "forward"].pairs.append((forward, own))
        rates["forward"].append(FORWARD_FLOPS * images / forward.wall / 1e9)
        rates["product"].append(_product_rate())
    yield from rows.values()
    yield (
        f"Roofline: the forward pass runs at {statistics.median(rates['forward']):.0f} GFLOP/s; "
        f"one large matrix product at {statistics.median(rates['product']):.0f} GFLOP/s on the "
        "same processors in the same rounds."
    )


def _fastest_batch(weights: Any, pixels: np.ndarray) -> int:
    from harness.networks import deepid

    seconds = {}
    for size in BATCH_SIZES:
        deepid.PREDICTION_BATCH = size
        deepid.class_ids(weights, pixels[:size])
        seconds[size] = measured(lambda: deepid.class_ids(weights, pixels[:4096]))[1].wall
    deepid.PREDICTION_BATCH = 512
    return min(seconds, key=seconds.__getitem__)


def _forward(weights: Any, data: list, batch: int) -> Spent:
    from harness.networks import deepid

    deepid.PREDICTION_BATCH = batch
    spent = measured(lambda: [deepid.class_ids(weights, pixels) for pixels, _ in data])[1]
    deepid.PREDICTION_BATCH = 512
    return spent


def _loop_step(model: Any, weights: Any, data: list, curve: Curve, step: int) -> Spent:
    counts, spent = measured(
        lambda: peers.notebook_steps(model, weights, [curve.order[:step]], data)
    )
    expected = (curve.clean_correct[step], curve.backdoored_attacked[step])
    if counts != [expected]:
        raise SystemExit(f"step {step}: the loop counts {counts}, the sweep {expected}")
    return spent


def _product_rate(size: int = 2048) -> float:
    """GFLOP/s of a product of two large float32 matrices."""
    left = np.random.default_rng(0).random((size, size), np.float32)
    left @ left
    wall = measured(lambda: [left @ left for _ in range(5)])[1].wall
    return 5 * 2 * size**3 / wall / 1e9


# --- submissions ------------------------------------------------------------------------------


def known_rows(rounds: int, scratch: Path) -> Iterator[Row]:
    """Submissions of the known network beside runs of the official script."""
    six = "six official runs (one a round, scaled)"
    stored = Row("one pruned submission (3 B', 3 G), features stored", six, ">= 20 wall")
    decided = Row("the same, at most 46 channels pruned", six, ">= 20 wall")
    nothing = Row("the reference's own three B', nothing stored", six, ">= 3.5 wall")
    all_of_them = Row(
        f"{SUBMISSIONS} pruned submissions ({3 * SUBMISSIONS} different B'), features stored",
        f"{6 * SUBMISSIONS} official runs ({rounds} measured, scaled)", ">= 20 wall",
    )  # fmt: skip
    submissions = nets.pruned_submissions(scratch / "course", SUBMISSIONS)
    sure = nets.pruned_submissions(scratch / "sure", rounds, nets.FEW_CHANNELS)
    prepared, known = scratch / "prepared", ROOT / "submissions" / "jk7846"
    _grade(scratch, known, prepared)
    one_by_one, peers_spent = scratch / "one by one", []
    shutil.copytree(prepared, one_by_one)
    for number in range(rounds):
        submission, points = submissions[number], (2, 4, 10)[number % 3]
        official, counts = _official(scratch, submission, points, ("valid", "test")[number % 2])
        own = _grade(scratch, submission, one_by_one)
        _require_equal(one_by_one, submission, points, counts)
        stored.pairs.append((official.times(6), own))
        decided.pairs.append((official.times(6), _grade(scratch, sure[number], one_by_one)))
        fresh = _grade(scratch, known, scratch / f"fresh {number}")
        nothing.pairs.append((official.times(6), fresh))
        peers_spent.append(official)
    together = _grade(scratch, "--each", scratch / "course", prepared)
    all_of_them.pairs += [(official.times(6 * SUBMISSIONS), together) for official in peers_spent]
    yield from (stored, decided, nothing, all_of_them)


def foreign_rows(rounds: int, scratch: Path) -> Iterator[Row]:
    """A submission of three models that need the sandbox beside the official script."""
    row = Row("three models of another architecture in the sandbox, probes included",
              "six official runs (one a round, scaled)", ">= 1.2 wall")  # fmt: skip
    foreign = nets.foreign_submission(scratch / "foreign")
    known = ROOT / "submissions" / "jk7846"
    prepared = scratch / "prepared for foreign"
    _grade(scratch, known, prepared)
    for number in range(rounds):
        points = (2, 4, 10)[number % 3]
        official, counts = _official(scratch, known, points, ("valid", "test")[number % 2])
        output = scratch / f"foreign {number}"
        shutil.copytree(prepared, output)
        own = _grade(scratch, foreign, output)
        _require_equal(output, foreign, points, counts, tolerance=2)
        row.pairs.append((official.times(6), own))
    yield row


def _official(
    scratch: Path, submission: Path, points: int, split: str
) -> tuple[Spent, tuple[str, int, int]]:
    """One run of the official script, and what it counts on the split."""
    model = submission / "models" / f"model_{points}.h5"
    files = (DATA / "cl" / f"{split}.h5", DATA / "bd" / f"bd_{split}.h5")
    spent = process(scratch, Path(peers.__file__), *files, model)
    clean, attacked = (scratch / "log").read_text().split()[-2:]
    return spent, (split, int(clean), int(attacked))


def _grade(scratch: Path, *arguments: str | Path) -> Spent:
    *paths, output = arguments
    return process(scratch, "-m", "harness", "grade", *paths, "--no-timing", "--output", output)


def _require_equal(
    results: Path, submission: Path, points: int, counts: tuple[str, int, int], tolerance: int = 0
) -> None:
    """Stop where the record has other counts than the official script."""
    record = json.loads((results / "records" / f"{submission.name}.json").read_text())
    checkpoint = next(c for c in record["checkpoints"] if c["drop_points"] == points)
    split, *expected = counts
    found = [checkpoint["repaired"][split][key] for key in ("clean_correct", "backdoored_attacked")]
    if max(abs(f - e) for f, e in zip(found, expected, strict=True)) > tolerance:
        raise SystemExit(f"{submission.name}, X = {points}, {split}: {found}, official {expected}")


# --- the table --------------------------------------------------------------------------------

HEADINGS = ("work", "against", "to reach", "wall ratio (range)", "processor ratio (range)",
            "own wall s", "own peak PSS")  # fmt: skip


def main() -> None:
    """Measure, compare counts, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    parser.add_argument("--only", choices=["sweep", "known", "foreign"])
    chosen = parser.parse_args()
    rows: list[Row] = []
    remarks: list[str] = []
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as folder:
        works = {
            "known": lambda: known_rows(chosen.rounds, Path(folder)),
            "foreign": lambda: foreign_rows(chosen.rounds, Path(folder)),
            "sweep": lambda: sweep_rows(chosen.rounds),
        }
        for name, work in works.items():
            if chosen.only in (None, name):
                for found in work():
                    (rows if isinstance(found, Row) else remarks).append(found)  # type: ignore[arg-type]
                print(f"{name}: measured", file=sys.stderr, flush=True)
    _write(chosen.out, rows, remarks)


def _write(out: Path, rows: list[Row], remarks: list[str]) -> None:
    from tabulate import tabulate

    from harness.storage.results import write_text

    table = tabulate([row.cells() for row in rows], HEADINGS, "github", disable_numparse=True)
    text = "\n\n".join([table, *remarks]) + "\n"
    raw = [
        {"work": r.work, "against": r.against,
         "rounds": [[vars_of(peer), vars_of(own)] for peer, own in r.pairs]}
        for r in rows
    ]  # fmt: skip
    write_text(out / "bench.md", text)
    write_text(out / "bench.json", json.dumps({"rows": raw, "remarks": remarks}, indent=1) + "\n")
    print(text)


def vars_of(spent: Spent) -> dict[str, float]:
    """A cost as JSON."""
    return {"wall": spent.wall, "processor": spent.processor, "peak_bytes": spent.peak_bytes}


if __name__ == "__main__":
    main()
