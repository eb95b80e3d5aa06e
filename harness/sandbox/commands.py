"""The command lines that start children: in bubblewrap's sandbox, under Landlock, without any.

What they need to read at their start (filters, plans, options) is in files without a name.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError
from harness.sandbox import bubblewrap, landlock, seccomp
from harness.sandbox.supervisor import Command

if TYPE_CHECKING:
    import contextlib

    from harness.sandbox.child import Limits

BUBBLEWRAP_MISSING = "bubblewrap is missing: apt install bubblewrap"
_OUTSIDE = "HARNESS_OUTSIDE"  # a variable of bubblewrap's that no child may see: doctor looks
_TRUNCATE_ABI = 3  # from here on Landlock keeps files from being cut off
_FIRST_USER, _USERS = 61_184, 4_336  # what systemd, too, takes for users that nobody is
_DEVICES = [(landlock.FILE, path) for path in bubblewrap.DEVICES]
_PROCESS_FILES = (
    "/proc/cpuinfo",
    *(f"/proc/self/{n}" for n in ("cmdline", "maps", "stat", "statm")),
)


def bubblewrap_command(
    task: bubblewrap.Task, limits: Limits, child_side: contextlib.ExitStack
) -> Command:
    """Return the bubblewrap command; its options are in a memory file that the child never sees."""
    program = shutil.which("bwrap")
    if program is None:
        raise HarnessError(BUBBLEWRAP_MISSING)
    if (problem := seccomp.seccomp_problem()) is not None:
        raise HarnessError(problem)

    memory_file = partial(_memory_file, child_side)
    start_filter = memory_file(seccomp.start_filter(limits.runtime, forks=task.forks))
    # Siblings share the namespaces: what keeps them apart is what keeps all apart without any.
    running = seccomp.running_filter(limits.runtime, *([seccomp.LANDLOCK] if task.forks else []))
    running_filter = memory_file(running)
    plans = [memory_file(plan) for plan in _sibling_plans(task)] if task.forks else []
    contents = bubblewrap.process_files(limits.memory_bytes)
    files = {inside: memory_file(data) for inside, data in contents.items()}
    options = bubblewrap.bubblewrap_arguments(
        task, scratch_bytes=limits.scratch_bytes, filter_fd=start_filter, files=files
    )
    options_file = memory_file("\0".join([*options, ""]).encode())

    python = bubblewrap.python_command(task, filter_fd=running_filter, plan_fds=plans)
    own_files = (start_filter, running_filter, options_file, *plans, *files.values())
    return Command(
        line=[program, "--args", str(options_file), "--", *python],
        environment=bubblewrap.environment("/") | {_OUTSIDE: "1"},
        folder="/",
        descriptors=[*task.kept_descriptors, *own_files],
    )


def _sibling_plans(task: bubblewrap.Task) -> list[bytes]:
    """Return what each of several children in one sandbox gives up; it adds its scratch folder."""
    own_calls = [seccomp.call_number(name) for name in landlock.OWN_CALLS]
    paths = [(landlock.READ, str(p)) for p in bubblewrap.installation_paths(task.script)]
    paths += [(landlock.READ, path) for path in (bubblewrap.PROCESS_FILES, *task.readable)]
    paths += _DEVICES
    plan = landlock.encode_plan(landlock.abi(), -1, own_calls, [*paths, (landlock.WRITE, "")])
    return [plan] * len(task.descriptors)


def plain_command(task: bubblewrap.Task, folder: str) -> Command:
    """Return the command without a sandbox; its arguments name the paths of the host."""
    return Command(
        line=bubblewrap.python_command(_on_host(task)),
        environment=bubblewrap.environment(folder),
        folder=folder,
        descriptors=task.kept_descriptors,
    )


def landlock_command(
    task: bubblewrap.Task, limits: Limits, plain: Command, child_side: contextlib.ExitStack
) -> Command:
    """Return the command of children that confine themselves, from that of one that does not."""
    if (problem := seccomp.seccomp_problem()) is not None:
        raise HarnessError(problem)
    try:
        version = landlock.abi()
    except OSError as error:
        raise HarnessError(f"there is no Landlock: {error.strerror}") from None

    memory_file = partial(_memory_file, child_side)
    instead = [seccomp.LANDLOCK]
    instead += [seccomp.LANDLOCK_TRUNCATE] if version < _TRUNCATE_ABI else []
    running_filter = memory_file(seccomp.running_filter(limits.runtime, *instead))
    folder = "" if task.forks else plain.folder  # each of several children adds its own
    plans = [
        memory_file(landlock_plan(task, folder, version, _unprivileged_user()))
        for _ in task.descriptors
    ]
    return replace(
        plain,
        line=bubblewrap.python_command(_on_host(task), filter_fd=running_filter, plan_fds=plans),
        descriptors=[*plain.descriptors, running_filter, *plans],
    )


def landlock_plan(task: bubblewrap.Task, folder: str, abi: int, user: int) -> bytes:
    """Return what a child under Landlock is to give up: what it may open, and who it becomes.

    ``folder`` is its scratch folder, ``user`` -1 to stay who it is.
    """
    given = map(str, task.readable.values())
    readable = [*map(str, bubblewrap.installation_paths(task.script)), *given, *_PROCESS_FILES]
    paths = [(landlock.READ, path) for path in readable if Path(path).exists()]
    paths += _DEVICES
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


def _memory_file(owner: contextlib.ExitStack, data: bytes) -> int:
    """Return a descriptor of an anonymous file with this content, at its beginning."""
    file = owner.enter_context(os.fdopen(os.memfd_create("harness"), "w+b"))
    file.write(data)
    file.seek(0)
    return file.fileno()
