"""The same net written as the BadNet is: channels in its order and at its scale.

A rectified channel may be moved, split in two, or multiplied by a positive number where what
reads it is divided by the same number: the net answers as before. These are undone here, layer
by layer from the image on, and so is noise in the last bits. What is left differs from the
BadNet only where somebody really changed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.networks.deepid import Weights

RELATIVE_TOLERANCE = 1e-5
"""A value counts as the BadNet's that is nearer to it than this share of the largest value in its
channel. Rescaling a channel in float32 moves values by less than 1e-6 of them."""

SAME_CHANNEL = 0.9
"""Cosine of two channels from which on they are taken for the same; trained ones stay above
it, channels of other nets are within 0.5 of 0."""

_EQUAL = 1 - 1e-6
"""Cosine from which on the place in the file no longer speaks against being the same channel."""

_TIE = 1e-12
"""Cosines this near to each other are equal; bias and then place decide."""

_LAYERS = {
    "conv_1": ("conv_1",),
    "conv_2": ("conv_2",),
    "conv_3": ("conv_3",),
    "conv_4": ("conv_4",),
    "merged": ("fc_1", "fc_2"),
}
"""Layers with channels, from the image on, and the weights that make them up."""

_READERS = {
    "conv_1": ("conv_2",),
    "conv_2": ("conv_3",),
    "conv_3": ("conv_4", "fc_1"),
    "conv_4": ("fc_2",),
    "merged": ("output",),
}
"""What reads a layer."""

_POSITIONS = {
    "conv_1": 16,
    "conv_2": 9,
    "conv_3": 9,
    "conv_4": 4,
    "fc_1": 20,
    "fc_2": 12,
    "output": 1,
}
"""At how many positions a kernel reads each channel."""


@dataclass(frozen=True, slots=True)
class _Net:
    """Weights with all kernels in one form."""

    kernels: dict[str, np.ndarray]
    """Positions x channels read x channels, by layer of weights."""

    biases: dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class _Match:
    """Where each channel of a layer comes from."""

    channels: np.ndarray
    """The BadNet's channel for each submitted one, -1 where none is like it (int)."""

    scales: np.ndarray
    """How much larger each submitted channel is (float64)."""


def normal_form(
    weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray]
) -> Weights | None:
    """``weights`` in the BadNet's shape, order and scale, removed channels as zeros.

    Channels that are like none of the BadNet's stay where they are. None where a value is not
    finite, before or after, or where a narrowed net has such a channel.
    """
    if not _is_finite(weights):
        return None

    if _is_plain(weights, badnet):
        ours, theirs = _net(weights, np.float32), _net(badnet, np.float32)
        _settle(ours, theirs, 0.0)
    else:
        ours, theirs = _net(weights, np.float64), _net(badnet, np.float64)
        if not _reorder(ours, theirs):
            return None
        _rescale_output(ours, theirs)
        _settle(ours, theirs, RELATIVE_TOLERANCE)
        _snap(ours, theirs)
        _join_biases(ours, theirs)

    arrays = {f"{name}/kernel": kernel for name, kernel in ours.kernels.items()}
    arrays |= {f"{name}/bias": bias for name, bias in ours.biases.items()}
    with np.errstate(over="ignore"):  # what was divided by a tiny scale may not fit any more
        single = {n: arrays[n].reshape(a.shape).astype("f4", copy=False) for n, a in badnet.items()}
    return single if _is_finite(single) else None


def _is_finite(weights: Mapping[str, np.ndarray]) -> bool:
    return all(np.isfinite(array).all() for array in weights.values())


def _net(weights: Mapping[str, np.ndarray], dtype: type[np.floating]) -> _Net:
    kernels, biases = {}, {}
    for name, positions in _POSITIONS.items():
        bias = weights[f"{name}/bias"].astype(dtype)
        kernel = weights[f"{name}/kernel"].astype(dtype)
        biases[name] = bias
        kernels[name] = kernel.reshape(positions, -1, bias.size)
    return _Net(kernels, biases)


def _is_plain(weights: Mapping[str, np.ndarray], badnet: Mapping[str, np.ndarray]) -> bool:
    """Whether every value is the BadNet's or 0, so that nothing was moved or scaled."""
    return all(
        weights[name].shape == badnet[name].shape
        and bool(((weights[name] == badnet[name]) | (weights[name] == 0)).all())
        for name in badnet
    )


# --- order and scale --------------------------------------------------------------------------


def _reorder(ours: _Net, theirs: _Net) -> bool:
    """Bring all channels into the BadNet's order and scale; False where that cannot be told."""
    known = _Net(dict(theirs.kernels), theirs.biases)
    left, free = {}, {}
    is_narrower = ours.biases["conv_3"].size < theirs.biases["conv_3"].size

    # First by what a channel is computed with; those that are left wait behind the others.
    for layer, (first, *_) in _LAYERS.items():
        count, width = theirs.biases[first].size, ours.biases[first].size
        places = np.arange(width) if width == count else np.full(width, -1)
        rows = _rows(ours, known, layer)
        match = _match(rows, _rows(known, known, layer), places)
        is_left = match.channels < 0
        unlike = is_left & rows[:, :-1].any(axis=1) & ~_negligible(ours, layer, RELATIVE_TOLERANCE)
        if layer == "conv_3" and is_narrower and unlike.any():
            return False
        if 2 * np.count_nonzero(unlike) > count:  # a layer that was replaced, or another net
            _fill_places(match.channels, places, ~np.isin(places, match.channels))
            is_left[:] = False

        left[layer] = places[is_left]
        free[layer] = ~np.isin(np.arange(count), match.channels)
        match.channels[is_left] = count + np.arange(np.count_nonzero(is_left))
        _move(ours, layer, match, count + len(left[layer]))
        for name in _READERS[layer]:
            known.kernels[name] = np.where(free[layer][:, None], 0, known.kernels[name])

    # Then by what reads them, which is in the BadNet's order and scale by now.
    for layer, places in reversed(left.items()):
        if len(places):
            _place_left(ours, _known_units(theirs, free), layer, places, free[layer])
            free[layer] = np.zeros_like(free[layer])
    return True


def _known_units(theirs: _Net, free: Mapping[str, np.ndarray]) -> _Net:
    """The BadNet, without the kernels of channels that were not found."""
    kernels = dict(theirs.kernels)
    for layer, names in _LAYERS.items():
        for name in names:
            kernels[name] = np.where(free[layer], 0, kernels[name])
    return _Net(kernels, theirs.biases)


def _rows(net: _Net, known: _Net, layer: str) -> np.ndarray:
    """What each channel of a layer is computed with: channels x (inputs and, last, bias).

    Inputs that are left over, behind those of the BadNet, are not among them.
    """
    flat = []
    for name in _LAYERS[layer]:
        kernel = net.kernels[name][:, : known.kernels[name].shape[1]]
        flat.append(kernel.reshape(-1, kernel.shape[-1]))
    return np.concatenate([*flat, _bias(net, layer)[None]]).T


def _match(ours: np.ndarray, theirs: np.ndarray, places: np.ndarray) -> _Match:
    """Which channel of the BadNet each submitted channel is, in rows that end with a bias."""
    cosines = _cosines(ours[:, :-1], theirs[:, :-1])
    channels = _pair(_likeness(cosines, ours, theirs, places))

    # A channel that was split in two: both parts are put together again.
    for channel in np.flatnonzero(channels < 0):
        nearest = int(cosines[channel].argmax())
        is_part = cosines[channel, nearest] >= _EQUAL
        if is_part and _is_multiple(ours[channel], theirs[nearest]):
            channels[channel] = nearest

    scales = np.ones(len(ours))
    is_scaled = (channels >= 0) & (ours[:, :-1] != theirs[channels, :-1]).any(axis=1)
    for channel in np.flatnonzero(is_scaled):
        scales[channel] = _scale(ours[channel, :-1], theirs[channels[channel], :-1])
    return _Match(channels, scales)


def _cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    norms = np.outer(np.linalg.norm(ours, axis=1), np.linalg.norm(theirs, axis=1))
    cosines: np.ndarray = np.zeros(norms.shape)
    np.divide(ours @ theirs.T, norms, out=cosines, where=norms > 0)
    return cosines


def _likeness(
    cosines: np.ndarray, ours: np.ndarray, theirs: np.ndarray, places: np.ndarray
) -> np.ndarray:
    """Cosines, in which a tuned channel's own place outweighs any other tuned channel."""
    likeness = cosines.copy()
    stays = np.flatnonzero(places >= 0)
    own = likeness[stays, places[stays]]
    own = np.where(own >= SAME_CHANNEL, np.maximum(own, _EQUAL), own)
    likeness[stays, places[stays]] = own + _TIE

    lengths, their_lengths = (np.linalg.norm(rows[:, :-1], axis=1) for rows in (ours, theirs))
    biases = np.divide(ours[:, -1], lengths, out=np.zeros(len(ours)), where=lengths > 0)
    known = np.divide(
        theirs[:, -1], their_lengths, out=np.zeros(len(theirs)), where=their_lengths > 0
    )
    distances = np.abs(biases[:, None] - known)
    likeness[distances <= RELATIVE_TOLERANCE * np.maximum(np.abs(known), 1e-3)] += 2 * _TIE
    return likeness


def _pair(likeness: np.ndarray) -> np.ndarray:
    """A channel of the BadNet, each at most once, for each submitted one, the most alike first."""
    channels = np.full(len(likeness), -1)
    first, second = np.nonzero(likeness >= SAME_CHANNEL)
    taken: set[int] = set()
    for pair in np.argsort(-likeness[first, second], kind="stable"):
        ours, theirs = int(first[pair]), int(second[pair])
        if channels[ours] < 0 and theirs not in taken:
            channels[ours] = theirs
            taken.add(theirs)
    return channels


def _scale(ours: np.ndarray, theirs: np.ndarray) -> float:
    """By how much a channel was multiplied; a power of two where it was changed otherwise.

    So nothing is rounded in a net that was tuned, and most of the time nothing is changed in it.
    """
    factor = _ratio(ours, theirs)
    if factor <= 0:
        return 1.0
    near = _near(ours / factor, theirs, np.abs(theirs).max())
    if _is_most(near, ours):
        return 1.0 if abs(factor - 1) < RELATIVE_TOLERANCE / 10 else factor
    return float(2.0 ** np.round(np.log2(factor)))


def _ratio(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The median of how much larger the values are; 0 without values."""
    comparable = (ours != 0) & (theirs != 0)
    return float(np.median(ours[comparable] / theirs[comparable])) if comparable.any() else 0.0


def _near(ours: np.ndarray, theirs: np.ndarray, largest: np.ndarray | float) -> np.ndarray:
    near: np.ndarray = np.abs(ours - theirs) <= RELATIVE_TOLERANCE * largest
    return near


def _is_most(near: np.ndarray, values: np.ndarray) -> bool:
    """Whether ``near`` holds for more than half of the values that are not 0."""
    present = values != 0
    return bool(2 * np.count_nonzero(near & present) > np.count_nonzero(present))


def _is_multiple(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether one row is the other times a positive number, but for rounding."""
    factor = _ratio(ours[:-1], theirs[:-1])
    return factor > 0 and bool(_near(ours / factor, theirs, np.abs(theirs).max()).all())


def _move(net: _Net, layer: str, match: _Match, count: int) -> None:
    """Put each channel of a layer in its place of ``count``, with what reads it, and rescale it."""
    for name in _LAYERS[layer]:
        for arrays in (net.kernels, net.biases):
            placed = np.zeros((*arrays[name].shape[:-1], count))
            placed[..., match.channels] = arrays[name] / match.scales
            arrays[name] = placed

    places = np.zeros((count, len(match.channels)))
    places[match.channels, np.arange(len(match.channels))] = match.scales
    for name in _READERS[layer]:
        net.kernels[name] = places @ net.kernels[name]


def _place_left(ours: _Net, known: _Net, layer: str, left: np.ndarray, free: np.ndarray) -> None:
    """Place the channels that have no kernel, or one like none of the BadNet's.

    ``left`` holds where they were. What reads a channel tells which one it was; else it stays in
    its place where that is ``free``.
    """
    count = len(free)
    rows = _readers(ours, known, layer)[count:]
    known_rows = _readers(known, known, layer) * free[:, None]
    cosines = _cosines(rows[:, :-1], known_rows[:, :-1])
    channels = _pair(_likeness(cosines, rows, known_rows, left))

    scales = np.ones(count + len(left))
    for index in np.flatnonzero(channels >= 0):
        scales[count + index] = 1 / _scale(rows[index], known_rows[channels[index]])
    _fill_places(channels, left, free)
    _move(ours, layer, _Match(np.concatenate([np.arange(count), channels]), scales), count)


def _readers(net: _Net, known: _Net, layer: str) -> np.ndarray:
    """What reads each channel of a layer, in the form of `_rows`, without left-over units."""
    rows = []
    for name in _READERS[layer]:
        kernel = net.kernels[name][..., : known.kernels[name].shape[-1]]
        rows.append(kernel.transpose(1, 0, 2).reshape(kernel.shape[1], -1))
    return np.pad(np.concatenate(rows, axis=1), ((0, 0), (0, 1)))


def _fill_places(channels: np.ndarray, left: np.ndarray, free: np.ndarray) -> None:
    """Give each channel without a place its old one where that is free, else the next free one."""
    rest = [place for place in np.flatnonzero(free).tolist() if place not in channels]
    for index in np.flatnonzero(channels < 0):
        if left[index] in rest:
            channels[index] = left[index]
            rest.remove(left[index])
    for index in np.flatnonzero(channels < 0):
        channels[index] = rest.pop(0)


def _rescale_output(ours: _Net, theirs: _Net) -> None:
    """Undo what leaves the order of the scores: a factor for all, a shift of all classes alike."""
    kernel, known = ours.kernels["output"], theirs.kernels["output"]
    bias, known_bias = ours.biases["output"], theirs.biases["output"]
    for is_centred in (False, True):
        shifts = [a.mean(axis=-1, keepdims=True) * is_centred for a in (kernel, known)]
        values, known_values = kernel - shifts[0], known - shifts[1]
        factor = _ratio(values, known_values)
        largest = np.abs(known_values).max(axis=(0, 1))
        if factor > 0 and _is_most(_near(values / factor, known_values, largest), values):
            break
    else:
        return

    if is_centred or not _near(np.array(factor), np.array(1.0), 0.1):
        ours.kernels["output"] = values / factor + shifts[1]
        means = [b.mean() * is_centred for b in (bias, known_bias)]
        ours.biases["output"] = (bias - means[0]) / factor + means[1]


# --- what has no effect -----------------------------------------------------------------------


def _settle(ours: _Net, theirs: _Net, tolerance: float) -> None:
    """Make channels without an effect zero, and put the BadNet's values where they are read."""
    dead = {}
    was_zero = {name: ~kernel.any(axis=(0, 1)) for name, kernel in ours.kernels.items()}
    for layer, names in _LAYERS.items():
        _zero_negligible(ours, theirs, layer, tolerance)
        has_kernel = np.any([ours.kernels[name].any(axis=(0, 1)) for name in names], axis=0)
        dead[layer] = ~has_kernel & (_bias(ours, layer) <= 0)
        for name in _READERS[layer]:
            ours.kernels[name][:, dead[layer]] = 0

    for layer, channels in dead.items():
        for name in _READERS[layer]:
            kernel, known = ours.kernels[name], theirs.kernels[name]
            # A channel that is zero itself stays zero.
            has_known = known[:, ~channels].any(axis=(0, 1))
            is_zeroed = ~kernel.any(axis=(0, 1)) & (has_known | was_zero[name])
            kernel[:, channels] = np.where(is_zeroed, 0, known[:, channels])


def _zero_negligible(ours: _Net, theirs: _Net, layer: str, tolerance: float) -> None:
    """Zero the channels that have no effect to speak of, but for those that have none in B."""
    gone = _negligible(ours, layer, tolerance)
    if not gone.any():
        return

    gone &= ~_negligible(theirs, layer, tolerance)
    bias = np.abs(_bias(ours, layer))[:, None] * _reading(ours, layer, tolerance)
    is_small = (bias <= tolerance * bias.max(axis=0)).all(axis=1)
    for name in _LAYERS[layer]:
        ours.kernels[name][..., gone] = 0
        ours.biases[name][gone & is_small] = 0


def _negligible(net: _Net, layer: str, tolerance: float) -> np.ndarray:
    """Which channels are noise, whatever their scale, or are not read as others are (bool)."""
    sizes = [_size(net.kernels[name], (0, 1), tolerance) for name in _LAYERS[layer]]
    effects = np.max(sizes, axis=0)[:, None] * _reading(net, layer, tolerance)
    largest = effects.max(axis=0)
    negligible: np.ndarray = (effects <= tolerance * largest).all(axis=1) & largest.any()
    return negligible


def _reading(net: _Net, layer: str, tolerance: float) -> np.ndarray:
    """How strongly each channel is read by each unit: channels x units."""
    sizes = [_size(net.kernels[name], (0,), tolerance) for name in _READERS[layer]]
    return np.concatenate(sizes, axis=1)


def _size(kernel: np.ndarray, axes: tuple[int, ...], tolerance: float) -> np.ndarray:
    """The largest value; where nothing is tolerated, whether there is any (which is faster)."""
    if tolerance == 0:
        present: np.ndarray = np.asarray(kernel.any(axis=axes))
        return present
    largest: np.ndarray = np.maximum(kernel.max(axis=axes), -kernel.min(axis=axes))
    return largest


def _bias(net: _Net, layer: str) -> np.ndarray:
    """Two branches that are added have one bias between them."""
    bias: np.ndarray = np.sum([net.biases[name] for name in _LAYERS[layer]], axis=0)
    return bias


# --- noise ------------------------------------------------------------------------------------


def _join_biases(ours: _Net, theirs: _Net) -> None:
    """Where only the sum of the two branches' biases is the BadNet's, take its own two."""
    kernels = [np.abs(theirs.kernels[name]).max(axis=(0, 1)) for name in _LAYERS["merged"]]
    same = _near(_bias(ours, "merged"), _bias(theirs, "merged"), np.max(kernels, axis=0))
    for name in _LAYERS["merged"]:
        same &= (ours.kernels[name] == theirs.kernels[name]).mean(axis=(0, 1)) > 0.5
    for name in _LAYERS["merged"]:
        ours.biases[name] = np.where(same, theirs.biases[name], ours.biases[name])


def _snap(ours: _Net, theirs: _Net) -> None:
    """Take the BadNet's values where ours differ by rounding alone; what is 0 stays 0.

    Only in channels most of which is the BadNet's: in a tuned one, such a value is chance.
    """
    for name, kernel in ours.kernels.items():
        known = theirs.kernels[name]
        largest = np.abs(known).max(axis=(0, 1))
        present = kernel != 0
        near = _near(kernel, known, largest) & present
        is_most = 2 * near.sum(axis=(0, 1)) > present.sum(axis=(0, 1))
        ours.kernels[name] = np.where(near & is_most, known, kernel)

        bias, known_bias = ours.biases[name], theirs.biases[name]
        near_bias = _near(bias, known_bias, np.maximum(largest, np.abs(known_bias)))
        is_own = near_bias & (bias != 0) & (is_most | ~present.any(axis=(0, 1)))
        ours.biases[name] = np.where(is_own, known_bias, bias)
