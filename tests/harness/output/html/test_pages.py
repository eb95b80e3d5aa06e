"""The pages as files: what is in them, what is not, and what an earlier run left behind."""

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from courses import crowd, graded, names_on_disk, put, rubric, set_rubric, telling, texts
from hostile import NAMES, hostile_record
from records_by_hand import artifact, checkpoint

from harness.assessment.ranking import board
from harness.assessment.views import student_view
from harness.lineage.pruning_curve import reference_curve
from harness.output.html import assets, folders, leaderboard, submission
from harness.output.html.folders import write_pages
from harness.people.attempts import standings
from harness.people.roster import Person
from harness.storage.results import Store

CHANGES = {"test": 7, "reference": 7, "timing": 0.5, "points": 3.0}
"""How much of what a word hides is another way."""


class Page(HTMLParser):
    """What a browser would make of a page: tags with attributes, and the text between."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self._raw = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._raw = tag if tag in ("script", "style") else self._raw

    def handle_endtag(self, tag):
        self._raw = None if tag == self._raw else self._raw

    def handle_data(self, data):
        if self._raw is None:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page_of(record, audience="instructor"):
    ranked = board([record])
    return submission.render(record, ranked.rows[0], None, [], audience)


# --- what a page says ---------------------------------------------------------------------------


def test_the_leaderboard_says_what_is_measured():
    records = [telling(), graded("ann")]
    text = Page(leaderboard.render(board(records), records, "instructor")).text
    assert "2 submissions" in text
    assert "98.80 % clean accuracy of the BadNet" in text
    head = "Rank Submission Status Points DER G, X = 2 G, X = 4 G, X = 10 Time Findings"
    assert head in text
    assert (
        "acc % ASR % acc % ASR % acc % ASR % "
        "1 ann pruned passed 3/3 100 0.6195 96.40 70.00 94.40 70.00 87.90 70.00 \u2013 "
        "2 telling pruned passed 3/3 95 0.5925 72.70 62.80 94.40 70.00 87.90 70.00 2.39\u00d7 "
        "Figures are those of G on the test images."
    ) in text


def test_a_model_that_was_not_opened_is_of_no_family():
    opened, broken = checkpoint(2.0), checkpoint(4.0, repaired=None, goodnet=None,
                                                 artifact=artifact(weights_hash=None))  # fmt: skip
    row = board([graded("ann", (opened, broken))]).rows[0]
    assert leaderboard.table_row(row, "test", [2.0])["families"] == ["pruned"]


def test_the_page_of_a_submission_says_everything():
    text = Page(page_of(telling())).text
    for part in ("checkpoints passed", "72.70", "14 images off", "9.87", "4,321", "2.39",
                 "Points", "Environment", "Checks", "B' and G"):  # fmt: skip
        assert part in text, part


def test_rendering_is_pure():
    records = [telling(), graded("ann")]
    ranked = board(records)
    assert leaderboard.render(ranked, records, "student") == leaderboard.render(
        ranked, records, "student"
    )
    assert page_of(records[0]) == page_of(records[0])


def test_a_page_loads_nothing_and_allows_only_its_own_style_and_script():
    records = [telling()]
    for text, scripts in (
        (leaderboard.render(board(records), records, "student"), 1),
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
        write_pages(tmp_path / name, records, rubric(hidden))
        found[name] = [texts(tmp_path / name / audience) for audience in folders.AUDIENCES]
    (student, instructor), (other_student, other_instructor) = found["a"], found["b"]
    assert student == other_student
    assert instructor["telling.html"] != other_instructor["telling.html"]
    assert f"hidden in it: {hidden}" in Page(student["index.html"]).text


def test_nobody_sees_the_points_of_others_on_the_leaderboard(tmp_path):
    write_pages(tmp_path, put(tmp_path, telling()), rubric())
    assert ">Points</th>" in texts(tmp_path / "instructor")["index.html"]
    assert "Points</th>" not in texts(tmp_path / "student")["index.html"]


def test_attempts_and_lateness_are_the_instructor_s_to_see(tmp_path):
    records = put(tmp_path, graded("ann"), graded("bob"))
    people = (Person(folder="ann", login="a", attempt=2, late=True), Person(folder="bob"))
    found = standings(["ann", "bob"], people)
    write_pages(tmp_path, records, rubric(), found)
    for audience, shown in (("instructor", True), ("student", False)):
        pages = {name: Page(text).text for name, text in texts(tmp_path / audience).items()}
        assert ("Attempt Points DER" in pages["index.html"]) == shown
        assert ("1 ann pruned passed 3/3 2 of 2, late 100" in pages["index.html"]) == shown
        assert ("1 of 1" in pages["index.html"]) is False
        assert ("2 of 2, late attempt" in pages["ann.html"]) == shown
        assert "attempt" not in pages["bob.html"]


def test_ranks_do_not_betray_the_test_split():
    views = [student_view(each, ("test",)) for each in (graded("zoe"), telling("amy"))]
    rows = board(views).rows
    assert [(row.rank, row.submission) for row in rows] == [(None, "amy"), (None, "zoe")]
    page = Page(leaderboard.render(board(views), views, "student")).text
    assert page.index("amy") < page.index("zoe")
    assert "G on the validation images" in page


# --- hostile names ------------------------------------------------------------------------------

KNOWN_ATTRIBUTES = {
    "href", "xlink:href", "src", "alt", "title", "class", "id", "name", "content", "charset",
    "lang", "http-equiv", "hidden", "tabindex", "role", "scope", "rowspan", "colspan", "value",
    "type", "data-page", "data-status", "data-family", "data-diagnosis", "data-order",
    "data-dt-order", "data-filter", "width", "height", "aria-label", "aria-labelledby",
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
            leaderboard.render(board(records), records, audience),
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
        assert re.fullmatch(r"#[\w.-]+|submissions/[\w.%-]+\.html|\.\./index\.html", link)
    if tag not in DRAWN:
        assert set(attributes) <= KNOWN_ATTRIBUTES


def test_every_name_has_a_page_of_its_own_in_the_folder(tmp_path):
    write_pages(tmp_path, put(tmp_path, *crowd()), rubric())
    for audience in ("instructor", "student"):
        found = names_on_disk(tmp_path / audience)
        assert len(found) == 1 + len(crowd())
        assert all(re.fullmatch(r"index\.html|submissions/[\w.-]+\.html", name) for name in found)
    assert not list(tmp_path.parent.glob("escape*"))


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
        "no HTML pages: no_such_package not installed; pip install 'backdoor-defence-harness[html]'"
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


# --- a real grading -----------------------------------------------------------------------------


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


def test_examples_are_images_on_which_g_is_wrong(course, small):
    (own,) = Store(course).records()
    write_pages(course, [own], rubric())
    for audience, split in (("instructor", "test"), ("student", "valid")):
        tags = Page(texts(course / audience)["reference.html"]).tags
        pictures = {a["src"] for t, a in tags if t == "img"}
        assert pictures
        assert pictures <= {
            uri for name in (split, f"bd_{split}") for uri in uris(small.sets[name])
        }


def test_examples_are_found_where_a_folder_was_graded_on(graded_results, small, tmp_path):
    page = Page(texts(graded_results / "instructor")["reference.html"])
    pictures = {attributes["src"] for tag, attributes in page.tags if tag == "img"}
    assert pictures
    assert pictures <= {uri for name in ("test", "bd_test") for uri in uris(small.sets[name])}
    moved = tmp_path / "results"
    shutil.copytree(graded_results, moved, ignore=shutil.ignore_patterns("*.f32"))
    for note in (moved / "sets").glob("dataset-*.json"):
        note.write_text('{"version": 1, "dataset": "/no/such/folder"}')
    write_pages(moved, Store(moved).records(), rubric())
    assert "<img" not in texts(moved / "instructor")["reference.html"]


def uris(labeled):
    from harness.output.html.examples import _data_uri

    return [_data_uri(image) for image in labeled.images]


def test_what_g_said_beside_an_image_is_what_is_stored(course, small):
    from harness.output.html.examples import open_examples
    from harness.records.predictions import compose_goodnet

    (own,) = Store(course).records()
    first, hashes = own.checkpoints[0], own.dataset.arrays
    with open_examples(Store(course), "instructor") as examples:
        found = [each for each in examples(own) if each.checkpoint == "X = 2"]
    b, repaired = (
        Store(course).answers(key, hashes["test"], 1283).answers
        for key in (own.badnet_weights_hash, first.artifact.predictions)
    )
    said = compose_goodnet(b, repaired).class_ids
    pictures = uris(small.sets["test"])
    for each in (e for e in found if e.truth.startswith("clean")):
        index = pictures.index(each.picture)
        answer = "backdoored (N+1)" if said[index] == 1283 else f"class {said[index]}"
        assert (each.truth, each.answer) == (
            f"clean, class {small.sets['test'].labels[index]}",
            answer,
        )
        assert said[index] != small.sets["test"].labels[index]


def test_no_images_of_a_private_split_for_students_nor_of_data_that_does_not_fit(course):
    (own,) = Store(course).records()
    private = replace(own, dataset=replace(own.dataset, split="private"))
    write_pages(course, [private], rubric())
    assert "<img" not in texts(course / "student")["reference.html"]
    assert "<img" in texts(course / "instructor")["reference.html"]
    first, *rest = own.checkpoints
    test = first.goodnet.test
    other = replace(test, clean_correct=test.clean_correct - 1)
    first = replace(first, goodnet=replace(first.goodnet, test=other))
    write_pages(course, [replace(own, checkpoints=(first, *rest))], rubric())
    text = texts(course / "instructor")["reference.html"]
    assert "<h3>X = 2</h3>" not in text
    assert "<h3>X = 10</h3>" in text


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
