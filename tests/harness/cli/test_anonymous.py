"""A pseudonymous course: boards with pseudonyms, complete gradebooks with names."""

import csv
import json

import pytest
from click.testing import CliRunner
from courses import graded, put
from gradebooks import CANVAS
from records_by_hand import good_checkpoints

from harness.assessment.scoring import total
from harness.cli.main import main
from harness.people.pseudonyms import assign_pseudonyms

FIRST = "1-2 - Jane Doe - Nov 30, 2026 1027 AM"
LAST = "1-2 - Jane Doe - Dec 1, 2026 905 AM"
ANN, EVE = "leeann_LATE_34", "eve"
NAMES = ("Jane", "jdoe", "Lee", "leeann", "ann-lee")
REMARKS = (
    "note: Lee, Ann-Marie: no submission; the cell is empty",
    "note: {eve}: nobody's in the roster; no grade",
)


def run(*words, code=0):
    result = CliRunner().invoke(main, [*map(str, words)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def keys(tmp_path):
    return assign_pseudonyms([FIRST, LAST, ANN, EVE], tmp_path / "key.csv")


@pytest.fixture
def options(tmp_path, keys):
    (tmp_path / "gradebook.csv").write_text(CANVAS)
    return ("--roster", tmp_path / "gradebook.csv", "--anonymous", tmp_path / "key.csv")


@pytest.fixture
def results(tmp_path, keys):
    """Jane's earlier attempt is the worse one, and its pseudonym may come last."""
    folder = tmp_path / "results"
    nets = good_checkpoints()
    made = {FIRST: nets[:1], LAST: nets, ANN: nets[:2], EVE: nets}
    put(folder, *(graded(keys[name], made[name]) for name in made))
    return folder


def gradebook(results, name="canvas.csv"):
    with (results / "exports" / name).open(newline="") as file:
        return list(csv.reader(file))


def texts_below(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and "exports" not in path.parts]
    return "\0".join(f"{path.name} {path.read_text(errors='replace')}" for path in files)


def test_a_gradebook_is_complete_and_has_names(results, options, keys):
    exported = run("export", results, "--format", "canvas", *options)
    grades = {line[0]: (line[1], line[3], line[-1]) for line in gradebook(results)[2:]}
    ann = total(graded("ann", good_checkpoints()[:2]).points)[0]
    assert grades == {
        "Doe, Jane": ("12", "jdoe", "100"),
        "Lee, Ann": ("34", "ann", f"{ann:.2f}".rstrip("0").rstrip(".")),
        "Lee, Ann-Marie": ("56", "ann-lee", ""),
    }
    remarks = [line.format(eve=keys[EVE]) for line in REMARKS]
    assert sorted(exported.stderr.splitlines()) == sorted(remarks)


def test_brightspace_too_and_the_best_attempt(results, tmp_path, keys):
    roster = tmp_path / "brightspace.csv"
    roster.write_text("OrgDefinedId,Username,Last Name,First Name\n#900,#jdoe,Doe,Jane\n")
    words = ("--roster", roster, "--anonymous", tmp_path / "key.csv", "--attempt", "best")
    run("export", results, "--format", "brightspace", *words)
    assert gradebook(results, "brightspace.csv")[1] == ["#900", "#jdoe", "100", "#"]


def test_a_roster_with_folders_and_a_team(results, tmp_path, keys):
    roster = tmp_path / "teams.csv"
    roster.write_text(
        "folder,name,student_id,attempt\n"
        f'"{FIRST}",Jane Doe,12,1\n"{LAST}",Jane Doe,12,2\n"{LAST}",Bob Ray,13,1\n'
        "eve,Eve Dropper,14,\nnever handed in,Zoe Zed,15,\n"
    )
    words = ("--roster", roster, "--anonymous", tmp_path / "key.csv")
    exported = run("export", results, "--format", "canvas", *words)
    assert {line[1]: line[-1] for line in gradebook(results)[2:]} == {
        "12": "100", "13": "100", "14": "100", "15": ""
    }  # fmt: skip
    assert sorted(exported.stderr.splitlines()) == sorted(
        [
            "note: Zoe Zed: no submission; the cell is empty",
            f"note: {keys[ANN]}: nobody's in the roster; no grade",
        ]
    )


def test_what_cannot_be_dated_is_asked_under_pseudonyms_too(tmp_path):
    names = ("1-2 - Jane Doe - 30 novembre 2026 1027", "1-2 - Jane Doe - 1 décembre 2026 905")
    keys = assign_pseudonyms(names, tmp_path / "key.csv")
    put(tmp_path / "results", *(graded(keys[name]) for name in names))
    (tmp_path / "gradebook.csv").write_text(CANVAS)
    words = ("--roster", tmp_path / "gradebook.csv", "--anonymous", tmp_path / "key.csv")
    exported = run("export", tmp_path / "results", "--format", "canvas", *words)
    assert gradebook(tmp_path / "results")[2][-1] == ""
    assert "note: Doe, Jane (s-" in exported.stderr
    board = run("leaderboard", tmp_path / "results", *words, "--attempts", "latest")
    assert "nothing tells which of one person's submissions is the latest" in board.stderr
    assert all(key in board.stdout for key in keys.values())


def test_lateness_is_known_and_costs_under_pseudonyms(results, options):
    text = "schema_version = 2\nname = 'x'\nlate_penalty_share = 0.5\nitems = []\n"
    (results / "rubric.toml").write_text(
        text.replace("items = []\n", "")
        + "[[items]]\nname = 'all'\ntitle = 'all'\nkind = 'metrics'\npoints = 10.0\n"
        + "[shares]\nclean_accuracy_drop = 1.0\n"
    )
    exported = run("export", results, "--format", "canvas", *options)
    assert "Lee, Ann: handed in late, which takes" in exported.stderr


def test_boards_pages_and_other_formats_keep_pseudonyms(results, options, keys):
    board = run("leaderboard", results, *options, "--attempts", "latest")
    shown = {
        row["submission"] for row in json.loads((results / "leaderboard.json").read_text())["rows"]
    }
    assert shown == {keys[LAST], keys[ANN], keys[EVE]}
    run("export", results, "--format", "markdown", "--instructor", *options)
    run("export", results, "--format", "junit", *options)
    exported = "".join(
        (results / "exports" / name).read_text() for name in ("leaderboard.md", "junit.xml")
    )
    assert "2 of 2" in exported
    told = texts_below(results) + exported + board.output
    assert not [name for name in NAMES if name in told]


@pytest.mark.parametrize("command", ["leaderboard", "regrade"])
def test_a_board_made_again_keeps_the_choice(results, options, keys, command):
    run("leaderboard", results, *options, "--attempts", "latest")
    again = run(command, results, "--anonymous", options[-1])
    assert keys[FIRST] not in again.stdout
    assert keys[LAST] in again.stdout


def test_explain_and_export_take_the_name_that_the_instructor_knows(results, options, keys):
    by_name = run("explain", results, LAST, *options[2:])
    by_pseudonym = run("explain", results, keys[LAST], *options[2:])
    assert by_name.stdout == by_pseudonym.stdout
    assert keys[LAST] in by_name.stdout
    assert not [name for name in NAMES if name in by_name.stdout]

    run("export", results, "--format", "canvas", *options, "--submission", ANN)
    assert [line[0] for line in gradebook(results)[2:]] == ["Lee, Ann"]


def test_what_is_missing_is_one_line(results, options, tmp_path):
    roster, key = options[:2], options[2:]
    nobody = run("explain", results, "nobody", *key, code=2)
    assert nobody.stderr == f"error: {key[1]}: no submission 'nobody' in it\n"
    wrong = ("--anonymous", tmp_path / "nokey.csv")
    for words in (
        ("export", results, "--format", "canvas", *roster, *wrong),
        ("explain", results, LAST, *wrong),
        ("leaderboard", results, *wrong),
        ("regrade", results, *wrong),
    ):
        assert "nokey.csv: no such key file; name the one of" in run(*words, code=2).stderr
    without = run("export", results, "--format", "canvas", *roster, code=2)
    assert without.stderr.startswith(
        "error: nobody in the roster has any of the submissions; these"
    )
    assert len(without.stderr.splitlines()) == 1
    noted = run("leaderboard", results, *roster)
    assert "name the key file" in noted.stderr
