"""Images and labels from a folder with one subfolder for each class, through Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.datasets.own_images.given_sets import GivenSet
from harness.records.environment import install_command
from harness.records.errors import HarnessError
from harness.records.text import describe_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

INSTALL = install_command("images")

ORDERS = ("number", "text")
"""In which order folders are classes: as numbers, where all are, or always as texts."""

_GREY, _COLOUR = "L", "RGB"
_GREY_MODES = ("1", "L")
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def read_image_folder(
    folder: Path,
    class_names: Sequence[str],
    channels: int | None,
    progress: Callable[[int, int], None],
    order: str = "number",
) -> GivenSet:
    """Read all images of a folder.

    ``class_names`` are those that another folder has given, in the order of class ids; empty: this
    folder gives them. ``channels``: 1 for grey images, 3 for coloured ones, None: as they are.
    Raises HarnessError with one line: for the first file that cannot be read, or has another size.
    """
    pillow = _pillow()
    names = tuple(class_names) or _class_names(folder, order)
    files, left_aside = _image_files(folder, names, pillow)
    size, mode = _common_form([path for path, _ in files], channels, pillow)

    width, height = size
    count = 1 if mode == _GREY else 3
    images = np.empty((len(files), height, width, count), np.uint8)
    for index, (path, _) in enumerate(files):
        images[index] = _read(path, mode, pillow).reshape(height, width, count)
        progress(index + 1, len(files))

    return GivenSet(
        source=folder,
        images=images,
        labels=np.array([label for _, label in files], np.int64),
        class_names=names,
        left_aside=left_aside,
    )


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise HarnessError(f"reading images needs Pillow: {INSTALL}") from None
    return Image


# --- classes ------------------------------------------------------------------------------------


def _class_names(folder: Path, order: str) -> tuple[str, ...]:
    """The names of the classes' folders, in the order of class ids."""
    names = [path.name for path in _class_folders(folder)]
    if not names:
        raise HarnessError(f"{folder}: no folders in it; images lie in one folder for each class")
    if order == "text" or not all(name.isdecimal() for name in names):
        return tuple(sorted(names))

    if len({int(name) for name in names}) < len(names):
        raise HarnessError(f"{folder}: two folders with the same number as their name")
    return tuple(sorted(names, key=int))


def _class_folders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not _is_hidden(path)]


def _is_hidden(path: Path) -> bool:
    return path.name.startswith((".", "__MACOSX"))


# --- files --------------------------------------------------------------------------------------


def _image_files(
    folder: Path, names: Sequence[str], pillow: Any
) -> tuple[list[tuple[Path, int]], int]:
    """Every image with its class id, and how many other files there are."""
    endings = set(pillow.registered_extensions())
    ids = {name: number for number, name in enumerate(names)}
    files: list[tuple[Path, int]] = []
    left_aside = 0
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix.lower() in endings and not _is_hidden(path):
            raise HarnessError(f"{path}: beside the folders of the classes; put it into one")

    for class_folder in _class_folders(folder):
        if class_folder.name not in ids:
            raise HarnessError(
                f"{class_folder}: no such class among those of the clean images "
                f"({_shortened(names)})"
            )
        own, others = _files_of_class(class_folder, endings)
        files += [(path, ids[class_folder.name]) for path in own]
        left_aside += others
    if not files:
        raise HarnessError(f"{folder}: there are no images in it")
    return files, left_aside


def _files_of_class(folder: Path, endings: set[str]) -> tuple[list[Path], int]:
    images, others = [], 0
    for path in sorted(folder.iterdir()):
        if _is_hidden(path):
            continue
        if path.is_dir():
            raise HarnessError(
                f"{path}: a folder in the folder of a class; images lie in the latter"
            )
        if path.suffix.lower() in endings:
            images.append(path)
        else:
            others += 1
    if not images:
        raise HarnessError(f"{folder}: a class without images; fill the folder or remove it")
    return images, others


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 7 else f"{', '.join(names[:3])} ... {names[-1]}"


# --- images -------------------------------------------------------------------------------------


def _common_form(
    paths: Sequence[Path], channels: int | None, pillow: Any
) -> tuple[tuple[int, int], str]:
    """Width and height of all images, and the mode in which they are read."""
    first, size, modes = paths[0], None, set()
    for path in paths:
        found, mode = _header(path, pillow)
        size = size or found
        if found != size:
            raise HarnessError(
                f"{path}: {found[0]} x {found[1]} pixels (width x height), but {first} has "
                f"{size[0]} x {size[1]}; bring all images to one size"
            )
        if mode in _DEEP_MODES:
            raise HarnessError(f"{path}: more than 8 bits for each channel; save it with 8 bits")
        modes.add(mode)

    if channels not in (None, 1, 3):
        raise HarnessError(f"{first}: images are read with 1 or 3 channels, not {channels}")
    is_grey = channels == 1 if channels else modes <= set(_GREY_MODES)
    return size or (0, 0), _GREY if is_grey else _COLOUR


def _header(path: Path, pillow: Any) -> tuple[tuple[int, int], str]:
    try:
        with pillow.open(path) as image:
            return image.size, image.mode
    except Exception as error:  # noqa: BLE001 - each format's reader raises its own types
        raise _unreadable(path, error) from None


def _read(path: Path, mode: str, pillow: Any) -> np.ndarray:
    try:
        with pillow.open(path) as image:
            return np.asarray(image.convert(mode))
    except Exception as error:  # noqa: BLE001 - each format's reader raises its own types
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> HarnessError:
    said = describe_error(error, 100)
    return HarnessError(f"{path}: not an image that can be read ({said}); replace or remove it")
