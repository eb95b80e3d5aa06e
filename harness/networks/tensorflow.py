"""TensorFlow without its log lines, and without imports of its own that we do not use.

TensorFlow 2.21 logs two informational lines to file descriptor 2 before any of its own
verbosity settings apply, so they can only be filtered there. What it logs as "error" (no GPU
driver, a graph optimiser that gives up on a Keras activation) is harmless; whatever is really
wrong raises a Python exception.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import sys
import tempfile
import threading
from contextlib import contextmanager
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_log = logging.getLogger(__name__)

_OF_KERAS_ALONE = ("matplotlib", "pandas", "scipy", "sklearn", "cv2")
"""For Keras's plots, tables, augmentations and wrappers of its models: none of it happens here."""

_INFORMATIONAL = ("WARNING: All log messages before absl", "I0000 ")


def import_tensorflow(*, keras: bool = False) -> Any:
    """Return the ``tensorflow`` module with devices initialised; only warnings reach stderr.

    Keras is imported only with ``keras``. What it would take along, where that is installed, stays
    away. All this saves a third of the time.
    """
    if not _is_whole():
        _import(begin=True, keras=keras)
    if keras:
        _import_keras()
    return sys.modules["tensorflow"]


@cache
def import_operations() -> SimpleNamespace:
    """Return what the lab's network is made of, by the names of TensorFlow's own interface.

    Most of the time goes to the interface around these few. So they are imported without it where
    TensorFlow has them where it had them from 2.17 to 2.21, in half the time, in a process where
    that will do (`allow_parts`).
    """
    if _Parts.will_do and not _is_whole():
        try:
            return _import_parts()
        except (ImportError, AttributeError) as error:
            _log.info("TensorFlow is imported as a whole: %s", error)
    return _parts_of(import_tensorflow())


def allow_parts() -> None:
    """Say that this process runs code of ours alone, so that parts of TensorFlow will do.

    After parts of it nobody but `import_tensorflow` finds the whole.
    """
    _Parts.will_do = True


def import_ahead() -> None:
    """Import TensorFlow and Keras without a device: afterwards this process may still fork."""
    _import(begin=False, keras=True)
    _import_keras()


def begin() -> None:
    """Initialise devices where TensorFlow was imported ahead, and run a first operation."""
    tf = sys.modules["tensorflow"]
    with _filter_stderr():
        tf.config.list_logical_devices()
        tf.constant(1) + tf.constant(1)


def _is_whole() -> bool:
    """Whether TensorFlow is imported, and not only parts of it."""
    package = sys.modules.get("tensorflow")
    return package is not None and not isinstance(package, _Parts)


class _Parts(ModuleType):
    """Stands in for TensorFlow's package while only parts of it are imported."""

    will_do = False


def _import_parts() -> SimpleNamespace:
    """Import the modules of some operations, below a package that stands in for TensorFlow's."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None:
        raise ImportError("tensorflow")
    package = _Parts("tensorflow")
    package.__path__ = list(spec.submodule_search_locations or [])
    package.__spec__, package.__file__ = spec, spec.origin

    _set_environment()
    with _interrupts_later(), _filter_stderr(), _hide_packages((*_OF_KERAS_ALONE, "keras")):
        sys.modules["tensorflow"] = package
        from tensorflow.python import tf2
        from tensorflow.python.eager import context
        from tensorflow.python.eager.polymorphic_function import polymorphic_function
        from tensorflow.python.framework import constant_op, dtypes, ops
        from tensorflow.python.ops import array_ops, math_ops, nn_ops

        tf2.enable()
        ops.enable_eager_execution()
        context.context().list_logical_devices()
    nn = SimpleNamespace(
        bias_add=nn_ops.bias_add,
        conv2d=nn_ops.conv2d_v2,
        max_pool2d=nn_ops.max_pool2d,
        relu=nn_ops.relu,
        softmax=nn_ops.softmax_v2,
    )
    return SimpleNamespace(
        cast=math_ops.cast,
        constant=constant_op.constant,
        float32=dtypes.float32,
        function=polymorphic_function.function,
        matmul=math_ops.matmul,
        nn=nn,
        reshape=array_ops.reshape,
        shape=array_ops.shape_v2,
    )


def _parts_of(tf: Any) -> SimpleNamespace:
    names = ("cast", "constant", "float32", "function", "matmul", "nn", "reshape", "shape")
    return SimpleNamespace(**{name: getattr(tf, name) for name in names})


def _set_environment() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"


def _import(*, begin: bool, keras: bool) -> None:
    _set_environment()
    if not _is_whole():
        sys.modules.pop("tensorflow", None)  # what stands in for it
    unused = _OF_KERAS_ALONE if keras else (*_OF_KERAS_ALONE, "keras")
    with _interrupts_later(), _filter_stderr(), _hide_packages(unused):
        import tensorflow as tf

        if begin:
            tf.config.list_logical_devices()


def _import_keras() -> None:
    with _hide_packages(_OF_KERAS_ALONE):
        import keras  # noqa: F401


def names_tensorflow(folder: Path) -> bool:
    """Whether Python below a folder may use TensorFlow or Keras, which take seconds to import."""
    texts = (path.read_bytes() for path in folder.rglob("*.py"))
    return any(b"keras" in text or b"tensorflow" in text for text in texts)


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back: TensorFlow half imported cannot be imported again in the same process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[Any, ...]] = []
    before = signal.signal(signal.SIGINT, lambda *given: held.append(given))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held and callable(before):
        before(*held[0])


@contextmanager
def _hide_packages(names: Iterable[str]) -> Iterator[None]:
    """Make packages that are not imported yet look as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _filter_stderr() -> Iterator[None]:
    """Hold back what is written to descriptor 2, then pass on all but informational lines."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)

            log.seek(0)
            for line in log.read().decode(errors="replace").splitlines():
                if line.strip() and not any(text in line for text in _INFORMATIONAL):
                    print(line, file=sys.stderr)
