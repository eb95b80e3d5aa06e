"""A process that makes calls for this one, and whose death is noticed at any moment.

Theory of operation. Requests and answers go through a socket of this process alone, and each side
closes its copy of the other's end. Whoever waits then gets the end of the file when the other dies,
in the middle of a message too; should somebody else have inherited the end, a thread that waits
for the process hangs up. The pools of the standard library share their pipes among processes and
keep both ends open: what a killed process has sent by half they await forever.

The other way round, a thread of the process waits for requests all the time. When this process is
gone, however that died, it ends its own process in the middle of a call.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, TypeVar

from harness.records.text import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_Result = TypeVar("_Result")

_CLOSING_SECONDS = 10.0
_END = b""
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from harness.execution.worker_process import serve; serve(int(sys.argv[1]))"
)


class WorkerLostError(Exception):
    """The process that worked on this was killed, most likely for want of memory."""


class WorkerProcess:
    """A fresh process, which lives until it is closed; used by one thread at a time.

    It inherits ``descriptors`` under the same numbers, and nothing that Ctrl-C does.
    """

    def __init__(self, descriptors: Sequence[int] = ()) -> None:
        self._socket, theirs = socket.socketpair()
        self._connection = Connection(os.dup(self._socket.fileno()))
        # A forked process would inherit locks that TensorFlow's threads hold.
        command = [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno()), *sys.path]
        with theirs, _interrupts_blocked():
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(), *descriptors)
            )
        self._watch = threading.Thread(target=self._hang_up_at_its_end, daemon=True)
        self._watch.start()

    def call(self, call: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> _Result:
        """Return ``call(*args, **kwargs)`` of the process, or raise what that raises.

        Raises WorkerLostError where the process dies before its answer is complete.
        """
        request = pickle.dumps((call, args, kwargs))
        try:
            # Connection.send() and recv() keep views of buffers, which crash Python 3.12 when
            # they fail.
            self._connection.send_bytes(request)
            answer = self._connection.recv_bytes()
        except (EOFError, OSError):
            self.kill()
            raise WorkerLostError from None
        error, result = pickle.loads(answer)  # noqa: S301 - of a process of our own
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def kill(self) -> None:
        """End the process in the middle of what it does; may be called by any thread."""
        self._process.kill()

    def finish(self) -> None:
        """Let the process end by itself, between calls."""
        with suppress(OSError):  # it has ended before
            self._connection.send_bytes(_END)

    def close(self) -> None:
        """Return when the process has ended; one that does not end soon is killed."""
        self._watch.join(_CLOSING_SECONDS)
        self.kill()
        self._watch.join()
        self._connection.close()
        self._socket.close()

    def _hang_up_at_its_end(self) -> None:
        """Wait for the process; what it has sent can still be read afterwards."""
        self._process.wait()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Hold Ctrl-C back in this thread, and in processes that it starts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- in the process ---------------------------------------------------------------------------


def serve(descriptor: int) -> None:
    """Make the calls that come through this socket, until they end or their sender is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.set_inheritable(descriptor, False)

    connection = Connection(descriptor)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, requests), daemon=True).start()
    while (request := requests.get()) != _END:
        answer = _answer(request)
        with suppress(OSError):  # nobody is there any more; the other thread ends this process
            connection.send_bytes(answer)


def _receive(connection: Connection, requests: queue.SimpleQueue[bytes]) -> None:
    """Hand requests on to the main thread; end the process when no more can come."""
    request = None
    while request != _END:
        try:
            request = connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)
        requests.put(request)


def _answer(request: bytes) -> bytes:
    """Make a call; return its error or None, and its result, pickled."""
    try:
        call, args, kwargs = pickle.loads(request)  # noqa: S301 - of the process that started us
        return pickle.dumps((None, call(*args, **kwargs)))
    except Exception as error:  # noqa: BLE001 - it is the caller's to raise
        return _pickle_error(error)


def _pickle_error(error: Exception) -> bytes:
    """An error with where it happened; only described where it cannot be sent as it is."""
    error.add_note("In another process:\n" + "".join(traceback.format_exception(error)))
    try:
        pickled = pickle.dumps((error, None))
        pickle.loads(pickled)  # noqa: S301 - made the line before
    except Exception:  # noqa: BLE001 - whatever the error's own class does
        return pickle.dumps((RuntimeError(describe_error(error)), None))
    return pickled
