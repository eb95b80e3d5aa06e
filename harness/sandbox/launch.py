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

Where namespaces are forbidden, `LANDLOCK` takes bubblewrap's place: the child starts at once, in
its own session, empty folder and clean environment, and gives up its rights itself
(``landlock.py``) before it writes that byte.

Without a sandbox (``sandbox=None``, for one's own work) the same script runs with the same pipes,
limits and supervisor. That stops accidents; it stops no attack.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import select
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError, describe_exit
from harness.sandbox import bootstrap, bubblewrap, commands, forking, landlock
from harness.sandbox.child import Child, ChildFailure, Limits, Pipes
from harness.sandbox.supervisor import Bounds, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "BUBBLEWRAP", "LANDLOCK", "Child", "ChildFailure", "Inputs", "Limits", "Siblings", "start",
    "started_alike",
]  # fmt: skip

_log = logging.getLogger(__name__)

BUBBLEWRAP, LANDLOCK = "bubblewrap", "landlock"
SANDBOXES = (BUBBLEWRAP, LANDLOCK)
"""From the one that hides most to the one that asks for least."""

_BOOT_SECONDS = 60.0
_ENDING_SECONDS = 1.0
_ADDRESS_SPACE_BYTES = 4 * 2**30  # what libraries reserve and never touch
_LIFTED = "harness-lifted-"
_SIGNALS_ABI = 6  # and signals from leading out


class KilledAtStartError(HarnessError):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Siblings:
    """What several children that are alike are given."""

    images_fds: Sequence[int]
    """As in `Inputs`, one for each of them; -1 where it has no images."""

    readable: Mapping[str, Path] = field(default_factory=dict)

    ahead: str = ""
    """A module of ours that the process which forks them imports (``forking.py``)."""


def start(
    script: Path,
    arguments: Sequence[str] = (),
    *,
    inputs: Inputs = Inputs(),
    limits: Limits = Limits(),  # noqa: B008 - frozen
    sandbox: str | None = BUBBLEWRAP,
) -> Child:
    """Start ``python script REQUEST_FD REPLY_FD IMAGES_FD *arguments`` as a confined child.

    ``sandbox`` is one of `SANDBOXES`, or None. Arguments name paths inside bubblewrap's sandbox,
    also when there is none. IMAGES_FD is -1 when there are no images. Raises HarnessError when the
    child cannot be started.
    """
    _check_readable(inputs.readable)
    images = -1 if inputs.images_fd is None else inputs.images_fd
    with contextlib.ExitStack() as stack:
        order = _Order(script.resolve(), arguments, inputs.readable, (images,), limits, sandbox)
        (child,) = _start(order, stack)
        child.keep(stack.pop_all())
    return child


@contextlib.contextmanager
def started_alike(
    script: Path,
    arguments: Sequence[str],
    siblings: Siblings,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    sandbox: str | None = BUBBLEWRAP,
) -> Iterator[list[Child]]:
    """Start several children like that of `start`, all at once.

    They are forked by one process, which has done what takes most of their time to start, and end
    together: what ends one too early ends all. Limits are those of each of them, and its time
    begins when it is first asked. Needs Landlock (`can_start_alike`), which keeps them apart.
    Raises HarnessError.
    """
    _check_readable(siblings.readable)
    images = tuple(siblings.images_fds)
    with contextlib.ExitStack() as stack:
        order = _Order(
            script.resolve(), arguments, siblings.readable, images, limits, sandbox, siblings.ahead
        )
        yield _start(order, stack)


def can_start_alike(sandbox: str | None) -> bool:
    """Whether children of this sandbox can be forked by one process, and still be kept apart."""
    if sys.platform != "linux":
        return False
    if sandbox is None:
        return True
    try:
        return landlock.abi() >= _SIGNALS_ABI
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be started."""

    script: Path
    arguments: Sequence[str]
    readable: Mapping[str, Path]

    images_fds: tuple[int, ...]
    """For each child, -1 where it has no images."""

    limits: Limits
    sandbox: str | None
    ahead: str = ""

    @property
    def lent_bytes(self) -> int:
        """The size of all images."""
        return sum(map(_lent_bytes, self.images_fds))


def _start(order: _Order, parent_side: contextlib.ExitStack) -> list[Child]:
    """Start the children; what the parent keeps until they have ended goes to ``parent_side``."""
    limits, sandbox = order.limits, order.sandbox
    with contextlib.ExitStack() as child_side:  # what the parent closes once the child has it
        pipes = [
            (_pipe(child_side, parent_side), _pipe(parent_side, child_side))
            for _ in order.images_fds
        ]
        task = bubblewrap.Task(
            script=order.script,
            arguments=list(order.arguments),
            readable=order.readable,
            descriptors=[
                (requests[0].fileno(), replies[1].fileno(), images)
                for (requests, replies), images in zip(pipes, order.images_fds, strict=True)
            ],
            rlimits=_rlimits(limits, order.lent_bytes),
        )
        outputs = []
        if len(pipes) > 1:
            outputs = [_pipe(parent_side, child_side) for _ in order.images_fds]
            writers = [writer.fileno() for _, writer in outputs]
            namespaces = sandbox == BUBBLEWRAP
            task = replace(task, fork=forking.encode(order.ahead, writers, namespaces=namespaces))
        if sandbox == BUBBLEWRAP:
            command = commands.bubblewrap_command(task, limits, child_side)
        else:
            folder = parent_side.enter_context(_scratch_folder())
            command = commands.plain_command(task, folder)
            if sandbox == LANDLOCK:
                command = commands.landlock_command(task, limits, command, child_side)

        command = replace(
            command, descriptors=[*command.descriptors, *(w.fileno() for _, w in outputs)]
        )
        readers = [reader for reader, _ in outputs]
        supervisor = Supervisor(command, _bounds(order, task, command.folder), readers)
        parent_side.callback(supervisor.close)
        supervisor.start()
        child_side.close()
        for number, (_, replies) in enumerate(pipes):
            _await_readiness(supervisor, replies[0], number)

        isolation = "without a sandbox" if sandbox is None else f"in a sandbox ({sandbox})"
        _log.debug("started %s: %s", isolation, " ".join([order.script.name, *order.arguments]))
        return [
            Child(
                supervisor,
                limits,
                Pipes(requests=requests[1], replies=replies[0]),
                number if task.forks else None,
            )
            for number, (requests, replies) in enumerate(pipes)
        ]


def _bounds(order: _Order, task: bubblewrap.Task, folder: str) -> Bounds:
    """Return what the supervisor enforces; without bubblewrap ``folder`` is the scratch folder."""
    return Bounds(
        wall_seconds=order.limits.wall_seconds * len(order.images_fds),  # they may take turns
        memory_bytes=order.limits.memory_bytes,
        lent_bytes=order.lent_bytes,
        scratch=tuple(task.scratch_folders) if order.sandbox == BUBBLEWRAP else (),
        folder=Path(folder) if order.sandbox == LANDLOCK else None,
        folder_bytes=order.limits.scratch_bytes,
        are_alike=task.forks,
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


def _lent_bytes(images_fd: int) -> int:
    """Return the size of the images; HarnessError where a child must not hold their file."""
    if images_fd < 0:
        return 0
    status = os.fstat(images_fd)
    if status.st_nlink:
        raise HarnessError("the images must be in a file without a name: a child can write to it")
    return status.st_size


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
    """Give the owner back the rights that a child took away; lift folders out of one another.

    A child nests them deeper than a path or a recursion reaches.
    """
    folder.chmod(0o700)
    pending, moved = [folder], itertools.count()
    while pending:
        place = pending.pop()
        for entry in list(os.scandir(place)):
            if not entry.is_dir(follow_symlinks=False):
                continue
            inner = Path(entry.path)
            inner.chmod(0o700)
            if place != folder:
                inner = inner.rename(folder / f"{_LIFTED}{next(moved)}")
            pending.append(inner)


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    """Return the two ends of a new pipe, closed with the stack of the reader and of the writer."""
    read_fd, write_fd = os.pipe()
    return (
        reader.enter_context(FileIO(read_fd, "rb")),
        writer.enter_context(FileIO(write_fd, "wb")),
    )


def _await_readiness(supervisor: Supervisor, replies: FileIO, number: int) -> None:
    """Wait until the child says that it is confined; HarnessError when it never does."""
    poll = select.poll()
    poll.register(replies, select.POLLIN)
    ready = poll.poll(_BOOT_SECONDS * 1000) and replies.read(1) == bootstrap.READY
    if ready and not supervisor.lost_bubblewrap:  # or else an orphan of it may have said so
        return

    ended = supervisor.ended.wait(_ENDING_SECONDS)
    supervisor.close()
    if ended and supervisor.status == -signal.SIGKILL:
        reason = describe_exit(supervisor.status)
        raise KilledAtStartError(f"a confined process could not be started: {reason}")
    lines = supervisor.output_of(number).strip().splitlines() or ["no reason given"]
    raise HarnessError(f"a confined process could not be started: {supervisor.error or lines[-1]}")
