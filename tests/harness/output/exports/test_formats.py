"""All formats: names and reasons that attack them, and what cannot be exported."""

import json
from importlib.resources import files

import pytest
from courses import graded
from exports_by_hand import HOSTILE, RISKY, course, hostile_record

from harness.output.exports.course import ExportOptions, course_of
from harness.output.exports.formats import FORMATS, export, renderer
from harness.people.roster import Person
from harness.records.errors import HarnessError
from harness.storage.results import Store

MARKUP = ("codabench", "markdown", "junit")

ROSTER = (Person(folder=HOSTILE, name=HOSTILE, login=HOSTILE, student_id="1"),)


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_texts_come_out_harmless_and_the_same_again(name):
    given = course(hostile_record(), roster=ROSTER, item=HOSTILE, instructor=True)
    rendered = renderer(name)(given)
    assert rendered == renderer(name)(given)
    for text in [*rendered.files.values(), *rendered.remarks]:
        text.encode()
        assert not [risk for risk in RISKY if risk in text]
        if name in MARKUP:
            assert "<script" not in text


def test_what_is_exported_is_judged_by_the_rubric_in_the_folder(tmp_path):
    Store(tmp_path).put_record(graded())
    (tmp_path / "rubric.toml").write_text(
        files("harness.assessment")
        .joinpath("rubric.toml")
        .read_text(encoding="utf-8")
        .replace("points = 10\n", "points = 30\n", 1)
    )
    paths, remarks = export(tmp_path, "gradescope", tmp_path / "out")
    assert paths == [tmp_path / "out" / "results.json"]
    assert remarks == ()
    assert json.loads(paths[0].read_text())["tests"][0]["max_score"] == 30


def test_what_cannot_be_exported_is_said_in_one_line(tmp_path):
    with pytest.raises(HarnessError, match="no records"):
        course_of(tmp_path)
    for name in ("ann", "bob"):
        Store(tmp_path).put_record(graded(name))
    with pytest.raises(HarnessError, match=r"no submission 'eve' in it; ann, bob$"):
        export(tmp_path, "junit", tmp_path, options=ExportOptions(submission="eve"))
    with pytest.raises(HarnessError, match=r"--submission\): ann, bob$"):
        export(tmp_path, "gradescope", tmp_path)
    with pytest.raises(HarnessError, match="--roster"):
        export(tmp_path, "canvas", tmp_path)
    with pytest.raises(HarnessError, match="there are gradescope, codabench"):
        export(tmp_path, "moodle", tmp_path)
