"""The commands ``data``: describe, make, fetch and verify a benchmark."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from harness.cli import options, paths
from harness.datasets.descriptions import (
    badnet_file,
    benchmark_names,
    data_instructions,
    data_is_present,
    generate_data,
    load_benchmark,
    load_sets,
)
from harness.execution.console import one_line_errors
from harness.inference.known_network import predict_known_network, read_benchmark_badnet
from harness.inference.plausibility import require_plausible
from harness.records.benchmark import Datasets
from harness.records.errors import HarnessError
from harness.records.rubric import Thresholds
from harness.records.text import describe_error
from harness.storage.results import write_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.records.benchmark import Benchmark


@click.group()
def data() -> None:
    """Benchmarks: make, fetch, verify, describe."""


@data.command("info")
@click.argument("name", required=False)
def data_info(name: str | None) -> None:
    """Describe a benchmark, or list all."""
    with one_line_errors():
        for each in [name] if name else benchmark_names():
            click.echo("\n".join(describe(each)))


@data.command("make")
@click.argument("name")
@click.option("--secret", type=paths.IN_FILE, metavar="FILE",
              help="Draw a private split from the contents of FILE.")  # fmt: skip
@click.option("--out", type=paths.OUT_FOLDER, metavar="DIR", help="Where the private split goes.")
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


# --- what they do -----------------------------------------------------------------------------


def describe(name: str) -> list[str]:
    """Lines that describe a benchmark and say where its data is."""
    benchmark, folder = load_benchmark(name)
    state = "present" if data_is_present(benchmark, folder) else "not there yet"
    images = ", ".join(f"{name} {count}" for name, count in benchmark.images.items())
    lines = {
        "": f"{benchmark.classes} classes, target label {benchmark.target_label}, "
        f"pixels x {benchmark.pixel_scale:g}, checkpoints "
        + ", ".join(f"{x:g}" for x in benchmark.checkpoints),
        "images: ": images,
        "data: ": f"{folder} ({state}; {data_instructions(benchmark)})",
        "licence: ": benchmark.licence,
    }
    told = [f"  {title}{said}" for title, said in lines.items() if said]
    return [f"{benchmark.name}: {benchmark.title}", *told]


def make_data(name: str, secret: Path | None, out: Path | None) -> Path:
    """Generate a benchmark's data; with ``secret`` a private split of its own. Returns where.

    A private split is a dataset folder for ``--dataset``; the secret is not written anywhere.
    """
    benchmark, folder = load_benchmark(name)
    if secret is None:
        if not data_is_present(benchmark, folder):
            generate_data(benchmark, folder)
        load_sets(benchmark, folder)
        return folder
    if not secret.is_file():
        raise HarnessError(f"{secret}: no such file; --secret takes a file with a secret in it")
    private = out or folder.with_name(f"{folder.name}-private")
    generate_data(benchmark, private, secret)
    _describe_private(benchmark, private)
    return private


def _describe_private(benchmark: Benchmark, folder: Path) -> None:
    import tomli_w

    sets = load_sets(replace(benchmark, hashes={}), folder)
    description = {
        "schema_version": benchmark.schema_version,
        "name": benchmark.name,
        "title": f"{benchmark.title} (private split)",
        "split": "private",
        "classes": benchmark.classes,
        "target_label": benchmark.target_label,
        "pixel_scale": benchmark.pixel_scale,
        "checkpoints": list(benchmark.checkpoints),
        "files": benchmark.files,
        "hashes": {name: labeled.sha256 for name, labeled in sets.items()},
    }
    if benchmark.badnet is not None:
        description["badnet"] = benchmark.badnet
    write_text(folder / "dataset.toml", tomli_w.dumps(description))


def fetch_data(name: str, download: Callable[[str, Path], None] | None = None) -> list[str]:
    """Download a benchmark's data, verify it, put it in place; returns lines to show.

    ``download`` gets a Google Drive folder id and a folder to fill (default: gdown). Nothing
    is put in place before it was verified.
    """
    benchmark, folder = load_benchmark(name)
    if benchmark.google_drive_folder is None:
        raise HarnessError(f"{name}: not to be downloaded; {data_instructions(benchmark)}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
        (download or _download)(benchmark.google_drive_folder, Path(scratch))
        complete = Path(scratch) / "complete"
        for path in benchmark.files.values():
            _collect(Path(scratch), Path(path).name, complete / path)
        lines = _verify_files(benchmark, complete)
        for path in benchmark.files.values():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (complete / path).replace(folder / path)
    return [*lines, *_verify_badnet(benchmark, folder, None)]


def _download(folder_id: str, target: Path) -> None:
    try:
        import gdown
    except ImportError:
        raise HarnessError(
            "downloading needs gdown: pip install 'backdoor-defence-harness[download]'"
        ) from None
    try:
        gdown.download_folder(id=folder_id, output=str(target), quiet=False)
    except Exception as error:  # noqa: BLE001 - gdown and requests raise many types
        raise HarnessError(
            f"the download failed ({describe_error(error)}); try again later"
        ) from None


def _collect(scratch: Path, name: str, target: Path) -> None:
    found = sorted(path for path in scratch.rglob(name) if target not in path.parents)
    if not found:
        raise HarnessError(f"the download holds no {name}; nothing was changed, try again later")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(found[0], target)


def verify_data(name: str, badnet: Path | None = None) -> list[str]:
    """Check files, shapes, images per class, and the BadNet's published counts."""
    benchmark, folder = load_benchmark(name)
    return [*_verify_files(benchmark, folder), *_verify_badnet(benchmark, folder, badnet)]


def _verify_files(benchmark: Benchmark, folder: Path) -> list[str]:
    lines = []
    for name, labeled in load_sets(benchmark, folder).items():
        expected = benchmark.images.get(name, len(labeled.labels))
        path = folder / benchmark.files[name]
        if len(labeled.labels) != expected:
            raise HarnessError(f"{path}: {len(labeled.labels)} images, expected {expected}")
        if labeled.kind == "clean":
            per_class = np.bincount(labeled.labels, minlength=benchmark.classes)
            if name in benchmark.images and len(set(per_class.tolist())) != 1:
                raise HarnessError(f"{path}: not the same number of images in every class")
        elif (labeled.labels != benchmark.target_label).any():
            raise HarnessError(f"{path}: a label other than the target {benchmark.target_label}")
        lines.append(f"{path}: {expected} images, ok")
    return lines


def _verify_badnet(benchmark: Benchmark, folder: Path, badnet: Path | None) -> list[str]:
    """Compare the BadNet's hits with the published ones, within 2 images."""
    try:
        path = badnet or badnet_file(benchmark, folder)
    except HarnessError as error:
        return [f"not checked against the BadNet: {error}"]
    network, weights = read_benchmark_badnet(path, benchmark)
    sets = load_sets(benchmark, folder)
    datasets = Datasets(benchmark=benchmark, sets=sets, network=network)
    require_plausible(datasets, weights, str(folder))
    answers = predict_known_network(weights, datasets).answers
    lines = []
    for name, labeled in sets.items():
        hits = int(np.count_nonzero(answers[name].class_ids == labeled.labels))
        published = benchmark.badnet_counts.get(name)
        if published is not None and abs(hits - published) > Thresholds().tolerance_images:
            raise HarnessError(
                f"{folder / benchmark.files[name]}: the BadNet hits {hits} labels, published are "
                f"{published}; these are not the published images"
            )
        lines.append(f"the BadNet hits {hits} of {len(labeled.labels)} labels of {name}")
    return lines
