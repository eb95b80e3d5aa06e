"""What holds for every reader of strangers' bytes, whatever they are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from harness.records.errors import Status
from harness.records.text import one_line

LONGEST_REASON = 2000
"""Characters of one line that says what is wrong; records cut theirs shorter."""

BAIT = 7.25
"""What is in the files beside a reader's folder: in no answer may it be seen."""

_OUR_CODE = f"{os.sep}harness{os.sep}"
_FORESEEN = (OSError, MemoryError)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.mkdir": 1, "os.rmdir": 1, "os.remove": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2,
    "os.truncate": 1, "os.chmod": 1, "shutil.rmtree": 1,
}  # fmt: skip
"""Events of `sys.audit`, and how many of their first arguments are paths that are changed."""

_FORBIDDEN = (
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect",
    "pickle.find_class", "ctypes.dlopen",
)  # fmt: skip


class Finding(Exception):  # noqa: N818 - what fuzzing is for, no error of its own
    """A property that does not hold."""


def require_one_line(text):
    """Raise Finding unless a text for a person is one line, short and printable."""
    if not isinstance(text, str) or not text.strip():
        raise Finding(f"says nothing: {text!r}")
    if text != one_line(text):
        raise Finding(f"not printable on one line: {text!r:.300}")
    if len(text) > LONGEST_REASON:
        raise Finding(f"a line of {len(text)} characters: {text[:200]}...")


def require_rejected(error):
    """Raise Finding unless a SubmissionError rejects, in one line."""
    require_one_line(error.reason)
    if error.status is not Status.REJECTED:
        raise Finding(f"{error.status}: {error.reason}")


def require_foreseen(error):
    """Raise Finding where a reason stands for an exception of our own code that nobody foresaw.

    ``except Exception`` with a reason such as "damaged file" hides mistakes: what h5py, zipfile or
    json raise is the file's fault, a TypeError of ours is a case that was not thought of.
    """
    cause = error.__cause__ or error.__context__
    if (
        cause is None
        or isinstance(cause, _FORESEEN)
        or type(cause).__module__.startswith("harness")
    ):
        return
    trace = cause.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None and _OUR_CODE in trace.tb_frame.f_code.co_filename:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_frame.f_code.co_name}"
        raise Finding(f"unforeseen {type(cause).__name__} in {place}: {cause!s:.200}")


class Watch:
    """Sees to it that nothing is written outside of a folder, and no process is started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.finding: str | None = None
        """What was done that may not be, until it is reported."""

    def start(self):
        """Watch from now on: there is no end to it."""
        sys.addaudithook(self._see)

    def _see(self, event, arguments):
        if event == "open":
            path, mode, flags = arguments
            writes = (isinstance(flags, int) and flags & _WRITES) or set(mode or "") & set("wax+")
            if writes:
                self._require_inside(event, path)
        elif event in _CHANGES:
            for path in arguments[: _CHANGES[event]]:
                self._require_inside(event, path)
        elif event in _FORBIDDEN:
            self.finding = f"{event}{arguments!r:.200}"

    def _require_inside(self, event, path):
        if isinstance(path, int) or path is None:
            return
        name = Path(os.fsdecode(path))
        if name != Path(os.devnull) and not name.parent.resolve().is_relative_to(self.folder):
            self.finding = f"{event} outside of the folder: {str(name)!r:.200}"
