"""The workers of a Dask cluster as an executor: the calls of the local one, elsewhere.

A worker prepares once for each batch, and then grades one submission at a time, whatever the
number of its threads. Before that it must meet the requirements: the same versions, the same
files within reach, a sandbox where this machine has one. A call whose worker dies is run again on
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
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.execution.compatibility import WorkerRequirements, incompatibility
from harness.execution.local import PreparedExecutor, UnusableError
from harness.execution.progress import Event
from harness.execution.worker_process import WorkerLostError
from harness.records.environment import install_command
from harness.records.errors import HarnessError, blame_harness
from harness.records.text import describe_error, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_CONNECT_SECONDS = 5
_TOPIC = "harness-progress"
_AGAIN = "what is graded is kept: run the same command again"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A connection to a scheduler."""

    client: Any
    """Dask's client."""

    requirements: WorkerRequirements
    """What each of its workers must have."""

    def workers(self) -> int:
        """How many workers there are right now."""
        with _blame_scheduler():
            return len(self.client.nthreads())

    @contextmanager
    def receive_events(self, show: Callable[[Event], None]) -> Iterator[Topic]:
        """Take the events of workers, and hand them to ``show`` while the context lasts."""
        topic = Topic(secrets.token_hex(8))

        def receive(stamped: Any) -> None:
            _, (token, worker, name, arguments) = stamped
            if token == topic.token:
                show(Event(worker, name, tuple(arguments)))

        self.client.subscribe_topic(_TOPIC, receive)
        try:
            yield topic
        finally:
            if self.client.status == "running":
                self.client.unsubscribe_topic(_TOPIC)


@contextmanager
def connect(address: str, require: Callable[[], WorkerRequirements]) -> Iterator[Cluster]:
    """Connect to the scheduler at ``address``, which may also be a scheduler file.

    ``require`` is called once it has answered. Raises HarnessError with one line where it cannot
    be reached, or a worker does not meet the requirements.
    """
    try:
        from distributed import Client
    except ImportError:
        raise HarnessError(f"--scheduler needs Dask: {install_command('cluster')}") from None

    def describe(error: Exception) -> HarnessError:
        reason = one_line(str(error)).strip() or type(error).__name__
        return HarnessError(f"{address}: no Dask scheduler answers there ({reason})")

    silence_dask()
    with warnings.catch_warnings(), blame_harness(describe):
        warnings.simplefilter("ignore")
        located = _address(address)
        # A client that fails to connect is left half made, and may block whatever thread
        # its memory is collected in.
        asyncio.run(_require_answer(located))
        client = Client(located, timeout=_CONNECT_SECONDS, set_as_default=False)

    with client:
        requirements = require()
        _require_compatible_workers(client, requirements)
        yield Cluster(client, requirements)


async def _require_answer(address: str) -> None:
    from distributed import Security
    from distributed.comm import connect

    credentials = Security().get_connection_args("client")
    connection = await connect(address, timeout=_CONNECT_SECONDS, **credentials)
    await connection.close()


def silence_dask() -> None:
    """Keep Dask from logging: what goes wrong is said in lines of our own."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _address(text: str) -> str:
    """The address itself, or the one in the scheduler file of this name."""
    file = Path(text)
    if not file.is_file():
        return text
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{file}: not a scheduler file ({error!r})") from None


def _require_compatible_workers(client: Any, requirements: WorkerRequirements) -> None:
    with _blame_scheduler():
        answers = client.run(incompatibility, requirements, on_error="return")
    for worker, answer in answers.items():
        if isinstance(answer, Exception):
            raise HarnessError(f"worker {worker}: {_explain_foreign_error(answer)}")
        if answer is not None:
            raise HarnessError(f"worker {worker}: {answer}")
    _log.info("%d workers of the cluster are compatible", len(answers))


def _explain_foreign_error(error: Exception) -> str:
    """Say what an exception on a worker means that our own code there did not raise."""
    if isinstance(error, ImportError | AttributeError):
        return f"another harness or none there ({error}); install the same"
    return describe_error(error)


def _blame_scheduler() -> AbstractContextManager[None]:
    """Turn whatever a broken connection raises into one line."""

    def describe(error: Exception) -> HarnessError:
        return UnusableError(f"the scheduler is gone ({type(error).__name__}); {_AGAIN}")

    return blame_harness(describe)


class Workers(PreparedExecutor):
    """Runs calls on workers, each prepared by ``prepare`` before its first call."""

    def __init__(
        self, cluster: Cluster, prepare: Callable[..., object], arguments: tuple[Any, ...] = ()
    ) -> None:
        self._client = cluster.client
        self._preparation = Preparation(cluster.requirements, prepare, arguments)
        self._running: set[Any] = set()
        self._closed = False

    def submit(self, call: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Return a future of the call on one of the workers."""
        outcome: Future[_Result] = Future()
        outcome.set_running_or_notify_cancel()
        with _blame_scheduler():
            # The same call twice is two calls; a call's own error is no reason to repeat it.
            running = self._client.submit(
                run_on_worker, self._preparation, call, args, kwargs, pure=False, retries=0
            )
            self._running.add(running)
            self._client.loop.add_callback(self._pass_on, running, outcome)
        return outcome

    async def _pass_on(self, running: Any, outcome: Future[_Result]) -> None:
        """Let a future of ours end as Dask's does, with our own errors for Dask's.

        Dask's own executor takes a result for an error when its worker dies just after sending it.
        """
        from distributed import KilledWorker

        try:
            outcome.set_result(await running)
        except KilledWorker:
            outcome.set_exception(WorkerLostError())
        except (CancelledError, asyncio.CancelledError):
            gone = UnusableError(f"the scheduler is gone; {_AGAIN}")
            outcome.set_exception(WorkerLostError() if self._closed else gone)
        except (ImportError, AttributeError) as error:
            outcome.set_exception(UnusableError(f"a worker: {_explain_foreign_error(error)}"))
        except Exception as error:  # noqa: BLE001 - it is the future's to raise
            outcome.set_exception(error)
        finally:
            self._running.discard(running)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the workers, and of what they have not done."""
        del wait, cancel_futures
        self._closed = True
        self._client.cancel(list(self._running))


# --- on a worker ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a worker does before its first call of a batch."""

    requirements: WorkerRequirements
    prepare: Callable[..., object]

    arguments: tuple[Any, ...]
    """Of ``prepare``."""

    token: str = field(default_factory=lambda: secrets.token_hex(8))
    """Tells it from all others, so that a worker does not go on with an earlier context."""


class AbandonedError(BaseException):
    """The client that asked for this is gone. No fault of a submission, so no Exception.

    A thread cannot be stopped from outside. This stops it where it reports its progress, so that
    the worker is free for the next client.
    """


@dataclass(frozen=True, slots=True)
class Topic:
    """Takes events on a worker, for the client that has subscribed to them."""

    token: str
    """Tells the events of this client from those of others."""

    def put(self, event: Event) -> None:
        """Send an event of this process. Raises AbandonedError where nobody waits any more."""
        # Dask's get_worker() fails in threads that grading starts, so the state remembers it.
        worker = _state.worker
        task = worker.state.tasks.get(_state.task)
        if task is None or task.state == "cancelled":
            raise AbandonedError

        # A hostile name may hold characters that Dask cannot send.
        arguments = [
            one_line(argument) if isinstance(argument, str) else argument
            for argument in event.arguments
        ]
        worker.log_event(_TOPIC, [self.token, worker.address, event.name, arguments])


@dataclass(slots=True)
class _WorkerState:
    """What this worker does, and what it was prepared with."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while a call runs: one at a time, whatever the number of the worker's threads."""

    worker: Any = None
    """Dask's worker."""

    task: Any = None
    """The key of the running call among Dask's tasks."""

    token: str | None = None
    """Of the preparation; None where there is none."""

    context: Any = None
    """What the preparation returned."""


_state = _WorkerState()


def run_on_worker(
    preparation: Preparation, call: Callable[..., _Result], args: Any, kwargs: Any
) -> _Result:
    """Run a call in this worker, after its preparation where that was not done yet."""
    from distributed import get_worker

    worker = get_worker()
    with _state.lock:
        _state.worker, _state.task = worker, worker.get_current_task()
        if _state.token != preparation.token:
            _state.token = None
            _state.context = _prepare(preparation, worker.address)
            _state.token = preparation.token
        return call(_state.context, *args, **kwargs)


def _prepare(preparation: Preparation, address: str) -> object:
    """Return the context. Raises UnusableError that names the worker."""
    try:
        problem = incompatibility(preparation.requirements)
        if problem is None:
            return preparation.prepare(*preparation.arguments)
    except HarnessError as error:
        problem = str(error)
    raise UnusableError(f"worker {address}: {problem}")
