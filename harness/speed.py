"""Timing of a submission's nets: what is run for each, beside the BadNet in the same rounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.predictions import compose_goodnet, encode_scores
from harness.records import Checkpoint, Speed, Timing
from harness.timing import THROUGHPUT_BATCH, measure
from reference.deepid import predictor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from harness.assignment import Place
    from harness.bench import Bench, Model
    from harness.foreign import ForeignModel


def foreign_speeds(running: ForeignModel, bench: Bench) -> dict[str, Speed]:
    """Speeds of a foreign model in its worker: ``badnet``, ``own`` and ``goodnet`` (with B)."""
    badnet, size = _known(bench.badnet, bench), len(_images(bench))

    def own(images: int) -> np.ndarray:
        return running.ask(0, min(images, size))

    goodnet = _composed(badnet, own, bench.benchmark.classes)
    return measure({"badnet": badnet, "own": own, "goodnet": goodnet})


def with_timing(
    checkpoints: Sequence[Checkpoint],
    places: Sequence[Place],
    models: Mapping[str, Model],
    bench: Bench,
) -> list[Checkpoint]:
    """Return the checkpoints with the speed of their nets.

    Nets of the known architecture are measured here, all in the same rounds; foreign ones
    were measured while their worker ran.
    """
    badnet = _known(bench.badnet, bench)
    nets: dict[str, Callable[[int], np.ndarray]] = {"badnet": badnet}
    for model in models.values():
        if model.weights is not None and not model.failure:
            nets[model.candidate.path] = own = _known(model.weights, bench)
            nets[f"goodnet {model.candidate.path}"] = _composed(
                badnet, own, bench.benchmark.classes
            )
    known = measure(nets) if len(nets) > 1 else {}
    return [
        replace(checkpoint, timing=_timing(place, models, known))
        for checkpoint, place in zip(checkpoints, places, strict=True)
    ]


def _timing(place: Place, models: Mapping[str, Model], known: Mapping[str, Speed]) -> Timing | None:
    repaired = models[place.repaired.path] if place.repaired else None
    goodnet = models[place.goodnet.path] if place.goodnet else None
    speeds = _speeds(repaired, known) or _speeds(goodnet, known)
    if not speeds:
        return None
    combined = _speeds(goodnet, known).get("own") if goodnet else speeds.get("goodnet")
    return Timing(
        badnet=speeds["badnet"],
        repaired=_speeds(repaired, known).get("own"),
        goodnet=combined,
    )


def _speeds(model: Model | None, known: Mapping[str, Speed]) -> Mapping[str, Speed]:
    if model is None:
        return {}
    path = model.candidate.path
    if path not in known:
        return model.speeds
    return {"badnet": known["badnet"], "own": known[path], "goodnet": known[f"goodnet {path}"]}


def _images(bench: Bench) -> np.ndarray:
    return bench.sets["valid"].images[:THROUGHPUT_BATCH]


def _known(weights: Mapping[str, np.ndarray], bench: Bench) -> Callable[[int], np.ndarray]:
    predict, images = predictor(weights, bench.benchmark.pixel_scale), _images(bench)
    return lambda size: encode_scores(predict(images[:size]))


def _composed(
    badnet: Callable[[int], np.ndarray], repaired: Callable[[int], np.ndarray], classes: int
) -> Callable[[int], np.ndarray]:
    """GoodNet runs both nets on every image; that is what it costs."""
    return lambda size: compose_goodnet(badnet(size), repaired(size), classes)
