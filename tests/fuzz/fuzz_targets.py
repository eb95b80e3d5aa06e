"""Every reader that is fuzzed: how its inputs are made, and what is checked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import fuzz_archives
import fuzz_arrays
import fuzz_configs
import fuzz_declarations
import fuzz_graphs
import fuzz_networks
import fuzz_people
import misdeeds

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A reader of strangers' bytes."""

    inputs: SearchStrategy[bytes]

    check: Callable[[bytes, Path], str]
    """Reads the bytes in an empty folder. Returns what came of it, and raises for what may not
    be."""

    examples: int
    """So many make a few seconds."""

    cpu_seconds: float = 10
    """Of processor time, for one input."""

    memory_bytes: int = 1 << 30
    """More than the reader's process needs before it reads."""

    in_child: bool = False
    """Whether a child of the sandbox reads."""

    may_crash: bool = False
    """Whether it reads by a library in C, so that it may end by a signal."""

    large: tuple[bytes, ...] = ()
    """Inputs that take a reader long which compares each line with each other."""


TARGETS = {
    "declarations": Target(
        inputs=fuzz_declarations.INPUTS,
        check=fuzz_declarations.check,
        in_child=True,
        examples=400,
        memory_bytes=256 << 20,
    ),
    "rosters": Target(
        inputs=fuzz_people.ROSTERS,
        check=fuzz_people.check_roster,
        large=fuzz_people.LARGE_ROSTERS,
        examples=400,
        memory_bytes=256 << 20,
    ),
    "metadata": Target(
        inputs=fuzz_people.METADATA,
        check=fuzz_people.check_metadata,
        large=(fuzz_people.LARGE_METADATA,),
        examples=400,
        memory_bytes=256 << 20,
    ),
    "lms_names": Target(
        inputs=fuzz_people.LMS_NAMES,
        check=fuzz_people.check_lms_names,
        examples=400,
        memory_bytes=256 << 20,
    ),
    "archives": Target(
        inputs=fuzz_archives.ARCHIVES,
        check=fuzz_archives.check_archive,
        in_child=True,
        examples=250,
        memory_bytes=512 << 20,
    ),
    "bulk_downloads": Target(
        inputs=fuzz_archives.BULK_DOWNLOADS,
        check=fuzz_archives.check_bulk_download,
        in_child=True,
        examples=200,
        memory_bytes=512 << 20,
    ),
    "configs": Target(
        inputs=fuzz_configs.CONFIGS,
        check=fuzz_configs.check_config,
        examples=400,
    ),
    "hdf5": Target(
        inputs=fuzz_networks.HDF5_FILES,
        check=fuzz_networks.check_model,
        in_child=True,
        examples=150,
        may_crash=True,
    ),
    "keras": Target(
        inputs=fuzz_networks.KERAS_FILES,
        check=fuzz_networks.check_model,
        in_child=True,
        examples=150,
        may_crash=True,
    ),
    "torch": Target(
        inputs=fuzz_arrays.TORCH_FILES,
        check=fuzz_arrays.check_arrays,
        in_child=True,
        examples=200,
    ),
    "graphs": Target(
        inputs=fuzz_graphs.INPUTS,
        check=fuzz_graphs.check_graph,
        in_child=True,
        examples=300,
    ),
    "safetensors": Target(
        inputs=fuzz_arrays.SAFETENSORS_FILES,
        check=fuzz_arrays.check_arrays,
        in_child=True,
        examples=200,
    ),
    "numpy": Target(
        inputs=fuzz_arrays.NUMPY_FILES,
        check=fuzz_arrays.check_arrays,
        in_child=True,
        examples=200,
    ),
}

MISDEEDS = {
    check.__name__: Target(
        inputs=misdeeds.INPUTS, check=check, examples=1, cpu_seconds=0.5, memory_bytes=200 << 20
    )
    for check in misdeeds.MISDEEDS
}
"""Targets that do what no reader may."""
