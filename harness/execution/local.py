"""Where calls run: in this process, or in several that are replaced when they die.

Every executor is made ready once, by a function whose result, the *context*, each call gets as
its first argument.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from abc import ABC, abstractmethod
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")


class WorkerLostError(Exception):
    """The process that worked on this was killed, most likely for want of memory."""


class UnusableError(HarnessError):
    """No further call can be made where this one was: one line that says why."""


class PreparedExecutor(Executor, ABC):
    """Runs calls where something was made ready for them: the context, their first argument."""

    @abstractmethod
    def submit(self, call: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Return a future of ``call(context, *args, **kwargs)``."""


class InThisProcess(PreparedExecutor):
    """Runs each call at once, where it is submitted."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def submit(self, call: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Return a future that is done already."""
        future: Future[_Result] = Future()
        try:
            future.set_result(call(self._context, *args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is the future's to raise
            future.set_exception(error)
        return future


class Processes(PreparedExecutor):
    """``jobs`` fresh processes, each with its share of the processors.

    Each is fed by a thread of its own, so that when one dies it is known which call it worked
    on; that call raises WorkerLostError, and a new process takes the next.
    """

    def __init__(
        self, jobs: int, prepare: Callable[..., object], arguments: tuple[Any, ...] = ()
    ) -> None:
        self._prepare, self._arguments = prepare, arguments
        self._shares = [_processors()[index::jobs] for index in range(jobs)]
        self._slots = threading.local()
        self._lock = threading.Lock()
        self._pools: list[ProcessPoolExecutor] = []
        self._closed = False
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="worker")

    def submit(self, call: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Return a future of the call in one of the processes."""
        return self._threads.submit(self._run, call, args, kwargs)

    def _run(self, call: Callable[..., _Result], args: Any, kwargs: Any) -> _Result:
        try:
            return self._pool().submit(_run_prepared, call, args, kwargs).result()
        except BrokenProcessPool:
            self._slots.pool = None
            raise WorkerLostError from None

    def _pool(self) -> ProcessPoolExecutor:
        pool: ProcessPoolExecutor | None = getattr(self._slots, "pool", None)
        if pool is None:
            with self._lock:
                if self._closed:
                    raise WorkerLostError
                if not hasattr(self._slots, "share"):
                    self._slots.share = self._shares.pop()
                # A forked process would inherit locks that TensorFlow's threads hold.
                pool = ProcessPoolExecutor(
                    1,
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=_initialize,
                    initargs=(self._slots.share, self._prepare, self._arguments),
                )
                self._pools.append(pool)
            self._slots.pool = pool
        return pool

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; with ``cancel_futures`` in the middle of what they do."""
        with self._lock:
            self._closed = self._closed or cancel_futures
            pools = list(self._pools)
        if cancel_futures:
            for pool in pools:
                for process in (pool._processes or {}).values():  # noqa: SLF001 - no other way
                    process.kill()
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        for pool in pools:
            pool.shutdown(wait=wait, cancel_futures=cancel_futures)


# --- in one of the processes ------------------------------------------------------------------

_context: ContextVar[Any] = ContextVar("what this process was made ready with")


def _initialize(
    share: list[int], prepare: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    """Keep this process, TensorFlow and the sandboxes it starts to their processors."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    if share and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, share)
    _context.set(prepare(*arguments))


def _run_prepared(call: Callable[..., _Result], args: Any, kwargs: Any) -> _Result:
    return call(_context.get(), *args, **kwargs)


def _processors() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return []
