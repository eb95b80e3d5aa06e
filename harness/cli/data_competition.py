"""What the commands ``data`` do with a competition of several BadNets."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.competitions import (
    competing_badnet_file,
    load_competition,
    load_competition_sets,
)
from harness.datasets.descriptions import (
    data_instructions,
    data_is_present,
    generate_data,
    require_data,
)
from harness.inference.known_network import read_benchmark_badnet
from harness.networks.forward import class_ids
from harness.records.errors import HarnessError
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.records.benchmark import CompetingNetwork, Competition


def describe_competition(name: str) -> list[str]:
    """Lines that describe a competition and say where its data is."""
    competition, folder = load_competition(name)
    state = "present" if data_is_present(competition, folder) else "not there yet"
    lines = [
        f"{competition.name}: {competition.title}",
        (
            f"  {competition.classes} classes, pixels x {competition.pixel_scale:g}, "
            f"{len(competition.networks)} BadNets"
        ),
        f"  data: {folder} ({state}; {data_instructions(competition)})",
    ]
    if competition.licence:
        lines.append(f"  licence: {competition.licence}")
    for network in competition.networks:
        told = [each.name + (" (held out)" if each.held_out else "") for each in network.triggers]
        lines.append(f"  {network.name}: {', '.join(told) or 'no backdoored images'}")
    return list(map(one_line, lines))


def make_competition_data(name: str, secret: Path | None, out: Path | None) -> Path:
    """Generate a competition's data where it is looked for; returns where."""
    competition, folder = load_competition(name)
    if secret is not None or out is not None:
        raise HarnessError(
            f"{name}: a competition's data goes to its own folder, without --secret and --out; set "
            "HARNESS_DATA to have it elsewhere"
        )
    if not data_is_present(competition, folder):
        generate_data(competition, folder)
    _read_all(competition, folder)
    return folder


def _read_all(competition: Competition, folder: Path) -> None:
    for network in competition.networks:
        load_competition_sets(competition, network, folder)


def fetch_competition_data(
    name: str, download: Callable[[str, Path], None], collect: Callable[[Path, str, Path], None]
) -> list[str]:
    """Download a competition's images, verify them, and put them in place; then its BadNets.

    ``download`` fills a folder, ``collect`` moves a file out of it. Nothing is put in place before
    all of it was verified. BadNets that are not there yet are named in a HarnessError.
    """
    competition, folder = load_competition(name)
    if competition.google_drive_folder is None:
        instructions = data_instructions(competition)
        raise HarnessError(f"{name}: not to be downloaded; {instructions}")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = competition.data_files
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        download(competition.google_drive_folder, Path(scratch))
        complete = Path(scratch) / "complete"
        for path in wanted:
            collect(Path(scratch), path, complete / path)
        _read_all(competition, complete)
        for path in wanted:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (complete / path).replace(folder / path)
    return verify_competition_data(name)


def verify_competition_data(name: str) -> list[str]:
    """Check files and BadNets, and count what each BadNet gets right."""
    competition, folder = load_competition(name)
    require_data(competition, folder)
    lines: list[str] = []
    for network in competition.networks:
        lines += _verify_network(competition, network, folder)
    return list(map(one_line, lines))


def _verify_network(
    competition: Competition, network: CompetingNetwork, folder: Path
) -> Iterator[str]:
    sets = load_competition_sets(competition, network, folder)
    path = competing_badnet_file(competition, network, folder)
    graph, weights = read_benchmark_badnet(
        path, competition.benchmark_of(network), lambda: sets["valid"]
    )
    scale = competition.pixel_scale
    for split in ("valid", "test"):
        labeled = sets[split]
        right = int((class_ids(graph, weights, labeled.images, scale) == labeled.labels).sum())
        yield (
            f"{network.name}: {split} {len(labeled.labels):,} images, {right:,} right "
            f"({100 * right / len(labeled.labels):.2f} %)"
        )
    poisoned = sets["bd_test"]
    if not poisoned.attacks:
        yield f"{network.name}: no backdoored images"
        return
    answers = class_ids(graph, weights, poisoned.images, scale) == poisoned.labels
    for attack in poisoned.attacks:
        hits = answers[attack.images]
        yield (
            f"{network.name}: {attack.name} {len(hits):,} images, attack success rate "
            f"{100 * hits.mean():.2f} %"
        )
