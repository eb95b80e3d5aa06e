"""A whole zoo: what is there already, what is to be trained, and where.

Every folder is complete or made again, and the description is written last; so a run that was
killed is continued by the same command.
"""

from __future__ import annotations

from concurrent.futures import as_completed
from typing import TYPE_CHECKING

from harness.datasets.descriptions import COMPETITION_FILE
from harness.execution.local import Processes
from harness.execution.scratch import scratch_folder
from harness.execution.worker_process import WorkerLostError
from harness.records.errors import HarnessError
from harness.storage.hashing import file_hash
from reference.zoo.badnet import (
    CLEAN_FILES,
    make_badnet,
    write_changed_triggers,
    write_images,
)
from reference.zoo.benchmarks import zoo_benchmark
from reference.zoo.description import write_description
from reference.zoo.folder import Made, made_names, read_made, write_made
from reference.zoo.job import Job
from reference.zoo.training import prepare
from reference.zoo.twins import make_twin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from reference.zoo.job import Plan

    Report = Callable[[Made, int, int], None]

_CLEAN = "cl"


def make_zoo(
    plan: Plan, jobs: Sequence[Job], zoo: Path, processes: int, report: Report
) -> list[Made]:
    """Make what is missing of these BadNets, and return all that the zoo's description lists.

    ``report`` is told each BadNet that was trained, how many are done and how many are to be.
    It lists the BadNets of other runs in the same folder, too, if they have the plan's secret,
    epochs and program. Raises HarnessError for a folder that holds those of another zoo.
    """
    _require_same_zoo(plan, zoo)
    clean = _clean_sets(plan, zoo, processes)
    found = {made.network.name: made for made in _present(plan, zoo) if made.network}
    missing = [job for job in jobs if job.name not in found]
    if missing and (zoo / COMPETITION_FILE).exists():
        # Of what is listed there may be some that is about to be replaced.
        _describe(plan, zoo, clean, list(found.values()))
    for number, made in enumerate(_trained(missing, zoo, processes), start=1):
        report(made, number, len(missing))
    badnets = _present(plan, zoo)
    _describe(plan, zoo, clean, badnets)
    return badnets


def make_twins(
    plan: Plan, badnets: Sequence[Made], zoo: Path, processes: int, report: Report
) -> list[Made]:
    """Make what is missing of the clean twins of ``badnets``, those that `make_zoo` returned.

    Returns all, in the order of the BadNets.
    """
    jobs = list(_jobs(plan, badnets))
    there = {made.name for made in _twins(plan, zoo, badnets)}
    missing = [job for job in jobs if job.twin not in there]
    for number, made in enumerate(_trained(missing, zoo, processes, _make_twin), start=1):
        report(made, number, len(missing))
    _describe(plan, zoo, _clean_sets(plan, zoo, processes), badnets)
    return _twins(plan, zoo, badnets)


def draw_changed_triggers(plan: Plan, badnets: Sequence[Made], zoo: Path) -> list[str]:
    """Draw the sets of changed triggers of ``badnets``; the names of those whose trigger has none.

    They are drawn anew each time, which takes a second for each.
    """
    return [job.name for job in _jobs(plan, badnets) if not write_changed_triggers(job, zoo)]


def _twins(plan: Plan, zoo: Path, badnets: Sequence[Made]) -> list[Made]:
    """The complete clean twins of these BadNets."""
    found = ((job, read_made(zoo, job.twin)) for job in _jobs(plan, badnets))
    return [made for job, made in found if made and made.recipe == job.twin_recipe]


def _jobs(plan: Plan, badnets: Sequence[Made]) -> Iterator[Job]:
    for made in badnets:
        network = made.network
        if network and network.attack is not None and network.seed is not None:
            yield Job(plan=plan, attack=network.attack, seed=network.seed)


def _require_same_zoo(plan: Plan, zoo: Path) -> None:
    for name in made_names(zoo):
        made = read_made(zoo, name)
        if made and made.zoo != plan.identity:
            raise HarnessError(
                f"{zoo}: holds BadNets of another benchmark, --secret or --epochs; name another "
                "folder (--out)"
            )


def _describe(plan: Plan, zoo: Path, clean: Made, badnets: Sequence[Made]) -> None:
    if badnets:
        twins = _twins(plan, zoo, badnets)
        write_description(zoo, zoo_benchmark(plan.benchmark), clean, badnets, twins)
    else:
        (zoo / COMPETITION_FILE).unlink(missing_ok=True)


def _clean_sets(plan: Plan, zoo: Path, processes: int) -> Made:
    """The clean sets that all BadNets share, which are drawn where they are not there."""
    found = read_made(zoo, _CLEAN)
    if found and found.recipe == plan.clean_recipe:
        return found
    load = zoo_benchmark(plan.benchmark).load
    arrays = {
        path: write_images(zoo / path, load(split, processes))
        for split, path in CLEAN_FILES.items()
    }
    files = {path: file_hash(zoo / path) for path in arrays}
    made = Made(zoo=plan.identity, recipe=plan.clean_recipe, files=files, arrays=arrays)
    write_made(zoo, _CLEAN, made)
    return made


def _present(plan: Plan, zoo: Path) -> list[Made]:
    """The complete BadNets of a zoo that are the plan's, in the order of the attacks."""
    present = []
    for name in made_names(zoo):
        made = read_made(zoo, name)
        network = made.network if made else None
        if made is None or network is None or network.attack is None or network.seed is None:
            continue
        job = Job(plan=plan, attack=network.attack, seed=network.seed)
        if job.recipe == made.recipe:
            present.append((network.attack, network.seed, made))
    attacks = list(zoo_benchmark(plan.benchmark).attacks)
    present.sort(key=lambda each: (attacks.index(each[0]), each[1]))
    return [made for *_, made in present]


def _make(_context: None, job: Job, zoo: Path) -> Made:
    return make_badnet(job, zoo)


def _make_twin(_context: None, job: Job, zoo: Path) -> Made:
    return make_twin(job, zoo)


def _trained(
    jobs: Sequence[Job],
    zoo: Path,
    processes: int,
    make: Callable[[None, Job, Path], Made] = _make,
) -> Iterator[Made]:
    """Train in fresh processes, and yield each network when its folder is complete."""
    if not jobs:
        return
    with scratch_folder():
        pool = Processes(min(processes, len(jobs)), prepare)
        futures = {pool.submit(make, job, zoo): job for job in jobs}
        finished = False
        try:
            for future in as_completed(futures):
                try:
                    yield future.result()
                except WorkerLostError:
                    raise HarnessError(
                        f"the process that trained {futures[future].name} was killed; is there "
                        "enough memory? run the same command again to continue"
                    ) from None
            finished = True
        finally:
            pool.shutdown(cancel_futures=not finished)
