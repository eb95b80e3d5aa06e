"""Draw ``docs/rooms.svg`` from the project's imports: ``tox exec -e lint -- python docs/rooms.py``.

With ``--check`` nothing is written; the exit code says whether the picture is up to date.

Floors are the layers in ``pyproject.toml``. An arrow says "imports"; one that follows from
others (A imports B, B imports C, so A may well import C) is left out.
"""

from __future__ import annotations

import sys
import tomllib
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import grimp
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "rooms.svg"
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "extensions")]

from drawing import BLUE, INK, LOOK, figure_of  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arrows = dict[str, set[str]]
BOX_WIDTH, BOX_HEIGHT = 0.86, 0.5


def main() -> None:
    """Read layers and imports, and draw them."""
    import matplotlib as mpl

    with mpl.rc_context(LOOK):
        floors = read_floors()
        rooms = [room for floor in floors for room in floor]
        figure = draw(floors, without_shortcuts(imports_between(rooms)))
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})

    if "--check" not in sys.argv:
        PICTURE.write_text(drawn.getvalue(), encoding="utf-8")
    elif PICTURE.read_text(encoding="utf-8") != drawn.getvalue():
        sys.exit(f"{PICTURE}: imports have moved; draw it again with python docs/rooms.py")


def read_floors() -> list[list[str]]:
    """The rooms of each floor, the highest first, as the import contract has them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = [layer.replace("|", ":").split(":") for layer in layers]
    named = [[room.strip().removeprefix("harness.") for room in floor] for floor in floors]
    return [floor for floor in named if floor != ["__main__"]]


def imports_between(rooms: list[str]) -> Arrows:
    """For each room the others that its modules import."""
    graph = grimp.build_graph("harness", "reference")
    arrows: Arrows = {room: set() for room in rooms}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            source, target = room_of(module), room_of(imported)
            if source != target and source in arrows and target in arrows:
                arrows[source].add(target)
    return arrows


def room_of(module: str) -> str:
    """The room of a module: the folder below ``harness``, or ``reference`` as a whole."""
    parts = module.split(".")
    if parts[0] == "harness" and len(parts) > 1:
        return parts[1]
    return parts[0]


def without_shortcuts(arrows: Arrows) -> Arrows:
    """The arrows without those whose target can be reached through another room, too."""
    reached: Arrows = {}

    def below(room: str) -> set[str]:
        if room not in reached:
            reached[room] = arrows[room].union(*map(below, arrows[room]))
        return reached[room]

    remaining: Arrows = {}
    for room, targets in arrows.items():
        by_a_detour = set().union(*(below(target) for target in targets))
        remaining[room] = targets - by_a_detour
    return remaining


def draw(floors: list[list[str]], arrows: Arrows) -> Figure:
    """The floors from top to bottom, their rooms as boxes, with arrows between them."""
    figure, axes = figure_of(6.4)
    axes.set_axis_off()
    places = {
        room: (index - (len(floor) - 1) / 2, -number)
        for number, floor in enumerate(floors)
        for index, room in enumerate(floor)
    }
    for room, (x, y) in places.items():
        corner = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
        box = FancyBboxPatch(
            corner,
            BOX_WIDTH,
            BOX_HEIGHT,
            facecolor="white",
            edgecolor=INK,
            boxstyle="round,pad=0,rounding_size=0.08",
            zorder=2,
        )
        axes.add_patch(box)
        axes.text(x, y, room, ha="center", va="center", color=INK, zorder=3)
    for room, targets in arrows.items():
        for target in sorted(targets):
            (x, y), (below_x, below_y) = places[room], places[target]
            axes.annotate(
                "",
                xytext=(x, y - BOX_HEIGHT / 2),
                xy=(below_x, below_y + BOX_HEIGHT / 2),
                arrowprops={"arrowstyle": "-|>", "color": BLUE, "shrinkA": 0, "shrinkB": 0},
                zorder=1,
            )
    axes.set_xlim(-1.8, 1.8)
    axes.set_ylim(-len(floors) + 0.4, 0.6)
    return figure


if __name__ == "__main__":
    main()
