"""Which sandbox works on this machine; each process tries them once, by starting a child."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError
from harness.sandbox import commands, landlock, launch, process_tree, seccomp
from harness.sandbox.child import ChildFailure, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

AUTO, ANY, NONE = "auto", "sandbox", "none"
ISOLATIONS = (AUTO, ANY, *launch.SANDBOXES, NONE)
"""What ``--isolation`` can be; ``sandbox`` insists on one, whichever it is."""

_NAMESPACE_SWITCHES = {  # and the value with which they refuse
    "kernel.apparmor_restrict_unprivileged_userns": "1",
    "kernel.unprivileged_userns_clone": "0",
}
_NO_LANDLOCK = {
    errno.ENOSYS: "this kernel has no Landlock (Linux 5.13 or newer)",
    errno.EOPNOTSUPP: "Landlock is switched off: boot with lsm=landlock,...",
    errno.EPERM: "Landlock is forbidden here, by a container's system call filter",
}


def find_sandbox(isolation: str = AUTO) -> str | None:
    """Return the sandbox that is used with this ``--isolation``; None where there is none.

    Raises HarnessError where that could not be found out.
    """
    working = (sandbox for sandbox in _chosen(isolation) if problem_of(sandbox) is None)
    return next(working, None)


def sandbox_problem(isolation: str = AUTO) -> str | None:
    """Return None where there is a sandbox, otherwise one line: why not, and what to do."""
    if find_sandbox(isolation) is not None:
        return None
    if sys.platform != "linux":
        return f"there is no sandbox on {sys.platform}: grade on Linux, or in a Linux container"
    return "; ".join(filter(None, map(problem_of, _chosen(isolation)))) or "isolation is off"


def _chosen(isolation: str) -> tuple[str, ...]:
    """Return the sandboxes that may be used, best first."""
    if isolation == NONE:
        return ()
    return launch.SANDBOXES if isolation in (AUTO, ANY) else (isolation,)


@cache
def problem_of(sandbox: str) -> str | None:
    """Return None when this sandbox works here, otherwise one line: why not, and what to do.

    Raises HarnessError where its trial was killed.
    """
    if sys.platform != "linux":
        return f"there is no sandbox on {sys.platform}: grade on Linux, or in a Linux container"
    return (
        _missing_of(sandbox)
        or seccomp.seccomp_problem()
        or process_tree.process_tree_problem()
        or _trial_problem(sandbox)
    )


def forget() -> None:
    """Try again the next time that somebody asks."""
    problem_of.cache_clear()


def _missing_of(sandbox: str) -> str | None:
    """Return what a sandbox is made of and is not there."""
    missing: dict[str, Callable[[], str | None]] = {
        launch.BUBBLEWRAP: _missing_bubblewrap,
        launch.LANDLOCK: _missing_landlock,
    }
    return missing[sandbox]()


def _missing_bubblewrap() -> str | None:
    """Return what is wrong where the program is missing."""
    return None if shutil.which("bwrap") else commands.BUBBLEWRAP_MISSING


def _missing_landlock() -> str | None:
    """Return what is wrong where the kernel has none, or none that may be used."""
    try:
        landlock.abi()
    except OSError as error:
        return _NO_LANDLOCK.get(error.errno or 0, f"Landlock does not work: {error.strerror}")
    return None


def _trial_problem(sandbox: str) -> str | None:
    """Start a child, and return what is wrong with its start or its system call filter.

    Raises HarnessError where it was killed: that says nothing about the sandbox, and whoever
    took it to be missing would read strangers' files without one.
    """
    script = Path(__file__).with_name("attacks") / "alive.py"
    try:
        with launch.start(script, limits=Limits(memory_bytes=2**30), sandbox=sandbox) as child:
            filters = child.ask(b"?", 1)
            child.finish()
    except launch.KilledAtStartError:
        raise
    except HarnessError as error:
        return _advice(sandbox, str(error))
    except ChildFailure as failure:
        if failure.signal == signal.SIGKILL:
            raise HarnessError(f"the sandbox's trial child {failure.reason}") from None
        return f"the trial child {failure.reason}"
    if filters != b"2":
        return "the system call filter did not load: the kernel has no seccomp filters"
    return None


def _advice(sandbox: str, error: str) -> str:
    """Return an error of a trial with what can be done about it."""
    if sandbox == launch.LANDLOCK:
        rights = "; root needs the capabilities SETUID and SETGID" if os.geteuid() == 0 else ""
        return f"Landlock does not work: {error}{rights}"
    return f"{error}; apt install bubblewrap (0.7 or newer) {_namespace_hint()}".strip()


def _namespace_hint() -> str:
    """Return what to switch on when the system refuses user namespaces, if that can be seen."""
    for name, refusing in _NAMESPACE_SWITCHES.items():
        with contextlib.suppress(OSError):
            path = Path("/proc/sys", *name.split("."))
            if path.read_text().strip() == refusing:
                value = "0" if refusing == "1" else "1"
                return f"and allow user namespaces: sysctl {name}={value}"
    return "and run where user namespaces are allowed"
