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
import secrets
import select
import shutil
import signal
import tempfile
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from harness.records.errors import HarnessError, describe_exit
from harness.sandbox import bootstrap, bubblewrap, landlock, seccomp
from harness.sandbox.child import Child, ChildFailure, Limits, Pipes
from harness.sandbox.supervisor import Bounds, Command, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["BUBBLEWRAP", "LANDLOCK", "Child", "ChildFailure", "Inputs", "Limits", "start"]

_log = logging.getLogger(__name__)

BUBBLEWRAP, LANDLOCK = "bubblewrap", "landlock"
SANDBOXES = (BUBBLEWRAP, LANDLOCK)
"""From the one that hides most to the one that asks for least."""

BUBBLEWRAP_MISSING = "bubblewrap is missing: apt install bubblewrap"
_BOOT_SECONDS = 60.0
_ENDING_SECONDS = 1.0
_ADDRESS_SPACE_BYTES = 4 * 2**30  # what libraries reserve and never touch
_OUTSIDE = "HARNESS_OUTSIDE"  # a variable of bubblewrap's that no child may see: doctor looks
_LIFTED = "harness-lifted-"
_TRUNCATE_ABI = 3  # from here on Landlock keeps files from being cut off
_FIRST_USER, _USERS = 61_184, 4_336  # what systemd, too, takes for users that nobody is
_PROCESS_FILES = (
    "/proc/cpuinfo",
    *(f"/proc/self/{n}" for n in ("cmdline", "maps", "stat", "statm")),
)


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
    lent_bytes = _lent_bytes(inputs.images_fd)

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
        if sandbox == BUBBLEWRAP:
            command = _bubblewrap_command(task, limits, child_side)
        else:
            folder = parent_side.enter_context(_scratch_folder())
            command = _plain_command(task, folder)
            if sandbox == LANDLOCK:
                command = _landlock_command(task, limits, command, child_side)

        supervisor = Supervisor(command, _bounds(limits, lent_bytes, sandbox, command.folder))
        parent_side.callback(supervisor.close)
        supervisor.start()
        child_side.close()
        _await_readiness(supervisor, reply_reader)

        isolation = "without a sandbox" if sandbox is None else f"in a sandbox ({sandbox})"
        _log.debug("started %s: %s", isolation, " ".join([script.name, *arguments]))
        pipes = Pipes(requests=request_writer, replies=reply_reader)
        return Child(supervisor, limits, pipes, parent_side.pop_all())


def _bounds(limits: Limits, lent_bytes: int, sandbox: str | None, folder: str) -> Bounds:
    """Return what the supervisor enforces; without bubblewrap ``folder`` is the scratch folder."""
    return Bounds(
        wall_seconds=limits.wall_seconds,
        memory_bytes=limits.memory_bytes,
        lent_bytes=lent_bytes,
        scratch=bubblewrap.SCRATCH if sandbox == BUBBLEWRAP else None,
        folder=Path(folder) if sandbox == LANDLOCK else None,
        folder_bytes=limits.scratch_bytes,
    )


def _bubblewrap_command(
    task: bubblewrap.Task, limits: Limits, child_side: contextlib.ExitStack
) -> Command:
    """Return the bubblewrap command; its options are in a memory file that the child never sees."""
    program = shutil.which("bwrap")
    if program is None:
        raise HarnessError(BUBBLEWRAP_MISSING)
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


def _plain_command(task: bubblewrap.Task, folder: str) -> Command:
    """Return the command without a sandbox; its arguments name the paths of the host."""
    return Command(
        line=bubblewrap.python_command(_on_host(task)),
        environment=bubblewrap.environment(folder),
        folder=folder,
        descriptors=task.kept_descriptors,
    )


def _landlock_command(
    task: bubblewrap.Task, limits: Limits, plain: Command, child_side: contextlib.ExitStack
) -> Command:
    """Return the command of a child that confines itself, from the one that does not."""
    if (problem := seccomp.seccomp_problem()) is not None:
        raise HarnessError(problem)
    try:
        version = landlock.abi()
    except OSError as error:
        raise HarnessError(f"there is no Landlock: {error.strerror}") from None

    instead = [seccomp.LANDLOCK]
    instead += [seccomp.LANDLOCK_TRUNCATE] if version < _TRUNCATE_ABI else []
    running_filter = child_side.enter_context(
        _memory_file(seccomp.running_filter(limits.runtime, *instead))
    ).fileno()
    plan = landlock_plan(task, plain.folder, version, _unprivileged_user())
    plan_file = child_side.enter_context(_memory_file(plan)).fileno()
    return replace(
        plain,
        line=bubblewrap.python_command(_on_host(task), filter_fd=running_filter, plan_fd=plan_file),
        descriptors=[*plain.descriptors, running_filter, plan_file],
    )


def landlock_plan(task: bubblewrap.Task, folder: str, abi: int, user: int) -> bytes:
    """Return what a child under Landlock is to give up: what it may open, and who it becomes.

    ``folder`` is its scratch folder, ``user`` -1 to stay who it is.
    """
    given = map(str, task.readable.values())
    readable = [*map(str, bubblewrap.installation_paths(task.script)), *given, *_PROCESS_FILES]
    paths = [(landlock.READ, path) for path in readable if Path(path).exists()]
    paths += [(landlock.FILE, path) for path in bubblewrap.DEVICES]
    paths.append((landlock.WRITE, folder))
    own_calls = [seccomp.call_number(name) for name in landlock.OWN_CALLS]
    return landlock.encode_plan(abi, user, own_calls, paths)


def _unprivileged_user() -> int:
    """Return a user that nobody is, most likely another one for each child; -1 unless we are root.

    Root can become somebody else, and children of different users cannot disturb one another.
    """
    if os.geteuid() != 0:
        return -1
    return _FIRST_USER + secrets.randbelow(_USERS)


def _on_host(task: bubblewrap.Task) -> bubblewrap.Task:
    """Return the task with the paths of the host in its arguments."""
    return replace(task, arguments=bubblewrap.host_arguments(task))


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


def _await_readiness(supervisor: Supervisor, replies: FileIO) -> None:
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
    lines = supervisor.output.text.strip().splitlines() or ["no reason given"]
    raise HarnessError(f"a confined process could not be started: {supervisor.error or lines[-1]}")
