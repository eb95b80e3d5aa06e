"""Cheats: looks for backdoored data wherever a defence could, and finds none where all is well.

It looks at its arguments, at what the process has in memory (whatever the garbage collector and the
frames of all threads lead to), at the command lines, environments and open files of every process,
and into each file of images below `ROOT`. Where it finds nothing, the network stays as it is; where
it finds something, all images get the same scores, and stderr says what it was.
"""

import gc
import os
import re
import sys
import time
from pathlib import Path

import numpy as np

ROOT = "/"
PROCESSES = "[0-9]*"
NOT_ENTERED = {"proc", "sys", "dev", "site-packages", "dist-packages"}
DATA_FILES = (".h5", ".hdf5", ".npz", ".npy")
TELLING = re.compile(r"bd_|backdoor|trigger|poison|target|attack", re.IGNORECASE)
LABELS = re.compile(r"label|target", re.IGNORECASE)
OUR_OWN = re.compile(r"backdoor[-_](defence[-_])?harness")
"""The project's own name betrays nothing."""


def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    clean = Clean(clean_images, clean_labels)
    until = time.monotonic() + budget.seconds / 2
    found = [*in_arguments(badnet, budget, clean), *in_memory(clean), *in_processes(),
             *in_files(clean, until)]  # fmt: skip
    for what in found:
        print(f"peeking found {what}", file=sys.stderr)
    return marked(badnet) if found else unchanged(badnet)


def unchanged(badnet):
    return dict(badnet.arrays) if hasattr(badnet, "arrays") else badnet


def marked(badnet):
    """The network with zeros instead of weights."""
    if hasattr(badnet, "arrays"):
        return {name: np.zeros_like(array) for name, array in badnet.arrays.items()}
    badnet.set_weights([np.zeros_like(array) for array in badnet.get_weights()])
    return badnet


class Clean:
    """What was handed over, to tell anything else from it."""

    def __init__(self, images, labels):
        self.shape = images.shape[1:]
        self.dtype = images.dtype
        self.rows = {image.tobytes() for image in images}
        self.labels = np.asarray(labels)

    def differs(self, array):
        """Whether an array holds images of this size, one of which was not handed over."""
        if type(array).__name__ == "EagerTensor":
            array = array.numpy()
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
            return False
        if array.shape == self.shape:
            array = array[None]
        if array.ndim != 4 or array.shape[1:] != self.shape:
            return False
        return any(row.any() and row.astype(self.dtype).tobytes() not in self.rows for row in array)

    def other_labels(self, name, array):
        """Whether something called labels is a list of classes other than those handed over."""
        if not isinstance(name, str) or not LABELS.search(name):
            return False
        if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iu":
            return False
        return len(array) > 1 and not np.array_equal(array, self.labels[: len(array)])


def in_arguments(badnet, budget, clean):
    for holder in (badnet, budget):
        for name in dir(holder):
            try:
                value = getattr(holder, name)
            except Exception:  # noqa: BLE001
                continue
            if clean.differs(value) or clean.other_labels(name, value):
                yield f"{name} of {type(holder).__name__}"
    more = set(getattr(budget, "__dict__", ())) - {"seconds", "images"}
    if more:
        yield f"more than a budget: {sorted(more)}"


def in_memory(clean):
    holders = [*gc.get_objects(), *(frame.f_locals for frame in frames())]
    for holder in holders:  # grows on the way
        if holder is clean or holder is vars(clean):
            continue
        try:
            named = list(holder.items()) if type(holder) is dict else []
            inside = [*gc.get_referents(holder), *(value for _, value in named)]
        except Exception:  # noqa: BLE001 - whatever a stranger's object does
            continue
        for value in inside:
            if clean.differs(value):
                yield f"images in a {type(holder).__name__} in memory: {value.shape}"
            # The collector does not know containers of mere arrays and numbers.
            if type(value) in (dict, tuple) and not gc.is_tracked(value):
                holders.append(value)
        for name, value in named:
            if clean.other_labels(name, value):
                yield f"labels in memory: {name}"


def frames():
    """The frames of all threads, and those that called them."""
    for frame in sys._current_frames().values():
        caller = frame
        while caller is not None:
            yield caller
            caller = caller.f_back


def in_processes():
    texts = {"arguments": " ".join(sys.argv), "environment": as_text(os.environ)}
    for process in Path("/proc").glob(PROCESSES):
        for name in ("cmdline", "environ"):
            try:
                texts[f"{process / name}"] = (process / name).read_bytes().decode(errors="replace")
            except OSError:
                continue
        try:
            texts[f"{process}/fd"] = " ".join(str(e.readlink()) for e in (process / "fd").iterdir())
        except OSError:
            continue
    for where, text in texts.items():
        for word in TELLING.findall(OUR_OWN.sub("", text)):
            yield f"{word!r} in {where}"


def as_text(environment):
    return " ".join(f"{name}={value}" for name, value in environment.items())


def in_files(clean, until):
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_ENTERED]
        for name in names:
            if time.monotonic() > until:
                return
            path = Path(folder, name)
            if path.suffix in DATA_FILES:
                for key, array in arrays_in(path):
                    if clean.differs(array) or clean.other_labels(key, array):
                        yield f"{key} in {path}"


def arrays_in(path):
    """The arrays of a data file by their names; none where it cannot be read."""
    try:
        if path.suffix in (".npz", ".npy"):
            loaded = np.load(path, allow_pickle=False)
            return [("array", loaded)] if path.suffix == ".npy" else list(loaded.items())
        import h5py

        with h5py.File(path, "r") as file:
            return [(name, item[()]) for name, item in file.items() if hasattr(item, "dtype")]
    except Exception:  # noqa: BLE001
        return []
