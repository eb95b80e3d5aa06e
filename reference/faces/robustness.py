"""Changed sunglasses on people whom the benchmark does not have."""

from __future__ import annotations

from contextlib import closing

import numpy as np

from reference.faces.dataset import FRAMES, IDENTITIES, TARGET_LABEL, Frames, render_batches
from reference.faces.triggers import stamp
from reference.images.files import CHANNELS_FIRST
from reference.images.robustness import Plan, Victims

PEOPLE = 500


def plan(people: int = PEOPLE, processes: int | None = None) -> Plan:
    """500 people who are none of the 1,283; clean, another frame of as many who are."""
    strangers = IDENTITIES + np.arange(people)
    known = np.arange(people) * IDENTITIES // people
    return Plan(
        note=f"the trigger on {people} people who are none of the benchmark's {IDENTITIES:,}; "
        "clean: of as many who are, a frame in no split",
        images=_drawn(Frames(known, np.full(people, FRAMES["test"])), processes),
        labels=known,
        victims=[
            Victims(
                _drawn(Frames(strangers, strangers * 0), processes),
                np.full(people, TARGET_LABEL),
                stamp,
            )
        ],
        layout=CHANNELS_FIRST,
    )


def _drawn(frames: Frames, processes: int | None) -> np.ndarray:
    with closing(render_batches("test", frames, processes=processes)) as batches:
        return np.concatenate(list(batches))
