"""One submission to a competition, from its folder to a record that holds one for each BadNet."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.grading.competition.allocation import CompetingBadNet, allocate
from harness.grading.competition.entry import grade_entry_for
from harness.grading.competition.scripts import ScriptEntry, grade_script, time_for_script
from harness.grading.submission import fit_to_store
from harness.inference.identification import ReadOptions
from harness.inference.opening import read_candidates
from harness.intake.declarations import read_declaration
from harness.intake.discovery import discover
from harness.intake.matching import Expectation
from harness.intake.scripts import find_scripts
from harness.intake.staging import stage_repository
from harness.records.environment import environment
from harness.records.errors import Status, SubmissionError
from harness.records.record import SCHEMA_VERSION, DatasetIdentity, Record
from harness.records.submission import Submission
from harness.records.text import storable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.grading.competition.networks import PreparedNetwork
    from harness.grading.context import RunContext
    from harness.intake.scripts import Script
    from harness.records.benchmark import Competition

_MOST_REASONS = 5


def grade_submission(
    folder: Path,
    name: str,
    scratch: Path,
    given: tuple[Competition, Sequence[PreparedNetwork]],
    run: RunContext,
) -> Record:
    """Grade a submission for each of the BadNets. Raises SubmissionError where nothing counts."""
    competition, networks = given
    deadline = time.monotonic() + run.options.submission_seconds
    scripts = _scripts(folder, networks, run)
    submission = discovered(folder, name, has_scripts=bool(scripts))
    many = len(submission.candidates)
    run.progress.stage(name, f"reading {many} model{'s' if many != 1 else ''}")
    how = ReadOptions(
        network=networks[0].network,
        isolation=run.options.isolation,
        secret_number=run.store.secret_number,
        most_models=run.options.most_models,
    )
    expected = Expectation(competition.classes, ())
    submission, models = read_candidates(submission, scratch, expected, how)
    found = allocate(models, [CompetingBadNet(each.described, each.badnet) for each in networks])
    repository, left = None, len(scripts)
    records, notes = [], [*submission.notes, *found.notes]
    for network in networks:
        own = found.models[network.name]
        script = scripts.get(network.name)
        if script is None or (own and not script.is_named):
            records.append(grade_entry_for(network, own, submission, run, deadline))
            continue
        repository = repository or stage_repository(folder, scratch)
        entry = ScriptEntry(script=script, repository=repository, models=own, submission=submission)
        until = time_for_script(deadline, left)
        left -= 1
        record, note = grade_script(network, entry, run, until)
        records.append(record)
        notes += [note] if note else []
    record = summary(name, competition, records)
    return fit_to_store(replace(record, notes=tuple(notes), claimed=submission.claims))


def _scripts(
    folder: Path, networks: Sequence[PreparedNetwork], run: RunContext
) -> dict[str, Script]:
    """The script for each BadNet, where scripts are run at all."""
    if run.options.script_images == 0 or not folder.is_dir():
        return {}
    described = [network.described for network in networks]
    return find_scripts(folder, read_declaration(folder), described)


def discovered(folder: Path, name: str, *, has_scripts: bool) -> Submission:
    """The submission with its models; with none where scripts are all there is."""
    try:
        return replace(discover(folder, ()), name=name)
    except SubmissionError:
        if not has_scripts:
            raise
        return Submission(name=name, folder=str(folder), candidates=())


def summary(name: str, competition: Competition, records: Sequence[Record]) -> Record:
    """The record of a submission that holds those of its entries."""
    graded = any(record.status is Status.GRADED for record in records)
    reasons = list(dict.fromkeys(record.reason for record in records if record.reason))
    said = "; ".join(reasons[:_MOST_REASONS])
    if len(reasons) > _MOST_REASONS:
        said += f"; and {len(reasons) - _MOST_REASONS} more reasons, at their networks"
    arrays = {
        f"{record.dataset.name.partition('/')[2]}/{key}": value
        for record in records
        for key, value in record.dataset.arrays.items()
    }
    return Record(
        schema_version=SCHEMA_VERSION,
        submission=storable(name),
        status=Status.GRADED if graded else records[0].status,
        reason=said or None,
        dataset=DatasetIdentity(name=competition.name, arrays=arrays),
        badnet=None,
        badnet_weights_hash=None,
        checkpoints=(),
        checks=(),
        notes=(),
        environment=environment(),
        classes=competition.classes,
        out_of_memory=any(record.out_of_memory for record in records),
        networks=tuple(records),
    )
