"""What messages, pages and templates tell people to run exists."""

import configparser
import re
import tomllib

import click
import pytest
from repository import ROOT

from harness.cli.main import main as harness
from harness.records.environment import EXTRAS, install_command
from reference.cli.main import main as reference

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEXTS = [
    path
    for room in ("harness", "reference", "docs", "datasets", "submissions", ".ci")
    for path in (ROOT / room).rglob("*")
    if path.is_file() and path.suffix in ("", ".py", ".toml", ".md", ".html", ".sh", ".txt")
    and not {"data", "generated", "__pycache__"} & set(path.parts)
] + [*ROOT.glob("*.md"), ROOT / "tox.ini"]  # fmt: skip
OTHER_PACKAGES = {"dask-jobqueue", "hdf5plugin", "s3fs", "tox"}
"""What is recommended beside our own dependencies; each is in the package index."""

DEPENDENCIES = {
    re.split(r"[<>=;]", line)[0]
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in lines
}


def found(pattern):
    """(file, what a group of the pattern matched), for each place but the changelog."""
    for path in TEXTS:
        if path.name != "CHANGELOG.md":
            for match in re.findall(pattern, path.read_text(encoding="utf-8", errors="replace")):
                yield path.relative_to(ROOT), match


def test_packages_that_are_to_be_installed_exist():
    named = list(found(r"pip\"? install((?: +(?:-\w \S+|--\S+|\.|'?[\w.\[\],-]+'?))+)"))
    assert len(named) > 10
    for path, words in named:
        for word in re.sub(r"(?<!\S)(-[cr] \S+|--?[\w-]+)", "", words.split("`")[0]).split():
            package, _, extras = word.strip("'.,`").partition("[")
            known = not package or package in DEPENDENCIES | OTHER_PACKAGES
            assert known, f"{path}: pip install {word}"
            assert set(filter(None, extras.strip("]").split(","))) <= set(EXTRAS), f"{path}: {word}"


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_extras_hint_names_its_packages(extra):
    assert set(install_command(extra).split()[2:]) <= DEPENDENCIES


def test_environments_of_tox_exist():
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    named = list(found(r"tox (?:exec )?-q?e ([a-z]\w+)"))
    assert len(named) > 10
    for path, environment in named:
        known = f"testenv:{environment}" in tox or re.fullmatch("py31[123]", environment)
        assert known, f"{path}: tox -e {environment}"


def test_commands_exist():
    programs = {"harness": harness, "reference": reference, "backdoor-harness": harness}
    named = list(
        found(r"(?:python3? -m (harness|reference)|\b(backdoor-harness)) ([a-z][a-z-]+)\b")
    )
    assert len(named) > 60
    for path, (module, script, command) in named:
        group = programs[module or script]
        known = group.list_commands(click.Context(group))
        prose = {"are", "is", "pages", "which"}  # "`python -m harness` are ..."
        assert command in known or command in prose, f"{path}: {module or script} {command}"


def test_the_start_of_a_program_names_what_it_can_be_entered_by():
    from harness.cli.launcher import missing_package

    told = missing_package("click")
    assert ".tox/grade/bin/activate" in told
    assert "\n" not in told
