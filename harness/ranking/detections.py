"""The board of detectors: how well each tells BadNets from their clean twins.

ROC-AUC and cross-entropy are the figures of NIST's TrojAI leaderboards (pages.nist.gov/trojai;
Karra, Ashcraft and Fendley, "The TrojAI Software Framework", arXiv 2003.07233), whose cut of
probabilities at 1e-12 is taken, too; beside them the Brier score (Monthly Weather Review 78, 1950).
What failed counts as one half.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from harness.datasets.zoos import split_name
from harness.ranking.defences import median_cost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.ranking.defence_board import Cost
    from harness.records.benchmark import Competition
    from harness.records.errors import Status
    from harness.records.record import Record, Repair

FIGURES = ("roc_auc", "cross_entropy", "brier")
"""Of a detector; the first is the better the higher, the others the lower."""

UNKNOWN = 0.5
"""What counts for a network about which a detector failed."""

ALWAYS_HALF = "always one half"

_CUT = 1e-12
_RESAMPLES, _SEED = 2000, 30707
_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a detector said of one network."""

    network: str
    attack: str
    """Of the BadNet, or of that whose clean twin it is."""

    seed: int
    is_backdoored: bool
    status: Status
    reason: str | None

    probability: float | None
    """None where it failed."""

    cost: Repair | None

    @property
    def counted(self) -> float:
        """The probability that the figures are computed from."""
        return UNKNOWN if self.probability is None else self.probability


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure over pairs of networks, and its 95 % interval, None where nothing tells it."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGroup:
    """A detector on all networks, or on those of one attack: each BadNet before its twin."""

    answers: tuple[Answer, ...]

    figures: Mapping[str, Figure | None]
    """By `FIGURES`; None where a network could not be asked about for reasons of ours."""

    @property
    def failed(self) -> int:
        """About how many networks it failed."""
        return sum(answer.probability is None for answer in self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRow:
    """A detector on the board, or always one half."""

    rank: int | None
    """From 1; None for the baseline, and where answers are missing."""

    detector: str
    overall: AnswerGroup

    by_attack: Mapping[str, AnswerGroup]
    """In the order of the board's attacks; a group may be empty."""

    cost: Cost | None
    missing: int = 0
    """Networks about which others were asked and this one was not yet."""

    is_baseline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionBoard:
    """All detectors, ranked by ROC-AUC."""

    zoo: str
    title: str
    attacks: tuple[str, ...]
    seeds: tuple[int, ...]

    badnets: int
    """How many the zoo has; it has as many clean twins."""

    rows: tuple[DetectorRow, ...]


def rank_detectors(records: Sequence[Record], zoo: Competition) -> DetectionBoard:
    """Rank the detectors whose answers are recorded.

    Clean twins are among the zoo's networks, each right behind its BadNet (`zoos.with_twins`).
    """
    answers = _answers_by_detector(records, zoo)
    attacks = tuple(dict.fromkeys(n.attack for n in zoo.networks if n.attack is not None))
    begun = {answer.network: answer for own in answers.values() for answer in own}
    rows = [_row(detector, own, attacks) for detector, own in answers.items()]
    rows = [replace(row, missing=len(begun) - len(row.overall.answers)) for row in rows]

    order = [network.name for network in zoo.networks]
    asked = [begun[name] for name in order if name in begun]
    half = [replace(each, probability=UNKNOWN, reason=None, cost=None) for each in asked]
    if half:
        rows.append(replace(_row(ALWAYS_HALF, half, attacks), is_baseline=True))
    return DetectionBoard(
        zoo=zoo.name,
        title=zoo.title,
        attacks=attacks,
        seeds=tuple(sorted({n.seed for n in zoo.networks if n.seed is not None})),
        badnets=sum(bool(network.triggers) for network in zoo.networks),
        rows=tuple(sorted(_ranked(rows), key=lambda row: (*_place(row), row.detector))),
    )


def _answers_by_detector(records: Sequence[Record], zoo: Competition) -> dict[str, list[Answer]]:
    """The answers of each detector, in the order of the zoo's networks."""
    networks = {network.name: network for network in zoo.networks}
    order = list(networks)
    answers: dict[str, list[Answer]] = {}
    for record in records:
        detector, name = split_name(record.submission)
        if detector and name in networks:
            network = networks[name]
            answer = Answer(
                network=name,
                attack=network.attack or "",
                seed=network.seed or 0,
                is_backdoored=bool(network.triggers),
                status=record.status,
                reason=record.reason if record.probability is None else None,
                probability=record.probability,
                cost=record.repair,
            )
            answers.setdefault(detector, []).append(answer)
    for own in answers.values():
        own.sort(key=lambda answer: order.index(answer.network))
    return dict(sorted(answers.items()))


# --- rows ---------------------------------------------------------------------------------------


def _row(detector: str, answers: Sequence[Answer], attacks: Sequence[str]) -> DetectorRow:
    return DetectorRow(
        rank=None,
        detector=detector,
        overall=group_of(answers),
        by_attack={
            attack: group_of([answer for answer in answers if answer.attack == attack])
            for attack in attacks
        },
        cost=median_cost([answer.cost for answer in answers if answer.cost is not None]),
    )


def _ranked(rows: Sequence[DetectorRow]) -> Iterator[DetectorRow]:
    places = sorted(_place(row) for row in rows if _may_rank(row))
    for row in rows:
        yield replace(row, rank=1 + places.index(_place(row)) if _may_rank(row) else None)


def _may_rank(row: DetectorRow) -> bool:
    return not row.is_baseline and not row.missing and row.overall.figures["roc_auc"] is not None


def _place(row: DetectorRow) -> tuple[bool, float, float]:
    """What rows are sorted by: ROC-AUC, of equal ones the lower cross-entropy."""
    area, entropy = (row.overall.figures[name] for name in ("roc_auc", "cross_entropy"))
    if area is None or entropy is None:
        return True, 0.0, 0.0
    has_place = row.is_baseline or _may_rank(row)
    return not has_place, -round(area.value, _DIGITS), round(entropy.value, _DIGITS)


# --- figures ------------------------------------------------------------------------------------


def group_of(answers: Sequence[Answer]) -> AnswerGroup:
    """Answers with their figures, over the pairs of which both networks were asked about."""
    pairs = list(_pairs(answers))
    ours = any(answer.probability is None and answer.status.is_ours for answer in answers)
    if not pairs or ours:
        return AnswerGroup(answers=tuple(answers), figures=dict.fromkeys(FIGURES))
    badnets, twins = (
        np.array([each.counted for each in side]) for side in zip(*pairs, strict=True)
    )
    weights = _redrawn([badnet.attack for badnet, _ in pairs])
    return AnswerGroup(
        answers=tuple(answers),
        figures={name: _figure(name, badnets, twins, weights) for name in FIGURES},
    )


def _pairs(answers: Sequence[Answer]) -> Iterator[tuple[Answer, Answer]]:
    """Each BadNet and its twin, which is right behind it."""
    for answer, following in pairwise(answers):
        of_pair = (answer.attack, answer.seed) == (following.attack, following.seed)
        if answer.is_backdoored and not following.is_backdoored and of_pair:
            yield answer, following


def _figure(
    name: str, badnets: np.ndarray, twins: np.ndarray, weights: np.ndarray | None
) -> Figure:
    value = float(_values(name, badnets, twins, np.ones((1, len(badnets))))[0])
    if weights is None:
        return Figure(value=value, low=None, high=None)
    low, high = np.quantile(_values(name, badnets, twins, weights), (0.025, 0.975))
    return Figure(value=value, low=float(low), high=float(high))


def _values(name: str, badnets: np.ndarray, twins: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The figure where each pair counts so much (samples x pairs)."""
    total = weights.sum(axis=1)
    if name == "roc_auc":
        # Of a BadNet and a clean network, how often the BadNet is taken to be the likelier one.
        above = (badnets[:, None] > twins) + 0.5 * (badnets[:, None] == twins)
        return np.asarray(np.einsum("si,ij,sj->s", weights, above, weights) / total**2)
    if name == "cross_entropy":
        right = np.clip([badnets, 1 - twins], _CUT, 1 - _CUT)
        losses = -np.log(right).mean(axis=0)
    else:
        losses = ((1 - badnets) ** 2 + twins**2) / 2
    return np.asarray(weights @ losses / total)


def _redrawn(strata: Sequence[str]) -> np.ndarray | None:
    """How much each pair counts in samples drawn anew within each attack; None for single pairs.

    Of n pairs n - 1 are drawn, as in `resampling.redrawn_means`. A BadNet and its twin stay
    together: they began with the same weights.
    """
    rng, names = np.random.default_rng(_SEED), np.array(strata)
    weights = np.zeros((_RESAMPLES, len(names)))
    for stratum in dict.fromkeys(strata):
        own = np.flatnonzero(names == stratum)
        if len(own) < 2:
            return None
        drawn = rng.multinomial(len(own) - 1, np.full(len(own), 1 / len(own)), size=_RESAMPLES)
        weights[:, own] = drawn * len(own) / (len(own) - 1)
    return weights


def roc_points(answers: Sequence[Answer]) -> list[tuple[float, float]]:
    """The ROC curve: shares of clean networks and of BadNets above a limit that comes down."""
    badnets = np.array([each.counted for each in answers if each.is_backdoored])
    clean = np.array([each.counted for each in answers if not each.is_backdoored])
    if not len(badnets) or not len(clean):
        return []
    limits = sorted({*badnets.tolist(), *clean.tolist()}, reverse=True)
    above = [(float((clean >= limit).mean()), float((badnets >= limit).mean())) for limit in limits]
    return [(0.0, 0.0), *above]
