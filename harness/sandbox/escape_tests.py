"""The attack scripts as the harness sees them: what must not have happened, by the facts.

Every escape test starts one script of `harness.sandbox.attacks` through the sandbox that grades,
makes it try, and looks whether a marker appeared, a listener was called, a secret came back, or
who ended the child and why. What an attack script says of itself counts only against the sandbox.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sandbox import bubblewrap, launch
from harness.sandbox.attacks.report import MANAGED, REPORT_BYTES, STOPPED
from harness.sandbox.supervisor import OUTPUT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

ATTACKS = Path(__file__).with_name("attacks")
_DAEMON_SECONDS = 0.2
_MIB = 2**20
_LIMITS = launch.Limits(
    start_seconds=30,
    wall_seconds=30,
    cpu_seconds=30,
    memory_bytes=192 * _MIB,
    scratch_bytes=16 * _MIB,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Whether an escape test went as it must, and what was seen."""

    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSite:
    """Where an escape test takes place: a folder that no script is given, sandboxed or not."""

    folder: Path
    sandboxed: bool

    def start(self, script: str, *arguments: str, wall_seconds: float = 30) -> launch.Child:
        """Start an attack script."""
        return launch.start(
            ATTACKS / f"{script}.py",
            arguments,
            readable={},
            limits=replace(_LIMITS, wall_seconds=wall_seconds),
            sandboxed=self.sandboxed,
        )

    def report(self, script: str, *arguments: str) -> str:
        """Return what a script says it managed, or what stopped it."""
        with self.start(script, *arguments) as child:
            report = child.ask(b"?", REPORT_BYTES)
            child.finish()
        return report.decode(errors="replace").strip()

    def ending(self, script: str, *arguments: str, wall_seconds: float = 30) -> str:
        """Return the kind and reason of the failure that a script came to, or its report."""
        try:
            with self.start(script, *arguments, wall_seconds=wall_seconds) as child:
                report = child.ask(b"?", REPORT_BYTES)
                child.finish()
        except launch.ChildFailure as failure:
            return f"{failure.kind}: {failure.reason}"
        return report.decode(errors="replace").strip()


def _judged(report: str, *, harmless: bool = True) -> Outcome:
    """Pass when the attack was stopped and the facts agree."""
    return Outcome(passed=harmless and report.startswith(STOPPED), detail=report)


def _reads_a_secret(site: TestSite) -> Outcome:
    """The content of a file beside the sandbox must not come back."""
    secret = site.folder / "labels"
    secret.write_text(secrets.token_hex(16), encoding="utf-8")
    report = site.report("read_file", str(secret))
    return _judged(report, harmless=secret.read_text(encoding="utf-8") not in report)


def _lists_the_home_folder(site: TestSite) -> Outcome:
    """Nothing of the user's home may show, but the way to a Python installed there."""
    home = Path.home()
    if not home.is_dir() or not any(home.iterdir()):
        return Outcome(passed=None, detail=f"there is nothing in {home}")
    report = site.report("list_folder", str(home))
    # An interpreter that lives at home brings the folders that lead to it, and nothing more.
    known = {path.relative_to(home).parts[:1] for path in bubblewrap.shown_below(home)}
    if report.startswith(STOPPED):
        return _judged(report)
    seen = report.removeprefix(MANAGED).strip().split("/")
    if {(name,) for name in seen} <= known:
        return Outcome(passed=True, detail=f"sees the way to Python only: {'/'.join(seen)}")
    return Outcome(passed=False, detail=f"{MANAGED} saw {seen[0]} and others")


def _calls_a_port(site: TestSite) -> Outcome:
    """A listener on this machine must not be called."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        report = site.report("connect_tcp", str(listener.getsockname()[1]))
        return _judged(report, harmless=not _was_called(listener))


def _calls_a_socket(site: TestSite) -> Outcome:
    """Nor one behind a file."""
    return _calls(site, str(site.folder / "socket"))


def _calls_an_abstract_socket(site: TestSite) -> Outcome:
    """Nor one behind a name that is in no file system."""
    return _calls(site, f"@{secrets.token_hex(8)}")


def _calls(site: TestSite, name: str) -> Outcome:
    """Listen at that name, and see who calls."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        listener.listen()
        report = site.report("connect_unix", name)
        return _judged(report, harmless=not _was_called(listener))


def _was_called(listener: socket.socket) -> bool:
    """Return whether somebody connected to the listener."""
    listener.setblocking(False)
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _forks(site: TestSite) -> Outcome:
    """There must be no second process."""
    return _judged(site.report("start_process", "fork"))


def _starts_a_program(site: TestSite) -> Outcome:
    """Nor another program beside the first."""
    return _judged(site.report("start_process", "program"))


def _becomes_a_program(site: TestSite) -> Outcome:
    """Nor another program in place of the first."""
    return _judged(site.report("start_process", "exec"))


def _leaves_a_daemon(site: TestSite) -> Outcome:
    """Nothing may be alive that leaves a mark after its parent has ended."""
    marker = site.folder / "daemon"
    report = site.report("leave_daemon", str(marker), str(_DAEMON_SECONDS))
    time.sleep(2 * _DAEMON_SECONDS)
    return _judged(report, harmless=not marker.exists())


def _writes_outside(site: TestSite) -> Outcome:
    """No mark may appear beside the sandbox."""
    marker = site.folder / "marker"
    report = site.report("write_file", str(marker))
    return _judged(report, harmless=not marker.exists())


def _writes_to_descriptors(site: TestSite) -> Outcome:
    """A file that the harness has open must stay as it is."""
    results = site.folder / "results"
    with results.open("wb", buffering=0) as file:
        file.write(b"honest")
        # What Python opens is closed in children; what libraries in C open, as here, is not.
        os.set_inheritable(file.fileno(), True)
        report = site.report("write_descriptors")
    return _judged(report, harmless=results.read_bytes() == b"honest")


def _fills_the_disk(site: TestSite) -> Outcome:
    """The scratch folder must be full before all is written."""
    return _judged(site.report("fill_disk", str(2 * _LIMITS.scratch_bytes // _MIB)))


def _exhausts_memory(site: TestSite) -> Outcome:
    """The child must be ended for its memory."""
    ending = site.ending("exhaust_memory", str(4 * _LIMITS.memory_bytes))
    return Outcome(passed=ending.startswith("out_of_memory"), detail=ending)


def _never_ends(site: TestSite) -> Outcome:
    """The child must be ended for its time, and soon."""
    begin = time.monotonic()
    ending = site.ending("never_end", wall_seconds=0.5)
    in_time = time.monotonic() - begin < 5
    return Outcome(passed=in_time and ending.startswith("timed_out"), detail=ending)


def _answers_too_much(site: TestSite) -> Outcome:
    """A second answer must end the child."""
    ending = site.ending("answer_more")
    return Outcome(passed=ending.startswith("bad_reply"), detail=ending)


def _forges_output(site: TestSite) -> Outcome:
    """What is printed must arrive as text only, and not in the reply."""
    with site.start("forge_output") as child:
        report = child.ask(b"?", REPORT_BYTES)
        child.finish()
    clean = "\x1b" not in child.output and child.output.count("graded") == 2
    return Outcome(
        passed=clean and b"graded" not in report, detail="kept as text, without its escapes"
    )


def _floods_output(site: TestSite) -> Outcome:
    """The beginning and the end of a flood are kept, and the child goes on."""
    with site.start("flood_output", str(50 * _MIB)) as child:
        child.ask(b"?", REPORT_BYTES)
        child.finish()
    kept = len(child.output.encode())
    return Outcome(passed=0 < kept <= OUTPUT_BYTES, detail=f"kept {kept} bytes of {50 * _MIB}")


ESCAPE_TESTS: dict[str, Callable[[TestSite], Outcome]] = {
    "reads a secret file": _reads_a_secret,
    "lists the home folder": _lists_the_home_folder,
    "writes outside": _writes_outside,
    "writes to other descriptors": _writes_to_descriptors,
    "connects to a port": _calls_a_port,
    "connects to a UNIX socket": _calls_a_socket,
    "connects to an abstract socket": _calls_an_abstract_socket,
    "forks": _forks,
    "starts a program": _starts_a_program,
    "becomes another program": _becomes_a_program,
    "leaves a daemon": _leaves_a_daemon,
    "fills the scratch folder": _fills_the_disk,
    "exhausts memory": _exhausts_memory,
    "never ends": _never_ends,
    "answers too much": _answers_too_much,
    "forges output": _forges_output,
    "floods the output": _floods_output,
}
