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
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import students  # noqa: E402
from costs import Cost, cost_of  # noqa: E402

from harness.networks.tensorflow import import_tensorflow  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

MIX = {"pruned": 204, "foreign": 30, "deviating": 27, "duplicate": 15, "broken": 13, "hostile": 11}
"""Of 300 submissions."""

FIRST = ("Ada", "Björn", "Chloé", "Dmitri", "Elif", "Femi", "Grace", "Hiro", "Inés", "Jun", "Kofi",
         "Léa", "Mina", "Noor", "Omar", "Priya", "Quinn", "Rosa", "Sven", "Tuan")  # fmt: skip
LAST = ("Abe", "Brandt", "Castillo", "Diallo", "Eriksen", "Fischer", "García", "Haddad", "Ivanov",
        "Jansen", "Kim", "Larsson", "Müller", "Nguyen", "Okafor", "Patel", "Rossi", "Silva",
        "Tanaka", "Weber")  # fmt: skip


# --- making -------------------------------------------------------------------------------------


def make(folder: Path, submissions: int, seed: int) -> None:
    """Write a course below the new folder ``folder``."""
    import_tensorflow()  # here, where it is quiet
    logging.getLogger("absl").setLevel(logging.ERROR)  # HDF5 is meant to be old-fashioned
    (folder / "submissions").mkdir(parents=True)
    (folder / "canary").mkdir()
    (folder / "canary" / "secret.txt").write_text("a submission that shows this has escaped\n")
    desk = students.Desk(folder / "canary", seed)
    people, made = [], []
    for number, kind in enumerate(_kinds(desk, submissions)):
        name, person = _named(desk, number, people)
        people.append(person)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            target = Path(scratch) / name
            target.mkdir()
            if kind == "duplicate" and made:
                _copy_links(made[desk.draw(0, len(made) - 1)], target)
            else:
                getattr(students, "pruned" if kind == "duplicate" else kind)(desk, target)
            handed_in = _handed_in(desk, target, folder / "submissions")
        if kind == "pruned" and handed_in.is_dir():
            made.append(handed_in)
    _write_roster(folder / "roster.csv", people)
    found = {"submissions": submissions, "seed": seed, "distinct_repaired": len(desk.distinct)}
    (folder / "course.json").write_text(json.dumps(found | _shares(submissions), indent=2) + "\n")
    print(f"{folder}: {submissions} submissions, {len(desk.distinct)} distinct B'")


def _shares(submissions: int) -> dict[str, int]:
    """How many of each kind: whole numbers that add up, the largest remainders rounded up."""
    exact = {kind: submissions * share / sum(MIX.values()) for kind, share in MIX.items()}
    counts = {kind: int(value) for kind, value in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: submissions - sum(counts.values())]:
        counts[kind] += 1
    return counts


def _kinds(desk: students.Desk, submissions: int) -> list[str]:
    kinds = [kind for kind, count in _shares(submissions).items() for _ in range(count)]
    return [kinds[index] for index in desk.rng.permutation(len(kinds))]


def _named(desk: students.Desk, number: int, people: list[dict]) -> tuple[str, dict]:
    """A folder name as one of the platforms gives it, and the roster's line."""
    first, last = FIRST[number % 20], LAST[(number // 20 + number) % 20]
    login, user = f"{first[0]}{last}{number}".lower(), 40_000 + number
    person = {"name": f"{first} {last}", "login": login, "student_id": str(user), "attempt": "1"}
    if people and desk.draw(1, 20) == 1:  # handed in again
        person = people[-1] | {"attempt": str(int(people[-1]["attempt"]) + 1)}
        login, user = person["login"], int(person["student_id"])
    late = desk.draw(1, 10) == 1
    day = 25 if late else desk.draw(10, 24)
    name = desk.choice((
        f"lab3-{login}-{number}",
        f"{last}{first}".lower() + ("_LATE" if late else "") + f"_{user}_{number}_lab3",
        f"submission_{900_000 + number}",
        f"{user}-{number} - {person['name']} - Nov {day}, 2026 1027 AM",
    ))  # fmt: skip
    times = {"submitted_at": f"2026-11-{day}T10:27:00", "due_at": "2026-11-24T23:59:00"}
    return name, person | {"folder": name} | times


def _copy_links(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True, copy_function=os.link)


def _handed_in(desk: students.Desk, made: Path, folder: Path) -> Path:
    """The folder itself or, one time in four, an archive of it."""
    ordinary = all(path.is_dir() or path.is_file() for path in made.rglob("*"))
    suffix = desk.choice(("", "", "", "", "", "", ".zip", ".tar.gz"))
    if not suffix or not ordinary or any(path.is_symlink() for path in made.rglob("*")):
        return made.rename(folder / made.name)
    archive = folder / f"{made.name}{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path in sorted(made.rglob("*")):
                packed.write(path, path.relative_to(made))
    else:
        with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
            packed.add(made, made.name)
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


def measure(course: Path, jobs: int, options: list[str]) -> None:
    """Grade a course, grade it again, judge it again; say what each took."""
    described = json.loads((course / "course.json").read_text())
    results = course / "results"
    if results.exists():
        raise SystemExit(f"{results}: there already; remove it to measure a fresh run")
    command = ["grade", "--each", course / "submissions", "--roster", course / "roster.csv",
               "--output", results, "--jobs", str(jobs), *options]  # fmt: skip
    first = cost_of([sys.executable, "-m", "harness", *command], course / "grade.log")
    again = cost_of([sys.executable, "-m", "harness", *command], course / "again.log")
    rubric = ROOT / "harness" / "assessment" / "rubric.toml"
    reassessed = cost_of(
        [sys.executable, "-c", _TELLS_TENSORFLOW, "regrade", results, "--rubric", rubric,
         "--out", course / "regraded"], course / "regrade.log",
    )  # fmt: skip
    lines = list(_report(described, results, (first, again, reassessed)))
    lines.append((course / "regrade.log").read_text().splitlines()[-1])
    escaped = sorted(p.name for p in (course / "canary").iterdir() if p.name != "secret.txt")
    lines.append(f"escaped: {', '.join(escaped) or 'nothing'}")
    (course / "measured.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


_TELLS_TENSORFLOW = """
import sys
sys.argv[0] = "harness"
from harness.cli.main import main
try:
    main()
finally:
    print("regrade imports TensorFlow:", "tensorflow" in sys.modules, file=sys.stderr)
"""


def _report(described: dict, results: Path, costs: tuple[Cost, Cost, Cost]) -> Iterator[str]:
    submissions = described["submissions"]
    mix = ", ".join(f"{described[kind]} {kind}" for kind in MIX)
    yield f"{submissions} submissions ({mix}), {described['distinct_repaired']} distinct B'"
    yield ""
    yield "| command | wall s | processor s | peak PSS MiB | exit code |"
    yield "| --- | --- | --- | --- | --- |"
    for name, cost in zip(("grade", "grade again", "regrade"), costs, strict=True):
        yield (f"| {name} | {cost.wall_seconds:.1f} | {cost.processor_seconds:.1f} "
               f"| {cost.peak_bytes / 2**20:.0f} | {cost.exit_code} |")  # fmt: skip
    yield ""
    tenths = [f"{size / 2**20:.0f}" for size in costs[0].peaks(10)]
    yield f"peaks of the tenths of grading, MiB: {', '.join(tenths)}"
    large = [f"{size / 2**20:.0f}" for size in costs[0].at_peak if size >= _LARGE_BYTES]
    yield f"processes at the peak, MiB: {', '.join(large)} (the first is the command's own)"
    yield f"submissions an hour: {3600 * submissions / costs[0].wall_seconds:.0f}"
    for path in sorted(results.iterdir()):
        files = [p for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file()]
        size = sum(file.stat().st_size for file in files)
        yield f"stored: {path.name}, {len(files)} files, {size / 2**20:.1f} MiB"


def main() -> None:
    """Arguments."""
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
    given, options = parser.parse_known_args()
    if given.command == "make" and not options:
        make(given.folder, given.submissions, given.seed)
    elif given.command == "measure":
        measure(given.folder.resolve(), given.jobs, options)
    else:
        parser.error(f"unknown option {options[0]}")


if __name__ == "__main__":
    main()
