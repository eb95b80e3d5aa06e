"""Two results folders side by side as a page: who moved, why, and on which images."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.assessment.scoring import total
from harness.output.flips import MOST_IMAGES
from harness.output.html import assets
from harness.output.html.examples import evidence_opener
from harness.output.leaderboard.columns import ABSENT, in_points
from harness.records.errors import HarnessError
from harness.storage.results import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from harness.output.diff import Difference, Ranked
    from harness.output.flips import Flip
    from harness.output.html.examples import Evidence
    from harness.records.record import Record

_SETS = {"test": "clean test images", "bd_test": "backdoored test images"}


def render(found: Sequence[Difference], before: str, after: str, results: Path) -> str:
    """The page; ``results`` is the folder whose labels and images are shown."""
    missing = assets.missing_packages()
    if missing:
        raise HarnessError(f"a page needs {', '.join(missing)}; install them, or leave --html out")
    moved = [each for each in found if each.reasons]
    rows = sorted(map(_row, moved), key=lambda row: (-row["weight"], row["name"]))
    store = Store(results)
    context = {
        "title": f"{before} and {after}",
        "audience": "instructor",
        "hidden": (),
        "before": before,
        "after": after,
        "rows": rows,
        "tally": list(_tally(rows, len(found) - len(moved))),
        "details": [_detail(each, store, evidence_opener(store)) for each in moved if each.flips],
        "sets": _SETS,
        "is_pair": len(found) == 1 and " -> " in found[0].name,
    }
    return assets.render_page("diff.html", context)


def _row(each: Difference) -> dict[str, Any]:
    old, new = _standing(each.before), _standing(each.after)
    change = ""
    if None not in (old["value"], new["value"]):
        change = "better" if new["value"] > old["value"] else "worse"
        change = "" if new["value"] == old["value"] else change
    # Rank and points have columns of their own.
    others = [text for text in each.reasons if not text.startswith(("rank ", "points "))]
    return {
        "name": each.name,
        "old": old,
        "new": new,
        "reasons": [text.replace(" -> ", " → ") for text in others],
        "losses": each.new_losses,
        "change": change,
        "weight": len(others) + (100 * abs(new["value"] - old["value"]) if change else 0),
    }


def _tally(rows: Sequence[dict[str, Any]], same: int) -> Iterator[tuple[int, str]]:
    """How many moved, in which way."""
    changes = Counter(row["change"] or ("other" if row["reasons"] else "rank") for row in rows)
    yield changes["better"], "better"
    yield changes["worse"], "worse"
    if changes["other"]:
        yield changes["other"], "differ, with the same points"
    if changes["rank"]:
        yield changes["rank"], "in rank only"
    yield same, "the same"


def _standing(ranked: Ranked | None) -> dict[str, Any]:
    points = total(ranked.record.points) if ranked and ranked.record.points else None
    return {
        "rank": ABSENT if ranked is None or ranked.rank is None else str(ranked.rank),
        "points": in_points(points[0]) if points else ABSENT,
        "value": points[0] if points else None,
    }


def _detail(
    each: Difference, store: Store, evidence_of: Callable[[Record], Evidence | None]
) -> dict[str, Any]:
    record = each.after.record if each.after else None
    evidence = evidence_of(record) if record else None
    return {
        "name": each.name,
        "flips": [
            {
                "flip": flip,
                "gallery": list(_gallery(flip, record, store, evidence)) if record else [],
            }
            for flip in each.flips
        ],
    }


def _gallery(
    flip: Flip, record: Record, store: Store, evidence: Evidence | None
) -> Iterator[dict[str, Any]]:
    """A few images that were won, then some that were lost; none where they are not the graded."""
    labels = store.labels(record.dataset.arrays.get(flip.set, ""))
    labeled = evidence.sets.get(flip.set) if evidence else None
    if evidence is None or labeled is None or labels is None:
        return
    if not np.array_equal(labeled.labels, labels):
        return
    width, height = evidence.shown_size()
    for what, indices in (("right only now", flip.won), ("right only before", flip.lost)):
        for index in indices[:MOST_IMAGES]:
            yield {
                "picture": evidence.picture(flip.set, index),
                "what": what,
                "label": f"image {index}",
                "width": width,
                "height": height,
            }
