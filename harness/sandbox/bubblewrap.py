"""What a child can see and how its process is put together, with a sandbox and without.

Inside the sandbox there are the system's libraries, the Python installation, the packages
``harness`` and ``reference``, the files the caller names below ``/submission``, and one scratch
folder in memory, at ``/tmp``. Nothing else of the file system exists there: not the datasets, not
the results, not the rest of the repository, nobody's home.

There is no process file system either: it tells the host's paths behind every mount, the kernel's
command line, and what the whole machine does at this moment. A few files in its place say what
libraries ask for.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.environment import processors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SUBMISSION = "/submission"
HOST_NAME = "sandbox"
SCRATCH = "/tmp"  # noqa: S108 - a path inside the sandbox, where it is the child's own
PACKAGES = Path(__file__).resolve().parents[2]

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py").resolve()
_SYSTEM_LIBRARIES = (
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/alternatives",
)
DEVICES = ("/dev/null", "/dev/urandom")
_NOBODY = "65534"
PROCESS_FILES = "/proc"
_PROCESS = f"{PROCESS_FILES}/2"  # bubblewrap's own is the first
_THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One script to run in a child, in terms of the inside of the sandbox."""

    script: Path
    """The same path inside and outside."""

    arguments: Sequence[str]

    readable: Mapping[str, Path]
    """Files and folders of the host by their paths inside, all below ``/submission``."""

    descriptors: Sequence[tuple[int, int, int]]
    """Of requests, replies and images (-1 where there are none), for each of the children."""

    rlimits: Mapping[str, int]
    """Values of ``setrlimit`` by the names of the limits."""

    fork: str = ""
    """How several children are forked (``forking.py``); empty for one."""

    @property
    def forks(self) -> bool:
        """Whether there are several children, forked by one process."""
        return bool(self.fork)

    @property
    def scratch_folders(self) -> list[str]:
        """Where file systems in memory are: one, and in it one for each of several children."""
        own = range(len(self.descriptors)) if self.forks else ()
        return [SCRATCH, *(f"{SCRATCH}/{number}" for number in own)]

    @property
    def kept_descriptors(self) -> list[int]:
        """The descriptors that the child inherits."""
        return [number for own in self.descriptors for number in own if number >= 0]


def environment(home: str) -> dict[str, str]:
    """Return the environment variables of every child; none is its parent's.

    ``python -I`` ignores PYTHONHASHSEED, so the order of sets of strings is the one thing that
    varies from child to child.
    """
    # As many as TensorFlow gives the BadNet in the parent: their times are compared.
    thread_counts = dict.fromkeys(_THREAD_COUNTS, str(processors()))
    return thread_counts | {
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "CUDA_VISIBLE_DEVICES": "-1",
        "MALLOC_ARENA_MAX": "2",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "HDF5_USE_FILE_LOCKING": "FALSE",  # a filter refuses locks; here nobody writes beside it
    }


def python_command(
    task: Task, *, filter_fd: int = -1, plan_fds: Sequence[int] = ()
) -> list[str]:  # fmt: skip
    """Return the command line that confines children and runs the task's script in them.

    The descriptors are of a system call filter, -1 where there is none, and of a plan for Landlock
    for each of the children.
    """
    limits = ",".join(f"{name}={value}" for name, value in task.rlimits.items())
    plans = _list(plan_fds or [-1] * len(task.descriptors))
    bootstrap = [str(_BOOTSTRAP), str(PACKAGES), limits, plans, str(filter_fd), task.fork]
    descriptors = map(_list, zip(*task.descriptors, strict=True))
    return [sys.executable, "-I", "-B", *bootstrap, str(task.script), *descriptors, *task.arguments]


def _list(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def host_arguments(task: Task) -> list[str]:
    """Return the task's arguments with the paths inside the sandbox replaced by the host's."""
    return [_host_path(argument, task.readable) for argument in task.arguments]


def _host_path(argument: str, readable: Mapping[str, Path]) -> str:
    """Return the argument, or the host's path when it names something below ``/submission``."""
    for inside in sorted(readable, key=len, reverse=True):
        if argument == inside or argument.startswith(f"{inside}/"):
            return str(readable[inside]) + argument[len(inside) :]
    return argument


@cache
def process_files(memory_bytes: int) -> dict[str, bytes]:
    """Return the files below ``/proc`` by their paths; times and use of memory are zero there.

    Libraries look for the processor's instruction sets, the number of processors, the program's
    name (without one TensorFlow ends, and psutil without its numbers), and how much memory there
    is: as much as the child may use.
    """
    kibibytes = memory_bytes // 1024
    names = ("MemTotal", "MemFree", "MemAvailable")
    no_memory = ("Buffers", "Cached", "SwapTotal", "SwapFree")
    memory = [f"{name}: {kibibytes} kB\n" for name in names]
    memory += [f"{name}: 0 kB\n" for name in no_memory]
    times = " 0" * 10
    lines = [f"cpu {times}\n", *(f"cpu{number}{times}\n" for number in range(processors()))]
    return {
        f"{_PROCESS}/cmdline": b"python\0",
        f"{_PROCESS}/maps": b"",
        f"{_PROCESS}/stat": f"2 (python) R 1 1 1{' 0' * 46}\n".encode(),
        f"{_PROCESS}/statm": b"0 0 0 0 0 0 0\n",
        "/proc/cpuinfo": Path("/proc/cpuinfo").read_bytes(),
        "/proc/meminfo": "".join(memory).encode(),
        "/proc/stat": "".join([*lines, "btime 0\n"]).encode(),
    }


def bubblewrap_arguments(
    task: Task, *, scratch_bytes: int, filter_fd: int, files: Mapping[str, int]
) -> list[str]:
    """Return the options that build the sandbox; bubblewrap carries them out in this order.

    ``files`` are descriptors of what is copied into it, by the paths inside.
    """
    arguments = ["--unshare-all", "--unshare-user", "--uid", _NOBODY, "--gid", _NOBODY]
    arguments += ["--hostname", HOST_NAME, "--die-with-parent", "--new-session"]
    arguments += ["--cap-drop", "ALL", "--clearenv"]
    # Whoever forks children makes namespaces for them; they themselves give it up.
    arguments += ["--cap-add", "CAP_SYS_ADMIN"] if task.forks else []
    for name, value in environment(SCRATCH).items():
        arguments += ["--setenv", name, value]

    for folder in task.scratch_folders:
        arguments += ["--size", str(scratch_bytes), "--tmpfs", folder]
    arguments += _installation_options(task.script)
    for inside, host in task.readable.items():
        arguments += ["--ro-bind", str(host), inside]
    for inside, descriptor in files.items():
        arguments += ["--file", str(descriptor), inside]
    arguments += ["--symlink", "2", "/proc/self", "--symlink", sys.executable, f"{_PROCESS}/exe"]
    for device in DEVICES:
        arguments += ["--dev-bind", device, device]

    arguments += ["--chdir", SCRATCH, "--seccomp", str(filter_fd)]
    return [*arguments, "--remount-ro", "/"]


def installation_paths(script: Path) -> list[Path]:
    """Return where libraries, interpreter, packages and script are, without the links to them."""
    paths = [path for path, option in _installation().items() if option[0] == "--ro-bind"]
    is_shown = any(script.is_relative_to(folder) for folder in _installation())
    return paths if is_shown else [*paths, script]


def visible_paths_below(folder: Path) -> list[Path]:
    """Return the paths below a folder of the host that every sandbox shows."""
    return [path for path in _installation() if path.is_relative_to(folder) and path != folder]


def _installation_options(script: Path) -> list[str]:
    """Return the options that show the installation and the script at the paths they have here."""
    arguments = [word for option in _installation().values() for word in option]
    if not any(script.is_relative_to(folder) for folder in _installation()):
        arguments += ["--ro-bind", str(script), str(script)]
    return arguments


@cache
def _installation() -> dict[Path, list[str]]:
    """Return libraries, interpreter and packages by path, each with the option that shows it."""
    options: dict[Path, list[str]] = {}
    for path in (*map(Path, _SYSTEM_LIBRARIES), *_python_paths()):
        for step, option in _follow_links(path):
            if not any(step.is_relative_to(folder) for folder in options):
                options[step] = option
    return options


def _python_paths() -> Iterator[Path]:
    """Yield the paths of the interpreter, its library, its environment and our two packages.

    Of an environment only the library folders are shown: it may lie in somebody's home.
    """
    yield Path(sys.executable)
    for prefix in dict.fromkeys((sys.prefix, sys.base_prefix, sys.exec_prefix)):
        for part in ("pyvenv.cfg", "lib", "lib64"):
            yield Path(prefix, part)
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield Path(sysconfig.get_path(name))
    yield from (PACKAGES / "harness", PACKAGES / "reference")


def _follow_links(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each symbolic link on the way to a path's target, then the target, with its option.

    An interpreter finds its own library through the links that lead to it.
    """
    while path.is_symlink():
        target = path.readlink()
        yield path, ["--symlink", str(target), str(path)]
        path = Path(os.path.normpath(path.parent / target))
    if path.exists():
        yield path, ["--ro-bind", str(path), str(path)]
