"""The code of defences: a folder, one file, or a reference defence by its name."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.descriptions import PACKAGES
from harness.datasets.zoos import SEPARATOR
from harness.inference.defences.worker import DETECT, REPAIR, SIGNATURES
from harness.intake.declarations import read_declaration
from harness.intake.entries import Entry
from harness.intake.file_rules import files_below
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.records.submission import DeclaredDefence
from harness.records.text import one_line
from harness.storage.results import safe_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VARY = "--vary "
"""Begins what was written after that option."""

DEFAULT_FILE = DeclaredDefence().file
"""Taken where no ``submission.toml`` names another."""

_REFERENCES = (PACKAGES / "reference" / "defences", PACKAGES / "reference" / "detectors")
_MOST_BYTES = 64 << 20
"""Of all files of a defence together."""


@dataclass(frozen=True, slots=True)
class NamedDefence:
    """A defence as it was named on the command line."""

    name: str
    path: Path
    """A folder, or a file of Python."""

    asked: str = ""
    """What was written, where it was written with settings."""

    settings: tuple[tuple[str, str], ...] = ()
    """Names and texts of these settings; ``settings.py`` checks them."""

    @property
    def is_varied(self) -> bool:
        """Whether it is one of several settings to compare with the default."""
        return self.asked.startswith(VARY)


def reference_names(asks: str = REPAIR) -> list[str]:
    """The reference defences by their names, or those that have the function ``detect``."""
    return sorted(_references(asks))


def _references(asks: str) -> dict[str, Path]:
    """The reference defences that have this function, by name."""
    modules = [path for folder in _REFERENCES for path in folder.glob("*.py")]
    return {_name_of(path): path for path in modules if _has_function(path, asks)}


def _has_function(path: Path, name: str) -> bool:
    return not path.stem.startswith("_") and f"\ndef {name}(".encode() in path.read_bytes()


def _name_of(path: Path) -> str:
    return path.stem.replace("_", "-")


def find_defences(named: Sequence[str], varied: Sequence[str] = ()) -> list[NamedDefence]:
    """The defences with these names or paths, with settings or without. Raises HarnessError.

    Of each of ``varied`` (``NAME@SETTING=VALUE,VALUE``) that is its default and each of the values.
    """
    found = [_find_with_settings(each) for each in named]
    for first, second in combinations(found, 2):
        if (first.name, first.settings) == (second.name, second.settings):
            raise _same_name(first, second)

    found += [defence for each in varied for defence in _vary(each)]
    for first, second in combinations(found, 2):
        if first.name == second.name and first.path.resolve() != second.path.resolve():
            raise _same_name(first, second)
    return found


def _same_name(first: NamedDefence, second: NamedDefence) -> HarnessError:
    if first.settings and first.settings == second.settings:
        return HarnessError(f"{second.asked}: named twice with these settings; name it once")
    return HarnessError(
        f"{first.path} and {second.path}: two defences of one name, {first.name!r}; rename a "
        "folder or a file"
    )


def _find_with_settings(asked: str) -> NamedDefence:
    """A defence whose name may be followed by settings; what is there as a path has none."""
    if SEPARATOR not in asked or Path(asked).exists():
        return _find(asked)
    named, text = _split(asked)
    settings = _pairs(text)
    names = [name for name, _ in settings]
    if not all(name and value for name, value in settings):
        raise HarnessError(
            f"{asked}: settings are written {named}{SEPARATOR}SETTING=VALUE, several of them with "
            f"commas between them; several values of one: {VARY}{named}{SEPARATOR}SETTING=A,B"
        )
    if len(set(names)) < len(names):
        raise HarnessError(
            f"{asked}: a setting is given twice; to compare several values: "
            f"{VARY}{named}{SEPARATOR}{names[0]}=A,B"
        )
    return replace(_find(named), asked=asked, settings=tuple(settings))


def _vary(asked: str) -> Iterator[NamedDefence]:
    """The default of a defence and each of the values that are named."""
    named, text = (asked, "") if SEPARATOR not in asked or Path(asked).exists() else _split(asked)
    setting, _, rest = text.partition("=")
    values = rest.split(",")
    if not setting or not all(values) or "=" in rest:
        raise HarnessError(
            f"{VARY}{asked}: name one setting and its values, as in {VARY}{named}{SEPARATOR}"
            f"SETTING=VALUE,VALUE; for another setting {VARY.strip()} once more"
        )
    defence = _find(named)
    yield defence
    for value in values:
        yield replace(defence, asked=f"{VARY}{asked}", settings=((setting, value),))


def _split(asked: str) -> tuple[str, str]:
    """A name or path, which may hold an ``@`` itself, and what is behind it."""
    named, _, text = asked.rpartition(SEPARATOR)
    if not _is_there(named):
        named, _, text = asked.partition(SEPARATOR)
    if not named or ("=" not in text and not _is_there(named)):
        raise _unknown(asked)
    return named, text


def _is_there(named: str) -> bool:
    return named in reference_names() or Path(named).exists()


def _pairs(text: str) -> list[tuple[str, str]]:
    parts = (pair.partition("=") for pair in text.split(","))
    return [(name, value) for name, _, value in parts]


def find_detectors(named: Sequence[str]) -> list[NamedDefence]:
    """The detectors with these names or paths. Raises HarnessError."""
    found = []
    for each in named:
        if SEPARATOR in each and not Path(each).exists():
            raise HarnessError(f"{each}: a detector is run as it is; name it without {SEPARATOR}")
        found.append(_find(each, DETECT))
    for first, second in combinations(found, 2):
        if first.name == second.name:
            raise _same_name(first, second)
    return found


def _find(named: str, asks: str = REPAIR) -> NamedDefence:
    reference = _references(asks).get(named)
    if reference:
        return NamedDefence(named, reference)
    path = Path(named)
    name = path.absolute().name if path.is_dir() else _name_of(path)
    if path.is_dir() or (path.is_file() and path.suffix == ".py"):
        return NamedDefence(safe_name(name), path)
    raise _unknown(named, asks)


def _unknown(named: str, asks: str = REPAIR) -> HarnessError:
    is_there = Path(named).exists()
    kind = "detector" if asks == DETECT else "defence"
    what = "neither a folder nor a file of Python" if is_there else f"no such {kind}"
    if asks == REPAIR and named in reference_names(DETECT):
        what = "a detector of BadNets, which repairs none: --detect runs it"
    elif asks == DETECT and named in reference_names(REPAIR):
        what = "a defence without detect(), which says of no network whether it is a BadNet"
    return HarnessError(
        f"{named}: {what}; name a folder with {DEFAULT_FILE}, a file of Python, or one of "
        f"{', '.join(reference_names(asks))}"
    )


def changed_defences(
    found: Sequence[NamedDefence], results: Path, kept_in: str = "defences"
) -> set[str]:
    """Those of which the results hold other code. Raises HarnessError for what cannot be read."""
    places = ((each, results / kept_in / each.name) for each in found)
    return {
        each.name
        for each, place in places
        if place.is_dir() and dict(_files(each)) != _read_all(place)
    }


def stage_defences(
    found: Sequence[NamedDefence], results: Path, kept_in: str = "defences"
) -> list[Entry]:
    """Copy each defence to ``defences/NAME`` of the results, which then say what was benchmarked.

    A defence has one copy, whatever its settings. Raises HarnessError for what cannot be copied.
    """
    return [Entry(each.name, _stage(each, results / kept_in / each.name)) for each in found]


def _stage(defence: NamedDefence, target: Path) -> Path:
    files = dict(_files(defence))
    if not files:
        raise HarnessError(f"{defence.path}: an empty folder; a defence has a {DEFAULT_FILE}")
    if target.is_dir() and files == _read_all(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as beside:
        whole = Path(beside) / target.name
        for name, content in files.items():
            copy = whole / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
        shutil.rmtree(target, ignore_errors=True)
        whole.rename(target)
    return target


def _read_all(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _files(defence: NamedDefence) -> Iterator[tuple[str, bytes]]:
    """The regular files of a defence; hidden ones, links and compiled Python are left out."""
    if defence.path.is_file():
        yield defence.path.name, defence.path.read_bytes()
        return
    left = _MOST_BYTES
    try:
        for path, information in sorted(files_below(defence.path)):
            if not stat.S_ISREG(information.st_mode) or "__pycache__" in path.parts:
                continue
            left -= information.st_size
            if left < 0:
                raise HarnessError(
                    f"{defence.path}: more than {_MOST_BYTES >> 20} MiB; a defence is code, with "
                    "what little it needs"
                )
            yield path.relative_to(defence.path).as_posix(), path.read_bytes()
    except OSError as error:
        raise HarnessError(f"{error.filename}: {error.strerror}") from None
    except SubmissionError as error:
        raise HarnessError(f"{defence.path}: {error.reason}") from None


def declared_defence(folder: Path, asks: str = REPAIR) -> DeclaredDefence:
    """Which file of a defence has its ``repair`` or ``detect``, and as what it takes networks.

    Raises SubmissionError where there is none.
    """
    declared = read_declaration(folder).defence or DeclaredDefence()
    if declared.file == DEFAULT_FILE and len(only := list(folder.glob("*.py"))) == 1:
        declared = replace(declared, file=only[0].name)
    path = folder / declared.file
    if ".." in Path(declared.file).parts or not path.is_file():
        raise SubmissionError(
            Status.REJECTED,
            f"no {one_line(declared.file, 100)} in the defence's folder; write one, or name the "
            'file in submission.toml: [defence] file = "..."',
        )
    if not re.search(rb"\b%s\b" % asks.encode(), path.read_bytes()):
        raise SubmissionError(
            Status.REJECTED,
            f"{one_line(declared.file, 100)}: no function {SIGNATURES[asks]}",
        )
    return declared
