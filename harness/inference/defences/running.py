"""Have a defence repair one BadNet in a child, and measure from outside what that takes.

A detector is run in the same way: what it leaves is a probability.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.defences import worker
from harness.inference.sandboxed import image_window, submission_error
from harness.records.errors import Status, SubmissionError
from harness.records.record import Repair
from harness.sandbox import launch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.networks.deepid import Weights
    from harness.records.network import Network

CODE = "/submission/defence"

GRACE = 1.1
"""Times its budget a repair is ended: one that looks at its clock may end a little late."""

_WORKER = Path(worker.__file__)
_KINDS = {
    worker.REPAIR: {worker.MODEL: "network", worker.ARRAYS: "network", worker.STATE: "state"},
    worker.DETECT: {worker.PROBABILITY: "probability"},
}
"""What a function may leave, and what the record calls that."""

_GRACE_SECONDS = 2.0
_START_SECONDS = 180.0
_HANDING_OVER_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairTask:
    """One defence and one BadNet."""

    code: Path
    """The folder of the defence."""

    file: str
    """Its file in there."""

    takes: str
    """keras or arrays."""

    network: Network
    weights: Weights
    """The BadNet's."""

    images: np.ndarray
    """Clean ones, as the network takes them (N x rows x columns x colours)."""

    labels: np.ndarray
    """N, int64."""

    seed: int
    seconds: float
    """The budget."""

    sandbox: str | None
    """None for one's own work only."""

    memory_bytes: int

    asks: str = worker.REPAIR
    """The function that is called."""

    chosen: Mapping[str, str] = field(default_factory=dict)
    """Settings of the defence that are not to have their defaults, as texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a defence left of a BadNet."""

    kind: int
    """MODEL, ARRAYS, STATE or PROBABILITY of the worker."""

    content: bytes
    cost: Repair


def repair(task: RepairTask) -> Left:
    """Run a defence on a BadNet. Raises SubmissionError where it fails or takes too long."""
    import msgspec

    arguments = (msgspec.json.encode(_settings(task)).decode(), CODE)
    handed = {
        "images": task.images,
        "labels": task.labels,
        **{f"{worker.WEIGHTS}{name}": array for name, array in task.weights.items()},
    }
    with image_window(0) as (window, reader):
        np.savez(window, **handed)  # type: ignore[arg-type]
        window.flush()
        inputs = launch.Inputs(readable={CODE: task.code.resolve()}, images_fd=reader)
        try:
            with launch.start(
                _WORKER, arguments, inputs=inputs, limits=_limits(task), sandbox=task.sandbox
            ) as child:
                return _asked(child, task)
        except launch.ChildFailure as failure:
            raise _submission_error(failure, task) from None


def _settings(task: RepairTask) -> worker.Settings:
    return worker.Settings(
        file=task.file,
        takes=task.takes,
        network=task.network.encode(),
        classes=task.network.classes,
        seed=task.seed,
        seconds=task.seconds,
        images=len(task.images),
        chosen=dict(task.chosen),
        asks=task.asks,
    )


def _limits(task: RepairTask) -> launch.Limits:
    whole = _START_SECONDS + _patience(task) + _HANDING_OVER_SECONDS
    return launch.Limits(
        start_seconds=_START_SECONDS,
        wall_seconds=whole,
        cpu_seconds=int(4 * whole),
        memory_bytes=task.memory_bytes,
        scratch_bytes=2 * worker.MOST_BYTES,
    )


def _patience(task: RepairTask) -> float:
    return max(GRACE * task.seconds, task.seconds + _GRACE_SECONDS)


def _asked(child: launch.Child, task: RepairTask) -> Left:
    child.ask(b"1", len(worker.READY))
    started_at, used = time.monotonic(), child.cpu_seconds()
    header = child.ask(b"1", worker.HEADER.size, timeout_seconds=_patience(task))
    seconds, used_then = time.monotonic() - started_at, child.cpu_seconds()

    kind, size = worker.HEADER.unpack(header)
    if kind not in _KINDS[task.asks] or size > worker.MOST_BYTES:
        raise SubmissionError(Status.CRASHED, f"{task.asks}() answered in place of the harness")
    content = child.ask(b"1", size, timeout_seconds=_HANDING_OVER_SECONDS)
    child.finish()
    cost = Repair(
        wall_seconds=seconds,
        cpu_seconds=None if used is None or used_then is None else used_then - used,
        peak_bytes=child.peak_bytes,
        images=len(task.images),
        budget_seconds=task.seconds,
        left=_KINDS[task.asks][kind],
        left_bytes=size,
    )
    return Left(kind=kind, content=content, cost=cost)


def _submission_error(failure: launch.ChildFailure, task: RepairTask) -> SubmissionError:
    if failure.kind == "timed_out":
        reason = f"{task.asks}() was ended: it took more than its budget of {task.seconds:g} s"
        return SubmissionError(Status.TIMED_OUT, f"{reason} (--seconds)")
    error = submission_error(
        failure, refusal=f"{task.asks}() fails", subject=f"{task.asks}() ", saw_images=False
    )
    if error.out_of_memory:
        error.reason += " (--model-memory sets this limit)"
    return error
