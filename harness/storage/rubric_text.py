"""The text of a ``rubric.toml``, read strictly: all that is wrong in it, not only the first."""

from __future__ import annotations

import difflib
import math
import tomllib
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from harness.records.errors import HarnessError, Status
from harness.records.rubric import (
    FAMILIES,
    HIDEABLE,
    KINDS,
    QUESTIONS,
    RANKINGS,
    SCHEMA_VERSION,
    VERDICTS,
    LineageCodes,
    Rubric,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from harness.records.findings import Override
    from harness.records.rubric import Item, Thresholds

_STAND_INS: dict[str, Any] = {
    "schema_version": SCHEMA_VERSION,
    "kind": KINDS[0],
    "points": 0.0,
    "items": [],
    "shares": {QUESTIONS[0]: 1.0},
}
"""What stands for a key that must be there and is not, so that the others can be looked at."""

_FRACTIONS = (
    "near_chance_accuracy", "normal_accuracy", "repeated_changes", "perturbed_changes",
    "attack_significance", "memory_significance",
)  # fmt: skip


def parse_rubric(text: str, where: str) -> Rubric:
    """A rubric from the text of ``rubric.toml``. Raises HarnessError that says what is wrong."""
    rubric, problems = examine_rubric(text)
    if rubric is None or problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise HarnessError(f"{where}: {problems[0]}{more}")
    return rubric


def examine_rubric(text: str) -> tuple[Rubric | None, list[str]]:
    """The rubric, and all that is wrong with it; None where the text is not TOML."""
    import msgspec

    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return None, [f"not TOML ({error})"]

    problems: list[str] = []
    readable = _readable(content, Rubric, "", problems)
    rubric = _lift(msgspec.convert(readable, type=Rubric))
    return rubric, problems + list(_problems(rubric))


def missing_keys(text: str) -> list[str]:
    """The optional keys of a rubric that its text leaves out, those of tables with the table."""
    content = tomllib.loads(text)
    keys = [name for name in _optional(Rubric) if name not in content and name != "overrides"]
    for table, kind in get_type_hints(Rubric).items():
        if is_dataclass(kind) and table in content:
            keys += [f"{table}.{name}" for name in _optional(kind) if name not in content[table]]
    return keys


def nearest(word: str, known: Collection[str]) -> str:
    """The known word that somebody may have meant, else all of them, as the end of a sentence."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(known))}"


def _optional(kind: Any) -> list[str]:
    return [field.name for field in fields(kind) if not _is_required(field)]


def _is_required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _lift(rubric: Rubric) -> Rubric:
    """An older rubric could not void a checkpoint for what had no name yet."""
    if rubric.schema_version >= SCHEMA_VERSION:
        return rubric
    void = dict.fromkeys((*rubric.lineage.void, *LineageCodes().void))
    return replace(rubric, lineage=replace(rubric.lineage, void=tuple(void)))


# --- keys and types -----------------------------------------------------------------------------


def _readable(
    table: dict[str, Any], kind: Any, place: str, problems: list[str]
) -> dict[str, Any]:  # fmt: skip
    """The part of a table that can be converted to ``kind``; what cannot goes to ``problems``."""
    hints = get_type_hints(kind)
    problems += [
        f"{place}unknown key {key!r}; {nearest(key, hints)}" for key in table if key not in hints
    ]

    readable = {}
    for field in fields(kind):
        name = field.name
        if name in table:
            where = f"{place}{name}"
            known, value = _readable_value(table[name], hints[name], where, problems)
            if known:
                readable[name] = value
                continue
        elif _is_required(field):
            problems.append(f"{place}{name} is missing")
        if _is_required(field):
            readable[name] = _STAND_INS.get(name, f"{place}{name}")
    return readable


def _readable_value(value: Any, hint: Any, where: str, problems: list[str]) -> tuple[bool, Any]:
    """Whether anything of a value can be read, and what."""
    import msgspec

    if is_dataclass(hint):
        if isinstance(value, dict):
            return True, _readable(value, hint, f"[{where}] ", problems)
        problems.append(f"{where} is a table, [{where}]")
        return False, None

    if get_origin(hint) is tuple and is_dataclass(get_args(hint)[0]):
        return _readable_entries(value, get_args(hint)[0], where, problems)

    try:
        converted = msgspec.convert(value, type=hint)
    except (msgspec.ValidationError, OverflowError) as error:
        problems.append(f"{where}: {str(error).partition(' - at ')[0]}")
        return False, None
    numbers = converted.values() if isinstance(converted, dict) else [converted]
    for number in numbers:
        if isinstance(number, float) and not math.isfinite(number):
            problems.append(f"{where} is {number:g}; a finite number is needed")
            return False, None
    return True, converted


def _readable_entries(value: Any, kind: Any, where: str, problems: list[str]) -> tuple[bool, Any]:
    """The same for a list of tables."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        problems.append(f"{where} is a list of tables, [[{where}]]")
        return False, None
    return True, [
        _readable(entry, kind, f"{_label(where, number, entry)}: ", problems)
        for number, entry in enumerate(value, start=1)
    ]


def _label(name: str, number: int, entry: dict[str, Any]) -> str:
    """How an entry of a list is called: by its name, else by its number from 1."""
    if name == "overrides":
        whose = entry.get("submission")
        return f"override for {whose!r}" if isinstance(whose, str) else f"override {number}"
    title = entry.get("name")
    return f"item {title}" if isinstance(title, str) else f"item {number}"


# --- what the values say ------------------------------------------------------------------------


def _problems(rubric: Rubric) -> Iterator[str]:
    if not 1 <= rubric.schema_version <= SCHEMA_VERSION:
        yield f"schema_version is {rubric.schema_version}, expected {SCHEMA_VERSION}"

    names = [item.name for item in rubric.items]
    if len(set(names)) != len(names):
        yield "two items have the same name"
    for item in rubric.items:
        yield from _item_problems(item)

    yield from _share_problems(rubric)
    for name in rubric.student_view.hide:
        if name not in HIDEABLE:
            yield f"[student_view] cannot hide {name!r}; only {', '.join(HIDEABLE)}"
    yield from _list_problems("ranking", rubric.ranking, RANKINGS)
    yield from _list_problems("families", rubric.families, FAMILIES)
    yield from _threshold_problems(rubric.thresholds)

    for override in rubric.overrides:
        yield from _override_problems(override, names)


def _share_problems(rubric: Rubric) -> Iterator[str]:
    shares = rubric.shares
    for name in shares:
        if name not in QUESTIONS:
            yield f"[shares] unknown key {name!r}; {nearest(name, QUESTIONS)}"
    if abs(sum(shares.values()) - 1) > 1e-9 or min(shares.values(), default=0) < 0:
        yield f"[shares] split 1 between {', '.join(QUESTIONS)}; these add up to {_sum(shares)}"

    for name in ("all_failed_share", "late_penalty_share"):
        if not 0 <= getattr(rubric, name) <= 1:
            yield f"{name} is a number from 0 to 1"


def _sum(shares: dict[str, float]) -> str:
    negative = " with a negative one" if min(shares.values(), default=0) < 0 else ""
    return f"{sum(shares.values()):g}{negative}"


def _list_problems(key: str, given: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    if not given or set(given) - set(known):
        yield f"{key} is a list of {', '.join(known)}"
    if len(set(given)) < len(given):
        yield f"{key} names one of them twice"


def _threshold_problems(thresholds: Thresholds) -> Iterator[str]:
    for field in fields(thresholds):
        value = getattr(thresholds, field.name)
        if value < 0:
            yield f"[thresholds] {field.name} cannot be {value:g}"
        elif field.name in _FRACTIONS and value > 1:
            yield f"[thresholds] {field.name} is a fraction from 0 to 1"


def _item_problems(item: Item) -> Iterator[str]:
    if item.kind not in KINDS:
        yield f"item {item.name}: kind is one of {', '.join(KINDS)}"
    for name in ("points", "drop_points", "tolerance_points"):
        value = getattr(item, name)
        if value is not None and value < 0:
            yield f"item {item.name}: {name} cannot be {value:g}"
    if item.kind == "checkpoint" and item.drop_points is None:
        yield f"item {item.name}: a checkpoint needs drop_points"


def _override_problems(override: Override, names: Sequence[str]) -> Iterator[str]:
    label = f"override for {override.submission!r}"
    if not override.reason.strip():
        yield f"{label}: a reason is needed"
    named = [override.item, override.status, override.verdict]
    if len([each for each in named if each is not None]) != 1:
        yield f"{label}: name an item (with points), a status, or a verdict (with drop_points)"
    if override.verdict is not None and override.verdict not in VERDICTS[:2]:
        yield f"{label}: verdict is passed or failed"
    if (override.verdict is None) != (override.drop_points is None):
        yield f"{label}: verdict and drop_points go together"

    if override.item is not None and (override.item not in names or override.points is None):
        yield f"{label}: {override.item!r} needs points and must be an item of this rubric"
    if override.points is not None and override.points < 0:
        yield f"{label}: points cannot be {override.points:g}"
    if override.status is not None and override.status not in set(Status):
        yield f"{label}: no status {override.status!r}"
