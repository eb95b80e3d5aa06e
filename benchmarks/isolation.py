"""What isolation costs: the same child without a sandbox, in bubblewrap's and in Landlock's.

    python benchmarks/isolation.py [--rounds 80] [--model net.keras]

Every round starts one of each, in turn in either order, so that what else the machine does falls
on all alike. A child is a script of ours that answers once; with ``--model`` it is also a worker
that loads the model, which must have the lab's input, and answers 3,072 images.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.inference.sandboxed import SHOWN_IMAGES, SandboxedRun, start_model
from harness.intake.staging import Staged
from harness.networks.deepid import lab_network
from harness.sandbox import launch
from harness.sandbox.attacks.report import REPORT_BYTES
from harness.sandbox.availability import find_sandbox
from harness.sandbox.layers.escape_tests import ATTACKS

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECES = 12


def main() -> None:
    """Print medians, and ratios to the child without a sandbox with their quartiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=80)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()

    kinds = [None, *(kind for kind in launch.SANDBOXES if find_sandbox(kind))]
    compare("start and answer", start, kinds, options.rounds)
    if options.model is not None:
        model = options.model.resolve()
        compare("load and predict", lambda kind: run(model, kind), kinds, options.rounds // 10)


def compare(
    what: str, work: Callable[[str | None], None], kinds: list[str | None], rounds: int
) -> None:
    """Do the work in each kind of sandbox, round by round."""
    seconds: dict[str | None, list[float]] = {kind: [] for kind in kinds}
    for number in range(-1, rounds):
        for kind in kinds if number % 2 else reversed(kinds):
            started_at = time.perf_counter()
            work(kind)
            if number >= 0:  # the first round warms up
                seconds[kind].append(time.perf_counter() - started_at)

    for kind, found in seconds.items():
        ratios = [one / plain for one, plain in zip(found, seconds[None], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{what}, {kind or 'plain'}: {statistics.median(found):.3f} s, "
              f"{middle:.2f} times plain ({low:.2f} to {high:.2f})")  # fmt: skip


def start(kind: str | None) -> None:
    """Start a script that imports a little of the harness, and let it answer."""
    script = ATTACKS / "list_folder.py"
    with launch.start(script, ("/nowhere",), sandbox=kind) as child:
        child.ask(b"?", REPORT_BYTES)
        child.finish()


def run(model: Path, kind: str | None) -> None:
    """Load a model and let it answer images of noise."""
    staged = Staged(path=model, sha256="", size_bytes=model.stat().st_size)
    how = SandboxedRun(staged, model.suffix[1:], lab_network(), 1.0, kind, launch.Limits())
    shape = (SHOWN_IMAGES, *how.network.input_shape)
    images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    with start_model(how, images.dtype) as worker:
        for _ in range(_PIECES):
            worker.show(images)
            worker.answers()
        worker.finish()


if __name__ == "__main__":
    main()
