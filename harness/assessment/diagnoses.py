"""A diagnosis: a mistake by its name, explained with the numbers that were measured.

The texts are data (``explanations.toml``); evidence is numbers and names that fill their
placeholders. A diagnosis is no accusation: equal weights of different students mean nothing,
since the method is deterministic.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from harness.records.findings import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Evidence = Mapping[str, int | float | str | None]
    """Numbers and names, by the placeholders that they fill."""

SHOWN_CHANNELS = 10


@cache
def explanations() -> dict[str, dict[str, str]]:
    """``seen`` and ``do`` of every code and variant, as templates."""
    text = files("harness.assessment").joinpath("explanations.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def diagnosis(
    code: str,
    evidence: Evidence,
    *,
    certain: bool = True,
    split: str | None = None,
) -> Diagnosis:
    """A diagnosis whose code may carry a variant of the text: ``WRONG_X.right_mask``."""
    template = explanations()[code]
    text = f"{template['seen']} {template['do']}".format_map(evidence)
    hedge = "" if certain else "Not certain, but it fits: "

    return Diagnosis(
        code=code.partition(".")[0],
        explanation=hedge + text,
        evidence=dict(evidence),
        certain=certain,
        split=split,
    )


def what_was_seen(found: Diagnosis) -> str | None:
    """A diagnosis's explanation without what to do; None where its text is of another version."""
    do = what_to_do(found)
    return None if do is None else found.explanation.removesuffix(f" {do}")


def what_to_do(found: Diagnosis) -> str | None:
    """What a diagnosis's explanation says to do; None where its text is of another version."""
    for code, template in explanations().items():
        if code.partition(".")[0] != found.code:
            continue
        try:
            seen = template["seen"].format_map(found.evidence)
            do = template["do"].format_map(found.evidence)
        except (KeyError, TypeError, ValueError):
            continue
        if found.explanation.endswith(f"{seen} {do}"):
            return do
    return None


def channel_list(channels: Sequence[int]) -> str:
    """The first ten channel numbers, and how many more there are."""
    shown = ", ".join(str(channel) for channel in channels[:SHOWN_CHANNELS])
    more = len(channels) - SHOWN_CHANNELS
    return f"{shown} and {more} more" if more > 0 else shown
