"""Settings from the command line to the child: rows of their own, what is wrong in one line."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny_zoo import write_defence, write_zoo

from harness.cli.benchmark import benchmark
from harness.datasets.zoos import setting_name, split_settings
from harness.execution.progress import Quiet
from harness.grading.context import Budget, Options
from harness.grading.defences.code import find_defences, stage_defences
from harness.grading.defences.settings import choose_settings
from harness.grading.defences.zoo import cells, prepare_zoo, standing_cells
from harness.grading.worker import grade_entry
from harness.output.defences.leak_files import FILES
from harness.records.errors import HarnessError, Status

PUSHING = """
PUSH = 0.0

def repair(badnet, clean_images, clean_labels, *, classes, seed, budget, push=PUSH, way="a"):
    assert type(push) is float and type(way) is str
    badnet.arrays["output/bias"][2] -= push
    return badnet.arrays
"""
"""The attack's target is 2."""

OPTIONS = Options(timing=False, budget=Budget())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Defences with settings, without, and one that cannot be imported."""
    folder = tmp_path_factory.mktemp("settings")
    for name, text in {
        "pushing": PUSHING, "other/pushing": PUSHING, "team@home/pushing": PUSHING,
        "a@push=1": PUSHING,
        "plain": PUSHING.replace("push=PUSH", "rates=()").replace('="a"', "=()"),
        "broken": "import nothing\n\ndef repair(): pass\n",
        "lying": PUSHING + "\nimport os\nos._exit(0)\n",
    }.items():  # fmt: skip
        (folder / name).mkdir(parents=True)
        (folder / name / "defence.py").write_text(text)
    return folder


def chosen(place, named, varied=()):
    found = find_defences(named, varied)
    return choose_settings(found, stage_defences(found, place / "out"), OPTIONS)


def names(place, named, varied=()):
    return [entry.name for entry in chosen(place, named, varied)]


def test_a_setting_is_a_defence_of_its_own(place, monkeypatch):
    monkeypatch.chdir(place)
    assert names(place, ["pushing", "pushing@push=1e3,way=b"]) == [
        "pushing", "pushing@push=1000,way=b"]  # fmt: skip
    assert names(place, ["pushing@way=b,push=0.50"]) == ["pushing@push=0.5,way=b"]
    assert names(place, ["pushing@push=0,way=a"]) == ["pushing"]  # its defaults
    assert names(place, ["clp@u=2"], ["clp@u=3,1,2.0"]) == ["clp@u=2", "clp", "clp@u=1"]
    folders = {entry.path for entry in chosen(place, ["pushing@push=1"], ["pushing@way=b,c"])}
    assert folders == {place / "out" / "defences" / "pushing"}


def test_a_path_may_have_the_sign_of_settings_in_it(place, monkeypatch):
    monkeypatch.chdir(place)
    assert names(place, ["team@home/pushing"]) == ["pushing"]
    assert names(place, ["team@home/pushing@push=2"]) == ["pushing@push=2"]
    (own,) = names(place, ["a@push=1"])  # the folder of that name, as it is
    assert split_settings(own) == (own, {})
    (own,) = names(place, ["a@push=1@push=2"])
    assert split_settings(own)[1] == {"push": "2"}


def test_names_are_read_as_they_were_written():
    settings = {"push": "-0.5", "way": "a.b_c"}
    name = setting_name("my-defence", settings)
    assert name == "my-defence@push=-0.5,way=a.b_c"
    assert split_settings(name) == ("my-defence", settings)
    assert split_settings(setting_name("plain", {})) == ("plain", {})


WRONG = {
    "unknown": (
        ["pushing@pull=1"], [], "pushing@pull=1: no setting 'pull'; its settings: push=0, way=a",
    ),
    "handed": (["pushing@seed=1"], [], "no setting 'seed'; its settings: push=0, way=a"),
    "kind": (["pushing@push=hard"], [], "push is a number, not 'hard'; its settings: push=0"),
    "kind of many": ([], ["pushing@push=1,hard"], "push is a number, not 'hard'; its settings:"),
    "none": (["plain@push=1"], [], "plain@push=1: no setting 'push'; it has none ("),
    "none to vary": ([], ["plain@rates=1,2"], "--vary plain@rates=1,2: no setting 'rates'; it"),
    "no name": (["pushing@"], [], "pushing@: settings are written pushing@SETTING=VALUE"),
    "no value": (["pushing@push="], [], "settings are written pushing@SETTING=VALUE"),
    "values": (["pushing@push=1,2"], [], "several values of one: --vary pushing@SETTING=A,B"),
    "twice": (["pushing@push=1,push=2"], [], "a setting is given twice; to compare several values"),
    "the same": (["pushing@push=1", "./pushing@push=1"], [], "named twice with these settings"),
    "nobody": (["@push=1"], [], "@push=1: no such defence; name a folder"),
    "another": (["nobody@push=1"], [], "nobody: no such defence; name a folder"),
    "no path": (["me@home/defence.py"], [], "me@home/defence.py: no such defence"),
    "namesakes": (["pushing@push=1"], ["other/pushing@push=2"], "two defences of one name"),
    "nothing varied": ([], ["pushing"], "--vary pushing: name one setting and its values"),
    "no values": ([], ["pushing@push="], "name one setting and its values"),
    "two varied": ([], ["pushing@push=1,way=b"], "for another setting --vary once more"),
    "the default": ([], ["pushing@push=0"], "that is the default, which is run in any case"),
    "broken": (["broken@push=1"], [], "its settings are not known: the defence cannot be"),
    "lying": (["lying@push=1"], [], "lying@push=1: its settings are not known: defence.py: "),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line_that_lists_the_settings(what, place, monkeypatch):
    monkeypatch.chdir(place)
    named, varied, told = WRONG[what]
    with pytest.raises(HarnessError) as error:
        chosen(place, named, varied)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


# --- cells --------------------------------------------------------------------------------------


def test_a_setting_reaches_the_child_and_has_a_result_of_its_own(tmp_path):
    (tmp_path / "zoo").mkdir()
    write_zoo(tmp_path / "zoo", badnets=(("patch", 0),))
    out = tmp_path / "out"
    write_defence(tmp_path / "pushing", PUSHING)
    found = find_defences([], [f"{tmp_path}/pushing@push=1e9"])
    staged = choose_settings(found, stage_defences(found, out), OPTIONS)
    prepared = prepare_zoo(str(tmp_path / "zoo"), out, OPTIONS, Quiet())
    entries = cells(staged, prepared.zoo)
    names = ["pushing@patch-0", "pushing@push=1000000000@patch-0"]
    assert [entry.name for entry in entries] == names

    fair, pushed = (grade_entry(prepared, entry) for entry in entries)
    assert (fair.status, pushed.status) == (Status.GRADED,) * 2, pushed.reason
    assert fair.checkpoints[0].repaired == fair.badnet
    assert pushed.badnet.test.backdoored_attacked > 0
    assert pushed.checkpoints[0].repaired.test.backdoored_attacked == 0
    hashes = [prepared.inputs_hash(entry) for entry in entries]
    assert [fair.fingerprint, pushed.fingerprint] == hashes
    assert len(set(hashes)) == 2

    for record in (fair, pushed):
        prepared.run.store.put_record(record)
    stored = sorted(path.name for path in (out / "records").iterdir())
    assert all(Path(name).name == name and "=" not in name for name in stored)
    assert [record.submission for record in standing_cells(out, prepared)] == names
    _assert_the_command_goes_on_from_them(tmp_path)
    code = out / "defences" / "pushing" / "defence.py"
    code.write_text(code.read_text() + "\n")
    assert standing_cells(out, prepared) == []


def _assert_the_command_goes_on_from_them(folder):
    """That it repeats nothing, and that the table stays where a later run names no setting."""
    tables = []
    for asked in (["--vary", f"{folder}/pushing@push=1e9"], [f"{folder}/pushing"]):
        finished = CliRunner().invoke(
            benchmark, [*asked, "--zoo", f"{folder}/zoo", "--out", f"{folder}/out"]
        )
        assert finished.exit_code == 0, finished.output
        assert "repairing" not in finished.output
        assert "push=1000000000" in finished.output
        tables.append([(folder / "out" / name).read_bytes() for name in FILES])
    assert tables[0] == tables[1]
    assert b"push=1000000000: 1" in tables[0][0]
