"""What a sandboxed child may ask of the kernel, as filters that libseccomp compiles.

The table is data: ``system_calls.toml`` names what each runtime needs, and what is answered
otherwise. What is not named fails as on a kernel that does not have it, because libraries try some
calls and go on without; what only attacks are made of kills.

A child has two filters, of which the stricter answer counts: one from its first instruction, which
lets it become Python and set its own limits, and one from the moment it is ready.
"""

from __future__ import annotations

import errno
import platform
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.environment import install_command

if TYPE_CHECKING:
    from collections.abc import Iterator

ARCHITECTURES = ("x86_64", "aarch64")
READER = "reader"
TENSORFLOW = "tensorflow"
ONNX, TORCH, LITERT = "onnx", "torch", "litert"
RUNTIMES = {
    READER: (READER,),
    **{name: (READER, name) for name in (TENSORFLOW, ONNX, TORCH, LITERT)},
}
"""The tables of each runtime: `READER` opens files as data, the others run models, `TENSORFLOW`
those of Keras and programs."""

LANDLOCK = "landlock"
LANDLOCK_TRUNCATE = "landlock_truncate"
FORK = "fork"
"""Tables that stand in place of what others say of the same calls: without namespaces, where
Landlock does not keep files from being cut off, and in a process of ours that forks children."""

_TABLES = Path(__file__).with_name("system_calls.toml")
_START = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one system call is answered, always or when one of its arguments has a value."""

    call: str

    answer: str = "allow"
    """``allow``, ``success`` (without doing anything), ``kill`` or the name of an error."""

    argument: int | None = None
    """Counted from 0; None where the answer does not depend on arguments."""

    mask: int = 0
    value: int = 0


def start_filter(runtime: str, *, forks: bool = False) -> bytes:
    """Return the filter under which a child starts: it must still be able to become Python.

    With ``forks`` it may make children, each of which gives that up.
    """
    return _compile((*RUNTIMES[runtime], _START, *([FORK] if forks else [])))


def running_filter(runtime: str, *instead: str) -> bytes:
    """Return the filter added once Python is ready; the last table named ``instead`` counts."""
    return _compile((*RUNTIMES[runtime], *instead))


@cache
def rules(tables: tuple[str, ...]) -> tuple[Rule, ...]:
    """Return the rules of these tables, and those that hold for all."""
    data = tomllib.loads(_TABLES.read_text(encoding="utf-8"))
    instead = [table for table in tables if table in (LANDLOCK, LANDLOCK_TRUNCATE, FORK)]
    allowed = [table for table in tables if table not in instead]

    names = [name for table in allowed for group in data[table].values() for name in group]
    found = [Rule(call=name) for name in names] + _answer_rules(data["answers"])
    found += _table_conditions(data, allowed)
    for table in instead:
        others = _answer_rules(data[table]) + _table_conditions(data, [table])
        answered = {rule.call for rule in others}
        found = [rule for rule in found if rule.call not in answered] + others
    return tuple(found)


def _answer_rules(answers: dict[str, list[str]]) -> list[Rule]:
    """Return a rule for each call that is answered in one way."""
    return [Rule(call=name, answer=answer) for answer, calls in answers.items() for name in calls]


def _table_conditions(data: dict[str, Any], tables: list[str]) -> list[Rule]:
    """Return the rules of these tables that depend on an argument."""
    conditions = [each for each in data["conditions"] if each["table"] in tables]
    return [rule for condition in conditions for rule in _conditional_rules(condition)]


def seccomp_problem() -> str | None:
    """Return None when filters can be compiled here, otherwise one line with the reason."""
    if platform.machine() not in ARCHITECTURES:
        return f"there is no system call filter for {platform.machine()} processors"
    try:
        start_filter(TENSORFLOW)
    except ImportError:
        return f"pyseccomp is missing: {install_command('sandbox')}"
    except (RuntimeError, OSError) as error:
        return f"libseccomp cannot be used ({error}): apt install libseccomp2"
    return None


def call_number(name: str) -> int:
    """Return the number of a call on this machine; a negative one where it has none."""
    import pyseccomp

    return int(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name))


def libseccomp_version() -> str | None:
    """Return the version of libseccomp, None where there is none."""
    import ctypes.util

    name = ctypes.util.find_library("seccomp")
    if name is None:
        return None
    function = ctypes.CDLL(name).seccomp_version
    function.restype = ctypes.POINTER(ctypes.c_uint * 3)
    return ".".join(map(str, function().contents))


def _conditional_rules(condition: dict[str, Any]) -> Iterator[Rule]:
    """Yield a rule for each value that the argument may have."""
    for value in condition["values"]:
        yield Rule(
            call=condition["call"],
            answer=condition.get("answer", "allow"),
            argument=condition["argument"],
            mask=condition["mask"],
            value=value,
        )


@cache
def _compile(tables: tuple[str, ...]) -> bytes:
    """Return the filter of these tables as the kernel's own instructions."""
    filter_ = _new_filter()
    for rule in rules(tables):
        _add(filter_, rule)

    with tempfile.TemporaryFile() as file:
        filter_.export_bpf(file)
        file.seek(0)
        return file.read()


def _new_filter() -> Any:
    """Return a filter that allows nothing; a call by another architecture's numbers kills."""
    import pyseccomp

    filter_ = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.ENOSYS))
    filter_.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
    return filter_


def _add(filter_: Any, rule: Rule) -> None:
    """Add a rule, unless this machine or its libseccomp lack the call, or all are answered so."""
    import pyseccomp

    if call_number(rule.call) < 0 or rule.answer == "ENOSYS":
        return
    action = _action(rule.answer)
    if rule.argument is None:
        filter_.add_rule(action, rule.call)
    else:
        argument = pyseccomp.Arg(rule.argument, pyseccomp.MASKED_EQ, rule.mask, rule.value)
        filter_.add_rule(action, rule.call, argument)


def _action(answer: str) -> int:
    """Return libseccomp's number for an answer."""
    import pyseccomp

    actions = {
        "allow": pyseccomp.ALLOW,
        "success": pyseccomp.ERRNO(0),
        "kill": pyseccomp.KILL_PROCESS,
    }
    return actions.get(answer) or pyseccomp.ERRNO(getattr(errno, answer))  # type: ignore[no-any-return]
