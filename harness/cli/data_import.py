"""The command ``data import``: a benchmark folder from somebody's own arrays, images and BadNet."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
import numpy as np

from harness.cli import options, paths
from harness.cli.benchmark_check import ask_badnet, count_hits, implausibilities
from harness.datasets.description_text import (
    OFFICIAL_FILES,
    SCHEMA_VERSION,
    SPLITS,
    format_description,
    parse_description,
)
from harness.datasets.descriptions import benchmark_names, load_sets
from harness.datasets.own_images.array_files import ArrayKeys
from harness.datasets.own_images.image_folders import INSTALL, ORDERS
from harness.datasets.own_images.imports import (
    GivenAttack,
    Reading,
    described_attacks,
    read_images,
    write_sets,
)
from harness.datasets.pictures import contact_sheet
from harness.execution.console import one_line_errors
from harness.execution.progress import show_progress
from harness.intake.file_rules import SUFFIXES, graph_of_badnet
from harness.records.benchmark import CHECKPOINTS, SETS, Benchmark, Datasets, shape_text
from harness.records.errors import HarnessError
from harness.storage.hashing import array_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.datasets.own_images.imports import SplitImages
    from harness.execution.progress import Display
    from harness.records.predictions import Answers

SHEET = "contact_sheet.png"

WHOLE_MODELS = (".h5", ".hdf5", ".keras", ".onnx")
"""How files end that say themselves what network they hold, mostly."""

_Said = TypeVar("_Said")


@click.command("import")
@click.argument("folder", type=options.PATH, metavar="FOLDER")
@click.option("--badnet", type=paths.IN_FILE, required=True, metavar="FILE",
              help="The BadNet: a Keras or ONNX file, or arrays (a PyTorch state_dict, "
              "safetensors, .npz) with its graph as Keras's JSON beside them.")  # fmt: skip
@click.option("--clean", type=paths.IN_DATA, metavar="SET",
              help="All clean images; they are split into validation and test.")  # fmt: skip
@click.option("--valid", type=paths.IN_DATA, metavar="SET", help="Clean validation images.")
@click.option("--test", type=paths.IN_DATA, metavar="SET", help="Clean test images.")
@click.option("--attack", type=(str, paths.IN_DATA), multiple=True, metavar="NAME SET",
              help="An attack and its backdoored images, which are split.")  # fmt: skip
@click.option("--attack-sets", type=(str, paths.IN_DATA, paths.IN_DATA), multiple=True,
              metavar="NAME SET SET",
              help="An attack and its backdoored validation and test images.")  # fmt: skip
@click.option("--target", type=(str, int), multiple=True, metavar="NAME LABEL",
              help="The class that an attack wants.  [default: each image's label]")  # fmt: skip
@click.option("--trigger", type=(str, str), multiple=True, metavar="NAME TEXT",
              help="A note on an attack's trigger.")  # fmt: skip
@click.option("--name", help="The benchmark's name.  [default: the folder's]")
@click.option("--title", help="What the benchmark is, in a few words.")
@click.option(
    "--classes",
    type=click.IntRange(min=2),
    help="How many classes there are.  [default: as labelled]",
)
@click.option("--input-shape", type=click.IntRange(min=1), nargs=3, metavar="H W C",
              help="Rows, columns and channels.  [default: told by the data]")  # fmt: skip
@click.option("--pixel-scale", type=float, default=1.0, show_default=True,
              help="What pixels are multiplied by before the BadNet sees them.")  # fmt: skip
@click.option("--checkpoint", "checkpoints", type=float, multiple=True, metavar="X",
              help="An X that is asked for, in points.  [default: 2, 4, 10]")  # fmt: skip
@click.option(
    "--tolerance-images",
    type=click.IntRange(min=0),
    help="In place of the rubric's, for small sets.",
)
@click.option("--pruned-layer", metavar="NAME",
              help="What is pruned.  [default: the last convolution that is pooled]")  # fmt: skip
@click.option("--data-key", metavar="KEY", help="The array with the images.")
@click.option("--label-key", metavar="KEY", help="The array with the labels.")
@click.option("--class-order", type=click.Choice(ORDERS), default=ORDERS[0], show_default=True,
              help="Whether 10 comes after 2 (number) or after 1 (text).")  # fmt: skip
@click.option("--valid-share", type=click.FloatRange(0, 1, min_open=True, max_open=True),
              default=0.5, show_default=True, help="Of a set that is split.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Which images go where when a set is split.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="Show no progress.")
def import_data(
    folder: Path,
    badnet: Path,
    clean: Path | None,
    valid: Path | None,
    test: Path | None,
    attack: tuple[tuple[str, Path], ...],
    attack_sets: tuple[tuple[str, Path, Path], ...],
    target: tuple[tuple[str, int], ...],
    trigger: tuple[tuple[str, str], ...],
    name: str | None,
    title: str | None,
    classes: int | None,
    input_shape: tuple[int, int, int] | None,
    pixel_scale: float,
    checkpoints: tuple[float, ...],
    tolerance_images: int | None,
    pruned_layer: str | None,
    data_key: str | None,
    label_key: str | None,
    class_order: str,
    valid_share: float,
    seed: int,
    quiet: bool,
) -> None:
    """Make a benchmark folder of your own images and BadNet, and check it.

    A SET is an .npz or HDF5 file with images (data) and class ids (label), or a folder of images
    with one folder for each class.
    """
    with one_line_errors(), show_progress(quiet=quiet) as display:
        named = name or folder.absolute().name
        _require_free(folder, named)
        stated = Benchmark(
            schema_version=SCHEMA_VERSION,
            name=named,
            title=title or named,
            input_shape=input_shape or (1, 1, 1),
            classes=classes or 0,
            pixel_scale=pixel_scale,
            checkpoints=checkpoints or CHECKPOINTS,
            tolerance_images=tolerance_images,
            pruned_layer=pruned_layer,
            badnet=f"badnet{_suffix_of(badnet)}",
            files={split: OFFICIAL_FILES[split] for split in SPLITS},
        )
        reading = Reading(
            keys=ArrayKeys(data=data_key, labels=label_key),
            input_shape=input_shape,
            class_order=class_order,
            valid_share=valid_share,
            seed=seed,
        )
        given = _attacks(
            attack, attack_sets, _once("--target", target), _once("--trigger", trigger)
        )
        images = read_images(_clean_paths(clean, valid, test), given, reading, display)
        for remark in images.remarks:
            display.message(f"note: {remark}")
        lines = write_benchmark(folder, _described(stated, images), images, badnet, display)
        click.echo("\n".join(lines))


def _require_free(folder: Path, name: str) -> None:
    if folder.exists() or folder.is_symlink():
        raise HarnessError(f"{folder}: is there already; name a folder that is not")
    if not folder.absolute().parent.is_dir():
        raise HarnessError(f"{folder}: cannot be made: {folder.absolute().parent} is no folder")
    if name in benchmark_names():
        raise HarnessError(
            f"{folder}: {name} is the name of a benchmark that comes with the harness; "
            "pass another as --name"
        )


def _clean_paths(clean: Path | None, valid: Path | None, test: Path | None) -> list[Path]:
    if clean is not None and valid is None and test is None:
        return [clean]
    if clean is None and valid is not None and test is not None:
        return [valid, test]
    raise HarnessError("the clean images: pass --clean SET, or both --valid SET and --test SET")


def _once(option: str, given: Sequence[tuple[str, _Said]]) -> dict[str, _Said]:
    """What is said of each attack; raises HarnessError where two things are said of one."""
    said = dict(given)
    if len(said) < len(given):
        raise HarnessError(f"{option} is given twice for one attack")
    return said


def _attacks(
    split: Sequence[tuple[str, Path]],
    in_sets: Sequence[tuple[str, Path, Path]],
    targets: Mapping[str, int],
    triggers: Mapping[str, str],
) -> list[GivenAttack]:
    """The attacks as given; raises HarnessError for options that name none of them."""
    given: list[tuple[str, tuple[Path, ...]]] = [(name, (images,)) for name, images in split]
    given += [(name, (valid, test)) for name, valid, test in in_sets]
    names = [name for name, _ in given]
    if not names:
        raise HarnessError("no attack: pass --attack NAME SET, or --attack-sets NAME SET SET")
    for option, said in (("--target", targets), ("--trigger", triggers)):
        for name in said:
            if name not in names:
                raise HarnessError(f"{option} {name}: no such attack; there are {', '.join(names)}")
    return [
        GivenAttack(
            name=name,
            sets=sets,
            target=targets.get(name),
            trigger=triggers.get(name, ""),
        )
        for name, sets in given
    ]


def _described(stated: Benchmark, images: SplitImages) -> Benchmark:
    """The benchmark with what the images tell; raises HarnessError for what does not go together.

    It is read again from its own text, so that what is wrong here is said as it would be later.
    """
    described = replace(
        stated,
        input_shape=images.input_shape,
        classes=stated.classes or images.classes_seen,
        attacks=described_attacks(images),
        images={name: len(given) for name, given in _labels(images).items()},
    )
    benchmark = parse_description(format_description(described), stated.name, stated.name)
    _require_range(benchmark, images)
    return benchmark


def _labels(images: SplitImages) -> dict[str, np.ndarray]:
    labels = {split: given.labels for split, given in images.clean.items()}
    for split in SPLITS:
        of_attacks = [attack.sets[split].labels for attack in images.attacks]
        labels[f"bd_{split}"] = np.concatenate(of_attacks)
    return labels


def _require_range(benchmark: Benchmark, images: SplitImages) -> None:
    """Raise HarnessError for the first label that is no class."""
    given = [*images.clean.values(), *(s for a in images.attacks for s in a.sets.values())]
    for each in given:
        for labels in (each.labels, each.original_labels):
            if labels is not None and labels.max() >= benchmark.classes:
                raise HarnessError(
                    f"{each.source}: label {labels.max()} is outside 0..{benchmark.classes - 1} "
                    f"(image {int(labels.argmax())} of its part); see --classes"
                )


# --- the folder ---------------------------------------------------------------------------------


def write_benchmark(
    folder: Path, benchmark: Benchmark, images: SplitImages, badnet: Path, display: Display
) -> list[str]:
    """Write and check the folder beside its place, then put it there; returns lines to show.

    Nothing is left where anything fails, or is interrupted.
    """
    with tempfile.TemporaryDirectory(prefix=".import-", dir=folder.absolute().parent) as scratch:
        partial = Path(scratch) / "benchmark"
        partial.mkdir()
        write_sets(partial, benchmark.files, images, display)
        _copy_badnet(badnet, partial, benchmark)

        datasets = Datasets(benchmark=benchmark, sets=load_sets(benchmark, partial))
        total = sum(len(labeled.labels) for labeled in datasets.sets.values())
        display.stage(benchmark.name, "asking the BadNet")
        known, answers = ask_badnet(
            badnet, datasets, str(folder), lambda done: display.images(done, total)
        )
        hits = {name: count_hits(answers[name], datasets.sets[name]) for name in SETS}
        described = replace(benchmark, hashes=datasets.hashes, badnet_counts=hits)
        if _suffix_of(badnet) not in WHOLE_MODELS:
            # Arrays may be read in several ways: which one was right is kept.
            described = replace(described, badnet_weights_hash=array_hash(known.weights))
        (partial / "dataset.toml").write_text(format_description(described), encoding="utf-8")
        sheet = _write_sheet(datasets, partial / SHEET)

        lines = [*_figures(datasets, answers), sheet]
        lines += [f"implausible: {line}" for line in implausibilities(datasets, answers)]
        partial.rename(folder)
    return [
        f"{folder}: {benchmark.classes} classes, images of {shape_text(benchmark.input_shape)}",
        *lines,
    ]


def _suffix_of(badnet: Path) -> str:
    """How the name of a BadNet's file ends, in lower case."""
    name = badnet.name.lower()
    return next((each for each in SUFFIXES if name.endswith(each)), badnet.suffix.lower())


def _copy_badnet(badnet: Path, folder: Path, benchmark: Benchmark) -> None:
    """Copy the BadNet and, of arrays alone, the JSON of its graph."""
    shutil.copyfile(badnet, folder / str(benchmark.badnet))
    graph = graph_of_badnet(badnet)
    if graph is not None and _suffix_of(badnet) not in WHOLE_MODELS:
        shutil.copyfile(graph, folder / "badnet.json")


def _write_sheet(datasets: Datasets, path: Path) -> str:
    try:
        contact_sheet(datasets).save(path)
    except ImportError:
        return f"no contact sheet, which needs Pillow: {INSTALL}"
    return f"look at {SHEET}: clean images, and below them each attack's"


def _figures(datasets: Datasets, answers: Mapping[str, Answers]) -> Iterator[str]:
    for split in SPLITS:
        clean = datasets.sets[split]
        yield f"{split}: the BadNet gets {_share(count_hits(answers[split], clean), clean.labels)}"
    for split in SPLITS:
        backdoored = datasets.sets[f"bd_{split}"]
        for attack in backdoored.attacks:
            hits = count_hits(answers[backdoored.name], backdoored, attack.images)
            share = _share(hits, backdoored.labels[attack.images])
            yield f"{split}, {attack.name}: the attack gets {share}"


def _share(hits: int, labels: np.ndarray) -> str:
    return f"{hits:,} of {len(labels):,} images ({hits / len(labels):.2%})"
