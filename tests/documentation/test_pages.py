"""What README and pages name exists: commands, options, environments, extras, files, links."""

import configparser
import re
import tomllib

import click
import pytest
from repository import ROOT

from harness.cli.main import main as harness
from reference.cli.main import main as reference

PAGES = [
    ROOT / name
    for name in (
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "datasets/digits/README.md",
        "datasets/faces-competition/README.md",
        "datasets/faces/README.md",
        "datasets/signs/README.md",
    )
]
PAGES += sorted((ROOT / "docs").glob("*.md"))
PROGRAMS = {"harness": harness, "reference": reference}

OTHERS = {"--benchmark-only", "--help", "--memory-limit", "--nthreads", "--nworkers", "--version"}
"""Options of other programs, and those that every click program has."""


def names(path):
    return str(path.relative_to(ROOT))


def commands_of(group):
    """The commands of a group by name; the harness loads each when it is asked for."""
    context = click.Context(group)
    return {name: group.get_command(context, name) for name in group.list_commands(context)}


def invocations(text):
    """Each ``python -m harness ...`` or ``... reference ...`` as (program, words)."""
    # A usage may go on in an indented next line that begins with an option.
    joined = re.sub(r"\n +(?=\[--)", " ", text)
    for program, rest in re.findall(r"python -m (harness|reference)\b([^`\n|#>]*)", joined):
        yield program, re.findall(r"[^\s\[\]]+", rest)
    starts = "|".join(commands_of(harness))
    for words in re.findall(rf"`((?:{starts})(?: [^`\n]+)?)`", joined):
        if " " in words:
            yield "harness", words.split()


def resolved(program, words):
    """The command that the words name, and the words after its name."""
    command = PROGRAMS[program]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words[0].rstrip(".,;:")
        if name == "...":
            break
        known = commands_of(command)
        assert name in known, f"no command {name!r} in {command.name}"
        command, words = known[name], words[1:]
    return command, words


def options_of(command):
    return {option for parameter in command.params for option in parameter.opts}


def all_options(command):
    found = options_of(command)
    if isinstance(command, click.Group):
        for child in commands_of(command).values():
            found |= all_options(child)
    return found


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_command_and_its_options_exist(page):
    for program, words in invocations(page.read_text(encoding="utf-8")):
        command, rest = resolved(program, words)
        given = {word.split("=")[0].rstrip(".,;:)") for word in rest if word.startswith("--")}
        unknown = given - options_of(command) - OTHERS
        assert not unknown, f"{' '.join(words)}: no option {unknown}"


def test_commands_are_found_on_the_pages():
    found = [i for page in PAGES for i in invocations(page.read_text(encoding="utf-8"))]
    named = {words[0] for program, words in found if program == "harness" and words}
    assert named >= set(commands_of(harness)), "a command that no page names"
    assert len(found) > 60


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_option_that_stands_alone_exists(page):
    known = OTHERS | all_options(harness) | all_options(reference)
    text = re.sub(r"`[^`]*(?:pip|uvx?|pipx|prlimit|bwrap)[^`]*`", "", page.read_text("utf-8"))
    named = set(re.findall(r"`(--[a-z][a-z-]+)", text))
    assert not named - known


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_environment_and_extra_exists(page):
    text = page.read_text(encoding="utf-8")
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    environments = {
        name.partition("{")[0] + ending
        for name in tox.sections()
        for ending in name.partition("{")[2].rstrip("}").split(",")
    }
    for environment in re.findall(r"tox -e ([a-z0-9]+)", text):
        assert f"testenv:{environment}" in environments
    for extras in re.findall(r"'\.\[([a-z,]+)\]'", text):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])


def links(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target) and not target.startswith("#"):
            yield page.parent / target.partition("#")[0]


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_relative_link_resolves(page):
    missing = [link for link in links(page) if not link.exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_file_of_the_project_that_is_named_exists(page):
    text = page.read_text(encoding="utf-8")
    folders = "harness|reference|docs|tests|datasets|benchmarks"
    for name in re.findall(rf"`((?:{folders})/[\w./-]*\w)", text):
        is_room = (ROOT / "harness" / name).is_dir()
        assert (ROOT / name).exists() or is_room or name.startswith("datasets/NAME"), name


def test_the_modules_that_grading_names_exist():
    text = (ROOT / "docs" / "grading.md").read_text(encoding="utf-8")
    modules = re.findall(r"`([\w/]+\.py)`", text)
    assert len(modules) > 8
    missing = [m for m in modules if not any((ROOT / f / m).is_file() for f in ("", "harness"))]
    assert not missing


def test_the_readme_stays_one_screen():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 60


def test_the_citation_names_this_version():
    import yaml

    from harness import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == "MIT"
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
