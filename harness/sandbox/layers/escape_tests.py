"""Tests that start attack scripts in the sandbox and judge by the facts what happened.

Each starts one script of `harness.sandbox.attacks` in the sandbox that is used for grading, lets
it try, and looks whether a marker appeared, a listener was called or a secret came back, or what
ended the child. What a script reports of itself counts only against the sandbox.
"""

from __future__ import annotations

import os
import platform
import secrets
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sandbox import bubblewrap, launch
from harness.sandbox.attacks.report import MANAGED, REPORT_BYTES, STOPPED
from harness.sandbox.attacks.shared_files import BITS

if TYPE_CHECKING:
    from collections.abc import Callable

ATTACKS = Path(__file__).parents[1] / "attacks"
_DAEMON_SECONDS = 0.2
_OWN_PROCESSES = 2  # of a sandbox, from 1
_MIB = 2**20
_MOST_KEPT_BYTES = 65_536  # of what is printed
LIMITS = launch.Limits(
    start_seconds=30,
    wall_seconds=30,
    cpu_seconds=30,
    memory_bytes=192 * _MIB,
    scratch_bytes=16 * _MIB,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one escape test."""

    passed: bool | None
    """Whether the sandbox held; None where there was nothing to attack."""

    detail: str
    """What happened, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSite:
    """Where an escape test takes place."""

    folder: Path
    """A folder that scripts must not be able to reach."""

    sandbox: str | None
    """Which one is tested; None: what attacks do without one."""

    scripts: Path | None = None
    """Where the scripts are; None: where attack scripts are."""

    def start(self, script: str, *arguments: str, limits: launch.Limits = LIMITS) -> launch.Child:
        """Start an attack script, which is shown a file of the folder's."""
        shown = self.folder / "shown"
        shown.touch()
        return launch.start(
            (self.scripts or ATTACKS) / f"{script}.py",
            arguments,
            inputs=launch.Inputs(readable={f"{bubblewrap.SUBMISSION}/shown": shown}),
            limits=limits,
            sandbox=self.sandbox,
        )

    def report(
        self,
        script: str,
        *arguments: str,
        request: bytes = b"?",
        limits: launch.Limits = LIMITS,
    ) -> str:
        """Return what a script reports: what it managed, or what stopped it."""
        with self.start(script, *arguments, limits=limits) as child:
            report = child.ask(request, REPORT_BYTES)
            child.finish()
        return report.decode(errors="replace").strip()

    def ending(self, script: str, *arguments: str, limits: launch.Limits = LIMITS) -> str:
        """Return the kind of a script's failure and the reason; its report if it did not fail."""
        try:
            with self.start(script, *arguments, limits=limits) as child:
                report = child.ask(b"?", REPORT_BYTES)
                child.finish()
        except launch.ChildFailure as failure:
            return f"{failure.kind}: {failure.reason}"
        return report.decode(errors="replace").strip()


def assess(report: str, *, harmless: bool = True) -> Outcome:
    """Pass when the attack was stopped and the facts agree."""
    return Outcome(passed=harmless and report.startswith(STOPPED), detail=report)


def _read_secret(site: TestSite) -> Outcome:
    """The content of a file outside the sandbox must not come back."""
    secret = site.folder / "labels"
    secret.write_text(secrets.token_hex(16), encoding="utf-8")
    report = site.report("read_file", str(secret))
    return assess(report, harmless=secret.read_text(encoding="utf-8") not in report)


def _list_home_folder(site: TestSite) -> Outcome:
    """Nothing of the user's home may be seen, but the folders that lead to a Python there."""
    home = Path.home()
    if not home.is_dir() or not any(home.iterdir()):
        return Outcome(passed=None, detail=f"there is nothing in {home}")

    report = site.report("list_folder", str(home))
    if report.startswith(STOPPED):
        return assess(report)

    names = report.removeprefix(MANAGED).strip().split("/")
    visible_paths = bubblewrap.visible_paths_below(home)
    way_to_python = {path.relative_to(home).parts[0] for path in visible_paths}
    if set(names) <= way_to_python:
        return Outcome(passed=True, detail=f"sees the way to Python only: {'/'.join(names)}")
    return Outcome(passed=False, detail=f"{MANAGED} saw {names[0]} and others")


def _connect_to_port(site: TestSite) -> Outcome:
    """A listener on this machine must not be called."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        report = site.report("connect_tcp", str(listener.getsockname()[1]))
        return assess(report, harmless=not _was_called(listener))


def _connect_to_socket(site: TestSite) -> Outcome:
    """A listener at a path of the file system must not be called."""
    return _connect_to_name(site, str(site.folder / "socket"))


def _connect_to_abstract_socket(site: TestSite) -> Outcome:
    """A listener at a name that is in no file system must not be called."""
    return _connect_to_name(site, f"@{secrets.token_hex(8)}")


def _connect_to_name(site: TestSite, name: str) -> Outcome:
    """Listen at this name (abstract with ``@``), and see whether the script connects."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        listener.listen()
        report = site.report("connect_unix", name)
        return assess(report, harmless=not _was_called(listener))


def _was_called(listener: socket.socket) -> bool:
    """Return whether somebody connected to the listener."""
    listener.setblocking(False)
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _fork(site: TestSite) -> Outcome:
    """The script must not be able to start a second process."""
    return assess(site.report("start_process", "fork"))


def _start_program(site: TestSite) -> Outcome:
    """The script must not be able to start another program."""
    return assess(site.report("start_process", "program"))


def _become_program(site: TestSite) -> Outcome:
    """The script must not be able to become another program."""
    return assess(site.report("start_process", "exec"))


def _leave_daemon(site: TestSite) -> Outcome:
    """No process may outlive its parent and leave a marker."""
    marker = site.folder / "daemon"
    report = site.report("leave_daemon", str(marker), str(_DAEMON_SECONDS))
    time.sleep(2 * _DAEMON_SECONDS)
    return assess(report, harmless=not marker.exists())


def _write_outside(site: TestSite) -> Outcome:
    """No marker may appear outside the sandbox."""
    marker = site.folder / "marker"
    report = site.report("write_file", str(marker))
    return assess(report, harmless=not marker.exists())


def _see_host(site: TestSite) -> Outcome:
    """The machine's name, this process's number and the path behind a shown file are not told.

    Names that every sandbox has as its own prove nothing. Without namespaces, they are told.
    """
    if site.sandbox == launch.LANDLOCK:
        return Outcome(passed=None, detail="only namespaces hide them: Landlock does not")
    name = platform.node().replace(bubblewrap.HOST_NAME, "")
    process = str(os.getpid()) if os.getpid() > _OWN_PROCESSES else ""
    words = (name, process, str(site.folder / "shown"))
    return assess(site.report("see_host", *(word[::-1] for word in words)))


def _talk_by_locks(site: TestSite) -> Outcome:
    """A number must not get from one sandbox to another by locks on files they share."""
    for way in ("ranges", "flock"):
        number = str(1 + secrets.randbelow(2**BITS - 1))
        with site.start("hold_locks", way, number) as sender:
            told = sender.ask(b"?", REPORT_BYTES).decode(errors="replace").strip()
            seen = site.report("see_locks", way)
        if told.startswith(MANAGED) or seen == f"{MANAGED} {number}":
            return Outcome(passed=False, detail=f"{told}; {seen}")
    return assess(told)


def _talk_by_futex(site: TestSite) -> Outcome:
    """A thread of one sandbox must not be woken by another."""
    with site.start("wait_for_wake") as waiter:
        waiter.ask(b"?", REPORT_BYTES)
        return assess(site.report("wake"))


def _write_to_descriptors(site: TestSite) -> Outcome:
    """A file that the harness has open must stay as it is."""
    results = site.folder / "results"
    with results.open("wb", buffering=0) as file:
        file.write(b"honest")
        # What Python opens is closed in children; what libraries in C open, as here, is not.
        os.set_inheritable(file.fileno(), True)
        report = site.report("write_descriptors")
    return assess(report, harmless=results.read_bytes() == b"honest")


def _fill_disk(site: TestSite) -> Outcome:
    """The scratch folder must be full before all is written, or the child ended for it."""
    ending = site.ending("fill_disk", str(2 * LIMITS.scratch_bytes // _MIB))
    return Outcome(passed=ending.startswith((STOPPED, "out_of_memory")), detail=ending)


def _exhaust_memory(site: TestSite) -> Outcome:
    """The child must be ended for its memory."""
    ending = site.ending("exhaust_memory", str(4 * LIMITS.memory_bytes))
    return Outcome(passed=ending.startswith("out_of_memory"), detail=ending)


def _never_end(site: TestSite) -> Outcome:
    """The child must be ended for its time, and soon."""
    started_at = time.monotonic()
    ending = site.ending("never_end", limits=replace(LIMITS, wall_seconds=0.5))
    in_time = time.monotonic() - started_at < 5
    return Outcome(passed=in_time and ending.startswith("timed_out"), detail=ending)


def _answer_too_much(site: TestSite) -> Outcome:
    """A second answer must end the child."""
    ending = site.ending("answer_more")
    return Outcome(passed=ending.startswith("bad_reply"), detail=ending)


def _forge_output(site: TestSite) -> Outcome:
    """What is printed must arrive as text only, and not in the reply."""
    with site.start("forge_output") as child:
        report = child.ask(b"?", REPORT_BYTES)
        child.finish()
    clean = "\x1b" not in child.output and child.output.count("graded") == 2
    return Outcome(
        passed=clean and b"graded" not in report, detail="kept as text, without its escapes"
    )


def _flood_output(site: TestSite) -> Outcome:
    """The beginning and the end of a flood are kept, and the child goes on."""
    with site.start("flood_output", str(50 * _MIB)) as child:
        child.ask(b"?", REPORT_BYTES)
        child.finish()
    kept_bytes = len(child.output.encode())
    in_bounds = 0 < kept_bytes <= _MOST_KEPT_BYTES
    return Outcome(passed=in_bounds, detail=f"kept {kept_bytes} bytes of {50 * _MIB}")


ESCAPE_TESTS: dict[str, Callable[[TestSite], Outcome]] = {
    "reads a secret file": _read_secret,
    "lists the home folder": _list_home_folder,
    "writes outside": _write_outside,
    "writes to other descriptors": _write_to_descriptors,
    "sees the host's names": _see_host,
    "talks by file locks": _talk_by_locks,
    "talks by shared futexes": _talk_by_futex,
    "connects to a port": _connect_to_port,
    "connects to a UNIX socket": _connect_to_socket,
    "connects to an abstract socket": _connect_to_abstract_socket,
    "forks": _fork,
    "starts a program": _start_program,
    "becomes another program": _become_program,
    "leaves a daemon": _leave_daemon,
    "fills the scratch folder": _fill_disk,
    "exhausts memory": _exhaust_memory,
    "never ends": _never_end,
    "answers too much": _answer_too_much,
    "forges output": _forge_output,
    "floods the output": _flood_output,
}
