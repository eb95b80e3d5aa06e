"""Benchmarks: where they are, their ``dataset.toml`` and the HDF5 files that it names.

A benchmark is found by name (``datasets/<name>/dataset.toml``) or is a folder that holds a
``dataset.toml``, or ``cl/valid.h5``, ``cl/test.h5``, ``bd/bd_valid.h5`` and ``bd/bd_test.h5``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.attack_sets import join_attacks
from harness.datasets.description_text import OFFICIAL_FILES, SCHEMA_VERSION, parse_description
from harness.datasets.hdf5 import read_set
from harness.records.benchmark import SETS, Benchmark
from harness.records.errors import HarnessError, describe_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.datasets.hdf5 import CacheProtocol
    from harness.records.benchmark import Competition, LabeledSet

    Described = Benchmark | Competition

PACKAGES = Path(__file__).resolve().parents[2]
"""The folder in which the packages ``harness`` and ``reference`` lie."""

COMPETITION_FILE = "competition.toml"
"""What describes a competition of several BadNets; see `harness.datasets.competitions`."""

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
    shipped = datasets_folder() / name_or_folder / COMPETITION_FILE
    is_competition_name = "/" not in name_or_folder and shipped.is_file()
    if is_competition_name or is_benchmark_name(name_or_folder):
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
    for described in (_shipped_description(name_or_folder).parent, folder):
        if (described / COMPETITION_FILE).is_file():
            raise HarnessError(
                f"{name_or_folder}: a competition of several BadNets, which this command does not "
                "take; `check`, `grade`, `leaderboard`, `explain` and `data` do "
                "(docs/competition.md)"
            )
    if (folder / "dataset.toml").is_file():
        return read_description(folder / "dataset.toml"), folder
    if folder.is_dir():
        return _undescribed_benchmark(folder), folder

    shipped = [path.parent.name for path in datasets_folder().glob(f"*/{COMPETITION_FILE}")]
    known = ", ".join(sorted([*benchmark_names(), *shipped]))
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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path}: not a dataset description ({error})") from None
    return parse_description(text, path.parent.name, str(path))


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
    """The BadNet: with the data, or beside the description.

    Raises HarnessError where there are none.
    """
    if benchmark.badnet is None:
        raise HarnessError(f"{folder}: the dataset names no BadNet; pass its weights as --badnet")
    for base in (folder, datasets_folder() / benchmark.name):
        if (base / benchmark.badnet).is_file():
            return base / benchmark.badnet
    raise HarnessError(
        f"{folder / benchmark.badnet}: the BadNet of {benchmark.name} is missing; put it there or "
        "pass its weights as --badnet"
    )


# --- data files ---------------------------------------------------------------------------------


def data_is_present(described: Described, folder: Path) -> bool:
    """Whether all files are there, whatever is in them."""
    return all((folder / path).is_file() for path in described.data_files)


def require_data(described: Described, folder: Path) -> None:
    """Raise HarnessError that names a missing file and says how to get it."""
    for path in described.data_files:
        if not (folder / path).is_file():
            raise HarnessError(f"{folder / path}: no such file; {data_instructions(described)}")


def data_instructions(described: Described) -> str:
    """How to get the data: a command to run, where there is one."""
    if described.make:
        return f"`python -m harness data make {described.name}`"
    if described.google_drive_folder:
        return f"`python -m harness data fetch {described.name}`"
    return "its files are yours to bring"


def generate_data(described: Described, folder: Path, secret: Path | None = None) -> None:
    """Run the ``make`` command of a description as a child process; it shows its own progress.

    With the file of a ``secret`` it makes a private split.
    """
    if not described.make:
        raise HarnessError(f"{described.name}: cannot be generated; {data_instructions(described)}")
    command = [*python_command(described.make), "--out", str(folder)]
    if secret is not None:
        command += ["--secret", str(secret)]

    finished = subprocess.run(command, check=False, env=child_environment())
    if finished.returncode:
        ending = describe_exit(finished.returncode)
        raise HarnessError(f"{described.name}: making the data failed ({ending})")


def python_command(arguments: Sequence[str]) -> list[str]:
    """Python with these arguments; modules are not looked for in the working directory."""
    is_module = tuple(arguments[:1]) == ("-m",)
    return [sys.executable, *(["-P"] if is_module else []), *arguments]


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
    for name in SETS:
        if progress:
            progress(name)
        sets[name] = _load_set(name, benchmark, folder, cache)

        paths = [folder / path for path in benchmark.set_files[name]]
        require_published(sets[name], benchmark.hashes.get(name), paths, benchmark.name)
    return sets


def load_clean_set(benchmark: Benchmark, folder: Path) -> LabeledSet:
    """The clean validation images alone. Raises HarnessError, as `load_sets` does."""
    require_data(benchmark, folder)
    return _load_set("valid", benchmark, folder, None)


def require_published(
    labeled: LabeledSet, expected: str | None, paths: Sequence[Path], name: str
) -> None:
    """Raise HarnessError where a set from these files has another hash than its description."""
    if expected and labeled.sha256 != expected:
        raise HarnessError(
            f"{', '.join(map(str, paths))}: not the published data of {name} (its arrays have "
            "another hash); delete it and make or fetch it again"
        )


def _load_set(
    name: str, benchmark: Benchmark, folder: Path, cache: CacheProtocol | None
) -> LabeledSet:
    """One set: a file, or those of all attacks."""
    paths = benchmark.set_files[name]
    sets = [read_set(folder / path, name, benchmark, cache) for path in paths]
    if not benchmark.attacks or not name.startswith("bd_"):
        return sets[0]
    return join_attacks(name, benchmark.attacks, sets, cache)
