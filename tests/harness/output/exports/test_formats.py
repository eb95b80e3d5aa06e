"""Each format against what its platform publishes, with names and reasons that attack it."""

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from io import StringIO
from pathlib import Path

import jsonschema
import pytest
import xmlschema
import yaml
from records_by_hand import checkpoint, good_checkpoints, record

from harness.assessment.verdict import assess
from harness.output.exports.course import Course, ExportOptions, course_of
from harness.output.exports.formats import FORMATS, export, renderer
from harness.people.roster import Person
from harness.records.errors import HarnessError, Status
from harness.records.findings import Diagnosis, Override
from harness.records.rubric import StudentView
from harness.storage.results import Store
from harness.storage.rubrics import default_rubric

PUBLISHED = Path(__file__).with_name("published")
REQUIRED = (2.0, 4.0, 10.0)
HOSTILE = "=cmd|' /C calc'!A0</pre><script>\n\u202e\udcff\x00\ufffe&%$#_{}~^\\[*]`@all"
MARKUP = ("codabench", "markdown", "junit")
RISKY = ("\u202e", "\udcff", "\x00", "\ufffe")


def published(name):
    return (PUBLISHED / name).read_text(encoding="utf-8")


def rubric(*hidden, overrides=()):
    view = StudentView(hide=hidden)
    return replace(default_rubric(), student_view=view, overrides=overrides)


def graded(name="ann", checkpoints=None, by=None, **changes):
    found = good_checkpoints() if checkpoints is None else checkpoints
    own = record(*found, submission=name, **changes)
    return assess(own, by or rubric(), None, REQUIRED)


def course(*records, hide=(), roster=(), **options):
    return Course(
        records=records, rubric=rubric(*hide), roster=roster, options=ExportOptions(**options)
    )


def only_file(name, given):
    (text,) = renderer(name)(given).files.values()
    return text


def hostile_record(name=HOSTILE):
    bad = replace(checkpoint(2.0), status=Status.CRASHED, reason=HOSTILE, repaired=None)
    late = checkpoint(10.0, clean=800, before=850)
    own = graded(name, (bad, late), notes=(HOSTILE,), environment={HOSTILE: HOSTILE})
    found = Diagnosis(code="UNKNOWN", explanation=HOSTILE)
    checks = (*own.checks, replace(own.checks[0], name=HOSTILE, reason=HOSTILE, passed=False))
    return replace(own, diagnoses=(found,), checks=checks, status=Status.REJECTED, reason=HOSTILE)


# --- all formats --------------------------------------------------------------------------------

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


# --- Gradescope -----------------------------------------------------------------------------------


def valid_results(text):
    def refuse(constant):
        raise AssertionError(constant)

    results = json.loads(text, parse_constant=refuse)
    jsonschema.validate(results, json.loads(published("gradescope.schema.json")))
    return results


@pytest.mark.parametrize("example", ["gradescope.json", "gradescope_status.json"])
def test_the_published_gradescope_examples_are_valid(example):
    valid_results(published(example))


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"tests": []},
        {"score": "44"},
        {"score": 1, "visibility": "secret"},
        {"tests": [{"status": "skipped"}]},
        {"score": 1, "leaderboard": [{"name": "DER", "value": None}]},
    ],
)
def test_what_gradescope_does_not_take_is_not_valid(broken):
    with pytest.raises(jsonschema.ValidationError):
        valid_results(json.dumps(broken))


def test_gradescope_gets_points_checks_and_a_leaderboard():
    two, four, _ = good_checkpoints()
    late = checkpoint(10.0, clean=800, before=850)
    results = valid_results(only_file("gradescope", course(graded("ann", (two, four, late)))))
    tests = {test["name"]: test for test in results["tests"]}
    assert "score" not in results
    assert sum(test.get("score", 0) for test in results["tests"]) == 96
    assert sum(test.get("max_score", 0) for test in results["tests"]) == 100
    late_points = tests["B' for X = 10"]
    assert late_points["status"] == "failed"
    assert late_points["score"] == 16
    assert late_points["output"].startswith("-4: one channel earlier")
    assert tests["B' for X = 2"]["status"] == "passed"
    assert tests["X = 10: first_crossing"]["status"] == "failed"
    assert tests["X = 2: clean_accuracy_drop"]["status"] == "passed"
    assert tests["X = 4: model is there"]["status"] == "passed"
    assert "OVER_PRUNED" in " ".join(tests)
    assert {test["visibility"] for test in results["tests"]} == {"visible"}
    board = {entry["name"]: entry for entry in results["leaderboard"]}
    assert board["checkpoints passed"]["value"] == 2
    assert board["G ASR, X = 2 (%)"] == {
        "name": "G ASR, X = 2 (%)", "value": 70.0, "order": "asc"}  # fmt: skip
    assert not [name for name in board if "oints" in name.replace("checkpoints", "")]


def test_a_check_that_could_not_be_made_neither_passes_nor_fails():
    unknown = checkpoint(2.0, before=None)
    results = valid_results(only_file("gradescope", course(graded("ann", (unknown,)))))
    tests = {test["name"]: test for test in results["tests"]}
    assert "status" not in tests["X = 2: first_crossing"]


def test_hidden_test_figures_are_in_hidden_tests_only():
    given = course(graded(), hide=("test",))
    results = valid_results(only_file("gradescope", given))
    hidden = {t["name"] for t in results["tests"] if t["visibility"] == "hidden"}
    assert "G answers by the GoodNet rule" in hidden
    assert "clean accuracy and ASR of G on test, against the reference" in hidden
    assert "B' for X = 2" not in hidden
    assert [entry["name"] for entry in results["leaderboard"]] == ["checkpoints passed"]
    assert "hidden for now: test" in results["output"]
    everything = valid_results(only_file("gradescope", course(graded(), hide=("test",),
                                                              instructor=True)))  # fmt: skip
    assert {t["visibility"] for t in everything["tests"]} == {"visible"}


def test_hidden_points_hide_every_scored_test_and_no_check():
    results = valid_results(only_file("gradescope", course(graded(), hide=("points",))))
    for test in results["tests"]:
        assert test["visibility"] == ("hidden" if "score" in test else "visible")


def test_a_hidden_diagnosis_and_a_hidden_contract_are_not_shown():
    from harness.records.findings import GoodNetRule

    contract = GoodNetRule(against="B and B'", width=1284, images=100, broken=9, abstained=0,
                        outside=0, outside_label=None, as_repaired=91)  # fmt: skip
    own = graded("ann", (replace(checkpoint(2.0), contract=contract),))
    own = replace(own, diagnoses=(Diagnosis(code="SEEN", explanation="a", split="test"),))
    tests = valid_results(only_file("gradescope", course(own, hide=("test",))))["tests"]
    shown = {test["name"]: test["visibility"] for test in tests}
    assert shown["submission: SEEN"] == "hidden"
    assert shown["X = 2: goodnet_contract"] == "hidden"


def test_an_override_above_the_maximum_is_kept_with_its_reason():
    override = Override(submission="ann", item="checkpoint_2", points=25.0, reason="bonus")
    own = graded(by=rubric(overrides=(override,)))
    tests = valid_results(only_file("gradescope", course(own)))["tests"]
    (bonus,) = [test for test in tests if test["name"] == "B' for X = 2"]
    assert (bonus["score"], bonus["max_score"], bonus["status"]) == (25.0, 20.0, "passed")
    assert bonus["output"] == "set by the instructor: bonus"


def test_what_we_could_not_grade_is_said_to_be_no_grade():
    foreign = replace(checkpoint(2.0), status=Status.NOT_GRADED, reason="no sandbox", repaired=None)
    results = valid_results(only_file("gradescope", course(graded("ann", (foreign,)))))
    assert "not your fault; the score is no grade yet" in results["output"]
    assert any(t["name"] == "X = 2: not_graded" for t in results["tests"])


def test_a_rubric_without_items_still_has_a_score():
    own = replace(graded(), points=())
    assert valid_results(only_file("gradescope", course(own)))["score"] == 0


def test_gradescope_shows_hostile_texts_as_text():
    results = valid_results(only_file("gradescope", course(hostile_record())))
    assert results["output_format"] == "text"
    for text in [
        results["output"],
        *(t[key] for t in results["tests"] for key in ("name", "output")),
    ]:
        assert not [risk for risk in RISKY if risk in text]
    assert results.get("test_output_format", "text") == "text"  # Gradescope escapes it then


# --- CodaBench ------------------------------------------------------------------------------------


class _Page(HTMLParser):
    """Tags in their order, and whether every one that opened was closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open += [] if tag == "meta" else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_codabench_gets_flat_numbers_and_a_harmless_page():
    example = json.loads(published("codabench_scores.json"))
    files = renderer("codabench")(course(hostile_record(), notes=(HOSTILE,))).files
    scores = json.loads(files["scores.json"])
    assert {type(value) for value in scores.values()} <= {int, *map(type, example.values())}
    assert scores["checkpoints_passed"] == 0
    page = _Page()
    page.feed(files["detailed_results.html"])
    assert page.tags == ["html", "head", "meta", "title", "style", "body", "h1", "p", "pre"]
    assert not page.open


def test_codabench_keys_are_the_columns_of_the_leaderboard():
    from harness.output.exports.scores import columns

    scores = json.loads(renderer("codabench")(course(graded())).files["scores.json"])
    assert list(scores) == [column.key for column in columns(REQUIRED)]
    assert scores["clean_accuracy_2"] == 96.4


def test_hidden_figures_leave_no_trace_on_codabench():
    files = renderer("codabench")(course(graded(), hide=("test", "points"))).files
    assert list(json.loads(files["scores.json"])) == ["checkpoints_passed"]
    page = files["detailed_results.html"]
    assert re.search(r" G +valid ", page)
    assert not re.search(r" (G|B|B&#x27;) +test ", page)
    assert "of 100 points" not in page


def test_the_published_competition_fits_our_schema():
    schema = json.loads(published("codabench.schema.json"))
    example = yaml.safe_load(published("codabench.yaml"))
    jsonschema.validate(example, schema)
    del example["terms"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, schema)


# --- gradebooks -----------------------------------------------------------------------------------

JANE = Person(folder="jane", name="Doe, Jane", login="jd1234", student_id="10452",
              sis_id="0012345", org_defined_id="0012345", section="CS-GY 9223 A")  # fmt: skip
RICHARD = Person(folder="richard", name="Roe, Richard", login="rr77", student_id="10977",
                 sis_id="N18273645", org_defined_id="N18273645",
                 section="CS-GY 9223 A")  # fmt: skip


def rows(text):
    return list(csv.reader(StringIO(text, newline="")))


def test_canvas_writes_what_canvas_exports():
    override = Override(submission="jane", item="metrics", points=2.5, reason="late")
    jane = graded("jane", by=rubric(overrides=(override,)))
    given = course(jane, roster=(JANE, RICHARD), item="Lab 3 (40193)")
    assert only_file("canvas", given) == published("canvas.csv")
    assert renderer("canvas")(given).remarks == ("Roe, Richard: no submission; the cell is empty",)


def test_brightspace_writes_what_its_import_reads():
    catcher = Person(folder="f", login="Frank.Catcher", org_defined_id="20067930")
    override = [
        Override(submission="f", item=item.name, points=44.0 if n == 0 else 0.0, reason="x")
        for n, item in enumerate(default_rubric().items)
    ]
    given = course(graded("f", by=rubric(overrides=tuple(override))), roster=(catcher, JANE),
                   item="Lab 3")  # fmt: skip
    assert only_file("brightspace", given) == published("brightspace.csv")


def test_more_than_the_maximum_is_kept_or_cut_and_said():
    override = Override(submission="jane", item="checkpoint_2", points=25.0, reason="bonus")
    jane = graded("jane", by=rubric(overrides=(override,)))
    kept = renderer("canvas")(course(jane, roster=(JANE,)))
    assert rows(*kept.files.values())[2][-1] == "105"
    assert kept.remarks == ("Doe, Jane: 105 of 100 points, more than the maximum",)
    cut = renderer("brightspace")(course(jane, roster=(JANE,), capped=True))
    assert rows(*cut.files.values())[1][-2] == "100"
    assert cut.remarks == ("Doe, Jane: 105 of 100 points, cut to the maximum",)


def test_exactly_the_maximum_needs_no_remark():
    rendered = renderer("canvas")(course(graded("jane"), roster=(JANE,)))
    assert rows(*rendered.files.values())[2][-1] == "100"
    assert rendered.remarks == ()


def test_what_we_could_not_grade_is_no_zero():
    foreign = replace(checkpoint(2.0), status=Status.NOT_GRADED, reason="no sandbox", repaired=None)
    rendered = renderer("canvas")(course(graded("jane", (foreign,)), roster=(JANE,)))
    assert rows(*rendered.files.values())[2][-1] == ""
    assert "not their fault; the cell is empty" in rendered.remarks[0]


def test_what_is_the_students_fault_is_a_grade():
    bad = graded("jane", (), status=Status.REJECTED, reason="no model in it")
    assert rows(only_file("canvas", course(bad, roster=(JANE,))))[2][-1] == "0"


def test_a_submission_of_nobody_and_a_person_without_id_are_said():
    ghost = Person(folder="ghost", name="Ghost")
    rendered = renderer("canvas")(course(graded("eve"), roster=(JANE, ghost)))
    assert set(rendered.remarks) == {
        "eve: nobody's in the roster; no grade",
        "Ghost: no id that the platform knows; left out",
        "Doe, Jane: no submission; the cell is empty",
    }
    assert len(rows(*rendered.files.values())) == 3


def test_attempts_of_one_person_are_one_line():
    first = replace(JANE, folder="one", attempt=1)
    second = replace(JANE, folder="two", attempt=2)
    better, worse = graded("one"), graded("two", good_checkpoints()[:2])
    given = course(better, worse, roster=(first, second))
    latest = rows(only_file("canvas", given))
    assert len(latest) == 3
    assert float(latest[2][-1]) < 100
    best = rows(only_file("canvas", replace(given, options=ExportOptions(attempt="best"))))
    assert [line[-1] for line in best] == ["lab3", "100", "100"]


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_cell_starts_a_formula(start):
    person = replace(JANE, name=f"{start}cmd", login=f"{start}cmd", section=f"{start}cmd")
    given = course(graded("jane"), roster=(person,), item=f"{start}cmd")
    for name in ("canvas", "brightspace"):
        for row in rows(only_file(name, given)):
            formula = r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]"
            assert not [cell for cell in row if re.match(formula, cell)]
    if start not in "\t\r":
        remarks = renderer("canvas")(given).remarks
        assert any("an id that a spreadsheet would run was changed" in line for line in remarks)


def test_one_submission_is_one_line():
    given = course(graded("jane"), roster=(JANE, RICHARD), submission="jane")
    rendered = renderer("canvas")(given)
    assert len(rows(*rendered.files.values())) == 3
    assert rendered.remarks == ()


# --- boards ---------------------------------------------------------------------------------------

LATEX_ESCAPED = re.compile(
    r"\\text(backslash|asciitilde|asciigrave|quotedbl|bar)\{\}|\\\^\{\}|\\ensuremath\{[<>]\}"
    r"|\\[#$%&_{}]|\{[\[\]*]\}"
)


def test_latex_is_a_booktabs_table_that_nothing_breaks_out_of():
    text = only_file("latex", course(graded(), hostile_record()))
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("\\")] == [
        r"\begin{tabular}{llllllllllllll}", r"\toprule", r"\midrule", r"\bottomrule",
        r"\end{tabular}"]  # fmt: skip
    body = lines[lines.index(r"\midrule") + 1 : -2]
    assert len(body) == 1 + 3 + 2
    for line in body:
        assert line.endswith(r" \\")
        cells = line.removesuffix(r" \\").split(" & ")
        assert len(cells) == 14
        for cell in cells:
            rest = LATEX_ESCAPED.sub("", cell)
            assert not re.search(r"[\\{}$&#^_~%<>|\[\]*`\"]", rest), cell
    assert r"\textbackslash{}\{" not in body[1]
    assert "1 & ann & 3/3 & " in body[1]


def test_boards_hide_what_the_rubric_hides():
    for name in ("markdown", "latex"):
        assert "70.00" in only_file(name, course(graded()))
        assert "70.00" not in only_file(name, course(graded(), hide=("test",)))
        assert "70.00" in only_file(name, course(graded(), hide=("test",), instructor=True))


def test_markdown_is_the_leaderboard():
    assert only_file("markdown", course(graded())).startswith("| rank   | submission ")


@pytest.mark.parametrize("name", ["markdown", "latex"])
def test_boards_tell_instructors_of_attempts_and_nobody_else(name, tmp_path):
    for each in ("one", "two"):
        Store(tmp_path).put_record(graded(each))
    roster = tuple(
        replace(JANE, folder=folder, attempt=number, late=number == 2)
        for number, folder in enumerate(("one", "two"), 1)
    )
    own = only_file(
        name, course_of(tmp_path, roster, ExportOptions(instructor=True, submission="two"))
    )
    assert "2 of 2, late" in own
    assert "1 of 2" not in own
    assert "of 2" not in only_file(name, course_of(tmp_path, roster))


# --- JUnit ----------------------------------------------------------------------------------------


def junit():
    return xmlschema.XMLSchema(PUBLISHED / "junit.xsd")


def test_the_junit_example_is_valid():
    junit().validate(published("junit.xml"))
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        junit().validate(published("junit.xml").replace(' tests="4"', ""))


def test_junit_says_each_outcome_and_counts_it():
    from xml.etree import ElementTree

    two = checkpoint(2.0, before=None)
    late = checkpoint(10.0, clean=800, before=850)
    ours = replace(checkpoint(4.0), status=Status.NOT_GRADED, reason="no sandbox", repaired=None)
    text = only_file("junit", course(graded("ann", (two, ours, late)), hostile_record()))
    junit().validate(text)
    root = ElementTree.fromstring(text)
    ann, bad = root
    assert ann.get("name") == "ann"
    for suite in root:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(counted)) == len(suite.findall(f"testcase/{tag}"))
    cases = {(case.get("classname"), case.get("name")): case for case in ann.iter("testcase")}
    assert cases["ann.X = 4", "graded"].find("error").get("message") == "no sandbox"
    assert cases["ann.X = 10", "first_crossing"].find("failure").text.startswith("one channel")
    assert cases["ann.X = 2", "first_crossing"].find("skipped") is not None
    assert len(cases["ann.X = 2", "clean_accuracy_drop"]) == 0
    assert bad.find("testcase/failure").get("type") == "rejected"
