"""The commands ``data``: describe, make, fetch, verify and import a benchmark."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, paths
from harness.cli.benchmark_check import verify_badnet, verify_files
from harness.cli.data_competition import (
    describe_competition,
    fetch_competition_data,
    make_competition_data,
    verify_competition_data,
)
from harness.cli.data_import import import_data
from harness.datasets.competitions import competition_names, is_competition
from harness.datasets.description_text import format_description
from harness.datasets.descriptions import (
    benchmark_names,
    data_instructions,
    data_is_present,
    generate_data,
    load_benchmark,
    load_sets,
    read_description,
)
from harness.execution.console import one_line_errors
from harness.networks.deepid import IMAGE_SHAPE
from harness.records.benchmark import shape_text
from harness.records.environment import install_command
from harness.records.errors import HarnessError
from harness.records.text import describe_error, one_line
from harness.storage.results import write_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.records.benchmark import Attack, Benchmark


@click.group()
def data() -> None:
    """Benchmarks: make, fetch, verify, import, describe."""


@data.command("info")
@click.argument("name", required=False)
def data_info(name: str | None) -> None:
    """Describe a benchmark, or list all."""
    with one_line_errors():
        for each in [name] if name else sorted([*benchmark_names(), *competition_names()]):
            click.echo("\n".join(describe(each)))


@data.command("make")
@click.argument("name")
@click.option("--secret", type=paths.IN_FILE, metavar="FILE",
              help="Draw a private split from the contents of FILE.")  # fmt: skip
@options.out(type=paths.OUT_FOLDER, metavar="DIR",
             help="Where it goes, for --dataset DIR.  [default: its own folder]")  # fmt: skip
def data_make(name: str, secret: Path | None, out: Path | None) -> None:
    """Generate a benchmark's data."""
    with one_line_errors():
        click.echo(f"{name}: {make_data(name, secret, out)}")


@data.command("fetch")
@click.argument("name")
def data_fetch(name: str) -> None:
    """Download a benchmark's data and verify it."""
    with one_line_errors():
        click.echo("\n".join(fetch_data(name)))


@data.command("verify")
@click.argument("name")
@options.badnet
def data_verify(name: str, badnet: Path | None) -> None:
    """Check a benchmark's files, and what the BadNet scores on them."""
    with one_line_errors():
        click.echo("\n".join(verify_data(name, badnet)))


data.add_command(import_data)


# --- what they do -----------------------------------------------------------------------------


def describe(name: str) -> list[str]:
    """Lines that describe a benchmark and say where its data is."""
    if is_competition(name):
        return describe_competition(name)
    benchmark, folder = load_benchmark(name)
    state = "present" if data_is_present(benchmark, folder) else "not there yet"
    images = ", ".join(f"{name} {count}" for name, count in benchmark.images.items())
    lines = {
        "": f"{benchmark.classes} classes, {_targets(benchmark)}"
        f"pixels x {benchmark.pixel_scale:g}, checkpoints "
        + ", ".join(f"{x:g}" for x in benchmark.checkpoints),
        "images: ": ", ".join(filter(None, (_shape(benchmark), images))),
        "data: ": f"{folder} ({state}; {data_instructions(benchmark)})",
        "licence: ": benchmark.licence,
    }
    told = [f"  {title}{said}" for title, said in lines.items() if said]
    told += [f"  attack: {_describe_attack(attack)}" for attack in benchmark.attacks]
    return [one_line(line) for line in (f"{benchmark.name}: {benchmark.title}", *told)]


def _targets(benchmark: Benchmark) -> str:
    return "" if benchmark.attacks else f"target label {benchmark.target_label}, "


def _shape(benchmark: Benchmark) -> str:
    """The shape of an image; empty for the lab's, which goes without saying."""
    if benchmark.input_shape == IMAGE_SHAPE:
        return ""
    return shape_text(benchmark.input_shape)


def _describe_attack(attack: Attack) -> str:
    target = (
        "a target for each image"
        if attack.target_label is None
        else (f"target label {attack.target_label}")
    )
    return ", ".join(filter(None, (attack.name, attack.trigger, target)))


def make_data(name: str, secret: Path | None, out: Path | None) -> Path:
    """Generate a benchmark's data; with ``secret`` a private split of its own. Returns where.

    A private split, and what goes to ``out``, is a dataset folder for ``--dataset``; the secret
    is not written anywhere.
    """
    if is_competition(name):
        return make_competition_data(name, secret, out)
    benchmark, folder = load_benchmark(name)
    if out is not None:
        _require_same(benchmark, out, private=secret is not None)
    if secret is None:
        folder = out or folder
        if not data_is_present(benchmark, folder):
            generate_data(benchmark, folder)
        load_sets(benchmark, folder)
        if out is not None:
            write_text(out / "dataset.toml", format_description(benchmark))
        return folder
    if not secret.is_file():
        raise HarnessError(f"{secret}: no such file; --secret takes a file with a secret in it")
    private = out or folder.with_name(f"{folder.name}-private")
    generate_data(benchmark, private, secret)
    _describe_private(benchmark, private)
    return private


def _require_same(benchmark: Benchmark, folder: Path, *, private: bool) -> None:
    """Raise HarnessError where a folder holds another benchmark, which would be written over."""
    described = folder / "dataset.toml"
    if not described.is_file():
        return
    found = read_description(described)
    if (found.name, found.split == "private") != (benchmark.name, private):
        kind = "a private split" if found.split == "private" else "the public data"
        raise HarnessError(f"{folder}: holds {kind} of {found.name}; name another folder as --out")


def _describe_private(benchmark: Benchmark, folder: Path) -> None:
    sets = load_sets(replace(benchmark, hashes={}), folder)
    described = replace(
        benchmark,
        title=f"{benchmark.title} (private split)",
        split="private",
        hashes={name: labeled.sha256 for name, labeled in sets.items()},
        # What was published, or known of the public images, is not said of these.
        images={},
        badnet_counts={},
        published=(),
        channel_order=(),
        dormant_channels=0,
        conv_3_tiers=(),
        badnet_weights_hash=None,
        make=(),
        google_drive_folder=None,
        licence="",
    )
    write_text(folder / "dataset.toml", format_description(described))


def fetch_data(name: str, download: Callable[[str, Path], None] | None = None) -> list[str]:
    """Download a benchmark's data, verify it, put it in place; returns lines to show.

    ``download`` gets a Google Drive folder id and a folder to fill (default: gdown). Nothing
    is put in place before it was verified.
    """
    if is_competition(name):
        return fetch_competition_data(name, download or _download, _collect)
    benchmark, folder = load_benchmark(name)
    if benchmark.google_drive_folder is None:
        raise HarnessError(f"{name}: not to be downloaded; {data_instructions(benchmark)}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        (download or _download)(benchmark.google_drive_folder, Path(scratch))
        complete = Path(scratch) / "complete"
        for path in benchmark.data_files:
            _collect(Path(scratch), path, complete / path)
        lines = verify_files(benchmark, complete)
        for path in benchmark.data_files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (complete / path).replace(folder / path)
    return [*lines, *verify_badnet(benchmark, folder, None)]


def _download(folder_id: str, target: Path) -> None:
    try:
        import gdown
    except ImportError:
        raise HarnessError(f"downloading needs gdown: {install_command('download')}") from None
    try:
        gdown.download_folder(id=folder_id, output=str(target), quiet=False)
    except Exception as error:  # noqa: BLE001 - gdown and requests raise many types
        raise HarnessError(
            f"the download failed ({describe_error(error)}); try again later"
        ) from None


def _collect(scratch: Path, wanted: str, target: Path) -> None:
    """Move the file out of a download that is called as ``wanted``, in a folder as wanted too."""
    name = Path(wanted).name
    complete = scratch / "complete"
    found = [path for path in scratch.rglob(name) if complete not in path.parents]
    found.sort(key=lambda path: (len(path.parts), path))
    if not found:
        raise HarnessError(f"the download holds no {name}; nothing was changed, try again later")
    # Two attacks may call their files alike, in folders of their own.
    same_folder = [path for path in found if path.parent.name == Path(wanted).parent.name]
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move((same_folder or found)[0], target)


def verify_data(name: str, badnet: Path | None = None) -> list[str]:
    """Check files, shapes, images per class, and the BadNet's published counts."""
    if is_competition(name):
        if badnet is not None:
            raise HarnessError(f"{name}: a competition's BadNets are named in its competition.toml")
        return verify_competition_data(name)
    benchmark, folder = load_benchmark(name)
    return [*verify_files(benchmark, folder), *verify_badnet(benchmark, folder, badnet)]
