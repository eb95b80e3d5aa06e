"""The study's boards as tables of cells that open: below each is what it rests on.

They are read from the files that the commands of `docs/study.md` wrote, kept in `docs/study`.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_STUDY = Path(__file__).resolve().parents[1] / "study"
_LIGHTEST, _DARKEST = (247, 251, 255), (66, 146, 198)
"""Black can be read on both: its contrast is 6 at least."""

METRICS = {
    "defended accuracy": "quality",
    "clean accuracy": "clean_accuracy",
    "attack success rate": "attack_success_rate",
}


def study_board(metric: str) -> str:
    """Defences by attacks, coloured by one metric, as HTML. KeyError for an unknown metric."""
    board = json.loads((_STUDY / "benchmark.json").read_text(encoding="utf-8"))
    return "\n".join(_table(board, METRICS[metric], metric)) + "\n"


def _table(board: dict[str, Any], key: str, metric: str) -> Iterator[str]:
    yield '<div class="table-wrapper"><table class="study">'
    yield f"<caption>Mean {metric} in percent, over {len(board['seeds'])} seeds</caption>"
    heads = "".join(f'<th scope="col">{escape(attack)}</th>' for attack in board["attacks"])
    yield f'<thead><tr><th scope="col">defence</th>{heads}</tr></thead><tbody>'
    for row in board["rows"]:
        cells = "".join(_cell(row, attack, key) for attack in board["attacks"])
        yield f'<tr><th scope="row">{escape(row["defence"])}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _cell(row: dict[str, Any], attack: str, key: str) -> str:
    group = row["by_attack"][attack]
    estimate = group["estimates"][key]
    rests_on = "".join(_badnet(cell) for cell in row["cells"] if cell["attack"] == attack)
    if estimate is None:
        return f"<td><details><summary>failed</summary><ul>{rests_on}</ul></details></td>"
    interval = f"95 %: {_percent(estimate['low'])} to {_percent(estimate['high'])}"
    return (
        f'<td style="{_colours(estimate["mean"])}"><details>'
        f"<summary>{_percent(estimate['mean'])}</summary>"
        f"<p>{interval}</p><ul>{rests_on}</ul></details></td>"
    )


def _badnet(cell: dict[str, Any]) -> str:
    """What was counted on one BadNet."""
    name = escape(cell["network"])
    if not cell["left"]:
        return f"<li>{name}: {escape(cell['reason'] or cell['status'])}</li>"
    counts = cell["left"]["counts"]
    return (
        f"<li>{name}: {counts['clean_correct']} of {counts['clean_total']} clean images right, "
        f"{counts['backdoored_attacked']} of {counts['backdoored_total']} attacked, "
        f"{counts['clean_abstained']} and {counts['backdoored_abstained']} answered N + 1</li>"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _colours(share: float) -> str:
    """Darker for more."""
    ground = [round(a + (b - a) * share) for a, b in zip(_LIGHTEST, _DARKEST, strict=True)]
    return f"background: rgb({', '.join(map(str, ground))}); color: #000"
