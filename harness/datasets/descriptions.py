"""Benchmarks: ``dataset.toml`` and the HDF5 files of the official layout.

A benchmark is found by name (``datasets/<name>/dataset.toml``) or is a folder that holds
``cl/valid.h5``, ``cl/test.h5``, ``bd/bd_valid.h5`` and ``bd/bd_test.h5``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.hdf5 import read_set
from harness.records.benchmark import Benchmark
from harness.records.errors import HarnessError, describe_exit

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.datasets.hdf5 import CacheProtocol
    from harness.records.benchmark import LabeledSet

SCHEMA_VERSION = 1

OFFICIAL_FILES = {
    "valid": "cl/valid.h5",
    "test": "cl/test.h5",
    "bd_valid": "bd/bd_valid.h5",
    "bd_test": "bd/bd_test.h5",
}
"""Path of each set's file in the official layout."""

PACKAGES = Path(__file__).resolve().parents[2]
"""The folder in which the packages ``harness`` and ``reference`` lie."""

_SHIPPED = Path(__file__).with_name("benchmarks")


def datasets_folder() -> Path:
    """Where the ``dataset.toml`` files are: in this package in a wheel, else in the checkout."""
    return _SHIPPED if _SHIPPED.is_dir() else PACKAGES / "datasets"


def benchmark_names() -> list[str]:
    """Names of the benchmarks that come with the harness."""
    return sorted(path.parent.name for path in datasets_folder().glob("*/dataset.toml"))


def is_benchmark_name(name_or_folder: str) -> bool:
    """Whether this is the name of a benchmark that comes with the harness."""
    return "/" not in name_or_folder and _shipped_description(name_or_folder).is_file()


def absolute_dataset(name_or_folder: str) -> str:
    """A benchmark's name, or a folder as a process in another working directory finds it."""
    if is_benchmark_name(name_or_folder):
        return name_or_folder
    return str(Path(name_or_folder).absolute())


def load_benchmark(name_or_folder: str) -> tuple[Benchmark, Path]:
    """Return a benchmark and the folder that holds (or will hold) its data files.

    Raises HarnessError for an unknown name, a folder in another layout, or a broken
    ``dataset.toml``.
    """
    if is_benchmark_name(name_or_folder):
        benchmark = read_description(_shipped_description(name_or_folder))
        return benchmark, data_folder(name_or_folder)

    folder = Path(name_or_folder)
    if (folder / "dataset.toml").is_file():
        return read_description(folder / "dataset.toml"), folder
    if folder.is_dir():
        return _undescribed_benchmark(folder), folder

    known = ", ".join(benchmark_names())
    raise HarnessError(
        f"{name_or_folder}: no such dataset; name one of {known}, or a folder with "
        f"{', '.join(OFFICIAL_FILES.values())}"
    )


def _shipped_description(name: str) -> Path:
    return datasets_folder() / name / "dataset.toml"


def data_folder(name: str) -> Path:
    """Where a named benchmark's data lives.

    ``$HARNESS_DATA/<name>`` if that is set, else ``datasets/<name>/data`` in a checkout, else
    the user's data folder.
    """
    root = os.environ.get("HARNESS_DATA")
    if root:
        return Path(root) / name
    in_checkout = PACKAGES / "datasets" / name
    if (PACKAGES / "pyproject.toml").is_file() and os.access(in_checkout, os.W_OK):
        return in_checkout / "data"

    import platformdirs

    return Path(platformdirs.user_data_dir("backdoor-defence-harness")) / name


def read_description(path: Path) -> Benchmark:
    """Parse a ``dataset.toml``; raises HarnessError that names the file and the key."""
    import msgspec

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        version = table.get("schema_version")
        if version != SCHEMA_VERSION:
            raise HarnessError(f"{path}: schema_version is {version}, expected {SCHEMA_VERSION}")
        return msgspec.convert({"name": path.parent.name} | table, type=Benchmark)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise HarnessError(f"{path}: not a dataset description ({error})") from None


def _undescribed_benchmark(folder: Path) -> Benchmark:
    """The benchmark in a folder that has the official layout but no ``dataset.toml``."""
    missing = [name for name in OFFICIAL_FILES.values() if not (folder / name).is_file()]
    if missing:
        raise HarnessError(
            f"{folder}: no {missing[0]} in it; a dataset folder holds "
            f"{', '.join(OFFICIAL_FILES.values())}"
        )

    name = folder.resolve().name
    return Benchmark(
        schema_version=SCHEMA_VERSION, name=name, title=f"{name} (folder)", files=OFFICIAL_FILES
    )


def badnet_file(benchmark: Benchmark, folder: Path) -> Path:
    """The BadNet's weights: beside the description, or with the data.

    Raises HarnessError where there are none.
    """
    if benchmark.badnet is None:
        raise HarnessError(f"{folder}: the dataset names no BadNet; pass its weights as --badnet")
    for base in (datasets_folder() / benchmark.name, folder):
        if (base / benchmark.badnet).is_file():
            return base / benchmark.badnet
    raise HarnessError(
        f"{folder / benchmark.badnet}: the BadNet of {benchmark.name} is missing; put it there or "
        "pass its weights as --badnet"
    )


# --- data files ---------------------------------------------------------------------------------


def data_is_present(benchmark: Benchmark, folder: Path) -> bool:
    """Whether all four files are there, whatever is in them."""
    return all((folder / path).is_file() for path in benchmark.files.values())


def require_data(benchmark: Benchmark, folder: Path) -> None:
    """Raise HarnessError that names a missing file and says how to get it."""
    for path in benchmark.files.values():
        if not (folder / path).is_file():
            raise HarnessError(f"{folder / path}: no such file; {data_instructions(benchmark)}")


def data_instructions(benchmark: Benchmark) -> str:
    """How to get a benchmark's data: a command to run, where there is one."""
    if benchmark.make:
        return f"`python -m harness data make {benchmark.name}`"
    if benchmark.google_drive_folder:
        return f"`python -m harness data fetch {benchmark.name}`"
    return "its files are yours to bring"


def generate_data(benchmark: Benchmark, folder: Path, secret: Path | None = None) -> None:
    """Run the benchmark's ``make`` command as a child process; it shows its own progress.

    With the file of a ``secret`` it makes a private split.
    """
    if not benchmark.make:
        raise HarnessError(f"{benchmark.name}: cannot be generated; {data_instructions(benchmark)}")
    command = [sys.executable, *benchmark.make, "--out", str(folder)]
    if secret is not None:
        command += ["--secret", str(secret)]

    finished = subprocess.run(command, check=False, env=child_environment())
    if finished.returncode:
        raise HarnessError(
            f"{benchmark.name}: making the data failed ({describe_exit(finished.returncode)})"
        )


def child_environment() -> dict[str, str]:
    """The environment in which ``python -m reference`` finds this project's packages."""
    paths = [str(PACKAGES), os.environ.get("PYTHONPATH")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def load_sets(
    benchmark: Benchmark,
    folder: Path,
    progress: Callable[[str], None] | None = None,
    cache: CacheProtocol | None = None,
) -> dict[str, LabeledSet]:
    """Read the four sets, keyed valid, test, bd_valid, bd_test.

    ``progress`` is called with the name of each set before it is read. Raises HarnessError that
    names a file which is missing, damaged or not the published one.
    """
    require_data(benchmark, folder)
    sets = {}
    for name in OFFICIAL_FILES:
        if progress:
            progress(name)
        path = folder / benchmark.files[name]
        sets[name] = read_set(path, name, benchmark, cache)

        expected = benchmark.hashes.get(name)
        if expected and sets[name].sha256 != expected:
            raise HarnessError(
                f"{path}: not the published data of {benchmark.name} (its arrays have another "
                f"hash); delete it and make or fetch it again"
            )
    return sets
