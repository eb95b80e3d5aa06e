"""Options are named and explained alike in every command, and earlier names go on working."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from repository import ROOT

from harness.cli.main import main as harness
from harness.cli.options import Renamed
from reference.cli.main import main as reference


def walk(group, words=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from walk(command, (*words, name))
        else:
            yield (*words, name), command


COMMANDS = {" ".join(words): command for group, start in ((harness, "harness"),
            (reference, "reference")) for words, command in walk(group, (start,))}  # fmt: skip


def options_of(command):
    return [each for each in command.params if isinstance(each, click.Option)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_explained(name):
    command = COMMANDS[name]
    assert (command.help or "").strip().partition("\n")[0].endswith(".")
    for option in options_of(command):
        assert len(option.help or "") > 10, f"{name} {option.opts[0]} has no text"


def test_options_are_named_alike():
    named = {each.opts[0] for command in COMMANDS.values() for each in options_of(command)}
    assert len(named) > 40
    assert not named & {"--output", "--attempt", "--anonymise", "--pseudonyms"}
    assert {"--out", "--attempts", "--anonymous"} <= named


@pytest.mark.parametrize("name", COMMANDS)
def test_every_out_and_attempts_has_its_earlier_name(name):
    for option in options_of(COMMANDS[name]):
        if option.opts[0] in ("--out", "--attempts"):
            assert isinstance(option, Renamed), f"{name} {option.opts[0]}"


@pytest.mark.parametrize("name", COMMANDS)
def test_earlier_names_are_understood_but_not_shown(name):
    command = COMMANDS[name]
    for option in options_of(command):
        if not isinstance(option, Renamed):
            continue
        context = click.Context(command)
        assert option.earlier not in command.get_help(context).split()
        values, _, _ = command.make_parser(context).parse_args([option.earlier, "value"])
        assert values[option.name] == "value"


def test_help_is_asked_for_alike():
    for program in (harness, reference):
        short, long = (CliRunner().invoke(program, [word]) for word in ("-h", "--help"))
        assert (short.exit_code, short.output) == (0, long.output)


# --- data make --out ----------------------------------------------------------------------------


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "digits"
    finished = run("data", "make", "digits", "--out", folder)
    assert finished.returncode == 0, finished.stderr
    assert f"digits: {folder}" in finished.stdout
    return folder


def test_public_data_is_written_where_it_was_asked_for(made):
    assert {str(path.relative_to(made)) for path in made.rglob("*.*")} >= {
        "dataset.toml", "cl/valid.h5", "cl/test.h5", "bd/bd_valid.h5", "bd/bd_test.h5",
    }  # fmt: skip
    found = run("data", "verify", made)
    assert found.returncode == 0, found.stdout + found.stderr


def test_making_it_again_draws_nothing(made):
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*.h5")}
    assert run("data", "make", "digits", "--out", made).returncode == 0
    assert before == {path: path.stat().st_mtime_ns for path in made.rglob("*.h5")}


@pytest.mark.parametrize("secret", [False, True])
def test_another_benchmarks_folder_is_left_alone(made, tmp_path, secret):
    (tmp_path / "secret").write_text("s")
    more = ["--secret", tmp_path / "secret"] if secret else []
    finished = run("data", "make", "digits" if secret else "faces", "--out", made, *more)
    assert finished.returncode == 2
    assert finished.stderr == (
        f"error: {made}: holds the public data of digits; name another folder as --out\n"
    )


@pytest.mark.parametrize(("typed", "meant"), [("chekc", "check"), ("explian", "explain")])
def test_a_mistyped_command_is_answered_with_the_nearest(typed, meant):
    result = CliRunner().invoke(harness, [typed])
    assert result.exit_code == 2
    assert f"No such command {typed!r}. Did you mean {meant!r}?" in result.stderr
    assert "Did you mean" not in CliRunner().invoke(harness, ["xyz"]).stderr
