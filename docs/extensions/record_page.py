"""The record format as Markdown, from the schema that the types give."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.storage.json_schema import record_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROLE = re.compile(r":\w+:`~?([^`]+)`")


def record_fields() -> str:
    """A section for each type, the record first, in the order in which they are met."""
    definitions = record_schema()["$defs"]
    return "\n".join(line for name in definitions for line in _type(name, definitions[name]))


def _type(name: str, entry: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield _ROLE.sub(r"`\1`", entry.get("description", "")) + "\n"
    if "enum" in entry:
        yield "One of " + ", ".join(f"`{value}`" for value in entry["enum"]) + ".\n"
        return
    required = entry.get("required", ())
    yield "| field | type | if left out | what it is |\n| --- | --- | --- | --- |"
    for field, kind in entry["properties"].items():
        absent = "must be there" if field in required else _default(kind.get("default"))
        yield f"| `{field}` | {_kind(kind)} | {absent} | {_cell(kind.get('description', ''))} |"
    yield ""


def _cell(description: str) -> str:
    """A description in one cell of a table."""
    return _ROLE.sub(r"`\1`", " ".join(description.split())).replace("|", r"\|")


def _default(value: object) -> str:
    words = {"None": "null", "True": "true", "False": "false", "[]": "empty", "{}": "empty"}
    return words.get(str(value), f"`{value}`")


def _kind(kind: dict[str, Any]) -> str:
    if "$ref" in kind:
        name = kind["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in kind:
        return " or ".join(_kind(each) for each in kind["anyOf"])
    if kind.get("type") == "array":
        items = kind.get("items") or {}
        return f"list of {_kind(items)}" if items else "list"
    if kind.get("type") == "object":
        return f"map to {_kind(kind.get('additionalProperties', {}))}"
    return str(kind.get("type", "any"))
