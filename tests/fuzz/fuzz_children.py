"""The scripts of the sandbox's children, run in a thread: hundreds of dialogues a second.

Both ends of a dialogue are the real ones. What is left out is the process around the script, with
its limits; `fuzz_worker` sets such limits for itself.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from pathlib import Path

from fuzz_properties import Finding

from harness.sandbox import availability, launch

_SCRIPTS = {
    "declaration_reader.py": "harness.intake.declaration_reader",
    "archive_reader.py": "harness.intake.archives.archive_reader",
    "worker.py": "harness.inference.worker",
}


class ThreadChild:
    """A child's script in a thread, asked as `harness.sandbox.child.Child` is."""

    def __init__(self, script, arguments, inputs):
        self._main = importlib.import_module(_SCRIPTS[script.name]).main
        request_fd, self._requests = os.pipe()
        self._replies, reply_fd = os.pipe()
        self._ends = request_fd, reply_fd
        self._error = None
        paths = {inside: str(host) for inside, host in inputs.readable.items()}
        own = [str(request_fd), str(reply_fd), "-1", *(paths.get(each, each) for each in arguments)]
        self._thread = threading.Thread(target=self._run, args=(own,), daemon=True)
        self._thread.start()

    def _run(self, arguments):
        try:
            self._main(arguments)
        except BaseException as error:  # noqa: BLE001 - all of them are findings
            self._error = error
        finally:
            for descriptor in self._ends:
                os.close(descriptor)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._requests)
        os.close(self._replies)
        self._thread.join()
        # What an archive's reader still had to say when nobody listened any more is no finding.
        if self._error is not None and not isinstance(self._error, BrokenPipeError):
            raise self._error

    def ask(self, request, reply_bytes, *, timeout_seconds=None):
        with contextlib.suppress(BrokenPipeError):
            os.write(self._requests, request)
        reply = b""
        while len(reply) < reply_bytes:
            part = os.read(self._replies, reply_bytes - len(reply))
            if not part:
                raise Finding(f"{self._main.__module__} ended before it answered") from self._error
            reply += part
        return reply


def _start(script, arguments=(), *, inputs=launch.Inputs(), limits=None, sandbox="bubblewrap"):  # noqa: B008
    return ThreadChild(Path(script), arguments, inputs)


def use_threads():
    """From now on this process runs every child's script in a thread."""
    launch.start = _start
    availability.problem_of = lambda sandbox: None
