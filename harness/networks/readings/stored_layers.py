"""Arrays by the layers that they belong to, as their names say, or else their order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.networks.keras_files.layers import RejectedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.networks.tensor_files.arrays import StoredArray

_ROLES = {
    "kernel": "kernel", "weight": "kernel", "weights": "kernel", "w": "kernel",
    "bias": "bias", "biases": "bias", "b": "bias",
    "gamma": "gamma", "scale": "gamma",
    "beta": "beta", "offset": "beta",
    "moving_mean": "moving_mean", "running_mean": "moving_mean", "mean": "moving_mean",
    "moving_variance": "moving_variance", "moving_var": "moving_variance",
    "running_var": "moving_variance", "variance": "moving_variance", "var": "moving_variance",
    "depthwise_kernel": "depthwise_kernel", "pointwise_kernel": "pointwise_kernel",
}  # fmt: skip
"""What the last part of a name says of an array, in the words of Keras."""

_ROLE_AT_END = re.compile(rf"(?:^|[._/])({'|'.join(sorted(_ROLES, key=len, reverse=True))})$")
_NORMALISATION = ("gamma", "beta", "moving_mean", "moving_variance")
_UNLEARNED = ("num_batches_tracked", "seed_generator_state", "iterations", "learning_rate")
"""Arrays that are no weights, beside those that are."""

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """The arrays of one layer."""

    name: str
    """Empty where only the order tells layers apart."""

    arrays: Mapping[str, StoredArray]
    """By their names in Keras."""

    @property
    def is_normalisation(self) -> bool:
        """Whether they are those of BatchNormalization."""
        return "gamma" in self.arrays or "moving_mean" in self.arrays


def stored_layers(arrays: Mapping[str, StoredArray]) -> list[StoredLayer]:
    """The layers of a file, in its order. Raises RejectedFileError where they cannot be told."""
    weights = {
        name: array for name, array in arrays.items()
        if array.shape and not name.endswith(_UNLEARNED)
    }  # fmt: skip
    roles = {name: _ROLE_AT_END.search(_bare(name)) for name in weights}
    if weights and not any(roles.values()):
        return _by_order([weights[name] for name in sorted(weights, key=natural_key)])

    layers: dict[str, dict[str, StoredArray]] = {}
    for name, role in roles.items():
        if role is None:
            raise RejectedFileError(
                f"holds {name!r:.60}, which by its name is no layer's array; save the net's "
                "weights alone"
            )
        own = layers.setdefault(_bare(name)[: role.start()], {})
        if own.setdefault(_ROLES[role[1]], weights[name]) is not weights[name]:
            raise RejectedFileError(f"a layer of it has two arrays like {name!r:.60}")
    return [StoredLayer(name, _normalised(own)) for name, own in layers.items()]


def _bare(name: str) -> str:
    return name.removesuffix(":0").lower()


def _normalised(arrays: dict[str, StoredArray]) -> dict[str, StoredArray]:
    """The arrays with those of BatchNormalization called so: PyTorch says weight and bias."""
    kernel = arrays.get("kernel")
    is_normalisation = "moving_mean" in arrays or (kernel is not None and len(kernel.shape) == 1)
    if not is_normalisation:
        return arrays
    renamed = {"kernel": "gamma", "bias": "beta"}
    return {renamed.get(role, role): array for role, array in arrays.items()}


def _by_order(arrays: Sequence[StoredArray]) -> list[StoredLayer]:
    """Layers of arrays without names, as ``get_weights()`` lists them: each begins with a kernel.

    Of the vectors behind a kernel the first is its bias, unless their number is that of whole
    BatchNormalizations (four each).
    """
    layers: list[StoredLayer] = []
    place = 0
    while place < len(arrays):
        end = place + 1
        while end < len(arrays) and len(arrays[end].shape) == 1:
            end += 1
        layers += _cut(arrays[place:end])
        place = end
    return layers


def _cut(arrays: Sequence[StoredArray]) -> Iterator[StoredLayer]:
    kernel, vectors = arrays[0], list(arrays[1:])
    if len(kernel.shape) < 2:
        raise RejectedFileError("begins with a vector, not with a layer's kernel")
    own = {"kernel": kernel}
    if len(vectors) % 4 == 1:
        own["bias"] = vectors.pop(0)
    yield StoredLayer("", own)
    if len(vectors) % 4:
        raise RejectedFileError(
            "arrays without names, in an order that is no net's; save them with their names"
        )
    for start in range(0, len(vectors), 4):
        yield StoredLayer(
            "", dict(zip(_NORMALISATION, vectors[start : start + 4], strict=True))
        )  # fmt: skip


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """Sorts ``conv10`` behind ``conv9``."""
    return [
        (part.isascii() and part.isdigit(), int(part) if _is_number(part) else 0, part)
        for part in _DIGITS.split(name)
    ]


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) < 20


def plain_name(name: str) -> str:
    """A name in which only letters and digits count: ``conv_1`` and ``module.Conv1`` end alike."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
