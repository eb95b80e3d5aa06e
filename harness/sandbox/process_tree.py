"""A process and all its descendants: who they are, and what memory they hold.

Linux tells both in ``/proc``. Elsewhere ``ps`` is asked for the process group, which is slower and
misses processes that left the group.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_KIB = 1024
_INODE_BYTES = 4096  # kernel memory of an empty file with a long name, which no size counts
_BLOCK_BYTES = 512
_PROBE = Path("/proc/thread-self/children")
_RESIDENT = ("RssAnon", "VmSwap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a tree of processes holds; memory mapped from files is not its own and not counted."""

    private_bytes: int = 0

    shared_bytes: int = 0
    """Of shared memory, such as a mapped memory file: several processes may hold the same."""

    threads: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            private_bytes=self.private_bytes + other.private_bytes,
            shared_bytes=self.shared_bytes + other.shared_bytes,
            threads=self.threads + other.threads,
        )


def members(pid: int) -> list[int]:
    """Return the process and its descendants, parents first; orphans of the tree are missed."""
    pids = [pid]
    for parent in pids:  # grows while it is gone through, until nobody has children
        pids += _children(parent)
    return pids


def usage(pids: list[int]) -> Usage:
    """Return what these processes hold together; those already gone hold nothing."""
    if sys.platform != "linux":
        return _group_usage(pids[0])
    return sum(map(_process_usage, pids), Usage())


def cpu_seconds(pids: list[int]) -> float | None:
    """Return the processor time that these processes have used; None where nothing tells."""
    if sys.platform != "linux":
        return None
    ticks = sum(_cpu_ticks(Path(f"/proc/{pid}/stat")) for pid in pids)
    return ticks / os.sysconf("SC_CLK_TCK")


def is_stopped(pids: list[int]) -> bool:
    """Return whether no thread of these processes can run; those already gone cannot."""
    if sys.platform != "linux":
        return True
    return all(_thread_state(stat) in "TtZX" for pid in pids for stat in _thread_files(pid))


def is_dead(pids: list[int]) -> bool:
    """Return whether none of these processes runs any more; whom nobody waited for is dead too."""
    return all(_thread_state(Path(f"/proc/{pid}/stat")) in "ZX" for pid in pids)


def scratch_bytes(pid: int, scratch: str) -> int:
    """Return the memory behind the tmpfs that a process sees at this path."""
    with contextlib.suppress(OSError):
        status = os.statvfs(f"/proc/{pid}/root{scratch}")
        blocks = (status.f_blocks - status.f_bfree) * status.f_frsize
        return blocks + (status.f_files - status.f_ffree) * _INODE_BYTES
    return 0


def folder_bytes(folder: Path, most: int) -> int:
    """Return what the files below a folder take, a page for each name; counted up to ``most``.

    A folder that cannot be looked into, or lies deeper than paths reach, counts as too much.
    """
    total, pending = 0, [os.fsencode(folder)]
    while pending and total <= most:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    total += _INODE_BYTES + _disk_bytes(entry)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    if total > most:
                        break
        except FileNotFoundError:
            continue
        except OSError:
            return most + 1
    return total


def process_tree_problem() -> str | None:
    """Return None when process trees can be followed here, otherwise one line with the reason."""
    if _PROBE.exists():
        return None
    return f"the memory of a child cannot be watched: this kernel has no {_PROBE}"


def _disk_bytes(entry: os.DirEntry[bytes]) -> int:
    """Return what a file takes; nothing where it is gone."""
    try:
        return entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
    except FileNotFoundError:
        return 0


def _children(pid: int) -> list[int]:
    """Return the direct children; Linux keeps a list for each thread."""
    children: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - the inner loop of a watch
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/task/{thread}/children").read_text()
                children += map(int, text.split())
    return children


def _thread_files(pid: int) -> list[Path]:
    """Return where the kernel tells of each thread of a process."""
    with contextlib.suppress(OSError):
        return [path / "stat" for path in Path(f"/proc/{pid}/task").iterdir()]
    return []


def _thread_state(stat: Path) -> str:
    """Return the letter of a thread's state; that of the dead where it is gone."""
    return (_stat_fields(stat) or ["X"])[0]


def _cpu_ticks(stat: Path) -> int:
    """Return the time of all threads of a process, in user and system mode; 0 where it is gone."""
    return sum(map(int, _stat_fields(stat)[11:13]))


def _stat_fields(stat: Path) -> list[str]:
    """Return what the kernel tells of a thread or process, from its state on; nothing if gone."""
    try:
        # The name before it, in brackets, may hold anything.
        return stat.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _process_usage(pid: int) -> Usage:
    """Return what one process holds by its ``/proc`` status."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return Usage()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def number(name: str) -> int:
        return int(fields.get(name, "0").split()[0])  # "1234 kB"; the dead have no memory fields

    return Usage(
        private_bytes=sum(map(number, _RESIDENT)) * _KIB,
        shared_bytes=number("RssShmem") * _KIB,
        threads=number("Threads"),
    )


def _group_usage(group: int) -> Usage:
    """Return the resident memory of a process group according to ``ps``."""
    table = subprocess.run(
        ["/bin/ps", "-axo", "pgid=,rss="], capture_output=True, text=True, check=False
    )
    rows = (line.split() for line in table.stdout.splitlines())
    sizes = [int(row[1]) for row in rows if len(row) == 2 and row[0] == str(group)]
    return Usage(private_bytes=sum(sizes) * _KIB, threads=len(sizes))
