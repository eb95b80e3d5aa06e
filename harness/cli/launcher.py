"""The way into the command lines: what is missing in this Python is one line, exit code 2.

Nothing but the standard library is imported before that is known, and nothing here is newer
than Python 3.6.
"""

import sys
from importlib import import_module

OLDEST, NEWEST = (3, 11), (3, 13)
"""The Pythons that the harness is tested on, as in ``pyproject.toml``."""


def run(module: str) -> None:
    """Run the ``main`` of a module of ours as the program that was called."""
    problem = python_problem(sys.version_info[:2])
    if problem:
        _stop(problem)
    try:
        import_module("harness.networks.tensorflow").allow_parts()  # the process is ours
        import_module(module).main()
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package in ("", "harness", "reference"):
            raise
        _stop(missing_package(package))


def python_problem(version: "tuple[int, ...]") -> str:
    """What is wrong with a version of Python; empty where nothing is."""
    if OLDEST <= version <= NEWEST:
        return ""
    oldest, newest, own = (".".join(map(str, v)) for v in (OLDEST, NEWEST, version))
    return f"the harness needs Python {oldest} to {newest}, and {sys.executable} is Python {own}"


def missing_package(package: str) -> str:
    """What to do where a package that the harness needs is not there."""
    return (
        f"{sys.executable} has no {package}, which the harness needs; activate the environment "
        "that has it (`. .tox/grade/bin/activate` after tox), or run `pip install .` in the "
        "harness's folder"
    )


def _stop(reason: str) -> None:
    sys.stderr.write(f"error: {reason}\n")
    sys.exit(2)
