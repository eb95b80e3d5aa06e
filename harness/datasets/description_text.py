"""The text of a ``dataset.toml``, read strictly: each fault is one line that names the key."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import fields, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.records.benchmark import SETS, Attack, Benchmark, Published
from harness.records.errors import HarnessError
from harness.records.predictions import UNREPRESENTABLE
from harness.records.text import one_line
from harness.storage.rubric_text import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMA_VERSION = 1

OFFICIAL_FILES = {
    "valid": "cl/valid.h5",
    "test": "cl/test.h5",
    "bd_valid": "bd/bd_valid.h5",
    "bd_test": "bd/bd_test.h5",
}
"""Path of each set's file in the official layout."""

SPLITS = ("valid", "test")

MAX_CLASSES = UNREPRESENTABLE - 1
"""As many as two bytes can tell apart, N + 1 among them."""

_PLACE = re.compile(r"^(?P<said>.*?) - at `\$\.?(?P<place>[^`]*)`$")
_LONGEST_NAME = 60


def parse_description(text: str, name: str, where: str) -> Benchmark:
    """A benchmark from the text of its ``dataset.toml``; ``name`` is for one that states none.

    Raises HarnessError that begins with ``where`` and says what is wrong.
    """
    table = parse_table(text, where)
    require_none(where, list(_key_problems(table)))

    benchmark = convert_table({"name": name} | table, Benchmark, where)
    require_none(where, list(_problems(table, benchmark)))
    return _with_defaults(table, benchmark)


def parse_table(text: str, where: str) -> dict[str, Any]:
    """The TOML of a description whose version is known. Raises HarnessError."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"{where}: not a dataset description ({one_line(str(error))})") from None

    version = table.get("schema_version")
    if version != SCHEMA_VERSION:
        raise HarnessError(f"{where}: schema_version is {version}, expected {SCHEMA_VERSION}")
    return table


def require_none(where: str, problems: list[str]) -> None:
    """Raise HarnessError with the first problem and how many more there are; not without any."""
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise HarnessError(one_line(f"{where}: {problems[0]}{more}"))


def convert_table(table: Mapping[str, Any], kind: Any, where: str) -> Any:
    """A table of TOML as one of the types of a description. Raises HarnessError."""
    import msgspec

    try:
        return msgspec.convert(table, type=kind)
    except (msgspec.ValidationError, OverflowError) as error:
        said = str(error).replace(" | null", "").replace("`object`", "a table")
        said = said.replace("`array`", "a list")
        found = _PLACE.match(said)
        if found and found["place"]:
            said = f"{found['place']}: {found['said'][0].lower()}{found['said'][1:]}"
        raise HarnessError(f"{where}: not a dataset description ({one_line(said)})") from None


def _with_defaults(table: Mapping[str, Any], benchmark: Benchmark) -> Benchmark:
    """The benchmark with what follows from whether its attacks are listed."""
    if not benchmark.attacks:
        return benchmark if "files" in table else replace(benchmark, files=OFFICIAL_FILES)
    clean = {split: OFFICIAL_FILES[split] for split in SPLITS}
    files = benchmark.files or clean
    return replace(benchmark, files=files, target_label=None)


def format_description(benchmark: Benchmark) -> str:
    """The text of a ``dataset.toml`` that says what ``benchmark`` says beyond the defaults."""
    import msgspec
    import tomli_w

    table = msgspec.to_builtins(benchmark)
    plain = msgspec.to_builtins(Benchmark(schema_version=SCHEMA_VERSION, name="", title=""))
    # What a reader asks first is said, whether it is the default or not.
    always = ("schema_version", "name", "title", "input_shape", "classes", "pixel_scale",
              "checkpoints")  # fmt: skip
    said = {key: value for key, value in table.items() if key in always or value != plain[key]}
    if not benchmark.attacks:
        said["target_label"] = benchmark.target_label
    return tomli_w.dumps(_without_nothing(said))


def _without_nothing(value: Any) -> Any:
    """A table without keys whose value is None, which TOML cannot say."""
    if isinstance(value, dict):
        return {key: _without_nothing(each) for key, each in value.items() if each is not None}
    return [_without_nothing(each) for each in value] if isinstance(value, list | tuple) else value


# --- keys ---------------------------------------------------------------------------------------


def _key_problems(table: Mapping[str, Any]) -> Iterator[str]:
    yield from unknown_keys(table, [field.name for field in fields(Benchmark)], "")
    for key, kind in (("attacks", Attack), ("published", Published)):
        entries = table.get(key, [])
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            yield from _entry_problems(key, entries, [field.name for field in fields(kind)])
        else:
            yield f"{key} is a list of tables, each begun by [[{key}]]"
    for key in ("files", "images", "hashes", "badnet_counts"):
        if isinstance(table.get(key), dict):
            yield from unknown_keys(table[key], SETS, f"[{key}] ")


def _entry_problems(key: str, entries: list[dict[str, Any]], known: list[str]) -> Iterator[str]:
    for number, entry in enumerate(entries, start=1):
        label = _label(key, number, entry)
        yield from unknown_keys(entry, known, f"{label}: ")
        yield from (f"{label}: {said}" for said in _missing(entry, key))


def unknown_keys(
    table: Mapping[str, Any], known: tuple[str, ...] | list[str], place: str
) -> Iterator[str]:
    """A problem for each key that means nothing, with the nearest that does."""
    for key in table:
        if key not in known:
            yield f"{place}unknown key {key!r}; {nearest(key, known)}"


def _missing(entry: Mapping[str, Any], key: str) -> Iterator[str]:
    if key != "attacks":
        return
    if "name" not in entry:
        yield "its name is missing"
    if "files" not in entry:
        yield "its files are missing; files = { valid = ..., test = ... }"


def _label(key: str, number: int, entry: Mapping[str, Any]) -> str:
    """How an entry of a list is called: by its name, else by its number from 1."""
    name = entry.get("name")
    kind = "attack" if key == "attacks" else "[[published]]"
    return f"{kind} {name!r}" if key == "attacks" and isinstance(name, str) else f"{kind} {number}"


# --- values -------------------------------------------------------------------------------------


def _problems(table: Mapping[str, Any], benchmark: Benchmark) -> Iterator[str]:
    yield from _number_problems(benchmark)
    yield from _text_problems(benchmark)
    yield from _count_problems(benchmark)
    yield from _order_problems(benchmark)
    yield from _file_problems(table, benchmark)
    if "attacks" in table:
        yield from _attack_problems(table, benchmark)
    elif benchmark.target_label is not None:
        yield from target_problems(benchmark.target_label, benchmark.classes, "")


def _number_problems(benchmark: Benchmark) -> Iterator[str]:
    if min(benchmark.input_shape) < 1:
        yield (
            f"input_shape is {list(benchmark.input_shape)}; rows, columns and channels of an image "
            "are 1 or more each"
        )
    if not 2 <= benchmark.classes <= MAX_CLASSES:
        yield f"classes is {benchmark.classes}; a benchmark has 2 to {MAX_CLASSES:,}"
    if not math.isfinite(benchmark.pixel_scale) or benchmark.pixel_scale <= 0:
        yield f"pixel_scale is {benchmark.pixel_scale:g}; pixels are multiplied by a number above 0"
    for points in benchmark.checkpoints:
        if not 0 < points <= 100:
            yield f"checkpoints: {points:g} is no drop of accuracy in points (above 0, at most 100)"
    if len(set(benchmark.checkpoints)) < len(benchmark.checkpoints):
        yield "checkpoints: one X is named twice"


def _text_problems(benchmark: Benchmark) -> Iterator[str]:
    for key in ("name", "pruned_layer", "badnet"):
        value = getattr(benchmark, key)
        if value is not None and not value.strip():
            yield f"{key} is empty"
    if benchmark.split not in ("public", "private"):
        yield f"split is {benchmark.split!r}; public or private"


def _count_problems(benchmark: Benchmark) -> Iterator[str]:
    for key in ("images", "badnet_counts"):
        for name, count in getattr(benchmark, key).items():
            if count < 0:
                yield f"[{key}] {name} is {count}; a number of images is 0 or more"
    for key in ("tolerance_images", "dormant_channels"):
        value = getattr(benchmark, key)
        if value is not None and value < 0:
            yield f"{key} is {value}; a number of {key.partition('_')[2]} is 0 or more"


def _order_problems(benchmark: Benchmark) -> Iterator[str]:
    order = benchmark.channel_order
    if min(order, default=0) < 0 or len(set(order)) < len(order):
        yield "channel_order names each channel once, counted from 0"
    if benchmark.dormant_channels > len(order):
        yield f"dormant_channels is {benchmark.dormant_channels}, more than channel_order has"


def target_problems(target: int, classes: int, place: str) -> Iterator[str]:
    """What is wrong with a target label."""
    if not 0 <= target < classes:
        yield f"{place}target_label is {target}, outside 0..{classes - 1}"


# --- files and attacks --------------------------------------------------------------------------


def _file_problems(table: Mapping[str, Any], benchmark: Benchmark) -> Iterator[str]:
    if "files" not in table:
        return
    wanted = SPLITS if "attacks" in table else SETS
    for name in wanted:
        if name not in benchmark.files:
            yield f"[files] {name} is missing"
    for name, path in benchmark.files.items():
        yield from path_problems(path, f"[files] {name}")


def path_problems(path: str, place: str) -> Iterator[str]:
    """What keeps a text from being the path of a file."""
    if not path.strip() or "\0" in path or PurePosixPath(path).name in ("", ".."):
        yield f"{place} is {path!r}, no file's name"


def _attack_problems(table: Mapping[str, Any], benchmark: Benchmark) -> Iterator[str]:
    if not benchmark.attacks:
        yield "attacks is empty; list each as [[attacks]], or leave the key out"
    backdoored = [name for name in benchmark.files if name not in SPLITS]
    if backdoored:
        yield (
            f"both [[attacks]] and [files] {backdoored[0]}; either list the attacks with their "
            "files, or give the one attack's as bd_valid and bd_test"
        )
    if "target_label" in table:
        yield "both [[attacks]] and target_label; each attack states its own"

    names: dict[str, str] = {}
    for number, attack in enumerate(benchmark.attacks, start=1):
        label = f"attack {attack.name!r}" if attack.name.strip() else f"attack {number}"
        yield from name_problems(attack.name, label)
        folded = " ".join(attack.name.split()).casefold()
        if folded in names:
            yield f"two attacks have the name {attack.name!r}; give each its own"
        names[folded] = attack.name

        if attack.target_label is not None:
            yield from target_problems(attack.target_label, benchmark.classes, f"{label}: ")
        yield from _attack_file_problems(attack, label)
    yield from _shared_files(benchmark)


def name_problems(name: str, label: str) -> Iterator[str]:
    """What keeps a text from being the name of an attack or of a BadNet."""
    if not name.strip():
        yield f"{label}: its name is empty"
    elif len(name) > _LONGEST_NAME or not name.isprintable():
        yield f"{label}: a name is one line of at most {_LONGEST_NAME} characters"


def _attack_file_problems(attack: Attack, label: str) -> Iterator[str]:
    yield from unknown_keys(attack.files, SPLITS, f"{label}: files has ")
    for split in SPLITS:
        if split not in attack.files:
            yield f"{label}: its files name no {split}; files = {{ valid = ..., test = ... }}"
    for split, path in attack.files.items():
        yield from path_problems(path, f"{label}: files.{split}")


def _shared_files(benchmark: Benchmark) -> Iterator[str]:
    """Files that two attacks, or an attack and a clean set, name: a copied line."""
    owners = {path: f"[files] {name}" for name, path in benchmark.files.items()}
    for attack in benchmark.attacks:
        for split, path in attack.files.items():
            own = f"attack {attack.name!r} ({split})"
            if path in owners:
                yield f"{own} names the file of {owners[path]}: {path}"
            owners[path] = own
