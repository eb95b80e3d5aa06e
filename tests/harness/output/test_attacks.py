"""Figures by attack: there where a benchmark names attacks, in the story and on the page."""

from dataclasses import replace

from pages import Page
from records_by_hand import both, checkpoint, counts, record

from harness.output.attacks import attack_rows
from harness.output.explain import story
from harness.output.html import submission
from harness.people.views import student_view
from harness.ranking.board import rank_records
from harness.records.record import AttackCounts

HOSTILE = "<script>alert(1)</script>\x1b[31m\nPoints\n  100 of 100"


def named(attacked, abstained=0, name="square", total=400):
    return AttackCounts(name=name, total=total, attacked=attacked, abstained=abstained, invalid=0)


def several(name="square"):
    """A record of a benchmark with two attacks."""
    badnet = replace(counts(), attacks=(named(400, name=name), named(600, name="all", total=600)))
    goodnet = replace(counts(), attacks=(named(20, 380, name), named(300, 3, "all", 600)))
    own = checkpoint(2.0, repaired=both(badnet), goodnet=both(counts(), goodnet))
    return record(own, badnet=both(counts(), badnet))


def test_each_net_split_and_attack_has_its_row():
    rows = attack_rows(several())
    assert [row[:4] for row in rows] == [
        ["", "B", "test", "square"], ["", "B", "test", "all"],
        ["2", "B'", "valid", "square"], ["2", "B'", "valid", "all"],
        ["2", "B'", "test", "square"], ["2", "B'", "test", "all"],
        ["2", "G", "test", "square"], ["2", "G", "test", "all"],
    ]  # fmt: skip
    # 20 of 400: Wilson's interval is 3.26 to 7.60 %.
    assert rows[-2][4:] == ["400", "5.00 (3.26-7.60)", "95.00 (92.40-96.74)", "0"]
    assert rows[0][4:] == ["400", "100.00 (99.05-100.00)", "-", "0"]


def test_the_story_and_the_page_have_the_table():
    own = several()
    assert "Figures by attack\n" in story(own)
    page = submission.render(
        submission.Subject(own, rank_records([own]).rows[0], None), [], "instructor"
    )
    assert "By attack" in Page(page).text
    assert "5.00 (3.26-7.60)" in Page(page).text


def test_without_names_there_is_no_table():
    own = record(checkpoint(2.0))
    assert attack_rows(own) == []
    assert "by attack" not in story(own).lower()
    page = submission.render(
        submission.Subject(own, rank_records([own]).rows[0], None), [], "instructor"
    )
    assert "By attack" not in page


def test_test_figures_are_hidden_with_the_test_split():
    rows = attack_rows(student_view(several(), ["test"]))
    assert {row[2] for row in rows} == {"valid"}


def test_a_hostile_name_stays_in_its_cell():
    own = several(HOSTILE)
    lines = story(own).splitlines()
    assert "Points" not in lines
    assert not any("\x1b" in line for line in lines)
    page = submission.render(
        submission.Subject(own, rank_records([own]).rows[0], None), [], "instructor"
    )
    assert "<script>alert" not in page
