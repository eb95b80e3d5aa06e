"""The format of a record as JSON Schema, from the types themselves."""

from __future__ import annotations

import inspect
import json
from typing import Any

from harness.records.record import SCHEMA_VERSION, Record

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def record_schema() -> dict[str, Any]:
    """What every file in ``records/`` of a results folder obeys.

    Fields that came with a later version are not required, so records of older versions
    obey it too.
    """
    import msgspec

    schema = msgspec.json.schema(Record)
    definitions = {name: _described(entry) for name, entry in schema["$defs"].items()}
    versions = definitions["Record"]["properties"]["schema_version"]
    versions |= {"minimum": 1, "maximum": SCHEMA_VERSION}
    title = f"Record of one graded submission, schema version {SCHEMA_VERSION}"
    return {"$schema": DIALECT, "title": title, **schema, "$defs": definitions}


def schema_text() -> str:
    """The schema as the text of ``docs/record.schema.json``."""
    return json.dumps(record_schema(), indent=2, ensure_ascii=False) + "\n"


def _described(entry: dict[str, Any]) -> dict[str, Any]:
    """A definition whose description, a docstring, has lost the indentation of the source."""
    if "description" not in entry:
        return entry
    return entry | {"description": inspect.cleandoc(entry["description"])}
