"""What a submission hands in for one BadNet, from files to counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.grading.competition.networks import answers_of, counted_checkpoint, shown_sets
from harness.grading.models import Predicted, predict_models
from harness.inference.identification import Failed, KnownModel, OtherModel
from harness.inference.opening import OpenedSubmission
from harness.lineage.family import OTHER, PROGRAM, PRUNED, TUNED
from harness.lineage.likeness import is_masked
from harness.records.errors import Status
from harness.records.predictions import compose_goodnet
from harness.records.record import Artifact
from harness.records.text import storable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.grading.competition.networks import PreparedNetwork
    from harness.grading.context import RunContext
    from harness.inference.identification import Identified
    from harness.records.record import Record
    from harness.records.submission import Submission


def grade_entry_for(
    network: PreparedNetwork,
    models: Sequence[Identified | Failed],
    submission: Submission,
    run: RunContext,
    deadline: float,
) -> Record:
    """Grade what was handed in for one BadNet; whatever is wrong with it is in its record."""
    name = submission.name
    chosen, question = different_models(network.name, models)
    if not chosen:
        return network.record(name, Status.REJECTED, f"nothing was handed in for {network.name}")
    if question:
        return network.record(name, Status.REJECTED, question)

    readable = [model for model in chosen if not isinstance(model, Failed)]
    opened = OpenedSubmission(submission, list(readable or chosen[:1]))
    predicted = predict_models(opened, shown_sets(network.datasets), run, deadline)
    return record_of(network, predicted, name)


def different_models(
    network: str, models: Sequence[Identified | Failed]
) -> tuple[list[Identified | Failed], str]:
    """The models for one BadNet, each once, and what has to be decided before one counts."""
    different = {model.candidate.path if isinstance(model, Failed) else model.key: model
                 for model in reversed(models)}  # fmt: skip
    chosen = sorted(different.values(), key=lambda model: model.candidate.path)
    readable = [model for model in chosen if not isinstance(model, Failed)]
    if len(readable) > 2 or (len(readable) == 2 and _are_rivals(readable)):
        return chosen, _question(network, readable)
    return chosen, ""


def _are_rivals(models: Sequence[Identified]) -> bool:
    """Whether two models cannot be B' and G of one BadNet."""
    return all(isinstance(model, KnownModel) for model in models) or (
        all(isinstance(model, OtherModel) for model in models)
        and len({model.candidate.role for model in models}) == 1
    )


def _question(network: str, models: Sequence[Identified]) -> str:
    names = " and ".join(repr(model.candidate.path) for model in models)
    return (
        f"{len(models)} different models for {network}: {names}; keep one, or name it in "
        "submission.toml"
    )


def record_of(network: PreparedNetwork, models: Sequence[Predicted | Failed], name: str) -> Record:
    """The record of what models answered on a BadNet's sets, or of how they failed."""
    answered = [model for model in models if isinstance(model, Predicted)]
    failed = [model for model in models if isinstance(model, Failed)]
    repaired = goodnet = None
    for model in answered:
        if model.predictions.output_count == network.datasets.benchmark.classes:
            repaired = model
        else:
            goodnet = model

    reason = "; ".join(f"{each.candidate.path}: {each.error.reason}" for each in failed) or None
    status = Status.GRADED if answered else failed[0].error.status
    own = answers_of(repaired.predictions, network.datasets) if repaired else None
    given = answers_of(goodnet.predictions, network.datasets) if goodnet else None
    if given is None and own is not None:
        given = {name: compose_goodnet(network.answers[name], net) for name, net in own.items()}
    checkpoint = replace(
        counted_checkpoint(network.datasets.sets, own, given),
        status=status,
        reason=reason,
        artifact=_artifact(repaired, "repaired"),
        goodnet_artifact=_artifact(goodnet, "goodnet"),
        family=_family(network, repaired or goodnet),
        isolation=answered[0].model.isolation if answered else None,
        probe=next((each.probe for each in answered if each.probe), None),
        failed_on_images=any(each.error.saw_images for each in failed),
    )
    record = network.record(name, status, reason, checkpoint)
    return replace(record, out_of_memory=any(each.error.out_of_memory for each in failed))


def _family(network: PreparedNetwork, model: Predicted | None) -> str | None:
    """What kind of defence it is."""
    if model is None:
        return None
    if isinstance(model.model, KnownModel):
        return PRUNED if is_masked(model.model.weights, network.badnet) else TUNED
    return PROGRAM if model.model.format == "program" else OTHER


def _artifact(model: Predicted | None, role: str) -> Artifact | None:
    if model is None:
        return None
    identified = model.model
    return Artifact(
        path=storable(model.candidate.path),
        sha256=identified.staged.sha256,
        size_bytes=identified.staged.size_bytes,
        format=identified.format,
        role=role,
        weights_hash=identified.key if isinstance(identified, KnownModel) else None,
        predictions=model.stored_as,
    )
