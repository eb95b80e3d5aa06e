"""The keys of a ``rubric.toml`` as Markdown, from the types that it is read into."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from harness.records.findings import Override
from harness.records.rubric import Item, LineageCodes, Rubric, StudentView, Thresholds
from harness.storage.json_schema import field_docstrings

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES: dict[str, type] = {
    "": Rubric,
    "[thresholds]": Thresholds,
    "[student_view]": StudentView,
    "[[items]]": Item,
    "[lineage]": LineageCodes,
    "[[overrides]]": Override,
}
"""The type of each table; the keys of the first stand at the top of the file."""

EXAMPLES: dict[str, dict[str, str]] = {
    "": {
        "schema_version": "schema_version = 2",
        "name": 'name = "lab3, spring 2027"',
        "items": "[[items]]",
        "shares": "shares = {clean_accuracy_drop = 0.5, first_crossing = 0.5}",
        "lineage": "[lineage]",
        "thresholds": "[thresholds]",
        "student_view": "[student_view]",
        "overrides": "[[overrides]]",
        "ranking": 'ranking = ["checkpoints_passed", "points"]',
        "families": 'families = ["pruned"]',
        "all_failed_share": "all_failed_share = 0.25",
        "late_penalty_share": "late_penalty_share = 0.1",
    },
    "[thresholds]": {
        "tolerance_images": "tolerance_images = 5",
        "near_chance_accuracy": "near_chance_accuracy = 0.02",
        "normal_accuracy": "normal_accuracy = 0.6",
        "repeated_changes": "repeated_changes = 0.0",
        "perturbed_changes": "perturbed_changes = 0.05",
        "margin_points": "margin_points = 1.0",
        "attack_reduction_points": "attack_reduction_points = 20.0",
        "attack_significance": "attack_significance = 0.001",
        "chance_margin_points": "chance_margin_points = 10.0",
        "generalisation_gap_points": "generalisation_gap_points = 5.0",
        "memory_points": "memory_points = 5.0",
        "memory_significance": "memory_significance = 0.001",
    },
    "[student_view]": {"hide": 'hide = ["test", "hints"]', "names": "names = true"},
    "[[items]]": {
        "name": 'name = "checkpoint_30"',
        "title": 'title = "B\' for X = 30"',
        "kind": 'kind = "checkpoint"',
        "points": "points = 20",
        "drop_points": "drop_points = 30",
        "tolerance_points": "tolerance_points = 0.5",
    },
    "[lineage]": {
        "costly": 'costly = ["BIAS_NOT_ZEROED", "WRONG_LAYER"]',
        "void": 'void = ["IS_BADNET", "OTHER_BASE"]',
    },
    "[[overrides]]": {
        "submission": 'submission = "early"',
        "reason": 'reason = "was told X = 1.4 in the exercise class"',
        "item": 'item = "checkpoint_2"',
        "points": "points = 20",
        "status": 'status = "graded"',
        "drop_points": "drop_points = 10",
        "verdict": 'verdict = "passed"',
    },
}
"""One line of a file for every key."""


def rubric_keys() -> str:
    """A section for each table, its keys in the order of the type's fields."""
    return "\n".join(line for table in TABLES for line in _table(table))


def _table(table: str) -> Iterator[str]:
    yield f"### {f'`{table}`' if table else 'At the top'}\n"
    yield "| key | default | example | what it is |\n| --- | --- | --- | --- |"
    described = field_docstrings(TABLES[table])
    for field in fields(TABLES[table]):
        example = EXAMPLES[table][field.name]
        what = " ".join(described[field.name].split()).replace("|", r"\|")
        yield f"| `{field.name}` | {_default(field)} | `{example}` | {what} |"
    yield ""


def _default(field: Any) -> str:
    if field.default_factory is not MISSING:
        return "that table's defaults"
    if field.default is MISSING:
        return "must be there"
    if field.default is None:
        return "none"
    return f"`{_toml(field.default)}`"


def _toml(value: Any) -> str:
    """A value as a file would say it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
