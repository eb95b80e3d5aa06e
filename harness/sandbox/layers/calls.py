"""Every system call that a confined child must be refused, made, and its answer compared."""

from __future__ import annotations

import errno
import os
import platform
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.sandbox import seccomp
from harness.sandbox.child import ChildFailure
from harness.sandbox.launch import LANDLOCK
from harness.sandbox.layers.escape_tests import LIMITS, Outcome, TestSite, assess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ANSWERS = Path(__file__).with_name("answers.toml")
_NUMBERS = range(1024)  # and beyond those that any kernel has
# uretprobe and uprobe of x86_64, which no filter sees: the kernel's own trampolines make them, and
# anybody else is ended by SIGILL.
_UNFILTERED = {335, 336} if platform.machine() == "x86_64" else set()
_PRETENDED = 0
_WORDS = (-1,) * 6  # arguments that nothing can come of, where one is made after all
_REQUEST_BYTES = 60_000  # what a pipe holds
_X32 = 0x4000_0000 + 39  # getpid


def _refuse(site: TestSite) -> Outcome:
    """Every call that neither is allowed nor ends the process must fail as it should."""
    return try_calls(site, all_refused(site.sandbox, seccomp.TENSORFLOW))


def _refuse_readers(site: TestSite) -> Outcome:
    """What only reads files must be refused more than what runs models."""
    return try_calls(site, all_refused(site.sandbox, seccomp.READER), seccomp.READER)


def all_refused(sandbox: str | None, runtime: str) -> list[str]:
    """Return the calls that a runtime is refused in this sandbox."""
    calls = [*_refused_numbers(sandbox, runtime), *_refused_arguments(sandbox)]
    return [*calls, *_refused_processes()] if sandbox == LANDLOCK else calls


def try_calls(site: TestSite, calls: list[str], runtime: str = seccomp.TENSORFLOW) -> Outcome:
    """Make these calls in one child; each is ``NUMBER ERROR ARGUMENT...``."""
    request = "\0".join(calls).encode()
    if len(request) > _REQUEST_BYTES:
        raise ValueError(f"{len(calls)} calls do not fit into one request")
    limits = replace(LIMITS, runtime=runtime)
    return assess(site.report("make_calls", request=request, limits=limits))


def _kill(site: TestSite) -> Outcome:
    """Every call that only attacks need must end its process."""
    return try_killers(site, killer_numbers())


def killer_numbers() -> list[str]:
    """Return the calls that end a process, those by another processor's numbers included."""
    numbers = [
        str(number) for number in map(seccomp.call_number, _answers()["killed"]) if number >= 0
    ]
    return numbers + ([str(_X32), "i386"] if platform.machine() == "x86_64" else [])


def try_killers(site: TestSite, calls: list[str]) -> Outcome:
    """Make these calls, each in a process of its own under the filters that children have."""
    paths = []
    for number, instructions in enumerate(_filters_of(site.sandbox)):
        paths.append(site.folder / f"{number}.filter")
        paths[-1].write_bytes(instructions)
    unconfined = replace(site, sandbox=None)
    request = "\0".join(calls).encode()
    return assess(unconfined.report("die_by_calls", *map(str, paths), request=request))


def _filters_of(sandbox: str | None) -> list[bytes]:
    """Return the filters of a child that runs models; without a sandbox, bubblewrap's."""
    if sandbox == LANDLOCK:
        return [seccomp.running_filter(seccomp.TENSORFLOW, seccomp.LANDLOCK)]
    return [
        seccomp.start_filter(seccomp.TENSORFLOW),
        seccomp.running_filter(seccomp.TENSORFLOW),
    ]


def _end_attackers(site: TestSite) -> Outcome:
    """In the sandbox itself, too, such a call must end the process."""
    for name in ("ptrace", "unshare"):
        try:
            outcome = try_calls(site, [" ".join(map(str, (seccomp.call_number(name), 0, *_WORDS)))])
        except ChildFailure as failure:
            if "SIGSYS" not in failure.reason:
                return Outcome(passed=False, detail=f"{name}: {failure.reason}")
        else:
            return Outcome(passed=False, detail=f"{name}: {outcome.detail}")
    return Outcome(passed=True, detail="end the process")


def _refused_numbers(sandbox: str | None, runtime: str) -> Iterator[str]:
    """Yield every call that a runtime is refused whatever its arguments are."""
    answers, number_of = _answers(), seccomp.call_number
    pretended = [*answers["pretended"]]
    pretended += answers["landlock_pretended"] if sandbox == LANDLOCK else []
    by_name = dict.fromkeys(pretended, _PRETENDED)
    by_name |= dict.fromkeys(answers["not_permitted"], errno.EPERM)
    expected = dict.fromkeys(_NUMBERS, errno.ENOSYS)
    expected |= {number_of(name): error for name, error in by_name.items()}

    others = [*answers["may"], *answers["may_by_argument"], *answers["killed"]]
    others += answers["models_may"] if runtime == seccomp.TENSORFLOW else []
    passed_over = {number_of(name) for name in others if name not in by_name} | _UNFILTERED
    for number in set(expected) - passed_over:
        if number >= 0:
            yield " ".join(map(str, (number, expected[number], *_WORDS)))


def _refused_arguments(sandbox: str | None) -> Iterator[str]:
    """Yield calls that are refused for one of their arguments."""
    for refused in _answers()["refused"]:
        number, given, at = seccomp.call_number(refused["call"]), refused["given"], refused["at"]
        error = getattr(errno, refused["answer"], _PRETENDED)
        is_made = number >= 0 and refused.get("sandbox", sandbox) == sandbox
        for value in refused["values"] if is_made else ():
            words = (*given[:at], value, *given[at + 1 :])
            yield " ".join(map(str, (number, error, *words)))


def _refused_processes() -> Iterator[str]:
    """Yield calls that ask about the process that grades, or disturb it."""
    for name in _answers()["landlock_own"]:
        # To set limits of anybody's is refused by another rule: this one is asked for them.
        words = (os.getpid(), 7, 0, 4096) if name == "prlimit64" else (os.getpid(), -1, -1)
        yield " ".join(map(str, (seccomp.call_number(name), errno.ESRCH, *words)))


@cache
def _answers() -> dict[str, Any]:
    """Return what is expected, by kind of answer."""
    return tomllib.loads(_ANSWERS.read_text(encoding="utf-8"))


CALL_TESTS: dict[str, Callable[[TestSite], Outcome]] = {
    "system calls that are refused": _refuse,
    "system calls that readers are refused": _refuse_readers,
    "system calls that end a process": _kill,
    "attackers' calls in the sandbox": _end_attackers,
}
