"""The thread that starts a child process, watches it, and sees that nothing of it is left.

One thread does all of it, because the kernel ends a child of ``die-with-parent`` together with
the *thread* that started it: the supervisor lives exactly as long as its child, whichever
short-lived thread of a pool asked for the child. Many times a second it measures the memory of
the child's whole tree of processes, and it ends the tree when a limit is reached or its owner
says so. Meanwhile it reads what the child prints, so that nobody has to wait for a full pipe.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError
from harness.sandbox import process_tree
from harness.sandbox.forking import FAILED
from harness.sandbox.output import CapturedOutput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from io import FileIO
    from typing import IO

MOST_THREADS = 1_000

_SAMPLE_SECONDS = 0.05 if sys.platform == "linux" else 0.5
_LAST_WORDS_SECONDS = 0.5
_STOPPING_SECONDS = 0.5  # a thread in the middle of a system call stops once that returns
_CHUNK_BYTES = 65_536
_FIRST_SIGNAL_STATUS = 128  # bubblewrap ends with this plus the signal that ended the child
_SANDBOX_GENERATIONS = 3  # bubblewrap, its init inside, and the child proper


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A process to start."""

    line: Sequence[str]
    environment: Mapping[str, str]

    folder: str
    """Where it starts."""

    descriptors: Sequence[int]
    """Which it inherits, apart from the three standard ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the supervisor enforces from outside."""

    wall_seconds: float
    memory_bytes: int

    lent_bytes: int
    """Memory of the parent's that the child maps and is not charged for."""

    scratch: tuple[str, ...]
    """The paths of each tmpfs as a child of bubblewrap's sees them; empty where there is none."""

    folder: Path | None = None
    """The scratch folder on disk that has to be watched in its place."""

    folder_bytes: int = 0
    """What may be in it."""

    are_alike: bool = False
    """Whether the tree is of several children, each of which may hold so much memory."""


class Supervisor:
    """Owner of one child process, from its start until nothing of it is left."""

    def __init__(
        self, command: Command, bounds: Bounds, outputs: Sequence[FileIO] = ()
    ) -> None:  # fmt: skip
        self.ended = threading.Event()
        self.verdict: tuple[str, str] | None = None  # why it ends the tree: kind and reason
        self.error: OSError | None = None  # why the supervisor itself had to give up
        self.status = 0  # as subprocess has it: an exit code, or minus a signal
        self.lost_bubblewrap = False  # killed, and maybe outlived by an init not yet bound to it
        self.cpu_seconds = 0.0
        self.peak_bytes = 0
        self.started_at = time.monotonic()
        self.ended_at: float | None = None
        self.output = CapturedOutput()
        self._outputs = [(each, CapturedOutput()) for each in outputs]  # of children that are alike
        self._command = command
        self._bounds = bounds
        self._sampled_at = 0.0
        self._folder_bytes = 0
        self._folder_due_at = 0.0
        self._offered: set[int] = set()
        self._pid: int | None = None  # None once it is reaped: the number may be another's then
        self._reaping = threading.Lock()
        self._started = threading.Event()
        self._start_error: Exception | None = None
        self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    @property
    def pid(self) -> int | None:
        """The number of the process that was started; None once it is reaped."""
        return self._pid

    def start(self) -> None:
        """Start the child; HarnessError when the operating system cannot."""
        self._thread.start()
        self._started.wait()
        if self._start_error is not None:
            self.close()
            raise HarnessError(f"cannot start {self._command.line[0]}: {self._start_error}")

    def output_of(self, number: int) -> str:
        """Return what one of several children that are alike has printed, or the only one.

        Where one of them has ended all, it is what that one has printed.
        """
        if not self._outputs:
            return self.output.text
        last_line = (self.output.text.strip().splitlines() or [""])[-1]
        if last_line.startswith(FAILED):
            number = int(last_line.removeprefix(FAILED))
        return self._outputs[number][1].text or self.output.text

    def kill(self, kind: str, reason: str) -> None:
        """End the tree soon, for this reason unless there is an earlier one."""
        if self.verdict is None and not self.ended.is_set():
            self.verdict = (kind, reason)
        os.write(self._waker[1], b"!")

    def close(self) -> None:
        """Return when the tree is dead, reaped and drained; may be called again."""
        if self._waker == (-1, -1):
            return
        self.kill("exited", "was no longer needed")
        self._thread.join()
        for descriptor in self._waker:
            os.close(descriptor)
        self._waker = (-1, -1)

    def pause(self) -> None:
        """Stop the tree, and return when none of its threads runs any more."""
        pids = self._signal_tree(signal.SIGSTOP)
        deadline = time.monotonic() + _STOPPING_SECONDS
        while not process_tree.is_stopped(pids) and time.monotonic() < deadline:
            time.sleep(0.0001)

    def resume(self) -> None:
        """Let a stopped tree go on."""
        self._signal_tree(signal.SIGCONT)

    def _signal_tree(self, number: signal.Signals) -> list[int]:
        """Send a signal to all processes of a stranger's code, and return them."""
        with self._reaping:
            pids = [] if self._pid is None else process_tree.members(self._pid)
            if self._bounds.scratch:
                pids = pids[1:]  # bubblewrap itself has to reap the dead at any time
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        return pids

    def _run(self) -> None:
        """Start the process and watch it to its end, in the supervisor's own thread."""
        try:
            process = self._start_process()
            self._pid = process.pid
        except (OSError, ValueError) as error:
            self._start_error = error
            return
        finally:
            self._started.set()
        try:
            with process:
                self._watch_or_kill(process)
        finally:
            self.ended.set()

    def _start_process(self) -> subprocess.Popen[bytes]:
        """Start the command in a session of its own, with no descriptor but those it names."""
        return subprocess.Popen(
            self._command.line,
            env=self._command.environment,
            cwd=self._command.folder,
            pass_fds=self._command.descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
        )

    def _watch_or_kill(self, process: subprocess.Popen[bytes]) -> None:
        """Watch the process; where that fails, kill it, because nothing may run unwatched."""
        try:
            with selectors.DefaultSelector() as selector, _exit_notice(process) as notice:
                selector.register(self._waker[0], selectors.EVENT_READ)
                selector.register(_output_pipe(process), selectors.EVENT_READ, self.output)
                for pipe, output in self._outputs:
                    selector.register(pipe, selectors.EVENT_READ, output)
                if notice is not None:
                    selector.register(notice, selectors.EVENT_READ)
                self._watch(process, selector)
        except OSError as error:  # such as a parent that has run out of descriptors
            self.error = error
        finally:
            if process.returncode is None:
                _kill(-process.pid)

    def _watch(self, process: subprocess.Popen[bytes], selector: selectors.BaseSelector) -> None:
        """Drain and measure until the process has ended, by itself or by a verdict."""
        while not self._reap(process):
            if self.verdict is not None:
                self._end_tree(process.pid)
            self._drain(selector, _SAMPLE_SECONDS)
            if time.monotonic() - self._sampled_at >= _SAMPLE_SECONDS:
                self._sampled_at = time.monotonic()
                self._judge(process.pid)

        self.ended_at = time.monotonic()
        if not self._bounds.scratch or self.lost_bubblewrap:
            _kill_group(process.pid)
        while self._is_heard and time.monotonic() - self.ended_at < _LAST_WORDS_SECONDS:
            self._drain(selector, 0)

    @property
    def _is_heard(self) -> bool:
        """Return whether anybody may still print something."""
        return self.output.open or any(output.open for _, output in self._outputs)

    def _drain(self, selector: selectors.BaseSelector, timeout: float) -> None:
        """Wait for output, for the owner's call or for the end; read what there is to read."""
        for key, _ in selector.select(timeout):
            if isinstance(key.data, CapturedOutput):
                key.data.take(os.read(key.fd, _CHUNK_BYTES))
                if not key.data.open:
                    selector.unregister(key.fileobj)
            elif key.fd == self._waker[0]:
                os.read(key.fd, _CHUNK_BYTES)

    def _reap(self, process: subprocess.Popen[bytes]) -> bool:
        """Return whether the process has ended; then its exit status and CPU time are known."""
        with self._reaping:
            pid, status, resources = os.wait4(process.pid, os.WNOHANG)
            if pid == 0:
                return False
            self._pid = None

        process.returncode = os.waitstatus_to_exitcode(status)
        self.lost_bubblewrap = bool(self._bounds.scratch) and process.returncode < 0
        self.status = process.returncode
        if self._bounds.scratch and self.status > _FIRST_SIGNAL_STATUS:
            self.status = _FIRST_SIGNAL_STATUS - self.status
        self.cpu_seconds = resources.ru_utime + resources.ru_stime
        return True

    def _judge(self, pid: int) -> None:
        """Pass a verdict when the tree holds too much or has lived too long."""
        pids = process_tree.members(pid)
        self._offer_to_oom_killer(pids)

        usage = process_tree.usage(pids)
        private_bytes = usage.private_bytes
        if self._bounds.are_alike:
            private_bytes = max(process_tree.usage([each]).private_bytes for each in pids)
        held_bytes = private_bytes + max(0, usage.shared_bytes - self._bounds.lent_bytes)
        if self._bounds.scratch and len(pids) >= _SANDBOX_GENERATIONS:
            held_bytes += sum(
                process_tree.scratch_bytes(pids[-1], path) for path in self._bounds.scratch
            )
        held_bytes += self._measured_folder()
        self.peak_bytes = max(self.peak_bytes, held_bytes)

        if self._folder_bytes > self._bounds.folder_bytes:
            allowed = self._bounds.folder_bytes / 2**20
            self.kill(
                "out_of_memory", f"filled more than the {allowed:.0f} MiB of its scratch folder"
            )
        elif held_bytes > self._bounds.memory_bytes:
            allowed = self._bounds.memory_bytes / 2**20
            self.kill("out_of_memory", f"used more than the {allowed:.0f} MiB of memory it may use")
        elif usage.threads > MOST_THREADS:
            self.kill("out_of_memory", f"started more than {MOST_THREADS} threads or processes")
        elif time.monotonic() - self.started_at > self._bounds.wall_seconds:
            self.kill("timed_out", f"ran longer than {self._bounds.wall_seconds:g} seconds")

    def _measured_folder(self) -> int:
        """Return what is in the scratch folder on disk; counting takes a third of the time."""
        started_at = time.monotonic()
        if self._bounds.folder is not None and started_at >= self._folder_due_at:
            most = self._bounds.folder_bytes
            self._folder_bytes = process_tree.folder_bytes(self._bounds.folder, most)
            self._folder_due_at = started_at + 2 * (time.monotonic() - started_at)
        return self._folder_bytes

    def _offer_to_oom_killer(self, pids: list[int]) -> None:
        """Let the kernel end the tree before others when the whole machine lacks memory."""
        for pid in set(pids) - self._offered:
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
            self._offered.add(pid)

    def _end_tree(self, pid: int) -> None:
        """Kill all members; called again until the first of them could be reaped.

        Inside a sandbox the init process takes everybody with it, and bubblewrap, which waits
        for it, ends after them. Killing bubblewrap first would leave nobody to wait for.
        """
        descendants = process_tree.members(pid)[1:]
        for member in descendants:
            _kill(member)
        if not self._bounds.scratch or not descendants:
            _kill(-pid)


def _output_pipe(process: subprocess.Popen[bytes]) -> IO[bytes]:
    """Return the pipe that a process started here always has."""
    if process.stdout is None:
        raise HarnessError("a process was started without a pipe for its output")
    return process.stdout


@contextlib.contextmanager
def _exit_notice(process: subprocess.Popen[bytes]) -> Iterator[int | None]:
    """Provide a descriptor that becomes readable when the process ends, where the system can."""
    if sys.platform != "linux":
        yield None
        return
    descriptor = os.pidfd_open(process.pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _kill_group(group: int) -> None:
    """Kill what is left of a process group, also while it goes on multiplying."""
    deadline = time.monotonic() + _LAST_WORDS_SECONDS
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(group, signal.SIGKILL)
            time.sleep(0.001)


def _kill(pid: int) -> None:
    """Kill a process, or the group ``-pid``, that may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
