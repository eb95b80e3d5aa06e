"""Archives to upload: the harness's own source, a dataset and a platform's scripts."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.descriptions import (
    PACKAGES,
    badnet_file,
    benchmark_names,
    data_is_present,
    datasets_folder,
    load_benchmark,
)
from harness.intake.file_rules import graph_of_badnet
from harness.output.exports.scores import columns
from harness.output.packages.autograder import (
    BADNET,
    DATA,
    DATASET,
    GRAPH_SUFFIX,
    MEMORY,
    RUBRIC,
)
from harness.records.errors import HarnessError
from harness.storage.results import replace_file
from harness.storage.rubrics import default_rubric, read_rubric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.records.benchmark import Benchmark

Contents = dict[str, "Path | str"]
"""What goes into an archive, by the name it gets there: a file, or a text."""

DISTRIBUTION = "backdoor-defence-harness"
_PACKAGES = ("harness", "reference")
_DATASETS = (
    "digits/dataset.toml",
    "digits/badnet.keras",
    "faces/dataset.toml",
    "faces/bd_weights.h5",
    "lab3/dataset.toml",
    "signs/dataset.toml",
    "signs/badnet.keras",
)
_PAGES = ("overview.md", "data.md", "starting_kit.md")
"""Of a competition, for participants."""

RUNTIMES = ("onnx", "litert")
"""The extras that are installed where nothing is said: 130 MB beside TensorFlow's 1.9 GB."""

_TORCH_ON_PROCESSORS = "--extra-index-url https://download.pytorch.org/whl/cpu\n"
"""Where PyTorch without CUDA is, which is ten times smaller than what PyPI has for Linux."""

_SCRIPTS = ("setup.sh", "run_autograder")
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file in an archive, so that the same files give the same archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a package grades."""

    dataset: str = "faces"
    """A dataset's name or folder."""

    badnet: Path | None = None
    """The BadNet's weights; None: those that the dataset names."""

    rubric: Path | None = None
    """None: the default one."""

    runtimes: tuple[str, ...] = RUNTIMES
    """The extras of other frameworks whose models can be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Competition:
    """What CodaBench asks of an organiser."""

    image: str
    """The Docker image in which submissions are scored."""

    start: str
    """The date of the first day."""

    title: str = "Backdoor defences"


def gradescope(assignment: Assignment, out: Path) -> Path:
    """Write the autograder's archive. Raises HarnessError for what cannot be packed."""
    benchmark, folder = load_benchmark(assignment.dataset)
    contents = _source() | _rubric(assignment)

    is_named = assignment.dataset in benchmark_names()
    if is_named:
        contents[DATASET] = f"{benchmark.name}\n"
        data = f"The data of {benchmark.name} is made or downloaded by `setup.sh`."
    else:
        contents |= _data(assignment, benchmark, folder)
        data = "The data is in the archive."
    if assignment.badnet or not is_named:
        contents |= _badnet(assignment, benchmark, folder)

    contents |= {name: _template(f"gradescope/{name}") for name in _SCRIPTS}
    extras = ("download",) if is_named and not benchmark.make else ()
    contents |= _requirements("sandbox", *assignment.runtimes, *extras)
    contents["README.md"] = _template("gradescope/README.md").format(
        title=benchmark.title,
        points=f"{_points(assignment):g}",
        memory=MEMORY["gradescope"],
        data=data,
    )
    return _write_archive(contents, out)


def codabench(assignment: Assignment, competition: Competition, out: Path) -> Path:
    """Write the competition's bundle. Raises HarnessError for what cannot be packed."""
    benchmark, folder = load_benchmark(assignment.dataset)

    reference = _data(assignment, benchmark, folder) | _rubric(assignment)
    reference |= _badnet(assignment, benchmark, folder)

    program = _source() | {"metadata.yaml": _template("codabench/metadata.yaml")}
    image: Contents = {"Dockerfile": _template("codabench/Dockerfile")}
    image |= _requirements("html", "sandbox", *assignment.runtimes)
    pages = {name: _page(name, assignment, benchmark, competition) for name in _PAGES}
    kit: Contents = {"README.md": pages.pop("starting_kit.md")}
    kit |= {"submission.toml": _sample(benchmark)} | _badnet(assignment, benchmark, folder)

    contents: Contents = {
        "competition.yaml": _competition(benchmark, competition),
        **pages,
        "terms.md": _template("codabench/terms.md"),
        "logo.png": _template_path("codabench/logo.png"),
        **_in_folder("image", image),
        **_in_folder("scoring_program", program),
        **_in_folder("reference_data", reference),
        **_in_folder("starting_kit", kit),
    }
    return _write_archive(contents, out)


# --- contents ---------------------------------------------------------------------------------


def _source() -> Contents:
    """The packages as they run here, with the files that came with them."""
    contents: Contents = {}
    for package in _PACKAGES:
        for path in sorted((PACKAGES / package).rglob("*")):
            parts = path.relative_to(PACKAGES).parts
            is_ours = not any(part == "__pycache__" or part.startswith(".") for part in parts)
            if path.is_file() and is_ours:
                contents["/".join(parts)] = path

    for name in _DATASETS:
        contents[f"datasets/{name}"] = datasets_folder() / name
    return contents


def _data(assignment: Assignment, benchmark: Benchmark, folder: Path) -> Contents:
    """The data files and their description, as a dataset folder."""
    if not data_is_present(benchmark, folder):
        how = "make" if benchmark.make else "fetch"
        raise HarnessError(
            f"{folder}: its data is not there; run `python -m harness data {how} {benchmark.name}`"
        )

    contents: Contents = {f"{DATA}/{name}": folder / name for name in benchmark.data_files}
    is_named = assignment.dataset in benchmark_names()
    description = (datasets_folder() / benchmark.name if is_named else folder) / "dataset.toml"
    if description.is_file():
        contents[f"{DATA}/dataset.toml"] = description
    return contents


def _badnet(assignment: Assignment, benchmark: Benchmark, folder: Path) -> Contents:
    path = assignment.badnet or badnet_file(benchmark, folder)
    if not path.is_file():
        raise HarnessError(f"{path}: no such file; --badnet takes the BadNet's weights")
    contents: Contents = {f"{BADNET}{path.suffix.lower() or '.h5'}": path}
    graph = graph_of_badnet(path)
    if graph is not None:
        contents[f"{BADNET}{GRAPH_SUFFIX}"] = graph
    return contents


def _rubric(assignment: Assignment) -> Contents:
    if assignment.rubric is None:
        return {}
    read_rubric(assignment.rubric)
    return {RUBRIC: assignment.rubric}


def _points(assignment: Assignment) -> float:
    rubric = read_rubric(assignment.rubric) if assignment.rubric else default_rubric()
    return sum(item.points for item in rubric.items)


def _requirements(*extras: str) -> Contents:
    """What the harness needs, and the versions it was tested with."""
    index = _TORCH_ON_PROCESSORS if "torch" in extras else ""
    return {
        "requirements.txt": index + "".join(f"{line}\n" for line in _dependencies(extras)),
        "constraints.txt": _constraints(),
    }


def _dependencies(extras: tuple[str, ...]) -> Iterator[str]:
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        raise HarnessError(
            f"{DISTRIBUTION} is not installed; run `pip install .` in its folder"
        ) from None

    for line in lines:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"](\w+)['\"]", marker)
        if extra is None:
            yield line
        elif extra[1] in extras:
            yield requirement.strip()


def _constraints() -> Path:
    """``constraints.txt``: at the top of a checkout, or beside this module in a wheel."""
    for folder in (PACKAGES, Path(__file__).parent):
        if (folder / "constraints.txt").is_file():
            return folder / "constraints.txt"
    raise HarnessError("constraints.txt is missing; install the harness again")


def _competition(benchmark: Benchmark, competition: Competition) -> str:
    lines = []
    for index, column in enumerate(columns(benchmark.checkpoints)):
        lines += [
            f"      - title: {json.dumps(column.title)}",
            f"        key: {column.key}",
            f"        index: {index}",
            f"        sorting: {'asc' if column.ascending else 'desc'}",
            "        precision: 4",
        ]
    return _template("codabench/competition.yaml").format(
        # JSON's texts are YAML's.
        title=json.dumps(competition.title),
        description=json.dumps(f"Defences against the BadNet of {benchmark.title}"),
        image=json.dumps(competition.image),
        start=competition.start,
        columns="\n".join(lines),
    )


def _page(name: str, assignment: Assignment, benchmark: Benchmark, competition: Competition) -> str:
    """A page for participants."""
    height, width, depth = benchmark.input_shape
    is_named = assignment.dataset in benchmark_names()
    how = "make" if benchmark.make else "fetch"
    source = "The organisers say where it is."
    if is_named:
        source = f"    python -m harness data {how} {benchmark.name}"
    return _template(f"codabench/{name}").format(
        title=competition.title,
        required=", ".join(f"{points:g}" for points in benchmark.checkpoints),
        memory=MEMORY["codabench"],
        benchmark=benchmark.title,
        classes=benchmark.classes,
        last=benchmark.classes - 1,
        shape=f"{height} x {width} x {depth}",
        valid=f"{benchmark.images.get('valid', 0):,}",
        test=f"{benchmark.images.get('test', 0):,}",
        source=source,
    )


def _sample(benchmark: Benchmark) -> str:
    """A ``submission.toml`` to fill in."""
    lines = [
        f'"model_{points:g}.h5" = {{ role = "repaired", drop_points = {points:g} }}'
        for points in benchmark.checkpoints
    ]
    return "# Only where file names do not say enough.\n[artifacts]\n" + "\n".join(lines) + "\n"


def _in_folder(folder: str, contents: Mapping[str, Path | str]) -> Contents:
    return {f"{folder}/{name}": content for name, content in contents.items()}


def _template_path(name: str) -> Path:
    return Path(__file__).with_name("templates") / name


def _template(name: str) -> str:
    return _template_path(name).read_text(encoding="utf-8")


# --- archives ---------------------------------------------------------------------------------


def _write_archive(contents: Contents, out: Path) -> Path:
    with (
        replace_file(out) as file,
        zipfile.ZipFile(file, "w", compression=zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, content in sorted(contents.items()):
            _add(archive, name, content)
    return out


def _add(archive: zipfile.ZipFile, name: str, content: Path | str) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    mode = 0o755 if name in _SCRIPTS else 0o644
    entry.external_attr = (0o100000 | mode) << 16
    with archive.open(entry, "w", force_zip64=True) as target:
        if isinstance(content, str):
            target.write(content.encode())
        else:
            with content.open("rb") as source:
                shutil.copyfileobj(source, target)
