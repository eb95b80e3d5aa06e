"""What scenarios and pictures are made of: the embedded benchmark and the worked example on it."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.datasets.descriptions import datasets_folder, load_benchmark
from harness.lineage.rankings import Rankings, known_rankings
from harness.networks.weight_files import read_model
from harness.records.record import Record

if TYPE_CHECKING:
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Benchmark
    from harness.records.record import Checkpoint

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "record.example.json"
CURVE = ROOT / "submissions" / "jk7846" / "curve.csv"


@cache
def benchmark() -> Benchmark:
    """The embedded benchmark's description."""
    return load_benchmark("faces")[0]


@cache
def badnet() -> Weights:
    """Its BadNet."""
    weights = read_model(datasets_folder() / "faces" / "bd_weights.h5").weights
    if weights is None:
        raise ValueError("the embedded BadNet is not the known network")
    return dict(weights)


@cache
def rankings() -> Rankings:
    """The orders in which its channels may be pruned."""
    return known_rankings(benchmark(), {})


@cache
def example() -> Record:
    """The worked example as it was graded, without the report's claims."""
    record = msgspec.json.decode(EXAMPLE.read_bytes(), type=Record)
    return replace(record, claimed=(), claims=())


@cache
def correct() -> tuple[int, ...]:
    """Clean validation images that are right after 0, 1, ... 60 pruned channels."""
    images = benchmark().images["valid"]
    with CURVE.open(encoding="utf-8") as file:
        return tuple(round(float(row["clean_accuracy"]) * images) for row in csv.DictReader(file))


def order() -> tuple[int, ...]:
    """All 60 channels, the least active first."""
    return benchmark().channel_order


def good() -> list[tuple[float, Checkpoint]]:
    """The example's checkpoints by X."""
    return [(checkpoint.drop_points or 0, checkpoint) for checkpoint in example().checkpoints]
