"""The pages as files: what is in them, what is not, and what an earlier run left behind."""

import re
from dataclasses import replace

import pytest
from courses import graded, put, rubric, telling, texts
from hostile import NAMES, hostile_record
from pages import Page
from records_by_hand import artifact, checkpoint, good_checkpoints

from harness.output.html import folders, leaderboard, submission
from harness.output.html.folders import write_pages
from harness.people.attempts import find_standings
from harness.people.roster import Person
from harness.people.views import student_view
from harness.ranking.board import rank_records

CHANGES = {"test": 7, "reference": 7, "timing": 0.5, "points": 3.0}
"""How much of what a word hides is another way."""


def page_of(record, audience="instructor"):
    ranked = rank_records([record])
    return submission.render(submission.Subject(record, ranked.rows[0], None), [], audience)


# --- what a page says ---------------------------------------------------------------------------


def test_the_leaderboard_says_what_is_measured():
    records = [telling(), graded("ann")]
    text = Page(leaderboard.render(rank_records(records), records, "instructor")).text
    assert "2 submissions" in text
    assert "99.00 % clean accuracy of the BadNet" in text
    head = (
        "Rank Submission Status Points Diagnoses Quality DER G , X = 2 G , X = 4 G , X = 10 "
        "N + 1 , X = 2 N + 1 , X = 4 N + 1 , X = 10 Time"
    )
    assert head in text
    assert (
        "1 1. ann pruned passed 3/3 100 0.6145 0.6195 96.40 70.00 94.40 70.00 87.90 70.00 "
        "3.00 71.00 3.00 71.00 3.00 71.00 \u2013 "
        "2 2. telling pruned passed 3/3 97.5 0.5870 0.5925 72.70 62.80 94.40 70.00 87.90 70.00 "
        "0.00 100.00 3.00 71.00 3.00 71.00 2.39\u00d7 "
        "Figures are those of G on the test images."
    ) in text


def test_a_model_that_was_not_opened_is_of_no_family():
    opened, broken = checkpoint(2.0), checkpoint(4.0, repaired=None, goodnet=None,
                                                 artifact=artifact(weights_hash=None))  # fmt: skip
    row = rank_records([graded("ann", (opened, broken))]).rows[0]
    assert leaderboard.table_row(row, "test", [2.0])["families"] == ["pruned"]


def test_the_page_of_a_submission_says_everything():
    text = Page(page_of(telling())).text
    for part in ("checkpoints passed", "72.70", "14 images off", "9.87", "4,321", "2.39",
                 "Points", "Environment", "12 checks that passed", "B' and G"):  # fmt: skip
        assert part in text, part


def test_rendering_is_pure():
    records = [telling(), graded("ann")]
    ranked = rank_records(records)
    assert leaderboard.render(ranked, records, "student") == leaderboard.render(
        ranked, records, "student"
    )
    assert page_of(records[0]) == page_of(records[0])


def test_a_page_loads_nothing_and_allows_only_its_own_style_and_script():
    records = [telling()]
    for text, scripts in (
        (leaderboard.render(rank_records(records), records, "student"), 1),
        (page_of(records[0]), 0),
    ):
        tags = Page(text).tags
        assert sum(tag == "script" for tag, _ in tags) == scripts
        assert not [t for t, a in tags if t in ("link", "iframe", "object", "embed", "base")]
        assert not any(key in a for _, a in tags for key in ("style", "onclick", "srcset"))
        sources = [a["src"] for _, a in tags if "src" in a]
        assert all(source.startswith("data:image/png;base64,") for source in sources)
        (policy,) = [a["content"] for t, a in tags if a.get("http-equiv")]
        assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
        assert "unsafe" not in policy
        assert ("script-src 'none'" in policy) == (scripts == 0)


# --- what it does not say -----------------------------------------------------------------------


@pytest.mark.parametrize("hidden", CHANGES)
def test_what_the_rubric_hides_changes_not_a_byte_for_students(tmp_path, hidden):
    keyword = {"timing": "seconds"}.get(hidden, hidden)
    found = {}
    for name, own in (("a", telling()), ("b", telling(**{keyword: CHANGES[hidden]}))):
        records = put(tmp_path / name, own, graded("ann"))
        (tmp_path / name / "secret").write_text("0" * 64)
        write_pages(tmp_path / name, records, rubric(hidden))
        found[name] = [texts(tmp_path / name / audience) for audience in folders.AUDIENCES]
    (student, instructor), (other_student, other_instructor) = found["a"], found["b"]
    assert student == other_student
    assert instructor["telling.html"] != other_instructor["telling.html"]
    assert f"hidden in it: {hidden}" in Page(student["index.html"]).text


def test_nobody_sees_the_points_of_others_on_the_leaderboard(tmp_path):
    write_pages(tmp_path, put(tmp_path, telling()), rubric())
    assert ' aria-label="Points">' in texts(tmp_path / "instructor")["index.html"]
    assert ' aria-label="Points">' not in texts(tmp_path / "student")["index.html"]


def test_the_class_in_figures_is_the_instructor_s_to_see(tmp_path):
    undecided = replace(good_checkpoints()[0], verdict="undecided")
    open_one = replace(graded("open"), checkpoints=(undecided, *graded().checkpoints[1:]))
    records = put(tmp_path, telling(), graded("ann"), open_one)
    write_pages(tmp_path, records, rubric())
    page = Page(texts(tmp_path / "instructor")["index.html"])
    instructor = page.text
    assert "The class 99.2 of 100 points on average." in instructor
    drawn = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    assert "Submissions by points: 3 with 90 to 100" in drawn
    assert "Passed, X = 2: 2 of 3, X = 4: 3 of 3, X = 10: 3 of 3" in drawn
    assert {"2 of 3 (67 %)", "undecided"} <= set(page.words)
    assert "1 need s a look" in instructor.replace("needs", "need s")
    assert "Needs a look open : X = 2 is undecided" in instructor
    student = Page(texts(tmp_path / "student")["index.html"]).text
    assert "The class" not in student
    assert "pending" not in student


def test_students_see_pseudonyms_on_their_board_unless_names_are_switched_on(tmp_path):
    records = put(tmp_path, graded("ann"), telling("zoe"))
    write_pages(tmp_path, records, rubric())
    index = texts(tmp_path / "student")["index.html"]
    assert "ann" not in Page(index).text.replace("channel", "")
    assert "zoe" not in index
    assert "submissions/" not in index
    own = Page(texts(tmp_path / "student")["ann.html"]).text
    (pseudonym,) = re.findall(r"On the students' leaderboard: (s-[0-9a-f]{10}) ", own)
    assert f"1 1. {pseudonym} pruned passed 3/3" in Page(index).text
    # The instructor can look for it, and it is the same next time.
    assert f'data-search="ann {pseudonym}"' in texts(tmp_path / "instructor")["index.html"]
    write_pages(tmp_path, records, rubric())
    assert texts(tmp_path / "student")["index.html"] == index

    write_pages(tmp_path, records, rubric(names=True))
    named = texts(tmp_path / "student")
    assert "1 1. ann pruned passed 3/3" in Page(named["index.html"]).text
    assert 'href="submissions/ann.html"' in named["index.html"]
    assert "s-" + pseudonym[2:] not in named["ann.html"]


def test_equal_rows_are_in_no_order_of_names(tmp_path):
    """With pseudonyms the order of equal rows follows from these."""
    records = put(tmp_path, *(graded(name) for name in "abcdefgh"))
    write_pages(tmp_path, records, rubric())
    text = Page(texts(tmp_path / "student")["index.html"]).text
    shown = re.findall(r"\b1 1\. (s-[0-9a-f]{10}) pruned", text)
    assert len(shown) == 8
    assert shown == sorted(shown)


def test_attempts_and_lateness_are_the_instructor_s_to_see(tmp_path):
    records = put(tmp_path, graded("ann"), graded("bob"))
    people = (Person(folder="ann", login="a", attempt=2, late=True), Person(folder="bob"))
    found = find_standings(["ann", "bob"], people)
    write_pages(tmp_path, records, rubric(), found)
    for audience, shown in (("instructor", True), ("student", False)):
        pages = {name: Page(text).text for name, text in texts(tmp_path / audience).items()}
        assert ("Attempt Points Diagnoses Quality DER" in pages["index.html"]) == shown
        assert ("1 1. ann pruned passed 3/3 2 of 2, late 100" in pages["index.html"]) == shown
        assert ("1 of 1" in pages["index.html"]) is False
        assert ("2 of 2, late attempt" in pages["ann.html"]) == shown
        assert "attempt" not in pages["bob.html"]


def test_ranks_do_not_betray_the_test_split():
    views = [student_view(each, ("test",)) for each in (graded("zoe"), telling("amy"))]
    rows = rank_records(views).rows
    assert [(row.rank, row.submission) for row in rows] == [(None, "amy"), (None, "zoe")]
    page = Page(leaderboard.render(rank_records(views), views, "student")).text
    assert page.index("amy") < page.index("zoe")
    assert "Figures are those of G on the validation images" in page


# --- hostile names ------------------------------------------------------------------------------

KNOWN_ATTRIBUTES = {
    "href", "xlink:href", "src", "alt", "title", "class", "id", "name", "content", "charset",
    "lang", "http-equiv", "hidden", "tabindex", "role", "scope", "rowspan", "colspan", "value",
    "type", "data-page", "data-more", "data-status", "data-family", "data-diagnosis", "data-order",
    "data-dt-order", "data-filter", "aria-hidden", "width", "height", "aria-label",
    "aria-labelledby", "aria-describedby", "data-look", "data-search", "data-shared",
    "data-more-columns",
}  # fmt: skip
DRAWN = {
    "svg",
    "g",
    "path",
    "use",
    "text",
    "tspan",
    "rect",
    "circle",
    "defs",
    "clippath",
    "pattern",
}
"""Elements of a plot, whose attributes are matplotlib's and ours."""


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_stays_text(name):
    records = [hostile_record(name), telling()]
    for audience in ("instructor", "student"):
        pages = (
            leaderboard.render(rank_records(records), records, audience),
            page_of(records[0], audience),
        )
        for text in pages:
            assert not re.search("[\u202e\u2066\u200f\x00\udcff]", text)
            for tag, attributes in Page(text).tags:
                assert_harmless(tag, attributes)


def assert_harmless(tag, attributes):
    assert tag not in ("img", "iframe", "object", "base")
    assert not any(key.startswith("on") for key in attributes)
    for key in ("href", "xlink:href"):
        link = attributes.get(key, "#main")
        assert re.fullmatch(
            r"#[\w.%+=/-]+|submissions/[\w.%-]+\.html(#[\w-]+)?|\.\./index\.html", link
        )
    if tag not in DRAWN:
        assert set(attributes) <= KNOWN_ATTRIBUTES
