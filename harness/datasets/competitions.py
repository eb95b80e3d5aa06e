"""Competitions: where they are, the text of a ``competition.toml``, read strictly, and their sets.

A competition is found by name (``datasets/<name>/competition.toml``) or is a folder that holds a
``competition.toml``. Its data lies as a benchmark's does. No backdoored image belongs to ``valid``,
and a BadNet of which no triggers are told has none at all: such a set is empty.
"""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.datasets.attack_sets import join_attacks
from harness.datasets.description_text import (
    MAX_CLASSES,
    convert_table,
    name_problems,
    parse_table,
    path_problems,
    require_none,
    target_problems,
    unknown_keys,
)
from harness.datasets.descriptions import (
    COMPETITION_FILE,
    data_folder,
    datasets_folder,
    require_published,
)
from harness.datasets.hdf5 import read_set
from harness.records.benchmark import (
    CLEAN_SPLITS,
    CleanTwin,
    CompetingNetwork,
    Competition,
    LabeledSet,
    ReferenceCounts,
    Trigger,
)
from harness.records.errors import HarnessError
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.datasets.hdf5 import CacheProtocol

FEWEST = 1
"""BadNets of a competition: with one alone it still has no X."""


def competition_names() -> list[str]:
    """Names of the competitions that come with the harness."""
    return sorted(path.parent.name for path in datasets_folder().glob(f"*/{COMPETITION_FILE}"))


def is_competition(name_or_folder: str) -> bool:
    """Whether this is a competition's name, or a folder with its description."""
    return name_or_folder in competition_names() or _description(name_or_folder).is_file()


def _description(name_or_folder: str) -> Path:
    """Where the description would be: a name comes before a folder, as a benchmark's does."""
    folder = datasets_folder() if name_or_folder in competition_names() else Path()
    return folder / name_or_folder / COMPETITION_FILE


def load_competition(name_or_folder: str) -> tuple[Competition, Path]:
    """A competition and the folder that holds (or will hold) its data files.

    Raises HarnessError for one that is not there, or is described wrongly.
    """
    path = _description(name_or_folder)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path}: not a description of a competition ({error})") from None
    competition = parse_competition(text, path.parent.resolve().name, str(path))
    if name_or_folder in competition_names():
        return competition, data_folder(name_or_folder)
    return competition, path.parent


def parse_competition(text: str, name: str, where: str) -> Competition:
    """A competition from the text of its description; ``name`` is for one that states none.

    Raises HarnessError that begins with ``where`` and says what is wrong.
    """
    table = parse_table(text, where)
    require_none(where, list(_key_problems(table)))
    competition: Competition = convert_table({"name": name} | table, Competition, where)
    require_none(where, list(_problems(competition)))
    return competition


# --- keys ---------------------------------------------------------------------------------------


def _key_problems(table: Mapping[str, Any]) -> Iterator[str]:
    yield from unknown_keys(table, _names(Competition), "")
    if isinstance(table.get("files"), dict):
        yield from unknown_keys(table["files"], CLEAN_SPLITS, "[files] ")
    networks = table.get("networks")
    if not _is_tables(networks):
        yield "networks is a list of tables, each begun by [[networks]]"
        return
    for number, network in enumerate(networks or (), start=1):
        yield from _network_key_problems(network, number)
    yield from _twin_key_problems(table.get("twins", []))


def _twin_key_problems(twins: object) -> Iterator[str]:
    if not isinstance(twins, list) or not _is_tables(twins):
        yield "twins is a list of tables, each begun by [[twins]]"
        return
    for number, twin in enumerate(twins, start=1):
        label = _label(twin.get("name"), number, "twin")
        yield from unknown_keys(twin, _names(CleanTwin), f"{label}: ")
        for key in ("name", "of", "network"):
            if key not in twin:
                yield f"{label}: its {key} is missing"


def _network_key_problems(network: Mapping[str, Any], number: int) -> Iterator[str]:
    label = _label(network.get("name"), number)
    yield from unknown_keys(network, _names(CompetingNetwork), f"{label}: ")
    for key in ("name", "badnet"):
        if key not in network:
            yield f"{label}: its {key} is missing"
    if isinstance(network.get("files"), dict):
        yield from unknown_keys(network["files"], CLEAN_SPLITS, f"{label}: files has ")
    if isinstance(network.get("reference"), dict):
        yield from unknown_keys(network["reference"], _names(ReferenceCounts), f"{label}: ")
    triggers = network.get("triggers", [])
    if not _is_tables(triggers):
        yield f"{label}: triggers is a list of tables, each begun by [[networks.triggers]]"
        return
    for trigger in triggers:
        yield from unknown_keys(trigger, _names(Trigger), f"{label}, triggers: ")
        for key in ("name", "file"):
            if key not in trigger:
                yield f"{label}: the {key} of one of its triggers is missing"


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


def _label(name: object, number: int, kind: str = "network") -> str:
    """How a BadNet is called: by its name, else by its number from 1."""
    return f"{kind} {name!r:.60}" if isinstance(name, str) and name else f"{kind} {number}"


# --- values -------------------------------------------------------------------------------------


def _problems(competition: Competition) -> Iterator[str]:
    if not competition.name.strip() or "/" in competition.name:
        yield f"name is {competition.name!r:.60}; a name is a word without slashes"
    if not 2 <= competition.classes <= MAX_CLASSES:
        yield f"classes is {competition.classes}; a competition has 2 to {MAX_CLASSES:,}"
    if min(competition.input_shape) < 1:
        yield f"input_shape is {list(competition.input_shape)}; rows, columns, channels of an image"
    if not math.isfinite(competition.pixel_scale) or competition.pixel_scale <= 0:
        yield f"pixel_scale is {competition.pixel_scale:g}; pixels are multiplied by more than 0"
    if len(competition.networks) < FEWEST:
        yield "networks is empty; list each BadNet as [[networks]]"
    for split, path in competition.files.items():
        yield from path_problems(path, f"[files] {split}")

    seen: set[str] = set()
    for number, network in enumerate(competition.networks, start=1):
        yield from _network_problems(competition, network, _label(network.name, number))
        folded = network.name.strip().casefold()
        if folded in seen:
            yield f"two networks have the name {network.name!r:.60}; give each its own"
        seen.add(folded)
    yield from _twin_problems(competition, seen)


def _twin_problems(competition: Competition, seen: set[str]) -> Iterator[str]:
    """What is wrong with clean twins; ``seen`` are the names of BadNets."""
    without = {network.name for network in competition.networks}
    for number, twin in enumerate(competition.twins, start=1):
        label = _label(twin.name, number, "twin")
        yield from name_problems(twin.name, label)
        yield from path_problems(twin.network, f"{label}: network")
        folded = twin.name.strip().casefold()
        if folded in seen:
            yield f"two networks have the name {twin.name!r:.60}; give each its own"
        seen.add(folded)
        if twin.of not in without:
            yield f"{label}: of is {twin.of!r:.60}, no BadNet of it, or one that has a twin already"
        without.discard(twin.of)


def _network_problems(
    competition: Competition, network: CompetingNetwork, label: str
) -> Iterator[str]:
    yield from name_problems(network.name, label)
    yield from path_problems(network.badnet, f"{label}: badnet")
    for split in CLEAN_SPLITS:
        if split not in competition.clean_files(network):
            yield f"{label}: no {split} file, neither its own nor in [files]"
    for split, path in network.files.items():
        yield from path_problems(path, f"{label}: files.{split}")

    names: set[str] = set()
    for trigger in network.triggers:
        of = f"{label}, trigger {trigger.name!r:.60}"
        yield from name_problems(trigger.name, of)
        yield from path_problems(trigger.file, f"{of}: file")
        if trigger.target_label is not None:
            yield from target_problems(trigger.target_label, competition.classes, f"{of}: ")
        folded = " ".join(trigger.name.split()).casefold()
        if folded in names:
            yield f"{label}: two triggers have the name {trigger.name!r:.60}"
        names.add(folded)


# --- data files ---------------------------------------------------------------------------------


def competing_badnet_file(
    competition: Competition, network: CompetingNetwork, folder: Path
) -> Path:
    """The BadNet: with the data, or beside the description. Raises HarnessError for none."""
    for base in (folder, datasets_folder() / competition.name):
        if (base / network.badnet).is_file():
            return base / network.badnet
    raise HarnessError(
        f"{folder / network.badnet}: the BadNet {network.name} of {competition.name} is missing; "
        "put it there"
    )


# --- sets ---------------------------------------------------------------------------------------


def load_competition_sets(
    competition: Competition,
    network: CompetingNetwork,
    folder: Path,
    cache: CacheProtocol | None = None,
) -> dict[str, LabeledSet]:
    """The four sets of one of the BadNets, keyed valid, test, bd_valid, bd_test.

    Raises HarnessError that names a file which is missing, damaged, or not the published one.
    """
    benchmark = competition.benchmark_of(network)

    def read(path: str, name: str) -> LabeledSet:
        labeled = read_set(folder / path, name, benchmark, cache)
        place = folder / path
        require_published(labeled, competition.hashes.get(path), [place], competition.name)
        return labeled

    sets = {split: read(path, split) for split, path in competition.clean_files(network).items()}
    empty = _empty_set("bd_valid", sets["valid"])
    if not network.triggers:
        return {**sets, "bd_valid": empty, "bd_test": _empty_set("bd_test", sets["test"])}

    poisoned = [read(trigger.file, "bd_test") for trigger in network.triggers]
    for trigger, labeled in zip(network.triggers, poisoned, strict=True):
        _require_target(trigger, labeled, folder / trigger.file)
    joined = join_attacks("bd_test", benchmark.attacks, poisoned, cache)
    return {**sets, "bd_valid": empty, "bd_test": joined}


def _require_target(trigger: Trigger, labeled: LabeledSet, path: Path) -> None:
    if trigger.target_label is None:
        return
    other = np.flatnonzero(labeled.labels != trigger.target_label)
    if len(other):
        raise HarnessError(
            f"{path}: a label other than the target {trigger.target_label} "
            f"({labeled.labels[other[0]]}, image {other[0]}); competition.toml states the target, "
            "and label is each backdoored image's"
        )


def _empty_set(name: str, like: LabeledSet) -> LabeledSet:
    images = np.empty((0, *like.images.shape[1:]), np.uint8)
    labels = np.empty(0, np.int64)
    return LabeledSet(
        name=name,
        kind="backdoored",
        images=images,
        labels=labels,
        sha256=array_hash({"data": images, "label": labels}),
    )
