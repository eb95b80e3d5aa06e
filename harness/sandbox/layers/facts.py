"""What the kernel says of a confined child, compared with what it must say."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.sandbox import bubblewrap, process_tree
from harness.sandbox.attacks.report import REPORT_BYTES
from harness.sandbox.launch import LANDLOCK
from harness.sandbox.layers.escape_tests import ATTACKS, LIMITS, Outcome, TestSite, assess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.sandbox.child import Child

_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
_FILTERS = 2  # one from the start, one from the moment it is ready
_ADDRESS_SPACE_BYTES = 4 * 2**30  # beyond the memory that may be used
_MOST = {
    "Max cpu time": LIMITS.cpu_seconds,
    "Max file size": LIMITS.scratch_bytes,
    "Max open files": 256,
    "Max core file size": 0,
    "Max locked memory": 0,
    "Max address space": LIMITS.memory_bytes + _ADDRESS_SPACE_BYTES,
}
_VARIABLES = {
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "HOME",
    "TMPDIR",
    "LANG",
    "CUDA_VISIBLE_DEVICES",
    "MALLOC_ARENA_MAX",
    "TF_CPP_MIN_LOG_LEVEL",
    "KERAS_BACKEND",
    "HDF5_USE_FILE_LOCKING",
    "PWD",  # bubblewrap's
}
_OURS = "HARNESS_DOCTOR"
_LIBRARIES = ("/usr/lib", "/usr/local/lib", "/lib", "/nix/store")
_LIBRARY_FILES = ("/etc/ld.so.cache", "/etc/alternatives")
_DEVICES = ("/dev/null", "/dev/urandom")
_SCRATCH = "/tmp"  # noqa: S108 - a path inside the sandbox


class _Mount(NamedTuple):
    """A line of ``mountinfo``."""

    point: str
    options: list[str]
    kind: str


@contextmanager
def idle_child(site: TestSite) -> Iterator[tuple[Child, list[int]]]:
    """Provide a confined child that waits, and its processes, the script's last."""
    with site.start("alive") as child:
        pid = child.pid
        yield child, [] if pid is None else process_tree.members(pid)
        child.ask(b"?", 1)


def _rights(site: TestSite) -> Outcome:
    """No capability may be left, none may come back, and both filters must be loaded."""
    with idle_child(site) as (_, pids):
        inside = status_of(pids[-1])
    names = [name for name in _CAPABILITIES if name != "CapBnd" or _can_drop_bounding(site)]
    wrong = [f"{name} {inside[name]}" for name in names if int(inside[name], 16)]
    wrong += [] if inside["NoNewPrivs"] == "1" else ["may get new privileges"]

    own = status_of(os.getpid())
    if inside["Seccomp"] != "2":
        wrong.append("no system call filter")
    elif "Seccomp_filters" in own:
        added = int(inside["Seccomp_filters"]) - int(own["Seccomp_filters"])
        wrong += [] if added >= _FILTERS else [f"{added} of {_FILTERS} system call filters"]
    return outcome_of(wrong, "no capabilities, no new privileges, both filters")


def _limits(site: TestSite) -> Outcome:
    """Every resource limit must be there, and hard."""
    with idle_child(site) as (_, pids):
        lines = Path(f"/proc/{pids[-1]}/limits").read_text(encoding="ascii").splitlines()
    found = {line[:25].strip(): line[25:].split()[:2] for line in lines}
    wrong = [
        f"{name} {'/'.join(found[name])}"
        for name, most in _MOST.items()
        if not all(limit.isdigit() and int(limit) <= most for limit in found[name])
    ]
    return outcome_of(wrong, f"{len(_MOST)} limits")


def _session(site: TestSite) -> Outcome:
    """Neither bubblewrap nor the child may be in our session, nor the child in bubblewrap's."""
    with idle_child(site) as (_, pids):
        ours, outer, inner = (_session_of(pid) for pid in (os.getpid(), pids[0], pids[-1]))
    is_started_by_another = pids[0] != pids[-1]
    wrong = []
    if is_started_by_another and inner == outer:
        wrong.append("the child is in the session of what started it")
    wrong += ["what is started is in the harness's session"] if ours in (outer, inner) else []
    return outcome_of(wrong, "a session of its own")


def _environment(site: TestSite) -> Outcome:
    """The child must have the variables it needs and no others, and bubblewrap none of ours."""
    os.environ[_OURS] = "1"
    try:
        with site.start("see_variables") as child:
            outermost = _variables_of(child.pid)
            report = child.ask("\0".join(_VARIABLES).encode(), REPORT_BYTES)
            child.finish()
    finally:
        del os.environ[_OURS]
    if _OURS in outermost:
        return Outcome(passed=False, detail=f"{_OURS} is handed on to bubblewrap")
    return assess(report.decode(errors="replace").strip())


def _variables_of(pid: int | None) -> set[str]:
    """Return the names of the variables that a process was started with, where they can be read."""
    try:
        text = Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return set()
    return {variable.partition("=")[0] for variable in text.split("\0")}


def _descriptors(site: TestSite) -> Outcome:
    """The child must have its two pipes, its output, and nothing to read at its input."""
    shown = site.folder / "open"
    shown.touch()
    with shown.open() as other:
        # What Python opens is closed in children; what libraries in C open, as here, is not.
        os.set_inheritable(other.fileno(), True)
        return assess(site.report("see_descriptors"))


def _namespaces(site: TestSite) -> Outcome:
    """Every namespace must be a new one, and the user there nobody."""
    with idle_child(site) as (_, pids):
        wrong = [f"shares our {n} namespace" for n in _NAMESPACES if _same(n, pids[-1])]
        users = Path(f"/proc/{pids[-1]}/uid_map").read_text(encoding="ascii").split()
    wrong += ["is root there"] if "0" in users[::3] else []
    return outcome_of(wrong, f"{len(_NAMESPACES)} of its own")


def _mounts(site: TestSite) -> Outcome:
    """Nothing may be mounted but what is known, all of it read-only but the scratch folder.

    The script is one that lies outside of the packages, and so is mounted by itself.
    """
    copy = site.folder / "scripts"
    copy.mkdir()
    shutil.copy(ATTACKS / "alive.py", copy)
    with idle_child(replace(site, scripts=copy)) as (_, pids):
        mounts = mounts_of(pids[-1])

    wrong = []
    for mount in mounts:
        if mount.point == _SCRATCH and mount.kind != "tmpfs":
            wrong.append(f"{mount.point} is a {mount.kind}")
        if mount.point not in (_SCRATCH, *_DEVICES) and "ro" not in mount.options:
            wrong.append(f"{mount.point} is writable")
        if "nosuid" not in mount.options:
            wrong.append(f"{mount.point} honours set-user-ID")
        if not _may_be_mounted(mount.point) and mount.point != f"{copy}/alive.py":
            wrong.append(f"{mount.point} is visible")
    return outcome_of(wrong, f"{len(mounts)} mounts, all read-only but {_SCRATCH}")


def _write_everywhere(site: TestSite) -> Outcome:
    """Nothing may be written but in the scratch folder: below no mount, nor where Python is."""
    with site.start("write_everywhere") as child:
        pid = child.pid
        mounts = [] if pid is None else mounts_of(process_tree.members(pid)[-1])
        points = [mount.point for mount in mounts if mount.point not in (_SCRATCH, *_DEVICES)]
        points += [place for place in sorted(_python_places()) if place not in points]
        report = child.ask("\0".join(points).encode(errors="surrogateescape"), REPORT_BYTES)
        child.finish()
    return assess(report.decode(errors="replace").strip())


def _can_drop_bounding(site: TestSite) -> bool:
    """Whether a child can lose what it could only ever get from a program that it cannot start.

    bubblewrap makes a user namespace, in which it may; without one only root can.
    """
    return site.sandbox != LANDLOCK or os.geteuid() == 0


def outcome_of(wrong: list[str], right: str) -> Outcome:
    """Pass when nothing is wrong."""
    return Outcome(passed=not wrong, detail="; ".join(wrong) or right)


def status_of(pid: int) -> dict[str, str]:
    """Return the fields of a process's ``/proc`` status."""
    lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def _session_of(pid: int) -> int:
    """Return the session of a process, by our numbers."""
    stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return int(stat.rpartition(")")[2].split()[3])  # the name before it may hold anything


def _same(namespace: str, pid: int) -> bool:
    """Return whether a process is in our namespace of this kind."""
    ours, theirs = (Path("/proc", p, "ns", namespace).readlink() for p in ("self", str(pid)))
    return ours == theirs


def mounts_of(pid: int) -> list[_Mount]:
    """Return what is mounted for a process."""
    text = Path(f"/proc/{pid}/mountinfo").read_text(errors="surrogateescape")
    rows = [line.split(" ") for line in text.splitlines()]
    kinds = [row[row.index("-") + 1] for row in rows]
    return [
        _Mount(_unescape(row[4]), row[5].split(","), kind)
        for row, kind in zip(rows, kinds, strict=True)
    ]


def _unescape(point: str) -> str:
    """Return a mount point's path: blanks and backslashes are octal in ``mountinfo``."""
    for code, character in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        point = point.replace(f"\\{code}", character)
    return point


def _may_be_mounted(point: str) -> bool:
    """Whether this may be mounted for a child: what it may see, what it was given, and scratch."""
    return (
        point in ("/", _SCRATCH)
        or point.startswith(f"{bubblewrap.SUBMISSION}/")
        or may_be_seen(point)
    )


def may_be_seen(point: str) -> bool:
    """Whether every child may see this: libraries, Python, our packages and two devices."""
    if point in (*_DEVICES, *_LIBRARY_FILES):
        return True
    if any(Path(point).is_relative_to(place) for place in _python_places()):
        return True
    return any(point == root or point.startswith((f"{root}/", f"{root}32", f"{root}64"))
               for root in _LIBRARIES)  # fmt: skip


def _python_places() -> set[str]:
    """The interpreter, its libraries and the two packages, at their own paths and real ones."""
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    places = {Path(prefix, part) for prefix in prefixes for part in ("lib", "lib64", "pyvenv.cfg")}
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    places |= {Path(sysconfig.get_path(name)) for name in names} | {Path(sys.executable)}
    project = Path(__file__).resolve().parents[3]
    places |= {project / "harness", project / "reference"}
    return {str(place) for place in places} | {str(place.resolve()) for place in places}


FACT_TESTS: dict[str, Callable[[TestSite], Outcome]] = {
    "rights": _rights,
    "limits": _limits,
    "session": _session,
    "environment": _environment,
    "descriptors": _descriptors,
    "writing anywhere": _write_everywhere,
}
NAMESPACE_TESTS: dict[str, Callable[[TestSite], Outcome]] = {
    "namespaces": _namespaces,
    "mounts": _mounts,
}
