"""``rubric check``: a line for each problem, and exit code 0 or 2."""

from importlib.resources import files

import pytest
from click.testing import CliRunner
from courses import graded, put
from records_by_hand import good_checkpoints

from harness.cli.main import main

DEFAULT = files("harness.assessment").joinpath("rubric.toml").read_text(encoding="utf-8")
VERSION_1 = DEFAULT.replace("schema_version = 2", "schema_version = 1")


def check(path, text, *options):
    path.write_text(text)
    result = CliRunner().invoke(main, ["rubric", "check", str(path), *map(str, options)])
    return result.exit_code, result.stdout.splitlines(), result.stderr.splitlines()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.toml"


@pytest.fixture
def results(tmp_path):
    put(tmp_path / "results", graded("ann"), graded("bob"))
    return tmp_path / "results"


def override(submission, what):
    return f'\n[[overrides]]\nsubmission = "{submission}"\nreason = "x"\n{what}\n'


def test_a_good_rubric_is_one_line(path, results):
    words = f"{path}: nothing is wrong; 6 items, 100 points"
    assert check(path, DEFAULT) == (0, [words], [])
    good = DEFAULT + override("ann", 'item = "loading"\npoints = 10')
    assert check(path, good, "--results", results) == (0, [words], [])


def test_an_older_rubric_is_no_problem(path):
    code, (line,), errors = check(path, VERSION_1)
    assert (code, errors) == (0, [])
    assert line.endswith("; of version 1, what it leaves out has its default")


def test_each_problem_is_one_line(path):
    text = DEFAULT.replace("points = 10\n", "points = -1\nponits = 3\n", 1)
    text = text.replace('"OTHER_BASE", ', '"OTHER_BASES\\nx", ')
    text += override("ann", 'item = "goodnet"\npoints = 15.5')
    code, lines, errors = check(path, text)
    assert (code, lines) == (2, [])
    assert all(line.startswith(f"{path}: ") for line in errors)
    said = [line.removeprefix(f"{path}: ") for line in errors]
    assert said[:2] == [
        "item loading: unknown key 'ponits'; did you mean 'points'?",
        "item loading: points cannot be -1",
    ]
    assert said[2].startswith("[lineage] void: no diagnosis 'OTHER_BASES")
    assert said[2].endswith("did you mean 'OTHER_BASE'?")
    assert said[3:] == ["override for 'ann': 15.5 points, but goodnet has 15"]


def test_what_is_no_rubric_is_one_line(path):
    code, _, errors = check(path, "schema_version = ")
    assert (code, len(errors)) == (2, 1)
    path.unlink()
    result = CliRunner().invoke(main, ["rubric", "check", str(path)])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_overrides_and_roster_are_compared_with_the_results(path, results):
    (results / "roster.csv").write_text("folder,login\nann,a\nbop,b\nann,A\nzoe,z\n")
    text = DEFAULT + override("anne", 'item = "loading"\npoints = 1')
    text += override("zoe", 'status = "graded"')
    text += override("ann", 'verdict = "passed"\ndrop_points = 3')
    text += override("bob", 'verdict = "passed"\ndrop_points = 4')
    code, _, errors = check(path, text, "--results", results)
    roster = results / "roster.csv"
    assert code == 2
    assert errors == [
        f"{path}: override for 'anne': no such submission; did you mean 'ann'?",
        f"{path}: override for 'zoe': no such submission; 2 others are there",
        f"{path}: override for 'ann': no checkpoint X = 3 is required",
        (
            f"{roster}: folder 'ann' is there twice; keep one line for each person, and tell a "
            "team's people apart by login, id or name"
        ),
        f"{roster}: folder 'bop': no such submission; did you mean 'bob'?",
        f"{roster}: folder 'zoe': no such submission; 2 others are there",
    ]


def test_no_verdict_makes_up_for_a_net_that_is_missing(path, results):
    put(results, graded("cy", good_checkpoints()[:2]))
    code, _, errors = check(
        path, DEFAULT + override("cy", 'verdict = "passed"\ndrop_points = 10'), "--results", results
    )
    assert code == 2
    (error,) = errors
    assert error.startswith(f"{path}: override for 'cy': nothing was handed in for X = 10, which")


def test_a_roster_that_cannot_be_read_hides_nothing_else(path, results):
    (results / "roster.csv").write_text("nothing\n")
    text = DEFAULT + override("anne", 'item = "loading"\npoints = 1')
    _, _, errors = check(path, text, "--results", results)
    assert [line.partition(": ")[0] for line in errors] == [str(path), str(results / "roster.csv")]


def test_the_rubric_that_comes_with_the_harness_can_be_written_to_a_file(path):
    result = CliRunner().invoke(main, ["rubric", "show"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == DEFAULT
    assert check(path, result.stdout)[0] == 0
