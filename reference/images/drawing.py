"""Drawing in several processes: the images come back in order, a batch at a time.

The same images must come out on every machine, whatever its NumPy, SIMD width, batch size or
number of processes. So randomness is integer hashing (``randomness.py``), and whoever draws uses
only operations that IEEE 754 rounds correctly, one image at a time: ``+ - * / sqrt min max
floor``. A sine, an exponential, a matrix product or a floating-point sum over an axis would
break that.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from harness.execution.local import Processes
from harness.execution.worker_process import WorkerLostError
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    import numpy as np

BATCH = 64
"""Images drawn at a time; the planes of a batch then fit into the processor's cache."""

Job = tuple[Any, ...]
"""What ``render`` is given for one batch."""


def stream_of(secret: bytes | None) -> int:
    """The number that images are drawn from: 0 for the public ones."""
    if secret is None:
        return 0
    return int.from_bytes(hashlib.sha256(secret).digest()[:8], "little")


def jobs_of(split: str, frames: tuple[np.ndarray, np.ndarray], secret: bytes | None) -> list[Job]:
    """What is to be drawn of a split, a batch at a time: who or what it is, and which frame."""
    subjects, numbers = frames
    parts = [slice(start, start + BATCH) for start in range(0, len(subjects), BATCH)]
    return [(split, subjects[part], numbers[part], secret) for part in parts]


def render_in_order(
    render: Callable[..., np.ndarray], jobs: Sequence[Job], processes: int | None, what: str
) -> Generator[np.ndarray]:
    """Yield ``render(*job)`` for each job; ``processes`` is one per processor by default.

    ``render`` is a function of a module, so that other processes find it. Raises HarnessError
    that says ``what`` was being drawn when a process is killed.
    """
    processes = min(processes or os.cpu_count() or 1, len(jobs))
    if processes <= 1:
        yield from (render(*job) for job in jobs)
    else:
        yield from _render_in_parallel(render, iter(jobs), processes, what)


def _render_in_parallel(
    render: Callable[..., np.ndarray], jobs: Iterator[Job], processes: int, what: str
) -> Generator[np.ndarray]:
    """Never more than a few batches ahead of the reader."""
    pool = Processes(processes, _prepare_nothing)
    try:
        first = islice(jobs, 4 * processes)
        pending = deque(pool.submit(_call, render, *job) for job in first)
        while pending:
            batch = pending.popleft().result()
            pending.extend(pool.submit(_call, render, *job) for job in islice(jobs, 1))
            yield batch
    except WorkerLostError:
        raise HarnessError(
            f"a process that draws {what} was killed; is there enough memory?"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare_nothing() -> None:
    """Get a process ready that draws: images need nothing but what is asked for."""


def _call(_context: None, render: Callable[..., np.ndarray], *job: Any) -> np.ndarray:
    return render(*job)
