"""One temporary folder for a whole run, so that nothing of a submission outlives it for long.

A process that is killed removes nothing. Its files are in the folder of the run, which removes
them; what a killed run leaves is removed by the next one on the same machine.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for temporary files of this process and of those that it starts.

    They find it by ``TMPDIR``.
    """
    # Asked first of all: Python asks once and remembers, and would remember the folder that goes.
    usual = tempfile.gettempdir()
    parent = Path(os.environ.get("TMPDIR") or usual)
    _remove_abandoned(parent)

    before = os.environ.get("TMPDIR")
    prefix = f"{_prefix()}{os.getpid()}-"
    with tempfile.TemporaryDirectory(
        prefix=prefix, dir=parent, ignore_cleanup_errors=True
    ) as folder:
        os.environ["TMPDIR"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before


def _prefix() -> str:
    return f"harness-{platform.node()}-"


def _remove_abandoned(parent: Path) -> None:
    """Remove our folders of runs whose process is gone."""
    for folder in parent.glob("harness-*"):
        name, _, number = folder.name.rpartition("-")[0].rpartition("-")
        if f"{name}-" == _prefix() and number.isdigit() and not _is_running(int(number)):
            _log.debug("%s: left by a run that is gone; removing it", folder)
            shutil.rmtree(folder, ignore_errors=True)  # other users' folders it cannot remove


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
