"""``submission.toml``: what students declare about their files, and what they claim.

A child parses the file (``declaration_reader.py``, in the sandbox where there is one); here its
answer is held to the one schema, `Declaration`.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.intake import declaration_reader
from harness.intake.file_rules import (
    IS_A_LINK,
    check_regular,
    files_below,
    graph_beside,
    is_unpacked_keras,
    model_format,
    rejection,
)
from harness.records.errors import SubmissionError
from harness.records.submission import (
    Candidate,
    Claim,
    Declaration,
    DeclaredDefence,
    DeclaredFile,
    DeclaredProgram,
    DeclaredScript,
)
from harness.records.text import one_line
from harness.sandbox import launch
from harness.sandbox.availability import find_sandbox
from harness.storage.rubric_text import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_NAME = "submission.toml"
MAX_BYTES = declaration_reader.MAX_BYTES
MAX_NOTES = 5
"""So many of its notes are kept."""

_READER = Path(declaration_reader.__file__)
_LIMITS = launch.Limits(start_seconds=60, wall_seconds=60, cpu_seconds=20, memory_bytes=256 << 20)
_SHOWN_CHARACTERS = 200
_MAX_PATH_BYTES = 1000
_MAX_NAME_BYTES = 255
_KNOWN_KEYS = {
    "": ("name", "badnet", "artifacts", "program", "programs", "scripts", "defence", "claims"),
    "artifacts": ("role", "drop_points", "network"),
    "program": ("file", "drop_points"),
    "scripts": ("file", "arguments"),
    "defence": ("file", "badnet"),
    "claims": Claim.__slots__,
}
_DRIVE = re.compile(r"[A-Za-z]:")
_PARTS_IN_QUOTES = re.compile(r"`([^`]*)`")
_PLAIN_TYPES = {
    "array": "a list",
    "object": "a table",
    "str": "a text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}


def read_declaration(folder: Path) -> Declaration:
    """What a folder's ``submission.toml`` declares; an empty declaration where there is none.

    Raises SubmissionError for a file that is too large, not TOML, or declares what cannot be.
    """
    path = _find(folder)
    if path is None:
        return Declaration()
    answer = _decode(_parse(_read(path)))
    table, notes = answer["table"], [*answer["notes"], *_unknown_keys(answer["table"])]
    if path.name != FILE_NAME:
        notes.insert(0, f"it is called {path.name!r}; call it {FILE_NAME}")

    artifacts = _table(table.get("artifacts", {}), "[artifacts] must map files to { role, ... }")
    for entry in artifacts.values():
        _table(entry, "[artifacts] must map files to { role, drop_points }; each needs a role")
    claims = table.get("claims", [])
    if not isinstance(claims, list):
        raise _rejection("claims must be a list: each claim begins with [[claims]]")
    return Declaration(
        name=_shown_text(table, "name"),
        badnet=_shown_text(table, "badnet"),
        artifacts={
            _slashed(file): _convert(entry, DeclaredFile, f"{file!r}: ")
            for file, entry in artifacts.items()
        },
        program=_convert_program(table.get("program")),
        programs=_convert_programs(table.get("programs", {})),
        scripts=_convert_scripts(table.get("scripts", {})),
        defence=_convert_defence(table.get("defence")),
        claims=tuple(
            _convert_claim(claim, f"[[claims]], number {number}: ")
            for number, claim in enumerate(claims, 1)
        ),
        notes=tuple(_shown_notes(notes)),
    )


class AbsentFileError(SubmissionError):
    """A file that ``submission.toml`` names is not there."""


def declares_candidates(declaration: Declaration) -> bool:
    """Whether it names the files to grade; names of other files then count for nothing."""
    return bool(declaration.artifacts or declaration.program or declaration.programs)


@dataclass(frozen=True, slots=True)
class DeclaredFiles:
    """What ``[artifacts]`` and ``[program]`` name."""

    candidates: list[Candidate]

    notes: list[str]
    """A line for each file that is not there."""

    gone: frozenset[float]
    """The X of repaired nets that are not there."""


def declared_files(folder: Path, declaration: Declaration) -> DeclaredFiles:
    """What ``[artifacts]`` and ``[program]`` name, as far as it is there.

    A file that is not there costs its own X alone. Raises SubmissionError where none is there, and
    for a name that no file can have.
    """
    candidates, absent, gone = [], [], set()
    for path, file in declaration.artifacts.items():
        try:
            candidate = _candidate(folder, path, file.role, file.drop_points)
        except AbsentFileError as error:
            absent.append(error)
            if file.role == "repaired" and file.network is None and file.drop_points is not None:
                gone.add(file.drop_points)
            continue
        candidates.append(replace(candidate, network=file.network))
    if absent and not candidates:
        raise absent[0]
    programs = [(None, declaration.program)] if declaration.program else []
    for network, program in [*programs, *declaration.programs.items()]:
        candidate = _candidate(folder, program.file, "goodnet", program.drop_points)
        if not candidate.path.endswith(".py"):
            raise _rejection(f"{candidate.path!r} is no Python file")
        candidates.append(replace(candidate, format="program", network=network))
    return DeclaredFiles(candidates, [error.reason for error in absent], frozenset(gone))


def declared_claims(declaration: Declaration) -> Iterator[Claim]:
    """The figures that ``[[claims]]`` states."""
    yield from declaration.claims


# --- the file -----------------------------------------------------------------------------------


def _find(folder: Path) -> Path | None:
    """The file, also in other letters, or with the suffix that Windows adds and does not show."""
    if os.path.lexists(folder / FILE_NAME):
        return folder / FILE_NAME
    for path in sorted(folder.iterdir()):
        if path.name.lower() in (FILE_NAME, f"{FILE_NAME}.txt"):
            return path
    return None


def _read(path: Path) -> bytes:
    """The bytes of the file, taken without following a link."""
    check_regular(FILE_NAME, path.lstat())
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123
            check_regular(FILE_NAME, os.fstat(descriptor))
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _rejection(f"cannot be read ({error.strerror})") from None
    if len(content) > MAX_BYTES:
        raise _rejection(f"larger than {MAX_BYTES >> 10} KiB")
    return content


def _parse(content: bytes) -> bytes:
    """The child's JSON for the bytes of the file."""
    try:
        with launch.start(_READER, limits=_LIMITS, sandbox=find_sandbox()) as child:
            header = declaration_reader.HEADER
            request = declaration_reader.SIZE.pack(len(content)) + content
            kind, size = header.unpack(child.ask(request, header.size))
            if size > declaration_reader.MAX_REPLY_BYTES:
                raise _rejection("it says too much")
            reply = child.ask(declaration_reader.TEXT, size) if size else b""
    except launch.ChildFailure as failure:
        error = _rejection(f"reading it failed: it {failure.reason}")
        error.out_of_memory = failure.kind == "out_of_memory"
        raise error from None
    if kind != declaration_reader.PARSED:
        raise _rejection(one_line(reply, _SHOWN_CHARACTERS))
    return reply


# --- its schema ---------------------------------------------------------------------------------


def _decode(reply: bytes) -> dict[str, Any]:
    """The child's answer: a table, and notes on how it was read."""
    import msgspec

    try:
        answer = msgspec.json.decode(reply, type=dict[str, Any])
        notes = msgspec.convert(answer["notes"], type=list[str])
        table = msgspec.convert(answer["table"], type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError, KeyError):
        raise _rejection("it could not be read") from None
    return {"notes": notes, "table": table}


def _table(value: object, rule: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _rejection(rule)
    return value


def _shown_text(table: Mapping[str, Any], key: str) -> str | None:
    text = table.get(key)
    if text is not None and not isinstance(text, str):
        raise _rejection(f"{key} must be a text")
    return one_line(text, _SHOWN_CHARACTERS) if text else text


def _convert_program(entry: object) -> DeclaredProgram | None:
    if entry is None:
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise _rejection('[program] needs file = "..."')
    program: DeclaredProgram = _convert(entry, DeclaredProgram, "[program]: ")
    return replace(program, file=_slashed(program.file))


def _convert_programs(entries: object) -> dict[str, DeclaredProgram]:
    """The programs of a competition, by the BadNet that each is for."""
    rule = '[programs] maps each BadNet of a competition to { file = "..." }'
    programs = {}
    for network, entry in _table(entries, rule).items():
        if (program := _convert_program(_table(entry, rule))) is not None:
            programs[one_line(network, 100)] = program
    return programs


def _convert_scripts(entries: object) -> dict[str, DeclaredScript]:
    """The scripts of a competition, by the BadNet that each is for."""
    rule = '[scripts] maps each BadNet of a competition to { file = "...", arguments = [...] }'
    scripts = {}
    for network, entry in _table(entries, rule).items():
        script: DeclaredScript = _convert(_table(entry, rule), DeclaredScript, "[scripts]: ")
        scripts[one_line(network, 100)] = replace(script, file=_slashed(script.file))
    return scripts


def _convert_defence(entry: object) -> DeclaredDefence | None:
    if entry is None:
        return None
    table = _table(entry, '[defence] is a table: file = "..."')
    defence: DeclaredDefence = _convert(table, DeclaredDefence, "[defence]: ")
    return replace(defence, file=_slashed(defence.file))


def _convert_claim(entry: object, place: str) -> Claim:
    claim: Claim = _convert(entry, Claim, place)
    for key in ("drop_points", "clean_accuracy", "attack_success_rate"):
        value = getattr(claim, key)
        if value is not None and not (math.isfinite(value) and 0 <= value <= 100):
            raise _rejection(f"{place}{key} must be from 0 to 100")
    return replace(
        claim,
        benchmark=one_line(claim.benchmark, 100),
        split=one_line(claim.split, 100),
        net=one_line(claim.net, 100),
    )


def _convert(entry: object, kind: Any, place: str) -> Any:
    """``entry`` as ``kind``; SubmissionError in the words of the file's author."""
    import msgspec

    try:
        return msgspec.convert(entry, type=kind)
    except msgspec.ValidationError as error:
        raise _rejection(f"{one_line(place, 100)}{_plain_reason(str(error))}") from None


def _plain_reason(message: str) -> str:
    """The message of msgspec without its terms: ``drop_points must be a number, not a text``."""
    problem, _, where = message.partition(" - at ")
    key = where.strip("`").removeprefix("$").removeprefix(".")
    words = _PARTS_IN_QUOTES.findall(problem)
    if problem.startswith("Object missing"):
        return f"{words[0]} is missing"
    if key == "role":
        return "needs a role, one of repaired, goodnet"
    if "<=" in problem or ">=" in problem:
        return f"{key} must be from 0 to 100"
    if len(words) == 2:  # what it should be, and what it is
        wanted = words[0].split(" | ")[0]
        return f"{key or 'it'} must be {_plain_type(wanted)}, not {_plain_type(words[1])}"
    return f"{key}: {problem}"


def _plain_type(name: str) -> str:
    return _PLAIN_TYPES.get(name, name)


def _unknown_keys(table: Mapping[str, Any]) -> Iterator[str]:
    """A note for each key that means nothing here, with the nearest that does."""
    yield from _unknown_in(table, "")
    files = table.get("artifacts")
    for entry in files.values() if isinstance(files, dict) else ():
        yield from _unknown_in(entry, "artifacts")
    yield from _unknown_in(table.get("program"), "program")
    for key, place in (("programs", "program"), ("scripts", "scripts")):
        entries = table.get(key)
        for entry in entries.values() if isinstance(entries, dict) else ():
            yield from _unknown_in(entry, place)
    claims = table.get("claims")
    for entry in claims if isinstance(claims, list) else ():
        yield from _unknown_in(entry, "claims")


def _unknown_in(entry: object, place: str) -> Iterator[str]:
    known = _KNOWN_KEYS[place]
    for key in entry if isinstance(entry, dict) else ():
        if key not in known:
            where = f"[{place}] " if place else ""
            shown = one_line(key, 60)
            yield f"{where}unknown key {shown!r}, left alone; {nearest(key[:60], known)}"


def _shown_notes(notes: list[str]) -> Iterator[str]:
    different = list(dict.fromkeys(one_line(note, _SHOWN_CHARACTERS) for note in notes))
    for note in different[:MAX_NOTES]:
        yield f"{FILE_NAME}: {note}"
    if len(different) > MAX_NOTES:
        yield f"{FILE_NAME}: and {len(different) - MAX_NOTES} more of these"


# --- paths --------------------------------------------------------------------------------------


def _slashed(path: str) -> str:
    return path.replace("\\", "/")


def _candidate(folder: Path, path: str, role: str, drop_points: float | None) -> Candidate:
    pure = PurePosixPath(path)
    shown = one_line(path, 100)
    if pure.is_absolute() or ".." in pure.parts or _DRIVE.match(path):
        raise _rejection(f"{shown!r} leads out of the submission")
    parts = [part.encode("utf-8", "surrogatepass") for part in pure.parts]
    is_too_long = len(path) > _MAX_PATH_BYTES or any(len(part) > _MAX_NAME_BYTES for part in parts)
    if not parts or is_too_long or "\0" in path:
        raise _rejection(f"{shown!r} is no name that a file can have")

    format_name, size = _format_and_size(folder, pure)
    return Candidate(
        path=pure.as_posix(),
        format=format_name,
        size_bytes=size,
        role=role,
        drop_points=drop_points,
        explicit=True,
        graph=graph_beside(folder, pure.as_posix()) if format_name == "h5" else None,
    )


def _format_and_size(folder: Path, relative: PurePosixPath) -> tuple[str, int]:
    path = folder
    for part in relative.parts:  # a folder on the way may be the link that leads out
        path = path / part
        if not os.path.lexists(path):
            raise _absent(folder, relative)
        if path.is_symlink():
            raise rejection(str(relative), IS_A_LINK)

    if path.is_dir():
        return ("keras" if is_unpacked_keras(path) else "savedmodel"), 0
    information = path.lstat()
    check_regular(relative.as_posix(), information)
    return model_format(path.name) or "h5", information.st_size


def _absent(folder: Path, relative: PurePosixPath) -> AbsentFileError:
    """What a path that leads nowhere may have meant: other letters' case, or another folder."""
    shown = one_line(relative.as_posix(), 100)
    names = [path.relative_to(folder).as_posix() for path, _ in files_below(folder)]
    wanted = relative.as_posix().casefold()
    near = [name for name in names if name.casefold() == wanted]
    near += [
        name for name in names if PurePosixPath(name).name.casefold() == relative.name.casefold()
    ]
    hint = f"; there is {one_line(near[0], 100)!r}" if near else ""
    told = _rejection(f"{shown} is named there but is not in the submission{hint}")
    return AbsentFileError(told.status, told.reason)


def _rejection(reason: str) -> SubmissionError:
    return rejection(FILE_NAME, reason)
