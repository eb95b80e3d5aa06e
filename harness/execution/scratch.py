"""One temporary folder for a whole run, so that nothing of a submission outlives it for long.

Processes that are killed cannot tidy up. Theirs lies in the folder of the run, which removes it;
and what a killed run leaves is removed by the next one on the same machine.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """The folder in which this process, and those that it starts, make temporary files."""
    _remove_abandoned()
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    prefix = f"{_prefix()}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before[0]
            if before[1] is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before[1]


def _prefix() -> str:
    return f"harness-{platform.node()}-"


def _remove_abandoned() -> None:
    """Remove our folders of runs whose process is gone."""
    for folder in Path(tempfile.gettempdir()).glob("harness-*"):
        name, _, number = folder.name.rpartition("-")[0].rpartition("-")
        if f"{name}-" == _prefix() and number.isdigit() and not _runs(int(number)):
            shutil.rmtree(folder, ignore_errors=True)  # of other people it removes nothing


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
