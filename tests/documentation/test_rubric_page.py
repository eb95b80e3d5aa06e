"""The page of the rubric describes every key, with its default and an example that can be read."""

import sys
import tomllib
from dataclasses import MISSING, fields

import msgspec
import pytest
from repository import ROOT

from harness.records.rubric import Rubric
from harness.storage.rubric_text import examine_rubric

sys.path.insert(0, str(ROOT / "docs" / "extensions"))

from rubric_page import EXAMPLES, TABLES, rubric_keys

KEYS = [(table, field.name) for table, kind in TABLES.items() for field in fields(kind)]


def rows_of(table):
    _, _, rest = rubric_keys().partition(f"### {f'`{table}`' if table else 'At the top'}\n")
    return [line.split(" | ") for line in rest.partition("###")[0].splitlines() if "`" in line]


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_has_its_default_an_example_and_words(table, key):
    (cells,) = [cells for cells in rows_of(table) if cells[0] == f"| `{key}`"]
    field = next(each for each in fields(TABLES[table]) if each.name == key)
    _, default, example, what = cells
    assert example == f"`{EXAMPLES[table][key]}`"
    assert len(what) > len(" |")
    if field.default not in (MISSING, None) and isinstance(field.default, int | float):
        assert default == f"`{field.default}`"


def test_every_table_of_a_rubric_is_there():
    named = {field.name for field in fields(Rubric)}
    assert {table.strip("[]") for table in TABLES if table} <= named
    assert named == set(EXAMPLES[""])


@pytest.mark.parametrize(("table", "key"), [key for key in KEYS if key[0]])
def test_every_example_is_of_its_key_and_type(table, key):
    value = tomllib.loads(EXAMPLES[table][key])[key]
    hints = {field.name: field.type for field in msgspec.inspect.type_info(TABLES[table]).fields}
    assert key in hints
    assert EXAMPLES[table][key].startswith(f"{key} = ")
    assert value is not None


def test_the_examples_together_are_a_rubric():
    top = [EXAMPLES[""][key] for key in EXAMPLES[""] if not EXAMPLES[""][key].startswith("[")]
    entries = {
        table: [line for key, line in EXAMPLES[table].items()]
        for table in TABLES
        if table and table != "[[overrides]]"
    }
    lines = [*top]
    for table, texts in entries.items():
        lines += [table, *texts]
    own, problems = examine_rubric("\n".join(lines))
    assert problems == []
    assert own.items[0].drop_points == 30
