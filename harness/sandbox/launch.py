"""Run a script of ours on a stranger's files, in a process that can only answer bytes.

Theory of operation. `start` opens three pipes: requests, replies, and whatever the child prints.
A supervisor thread starts bubblewrap, which builds new namespaces (no network, no other processes,
a file system of libraries, our two packages, the named files and a scratch folder in memory),
drops all capabilities, loads a system call filter and starts Python on ``bootstrap.py``. That sets
resource limits, loads a stricter filter, writes one byte, and becomes the script. From then on
the parent owns the clock and believes nothing but the number of bytes in the reply pipe: it sends
a request, reads a reply of a length known beforehand, and anything else ends the child. Leaving
the child's context kills every process of it, reaps them, and closes every descriptor; when the
parent itself is killed, the kernel ends the child.

That one byte decides whose fault a failure is. Before it, none of the stranger's bytes has been
looked at, so a failure is ours or the machine's: `HarnessError`. After it, the failure is the
child's: `ChildFailure`. Nothing that the child prints takes part in any decision.

Without a sandbox (``sandboxed=False``, for one's own work) the same script runs with the same
pipes, limits and supervisor, in its own session, empty folder and clean environment. That stops
accidents; it stops no attack.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass, field, replace
from functools import cache
from io import FileIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from harness.records.errors import HarnessError, describe_exit
from harness.sandbox import bootstrap, bubblewrap, process_tree, seccomp
from harness.sandbox.child import Child, ChildFailure, Limits, Pipes
from harness.sandbox.supervisor import Bounds, Command, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Child", "ChildFailure", "Inputs", "Limits", "sandbox_problem", "start"]

_log = logging.getLogger(__name__)

_BUBBLEWRAP_MISSING = "bubblewrap is missing: apt install bubblewrap"
_BOOT_SECONDS = 60.0
_ENDING_SECONDS = 1.0
_ADDRESS_SPACE_BYTES = 4 * 2**30  # what libraries reserve and never touch
_OUTSIDE = "HARNESS_OUTSIDE"  # a variable of bubblewrap's that no child may see: doctor looks
_NAMESPACE_SWITCHES = {  # and the value with which they refuse
    "kernel.apparmor_restrict_unprivileged_userns": "1",
    "kernel.unprivileged_userns_clone": "0",
}


class _KilledAtStartError(HarnessError):
    """A child was killed before it was ready, by the machine or its user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a child is given to read; by default nothing."""

    readable: Mapping[str, Path] = field(default_factory=dict)
    """Files and folders of the host by the paths below ``/submission`` at which the child sees
    them."""

    images_fd: int | None = None
    """A descriptor of a deleted file, of this child alone: ``/proc/self/fd`` lets whoever holds
    a descriptor open the file again, for writing."""


def start(
    script: Path,
    arguments: Sequence[str] = (),
    *,
    inputs: Inputs = Inputs(),
    limits: Limits = Limits(),  # noqa: B008 - frozen
    sandboxed: bool = True,
) -> Child:
    """Start ``python script REQUEST_FD REPLY_FD IMAGES_FD *arguments`` as a confined child.

    Arguments name paths inside the sandbox, also when there is none. IMAGES_FD is -1 when there
    are no images. Raises HarnessError when the child cannot be started.
    """
    _check_readable(inputs.readable)
    lent_bytes = _lent_bytes(inputs.images_fd)
    bounds = Bounds(
        wall_seconds=limits.wall_seconds,
        memory_bytes=limits.memory_bytes,
        lent_bytes=lent_bytes,
        scratch=bubblewrap.SCRATCH if sandboxed else None,
    )

    # What the parent keeps until the child has ended, and what it closes once the child has it.
    with contextlib.ExitStack() as parent_side, contextlib.ExitStack() as child_side:
        request_reader, request_writer = _pipe(child_side, parent_side)
        reply_reader, reply_writer = _pipe(parent_side, child_side)
        images = -1 if inputs.images_fd is None else inputs.images_fd
        task = bubblewrap.Task(
            script=script.resolve(),
            arguments=list(arguments),
            readable=inputs.readable,
            descriptors=(request_reader.fileno(), reply_writer.fileno(), images),
            rlimits=_rlimits(limits, lent_bytes),
        )
        if sandboxed:
            command = _sandboxed_command(task, limits, child_side)
        else:
            command = _plain_command(task, parent_side)

        supervisor = Supervisor(command, bounds)
        parent_side.callback(supervisor.close)
        supervisor.start()
        child_side.close()
        _await_readiness(supervisor, reply_reader)

        isolation = "in a sandbox" if sandboxed else "without a sandbox"
        _log.debug("started %s: %s", isolation, " ".join([script.name, *arguments]))
        pipes = Pipes(requests=request_writer, replies=reply_reader)
        return Child(supervisor, limits, pipes, parent_side.pop_all())


@cache
def sandbox_problem() -> str | None:
    """Return None when a real sandbox works here, otherwise one line: why not, and what to do.

    Each process tries it once, by starting one. Raises HarnessError where that was killed.
    """
    if sys.platform != "linux":
        return f"there is no sandbox on {sys.platform}: grade on Linux, or in a Linux container"
    if shutil.which("bwrap") is None:
        return _BUBBLEWRAP_MISSING
    return seccomp.seccomp_problem() or process_tree.process_tree_problem() or _trial_problem()


def _trial_problem() -> str | None:
    """Start a child, and return what is wrong with its start or its system call filter.

    Raises HarnessError where it was killed: that says nothing about the sandbox, and whoever
    took it to be missing would read strangers' files without one.
    """
    script = Path(__file__).with_name("attacks") / "alive.py"
    try:
        with start(script, limits=Limits(memory_bytes=2**30)) as child:
            filters = child.ask(b"?", 1)
            child.finish()
    except _KilledAtStartError:
        raise
    except HarnessError as error:
        return f"{error}; apt install bubblewrap (0.7 or newer) {_namespace_hint()}".strip()
    except ChildFailure as failure:
        if failure.signal == signal.SIGKILL:
            raise HarnessError(f"the sandbox's trial child {failure.reason}") from None
        return f"the trial child {failure.reason}"
    if filters != b"2":
        return "the system call filter did not load: the kernel has no seccomp filters"
    return None


def _namespace_hint() -> str:
    """Return what to switch on when the system refuses user namespaces, if that can be seen."""
    for name, refusing in _NAMESPACE_SWITCHES.items():
        with contextlib.suppress(OSError):
            path = Path("/proc/sys", *name.split("."))
            if path.read_text().strip() == refusing:
                value = "0" if refusing == "1" else "1"
                return f"and allow user namespaces: sysctl {name}={value}"
    return "and run where user namespaces are allowed"


def _sandboxed_command(
    task: bubblewrap.Task, limits: Limits, child_side: contextlib.ExitStack
) -> Command:
    """Return the bubblewrap command; its options are in a memory file that the child never sees."""
    program = shutil.which("bwrap")
    if program is None:
        raise HarnessError(_BUBBLEWRAP_MISSING)
    if (problem := seccomp.seccomp_problem()) is not None:
        raise HarnessError(problem)

    def memory_file(data: bytes) -> int:
        return child_side.enter_context(_memory_file(data)).fileno()

    start_filter = memory_file(seccomp.start_filter(limits.runtime))
    running_filter = memory_file(seccomp.running_filter(limits.runtime))
    contents = bubblewrap.process_files(limits.memory_bytes)
    files = {inside: memory_file(data) for inside, data in contents.items()}
    options = bubblewrap.bubblewrap_arguments(
        task, scratch_bytes=limits.scratch_bytes, filter_fd=start_filter, files=files
    )
    options_file = memory_file("\0".join([*options, ""]).encode())

    python = bubblewrap.python_command(task, filter_fd=running_filter)
    own_files = (start_filter, running_filter, options_file, *files.values())
    return Command(
        line=[program, "--args", str(options_file), "--", *python],
        environment=bubblewrap.environment("/") | {_OUTSIDE: "1"},
        folder="/",
        descriptors=[*task.kept_descriptors, *own_files],
    )


def _plain_command(task: bubblewrap.Task, parent_side: contextlib.ExitStack) -> Command:
    """Return the command without a sandbox; its arguments name the paths of the host."""
    folder = parent_side.enter_context(_scratch_folder())
    return Command(
        line=bubblewrap.python_command(replace(task, arguments=bubblewrap.host_arguments(task))),
        environment=bubblewrap.environment(folder),
        folder=folder,
        descriptors=task.kept_descriptors,
    )


def _check_readable(readable: Mapping[str, Path]) -> None:
    """Raise ValueError for a path outside ``/submission``, HarnessError for what is not there."""
    for inside, host in readable.items():
        if not inside.startswith(f"{bubblewrap.SUBMISSION}/") or ".." in inside.split("/"):
            raise ValueError(f"{inside} is not below {bubblewrap.SUBMISSION}")
        if host.is_symlink() or not host.exists():
            raise HarnessError(f"{host}: there is no such file or folder to show to a child")


def _rlimits(limits: Limits, lent_bytes: int) -> dict[str, int]:
    """Return the resource limits by name; the supervisor limits the memory that is really used."""
    return {
        "RLIMIT_AS": limits.memory_bytes + lent_bytes + _ADDRESS_SPACE_BYTES,
        "RLIMIT_CPU": limits.cpu_seconds,
        "RLIMIT_FSIZE": limits.scratch_bytes,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 0,
    }


def _lent_bytes(images_fd: int | None) -> int:
    """Return the size of the images; HarnessError where a child must not hold their file."""
    if images_fd is None:
        return 0
    status = os.fstat(images_fd)
    if status.st_nlink:
        raise HarnessError("the images must be in a file without a name: a child can write to it")
    return status.st_size


@contextlib.contextmanager
def _memory_file(data: bytes) -> Iterator[IO[bytes]]:
    """Provide an anonymous file with this content, positioned at its beginning."""
    with open(os.memfd_create("harness"), "w+b") as file:  # noqa: PTH123
        file.write(data)
        file.seek(0)
        yield file


@contextlib.contextmanager
def _scratch_folder() -> Iterator[str]:
    """Provide an empty folder of the host, removed with all that a child left in it."""
    folder = tempfile.mkdtemp(prefix="harness-", dir=os.environ.get("TMPDIR"))
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            _make_removable(Path(folder))
        shutil.rmtree(folder, ignore_errors=True)


def _make_removable(folder: Path) -> None:
    """Give the owner back the rights that a child took away from its folders."""
    folder.chmod(0o700)
    for parent, names, _ in os.walk(folder):
        for inner in (Path(parent, name) for name in names):
            if not inner.is_symlink():
                inner.chmod(0o700)


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    """Return the two ends of a new pipe, closed with the stack of the reader and of the writer."""
    read_fd, write_fd = os.pipe()
    return (
        reader.enter_context(FileIO(read_fd, "rb")),
        writer.enter_context(FileIO(write_fd, "wb")),
    )


def _await_readiness(supervisor: Supervisor, replies: FileIO) -> None:
    """Wait until the child says that it is confined; HarnessError when it never does."""
    poll = select.poll()
    poll.register(replies, select.POLLIN)
    if poll.poll(_BOOT_SECONDS * 1000) and replies.read(1) == bootstrap.READY:
        return

    ended = supervisor.ended.wait(_ENDING_SECONDS)
    supervisor.close()
    if ended and supervisor.status == -signal.SIGKILL:
        reason = describe_exit(supervisor.status)
        raise _KilledAtStartError(f"a confined process could not be started: {reason}")
    lines = supervisor.output.text.strip().splitlines() or ["no reason given"]
    raise HarnessError(f"a confined process could not be started: {supervisor.error or lines[-1]}")
