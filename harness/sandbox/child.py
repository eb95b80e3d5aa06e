"""A confined child as its parent sees it: requests go out, replies of known length come back.

Whatever else the child does is a `ChildFailure`, and ends it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError, signal_name
from harness.sandbox import process_tree, seccomp

if TYPE_CHECKING:
    from io import FileIO
    from types import TracebackType
    from typing import Self

    from harness.sandbox.supervisor import Supervisor

_log = logging.getLogger(__name__)

_CLOSING_SECONDS = 2.0
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may use before it is stopped."""

    start_seconds: float = 180
    """From the start to the first reply; of children that are alike, from the first request."""

    wall_seconds: float = 900
    """From then to the end."""

    cpu_seconds: int = 1800
    """Processor time of all threads together."""

    memory_bytes: int = 4 * 2**30
    """Memory of its own, files in the scratch folder included."""

    scratch_bytes: int = 256 * 2**20
    """Of the scratch folder, and of each file in it."""

    runtime: str = seccomp.TENSORFLOW
    """Whose system calls it may make: one of `seccomp.RUNTIMES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipes:
    """The parent's ends of the pipes to and from a child."""

    requests: FileIO
    replies: FileIO


class ChildFailure(Exception):  # noqa: N818 - named for whose failure it is
    """A failure that is the child's fault."""

    kind: str
    """timed_out, crashed, out_of_memory, bad_reply or exited."""

    reason: str
    """One line about the child, without a subject: ``was ended by SIGSEGV``."""

    exit_code: int | None
    signal: int | None

    output: str
    """What the child printed; strangers may have written it."""

    def __init__(
        self,
        kind: str,
        reason: str,
        *,
        exit_code: int | None = None,
        signal: int | None = None,
        output: str = "",
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.exit_code = exit_code
        self.signal = signal
        self.output = output


class Child:
    """A running child; used as a context manager, by one thread at a time."""

    def __init__(
        self, supervisor: Supervisor, limits: Limits, pipes: Pipes, number: int | None = None
    ) -> None:
        """``number``: which of several that are alike, whose time begins when they are asked."""
        self._supervisor = supervisor
        self._number = number or 0
        self._begun_at = supervisor.started_at if number is None else None
        self._limits = limits
        self._requests, self._replies = pipes.requests, pipes.replies
        self._resources = contextlib.ExitStack()
        self._replied = False
        os.set_blocking(self._requests.fileno(), False)

    def keep(self, resources: contextlib.ExitStack) -> None:
        """Take over what is to be closed with this child; it ends it."""
        self._resources = resources

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()
        _log.debug(
            "a child ended with status %d after %.1f s; it used %.0f MiB at the most",
            self._supervisor.status,
            self.wall_seconds,
            self.peak_bytes / 2**20,
        )

    @property
    def pid(self) -> int | None:
        """The number of its outermost process; None once that has ended."""
        return self._supervisor.pid

    @property
    def output(self) -> str:
        """What the child printed: at most 64 kB, free of escapes, complete once it has ended."""
        return self._supervisor.output_of(self._number)

    @property
    def peak_bytes(self) -> int:
        """The most memory seen in use, scratch folder included."""
        return self._supervisor.peak_bytes

    def cpu_seconds(self) -> float | None:
        """Processor time used so far; None where the system does not tell, or it has ended."""
        pid = self.pid
        return None if pid is None else process_tree.cpu_seconds(process_tree.members(pid))

    @property
    def wall_seconds(self) -> float:
        """How long the child has lived."""
        return (self._supervisor.ended_at or time.monotonic()) - self._supervisor.started_at

    def ask(
        self, request: bytes, reply_bytes: int, *, timeout_seconds: float | None = None
    ) -> bytes:
        """Send the request and return exactly ``reply_bytes`` bytes of reply.

        Until the first reply the child has ``start_seconds``, and in any case ``timeout_seconds``
        from now. Raises ChildFailure, after which the child is dead.
        """
        deadline = self._deadline(timeout_seconds)
        if _wait_for({self._replies: select.POLLIN}, time.monotonic()) and self._replies.read(1):
            raise self._stop("bad_reply", "answered before it was asked")

        self._send(request, deadline)
        reply = self._receive(reply_bytes, deadline)
        if len(reply) < reply_bytes:
            raise self._early_end(len(reply), reply_bytes)

        self._replied = True
        return reply

    def pause(self) -> None:
        """Stop all of the child's threads until `resume`; its time runs on."""
        self._supervisor.pause()

    def resume(self) -> None:
        """Let a paused child go on."""
        self._supervisor.resume()

    def finish(self, *, timeout_seconds: float = 10) -> None:
        """Close the request pipe and wait until the child has closed its reply pipe.

        Raises ChildFailure (bad_reply) for a surplus byte and (timed_out) for a child that keeps
        its reply pipe open.
        """
        self._requests.close()
        if self._receive(1, time.monotonic() + timeout_seconds):
            raise self._stop("bad_reply", "answered more than it was asked")
        if self._supervisor.verdict is not None:
            raise self._early_end(0, 0)

    def _deadline(self, timeout_seconds: float | None) -> float:
        """Return the moment by which the next reply must be there."""
        if self._begun_at is None:
            self._begun_at = time.monotonic()
        moments = [self._begun_at + self._limits.wall_seconds]
        if timeout_seconds is not None:
            moments.append(time.monotonic() + timeout_seconds)
        if not self._replied:
            moments.append(self._begun_at + self._limits.start_seconds)
        return min(moments)

    def _send(self, request: bytes, deadline: float) -> None:
        """Write the request; what a child did not read to the end, its reply will show."""
        rest = memoryview(request)
        with contextlib.suppress(BrokenPipeError):
            while rest:
                ready = _wait_for({self._requests: select.POLLOUT, self._replies: 0}, deadline)
                if not ready:
                    raise self._stop("timed_out", "took no request in the time allowed")
                if self._replies.fileno() in ready:
                    return
                rest = rest[self._requests.write(rest) or 0 :]

    def _receive(self, size: int, deadline: float) -> bytes:
        """Read that many bytes, or fewer when the child closes the pipe."""
        received = bytearray()
        while len(received) < size:
            if not _wait_for({self._replies: select.POLLIN}, deadline):
                raise self._stop("timed_out", "gave no complete answer in the time allowed")
            chunk = self._replies.read(min(size - len(received), _CHUNK_BYTES))
            if not chunk:
                break
            received += chunk
        return bytes(received)

    def _stop(self, kind: str, reason: str) -> ChildFailure:
        """End the child; return this failure, or the one that the supervisor saw before it."""
        self._supervisor.kill(kind, reason)
        self._supervisor.ended.wait()
        return self._failure(*self._supervisor.verdict or (kind, reason))

    def _early_end(self, received: int, expected: int) -> ChildFailure:
        """Return the failure of a child that closed its reply pipe too early."""
        if not self._supervisor.ended.wait(_CLOSING_SECONDS):
            return self._stop("bad_reply", "closed its reply pipe early")
        if self._supervisor.verdict is not None:
            return self._failure(*self._supervisor.verdict)

        code = self._supervisor.status
        if code < 0:
            return self._end_by_signal(-code)
        if received:
            return self._failure("bad_reply", f"answered {received} of {expected} bytes", code)
        return self._failure("exited", f"ended with exit code {code} before it answered", code)

    def _end_by_signal(self, number: int) -> ChildFailure:
        """Return the failure of a child that was ended by a signal not of our sending."""
        if self._supervisor.cpu_seconds > self._limits.cpu_seconds - 1:
            reason = f"used up its {self._limits.cpu_seconds} seconds of processor time"
            return self._failure("timed_out", reason, signal=number)

        if number == signal.SIGKILL:
            reason = "was killed by the system, most likely for want of memory"
            return self._failure("out_of_memory", reason, signal=number)
        if number == signal.SIGSYS:
            reason = "asked the system for something that only attacks need, and was ended (SIGSYS)"
            return self._failure("crashed", reason, signal=number)
        return self._failure("crashed", f"was ended by {signal_name(number)}", signal=number)

    def _failure(
        self, kind: str, reason: str, exit_code: int | None = None, signal: int | None = None
    ) -> ChildFailure:
        """Return the failure with what the child printed.

        Raises HarnessError where the supervisor itself failed: that is not the child's fault.
        """
        if self._supervisor.error is not None:
            raise HarnessError(f"lost sight of a child process: {self._supervisor.error}")
        _log.debug("a child failed (%s): it %s", kind, reason)
        return ChildFailure(kind, reason, exit_code=exit_code, signal=signal, output=self.output)


def _wait_for(pipes: dict[FileIO, int], deadline: float) -> set[int]:
    """Wait until a pipe has its event, or its other end is closed; return those descriptors."""
    poll = select.poll()
    for pipe, event in pipes.items():
        poll.register(pipe, event)
    return {descriptor for descriptor, _ in poll.poll(max(0, deadline - time.monotonic()) * 1000)}
