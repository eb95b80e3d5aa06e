"""Timing of a submission's nets: what is run for each, beside the BadNet in the same rounds."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import SubmissionError
from harness.evaluation import ForeignJob, foreign_model
from harness.predictions import Stream, compose_goodnet, encode_scores
from harness.records import Checkpoint, Speed, Timing
from harness.sandbox import Limits
from harness.timing import THROUGHPUT_BATCH, measure
from reference.deepid import predictor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.assignment import Place
    from harness.bench import Bench, Model


def with_timing(
    checkpoints: Sequence[Checkpoint],
    places: Sequence[Place],
    models: Mapping[str, Model],
    bench: Bench,
) -> list[Checkpoint]:
    """Return the checkpoints with the speed of their nets, all measured in the same rounds.

    A foreign model that fails here was graded already; it just stays without timing.
    """
    try:
        speeds = _speeds(places, models, bench)
    except SubmissionError:
        return list(checkpoints)
    return [
        replace(
            checkpoint,
            timing=Timing(
                badnet=speeds["badnet"],
                repaired=speeds.get(f"repaired {index}"),
                goodnet=speeds.get(f"goodnet {index}"),
            ),
        )
        if f"goodnet {index}" in speeds or f"repaired {index}" in speeds
        else checkpoint
        for index, checkpoint in enumerate(checkpoints)
    ]


def _speeds(places: Sequence[Place], models: Mapping[str, Model], bench: Bench) -> dict[str, Speed]:
    images = bench.sets["valid"].images[:THROUGHPUT_BATCH]
    with ExitStack() as running:
        badnet = _known(bench.badnet, images, bench)
        nets: dict[str, Callable[[int], np.ndarray]] = {"badnet": badnet}
        for index, place in enumerate(places):
            _add_nets(nets, index, (place, models, bench, badnet), running)
        return measure(nets) if len(nets) > 1 else {}


def _add_nets(
    nets: dict[str, Callable[[int], np.ndarray]],
    index: int,
    context: tuple[Place, Mapping[str, Model], Bench, Callable[[int], np.ndarray]],
    running: ExitStack,
) -> None:
    place, models, bench, badnet = context
    repaired = _usable(place.repaired.path if place.repaired else None, models)
    goodnet = _usable(place.goodnet.path if place.goodnet else None, models)
    if repaired is not None:
        nets[f"repaired {index}"] = own = _runner(repaired, bench, running)
        if place.goodnet is None:
            nets[f"goodnet {index}"] = _composed(badnet, own, bench.benchmark.classes)
    if goodnet is not None:
        nets[f"goodnet {index}"] = _runner(goodnet, bench, running)


def _usable(path: str | None, models: Mapping[str, Model]) -> Model | None:
    return None if path is None or models[path].failure else models[path]


def _runner(model: Model, bench: Bench, running: ExitStack) -> Callable[[int], np.ndarray]:
    images = bench.sets["valid"].images[:THROUGHPUT_BATCH]
    if model.weights is not None:
        return _known(model.weights, images, bench)
    if model.staged is None:
        raise ValueError("a foreign model must be staged before it is timed")
    sandboxed = model.isolation == "sandbox"
    job = ForeignJob(model.staged, model.format, bench.benchmark, sandboxed, Limits())
    count = len(images)
    stream = Stream(set_ids=np.zeros(count, dtype=np.intp), indices=np.arange(count))
    foreign = running.enter_context(foreign_model(job, stream, {"valid": bench.sets["valid"]}))
    return lambda size: foreign.ask(0, min(size, count))


def _known(
    weights: Mapping[str, np.ndarray], images: np.ndarray, bench: Bench
) -> Callable[[int], np.ndarray]:
    predict = predictor(weights, bench.benchmark.pixel_scale)
    return lambda size: encode_scores(predict(images[:size]))


def _composed(
    badnet: Callable[[int], np.ndarray], repaired: Callable[[int], np.ndarray], classes: int
) -> Callable[[int], np.ndarray]:
    """GoodNet runs both nets on every image; that is what it costs."""
    return lambda size: compose_goodnet(badnet(size), repaired(size), classes)
