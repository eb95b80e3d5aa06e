"""A process that reads one input after the other, under the limits of a target.

``python fuzz_worker.py TARGET FOLDER``: on its input come a length and so many bytes; it answers a
line of JSON for each, ``{"outcome": ...}`` or ``{"finding": ..., "place": ...}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import struct
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE), str(HERE.parent / "support")]

from fuzz_children import use_threads  # noqa: E402
from fuzz_properties import Finding, Watch  # noqa: E402
from fuzz_targets import MISDEEDS, TARGETS  # noqa: E402

SIZE = struct.Struct("<I")
_OUR_FOLDERS = (f"{os.sep}harness{os.sep}", f"{os.sep}fuzz{os.sep}")
_FILE_BYTES = 64 << 20


def main(name, folder):
    """Serve inputs until no more come."""
    target, scratch = (TARGETS | MISDEEDS)[name], Path(folder, "scratch")
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    watch = Watch(scratch)
    if os.environ.get("FUZZ_REAL_CHILDREN") is None:
        use_threads()
        if name in TARGETS:
            _warm_up(name, target, scratch)
        _limit(target)
        watch.start()
    os.environ["TMPDIR"] = str(scratch)

    while header := sys.stdin.buffer.read(SIZE.size):
        content = sys.stdin.buffer.read(*SIZE.unpack(header))
        reply = _examine(target, content, scratch, watch)
        print(json.dumps(reply), file=replies, flush=True)


def _warm_up(name, target, scratch):
    """Import all that the reader imports before memory is limited and time is taken."""
    seeds = sorted((HERE / "seeds" / name).glob("*"))
    for content in (b"", *(path.read_bytes() for path in seeds[:2])):
        _empty(scratch)
        with contextlib.suppress(Exception):  # the tests look at seeds
            target.check(content, scratch)


def _limit(target):
    with Path("/proc/self/status").open() as status:
        kib = next(int(line.split()[1]) for line in status if line.startswith("VmSize"))
    limit = (kib << 10) + target.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _examine(target, content, scratch, watch):
    _empty(scratch)
    os.chdir(scratch)
    watch.finding = None
    begun = time.process_time()
    try:
        outcome = target.check(content, scratch)
    except BaseException as error:  # noqa: BLE001 - all of them are findings
        return {"finding": _described(error), "place": _place(error)}

    seconds = time.process_time() - begun
    if watch.finding is not None:
        return {"finding": watch.finding, "place": "watch"}
    if seconds > target.cpu_seconds:
        return {"finding": f"took {seconds:.1f} s", "place": "time"}
    return {"outcome": outcome.encode("utf-8", "replace").decode(), "seconds": seconds}


def _described(error):
    kind = "" if isinstance(error, Finding) else f"{type(error).__name__}: "
    return f"{kind}{str(error)[:600]}\n" + "".join(traceback.format_exception(error)[-12:])[-4000:]


def _place(error):
    """Where it happened, so that one mistake is reported once."""
    kind = ""
    if isinstance(error, Finding):
        words = re.sub(r"\W+", " ", str(error))
        kind = words[: 80 if words.startswith("unforeseen") else 24]
    while isinstance(error, Finding) and error.__context__ is not None:
        error = error.__context__
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if any(each in frame.filename for each in _OUR_FOLDERS)]
    frame = (ours or frames)[-1]
    return f"{kind or type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _empty(scratch):
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
