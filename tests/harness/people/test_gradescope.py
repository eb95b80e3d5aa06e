"""Gradescope's list of who handed in what, as it is and as it should not be."""

import sys
from time import perf_counter

import pytest
from gradebooks import GRADESCOPE

from harness.people.attempts import find_standings
from harness.people.roster import Person, read_roster
from harness.records.errors import HarnessError


@pytest.fixture
def metadata(tmp_path):
    def write_and_read(text, name="submission_metadata.yml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_roster(path)

    return write_and_read


def test_teams_ids_and_times_are_read(metadata):
    jane, bob, zoe = metadata(GRADESCOPE)
    assert jane == Person(
        folder="submission_11", name='Doe, Jane: "Jo" #1', sis_id="0012345",
        org_defined_id="0012345", email="jane@uni.example",
        submitted_at="2026-11-24 10:27:00.123456789-05:00",
    )  # fmt: skip
    assert (bob.folder, bob.sis_id) == ("submission_11", "0099")
    assert (zoe.folder, zoe.name, zoe.sis_id) == ("submission_12", "Zoë Ó", "")
    standings = find_standings(
        ["submission_11", "submission_12", "submission_13"], (jane, bob, zoe)
    )
    assert [each.person for each in standings.values()] == [jane, zoe, None]


def test_the_json_that_yaml_is_too(metadata):
    text = '{"submission_1": {":submitters": [{":name": "Ann", ":sid": 12, ":email": null}]}}'
    assert metadata(text, "renamed.YAML") == (
        Person(folder="submission_1", name="Ann", sis_id="12", org_defined_id="12"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no metadata of a Gradescope export"),
        ("- a\n- b\n", "no metadata of a Gradescope export"),
        ("a: 'b", "damaged"),
        ("a: [b", "damaged"),
        ("a: *b", "damaged"),
        ("a: \x07", "damaged"),
        ("[" * 5000, "damaged"),
        ("submission_1: {':submitters': []}", "nobody in it"),
        ("submission_1: {':submitters': [{':name': ''}, 7]}", "nobody in it"),
        ("submission_1: {':submitters': [{':name': A, ':sid': 2.02611E+11}]}",
         "submission_1: sis_id '2.02611E\\+11' is no id"),
        ("\n".join(f"s{n}: {{':submitters': [{{':name': {n}, ':sid': 7}}]}}" for n in "AB"),
         "sis_id '7' is of two people"),
    ],
)  # fmt: skip
def test_anything_else_is_one_clear_line(metadata, text, message):
    with pytest.raises(HarnessError, match=f"submission_metadata.yml: .*{message}") as caught:
        metadata(text)
    assert "\n" not in str(caught.value)


def test_no_tag_makes_an_object_and_references_cost_nothing(metadata, tmp_path):
    mark = tmp_path / "mark"
    run = f"!!python/object/apply:os.system ['touch {mark}']"
    (person,) = metadata(f"s: {{':submitters': [{{':name': Ann, x: {run}}}]}}")
    assert (person.name, mark.exists()) == ("Ann", False)

    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)
    )
    begin = perf_counter()
    assert len(metadata(f"{laughs}s: {{':submitters': [{{':name': Ann, ':sid': *a29}}]}}")) == 1
    assert perf_counter() - begin < 5


def test_without_pyyaml_it_says_what_to_install(metadata, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(HarnessError, match=r"needs PyYAML: pip install pyyaml"):
        metadata(GRADESCOPE)
