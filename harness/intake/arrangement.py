"""Which opened models count: what is no model, the BadNet and spare nets compete for nothing.

An X that only one file can have is inferred. What cannot be settled is asked for, with the line
of ``submission.toml`` that would settle it.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.intake.matching import assign, may_stand_in, missing_points, role_of
from harness.records.errors import Status, SubmissionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.intake.matching import Expectation, IdentifiedModel


_OLD = re.compile(r"old|back_?up|bak|prev|archive|copy|draft|attempt|tmp|temp|alt|vorher|first")
"""What people call a folder that no longer counts."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The models that count."""

    models: list[IdentifiedModel]
    """With the X that they are taken for."""

    notes: list[str] = field(default_factory=list)
    """What was left aside and why, and each X that was inferred."""


def arrange(models: Sequence[IdentifiedModel], expected: Expectation) -> Arrangement:
    """Leave aside what competes for nothing, and infer the X that only one file can have.

    Raises SubmissionError where two complete sets lie side by side, or nothing is left.
    """
    notes: list[str] = []
    kept = _without_masks(models, notes)
    kept = _without_badnets(kept, expected, notes)
    kept = _without_unreadable(kept, expected, notes)
    kept = _with_inferred_points(kept, expected, notes)
    kept = _without_spares(kept, expected, notes)
    if not kept:
        raise SubmissionError(Status.REJECTED, f"no repaired net in it: {'; '.join(notes)}")

    _require_one_set(kept, expected)
    told = [model for model in kept if model.candidate.inferred]
    if told:
        readings = ", ".join(f"{model.path} as X = {model.points:g}" for model in told)
        notes.append(f"read from the names: {readings}")
    slots = assign(kept, expected)
    others = [slot for slot in slots if slot.repaired and slot.drop_points not in expected.required]
    is_unclear = bool(_missing_points(kept, expected) and others)
    if is_unclear or any(slot.questions for slot in slots):
        line = _settling_line(kept, expected.required)
        notes.append(f"a line of submission.toml that would settle it: {line}")
    return Arrangement(kept, notes)


def _without_masks(
    models: Sequence[IdentifiedModel], notes: list[str]
) -> list[IdentifiedModel]:  # fmt: skip
    """Leave out masks of an X for which there is a whole net, as far as nobody declared them."""
    nets = {
        model.points for model in models
        if not model.is_mask and model.problem is None and model.candidate.role != "goodnet"
    }  # fmt: skip
    left = [
        model for model in models
        if model.is_mask and model.points in nets and not model.candidate.explicit
    ]  # fmt: skip
    if left:
        paths = ", ".join(model.path for model in left)
        notes.append(f"{paths}: left aside: a mask, and there is a net for its X")
    return [model for model in models if model not in left]


def _without_badnets(
    models: Sequence[IdentifiedModel], expected: Expectation, notes: list[str]
) -> list[IdentifiedModel]:
    """Leave out the BadNet, and what is named like it unless it is the only model."""
    kept, only_named = [], []
    for model in models:
        is_badnet = model.identity == expected.badnet
        if model.candidate.explicit or (model.points is not None and not is_badnet):
            kept.append(model)
        elif is_badnet and model.points is None:
            notes.append(f"{model.path}: the BadNet; left alone")
        elif not model.candidate.named_badnet:
            kept.append(model)
        elif model.problem is not None:
            notes.append(f"{model.path}: the BadNet by its name, not readable; left alone")
        else:
            only_named.append(model)

    is_alone = len(only_named) == 1 and all(model.problem for model in kept)
    for model in only_named:
        grading = "graded, as there is no other model" if is_alone else "left alone"
        notes.append(f"{model.path}: named like the BadNet, but other weights; {grading}")
    return kept + (only_named if is_alone else [])


def _without_unreadable(
    models: Sequence[IdentifiedModel], expected: Expectation, notes: list[str]
) -> list[IdentifiedModel]:
    """Leave out what is no model, unless it tells why a required X has none."""
    readable = [model for model in models if model.problem is None]
    repaired = {model.points for model in readable if model.candidate.role != "goodnet"}
    taken = {"repaired": repaired, "goodnet": {model.points for model in readable}}
    missing = set(_missing_points(models, expected))
    kept, left = [], defaultdict(list)
    for model in sorted(models, key=lambda model: model.candidate.role == "goodnet"):
        if model.problem is None or model.candidate.explicit:
            kept.append(model)
            continue

        is_taken = model.points in taken[model.candidate.role or "repaired"]
        served = set() if is_taken else _served(model, missing, expected.required)
        missing -= served
        if served:
            kept.append(model)
        else:
            left[model.problem].append(model.path)
    notes += [f"{', '.join(paths)}: left aside: {problem}" for problem, paths in left.items()]
    return kept


def _served(model: IdentifiedModel, missing: set[float], required: Sequence[float]) -> set[float]:
    """The X of those missing that a model is of, or may stand in for."""
    return {
        points
        for points in missing
        if model.points == points or may_stand_in(model.points, points, required)
    }


def _with_inferred_points(
    models: Sequence[IdentifiedModel], expected: Expectation, notes: list[str]
) -> list[IdentifiedModel]:
    """Where one X is missing and one net tells none, it is that X."""
    missing = _missing_points(models, expected)
    untold = [model for model in models if _is_untold(model) and model.candidate.role is None]
    if len(missing) != 1 or len({model.identity for model in untold}) != 1:
        return list(models)

    (points,) = missing
    notes.append(f"{untold[0].path}: taken for X = {points:g}, the only one without a file")
    return [_at(model, points) if model in untold else model for model in models]


def _is_untold(model: IdentifiedModel) -> bool:
    return model.points is None and model.problem is None and not model.candidate.explicit


def _at(model: IdentifiedModel, points: float | None) -> IdentifiedModel:
    return replace(model, candidate=replace(model.candidate, drop_points=points))


def _missing_points(models: Sequence[IdentifiedModel], expected: Expectation) -> list[float]:
    """The required X for which no net can be read, also none of a nearby X."""
    readable = [model for model in models if model.problem is None]
    return missing_points(assign(readable, expected), expected.required)


def _without_spares(
    models: Sequence[IdentifiedModel], expected: Expectation, notes: list[str]
) -> list[IdentifiedModel]:
    """Leave out nets whose names tell no X once every required X has one."""
    if _missing_points(models, expected):
        return list(models)
    spares = [model for model in models if _is_untold(model)]
    if spares:
        paths = ", ".join(spare.path for spare in spares)
        notes.append(f"{paths}: left aside: no X in the name, and no X is missing")
    return [model for model in models if model not in spares]


# --- two sets ---------------------------------------------------------------------------------


def _require_one_set(models: Sequence[IdentifiedModel], expected: Expectation) -> None:
    """Raise SubmissionError that lists complete sets where they differ in every X."""
    nets = [
        model
        for model in models
        if model.problem is None and role_of(model, models, expected.classes) == "repaired"
    ]
    for where in (_folder, _pattern):
        complete = _complete_sets(nets, where, expected.required)
        by_points = zip(*complete.values(), strict=True)
        if len(complete) > 1 and all(
            len({net.identity for net in rivals}) > 1 for rivals in by_points
        ):
            question = _sets_question(complete, expected.name)
            raise SubmissionError(Status.REJECTED, question)


def _folder(model: IdentifiedModel) -> str:
    return PurePosixPath(model.path).parent.as_posix()


def _pattern(model: IdentifiedModel) -> str:
    """The path without its numbers: the same for the files of one set."""
    path = PurePosixPath(model.path)
    return (path.parent / (re.sub(r"\d+", "*", path.stem) + path.suffix)).as_posix()


def _complete_sets(
    nets: Sequence[IdentifiedModel],
    where: Callable[[IdentifiedModel], str],
    required: Sequence[float],
) -> dict[str, list[IdentifiedModel]]:
    """Groups of nets that have one for each required X, without groups of the same nets."""
    groups: dict[str, dict[float, IdentifiedModel]] = defaultdict(dict)
    for net in nets:
        if net.points is not None and net.points in required:
            groups[where(net)].setdefault(net.points, net)

    complete: dict[str, list[IdentifiedModel]] = {}
    seen = set()
    for name, members in groups.items():
        identities = tuple(members[points].identity for points in sorted(members))
        if len(members) == len(required) and identities not in seen:
            seen.add(identities)
            complete[name] = [members[points] for points in sorted(members)]
    return complete


def _sets_question(complete: dict[str, list[IdentifiedModel]], name: str) -> str:
    names = sorted(complete)
    listed = " and ".join(
        f"{'its top folder' if where == '.' else repr(where)} ({_file_names(complete[where])})"
        for where in names
    )
    chosen = min(names, key=lambda where: (bool(_OLD.search(where.lower())), where == "."))
    remedy = f"say in submission.toml which one counts: {declaration_line(complete[chosen])}"
    if all(_folder(model) == chosen != "." for model in complete[chosen]):
        remedy = f"grade one, `python -m harness grade {name}/{chosen}`, or {remedy}"
    return f"{len(names)} complete sets of models, in {listed}; {remedy}"


def _file_names(models: Sequence[IdentifiedModel]) -> str:
    return ", ".join(PurePosixPath(model.path).name for model in models)


def _settling_line(models: Sequence[IdentifiedModel], required: Sequence[float]) -> str:
    """A declaration of one model for each X and role, and of those that tell no such X.

    Of several for one X the one whose folder has most of the others comes first.
    """
    folders = Counter(_folder(model) for model in models if model.points in required)
    chosen: dict[object, IdentifiedModel] = {}
    for model in sorted(models, key=lambda model: -folders[_folder(model)]):
        is_told = model.points in required
        chosen.setdefault((model.points, model.candidate.role) if is_told else model.path, model)

    served = {model.points for model in chosen.values()} >= set(required)
    listed = [m for m in chosen.values() if not served or m.points in required]
    listed.sort(key=lambda model: (model.points is None, model.points or 0))
    return declaration_line(
        [model if model.points in required else _at(model, None) for model in listed]
    )


def declaration_line(models: Sequence[IdentifiedModel]) -> str:
    """The line of ``submission.toml`` that says these models' role and X."""
    return f"artifacts = {{ {', '.join(map(_declaration, models))} }}"


def _declaration(model: IdentifiedModel) -> str:
    # What is known to answer N classes here is the lab's network: a repaired net by any name.
    is_goodnet = model.candidate.role == "goodnet" and model.output_count is None
    role = 'role = "goodnet", ' if is_goodnet else ""
    points = "..." if model.points is None else f"{model.points:g}"
    path = json.dumps(model.path, ensure_ascii=False)
    return f"{path} = {{ {role}drop_points = {points} }}"
