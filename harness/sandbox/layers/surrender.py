"""Proof that a child under Landlock has given up what it must, for want of namespaces."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sandbox import bubblewrap, landlock
from harness.sandbox.commands import landlock_plan
from harness.sandbox.layers.escape_tests import ATTACKS, Outcome, TestSite, assess
from harness.sandbox.layers.facts import (
    idle_child,
    may_be_seen,
    mounts_of,
    outcome_of,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_PLACES = (
    "/etc/passwd",
    "/etc/hostname",
    "/proc/self/environ",
    "/proc/self/mountinfo",
    "/proc/self/fd",
    "/proc/1/cmdline",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/loadavg",
    "/dev/zero",
    "/dev/tty",
    "/usr/bin",
    "/usr/share",
)
_LIBRARIES = ("lib", "lib32", "lib64", "nix")
_STAY, _TRUNCATE_ABI, _TCP_ABI, _SCOPE_ABI = -1, 3, 4, 6


def _read_everywhere(site: TestSite) -> Outcome:
    """Nothing may be read or listed but libraries, Python, our packages and what was given."""
    project = Path(__file__).resolve().parents[3]
    places = {*_PLACES, str(Path.home()), sys.prefix, sys.base_prefix, str(site.folder)}
    places |= {str(project), f"{sys.prefix}/bin", *map(str, project.glob("*.*"))}
    places |= {f"/{name}" for name in os.listdir("/") if name not in _LIBRARIES}  # noqa: PTH208
    places |= {mount.point for mount in mounts_of(os.getpid())}
    there = sorted(place for place in places if Path(place).exists() and not may_be_seen(place))
    return assess(site.report("read_places", request="\0".join(there).encode()))


def _behind_landlock(site: TestSite) -> Outcome:
    """Landlock must hold without a filter and without another user, as far as its version goes."""
    version = landlock.abi()
    ways = ["read", "list", "write", "make", "folder", "link", "name", "remove", "execute", "trace"]
    ways += ["truncate"] if version >= _TRUNCATE_ABI else []
    ways += ["signal", "abstract"] if version >= _SCOPE_ABI else []
    ways += ["port"] if version >= _TCP_ABI else []

    outside, scratch = site.folder / "outside", site.folder / "scratch"
    for folder in (outside, scratch):
        folder.mkdir()
    (outside / "labels").write_text("secret", encoding="utf-8")
    plan = site.folder / "plan"
    plan.write_bytes(landlock_plan(_task(site), str(scratch), version, _STAY))

    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
    ):
        listener.bind("")  # at an abstract name that the kernel chooses
        listener.listen()
        name = listener.getsockname().decode(errors="replace")
        places = (str(plan), str(outside), str(server.getsockname()[1]), name[1:])
        request = "\0".join(ways).encode()
        return assess(replace(site, sandbox=None).report("behind_landlock", *places,
                                                         request=request))  # fmt: skip


def _hide_files(site: TestSite) -> Outcome:
    """No file may lose its name while it is open: what is in the folder is all there is."""
    return assess(site.report("hide_files"))


def _user(site: TestSite) -> Outcome:
    """Where we are root, the child must be somebody else, but for the files that it opens.

    The effective and the saved user count; who is asked for files is the real one.
    """
    if os.geteuid() != 0:
        return Outcome(passed=None, detail="only root can become somebody else")
    with idle_child(site) as (_, pids):
        status = status_of(pids[-1])
    numbers = {"Uid": status["Uid"].split()[1:3], "Gid": status["Gid"].split()}
    wrong = [f"{kind} {n}" for kind, them in numbers.items() for n in them if int(n) == 0]
    wrong += [f"is in the groups {groups}"] if (groups := status["Groups"]) else []
    return outcome_of(wrong, f"user {status['Uid'].split()[1]}")


def _task(site: TestSite) -> bubblewrap.Task:
    """Return a task without anything to read."""
    return bubblewrap.Task(
        script=(site.scripts or ATTACKS) / "behind_landlock.py",
        arguments=(),
        readable={},
        descriptors=[(-1, -1, -1)],
        rlimits={},
    )


LANDLOCK_TESTS: dict[str, Callable[[TestSite], Outcome]] = {
    "user": _user,
    "reading anywhere": _read_everywhere,
    "Landlock alone": _behind_landlock,
    "files without names": _hide_files,
}
