"""Measure the sweep and one submission beside what people use: ``python benchmarks/run.py``.

Peer and project alternate in one run; counts are compared before any time is reported.
Writes ``results/bench.md`` and ``results/bench.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.curves import Curve

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import peers  # noqa: E402

PEER_STEPS = (0, 20, 47)
"""Steps of the loop that are run in full; its other 57 do the same work and are scaled."""


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """(result, wall seconds, processor seconds) of a call in this process."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - processor


def sweep_rounds(rounds: int) -> dict:
    """Seconds of the loop (scaled to 60 steps), one forward pass, and the sweep, by round."""
    from reference.deepid import class_ids, load_network
    from reference.inputs import load_inputs
    from reference.pruning import mean_activations, pool_3_features, pruning_order, sweep

    inputs = load_inputs("faces")
    names = ("valid", "bd_valid")
    data = [(inputs.sets[name].images, inputs.sets[name].labels) for name in names]
    weights = inputs.badnet
    model = load_network(weights)
    model.predict(data[0][0][:64], verbose=0)
    class_ids(weights, data[0][0][:1024])

    def features() -> list[np.ndarray]:
        return [pool_3_features(weights, images) for images, _ in data]

    def steps(features: list[np.ndarray]) -> Curve:
        order = pruning_order(mean_activations(features[0]))
        pairs = [(maps, labels) for maps, (_, labels) in zip(features, data, strict=True)]
        return sweep(weights, order, pairs[0], pairs[1])

    seconds: dict[str, list] = {"loop": [], "forward": [], "steps": [], "sweep": []}
    for number in range(rounds):
        maps, *below = measured(features)
        curve, *above = measured(lambda maps=maps: steps(maps))
        seconds["steps"].append(above)
        seconds["sweep"].append([a + b for a, b in zip(below, above, strict=True)])
        _, *spent = measured(lambda: [class_ids(weights, images) for images, _ in data])
        seconds["forward"].append(spent)
        step = PEER_STEPS[number % len(PEER_STEPS)]
        counts, *spent = measured(
            lambda step=step, curve=curve: peers.notebook_steps(
                model, weights, [curve.order[:step]], data
            )
        )
        expected = (curve.clean_correct[step], curve.backdoored_attacked[step])
        if counts != [expected]:
            raise SystemExit(f"step {step}: the loop counts {counts}, the sweep {expected}")
        seconds["loop"].append([60 * value for value in spent])
    return seconds


def submission_rounds(rounds: int) -> dict:
    """Seconds of whole processes: six official runs (one measured per round), and ours."""
    data, models = ROOT / "datasets/faces/data", ROOT / "submissions/jk7846/models"
    seconds: dict[str, list] = {"official": [], "stored": [], "nothing stored": []}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            output = Path(scratch) / str(number)
            pair = ("valid", "test")[number % 2]
            seconds["official"].append([6 * value for value in _process(
                str(Path(peers.__file__)), str(data / f"cl/{pair}.h5"),
                str(data / f"bd/bd_{pair}.h5"), str(models / "model_4.h5"))])  # fmt: skip
            grade = ("-m", "harness", "grade", "submissions/jk7846", "--no-timing",
                     "--output", str(output))  # fmt: skip
            seconds["nothing stored"].append(_process(*grade))
            for path in (output / "predictions").iterdir():
                _forget_repaired(path)
            seconds["stored"].append(_process(*grade))
    return seconds


def _forget_repaired(folder: Path) -> None:
    """Drop stored answers of everything but the BadNet: features stay, answers do not."""
    from harness.hashing import array_hash
    from harness.weights import read_model

    own = array_hash(read_model(ROOT / "datasets/faces/bd_weights.h5").weights)
    if folder.name != own:
        for file in folder.iterdir():
            file.unlink()


def _process(*arguments: str) -> list[float]:
    before, start = os.times(), time.perf_counter()
    finished = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True,
                              text=True, check=False)  # fmt: skip
    wall, after = time.perf_counter() - start, os.times()
    if finished.returncode not in (0, 1):
        raise SystemExit(finished.stderr)
    own = after.children_user + after.children_system
    return [wall, own - before.children_user - before.children_system]


def ratios(peer: list, own: list) -> list[list[float]]:
    """[median, lowest, highest] of the rounds' ratios, for wall and for processor seconds."""
    found = np.array(peer) / np.array(own)
    return [[float(f(column)) for f in (statistics.median, min, max)] for column in found.T]


def main() -> None:
    """Measure, compare counts, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    parser.add_argument("--only", choices=["sweep", "submission"])
    chosen = parser.parse_args()
    rows, raw = [], {}
    if chosen.only != "submission":
        raw["sweep"] = spent = sweep_rounds(chosen.rounds)
        peers_used = {
            "loop": "notebook loop (scaled from one step a round)",
            "forward": "one forward pass (0.5: ours takes two passes)",
        }
        works = {"sweep": "60-step sweep, features included", "steps": "the same, features given"}
        rows += [
            (work, against, ratios(spent[peer], spent[own]))
            for own, work in works.items()
            for peer, against in peers_used.items()
        ]
    if chosen.only != "sweep":
        raw["submission"] = spent = submission_rounds(chosen.rounds)
        against = "six official runs (scaled from one a round)"
        rows += [
            (f"one pruned submission, {kind}", against, ratios(spent["official"], spent[kind]))
            for kind in ("stored", "nothing stored")
        ]
    lines = ["| work | against | wall ratio (range) | processor ratio (range) |",
             "| --- | --- | --- | --- |"]  # fmt: skip
    for work, against, pair in rows:
        cells = [f"{middle:.2f} ({low:.2f} to {high:.2f})" for middle, low, high in pair]
        lines.append(f"| {work} | {against} | {cells[0]} | {cells[1]} |")
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "bench.md").write_text("\n".join(lines) + "\n")
    (chosen.out / "bench.json").write_text(json.dumps(raw, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
