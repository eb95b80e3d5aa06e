"""A model's own classes and functions, imported from the files that define them and no others.

Runs strangers' code: in the worker alone, within its sandbox. A file that does more than define
things (it reads arguments, trains, asks, exits, never ends) runs up to the statement that fails or
takes too long; of what follows, only imports and definitions are carried out.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import importlib.util
import os
import signal
import sys
from contextlib import contextmanager
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.inference.runtimes.predictors import describe_failure
from harness.inference.sources import is_definition
from harness.networks.keras_files.lambda_code import names_in_lambdas
from harness.networks.keras_files.saved_config import CustomName, custom_names
from harness.records.text import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.abc import Loader
    from types import FrameType, ModuleType

    from harness.inference.sources import Definition, Sources

OWN_SECONDS = 15.0
"""How long a file's own statements may take, once in full and once more for its definitions."""


class CustomObjects:
    """What a model's config refers to by name, as far as the submission's files define it."""

    def __init__(self, config: Any, sources: Sources | None, knows: Callable[[str], bool]) -> None:
        """``knows`` says whether Keras has a class or function of a name itself."""
        self.by_key: dict[str, Any] = {}
        needed = [each for each in custom_names(config) if each.certain or not knows(each.name)]
        self._missing = {custom.name: _nowhere(custom.name) for custom in needed}
        if sources is None:
            return

        _look_below(sources.root)
        for custom in needed:
            self._missing[custom.name] = _where_instead(custom.name, sources)
            self._find(custom, sources)
        for name in names_in_lambdas(config):  # mostly of what a lambda imports or is given
            self._find(CustomName(name, (name,)), sources)

    def explanation(self, error: Exception) -> str | None:
        """Why a model cannot be loaded that failed with ``error``, where a name is missing."""
        for name, reason in self._missing.items():
            if name in str(error):
                return reason
        return None

    def _find(self, custom: CustomName, sources: Sources) -> None:
        """Import the nearest definition that can be imported."""
        reasons = []
        for definition in sources.definitions(custom.name, custom.module):
            try:
                found = _import_definition(definition, sources.folders(definition))
            except BaseException as error:  # noqa: BLE001 - submitted code raises anything
                path = definition.path.relative_to(sources.root).as_posix()
                reasons.append(
                    f"needs {custom.name!r} of {path}, which cannot be imported: "
                    f"{describe_failure(error)}"
                )
            else:
                self.by_key |= dict.fromkeys(custom.keys, found)
                self._missing.pop(custom.name, None)
                return
        if reasons:
            self._missing[custom.name] = reasons[0]


def _where_instead(name: str, sources: Sources) -> str:
    notebook, unparsed = sources.notebook(name), sources.unparsed(name)
    if unparsed is not None:
        return f"needs {name!r} of {unparsed}, which is not valid Python {sys.version_info[0]}"
    if notebook is not None:
        return (
            f"needs {name!r}, whose source is in {notebook}: export it as a .py file "
            "(jupyter nbconvert --to script)"
        )
    return _nowhere(name)


def _nowhere(name: str) -> str:
    return (
        f"needs {name!r}, which no .py file of the submission defines: hand in its source too, "
        "or a model of Keras's own layers"
    )


# --- import -----------------------------------------------------------------------------------


def _import_definition(definition: Definition, folders: list[Path]) -> Any:
    """What is defined, from its file. Raises whatever the submitted code raises."""
    module = _import_file(definition, folders)
    if definition.name not in vars(module):
        failures = getattr(module.__loader__, "failures", None)
        raise failures[0] if failures else ImportError("it defines no such name")
    return vars(module)[definition.name]


def _import_file(definition: Definition, folders: list[Path]) -> ModuleType:
    """Import the file of a definition, under its own name where that is free."""
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)  # last: a student's numpy.py must not take NumPy's place

    path = str(definition.path)
    if _leads_to(definition.module, path):
        return importlib.import_module(definition.module)
    alias = f"submitted_{definition.module.replace('.', '_')}"
    if alias in sys.modules:
        return sys.modules[alias]
    specification = importlib.util.spec_from_loader(alias, _ScriptLoader(alias, path))
    if specification is None or specification.loader is None:
        raise ImportError("is no Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[alias] = module
    specification.loader.exec_module(module)
    return module


def _leads_to(name: str, path: str) -> bool:
    """Whether a module of that name is this file."""
    try:
        specification = importlib.util.find_spec(name)
    except Exception:  # noqa: BLE001 - packages above it are submitted code
        return False
    return specification is not None and specification.origin == path


def _look_below(root: Path) -> None:
    """Have what is imported from below ``root`` loaded by `_ScriptLoader`."""

    def finder(folder: str) -> FileFinder:
        if not Path(folder).is_relative_to(root) and Path(folder) != root.parent:
            raise ImportError(folder)
        loaders: tuple[type[Loader], list[str]] = (_ScriptLoader, SOURCE_SUFFIXES)
        return FileFinder(folder, loaders)

    sys.path_hooks.insert(0, finder)


class _ScriptLoader(SourceFileLoader):
    """Loads a file's definitions, whatever its other statements do."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the statements in ``module``; the first failure is named on stderr."""
        tree = ast.parse(self.get_data(self.path), filename=self.path)
        self.failures = _run(tree, self.path, vars(module))
        if self.failures:
            print(
                f"{Path(self.path).name}: {describe_error(self.failures[0])}; only its "
                "definitions were used from there on",
                file=sys.stderr,
            )


def _run(tree: ast.Module, path: str, namespace: dict[str, Any]) -> list[BaseException]:
    """Run a file's statements; after one that fails only definitions. Return all failures."""
    flags = _future_flags(tree)
    failures: list[BaseException] = []
    left = list(tree.body)
    while left:
        too_long = sum(isinstance(failure, _TooLongError) for failure in failures)
        if too_long > 1:
            break
        before = len(left)
        try:
            with _time_limit(OWN_SECONDS), _no_exit():
                while left:
                    statement = left.pop(0)
                    if not failures or is_definition(statement, calls=not too_long):
                        alone = ast.Module([statement], type_ignores=[])
                        code = compile(alone, path, "exec", flags, dont_inherit=True)
                        exec(code, namespace)  # noqa: S102 - what a sandbox is for
        except BaseException as failure:  # noqa: BLE001 - also SystemExit and our own
            failures.append(failure)
            if len(left) == before:  # not even the clock could be set
                break
    return failures


def _future_flags(tree: ast.Module) -> int:
    """What ``from __future__ import`` at the head of a file changes for all its statements."""
    flags = 0
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for alias in statement.names:
                feature = getattr(__future__, alias.name, None)
                flags |= getattr(feature, "compiler_flag", 0)
    return flags


class _TooLongError(BaseException):
    """Raised in a script that takes too long; no ``except Exception`` catches it."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `_TooLongError` after so long; meanwhile the clock of an importing file stands."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TooLongError(f"took more than {seconds:g} s")

    handler = signal.signal(signal.SIGALRM, stop)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again, where it is swallowed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, left, 1.0)


@contextmanager
def _no_exit() -> Iterator[None]:
    """Have ``os._exit`` raise SystemExit, like every other way to end a script."""

    def leave(code: int) -> None:
        raise SystemExit(code)

    before, os._exit = os._exit, leave  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = before
