"""The format of a record as JSON Schema, from the types themselves."""

from __future__ import annotations

import ast
import inspect
import json
from dataclasses import is_dataclass
from itertools import pairwise
from typing import Any, get_args, get_type_hints

from harness.records.record import SCHEMA_VERSION, Record

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def record_schema() -> dict[str, Any]:
    """What every file in ``records/`` of a results folder obeys.

    Fields that came with a later version are not required, so records of older versions
    obey it too. What the fields mean is said by the docstrings under them.
    """
    import msgspec

    schema = msgspec.json.schema(Record)
    _describe(schema["$defs"])

    versions = schema["$defs"]["Record"]["properties"]["schema_version"]
    versions |= {"minimum": 1, "maximum": SCHEMA_VERSION}
    title = f"Record of one graded submission, schema version {SCHEMA_VERSION}"
    return {"$schema": DIALECT, "title": title, **schema}


def schema_text() -> str:
    """The schema as the text of ``docs/record.schema.json``."""
    return json.dumps(record_schema(), indent=2, ensure_ascii=False) + "\n"


def _describe(definitions: dict[str, Any]) -> None:
    """Put the docstrings of types and fields into the definitions, without indentation."""
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])

    types: dict[str, type] = {}
    _collect_dataclasses(Record, types)
    for name, kind in types.items():
        properties = definitions[name]["properties"]
        for field, docstring in field_docstrings(kind).items():
            properties[field] = {"description": docstring, **properties[field]}


def _collect_dataclasses(hint: Any, types: dict[str, type]) -> None:
    """Add the dataclasses in a type hint to ``types``, by name, and those in their fields."""
    for argument in get_args(hint):
        _collect_dataclasses(argument, types)

    if isinstance(hint, type) and is_dataclass(hint) and hint.__name__ not in types:
        types[hint.__name__] = hint
        for inner in get_type_hints(hint).values():
            _collect_dataclasses(inner, types)


def field_docstrings(kind: type) -> dict[str, str]:
    """The docstrings under the fields of a class, which exist in its source alone."""
    definition: Any = ast.parse(inspect.getsource(kind)).body[0]
    docstrings = {}
    for field, below in pairwise(definition.body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(docstring))),
            ):
                docstrings[name] = inspect.cleandoc(docstring)
    return docstrings
