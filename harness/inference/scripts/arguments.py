"""What a script is called with: as declared, else as its own text tells.

Four ways are common: ``eval.py IMAGE``; ``eval.py IMAGE B B'``; ``eval.py --img_path IMAGE
--bd_model_path B``; ``eval.py NAME IMAGE``. Imported by the worker child alone.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MEANINGS = (
    ("network", re.compile(r"(^|_)(name|net_?name|model_?name|which|attack|dataset|bd_?type)$")),
    ("repaired", re.compile(r"repair|prime|fix|good|prun|(new|clean)_?(model|net)")),
    ("badnet", re.compile(r"(bd|bad|backdoor|orig|model|net|weights)")),
    ("image", re.compile(r"im(g|age)|path|file|data|input|pic|sample|test")),
)  # fmt: skip
"""What a name of an argument means, the most telling first."""

_BY_POSITION = {1: ("image",), 2: ("network", "image"), 3: ("image", "badnet", "repaired")}
"""What so many arguments mean where their names do not tell."""


def arguments_of(
    text: bytes, declared: Sequence[str] | None, given: Mapping[str, str | None]
) -> list[str]:
    """The arguments; ``given`` says what ``image``, ``network``, ``badnet``, ``repaired`` are."""
    if declared is not None:
        return [_filled(argument, given) for argument in declared]
    tree = ast.parse(text)
    options = list(_parser_arguments(tree))
    if options:
        return list(_from_parser(options, given))
    names = _argv_names(tree)
    return [given[each] or "" for each in _meanings(names)]


def _filled(argument: str, given: Mapping[str, str | None]) -> str:
    for key, value in given.items():
        argument = argument.replace("{" + key + "}", value or "")
    return argument


def _meaning(name: str) -> str | None:
    lowered = name.lower().lstrip("-").replace("-", "_")
    if re.search(r"im(g|age)", lowered):
        return "image"
    return next((meaning for meaning, pattern in _MEANINGS if pattern.search(lowered)), None)


# --- argparse -----------------------------------------------------------------------------------


def _parser_arguments(tree: ast.AST) -> Iterator[tuple[list[str], bool]]:
    """The names of each ``add_argument``, and whether it may be left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            names = [each.value for each in node.args if isinstance(each, ast.Constant)]
            texts = [name for name in names if isinstance(name, str)]
            settings = {each.arg: each.value for each in node.keywords}
            is_flag = "action" in settings
            if texts and not is_flag:
                yield texts, "default" in settings or settings.get("nargs") is not None


def _from_parser(
    options: Sequence[tuple[list[str], bool]], given: Mapping[str, str | None]
) -> Iterator[str]:
    has_image = any(_meaning(max(names, key=len)) == "image" for names, _ in options)
    for place, (names, may_be_left_out) in enumerate(options):
        name = max(names, key=len)
        meaning = _meaning(name)
        if not has_image and place == 0:
            meaning = "image"
        value = given.get(meaning or "")
        if value is None or (may_be_left_out and meaning != "image"):
            continue
        if name.startswith("-"):
            yield name
        yield value


# --- sys.argv -----------------------------------------------------------------------------------


def _argv_names(tree: ast.AST) -> list[str]:
    """What each of ``sys.argv[1]``, ``sys.argv[2]``, ... is called, or nothing."""
    names: dict[int, str] = {}
    for node in ast.walk(tree):
        place = _argv_place(node)
        if place is not None:
            names.setdefault(place, "")
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            for index, name in _assigned(node.targets[0], node.value):
                names[index] = names.get(index) or name
    last = max(names, default=1)
    return [names.get(place, "") for place in range(1, last + 1)]


def _argv_place(node: ast.AST) -> int | None:
    """The index of ``sys.argv[1]`` or ``argv[1]``, also as ``str(sys.argv[1])``."""
    if isinstance(node, ast.Call) and len(node.args) == 1:
        return _argv_place(node.args[0])
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Constant):
        return None
    index = node.slice.value
    named = getattr(node.value, "attr", "") or getattr(node.value, "id", "")
    is_place = named == "argv" and isinstance(index, int) and 1 <= index <= 9
    return index if is_place and isinstance(index, int) else None


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[int, str]]:
    if isinstance(target, ast.Name) and (place := _argv_place(value)) is not None:
        yield place, target.id
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=False):
            yield from _assigned(one, other)


def _meanings(names: Sequence[str]) -> list[str]:
    """What each argument is, by its name where all names tell different things."""
    told = [_meaning(name) if name else None for name in names]
    known = [each for each in told if each is not None]
    if len(set(known)) == len(names) and "image" in known:
        return known
    return list(_BY_POSITION.get(len(names), _BY_POSITION[1]))
