"""Scripts of a submission to a competition: one for each BadNet, or one for several."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.intake.declarations import FILE_NAME
from harness.intake.discovery import BADNET_NAME, stem_of
from harness.intake.file_rules import files_below, model_format, rejection
from harness.intake.network_names import named_networks, network_called

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.records.benchmark import CompetingNetwork
    from harness.records.submission import Declaration

_SCRIPT_NAME = re.compile(r"eval[a-z0-9]*([_\- ].*)?\.py", re.IGNORECASE)
"""What a script is called that takes an image; a name that follows tells for which BadNet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script, for one of the BadNets."""

    path: str
    """Relative to the submission."""

    network: str

    arguments: tuple[str, ...] | None = None
    """As declared; None where its text tells them."""

    is_named: bool = True
    """Whether its name or a declaration says for which BadNet it is."""


def find_scripts(
    folder: Path, declaration: Declaration, networks: Sequence[CompetingNetwork]
) -> dict[str, Script]:
    """The script for each BadNet that has one, by the BadNet's name.

    Raises SubmissionError for a declaration that does not fit.
    """
    found = _declared(folder, declaration, networks)
    files = sorted(
        (path.relative_to(folder).as_posix() for path, information in files_below(folder)
         if _SCRIPT_NAME.fullmatch(path.name) and stat.S_ISREG(information.st_mode)),
        key=lambda path: (path.count("/"), path),
    )  # fmt: skip
    general = []
    for path in files:
        named = named_networks(path, networks).nearest
        if len(named) == 1:
            found.setdefault(named[0], Script(path=path, network=named[0]))
        elif not named:
            general.append(path)
    for network in networks:
        if general and network.name not in found:
            found[network.name] = Script(path=general[0], network=network.name, is_named=False)
    return found


def _declared(
    folder: Path, declaration: Declaration, networks: Sequence[CompetingNetwork]
) -> dict[str, Script]:
    found = {}
    for name, script in declaration.scripts.items():
        network = network_called(name, networks)
        if network is None:
            known = ", ".join(each.name for each in networks)
            raise rejection(FILE_NAME, f"[scripts] {name!r:.60} is none of {known}")
        pure = PurePosixPath(script.file)
        if pure.is_absolute() or ".." in pure.parts or not (folder / pure).is_file():
            raise rejection(FILE_NAME, f"[scripts] {script.file!r:.100} is not in the submission")
        arguments = None if script.arguments is None else tuple(script.arguments)
        found[network] = Script(path=pure.as_posix(), network=network, arguments=arguments)
    return found


def badnet_beside(folder: Path, network: str, networks: Sequence[CompetingNetwork]) -> str | None:
    """The file in the submission that by its name holds a BadNet's weights."""
    for path, _ in files_below(folder):
        relative = path.relative_to(folder).as_posix()
        is_badnet = model_format(path.name) is not None and BADNET_NAME.match(stem_of(relative))
        if is_badnet and network in named_networks(relative, networks).nearest:
            return relative
    return None
