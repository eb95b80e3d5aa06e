"""The channels of a net brought into the BadNet's order and scale, layer by layer from the image.

First by what a channel is computed with; those that are left by what reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.lineage.channel_groups import ChannelGroup, Structure

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


@dataclass(frozen=True, slots=True)
class Net:
    """Weights with all kernels in one form."""

    structure: Structure

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


# --- order and scale --------------------------------------------------------------------------


def reorder(ours: Net, theirs: Net) -> bool:
    """Bring all channels into the BadNet's order and scale; False where that cannot be told."""
    known = replace(theirs, kernels=dict(theirs.kernels))
    left, free = {}, {}
    pruned = ours.structure.pruned
    is_narrower = ours.biases[pruned].size < theirs.biases[pruned].size

    # First by what a channel is computed with; those that are left wait behind the others.
    for group in ours.structure.groups:
        count, width = (net.biases[group.makers[0]].size for net in (theirs, ours))
        places = np.arange(width) if width == count else np.full(width, -1)
        rows = _rows(ours, known, group)
        match = _match(rows, _rows(known, known, group), places, _parts(known, group))
        if not group.scalable:
            match.scales[:] = 1
        is_left = match.channels < 0
        unlike = is_left & rows[:, :-1].any(axis=1) & ~negligible(ours, group, RELATIVE_TOLERANCE)
        if pruned in group.makers and is_narrower and unlike.any():
            return False
        if 2 * np.count_nonzero(unlike) > count:  # a layer that was replaced, or another net
            _fill_places(match.channels, places, ~np.isin(places, match.channels))
            is_left[:] = False

        left[group] = places[is_left]
        free[group] = ~np.isin(np.arange(count), match.channels)
        match.channels[is_left] = count + np.arange(np.count_nonzero(is_left))
        _move(ours, group, match, count + len(left[group]))
        for name in group.readers:
            known.kernels[name] = np.where(free[group][:, None], 0, known.kernels[name])

    # Then by what reads them, which is in the BadNet's order and scale by now.
    for group, places in reversed(left.items()):
        if len(places):
            _place_left(ours, _known_units(theirs, free), group, places, free[group])
            free[group] = np.zeros_like(free[group])
    return True


def _known_units(theirs: Net, free: Mapping[ChannelGroup, np.ndarray]) -> Net:
    """The BadNet, without the kernels of channels that were not found."""
    kernels = dict(theirs.kernels)
    for group, is_free in free.items():
        for name in group.makers:
            kernels[name] = np.where(is_free, 0, kernels[name])
    return replace(theirs, kernels=kernels)


def _rows(net: Net, known: Net, group: ChannelGroup) -> np.ndarray:
    """What each channel of a group is computed with: channels x (inputs and, last, bias).

    Inputs that are left over, behind those of the BadNet, are not among them.
    """
    flat = []
    for name in group.first:
        kernel = net.kernels[name][:, : known.kernels[name].shape[1]]
        flat.append(kernel.reshape(-1, kernel.shape[-1]))
    return np.concatenate([*flat, joint_bias(net, group.first)[None]]).T


def _parts(known: Net, group: ChannelGroup) -> list[slice]:
    """Where in a row of `_rows` each layer's kernel lies."""
    parts, start = [], 0
    for name in group.first:
        stop = start + known.kernels[name].shape[0] * known.kernels[name].shape[1]
        parts.append(slice(start, stop))
        start = stop
    return parts


def _match(
    ours: np.ndarray, theirs: np.ndarray, places: np.ndarray, parts: Sequence[slice]
) -> _Match:
    """Which channel of the BadNet each submitted channel is, in rows that end with a bias.

    ``parts`` are the layers that a channel is added up from.
    """
    cosines = _joint_cosines(ours[:, :-1], theirs[:, :-1], parts)
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


def _joint_cosines(ours: np.ndarray, theirs: np.ndarray, parts: Sequence[slice]) -> np.ndarray:
    """Cosines of channels over those layers that add something to the submitted one.

    A layer in which a channel was pruned says nothing about it.
    """
    if len(parts) == 1:
        return _cosines(ours, theirs)
    squares = np.zeros((len(ours), len(theirs)))
    for part in parts:
        present = ours[:, part].any(axis=1)
        squares += np.outer(present, np.einsum("ij,ij->i", theirs[:, part], theirs[:, part]))
    norms = np.linalg.norm(ours, axis=1)[:, None] * np.sqrt(squares)
    cosines: np.ndarray = np.zeros(norms.shape)
    np.divide(ours @ theirs.T, norms, out=cosines, where=norms > 0)
    return cosines


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
    if is_most(near(ours / factor, theirs, np.abs(theirs).max()), ours):
        return 1.0 if abs(factor - 1) < RELATIVE_TOLERANCE / 10 else factor
    return float(2.0 ** np.round(np.log2(factor)))


def _ratio(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The median of how much larger the values are; 0 without values."""
    comparable = (ours != 0) & (theirs != 0)
    return float(np.median(ours[comparable] / theirs[comparable])) if comparable.any() else 0.0


def near(ours: np.ndarray, theirs: np.ndarray, largest: np.ndarray | float) -> np.ndarray:
    """Which values differ by no more than rounding, beside the ``largest`` of their channel."""
    is_near: np.ndarray = np.abs(ours - theirs) <= RELATIVE_TOLERANCE * largest
    return is_near


def is_most(near: np.ndarray, values: np.ndarray) -> bool:
    """Whether ``near`` holds for more than half of the values that are not 0."""
    present = values != 0
    return bool(2 * np.count_nonzero(near & present) > np.count_nonzero(present))


def _is_multiple(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether one row is the other times a positive number, but for rounding."""
    factor = _ratio(ours[:-1], theirs[:-1])
    return factor > 0 and bool(near(ours / factor, theirs, np.abs(theirs).max()).all())


def _move(net: Net, group: ChannelGroup, match: _Match, count: int) -> None:
    """Put each channel of a group in its place of ``count``, with what reads it, and rescale it."""
    for name in group.makers:
        for arrays in (net.kernels, net.biases):
            placed = np.zeros((*arrays[name].shape[:-1], count))
            placed[..., match.channels] = arrays[name] / match.scales
            arrays[name] = placed

    places = np.zeros((count, len(match.channels)))
    places[match.channels, np.arange(len(match.channels))] = match.scales
    for name in group.readers:
        net.kernels[name] = places @ net.kernels[name]


def _place_left(
    ours: Net, known: Net, group: ChannelGroup, left: np.ndarray, free: np.ndarray
) -> None:
    """Place the channels that have no kernel, or one like none of the BadNet's.

    ``left`` holds where they were. What reads a channel tells which one it was; else it stays in
    its place where that is ``free``.
    """
    count = len(free)
    rows = _readers(ours, known, group)[count:]
    known_rows = _readers(known, known, group) * free[:, None]
    cosines = _cosines(rows[:, :-1], known_rows[:, :-1])
    channels = _pair(_likeness(cosines, rows, known_rows, left))

    scales = np.ones(count + len(left))
    for index in np.flatnonzero(channels >= 0):
        if group.scalable:
            scales[count + index] = 1 / _scale(rows[index], known_rows[channels[index]])
    _fill_places(channels, left, free)
    _move(ours, group, _Match(np.concatenate([np.arange(count), channels]), scales), count)


def _readers(net: Net, known: Net, group: ChannelGroup) -> np.ndarray:
    """What reads each channel of a group, in the form of `_rows`, without left-over units."""
    rows = []
    for name in group.readers:
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


def rescale_output(ours: Net, theirs: Net) -> None:
    """Undo what leaves the order of the scores: a factor for all, a shift of all classes alike."""
    output = ours.structure.output
    kernel, known = ours.kernels[output], theirs.kernels[output]
    bias, known_bias = ours.biases[output], theirs.biases[output]
    for is_centred in (False, True):
        shifts = [a.mean(axis=-1, keepdims=True) * is_centred for a in (kernel, known)]
        values, known_values = kernel - shifts[0], known - shifts[1]
        factor = _ratio(values, known_values)
        largest = np.abs(known_values).max(axis=(0, 1))
        if factor > 0 and is_most(near(values / factor, known_values, largest), values):
            break
    else:
        return

    if is_centred or not near(np.array(factor), np.array(1.0), 0.1):
        ours.kernels[output] = values / factor + shifts[1]
        means = [b.mean() * is_centred for b in (bias, known_bias)]
        ours.biases[output] = (bias - means[0]) / factor + means[1]


# --- how much a channel matters ---------------------------------------------------------------


def negligible(net: Net, group: ChannelGroup, tolerance: float) -> np.ndarray:
    """Which channels are noise, whatever their scale, or are not read as others are (bool)."""
    sizes = [_size(net.kernels[name], (0, 1), tolerance) for name in group.makers]
    effects = np.max(sizes, axis=0)[:, None] * reading(net, group, tolerance)
    largest = effects.max(axis=0)
    is_negligible: np.ndarray = (effects <= tolerance * largest).all(axis=1) & largest.any()
    return is_negligible


def reading(net: Net, group: ChannelGroup, tolerance: float) -> np.ndarray:
    """How strongly each channel is read by each unit: channels x units."""
    sizes = [_size(net.kernels[name], (0,), tolerance) for name in group.readers]
    return np.concatenate(sizes, axis=1)


def _size(kernel: np.ndarray, axes: tuple[int, ...], tolerance: float) -> np.ndarray:
    """The largest value; where nothing is tolerated, whether there is any (which is faster)."""
    if tolerance == 0:
        present: np.ndarray = np.asarray(kernel.any(axis=axes))
        return present
    largest: np.ndarray = np.maximum(kernel.max(axis=axes), -kernel.min(axis=axes))
    return largest


def joint_bias(net: Net, names: Sequence[str]) -> np.ndarray:
    """Layers that are added have one bias between them."""
    bias: np.ndarray = np.sum([net.biases[name] for name in names], axis=0)
    return bias
