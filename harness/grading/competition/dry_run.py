"""A student's dry run before a competition: which file would be graded for which BadNet."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.competitions import competing_badnet_file, load_competition
from harness.grading.competition.allocation import CompetingBadNet, allocate
from harness.grading.competition.entry import different_models
from harness.grading.competition.submission import discovered
from harness.grading.context import Options
from harness.inference.identification import Failed, KnownModel, ReadOptions
from harness.inference.known_network import read_badnet
from harness.inference.opening import read_candidates
from harness.intake.declarations import read_declaration
from harness.intake.entries import find_entries, prepare_folder
from harness.intake.matching import Expectation
from harness.intake.scripts import find_scripts
from harness.networks.deepid import lab_network
from harness.records.errors import HarnessError, SubmissionError
from harness.records.submission import DryRun, DryRunModel
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.grading.competition.allocation import Allocation
    from harness.inference.identification import Identified
    from harness.intake.scripts import Script
    from harness.networks.deepid import Weights
    from harness.records.benchmark import Competition
    from harness.records.network import Network


def dry_run(path: Path, dataset: str, badnet: Path | None = None) -> DryRun:
    """Look at a submission as `grade` does before the first prediction.

    Raises HarnessError where there is none.
    """
    competition, folder = load_competition(dataset)
    if badnet is not None:
        raise HarnessError(
            f"{badnet}: --badnet is for one BadNet; those of {competition.name} are named in its "
            "competition.toml"
        )
    network, badnets = _badnets(competition, folder)
    (entry,) = find_entries([path], None)
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
        unpacked, models = Path(scratch) / "unpacked", Path(scratch) / "models"
        unpacked.mkdir()
        models.mkdir()
        # Nothing is shown to a model here.
        how = ReadOptions(network, "auto", secret_number=len, most_models=Options().most_models)
        try:
            files = prepare_folder(entry, unpacked)
            scripts = {}
            if files.is_dir():
                scripts = find_scripts(files, read_declaration(files), competition.networks)
            submission = discovered(files, entry.name, has_scripts=bool(scripts))
            expected = Expectation(competition.classes, ())
            submission, read = read_candidates(submission, models, expected, how)
            found = allocate(read, badnets)
        except SubmissionError as error:
            problem = f"would be rejected: {one_line(error.reason)}"
            return DryRun(submission=one_line(entry.name), problems=(problem,), rejected=True)
    problems = (line for each in badnets for line in _problems(each.name, found, scripts))
    return DryRun(
        submission=one_line(entry.name),
        models=tuple(_models(found, scripts)),
        notes=tuple(map(one_line, (*submission.notes, *found.notes))),
        problems=tuple(map(one_line, problems)),
    )


def _badnets(competition: Competition, folder: Path) -> tuple[Network, list[CompetingBadNet]]:
    """The network, and each BadNet, with weights as far as their files are there."""
    network, badnets = lab_network(competition.classes), []
    for described in competition.networks:
        weights: Weights = {}
        with suppress(HarnessError):
            path = competing_badnet_file(competition, described, folder)
            network, weights = read_badnet(path, competition.benchmark_of(described))
        badnets.append(CompetingBadNet(described, weights))
    return network, badnets


def _problems(name: str, found: Allocation, scripts: Mapping[str, Script]) -> Iterator[str]:
    """What is to be mended before there is an entry for a BadNet."""
    chosen, question = different_models(name, found.models[name])
    script = scripts.get(name)
    if script is not None and (script.is_named or not chosen):
        return
    if not chosen:
        yield f"missing: an entry for {name}"
    elif question:
        yield question
    elif failed := [model.candidate.path for model in chosen if isinstance(model, Failed)]:
        yield f"not usable: {', '.join(failed)}"


def _models(found: Allocation, scripts: Mapping[str, Script]) -> Iterator[DryRunModel]:
    for name, models in found.models.items():
        script = scripts.get(name)
        if script is None or (models and not script.is_named):
            yield from (_model(name, model) for model in models)
            continue
        yield DryRunModel(
            path=one_line(script.path),
            role=f"the script for {name}",
            story="runs as it is, in a sandbox",
            usable=True,
        )
        # What else lies there is what the script is made of.
        yield from (_model(name, model) for model in models if isinstance(model, KnownModel))


def _model(name: str, model: Identified | Failed) -> DryRunModel:
    if isinstance(model, Failed):
        role, story = f"for {name}", f"would be rejected: {model.error.reason}"
    elif isinstance(model, KnownModel):
        role, story = f"B' for {name}", f"{model.format}, the BadNet's network"
    elif model.format == "program":
        role, story = f"G for {name}", "a program; runs in a sandbox"
    else:
        role = f"B' or G for {name}"
        story = f"{model.format}, not the BadNet's network ({model.differs}); runs in a sandbox"
    return DryRunModel(
        path=one_line(model.candidate.path),
        role=one_line(role),
        story=one_line(story),
        usable=not isinstance(model, Failed),
    )
