"""A page for every student, named as platforms take it back."""

import re
from dataclasses import replace

from courses import graded, put
from exports_by_hand import JANE, course
from pages import Page

from harness.output.boards import write_boards
from harness.output.exports.formats import export, renderer
from harness.storage.results import Store

MOODLE = "Jane Doe_1234_assignsubmission_file_"
BRIGHTSPACE = "12345-67890 - Jane Doe - Nov 24, 2026 1027 AM"


def files(*names, **options):
    return renderer("feedback")(course(*(graded(name) for name in names), **options)).files


def test_platforms_find_the_folders_of_their_own_download_again():
    found = files(MOODLE, BRIGHTSPACE, "doejane_12345", "group 7")
    assert sorted(found) == [
        f"feedback/{BRIGHTSPACE}/feedback.html",
        f"feedback/{MOODLE}/feedback.html",
        "feedback/doejane_12345.html",
        *(name for name in sorted(found) if name.startswith("feedback/group_7-")),
    ]
    page = Page(found[f"feedback/{MOODLE}/feedback.html"])
    assert "100 of 100 points" in page.text
    assert [given["href"] for tag, given in page.tags if tag == "a"] == ["#main"]


def test_no_name_leads_out_of_the_folder():
    for name in ("../../x_1_assignsubmission_file_", "12-3 - ..\\..\\x", "a/b", "..", "12-3 - a/b"):
        (found,) = files(name)
        folder, *rest = found.split("/")
        assert folder == "feedback"
        assert len(rest) == 1
        assert not rest[0].startswith(".")
        assert "\\" not in found


def test_every_attempt_that_counts_has_a_page_and_no_other(tmp_path):
    for name in ("one", "two"):
        Store(tmp_path).put_record(graded(name))
    roster = tuple(
        replace(JANE, folder=folder, attempt=number)
        for number, folder in enumerate(("one", "two"), 1)
    )
    paths, remarks = export(tmp_path, "feedback", tmp_path / "out", roster)
    assert [path.name for path in paths] == ["jd1234.html"]
    assert "two passed" in Page(paths[0].read_text(encoding="utf-8")).text
    assert remarks == ()


def test_pages_hide_what_the_rubric_hides():
    (page,) = files("ann", hide=("points",)).values()
    assert "of 100 points" not in Page(page).text
    (page,) = files("ann", hide=("points",), instructor=True).values()
    assert "of 100 points" in Page(page).text


def test_pages_say_which_pseudonym_is_theirs(tmp_path):
    put(tmp_path, graded("one"), graded("two"))
    write_boards(tmp_path)
    index = Page((tmp_path / "student" / "index.html").read_text(encoding="utf-8")).text
    paths, _ = export(tmp_path, "feedback", tmp_path / "out")
    told = [re.search(r"s-[0-9a-f]{10}", Page(path.read_text()).text)[0] for path in paths]
    assert len(set(told)) == 2
    assert all(each in index for each in told)
