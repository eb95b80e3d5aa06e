"""The study's boards as tables of cells that open: below each is what it rests on.

They are read from the files that the commands of `docs/study.md` wrote, kept in `docs/study`.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STUDY = Path(__file__).resolve().parents[1] / "study"
_LIGHTEST, _DARKEST = (247, 251, 255), (66, 146, 198)
"""Black can be read on both: its contrast is 6 at least."""

METRICS = {
    "defended accuracy": "quality",
    "clean accuracy": "clean_accuracy",
    "attack success rate": "attack_success_rate",
}


def study_board(metric: str, file: str = "benchmark.json") -> str:
    """Defences by attacks, coloured by one metric, as HTML. KeyError for an unknown metric."""
    board, key = _read(file), METRICS[metric]

    def cell(row: dict[str, Any], attack: str) -> str:
        rests_on = [_badnet(cell) for cell in row["cells"] if cell["attack"] == attack]
        return _cell(row["by_attack"][attack]["estimates"][key], 100, 1, rests_on)

    seeds = len(board["seeds"])
    caption = f"Mean {metric} in percent, over {seeds} {'seed' if seeds == 1 else 'seeds'}"
    return "\n".join(_table(board, "defence", caption, cell)) + "\n"


def detection() -> str:
    """Detectors by attacks, coloured by ROC-AUC, as HTML."""
    board = _read("detection.json")

    def cell(row: dict[str, Any], attack: str) -> str:
        rests_on = [_answer(each) for each in row["answers"] if each["attack"] == attack]
        figure = row["by_attack"][attack]["figures"]["roc_auc"]
        return _cell(figure and {**figure, "mean": figure["value"]}, 1, 3, rests_on)

    caption = f"ROC-AUC, over {len(board['seeds'])} seeds"
    return "\n".join(_table(board, "detector", caption, cell)) + "\n"


def _read(name: str) -> dict[str, Any]:
    board: dict[str, Any] = json.loads((_STUDY / name).read_text(encoding="utf-8"))
    return board


def _table(
    board: dict[str, Any], what: str, caption: str, cell: Callable[[dict[str, Any], str], str]
) -> Iterator[str]:
    yield '<div class="table-wrapper"><table class="study">'
    yield f"<caption>{caption}</caption>"
    heads = "".join(f'<th scope="col">{escape(attack)}</th>' for attack in board["attacks"])
    yield f'<thead><tr><th scope="col">{what}</th>{heads}</tr></thead><tbody>'
    for row in board["rows"]:
        cells = "".join(cell(row, attack) for attack in board["attacks"])
        yield f'<tr><th scope="row">{escape(row[what])}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _cell(
    estimate: dict[str, float] | None, factor: float, digits: int, rests_on: list[str]
) -> str:
    """A cell whose text opens what it rests on."""
    listed = "".join(f"<li>{escape(each)}</li>" for each in rests_on)
    if estimate is None:
        return f"<td><details><summary>failed</summary><ul>{listed}</ul></details></td>"
    mean, low, high = (f"{factor * estimate[name]:.{digits}f}" for name in ("mean", "low", "high"))
    return (
        f'<td style="{_colours(estimate["mean"])}"><details><summary>{mean}</summary>'
        f"<p>95 %: {low} to {high}</p><ul>{listed}</ul></details></td>"
    )


def _badnet(cell: dict[str, Any]) -> str:
    """What was counted on one BadNet."""
    name = cell["network"]
    if not cell["left"]:
        return f"{name}: {cell['reason'] or cell['status']}"
    counts = cell["left"]["counts"]
    return (
        f"{name}: {counts['clean_correct']} of {counts['clean_total']} clean images right, "
        f"{counts['backdoored_attacked']} of {counts['backdoored_total']} attacked, "
        f"{counts['clean_abstained']} and {counts['backdoored_abstained']} answered N + 1"
    )


def _answer(each: dict[str, Any]) -> str:
    """What a detector said of one network."""
    said = each["reason"] if each["probability"] is None else f"{each['probability']:.3f}"
    kind = "BadNet" if each["is_backdoored"] else "clean twin"
    return f"{each['network']} ({kind}): {said}"


def _colours(share: float) -> str:
    """Darker for more."""
    ground = [round(a + (b - a) * share) for a, b in zip(_LIGHTEST, _DARKEST, strict=True)]
    return f"background: rgb({', '.join(map(str, ground))}); color: #000"
