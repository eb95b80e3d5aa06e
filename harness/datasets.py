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

import numpy as np

from harness.errors import HarnessError
from harness.hashing import array_hash
from harness.records import Benchmark, LabeledSet

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA_VERSION = 1
IMAGE_SHAPE = (3, 55, 47)
OFFICIAL_FILES = {
    "valid": "cl/valid.h5",
    "test": "cl/test.h5",
    "bd_valid": "bd/bd_valid.h5",
    "bd_test": "bd/bd_test.h5",
}


def datasets_folder() -> Path:
    """Where the ``dataset.toml`` files are: beside the packages, in a checkout and installed."""
    return Path(__file__).resolve().parent.parent / "datasets"


def benchmark_names() -> list[str]:
    """Names of the benchmarks that come with the harness."""
    return sorted(path.parent.name for path in datasets_folder().glob("*/dataset.toml"))


def is_named(name_or_folder: str) -> bool:
    """Whether this is the name of a benchmark that comes with the harness."""
    description = datasets_folder() / name_or_folder / "dataset.toml"
    return "/" not in name_or_folder and description.is_file()


def load_benchmark(name_or_folder: str) -> tuple[Benchmark, Path]:
    """Return a benchmark and the folder that holds (or will hold) its data files.

    Raises HarnessError for an unknown name, a folder in another layout, or a broken
    ``dataset.toml``.
    """
    if is_named(name_or_folder):
        description = datasets_folder() / name_or_folder / "dataset.toml"
        return read_description(description), data_folder(name_or_folder)
    folder = Path(name_or_folder)
    if (folder / "dataset.toml").is_file():
        return read_description(folder / "dataset.toml"), folder
    if folder.is_dir():
        return _official_layout(folder), folder
    known = ", ".join(benchmark_names())
    raise HarnessError(
        f"{name_or_folder}: no such dataset; name one of {known}, or a folder with "
        f"{', '.join(OFFICIAL_FILES.values())}"
    )


def data_folder(name: str) -> Path:
    """Where a named benchmark's data lives.

    ``$HARNESS_DATA/<name>`` if that is set, else ``datasets/<name>/data`` in a checkout, else
    the user's data folder.
    """
    if root := os.environ.get("HARNESS_DATA"):
        return Path(root) / name
    beside = datasets_folder() / name
    if (datasets_folder().parent / "pyproject.toml").is_file() and os.access(beside, os.W_OK):
        return beside / "data"
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


def _official_layout(folder: Path) -> Benchmark:
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
    """The BadNet's weights: beside the description, or with the data."""
    if benchmark.badnet is None:
        raise HarnessError(f"{folder}: the dataset names no BadNet; pass its weights as --badnet")
    for base in (datasets_folder() / benchmark.name, folder):
        if (base / benchmark.badnet).is_file():
            return base / benchmark.badnet
    raise HarnessError(
        f"{folder / benchmark.badnet}: the BadNet of {benchmark.name} is missing; run "
        f"`python -m harness data fetch {benchmark.name}` or pass its weights as --badnet"
    )


def has_data(benchmark: Benchmark, folder: Path) -> bool:
    """Whether all four files are there (nothing is said about their content)."""
    return all((folder / path).is_file() for path in benchmark.files.values())


def make(benchmark: Benchmark, folder: Path, secret: Path | None = None) -> None:
    """Run the benchmark's ``make`` command as a child process; it shows its own progress."""
    if not benchmark.make:
        raise HarnessError(
            f"{benchmark.name}: cannot be generated; get it with "
            f"`python -m harness data fetch {benchmark.name}`"
        )
    command = [sys.executable, *benchmark.make, "--out", str(folder)]
    if secret is not None:
        command += ["--secret", str(secret)]
    finished = subprocess.run(command, check=False, env=child_environment())
    if finished.returncode:
        raise HarnessError(
            f"{benchmark.name}: making the data failed (exit code {finished.returncode})"
        )


def child_environment() -> dict[str, str]:
    """The environment in which ``python -m reference`` finds this project's packages."""
    paths = [str(datasets_folder().parent), os.environ.get("PYTHONPATH")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def load_sets(
    benchmark: Benchmark, folder: Path, progress: Callable[[str], None] | None = None
) -> dict[str, LabeledSet]:
    """Read the four sets, keyed valid, test, bd_valid, bd_test; 1 byte per colour value."""
    sets = {}
    for name in OFFICIAL_FILES:
        if progress:
            progress(name)
        path = folder / benchmark.files[name]
        sets[name] = read_set(path, name, benchmark)
        expected = benchmark.hashes.get(name)
        if expected and sets[name].sha256 != expected:
            raise HarnessError(
                f"{path}: not the published data of {benchmark.name} (its arrays have another "
                f"hash); delete it and make or fetch it again"
            )
    return sets


def read_set(path: Path, name: str, benchmark: Benchmark) -> LabeledSet:
    """Read one HDF5 file (keys ``data`` N x 3 x 55 x 47 and ``label`` N).

    Any integer or float type is taken; whole-numbered pixels in 0..255 become uint8, which
    changes no value. Raises HarnessError with the file, what is wrong and what to do.
    """
    arrays = _read_arrays(path)
    data, labels = arrays["data"], arrays["label"]
    if data.ndim != 4 or data.shape[1:] != IMAGE_SHAPE:
        raise HarnessError(f"{path}: data is {data.shape}, expected (N, 3, 55, 47)")
    if labels.size != len(data):
        raise HarnessError(f"{path}: {len(data)} images but {labels.size} labels")
    if not len(data):
        raise HarnessError(f"{path}: the file holds no images")
    sha256 = array_hash(arrays)
    images = np.ascontiguousarray(_as_uint8(data, path).transpose(0, 2, 3, 1))
    original = arrays.get("original_label")
    return LabeledSet(
        name=name,
        kind="backdoored" if name.startswith("bd_") else "clean",
        images=images,
        labels=_as_labels(labels, path, benchmark.classes),
        sha256=sha256,
        original_labels=None if original is None
        else _as_labels(original, path, benchmark.classes),
    )  # fmt: skip


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    import h5py

    if not path.is_file():
        raise HarnessError(f"{path}: no such file; see `python -m harness data info`")
    try:
        with h5py.File(path, "r") as file:
            missing = {"data", "label"} - set(file)
            if missing:
                raise HarnessError(f"{path}: no key {min(missing)!r} (has {sorted(file)})")
            keys = [key for key in ("data", "label", "original_label") if key in file]
            return {key: file[key][()] for key in keys}
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise HarnessError(f"{path}: {unreadable_reason(path, error)}") from None


def unreadable_reason(path: Path, error: Exception) -> str:
    """Why an HDF5 file could not be read, and what to do."""
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file itself; run `git lfs pull`"
    if not head.startswith(b"\x89HDF"):
        return "not an HDF5 file; download or make it again"
    return f"truncated or damaged HDF5 file ({str(error).splitlines()[0]}); get it again"


def _as_uint8(data: np.ndarray, path: Path) -> np.ndarray:
    if data.dtype == np.uint8:
        return data
    if data.dtype.kind not in "iuf":
        raise HarnessError(f"{path}: data holds {data.dtype}, expected numbers")
    narrowed = data.astype(np.uint8) if data.min() >= 0 and data.max() <= 255 else None
    if narrowed is not None and np.array_equal(narrowed, data):
        return narrowed
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        raise HarnessError(f"{path}: data holds NaN or infinite pixels")
    return data.astype(np.float32)


def _as_labels(labels: np.ndarray, path: Path, classes: int) -> np.ndarray:
    flat = labels.reshape(-1)
    if flat.dtype.kind not in "iuf" or not np.array_equal(flat, np.floor(flat)):
        raise HarnessError(f"{path}: labels are not whole numbers")
    outside = (flat < 0) | (flat >= classes)
    if outside.any():
        raise HarnessError(
            f"{path}: label {flat[outside][0]:g} is outside 0..{classes - 1} "
            f"(image {int(outside.argmax())})"
        )
    return flat.astype(np.int64)
