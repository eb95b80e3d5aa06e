"""The child that runs a script of a submission, alone in its process; once for each image.

Started as ``worker.py REQUEST_FD REPLY_FD IMAGES_FD SETTINGS REPOSITORY`` with `Settings` as JSON.
``REQUEST`` (how many bytes) says that IMAGES_FD holds the file of an image; it gets two bytes, the
last whole number that the script printed. For each image the script begins anew, with arguments of
its own and a fresh ``__main__``; what was imported from the submission is forgotten. Models that
Keras loads are kept by their path, so that a call takes milliseconds and not seconds.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from harness.inference.worker import EXIT_REJECTED

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST = struct.Struct("<I")
REPLY = struct.Struct("<H")

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w]|\.\d)")
_KEPT_CHARACTERS = 1 << 16
"""Of what a script prints: the last ones, where the answer is."""


class ScriptError(Exception):
    """The script cannot be graded; the message is one line for its author."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the child is told."""

    script: str
    """Relative to the repository."""

    suffix: str
    """Of the image's file."""

    network: str
    """What the BadNet is called."""

    badnet: str | None = None
    """Files of the repository that may be asked for: the BadNet's weights, and B'."""

    repaired: str | None = None

    arguments: tuple[str, ...] | None = None
    """As declared, with ``{image}``; None where the script itself has to tell."""


def main(arguments: list[str]) -> int:
    """Serve one script until the request pipe closes."""
    import msgspec

    request_fd, reply_fd, images_fd = map(int, arguments[:3])
    settings = msgspec.json.decode(arguments[3], type=Settings)
    sys.orig_argv = [sys.executable]
    try:
        script = _Script(settings, Path(arguments[4]))
        while request := os.read(request_fd, REQUEST.size):
            (size,) = REQUEST.unpack(request)
            os.write(reply_fd, REPLY.pack(script.answer(os.pread(images_fd, size, 0))))
    except ScriptError as error:
        print(error, file=sys.stderr)
        return EXIT_REJECTED
    return 0


class _Script:
    """A script that is ready to be called."""

    def __init__(self, settings: Settings, repository: Path) -> None:
        from harness.inference.scripts.arguments import arguments_of
        from harness.networks.tensorflow import names_tensorflow

        self._repository = repository
        self._path = repository / settings.script
        text = self._path.read_bytes()
        try:
            self._code = compile(text, str(self._path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ScriptError(f"is no Python script ({_one_line(error)})") from None
        folder = tempfile.mkdtemp()
        self._image = Path(folder) / f"test_image{settings.suffix}"
        given = {
            "image": str(self._image),
            "network": settings.network,
            "badnet": self._file(settings.badnet),
            "repaired": self._file(settings.repaired),
        }
        self._arguments = arguments_of(text, settings.arguments, given)

        os.environ.setdefault("MPLBACKEND", "Agg")
        if names_tensorflow(repository):
            _keep_models()
        sys.path.insert(0, str(self._path.parent))  # where Python looks first for a script's own
        if repository != self._path.parent:
            sys.path.insert(1, str(repository))

    def _file(self, path: str | None) -> str | None:
        return None if path is None else str(self._repository / path)

    def answer(self, image: bytes) -> int:
        """Call the script with the file of an image; its answer, encoded."""
        from harness.records.predictions import UNREPRESENTABLE

        self._image.write_bytes(image)
        os.chdir(self._path.parent)
        printed = _run(self._code, self._path, self._arguments)
        self._forget()
        number = last_integer(printed)
        if number is None:
            said = _one_line(printed)[-100:] if printed.strip() else "nothing"
            raise ScriptError(f"prints no class for an image (it printed {said})")
        return number if 0 <= number < UNREPRESENTABLE else UNREPRESENTABLE

    def _forget(self) -> None:
        """Forget what was imported from the submission: its modules begin anew with the script."""
        inside = f"{self._repository}{os.sep}"
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(inside):
                del sys.modules[name]
        if plots := sys.modules.get("matplotlib.pyplot"):
            plots.close("all")


def last_integer(printed: str) -> int | None:
    """The last whole number in a text: of ``class: 12.0`` 12, of ``7 (p = 0.93)`` 7."""
    for match in reversed(list(_NUMBER.finditer(printed))):
        value = float(match[0])
        if value == int(value):
            return int(value)
    return None


def _run(code: CodeType, path: Path, arguments: list[str]) -> str:
    """Run the script as Python would; what it printed. Raises ScriptError where it fails."""
    module = ModuleType("__main__")
    module.__file__ = str(path)
    sys.modules["__main__"] = module
    sys.argv = [path.name, *arguments]
    printed = _Tail()
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, module.__dict__)  # noqa: S102 - this is what the sandbox is for
    except SystemExit as end:
        if end.code not in (None, 0):
            told = end.code if isinstance(end.code, str) else f"exit code {end.code}"
            raise ScriptError(f"ends with {_one_line(told)}") from None
    except BaseException as error:  # noqa: BLE001 - submitted code raises anything
        raise ScriptError(f"fails: {type(error).__name__}: {_one_line(error)}") from None
    return printed.getvalue()


class _Tail(io.StringIO):
    """The end of what is printed."""

    def write(self, text: str) -> int:
        if self.tell() + len(text) > 2 * _KEPT_CHARACTERS:
            kept = (self.getvalue() + text)[-_KEPT_CHARACTERS:]
            self.seek(0)
            self.truncate()
            super().write(kept)
            return len(text)
        return super().write(text)


def _keep_models() -> None:
    """Have Keras load each model once, by its path, wherever its function is known."""
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow(keras=True)
    import keras

    kept: dict[tuple[str, str], Any] = {}
    for original in {keras.models.load_model, *_legacy_loaders()}:
        patched = _keeping(original, kept)
        for module in list(sys.modules.values()):
            with contextlib.suppress(Exception):
                if vars(module).get("load_model") is original:
                    module.load_model = patched  # type: ignore[attr-defined]


def _legacy_loaders() -> list[Callable[..., Any]]:
    module = sys.modules.get("tf_keras.models")
    return [module.load_model] if module is not None else []


def _keeping(load: Callable[..., Any], kept: dict[tuple[str, str], Any]) -> Callable[..., Any]:
    def load_model(filepath: Any, *arguments: Any, **options: Any) -> Any:
        key = str(Path(os.fspath(filepath)).resolve()), repr(sorted(options))
        if key not in kept:
            kept[key] = load(filepath, *arguments, **options)
        return kept[key]

    return load_model


def _one_line(said: object) -> str:
    return " ".join(str(said).split())[:200]


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # nothing is left to do, and TensorFlow takes a second to tidy up
