"""Zoos: competitions whose BadNets were drawn to benchmark defences on.

Each of a zoo's BadNets says which attack was planted in it and from which seed it was drawn. What
a defence is given are the images of ``valid``; it is judged on those of ``test``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.competitions import load_competition
from harness.datasets.descriptions import COMPETITION_FILE, data_folder, require_data
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.records.benchmark import CompetingNetwork, Competition

ZOOS = ("digits", "signs", "faces")
"""The benchmarks for which the reference draws BadNets."""

SEPARATOR = "@"
"""Between defence and BadNet in the name of a cell, and between a defence and settings of it:
``anp@threshold=0.3@patch-0``. No BadNet has it in its name."""


def cell_name(defence: str, network: str) -> str:
    """What one defence on one BadNet is called."""
    return f"{defence}{SEPARATOR}{network}"


def split_name(name: str) -> tuple[str, str]:
    """The defence and the BadNet of a cell."""
    defence, _, network = name.rpartition(SEPARATOR)
    return defence, network


def setting_name(defence: str, settings: Mapping[str, str]) -> str:
    """What a defence with these settings, given as texts, is called; itself without any."""
    if not settings:
        return defence
    pairs = ",".join(f"{name}={text}" for name, text in sorted(settings.items()))
    return f"{defence}{SEPARATOR}{pairs}"


def split_settings(defence: str) -> tuple[str, dict[str, str]]:
    """The defence itself and its settings, of a name that `setting_name` made."""
    name, _, pairs = defence.partition(SEPARATOR)
    settings = (pair.partition("=") for pair in pairs.split(",") if pair)
    return name, {setting: text for setting, _, text in settings}


def zoo_folder(name_or_folder: str) -> Path:
    """Where a zoo lies: with the data of its benchmark, or where somebody put it."""
    return data_folder(name_or_folder) / "zoo" if name_or_folder in ZOOS else Path(name_or_folder)


def load_zoo(name_or_folder: str) -> tuple[Competition, Path]:
    """A zoo and its folder. Raises HarnessError with the command that makes one."""
    folder = zoo_folder(name_or_folder)
    if not (folder / COMPETITION_FILE).is_file():
        if name_or_folder in ZOOS:
            how = f"`python -m reference zoo {name_or_folder}` makes it"
        else:
            how = (
                f"name one of {', '.join(ZOOS)}, or the folder of a zoo; "
                f"`python -m reference zoo {ZOOS[0]} --out {folder}` makes one"
            )
        raise HarnessError(f"{folder}: no zoo there ({COMPETITION_FILE} is missing); {how}")
    zoo, folder = load_competition(str(folder))
    for network in zoo.networks:
        where = f"{folder / COMPETITION_FILE}: {network.name}"
        if network.attack is None or network.seed is None:
            raise HarnessError(f"{where}: a BadNet of a zoo has an attack and a seed")
        if SEPARATOR in network.name:
            raise HarnessError(f"{where}: a name without {SEPARATOR}, please")
        if not network.triggers:
            raise HarnessError(f"{where}: no triggers; a defence is judged on backdoored images")
    require_data(zoo, folder)
    return zoo, folder


def require_twins(zoo: Competition, folder: Path) -> None:
    """Raise HarnessError with what to do where a BadNet has no clean twin, or its file is gone."""
    where = folder / COMPETITION_FILE
    known = {twin.of for twin in zoo.twins}
    without = [network.name for network in zoo.networks if network.name not in known]
    if without:
        which = "no BadNet has a clean twin"
        if known:
            of = f"{len(without)} of {len(zoo.networks)} BadNets"
            which = f"{of} have no clean twin ({without[0]} is one of them)"
        how = _how_to_make_twins(zoo, folder)
        raise HarnessError(f"{where}: {which}, beside which detectors are judged; {how}")
    for twin in zoo.twins:
        if SEPARATOR in twin.name:
            raise HarnessError(f"{where}: {twin.name}: a name without {SEPARATOR}, please")
        if not (folder / twin.network).is_file():
            how = _how_to_make_twins(zoo, folder)
            raise HarnessError(f"{folder / twin.network}: the clean twin is missing; {how}")


def _how_to_make_twins(zoo: Competition, folder: Path) -> str:
    benchmark = zoo.name.removesuffix("-zoo")
    if benchmark not in ZOOS:
        return "list a clean network for each as [[twins]] with name, of and network"
    attacks = ",".join(dict.fromkeys(str(network.attack) for network in zoo.networks))
    place = "" if folder == zoo_folder(benchmark) else f" --out {folder}"
    command = f"python -m reference zoo {benchmark} --attacks {attacks} --clean-twins{place}"
    return f"`{command}` trains them (a zoo of --secret or --epochs needs that again)"


def with_twins(zoo: Competition) -> Competition:
    """The zoo with each clean twin as a network of its own, behind its BadNet.

    It has its BadNet's attack and seed, and no triggers.
    """
    twins = {twin.of: twin for twin in zoo.twins}
    networks: list[CompetingNetwork] = []
    for network in zoo.networks:
        networks.append(network)
        twin = twins.get(network.name)
        if twin is not None:
            clean = replace(network, name=twin.name, badnet=twin.network,
                            badnet_weights_hash=twin.weights_hash, aliases=(), triggers=(),
                            reference=None)  # fmt: skip
            networks.append(clean)
    return replace(zoo, networks=tuple(networks))


def absolute_zoo(name_or_folder: str) -> str:
    """A zoo as a process in another working directory finds it."""
    return name_or_folder if name_or_folder in ZOOS else str(Path(name_or_folder).absolute())
