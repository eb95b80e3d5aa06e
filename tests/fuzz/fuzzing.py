"""A reader's process as the tests see it: bytes go in, what came of them comes out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fuzz_targets import MISDEEDS, TARGETS
from fuzz_worker import HERE, SIZE

SEEDS = HERE / "seeds"
"""Inputs that are read again in each run, by target; ``outcomes.json`` says what comes of them."""

FOUND = HERE.parents[1] / "build" / "fuzz"
"""Where inputs go that show a mistake."""

_INPUTS_OF_A_PROCESS = 2000
"""Then it is replaced, so that what a library leaks adds up to nothing."""


class FoundError(AssertionError):
    """A property that does not hold of some input."""

    def __init__(self, finding, place):
        super().__init__(finding)
        self.place = place
        """Where it happened: the same for all inputs that show one mistake."""


class Reader:
    """A target in a process of its own, replaced when it ends; used as a context manager."""

    def __init__(self, name, *, real_children=False, hang_seconds=90):
        self.name, self.target = name, (TARGETS | MISDEEDS)[name]
        self.crashes = 0
        self._real_children, self._hang_seconds = real_children, hang_seconds
        self._folder = Path(tempfile.mkdtemp(prefix="harness-fuzz-"))
        self._process = None
        self._left = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def examine(self, content):
        """What comes of these bytes; raises FoundError."""
        if self._process is None or self._left == 0:
            self._start()
        self._left -= 1
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(SIZE.pack(len(content)) + content)
            self._process.stdin.flush()
        reply = self._reply()
        if "finding" in reply:
            raise FoundError(reply["finding"], reply["place"])
        return reply["outcome"]

    def _start(self):
        self._stop()
        self._left = _INPUTS_OF_A_PROCESS
        variables = {"FUZZ_REAL_CHILDREN": "1"} if self._real_children else {}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "fuzz_worker.py"), self.name, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | variables | {"OPENBLAS_NUM_THREADS": "1"},
        )

    def _reply(self):
        """What the process answers, or how it ended."""
        deadline, line = time.monotonic() + self._hang_seconds, b""
        descriptor = self._process.stdout.fileno()
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                self._stop()
                return {"finding": f"no end after {self._hang_seconds} s", "place": "hang"}
            part = os.read(descriptor, 1 << 16)
            if not part:
                return self._end()
            line += part
        return json.loads(line)

    def _end(self):
        code = self._process.wait()
        self._stop()
        self.crashes += 1
        what = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if code < 0 and self.target.may_crash:
            return {"outcome": f"crashed: {what}"}
        return {"finding": f"the process ended with {what}", "place": what}

    def _stop(self):
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None


def keep(name, content, folder=FOUND):
    """Keep an input of a target; returns where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    return path
