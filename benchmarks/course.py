"""A generated course, and what grading it costs.

    python benchmarks/course.py make DIR --submissions 300
    python benchmarks/course.py measure DIR --jobs 2

The same seed gives the same names, nets and programs (archives hold dates). A smaller course has
the same mix, so that the two peaks of memory can be compared. Needs Linux (proportional set sizes)
and, for models of another architecture, bubblewrap.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from costs import Cost, cost_of  # noqa: E402
from students import KINDS  # noqa: E402
from workshop import Workshop  # noqa: E402

from harness.networks.tensorflow import import_tensorflow  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

MIX = {"pruned": 204, "foreign": 30, "deviating": 27, "duplicate": 15, "broken": 13, "hostile": 11}
"""Of 300 submissions."""

FIRST_NAMES = (
    "Ada", "Björn", "Chloé", "Dmitri", "Elif", "Femi", "Grace", "Hiro", "Inés", "Jun", "Kofi",
    "Léa", "Mina", "Noor", "Omar", "Priya", "Quinn", "Rosa", "Sven", "Tuan",
)  # fmt: skip
LAST_NAMES = (
    "Abe", "Brandt", "Castillo", "Diallo", "Eriksen", "Fischer", "García", "Haddad", "Ivanov",
    "Jansen", "Kim", "Larsson", "Müller", "Nguyen", "Okafor", "Patel", "Rossi", "Silva", "Tanaka",
    "Weber",
)  # fmt: skip


# --- making -------------------------------------------------------------------------------------


def make(folder: Path, submissions: int, seed: int) -> None:
    """Write a course below the new folder ``folder``."""
    import_tensorflow()  # here, where it is quiet
    logging.getLogger("absl").setLevel(logging.ERROR)  # HDF5 is meant to be old-fashioned
    (folder / "submissions").mkdir(parents=True)
    (folder / "canary").mkdir()
    (folder / "canary" / "secret.txt").write_text("a submission that shows this has escaped\n")

    workshop = Workshop(folder / "canary", seed)
    people: list[dict] = []
    copied_from: list[Path] = []
    for number, kind in enumerate(_draw_kinds(workshop, submissions)):
        person = _draw_person(workshop, number, people)
        people.append(person)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            target = Path(scratch) / person["folder"]
            target.mkdir()
            _write_submission(workshop, kind, target, copied_from)
            submission = _hand_in(workshop, target, folder / "submissions")
        if kind == "pruned" and submission.is_dir():
            copied_from.append(submission)

    _write_roster(folder / "roster.csv", people)
    distinct = len(workshop.distinct_hashes)
    described = {"submissions": submissions, "seed": seed, "distinct_repaired": distinct}
    document = described | _counts_by_kind(submissions)
    (folder / "course.json").write_text(json.dumps(document, indent=2) + "\n")
    print(f"{folder}: {submissions} submissions, {distinct} distinct B'")


def _counts_by_kind(submissions: int) -> dict[str, int]:
    """How many of each kind: whole numbers that add up, the largest remainders rounded up."""
    exact = {kind: submissions * share / sum(MIX.values()) for kind, share in MIX.items()}
    counts = {kind: int(value) for kind, value in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: submissions - sum(counts.values())]:
        counts[kind] += 1
    return counts


def _draw_kinds(workshop: Workshop, submissions: int) -> list[str]:
    counts = _counts_by_kind(submissions)
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    return [kinds[index] for index in workshop.rng.permutation(len(kinds))]


def _draw_person(workshop: Workshop, number: int, people: list[dict]) -> dict:
    """The roster's line, with a folder name as one of the platforms gives it."""
    first, last = FIRST_NAMES[number % 20], LAST_NAMES[(number // 20 + number) % 20]
    person = {
        "name": f"{first} {last}",
        "login": f"{first[0]}{last}{number}".lower(),
        "student_id": str(40_000 + number),
        "attempt": "1",
    }
    is_another_attempt = people and workshop.draw(1, 20) == 1
    if is_another_attempt:
        person = people[-1] | {"attempt": str(int(people[-1]["attempt"]) + 1)}

    is_late = workshop.draw(1, 10) == 1
    day = 25 if is_late else workshop.draw(10, 24)
    late = "_LATE" if is_late else ""
    user = person["student_id"]
    folders = (
        f"lab3-{person['login']}-{number}",
        f"{last}{first}".lower() + f"{late}_{user}_{number}_lab3",
        f"submission_{900_000 + number}",
        f"{user}-{number} - {person['name']} - Nov {day}, 2026 1027 AM",
    )
    return person | {
        "folder": workshop.choose(folders),
        "submitted_at": f"2026-11-{day}T10:27:00",
        "due_at": "2026-11-24T23:59:00",
    }


def _write_submission(workshop: Workshop, kind: str, target: Path, copied_from: list[Path]) -> None:
    if kind != "duplicate":
        KINDS[kind](workshop, target)
    elif copied_from:
        source = copied_from[workshop.draw(0, len(copied_from) - 1)]
        shutil.copytree(source, target, dirs_exist_ok=True, copy_function=os.link)
    else:
        KINDS["pruned"](workshop, target)


def _hand_in(workshop: Workshop, target: Path, folder: Path) -> Path:
    """Move a submission to the others: the folder itself or, one time in four, an archive of it."""
    entries = sorted(target.rglob("*"))
    suffix = workshop.choose(("", "", "", "", "", "", ".zip", ".tar.gz"))
    is_ordinary = all(
        (path.is_dir() or path.is_file()) and not path.is_symlink() for path in entries
    )
    if not suffix or not is_ordinary:
        return target.rename(folder / target.name)

    archive = folder / f"{target.name}{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path in entries:
                packed.write(path, path.relative_to(target))
    else:
        with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
            packed.add(target, target.name)
    return archive


def _write_roster(path: Path, people: list[dict]) -> None:
    columns = ("folder", "name", "login", "student_id", "attempt", "submitted_at", "due_at")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(people)


# --- measuring ----------------------------------------------------------------------------------

_LARGE_BYTES = 2**24
"""Of processes that are named; what only waits takes less."""

_REGRADE = """
import sys
sys.argv[0] = "harness"
from harness.cli.main import main
try:
    main()
finally:
    print("regrade imports TensorFlow:", "tensorflow" in sys.modules, file=sys.stderr)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What each command on a course took."""

    grade: Cost
    grade_again: Cost
    regrade: Cost


def measure(course: Path, jobs: int, options: list[str]) -> None:
    """Grade a course, grade it again, judge it again; say what each took."""
    described = json.loads((course / "course.json").read_text())
    results = course / "results"
    if results.exists():
        raise SystemExit(f"{results}: there already; remove it to measure a fresh run")

    costs = _run_commands(course, results, ["--jobs", str(jobs), *options])
    lines = list(_report(described, results, costs))
    lines.append((course / "regrade.log").read_text().splitlines()[-1])
    escaped = sorted(p.name for p in (course / "canary").iterdir() if p.name != "secret.txt")
    lines.append(f"escaped: {', '.join(escaped) or 'nothing'}")
    (course / "measured.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def _run_commands(course: Path, results: Path, options: list[str]) -> Costs:
    grade = [
        sys.executable, "-m", "harness", "grade", "--each", course / "submissions",
        "--roster", course / "roster.csv", "--out", results, *options,
    ]  # fmt: skip
    rubric = ROOT / "harness" / "assessment" / "rubric.toml"
    regrade = [
        sys.executable, "-c", _REGRADE, "regrade", results,
        "--rubric", rubric, "--out", course / "regraded",
    ]  # fmt: skip
    return Costs(
        grade=cost_of(grade, course / "grade.log"),
        grade_again=cost_of(grade, course / "again.log"),
        regrade=cost_of(regrade, course / "regrade.log"),
    )


def _report(described: dict, results: Path, costs: Costs) -> Iterator[str]:
    submissions = described["submissions"]
    mix = ", ".join(f"{described[kind]} {kind}" for kind in MIX)
    yield f"{submissions} submissions ({mix}), {described['distinct_repaired']} distinct B'"
    yield ""

    yield "| command | wall s | processor s | peak PSS MiB | exit code |"
    yield "| --- | --- | --- | --- | --- |"
    yield _cost_row("grade", costs.grade)
    yield _cost_row("grade again", costs.grade_again)
    yield _cost_row("regrade", costs.regrade)
    yield ""

    tenths = [_mebibytes(size) for size in costs.grade.peaks(10)]
    yield f"peaks of the tenths of grading, MiB: {', '.join(tenths)}"
    large = [_mebibytes(size) for size in costs.grade.at_peak if size >= _LARGE_BYTES]
    yield f"processes at the peak, MiB: {', '.join(large)} (the first is the command's own)"
    yield f"submissions an hour: {3600 * submissions / costs.grade.wall_seconds:.0f}"

    for path in sorted(results.iterdir()):
        paths = [path] if path.is_file() else path.rglob("*")
        sizes = [file.stat().st_size for file in paths if file.is_file()]
        yield f"stored: {path.name}, {len(sizes)} files, {sum(sizes) / 2**20:.1f} MiB"


def _cost_row(command: str, cost: Cost) -> str:
    return (
        f"| {command} | {cost.wall_seconds:.1f} | {cost.processor_seconds:.1f} "
        f"| {_mebibytes(cost.peak_bytes)} | {cost.exit_code} |"
    )


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f}"


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)

    making = commands.add_parser("make", help="write a course into the new folder DIR")
    making.add_argument("folder", type=Path, metavar="DIR")
    making.add_argument("--submissions", type=int, default=300, metavar="N")
    making.add_argument("--seed", type=int, default=1)

    measuring = commands.add_parser(
        "measure", help="grade the course in DIR; further options go to `harness grade`"
    )
    measuring.add_argument("folder", type=Path, metavar="DIR")
    measuring.add_argument("--jobs", type=int, default=2, metavar="N")

    arguments, options = parser.parse_known_args()
    if arguments.command == "make" and not options:
        make(arguments.folder, arguments.submissions, arguments.seed)
    elif arguments.command == "measure":
        measure(arguments.folder.resolve(), arguments.jobs, options)
    else:
        parser.error(f"unknown option {options[0]}")


if __name__ == "__main__":
    main()
