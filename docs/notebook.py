"""Make ``docs/notebooks/starter.ipynb`` from ``starter.py`` beside it: ``python docs/notebook.py``.

With ``--check`` nothing is written; the exit code says whether the notebook is up to date.

``starter.py`` is a script in cells (``# %%``). Where it imports a function of the reference with
the comment ``shown in the notebook``, the notebook has that function's own code, for students to
read and to change.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "docs" / "notebooks" / "starter.py"
NOTEBOOK = SOURCE.with_suffix(".ipynb")
sys.path.insert(0, str(ROOT))

_CELL = re.compile(r"^# %%(.*)$", re.MULTILINE)
_SHOWN = re.compile(r"^from ([\w.]+) import ([\w, ]+)  # shown in the notebook$", re.MULTILINE)
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main() -> None:
    """Write the notebook, or compare it."""
    made = notebook_text(SOURCE.read_text(encoding="utf-8"))
    if "--check" not in sys.argv:
        NOTEBOOK.write_text(made, encoding="utf-8")
    elif not NOTEBOOK.is_file() or NOTEBOOK.read_text(encoding="utf-8") != made:
        sys.exit(f"{NOTEBOOK}: not what {SOURCE.name} makes; run python docs/notebook.py")


def notebook_text(source: str) -> str:
    """The notebook of a script, without outputs."""
    pieces = _CELL.split(source)[1:]
    cells = [
        _cell(number, kind.strip(), text.strip("\n"))
        for number, (kind, text) in enumerate(zip(pieces[::2], pieces[1::2], strict=True))
    ]
    made = {"cells": cells, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"id": f"cell-{number:02}", "metadata": {}}
    if kind == "[markdown]":
        plain = "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.splitlines())
        return cell | {"cell_type": "markdown", "source": _lines(plain)}
    if kind:
        cell["metadata"] = {"tags": [kind]}
    shown = _SHOWN.sub(lambda found: _code_of(found[1], found[2].split(", ")), text).replace(
        "  # fmt: skip", ""
    )
    code = {"cell_type": "code", "execution_count": None, "outputs": []}
    return cell | code | {"source": _lines(shown)}


def _code_of(module: str, names: list[str]) -> str:
    """The code of functions, and whose it is."""
    codes = [inspect.getsource(getattr(import_module(module), name)) for name in names]
    return f"# {module.replace('.', '/')}.py\n" + "\n\n".join(codes)


def _lines(text: str) -> list[str]:
    return text.rstrip("\n").splitlines(keepends=True)


if __name__ == "__main__":
    main()
