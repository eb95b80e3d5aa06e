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
    """A folder for temporary files of this process; those that it starts make theirs there, too.

    Started processes learn of it by ``TMPDIR``.
    """
    parent = _parent()
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


def _parent() -> Path:
    return Path(os.environ.get("TMPDIR") or tempfile.gettempdir())


def _prefix() -> str:
    return f"harness-{platform.node()}-"


def _remove_abandoned(parent: Path) -> None:
    """Remove our folders of runs whose process is gone."""
    for folder in parent.glob("harness-*"):
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
