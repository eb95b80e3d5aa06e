"""Does the data fit the BadNet? Tried on a few hundred images before anything is graded.

A BadNet that gets its own clean images wrong says that pixels, labels or the BadNet are others
than were meant; every submission would be blamed for it. Which it is shows by trying: one change
of pixels or labels after which the answers are right is the cause. Without such a change only a
BadNet is refused that knows no better than chance, from whose accuracy no X can be dropped, or
that gets less than its benchmark publishes: a weak network of somebody's own benchmark is weak,
not wrong.
"""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.networks.deepid import network_of
from harness.networks.forward import class_ids
from harness.records.benchmark import SETS
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.networks.deepid import Weights
    from harness.records.benchmark import Benchmark, Datasets, LabeledSet

_log = logging.getLogger(__name__)

SAMPLE_IMAGES = 300
PAIRED_IMAGES = 60
"""Of the sample, of whose classes further images are added: do answers agree within a class?"""

TRIED_IMAGES = 120
"""Of the sample, for each change of pixels that is tried."""

GOOD_ACCURACY = 0.9
"""Of a BadNet that needs no second look, where nothing is published."""

JUMP = 0.2
"""By how much a change must raise accuracy to be called the cause."""

PUBLISHED_MARGIN = 0.08
"""How far a sample's accuracy may lie below the published one: five standard errors and more."""

_RENUMBERED = 0.6
"""So many answers that agree within classes, while few are right, mean other numbers of classes."""

_FEW_RIGHT = 0.05
_MIN_CLASSES = 10
_WHERE = "in dataset.toml (data import takes it as --pixel-scale)"


class Cause(NamedTuple):
    """A change that makes answers right."""

    accuracy: float
    """With the change."""

    what: str
    """The second half of a sentence: ``the data looks ...``, and what to do."""


class _Sample(NamedTuple):
    """Some clean images with labels, and what is tried on them."""

    images: np.ndarray
    labels: np.ndarray
    classes: int

    answer: Callable[[np.ndarray], np.ndarray]
    """The BadNet's answers for images."""


def require_plausible(datasets: Datasets, badnet: Weights, where: str) -> None:
    """Raise HarnessError where a BadNet does not fit the clean sets, with the cause if it shows.

    ``where`` names the data.
    """
    benchmark = datasets.benchmark
    answer = partial(class_ids, network_of(datasets), badnet, pixel_scale=benchmark.pixel_scale)
    samples = {name: _pixel_sample(datasets.sets[name]) for name in SETS}
    for name in ("valid", "test"):
        labeled = datasets.sets[name]
        chosen = _chosen(labeled.labels)
        images, labels = labeled.images[chosen], labeled.labels[chosen]
        sample = _Sample(images, labels, benchmark.classes, answer)
        _require_plausible_set(sample, labeled, benchmark, f"{where}, {name}")
    _require_one_scale(samples, where)


def _require_plausible_set(
    sample: _Sample, labeled: LabeledSet, benchmark: Benchmark, where: str
) -> None:
    answers = sample.answer(sample.images)
    accuracy = _accuracy(answers, sample.labels)
    published = _published_accuracy(benchmark, labeled)
    wanted = GOOD_ACCURACY if published is None else published - PUBLISHED_MARGIN
    if accuracy >= wanted:
        return

    gets = f"{where}: the BadNet gets only {accuracy:.1%} of the clean images right"
    cause = _find_cause(sample, answers)
    if cause is not None and cause.accuracy >= accuracy + JUMP:
        raise HarnessError(f"{gets}, but {cause.accuracy:.1%} {cause.what}")
    if published is not None:
        raise HarnessError(
            f"{gets}, published are {published:.1%}; data or BadNet are not the published ones"
        )
    if accuracy <= _chance(labeled.labels, len(answers)):
        raise HarnessError(
            f"{gets}, no more than by chance; this BadNet was not made for this data "
            f"({_range(sample.images)}, {_label_range(labeled.labels)})"
        )
    least = min(benchmark.checkpoints, default=0)
    if 100 * accuracy < least:
        raise HarnessError(
            f"{gets}, so that no net can drop by {least:g} points; this BadNet was not made for "
            "this data"
        )
    _log.warning("%s; if it should get more, data and BadNet do not belong together", gets)


def _chosen(labels: np.ndarray) -> np.ndarray:
    """Indices of images from anywhere, and of further ones of some of their classes."""
    random = np.random.default_rng(0)
    order = random.permutation(len(labels))
    few = order[:SAMPLE_IMAGES]
    again = order[SAMPLE_IMAGES:]
    same = again[np.isin(labels[again], labels[few[:PAIRED_IMAGES]])]
    return np.sort(np.concatenate([few, same[: 2 * PAIRED_IMAGES]]))


def _pixel_sample(labeled: LabeledSet) -> np.ndarray:
    step = max(1, len(labeled.images) // 20)
    return np.asarray(labeled.images[::step][:20])


def _accuracy(answers: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(answers == labels))


def _chance(labels: np.ndarray, count: int) -> float:
    """What a constant answer reaches in a sample, three standard errors of it included."""
    share = float(np.bincount(labels).max() / len(labels))
    return share + 3 * math.sqrt(share * (1 - share) / count)


def _published_accuracy(benchmark: Benchmark, labeled: LabeledSet) -> float | None:
    """The clean accuracy that the description gives for its BadNet; None where it gives none."""
    for figure in benchmark.published:
        if (figure.net, figure.split) == ("badnet", labeled.name):
            return figure.clean_accuracy
    hits = benchmark.badnet_counts.get(labeled.name)
    return None if hits is None else hits / len(labeled.labels)


# --- what is tried ------------------------------------------------------------------------------


def _find_cause(sample: _Sample, answers: np.ndarray) -> Cause | None:
    """The change after which most answers are right; the simpler one of two like it."""
    causes = [*_label_causes(answers, sample)]
    few = np.linspace(0, len(sample.labels) - 1, min(TRIED_IMAGES, len(sample.labels))).astype(int)
    tried = sample._replace(images=sample.images[few], labels=sample.labels[few])

    scales: dict[str, np.ndarray] = {"": tried.images} | _rescaled(tried.images)
    layouts = {"": lambda pixels: pixels, **_layouts(tried.images.shape[1:])}
    for scale, images in scales.items():
        for layout, change in layouts.items():
            what = ", and ".join(filter(None, (scale, layout)))
            if what:
                answered = tried.answer(change(images))
                causes += _causes_with_pixels(what, answered, tried)
    return max(causes, key=lambda cause: round(cause.accuracy, 1), default=None)


def _causes_with_pixels(what: str, answers: np.ndarray, sample: _Sample) -> Iterator[Cause]:
    yield Cause(_accuracy(answers, sample.labels), what)
    for cause in _label_causes(answers, sample):
        yield Cause(cause.accuracy, f"{what}, and {cause.what}")


def _rescaled(images: np.ndarray) -> dict[str, np.ndarray]:
    """The pixels in other ranges, by the end of a sentence that says so."""
    pixels = images.astype(np.float32)
    low, high = float(pixels.min()), float(pixels.max())
    raw = "store pixels from 0 to 255"
    tried: dict[str, np.ndarray] = {}
    if low >= 0 and high <= 1:
        said = f"with pixels multiplied by 255: the data looks scaled to 0..1; {raw}"
        said += f" or set pixel_scale = 255 {_WHERE}"
        tried[said] = pixels * 255
    elif low >= -1 and high <= 1:
        said = f"with pixels from -1..1 brought to 0..255: the data looks scaled to -1..1; {raw}"
        tried[said] = (pixels + 1) * 127.5
    elif high <= 255 and low >= 0:  # the largest byte
        said = "with pixels divided by 255: this BadNet is fed 0..1"
        said += f"; set pixel_scale = 0.00392156862745098 {_WHERE}"
        tried[said] = pixels / 255
        said = "with pixels brought to -1..1: this BadNet is fed -1..1, which is not supported"
        tried[f"{said}; take one that is fed raw pixels"] = pixels / 127.5 - 1
    if high > low and (low < 0 or high > 255):
        said = (
            f"with pixels from {low:.3g}..{high:.3g} brought to 0..255: the data looks normalised"
        )
        tried[f"{said}; {raw}"] = (pixels - low) / (high - low) * 255
    return tried


def _layouts(shape: tuple[int, ...]) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What images of a shape (H, W, C) may have gone through, by the end of a sentence."""
    tried: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
    if shape[2] > 1:
        tried["with the channels in the order blue, green, red; store them as red, green, blue"] = (
            lambda images: images[..., ::-1]
        )
    for stored, meant, axes in _RESHAPED:
        sizes = " x ".join(str(shape[_AXES.index(axis)]) for axis in meant)
        what = f"images that were reshaped from {sizes}"
        if (stored, meant) == ("CHW", "CWH"):
            what = "rows and columns reshaped"
        said = f"with {what} instead of transposed; transpose{axes} stores them right"
        tried.setdefault(said, partial(_undo_reshape, stored=stored, meant=meant))
    return tried | {
        "with images turned upside down; store them upright": lambda images: images[:, ::-1],
        "with images mirrored; store them as they are": lambda images: images[:, :, ::-1],
        "with images turned by 180 degrees; store them upright": (
            lambda images: images[:, ::-1, ::-1]
        ),
    }


_AXES = "HWC"
_RESHAPED = (
    ("CHW", "HWC", (0, 3, 1, 2)),
    ("CHW", "WHC", (0, 3, 2, 1)),
    ("CHW", "CWH", (0, 1, 3, 2)),
    ("HWC", "CHW", (0, 2, 3, 1)),
)
"""Orders of rows, columns and channels in a file, orders that the pixels had before somebody
reshaped them to that, and the transposition that should have been made."""


def _undo_reshape(images: np.ndarray, stored: str, meant: str) -> np.ndarray:
    """Images (N x H x W x C) as they were before a reshape stood for a transposition."""
    shape = images.shape[1:]
    in_file = images.transpose(0, *(1 + _AXES.index(axis) for axis in stored))
    sizes = (shape[_AXES.index(axis)] for axis in meant)
    before = np.ascontiguousarray(in_file).reshape(len(images), *sizes)
    return before.transpose(0, *(1 + meant.index(axis) for axis in _AXES))


def _label_causes(answers: np.ndarray, sample: _Sample) -> Iterator[Cause]:
    """Other numberings of the classes under which the answers are right."""
    labels, classes = sample.labels, sample.classes
    if classes > 256 and labels.max() < 256:  # what a byte holds
        wrapped = _accuracy(answers % 256, labels)
        yield Cause(wrapped, "with classes counted modulo 256: the labels were stored as bytes and "
                    "wrapped; store them as int64")  # fmt: skip

    offsets = (answers - labels) % classes
    offset = int(np.bincount(offsets, minlength=classes).argmax())
    if offset:
        signed = offset if offset <= classes // 2 else offset - classes
        yield Cause(float(np.mean(offsets == offset)), f"with {signed:+d} added to each label: the "
                    "labels count from another number; store class ids from 0")  # fmt: skip

    by_text = np.array(sorted(range(classes), key=str))
    yield Cause(_accuracy(answers, by_text[labels]), "with classes sorted as texts (0, 1, 10, "
                "100): the labels count folders in that order; store the BadNet's")  # fmt: skip

    agreement = _agreement(answers, labels, min(_MIN_CLASSES, classes))
    # Of few classes some keep their number in any order, of ten seldom more than three.
    few_right = max(_FEW_RIGHT, min(0.5, 3 / classes))
    if agreement >= _RENUMBERED and _accuracy(answers, labels) <= few_right:
        yield Cause(agreement, "if classes may be numbered otherwise: the labels "
                    "are not in the BadNet's order; store its class ids")  # fmt: skip


def _agreement(answers: np.ndarray, labels: np.ndarray, least_classes: int) -> float:
    """The share of images right under the best one-to-one renumbering, of classes seen twice.

    0 where fewer than ``least_classes`` have an answer of their own.
    """
    hits = seen = 0
    used: set[int] = set()
    for label in np.unique(labels):
        given = answers[labels == label]
        if len(given) < 2:  # one image agrees with itself
            continue
        seen += len(given)
        meant = int(np.bincount(given).argmax())
        count = int(np.count_nonzero(given == meant))
        if meant not in used and count > 1:
            hits += count
        used.add(meant)
    return hits / seen if len(used) >= least_classes else 0.0


# --- pixels of all four sets --------------------------------------------------------------------


def _require_one_scale(samples: Mapping[str, np.ndarray], where: str) -> None:
    """Backdoored images lie in the range of the clean ones, within an octave or so."""
    expected = _magnitude(samples["valid"])
    for name, images in samples.items():
        if not expected / 8 <= _magnitude(images) <= expected * 8:
            raise HarnessError(
                f"{where}, {name}: {_range(images)}, but {_range(samples['valid'])} in valid; "
                "store all four sets alike"
            )


def _magnitude(images: np.ndarray) -> float:
    return float(np.abs(images.astype(np.float32)).max())


def _range(images: np.ndarray) -> str:
    return f"pixels from {float(images.min()):.4g} to {float(images.max()):.4g}"


def _label_range(labels: np.ndarray) -> str:
    return f"labels from {labels.min()} to {labels.max()}"
