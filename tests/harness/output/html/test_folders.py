"""The folders of pages: what is in them, and what an earlier run left behind."""

import re
from dataclasses import replace

import pytest
from courses import crowd, graded, names_on_disk, put, rubric, set_rubric, texts

from harness.lineage.pruning_curve import reference_curve
from harness.output.html import assets, folders, submission
from harness.output.html.folders import write_pages
from harness.output.ranked import compare_goodnets
from harness.storage.results import Store


def test_every_name_has_a_page_of_its_own_in_the_folder(tmp_path):
    write_pages(tmp_path, put(tmp_path, *crowd()), rubric())
    for audience in ("instructor", "student"):
        found = names_on_disk(tmp_path / audience)
        assert len(found) == 1 + len(crowd())
        assert all(re.fullmatch(r"index\.html|submissions/[\w.-]+\.html", name) for name in found)
    assert not list(tmp_path.parent.glob("escape*"))


def test_grading_writes_both_folders(graded_results):
    for audience in ("instructor", "student"):
        assert names_on_disk(graded_results / audience) == [
            "index.html", "submissions/reference.html",
        ]  # fmt: skip
    text = texts(graded_results / "instructor")["reference.html"]
    assert "On the pruning curve" in text
    assert "clean accuracy, reference" in text
    assert not list(graded_results.rglob("*.partial"))


def test_the_curve_is_that_of_the_record_s_badnet_and_data(graded_results):
    (own,) = Store(graded_results).records()
    curve = reference_curve(graded_results, own)
    assert len(curve.clean_correct) == len(curve.order) + 1 == 61
    assert curve.clean_correct[0] == own.badnet.valid.clean_correct
    assert reference_curve(graded_results, replace(own, badnet_weights_hash="other")) is None


def test_regrading_elsewhere_takes_curve_and_images_along(course, run_harness, tmp_path, data_home):
    set_rubric(course, "test")
    finished = run_harness("regrade", course, "--out", tmp_path / "other", HARNESS_DATA=data_home)
    assert finished.returncode == 0, finished.stderr
    text = texts(tmp_path / "other" / "instructor")["reference.html"]
    assert "clean accuracy, reference" in text
    assert "<img" in text


def test_a_bundle_of_another_shape_is_refused(monkeypatch, tmp_path):
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "dt_bundle.js").write_text("var a = 1;")
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(assets, "find_spec", lambda name: spec)
    assets.table_script.cache_clear()
    records = put(tmp_path, graded("ann"))
    note = write_pages(tmp_path, records, rubric())
    assets.table_script.cache_clear()
    assert note == (
        "no HTML pages: this itables holds no DataTables that fits; install itables>=2.7"
    )
    assert not (tmp_path / "student").exists()


def test_the_folders_are_named_for_who_may_see_them():
    assert folders.AUDIENCES == ("student", "instructor")


# --- what an earlier run left -------------------------------------------------------------------


def test_pages_of_submissions_that_are_gone_go_and_other_files_stay(tmp_path):
    records = put(tmp_path, graded("ann"), graded("bob"))
    write_pages(tmp_path, records, rubric())
    own = tmp_path / "student" / "submissions" / "notes.html"
    own.write_text("<p>the instructor's own")
    write_pages(tmp_path, records[:1], rubric())
    assert names_on_disk(tmp_path / "student") == [
        "index.html", "submissions/ann.html", "submissions/notes.html",
    ]  # fmt: skip
    assert names_on_disk(tmp_path / "instructor") == ["index.html", "submissions/ann.html"]


def test_a_file_of_somebody_else_is_never_overwritten(tmp_path):
    own = tmp_path / "student" / "index.html"
    own.parent.mkdir()
    own.write_text("<p>my own site")
    note = write_pages(tmp_path, put(tmp_path, graded("ann")), rubric())
    assert note == f"no HTML pages: {own}: not a page of ours; move it away"
    assert names_on_disk(tmp_path / "student") == ["index.html"]
    assert own.read_text() == "<p>my own site"


def test_where_writing_breaks_off_students_see_nothing_old(tmp_path, monkeypatch):
    records = put(tmp_path, graded("ann"))
    write_pages(tmp_path, records, rubric())

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(submission, "render", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_pages(tmp_path, records, rubric("test"))
    assert not (tmp_path / "student").exists()


def test_what_is_hidden_from_now_on_goes_before_anything_is_rendered(tmp_path, monkeypatch):
    records = put(tmp_path, graded("ann"))
    write_pages(tmp_path, records, rubric("points"))
    seen = []

    def watched(*given):
        seen.append((tmp_path / "student" / "submissions" / "ann.html").exists())
        return assets.GENERATOR

    monkeypatch.setattr(submission, "render", watched)
    write_pages(tmp_path, records, rubric("points"))
    write_pages(tmp_path, records, rubric("points", "test"))
    assert seen == [True, True, False, True]


def test_without_the_packages_there_is_one_line_and_no_old_page(tmp_path, monkeypatch):
    records = put(tmp_path, graded("ann"))
    assert write_pages(tmp_path, records, rubric()) is None
    monkeypatch.setattr(assets, "_NEEDED", ("jinja2", "no_such_package"))
    note = write_pages(tmp_path, records, rubric())
    assert note == (
        "no HTML pages: no_such_package not installed; pip install itables jinja2 matplotlib pillow"
    )
    assert not (tmp_path / "student").exists()
    assert not (tmp_path / "instructor").exists()


def test_the_pages_of_a_course_are_not_held_together(tmp_path, monkeypatch):
    records = put(tmp_path, *(graded(name) for name in ("ann", "bob", "zoe")))
    written = []

    def watched(record, *_):
        written.append(len(list((tmp_path / "student" / "submissions").glob("*.html"))))
        return assets.GENERATOR

    monkeypatch.setattr(submission, "render", watched)
    write_pages(tmp_path, records, rubric())
    assert written[:3] == [0, 1, 2]


def test_an_unchanged_page_is_not_written_again(tmp_path):
    records = put(tmp_path, graded("ann"))
    write_pages(tmp_path, records, rubric())
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*.html")}
    write_pages(tmp_path, records, rubric())
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*.html")} == before


def test_grading_stores_what_boards_compare(graded_results):
    """Labels and predictions give G's counts again, so each column has this one row."""
    records = Store(graded_results).records()
    columns = compare_goodnets(Store(graded_results), records)
    assert [(c.drop_points, c.set) for c in columns] == [
        (x, name) for x in (2.0, 4.0, 10.0) for name in ("test", "bd_test")
    ]
    assert {c.submissions for c in columns} == {(records[0].submission,)}
