"""Fuzz the readers of strangers' bytes for as long as you wish.

    python tests/fuzz/run.py                      all targets, a minute each
    python tests/fuzz/run.py --minutes 10 hdf5    one of them, longer
    python tests/fuzz/run.py --read FILE hdf5     what comes of one file
    python tests/fuzz/run.py --outcomes           what comes of all seeds, as seeds/outcomes.json

What is found is printed, and the smallest input that shows it is left in ``build/fuzz/``. When it
is mended, put that input into ``seeds/TARGET/`` and its outcome into ``seeds/outcomes.json``.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import sys
import time
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE), str(HERE.parent / "support")]

from fuzz_targets import TARGETS  # noqa: E402
from fuzzing import FOUND, SEEDS, FoundError, Reader, keep  # noqa: E402
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings  # noqa: E402
from hypothesis.errors import HypothesisWarning  # noqa: E402

_ROUND = settings(
    max_examples=500,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
    print_blob=False,
)
# Inputs are shown by name; their bytes as Python would write them help nobody.
warnings.filterwarnings("ignore", category=HypothesisWarning)
_SHRINKING_SECONDS = 30
"""Beyond the time that was asked for, to make small what was found at its end."""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=1, help="for each target (default: 1)")
    parser.add_argument("--seed", type=int, default=None, help="of the random numbers")
    parser.add_argument("--found", type=Path, default=FOUND, help="where inputs go")
    parser.add_argument("--read", type=Path, help="only read this file")
    parser.add_argument("--outcomes", action="store_true", help="only read the seeds")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    for name in set(names) - set(TARGETS):
        parser.error(f"no target {name!r}; there are {', '.join(TARGETS)}")

    if options.outcomes:
        print(json.dumps(_outcomes(), indent=1, ensure_ascii=True, sort_keys=True))
        return 0
    if options.read:
        with Reader(names[0]) as reader:
            print(reader.examine(options.read.read_bytes()))
        return 0
    rng = random.Random(options.seed)
    found = [_fuzz(name, options.minutes * 60, rng, options.found) for name in names]
    return int(any(found))


def _outcomes():
    outcomes = {}
    for name in TARGETS:
        with Reader(name) as reader:
            for path in sorted((SEEDS / name).glob("*")):
                outcomes[f"{name}/{path.name}"] = reader.examine(path.read_bytes())
    return outcomes


def _fuzz(name, seconds, rng, found):
    """Whether anything was found in a target within so many seconds."""
    known: dict[str, str] = {}
    kinds: collections.Counter = collections.Counter()
    end = time.monotonic() + seconds
    with Reader(name) as reader:
        while time.monotonic() < end:
            _run_round(reader, rng.getrandbits(32), known, kinds, end, found)
        crashes = reader.crashes
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    print(f"{name}: {kinds.total()} inputs in {seconds:.0f} s ({counted}); crashes {crashes}; "
          f"{len(known)} findings", flush=True)  # fmt: skip
    return bool(known)


def _run_round(reader, number, known, kinds, end, found):
    """Five hundred inputs, or until something new is found, which is made small."""
    smallest: dict[str, bytes] = {}

    @_ROUND
    @seed(number)
    @given(reader.target.inputs)
    def examine(content):
        if time.monotonic() > end + (_SHRINKING_SECONDS if smallest else 0):
            return
        try:
            outcome = reader.examine(content)
            kinds[outcome.partition(":")[0]] += 1
        except FoundError as error:
            kinds["found"] += 1
            if error.place in known:
                return
            best = smallest.get(error.place)
            if best is None or len(content) <= len(best):
                smallest[error.place] = content
            raise

    try:
        examine()
    except BaseException as error:
        if not smallest or isinstance(error, KeyboardInterrupt):
            raise
    for place, content in smallest.items():
        _report(reader, place, content, found)
        known[place] = ""


def _report(reader, place, content, found):
    path = keep(reader.name, content, found)
    try:
        reader.examine(content)
        words = "not seen again"
    except FoundError as error:
        words = str(error)
    print(f"{reader.name}: FOUND {place}\n  in {path} ({len(content)} bytes)\n{words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
