"""``submission.toml``: what it declares, and one clear line for each mistake in it."""

import os
import time

import pytest
from archives import folder_with
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras_files import write_unpacked
from killing import kill_when_asked
from models import random_weights

from harness.intake.declarations import read_declaration
from harness.intake.discovery import discover
from harness.records.errors import Status, SubmissionError
from harness.records.submission import Declaration
from harness.records.text import one_line

UNKNOWN = "submission.toml: unknown key"
ONE_FILE = '[artifacts]\n"models/model_2.h5" = { role = "repaired", drop_points = 2 }\n'


def discovered(tmp_path, content, *files, name="submission.toml"):
    """What is found in a folder with these files and a declaration of these bytes."""
    folder = folder_with(tmp_path, *files or ("models/model_2.h5",))
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return discover(folder)


def rejected(tmp_path, content):
    """The one line for a folder with a declaration of these bytes."""
    with pytest.raises(SubmissionError) as raised:
        discovered(tmp_path, content)
    assert raised.value.status is Status.REJECTED
    reason = raised.value.reason
    assert reason.startswith("submission.toml: ")
    assert "\n" not in reason
    assert len(reason) < 400
    return reason


def test_toml_overrides_names(tmp_path):
    folder = folder_with(tmp_path, "final.h5", "model_4.h5")
    (folder / "submission.toml").write_text(
        '[artifacts]\n"final.h5" = { role = "goodnet", drop_points = 10 }\n'
    )
    (candidate,) = discover(folder).candidates
    assert (candidate.path, candidate.role, candidate.drop_points) == ("final.h5", "goodnet", 10)
    assert candidate.explicit


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("= 1", "not valid TOML"),
        ("name = 3", "name must be a text"),
        ('[artifacts]\n"../x.h5" = { role = "repaired" }', "leads out of the submission"),
        ('[artifacts]\n"/etc/passwd" = { role = "repaired" }', "leads out of the submission"),
        ('[artifacts]\n"gone.h5" = { role = "repaired" }', "is not in the submission"),
        ('[artifacts]\n"m.h5" = { role = "king" }', "needs a role"),
        ('[artifacts]\n"m.h5" = { drop_points = "two" }', "drop_points must be a number"),
        ("[artifacts]\nm = 1", "needs a role"),
        ("artifacts = [1]", "must map files"),
        ('[[claims]]\nbenchmark = "lab3"', "claims"),
        ("a = " + "[" * 4000 + "]" * 4000, "nested more than 8 levels"),
        ("a = '" + "x" * 70_000 + "'", "larger than"),
    ],
)
def test_a_bad_toml_is_one_clear_line(tmp_path, toml, reason):
    folder = folder_with(tmp_path, "m.h5")
    (folder / "submission.toml").write_text(toml)
    with pytest.raises(SubmissionError, match=reason) as raised:
        discover(folder)
    assert "\n" not in raised.value.reason
    assert "submission.toml" in raised.value.reason


def test_claims_are_read(tmp_path):
    folder = folder_with(tmp_path, "model_2.h5")
    (folder / "submission.toml").write_text(
        '[[claims]]\nbenchmark = "lab3"\nsplit = "test"\nnet = "goodnet"\ndrop_points = 2\n'
        "clean_accuracy = 0.9574\nattack_success_rate = 1.0\n"
    )
    (claim,) = discover(folder).claims
    assert (claim.net, claim.drop_points, claim.clean_accuracy) == ("goodnet", 2, 0.9574)


# --- encodings, line ends and names of the file -------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + ONE_FILE.encode(),
        ONE_FILE.encode("utf-16"),
        b"\xfe\xff" + ONE_FILE.encode("utf-16-be"),
        ONE_FILE.encode("utf-16-le"),
        ONE_FILE.encode("utf-16-be"),
        ONE_FILE.encode("utf-32"),
        ONE_FILE.replace("\n", "\r\n").encode(),
        ONE_FILE.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + ONE_FILE.replace("\n", "\r\n").encode(),
    ],
    ids=[
        "BOM",
        "UTF-16",
        "UTF-16 BE",
        "no mark, LE",
        "no mark, BE",
        "UTF-32",
        "CRLF",
        "CR",
        "both",
    ],
)
def test_what_an_editor_writes_is_read_without_a_word(tmp_path, content):
    submission = discovered(tmp_path, content)
    (candidate,) = submission.candidates
    assert (candidate.path, candidate.drop_points) == ("models/model_2.h5", 2)
    assert submission.notes == ()


def test_windows_1252_is_read_with_a_note(tmp_path):
    content = f'name = "J\u00f6rg"\n{ONE_FILE}'.encode("cp1252")
    submission = discovered(tmp_path, content)
    assert submission.title == "J\u00f6rg"
    assert submission.notes == ("submission.toml: line 1 is not UTF-8; read as Windows-1252",)


@pytest.mark.parametrize("name", ["Submission.toml", "SUBMISSION.TOML", "submission.toml.txt"])
def test_another_spelling_of_the_name_is_read_with_a_note(tmp_path, name):
    submission = discovered(tmp_path, ONE_FILE, name=name)
    assert submission.candidates[0].explicit
    assert submission.notes == (f"submission.toml: it is called {name!r}; call it submission.toml",)


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        r'"models\model_2.h5"',
        r'"models\new_2.h5"',  # \n is an escape of TOML
        r'"models\best\u_2.h5"',
        r'"models\\model_2.h5"',
        r"'models\model_2.h5'",
        r'".\models\model_2.h5"',
    ],
)
def test_backslashes_are_read_as_meant(tmp_path, path):
    meant = path.strip("\"'").replace("\\\\", "/").replace("\\", "/").removeprefix("./")
    toml = f"[artifacts]\n{path} = {{ drop_points = 2 }}\n"
    submission = discovered(tmp_path, toml, meant)
    assert [candidate.path for candidate in submission.candidates] == [meant]
    was_mended = path.startswith('"') and r"\\" not in path
    assert len(submission.notes) == was_mended
    assert all("line 2" in note and "write / instead" in note for note in submission.notes)


def test_backslashes_in_a_program_and_in_a_header(tmp_path):
    toml = r"""name = "Ann \"the ant\" Lee\u00e9"
[artifacts."nets\table_4.h5"]
drop_points = 4
[program]
file = "code\run.py"
"""
    submission = discovered(tmp_path, toml, "nets/table_4.h5", "code/run.py")
    assert [c.path for c in submission.candidates] == ["code/run.py", "nets/table_4.h5"]
    assert submission.title == 'Ann "the ant" Lee\u00e9'


def test_a_name_without_quotes_is_one_name(tmp_path):
    toml = (
        "[artifacts]\nmodel_2.h5 = { drop_points = 2 }\n[artifacts.net_4.keras]\ndrop_points = 4\n"
    )
    submission = discovered(tmp_path, toml, "model_2.h5", "net_4.keras")
    assert [c.drop_points for c in submission.candidates] == [2, 4]
    assert "write it in quotes" in submission.notes[0]


def test_a_path_in_other_letters_is_named(tmp_path):
    reason = rejected(tmp_path, ONE_FILE.replace("models/model", "Models/Model"))
    assert reason.endswith("is not in the submission; there is 'models/model_2.h5'")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (r"'C:\Users\ann\model_2.h5'", "leads out"),
        (r"'..\model_2.h5'", "leads out"),
        (r'"a\u0000b.h5"', "no name that a file can have"),
        (f'"{"x" * 300}.h5"', "no name that a file can have"),
        ('""', "no name that a file can have"),
    ],
)
def test_a_path_that_no_file_can_have(tmp_path, path, reason):
    assert reason in rejected(tmp_path, f"[artifacts]\n{path} = {{ drop_points = 2 }}\n")


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "hint"),
    [
        (
            "name = \u201cAnn\u201d",
            "line 1, name = \u201cAnn\u201d (Invalid value); it has curly quotes",
        ),
        ("[artifacts]\n\u2018m.h5\u2019 = {}", "line 2"),
        ("name: Ann", "write = instead of :"),
        ("[artifacts]\nmodels/model_2.h5 = { drop_points = 2 }", "a path needs quotes"),
        ("\nname\u00a0= 1", "line 2, name"),
        ('name = "Ann', "line 1"),
        (b"\xff\xfe\x00\xd8", "save it as UTF-8"),
        (b"\x89HDF\r\n\x1a\n\x00", "not valid TOML"),
    ],
)
def test_a_line_that_is_not_toml_is_named_with_what_to_change(tmp_path, toml, hint):
    assert hint in rejected(tmp_path, toml)


ALL_KEYS = "artifacts, badnet, claims, defence, name, program, programs, scripts"


def test_unknown_keys_are_named_with_the_nearest(tmp_path):
    toml = 'titel = "x"\n[artefacts]\n"m.h5" = { drop_point = 2 }\n'
    submission = discovered(tmp_path, toml)
    assert submission.candidates[0].explicit is False
    assert submission.notes == (
        f"{UNKNOWN} 'titel', left alone; there are {ALL_KEYS}",
        f"{UNKNOWN} 'artefacts', left alone; did you mean 'artifacts'?",
    )


def test_an_unknown_key_of_many_entries_is_named_once(tmp_path):
    files = [f"m{number}.h5" for number in range(9)]
    toml = "[artifacts]\n" + "".join(f'"{file}" = {{ drop_point = 2 }}\n' for file in files)
    submission = discovered(tmp_path, toml, *files)
    (note,) = submission.notes
    assert note.endswith(
        "[artifacts] unknown key 'drop_point', left alone; did you mean 'drop_points'?"
    )


def test_many_unknown_keys_make_a_short_record(tmp_path):
    submission = discovered(tmp_path, "".join(f"k{number}{'k' * 90} = 1\n" for number in range(70)))
    assert len(submission.notes) == 6
    assert submission.notes[-1] == "submission.toml: and 65 more of these"
    assert max(map(len, submission.notes)) < 300


# --- their fault, whatever is in the file -------------------------------------------------------

CLAIM = '[[claims]]\nbenchmark = "b"\nsplit = "test"\nnet = "repaired"\n'


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("claims = 5", "claims must be a list"),
        ("claims = [5]", "[[claims]], number 1: it must be a table, not a number"),
        ("program = true", "[program] needs file"),
        ('[artifacts]\n"m.h5" = { drop_points = inf }', "drop_points = inf is not a finite number"),
        ('[artifacts]\n"m.h5" = { drop_points = nan }', "drop_points = nan is not a finite number"),
        ('[artifacts]\n"m.h5" = { drop_points = 1e999 }', "is not a finite number"),
        (f'[artifacts]\n"m.h5" = {{ drop_points = {"9" * 400} }}', "too large a number"),
        (f'[artifacts]\n"m.h5" = {{ drop_points = {"9" * 5000} }}', "not valid TOML"),
        (f'[artifacts]\n"m.h5" = {{ drop_points = 0x{"f" * 5000} }}', "too large a number"),
        ('[artifacts]\n"m.h5" = { drop_points = -1 }', "drop_points must be from 0 to 100"),
        ('[artifacts]\n"m.h5" = { drop_points = 101 }', "drop_points must be from 0 to 100"),
        ('[artifacts]\n"m.h5" = { drop_points = true }', "a number, not true or false"),
        ('[artifacts]\n"m.h5" = { drop_points = 2026-01-01 }', "drop_points must be a number"),
        ('[artifacts]\n"m.h5" = { drop_points = [2] }', "a number, not a list"),
        ('[artifacts]\n"m.h5" = { role = 1979-05-27T07:32:00Z }', "needs a role"),
        ("[program]\nfile = 'm.h5'\ndrop_points = -inf", "is not a finite number"),
        (CLAIM + "clean_accuracy = nan", "clean_accuracy = nan is not a finite number"),
        (CLAIM + "clean_accuracy = -0.5", "clean_accuracy must be from 0 to 100"),
        (CLAIM + "clean_accuracy = true", "a number, not true or false"),
        (CLAIM + 'attack_success_rate = "low"', "attack_success_rate must be a number, not a text"),
        (CLAIM.replace('"test"', "3"), "split must be a text, not a number"),
        (CLAIM + "drop_points = 1e15", "drop_points must be from 0 to 100"),
        ("date = 99999-99-99", "not valid TOML"),
        (r'name = "\ud800"', "not valid TOML"),
        ("name = '\0'", "not valid TOML"),
        ("name = " + "{a=" * 9 + "1" + "}" * 9, "nested more than 8 levels"),
        ("a." * 8 + "a = 1", "nested more than 8 levels"),
        ('"a".' * 900 + "a = 1", "nested more than 8 levels"),
        ("[" + "a . " * 900 + "a]", "nested more than 8 levels"),
    ],
)
def test_no_content_is_anybody_elses_fault(tmp_path, toml, reason):
    assert reason in rejected(tmp_path, toml)


def test_a_bomb_of_dotted_keys_is_refused_at_once(tmp_path):
    begun = time.monotonic()
    assert "larger than 8 KiB" in rejected(tmp_path, "a" + ".a" * 32_000 + "=1")
    assert time.monotonic() - begun < 1


def test_long_texts_are_capped(tmp_path):
    submission = discovered(tmp_path, f'name = "{"n" * 3000}"\nbadnet = "{"b" * 3000}"\n')
    assert len(submission.title) < 250
    assert len(submission.benchmark) < 250


def test_figures_in_percent_are_kept_for_the_comparison(tmp_path):
    (claim,) = discovered(tmp_path, CLAIM + "clean_accuracy = 95.74").claims
    assert claim.clean_accuracy == 95.74


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_what_is_no_file_is_not_opened(tmp_path, make):
    folder = folder_with(tmp_path, "model_2.h5")
    make(folder / "submission.toml")
    with pytest.raises(SubmissionError, match=r"submission\.toml: "):
        discover(folder)


_LINES = st.one_of(
    st.text(max_size=30),
    st.sampled_from([
        "[artifacts]", "[[claims]]", "[program]", "claims = 5", "drop_points = inf", "name = 'x'",
        '"m.h5" = { drop_points = 2 }', r'"a\b.h5" = { }', "file = 'm.py'", "split = 'test'",
        "net = 'goodnet'", "benchmark = 1", "clean_accuracy = 0.5", "a = 07:32:00", "badnet = 1e5",
    ]),
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.binary(max_size=200), st.lists(_LINES, max_size=8).map("\n".join)))
def test_any_file_declares_something_or_is_rejected(tmp_path, content):
    content = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    (tmp_path / "submission.toml").write_bytes(content)
    try:
        declared = read_declaration(tmp_path)
    except SubmissionError as error:
        declared = error
    if isinstance(declared, SubmissionError):
        assert declared.status is Status.REJECTED
        assert declared.reason == one_line(declared.reason)
    else:
        assert isinstance(declared, Declaration)


def test_a_declared_folder_is_an_unpacked_archive_or_a_savedmodel(tmp_path):
    folder = folder_with(tmp_path)
    write_unpacked(folder / "net", random_weights())
    (folder / "graph").mkdir()
    (folder / "submission.toml").write_text(
        '[artifacts]\nnet = { drop_points = 2 }\ngraph = { role = "goodnet", drop_points = 2 }\n'
    )
    found = {candidate.path: candidate.format for candidate in discover(folder).candidates}
    assert found == {"net": "keras", "graph": "savedmodel"}


@pytest.mark.parametrize("questions", [0, 1])
def test_a_killed_reader_is_no_verdict_on_the_declaration(tmp_path, monkeypatch, questions):
    kill_when_asked(monkeypatch, questions)
    with pytest.raises(SubmissionError, match="killed by the system") as caught:
        discovered(tmp_path, ONE_FILE)
    assert caught.value.out_of_memory


def test_a_file_that_is_not_there_costs_its_own_x_alone(tmp_path):
    toml = (
        "[artifacts]\n"
        '"model_2.h5" = { drop_points = 2 }\n'
        '"model_4.h5" = { drop_points = 4 }\n'
    )  # fmt: skip
    submission = discovered(tmp_path, toml, "model_2.h5")
    assert [each.path for each in submission.candidates] == ["model_2.h5"]
    (note,) = submission.notes
    assert note == "submission.toml: model_4.h5 is named there but is not in the submission"


def test_a_program_that_is_not_there_is_still_asked_for(tmp_path):
    toml = '[artifacts]\n"model_2.h5" = { drop_points = 2 }\n[program]\nfile = "gone.py"\n'
    with pytest.raises(SubmissionError, match=r"gone\.py is named there but is not"):
        discovered(tmp_path, toml, "model_2.h5")
