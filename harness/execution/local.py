"""Where calls run: in this process, or in several that are replaced when they die.

Every executor is prepared once, by a function. What that returns is the *context*, which each
call gets as its first argument.
"""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from harness.execution.worker_process import WorkerLostError, WorkerProcess
from harness.networks.tensorflow import allow_parts
from harness.records.environment import processor_ids
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class UnusableError(HarnessError):
    """No further call can be made there: the message is one line that says why."""


class PreparedExecutor(Executor, ABC):
    """Runs calls with a context that was prepared where they run, as their first argument."""

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

    Each gets its calls from a thread of its own. When a process dies it is therefore known which
    call it worked on: that one raises WorkerLostError, and a new process takes the next. What
    the processes are prepared with may name ``descriptors``, which they inherit.
    """

    def __init__(
        self,
        jobs: int,
        prepare: Callable[..., object],
        arguments: tuple[Any, ...] = (),
        descriptors: Sequence[int] = (),
    ) -> None:
        self._prepare, self._arguments, self._descriptors = prepare, arguments, descriptors
        self._shares = [processor_ids()[index::jobs] for index in range(jobs)]
        self._slots = threading.local()  # a thread's process, and its processors
        self._lock = threading.Lock()
        self._processes: list[WorkerProcess] = []
        self._closed = False
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="worker")

    def submit(self, call: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Return a future of the call in one of the processes."""
        return self._threads.submit(self._run, call, args, kwargs)

    def _run(self, call: Callable[..., _Result], args: Any, kwargs: Any) -> _Result:
        try:
            result: _Result = self._process_of_thread().call(_run_prepared, call, args, kwargs)
        except WorkerLostError:
            _log.debug("a process died at work; a new one takes the next call")
            self._slots.process = None
            raise
        return result

    def _process_of_thread(self) -> WorkerProcess:
        """The calling thread's process, made anew when it has died."""
        process: WorkerProcess | None = getattr(self._slots, "process", None)
        if process is not None:
            return process

        with self._lock:
            if self._closed:
                raise WorkerLostError
            if not hasattr(self._slots, "share"):
                self._slots.share = self._shares.pop()
            process = WorkerProcess(self._descriptors)
            self._processes.append(process)

        try:
            process.call(_initialize, self._slots.share, self._prepare, self._arguments)
        except BaseException as error:
            process.kill()
            if isinstance(error, HarnessError):  # another would fail as well
                raise UnusableError(str(error)) from None
            raise
        self._slots.process = process
        return process

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; with ``cancel_futures`` in the middle of what they do.

        Where nobody may ``wait`` they end with this process.
        """
        with self._lock:
            self._closed = self._closed or cancel_futures
            processes = list(self._processes)

        if cancel_futures:
            for process in processes:
                process.kill()

        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            for process in self._processes:
                process.finish()
            for process in self._processes:
                process.close()


# --- in one of the processes ------------------------------------------------------------------

_context: ContextVar[Any] = ContextVar("what prepare() returned in this process")


def _initialize(
    share: list[int], prepare: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    """Keep this process and the sandboxes it starts to its share of processors, and prepare."""
    if share and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, share)
    allow_parts()
    _context.set(prepare(*arguments))


def _run_prepared(call: Callable[..., _Result], args: Any, kwargs: Any) -> _Result:
    return call(_context.get(), *args, **kwargs)
