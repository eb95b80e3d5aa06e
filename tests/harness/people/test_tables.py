"""Tables in the encodings and with the delimiters that spreadsheets and platforms write."""

import pytest
from gradebooks import BLACKBOARD, BRIGHTSPACE, CANVAS, MOODLE

from harness.people.roster import Person
from harness.records.errors import HarnessError

TITLES = "Student,ID,SIS User ID,SIS Login ID,Section"
JANE = Person(folder="", name="Doe, Jane", student_id="12", sis_id="S12", login="jdoe", section="A")


def delimited(delimiter, *more_titles):
    """Jane's gradebook with another delimiter, and more titles."""
    titles = [*TITLES.split(","), *more_titles]
    cells = ["Doe, Jane", "12", "S12", "jdoe", "A", *("7" for _ in more_titles)]
    return f"{delimiter.join(titles)}\n{delimiter.join(cells)}\n"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_comma_in_a_title_is_not_taken_for_the_delimiter(roster, delimiter, encoding):
    text = delimited(delimiter, "Lab 3, part 1 (77)", "Lab 4, a, b, c, d, e, f, g")
    assert roster(text, encoding) == (JANE,)


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;;", "sep=,", "sep=\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_declared_delimiter_is_taken_away_and_tried_first(roster, first, end):
    text = f"{first}{end}{delimited(';')}"
    assert roster(text, "utf-8-sig") == (JANE,)


def test_lines_keep_their_numbers_behind_a_declared_delimiter(roster):
    with pytest.raises(HarnessError, match=r"roster\.csv: line 4: no folder"):
        roster("sep=,\nfolder,name\na,b\n,c\n")


def test_the_delimiter_is_the_one_that_yields_known_columns(roster):
    assert roster("folder;notes, or not\na;b, c\n") == (Person(folder="a"),)
    assert roster("name|x;y;z,folder\nAnn|1;2;3,a\n") == (Person(folder="a"),)
    assert roster("folder\tlogin\na, b\tann\n") == (Person(folder="a, b", login="ann"),)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8"])
def test_blackboards_tabs(roster, encoding):
    people = roster(BLACKBOARD, encoding)
    assert people[0] == Person(folder="", name="Jane Doe", login="jdoe", sis_id="00900")
    assert [person.login for person in people] == ["jdoe", "j_doe"]


def test_moodles_grades_and_gradescopes_roster(roster):
    jane = Person(folder="", name="Jane Doe", sis_id="900", email="jane@uni.example")
    assert roster(MOODLE)[0] == jane
    assert roster(MOODLE)[1].name == "Zoë Van, Dyk"
    worksheet = (
        "Identifier,Full name,Email address,Status\nParticipant 3,Jane Doe,jane@uni.example,\n"
    )
    assert roster(worksheet)[0].name == "Jane Doe"
    gradescope = "First Name,Last Name,SID,Email,Sections\nJane,Doe,900,jane@uni.example,\n"
    assert roster(gradescope) == (jane,)


@pytest.mark.parametrize("text", [CANVAS, BRIGHTSPACE])
def test_every_encoding_gives_the_same_people(roster, text):
    expected = roster(text)
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        assert roster(text, encoding) == expected


@pytest.mark.parametrize("content", [b"PK\x03\x04xl/workbook.xml", b"\xd0\xcf\x11\xe0\xa1\xb1"])
def test_a_workbook_is_one_clear_line(roster, content):
    with pytest.raises(
        HarnessError, match="a workbook or an archive, no CSV; save it as CSV UTF-8"
    ):
        roster(content.decode("latin-1"), "latin-1")
