"""What the last boards were made by is kept, without names, and used by the next ones."""

import json

import pytest

from harness.people.attempts import find_standings
from harness.people.choice import FILE, choose, keep_choice, known_people, names_remark
from harness.people.roster import Person
from harness.records.errors import HarnessError

NAMES = ["one", "three", "two"]
PEOPLE = (
    Person(folder="one.zip", login="ann", name="Ann Ames", submitted_at="2026-11-24T10:00"),
    Person(folder="one.zip", login="bob", student_id="4711", late=True),
    Person(folder="two", login="ann", submitted_at="2026-11-25T10:00", late=False),
    Person(folder="three"),
    Person(folder="never handed in", login="zoe"),
)


def summary(people):
    found = find_standings(NAMES, people)
    return {name: (each.attempt, each.attempts, each.late) for name, each in found.items()}


def test_what_is_kept_tells_the_same_without_names(tmp_path):
    keep_choice(tmp_path, NAMES, PEOPLE, "best")
    kept, which = choose(tmp_path, None, None)
    assert which == "best"
    assert summary(kept) == summary(PEOPLE)
    assert known_people(tmp_path) == kept
    assert [bool(person.login) for person in kept] == [True, True, False, True]
    text = (tmp_path / FILE).read_text()
    assert not [word for word in ("ann", "Ames", "bob", "4711", "zoe") if word in text]


def test_that_names_are_gone_is_told_where_they_may_be_missed(tmp_path):
    assert names_remark(PEOPLE, None) == []
    assert names_remark((), None) == []
    keep_choice(tmp_path, NAMES, PEOPLE, "best")
    kept, _ = choose(tmp_path, None, None)
    (line,) = names_remark(kept, None)
    assert line.endswith("--roster FILE")
    assert names_remark(kept, tmp_path / "roster.csv") == []
    keep_choice(tmp_path, ["three"], (Person(folder="three", late=True),), "latest")
    assert names_remark(choose(tmp_path, None, None)[0], None) == []


def test_what_is_named_anew_counts(tmp_path):
    keep_choice(tmp_path, NAMES, PEOPLE, "best")
    assert choose(tmp_path, None, "all")[1] == "all"
    other = tmp_path / "other.csv"
    other.write_text("folder\nx\n")
    assert choose(tmp_path, other, None) == ((Person(folder="x"),), "best")


def test_the_folders_own_roster_is_read_again(tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("folder,login\none,ann\n")
    people, which = choose(tmp_path, None, None)
    assert which == "all"
    keep_choice(tmp_path, NAMES, people, "latest")
    assert json.loads((tmp_path / FILE).read_text())["people"] is None
    roster.write_text("folder,login\none,eve\n")
    assert choose(tmp_path, None, None) == ((Person(folder="one", login="eve"),), "latest")


def test_nothing_is_kept_of_the_default(tmp_path):
    keep_choice(tmp_path, NAMES, PEOPLE, "all")
    keep_choice(tmp_path, NAMES, (), "all")
    assert list(tmp_path.iterdir()) == []
    assert choose(tmp_path, None, None) == ((), "all")


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1, "attempts": "worst", "people": null}'])
def test_a_damaged_file_is_one_line_and_not_needed_where_all_is_named(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(HarnessError, match=r"people\.json: damaged .* name the roster"):
        choose(tmp_path, None, None)
    other = tmp_path / "other.csv"
    other.write_text("folder\nx\n")
    assert choose(tmp_path, other, "all") == ((Person(folder="x"),), "all")


def test_a_file_of_a_newer_harness_is_refused(tmp_path):
    (tmp_path / FILE).write_text('{"version": 9, "attempts": "all", "people": null}')
    with pytest.raises(HarnessError, match="newer harness"):
        choose(tmp_path, None, None)
