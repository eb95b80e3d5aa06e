"""The workers of a Dask cluster as an executor: the calls of the local one, elsewhere.

A worker prepares once for each batch, and then grades one submission at a time, whatever the
number of its threads. Before that it must agree to the terms: the same versions, the same files
within reach, a sandbox where this machine has one. A call whose worker dies is run again on
another (the scheduler's ``allowed-failures`` says how often); after that it raises
WorkerLostError. What comes back is pickled by the harness on the worker: nothing a submission
wrote is ever unpickled, and its sandbox has no network.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
import warnings
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.execution.compatibility import WorkerRequirements, incompatibility
from harness.execution.local import PreparedExecutor, UnusableError, WorkerLostError
from harness.records.errors import HarnessError
from harness.records.text import describe_error, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Result = TypeVar("_Result")

_CONNECT_SECONDS = 5
_TOPIC = "harness-progress"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A connection to a scheduler, and what is asked of its workers."""

    client: Any
    terms: WorkerRequirements

    def workers(self) -> int:
        """How many workers there are right now."""
        with _one_line("the scheduler"):
            return len(self.client.nthreads())

    @contextmanager
    def relayed(self, show: Callable[..., None]) -> Iterator[Topic]:
        """A queue for workers, whose events are handed to ``show`` while the context lasts."""
        topic = Topic(secrets.token_hex(8))

        def receive(event: tuple[float, Any]) -> None:
            _, (token, worker, name, arguments) = event
            if token == topic.token:
                show(worker, name, tuple(arguments))

        self.client.subscribe_topic(_TOPIC, receive)
        try:
            yield topic
        finally:
            if self.client.status == "running":
                self.client.unsubscribe_topic(_TOPIC)


@contextmanager
def connected(address: str, make_terms: Callable[[], WorkerRequirements]) -> Iterator[Cluster]:
    """The cluster of the scheduler at ``address``, or in a scheduler file, that agrees.

    Raises HarnessError with one line where it cannot be reached, or a worker does not agree.
    """
    try:
        from distributed import Client
    except ImportError:
        raise HarnessError(
            "--scheduler needs Dask: pip install 'backdoor-defence-harness[cluster]'"
        ) from None
    silence_dask()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            located = _address(address)
            # A client that fails to connect is left half made, and may block whatever thread
            # its memory is collected in.
            asyncio.run(_require_answer(located))
            client = Client(located, timeout=_CONNECT_SECONDS, set_as_default=False)
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 - Dask has many kinds
            reason = one_line(str(error)).strip() or type(error).__name__
            raise HarnessError(f"{address}: no Dask scheduler answers there ({reason})") from None
    with client:
        asked = make_terms()
        _require_agreement(client, asked)
        yield Cluster(client, asked)


async def _require_answer(address: str) -> None:
    from distributed import Security
    from distributed.comm import connect

    credentials = Security().get_connection_args("client")
    connection = await connect(address, timeout=_CONNECT_SECONDS, **credentials)
    await connection.close()


def silence_dask() -> None:
    """Keep Dask from logging: what goes wrong is told in our own lines."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _address(text: str) -> str:
    file = Path(text)
    if not file.is_file():
        return text
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{file}: not a scheduler file ({error!r})") from None


def _require_agreement(client: Any, asked: WorkerRequirements) -> None:
    with _one_line("the scheduler"):
        answers = client.run(incompatibility, asked, on_error="return")
    for worker, answer in answers.items():
        if isinstance(answer, Exception):
            raise HarnessError(f"worker {worker}: {_odd(answer)}")
        if answer is not None:
            raise HarnessError(f"worker {worker}: {answer}")


def _odd(error: Exception) -> str:
    """What an exception from a worker means that our own code there did not raise."""
    if isinstance(error, ImportError | AttributeError):
        return f"another harness or none there ({error}); install the same"
    return describe_error(error)


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Turn what a broken connection raises into one line."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - Dask has many kinds
        raise UnusableError(f"{what} is gone ({type(error).__name__}); {_AGAIN}") from None


_AGAIN = "what is graded is kept: run the same command again"


class Workers(PreparedExecutor):
    """Runs calls on workers, each made ready by ``prepare`` before its first one."""

    def __init__(
        self, cluster: Cluster, prepare: Callable[..., object], arguments: tuple[Any, ...] = ()
    ) -> None:
        self._preparation = Preparation(cluster.terms, prepare, arguments)
        # The same call twice is two calls; a call's own error is no reason to repeat it.
        self._pool: Executor = cluster.client.get_executor(pure=False, retries=0)
        self._closed = False

    def submit(self, call: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Return a future of the call on one of the workers."""
        outcome: Future[_Result] = Future()
        outcome.set_running_or_notify_cancel()
        with _one_line("the scheduler"):
            running = self._pool.submit(run_here, self._preparation, call, args, kwargs)
        running.add_done_callback(lambda done: self._pass_on(done, outcome))
        return outcome

    def _pass_on(self, done: Future[_Result], outcome: Future[_Result]) -> None:
        from distributed import KilledWorker

        try:
            outcome.set_result(done.result())
        except KilledWorker:
            outcome.set_exception(WorkerLostError())
        except CancelledError:
            gone = UnusableError(f"the scheduler is gone; {_AGAIN}")
            outcome.set_exception(WorkerLostError() if self._closed else gone)
        except (ImportError, AttributeError) as error:
            outcome.set_exception(UnusableError(f"a worker: {_odd(error)}"))
        except Exception as error:  # noqa: BLE001 - it is the future's to raise
            outcome.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the workers; with ``cancel_futures`` of what they have not begun, too."""
        del wait, cancel_futures  # Dask's executor always cancels what is left
        self._closed = True
        self._pool.shutdown(wait=False)


# --- on a worker ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preparation:
    """What makes a worker ready; each is another one, so that nothing old is taken for it."""

    terms: WorkerRequirements
    prepare: Callable[..., object]
    arguments: tuple[Any, ...]
    token: str = field(default_factory=lambda: secrets.token_hex(8))


class AbandonedError(BaseException):
    """Whoever asked for this is gone. No fault of a submission, so no Exception.

    A thread cannot be stopped from outside; this stops it where it says how far it is, so
    that the worker is free for whoever comes next.
    """


@dataclass(frozen=True, slots=True)
class Topic:
    """Takes events on a worker, for whoever has subscribed to them."""

    token: str

    def put(self, event: tuple[int, str, tuple[Any, ...]]) -> None:
        """Send an event of this process. Raises AbandonedError where nobody waits any more."""
        # Not asked of Dask here: threads that grading starts are none of Dask's.
        worker = _here.worker
        task = worker.state.tasks.get(_here.task)
        if task is None or task.state == "cancelled":
            raise AbandonedError
        _, name, arguments = event
        # A hostile name may hold what the wire cannot carry.
        plain = [one_line(a) if isinstance(a, str) else a for a in arguments]
        worker.log_event(_TOPIC, [self.token, worker.address, name, plain])


@dataclass(slots=True)
class _WorkerState:
    """What this worker does, and what it was made ready with."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while a call runs: one at a time, whatever the number of the worker's threads."""

    worker: Any = None
    """Dask's worker."""

    task: Any = None
    """The key of the task that runs."""

    token: str | None = None
    """Of the preparation."""

    context: Any = None
    """What the preparation returned."""


_here = _WorkerState()


def run_here(
    preparation: Preparation, call: Callable[..., _Result], args: Any, kwargs: Any
) -> _Result:
    """Run a call in this worker, made ready before."""
    from distributed import get_worker

    worker = get_worker()
    with _here.lock:
        _here.worker, _here.task = worker, worker.get_current_task()
        if _here.token != preparation.token:
            _here.token = None
            _here.context = _prepare(preparation, worker.address)
            _here.token = preparation.token
        return call(_here.context, *args, **kwargs)


def _prepare(preparation: Preparation, address: str) -> object:
    try:
        problem = incompatibility(preparation.terms)
        if problem is None:
            return preparation.prepare(*preparation.arguments)
    except HarnessError as error:
        problem = str(error)
    raise UnusableError(f"worker {address}: {problem}")
