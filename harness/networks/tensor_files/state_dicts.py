"""Which arrays of a file are the net's: checkpoints carry an optimizer's and more beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.tensor_files.arrays import MAX_ARRAYS, StoredArray
from harness.networks.tensor_files.refusals import SAVE_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_DEPTH = 10
_MAX_NODES = 100_000

_NETS = (
    "state_dict", "model_state_dict", "model_state", "net_state_dict", "model", "net", "network",
    "netC", "classifier", "weights", "params", "module",
)  # fmt: skip
"""Under which names checkpoints keep a net, the plainest first."""

_NOT_THE_NET = ("optim", "sched", "amp", "scaler", "ema", "grad", "loss", "history")
"""How names begin in a checkpoint under which its net is not."""


def net_arrays(value: Any) -> dict[str, StoredArray]:
    """The arrays of the net in what a file holds, by dotted names, in their order.

    Raises RejectedFileError where there is none, or more than one.
    """
    found = dict(_Walk().arrays(_net(value), ""))
    if not found:
        raise RejectedFileError(f"no tensors in it; {SAVE_WEIGHTS}")
    return merge_masks(found)


def _net(value: Any) -> Any:
    """The part of a checkpoint that is a net; the whole value where it is no checkpoint."""
    for _ in range(_MAX_DEPTH):
        if not isinstance(value, dict):
            return value
        named = next((name for name in _NETS if isinstance(value.get(name), dict)), None)
        if named is None or any(_is_weight(each) for each in value.values()):
            break
        value = value[named]
    if not isinstance(value, dict):
        return value
    return {
        key: each for key, each in value.items()
        if isinstance(each, StoredArray) or not str(key).lower().startswith(_NOT_THE_NET)
    }  # fmt: skip


def _is_weight(value: Any) -> bool:
    return isinstance(value, StoredArray) and len(value.shape) > 1


@dataclass
class _Walk:
    """A way through containers that may hold one another."""

    nodes: int = 0

    def arrays(self, value: Any, name: str, depth: int = 0) -> Iterator[tuple[str, StoredArray]]:
        """The arrays in a value, each with the names that lead to it."""
        self.nodes += 1
        if depth > _MAX_DEPTH or self.nodes > _MAX_NODES:
            raise RejectedFileError(f"containers nested too deeply in it; {SAVE_WEIGHTS}")
        if isinstance(value, StoredArray):
            yield name, value
        if isinstance(value, dict):
            items: Any = value.items()
        elif isinstance(value, list | tuple):
            items = enumerate(value)
        else:
            return
        for key, each in items:
            yield from self.arrays(each, f"{name}.{key}" if name else str(key), depth + 1)


def merge_masks(arrays: Mapping[str, StoredArray]) -> dict[str, StoredArray]:
    """What ``torch.nn.utils.prune`` leaves, an array and its mask, as their product."""
    merged = {}
    for name, array in arrays.items():
        stem = name.removesuffix("_orig")
        mask = arrays.get(f"{stem}_mask")
        if stem != name and mask is not None and mask.shape == array.shape:
            merged[stem] = replace(array, read=partial(_product, array, mask))
        elif not (name.endswith("_mask") and f"{name.removesuffix('_mask')}_orig" in arrays):
            merged[name] = array
    if len(merged) > MAX_ARRAYS:
        raise RejectedFileError(f"{len(merged)} arrays in it; a model has fewer")
    return merged


def _product(array: StoredArray, mask: StoredArray) -> np.ndarray:
    values = array.read()
    return np.where(mask.read().astype(bool), values, np.zeros((), values.dtype))
