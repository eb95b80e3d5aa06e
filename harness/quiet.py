"""TensorFlow without its chatter.

TensorFlow 2.21 logs two informational lines to file descriptor 2 before any of its own
verbosity settings apply, so they can only be filtered there. What it logs as "error" (no GPU
driver, a graph optimiser that gives up on a Keras activation) is harmless; whatever is really
wrong raises a Python exception.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHATTER = ("WARNING: All log messages before absl", "I0000 ")


def import_tensorflow() -> Any:
    """Return the ``tensorflow`` module, devices initialised; only real complaints reach stderr."""
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with _filtered_stderr():
        import tensorflow as tf

        tf.config.list_logical_devices()
    return tf


@contextmanager
def _filtered_stderr() -> Iterator[None]:
    """Hold back what is written to descriptor 2, then pass on all but known chatter."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines():
                if line.strip() and not any(word in line for word in _CHATTER):
                    print(line, file=sys.stderr)
