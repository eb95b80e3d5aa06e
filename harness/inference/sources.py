"""Which of a submission's Python files defines a class, found out without running any.

Nearest to the model comes first. Runs in the worker alone: it parses strangers' files.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from harness.intake.staging import distance

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.networks.keras_files.saved_config import CustomName

_DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_NAMED = 3
_MAX_SCRIPT_BYTES = 200_000
_BLOCKS = (ast.If, ast.Try, ast.With)


@dataclass(frozen=True, slots=True)
class Definition:
    """Where a class, function or constant is defined."""

    path: Path
    name: str

    module: str
    """The name that the file is imported by; with dots where it belongs to a package."""

    top: Path
    """The folder in which that module is looked for."""


class Sources:
    """The Python files of a submission, copied into ``root`` with their folders.

    ``home`` is the folder below ``root`` in which the model lay.
    """

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.home = home

    def definitions(self, name: str, saved_in: str = "") -> list[Definition]:
        """Where ``name`` is defined at a file's top level, nearest first.

        It may also be the name that a decorator registers a class by. Of two in one folder, the
        module that the model was saved with (``saved_in``) comes first, then the plainer file.
        """
        found = []
        for path, content in self._files.items():
            tree = _parse(content) if name.encode() in content else None
            defined = _defined_as(tree, name) if tree else None
            if tree is None or defined is None:
                continue
            module, top = self._module(path, tree)
            other = saved_in.rpartition(".")[2] not in (path.stem, path.parent.name)
            statements = sum(not is_definition(each) for each in tree.body)
            place = (*distance(self.home, path.parent), other, statements, path.as_posix())
            found.append((place, Definition(path, defined, module, top)))
        return [definition for _, definition in sorted(found, key=lambda each: each[0])]

    def note(self, needed: Iterable[CustomName]) -> str:
        """Where the names come from, and which scripts are left alone; empty where none is needed.

        One line, for the record.
        """
        taken: dict[Path, list[str]] = {}
        for custom in needed:
            found = self.definitions(custom.name, custom.module)
            if found:
                taken.setdefault(found[0].path, []).append(repr(custom.name))
        if not taken:
            return ""

        parts = []
        for path, names in taken.items():
            script = " (a script: what follows a failure is skipped)" * self._is_script(path)
            verb = "is" if len(names) == 1 else "are"
            parts.append(f"{', '.join(names)} {verb} taken from {self._name(path)}{script}")
        words = set(re.findall(rb"\w+", b" ".join(self._files[path] for path in taken)))
        alone = [
            self._name(path)
            for path in self._files
            if path not in taken and path.stem.encode() not in words and self._is_script(path)
        ]
        if alone:
            more = f" and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
            parts.append(f"not run: {', '.join(alone[:_NAMED])}{more}")
        return "; ".join(parts)

    def _is_script(self, path: Path) -> bool:
        """Whether a file does more than define things when it is imported."""
        content = self._files[path]
        tree = _parse(content) if len(content) <= _MAX_SCRIPT_BYTES else None
        return tree is not None and not all(map(is_definition, tree.body))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def notebook(self, name: str) -> str | None:
        """A notebook in which ``name`` is defined."""
        for path in sorted(self.root.rglob("*.ipynb")):
            if _defines_in_text(path.read_bytes(), name):
                return self._name(path)
        return None

    def unparsed(self, name: str) -> str | None:
        """A file that would define ``name`` if it were valid Python."""
        for path, content in self._files.items():
            if _defines_in_text(content, name) and _parse(content) is None:
                return self._name(path)
        return None

    def folders(self, definition: Definition) -> list[Path]:
        """Where the modules are looked for that a file imports: from near to far."""
        own = self._upward(definition.path)
        others = {folder for path in self._files for folder in self._upward(path)}
        near_first = sorted(others, key=partial(distance, self.home))
        return list(dict.fromkeys((definition.top, *own, *near_first)))

    def _upward(self, path: Path) -> list[Path]:
        """The folders that a file is in, from its own to the root."""
        return [folder for folder in path.parents if folder.is_relative_to(self.root)]

    @cached_property
    def _files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in sorted(self.root.rglob("*.py"))}

    def _module(self, path: Path, tree: ast.Module) -> tuple[str, Path]:
        """A file's name as a module, and the folder that it is found in.

        A file belongs to packages as far up as there is an ``__init__.py`` or it says
        ``from ..name import``.
        """
        imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
        levels = max((node.level for node in imports), default=0)
        parts, top = [path.stem], path.parent
        if path.name == "__init__.py":
            parts, top, levels = [top.name], top.parent, levels - 1
        while top.is_relative_to(self.root) and (levels > 0 or (top / "__init__.py").exists()):
            parts, top, levels = [top.name, *parts], top.parent, levels - 1
        return ".".join(parts), top


def _parse(content: bytes) -> ast.Module | None:
    """A file's statements; None where it is not valid Python."""
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_definition(statement: ast.stmt, *, calls: bool = True) -> bool:
    """Whether a statement imports or defines something, and does no more.

    Without ``calls`` an assignment of what a call returns is none.
    """
    if isinstance(statement, (*_DEFINITIONS, ast.Import, ast.ImportFrom)):
        return True
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return calls or not any(isinstance(node, ast.Call) for node in ast.walk(statement))
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, _BLOCKS):
        return all(is_definition(each, calls=calls) for each in _inner(statement))
    return isinstance(statement, ast.Pass)


def _inner(block: ast.stmt) -> list[ast.stmt]:
    """The statements of all branches of a block."""
    inner: list[ast.stmt] = []
    for field in ("body", "orelse", "finalbody"):
        inner += getattr(block, field, [])
    for handler in getattr(block, "handlers", []):
        inner += handler.body
    return inner


def _defined_as(tree: ast.Module, name: str) -> str | None:
    """The name of what a file defines as ``name``, or registers under it."""
    pending, registered = list(tree.body), None
    while pending:
        statement = pending.pop()
        if isinstance(statement, _DEFINITIONS):
            if statement.name == name:
                return name
            if name in _texts(statement.decorator_list):
                registered = statement.name
        elif isinstance(statement, ast.Assign):
            if any(isinstance(each, ast.Name) and each.id == name for each in statement.targets):
                return name
        elif isinstance(statement, _BLOCKS):
            pending += _inner(statement)
    return registered


def _texts(decorators: list[ast.expr]) -> set[object]:
    """The constants that decorators are called with."""
    nodes = [node for decorator in decorators for node in ast.walk(decorator)]
    return {node.value for node in nodes if isinstance(node, ast.Constant)}


def _defines_in_text(content: bytes, name: str) -> bool:
    pattern = rb"\b(class|def)\s+" + re.escape(name.encode()) + rb"\b"
    return re.search(pattern, content) is not None
