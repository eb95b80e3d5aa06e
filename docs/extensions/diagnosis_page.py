"""The diagnoses as Markdown: codes, texts and examples are the harness's own."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from pictures import PICTURES, picture
from scenarios import scenario

from harness.assessment.diagnoses import explanations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenarios import Scenario

_VARIANTS = {
    "WRONG_X.right_mask": "Where the mask is the right one all the same:",
    "OTHER_BASE.known": "Where the weights are another known BadNet's:",
    "NOT_NESTED.misnamed": "Where one of the two has all that the other has pruned:",
    "FINE_TUNED.narrowed": "Where filters were removed and the others changed:",
    "IS_BADNET.answers": "Where something was changed that makes no difference:",
    "CLAIM_MISMATCH.slip": "Where a known slip explains the difference:",
    "MEMORISED_IMAGES.backdoored": "Where only the backdoored images are known by heart:",
}


def diagnoses() -> str:
    """A section for each code, its variants and pictures in it."""
    sections = groupby(explanations(), key=lambda code: code.partition(".")[0])
    return "\n".join(line for code, variants in sections for line in _section(code, list(variants)))


def _section(code: str, variants: list[str]) -> Iterator[str]:
    yield f"## {code}\n"
    for variant in variants:
        if variant != code:
            yield f"{_VARIANTS[variant]}\n"
        example = scenario(variant)
        yield f"> {example.diagnosis.explanation}\n"
        if variant in PICTURES:
            yield picture(variant)
        yield f"*{_consequence(example)}*\n"


def _consequence(example: Scenario) -> str:
    """What the mistake costs and which checks it fails, in this example."""
    costs = []
    for item in example.record.points:
        lost = sum(loss.points for loss in item.losses)
        if lost:
            costs.append(f'{lost:.3g} of {item.maximum:g} points for "{item.title}"')

    failed = ", ".join(f"`{name}`" for name in example.failed)
    checks = f"Fails {failed}. " if failed else ""
    return f"{checks}Costs {'; '.join(costs) or 'no points'}."
