"""ARCHITECTURE.md against the folders and the import contract."""

import re
import tomllib

from repository import ROOT

TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
HARNESS = ROOT / "harness"


def rooms():
    """The folders of the harness that hold modules."""
    return {path.parent.name for path in HARNESS.glob("*/__init__.py")}


def test_every_room_is_in_the_table_and_every_row_is_a_room():
    rows = re.findall(r"^\| `([\w/]+)` \|", TEXT, re.MULTILINE)
    assert all((HARNESS / row / "__init__.py").is_file() for row in rows)
    assert {row.split("/")[0] for row in rows} == rooms()


def test_every_file_in_a_row_is_in_its_room():
    for room, row in re.findall(r"^\| `([\w/]+)` \|(.*)\|$", TEXT, re.MULTILINE):
        for name in re.findall(r"`(\w+(?:\.\w+|/))`", row):
            assert (HARNESS / room / name).exists(), f"{room}: {name}"


def test_every_room_has_its_place_in_the_layers():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {room.strip() for layer in layers for room in layer.split("|")}
    assert named == {f"harness.{room}" for room in rooms()} | {"harness.__main__", "reference"}


def test_every_room_says_what_it_is_for():
    for folder in [HARNESS, *HARNESS.rglob("*/"), *(ROOT / "reference").glob("*/")]:
        if any(folder.glob("*.py")):
            source = (folder / "__init__.py").read_text(encoding="utf-8")
            assert len(re.match(r'"""(.*?)"""', source, re.DOTALL)[1]) > 40, folder


def test_no_room_has_more_modules_than_one_can_survey():
    for folder in HARNESS.rglob("*/"):
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= 12 or folder.name in ("cli", "attacks"), folder


def test_each_test_folder_mirrors_a_room():
    for top in ("harness", "reference"):
        for path in (ROOT / "tests" / top).rglob("test_*.py"):
            assert (ROOT / path.parent.relative_to(ROOT / "tests")).is_dir(), path
