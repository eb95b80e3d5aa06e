"""Random pseudonyms for names, kept in a key file that the instructor holds."""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
from typing import TYPE_CHECKING

from harness.records.errors import HarnessError
from harness.records.text import arm_again, disarm_reversibly, one_line
from harness.storage.results import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_HEADER = ["pseudonym", "folder"]
_PSEUDONYM = re.compile(r"s-[0-9a-f]{10}")


def assign_pseudonyms(names: Sequence[str], key_file: Path) -> dict[str, str]:
    """A pseudonym (``s-`` and ten hex digits) for each name.

    They are random: nobody gets from one to a name without the key file, a CSV of
    ``pseudonym,folder`` that only its owner may read. Names in it keep their pseudonyms; new names
    are added to it. Raises HarnessError for a key file that is damaged or cannot be written.
    """
    known = _read(key_file)
    taken = set(known.values())
    for name in names:
        if name not in known:
            known[name] = _draw_pseudonym(taken)
            taken.add(known[name])
    _write(key_file, known)
    return {name: known[name] for name in names}


def read_pseudonyms(key_file: Path) -> dict[str, str]:
    """Pseudonyms by folder. Raises HarnessError where there is no key file, or a damaged one."""
    if not key_file.exists():
        raise HarnessError(f"{key_file}: no such key file; name the one of `grade --anonymous`")
    return _read(key_file)


def pseudonym_of(name: str, key_file: Path | None) -> str:
    """The pseudonym of a submission; the name itself without a key file, or if it is one.

    Raises HarnessError for a name that the key file does not know.
    """
    if key_file is None:
        return name
    known = read_pseudonyms(key_file)
    if name in known.values():
        return name
    if name not in known:
        raise HarnessError(f"{key_file}: no submission {one_line(name)!r} in it")
    return known[name]


def is_pseudonym(name: str) -> bool:
    """Whether a name has the form of a pseudonym."""
    return _PSEUDONYM.fullmatch(name) is not None


def board_pseudonym(name: str, number: int) -> str:
    """What stands for a name on a board: its pseudonym if it is one, else one made of a number."""
    return name if is_pseudonym(name) else f"s-{number % 16**10:010x}"


def _draw_pseudonym(taken: set[str]) -> str:
    """A random pseudonym that nobody has."""
    while True:
        pseudonym = f"s-{secrets.token_hex(5)}"
        if pseudonym not in taken:
            return pseudonym


def _read(key_file: Path) -> dict[str, str]:
    """Pseudonyms by folder; none when there is no key file yet."""
    try:
        text = key_file.read_bytes().decode("utf-8-sig", "surrogateescape")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise HarnessError(f"{key_file}: cannot be read: {error.strerror}") from None
    except csv.Error as error:
        raise _damaged(key_file, str(error)) from None

    if not lines or lines[0] != _HEADER:
        raise _damaged(key_file, "it does not begin with pseudonym,folder")
    known: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != 2 or not _PSEUDONYM.fullmatch(line[0]) or not line[1]:
            raise _damaged(key_file, f"entry {number} is no pseudonym,folder")
        pseudonym, cell = line
        name = arm_again(cell)
        if name in known or pseudonym in known.values():
            raise _damaged(key_file, f"entry {number} is there twice")
        known[name] = pseudonym
    return known


def _damaged(key_file: Path, why: str) -> HarnessError:
    return HarnessError(
        f"{key_file}: damaged ({why}); restore a copy, or name a new file to give new pseudonyms"
    )


def _write(key_file: Path, known: Mapping[str, str]) -> None:
    try:
        with replace_file(key_file) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(_text(known).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise HarnessError(f"{key_file}: cannot be written: {error.strerror}") from None


def _text(known: Mapping[str, str]) -> str:
    """The key file's CSV; a name that a spreadsheet would run gets an apostrophe in front."""
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(_HEADER)
    for name, pseudonym in known.items():
        writer.writerow([pseudonym, disarm_reversibly(name)])
    return output.getvalue()
