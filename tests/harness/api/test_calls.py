"""``harness.check``, ``grade`` and ``load_results`` as a script or a notebook calls them."""

import asyncio
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import warnings
from dataclasses import FrozenInstanceError
from html import unescape

import pytest
from repository import IMPORTED, ROOT

import harness
from harness.lineage.lineage import zero_channels
from reference.badnet.training import save_weights


@pytest.fixture(scope="module")
def graded(prepared, reference_submission, small_benchmark, badnet_path, tmp_path_factory):
    """What ``grade`` returns of the reference, and the folder it wrote."""
    output = tmp_path_factory.mktemp("api") / "results"
    shutil.copytree(prepared, output)
    result = harness.grade(
        reference_submission, small_benchmark, badnet=badnet_path, output=output, timing=False
    )
    return result, output


@pytest.fixture(scope="module")
def early(graded, badnet, small_benchmark, badnet_path, tmp_path_factory):
    """A net that was saved too early, in the same results; its name is meant to do harm."""
    folder = tmp_path_factory.mktemp("early") / "<script>alert(1)<"
    order = json.loads(next((graded[1] / "reference").glob("*.json")).read_text())["curve"]["order"]
    save_weights(zero_channels(badnet, order[:40]), folder / "model_X=2.h5")
    return harness.grade(
        folder, str(small_benchmark), badnet=str(badnet_path), output=graded[1], timing=False,
        progress=False,
    )  # fmt: skip


def test_the_check_says_what_the_command_says(
    reference_submission, small_benchmark, badnet_path, run_harness
):
    found = harness.check(reference_submission, small_benchmark, badnet_path)
    said = run_harness("check", reference_submission, "--dataset", small_benchmark,
                       "--badnet", badnet_path).stdout  # fmt: skip
    assert f"{found!r}\n" == said
    assert found.faultless
    assert found.problems == ()
    assert list(found.to_frame()["role"]) == ["B', X = 10", "B', X = 2", "B', X = 4"]
    page = unescape(found._repr_html_())
    assert "complete; `grade` tells what it is worth" in page


def test_a_check_names_what_is_missing_and_raises_nothing(tmp_path, small_benchmark):
    (tmp_path / "model_X=2.h5").write_text("no model")
    found = harness.check(tmp_path, small_benchmark)
    assert not found.faultless
    assert not found.models[0].usable
    assert "missing: a repaired model for X = 10" in found.problems
    assert "missing: a repaired model for X = 10" in unescape(found._repr_html_())


@pytest.mark.parametrize("here", [".", "../models", "./"])
def test_the_folder_that_one_is_in_is_a_submission(
    here, reference_submission, small_benchmark, badnet_path, monkeypatch
):
    monkeypatch.chdir(reference_submission / "models")
    found = harness.check(here, small_benchmark, badnet_path)
    assert (found.submission, found.faultless) == ("models", True)


def test_a_check_of_nothing_is_a_rejection(tmp_path, small_benchmark):
    found = harness.check(tmp_path, small_benchmark)
    assert not found.faultless
    assert len(found.problems) == 1
    assert "no model in it" in repr(found)
    assert found.to_frame().empty


def test_a_grade_has_verdict_points_and_margins(graded):
    result, output = graded
    assert (result.verdict, result.passed, result.status) == ("passed", True, "graded")
    assert result.points == result.maximum_points == 100
    frame = result.to_frame()
    assert list(frame["drop_points"]) == [2, 4, 10]
    assert (frame["images_lost"] - frame["images_needed"] == frame["margin_images"]).all()
    assert (frame["margin_images"] >= 0).all()
    assert frame["repaired_test_accuracy"].between(0.5, 1).all()
    assert len(result.curve_frame()) == 61
    assert {"leaderboard.md", "student", "instructor", "records"} <= {
        path.name for path in output.iterdir()
    }


def test_a_notebook_shows_verdict_curve_and_what_to_do(graded, early):
    page = unescape(graded[0]._repr_html_())
    assert "passed" in page
    assert "On the pruning curve" in page
    assert "<svg" in page

    page = unescape(early._repr_html_())
    assert "not passed" in page
    assert early.passed is False
    assert any("prune on: channel" in line for line in early.advice)
    assert "prune on: channel" in page


def test_what_strangers_wrote_stays_text(early):
    html = early._repr_html_()
    assert html.count("<") == 2  # the frame's own
    assert "<script>alert" not in unescape(html.partition("srcdoc")[2])


def test_the_same_call_again_grades_nothing_again(graded, reference_submission, small_benchmark,
                                                   badnet_path):  # fmt: skip
    result, output = graded
    (record,) = (output / "records").glob("reference*.json")
    before = record.stat().st_mtime_ns
    again = harness.grade(reference_submission, small_benchmark, badnet=badnet_path,
                          output=output, timing=False)  # fmt: skip
    assert again.record == result.record
    assert record.stat().st_mtime_ns == before


def test_it_works_in_a_running_event_loop(graded, reference_submission, small_benchmark,
                                          badnet_path):  # fmt: skip
    async def cell():
        return harness.grade(reference_submission, small_benchmark, badnet=badnet_path,
                             output=graded[1], timing=False, progress=False)  # fmt: skip

    assert asyncio.run(cell()).passed


def test_results_are_a_board_with_frames(graded, early):
    results = harness.load_results(graded[1])
    assert [each.name for each in results] == ["reference", early.name]
    assert len(results) == 2
    assert "reference" in results
    assert results["reference"].record == graded[0].record
    assert list(results.to_frame()["checkpoints_passed"]) == [3, 0]
    assert len(results.checkpoints()) == 4
    assert "<script>" not in results._repr_html_()
    with pytest.raises(harness.HarnessError, match="no submission 'nobody' in these results"):
        results["nobody"]


def test_results_are_frozen(graded):
    result, output = graded
    for frozen in (result, harness.load_results(output), result.record):
        name = next(iter(type(frozen).__dataclass_fields__))
        with pytest.raises(FrozenInstanceError):
            setattr(frozen, name, None)


def test_what_the_rubric_hides_is_hidden_unless_asked_for(graded, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(graded[1], results, ignore=shutil.ignore_patterns("features", "sets"))
    rubric = (ROOT / "harness" / "assessment" / "rubric.toml").read_text()
    assert "hide = []" in rubric
    hidden = rubric.replace("hide = []", 'hide = ["points", "test", "reference"]')
    (results / "rubric.toml").write_text(hidden)
    student = harness.load_results(results)["reference"]
    assert student.points is None
    assert student.to_frame()["goodnet_test_accuracy"].isna().all()
    with pytest.raises(harness.HarnessError, match="hidden"):
        student.curve_frame()
    instructor = harness.load_results(results, instructor=True)
    assert instructor["reference"].points == 100
    assert instructor.to_frame()["points"].iloc[0] == 100


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda h, _: h.check("nowhere"), "nowhere: no such folder"),
        (lambda h, p: h.check(p / "notes.txt"), "neither a folder nor an archive"),
        (lambda h, _: h.check(3), "path: 3 is neither a path nor a name"),
        (lambda h, _: h.check(None), "path: None is neither"),
        (lambda h, _: h.check("a\0b"), "is no path"),
        (lambda h, p: h.check(p, "nonsense"), "nonsense: no such dataset"),
        (lambda h, p: h.check(p, badnet="no.h5"), "no.h5: no such file"),
        (lambda h, p: h.check(p, badnet=p / "notes.txt"), "notes.txt"),
        (lambda h, _: h.grade("nowhere"), "nowhere: no such folder"),
        (lambda h, p: h.grade(p, p), "no cl/valid.h5 in it"),
        (lambda h, p: h.grade(p, output=p / "notes.txt"), "notes.txt: a file, not a folder"),
        (lambda h, p: h.grade(p, output=p / "notes.txt" / "below"), "notes.txt"),
        (lambda h, p: h.grade(p, isolation="some"), "isolation: 'some' is none of auto"),
        (lambda h, p: h.grade(p, most_models=0), "most_models: 0 is no number of at least 1"),
        (lambda h, p: h.grade(p, model_memory="4"), "model_memory: '4' is no number"),
        (lambda h, p: h.grade(p, model_seconds=float("nan")), "model_seconds: nan is no number"),
        (lambda h, _: h.load_results("nowhere"), "nowhere: no such folder"),
        (lambda h, p: h.load_results(p / "notes.txt"), "notes.txt: a file, not a folder"),
        (lambda h, p: h.load_results(p), "no records in it"),
        (lambda h, _: h.load_results(7), "folder: 7 is neither"),
    ],
)
def test_a_failure_is_one_line_of_one_kind(call, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(harness.HarnessError) as caught:
        call(harness, tmp_path)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value._render_traceback_() == [f"HarnessError: {caught.value}"]


def test_a_fault_of_ours_is_of_the_same_kind_and_says_where(tmp_path, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("harness.grading.dry_run.dry_run", fail)
    with pytest.raises(harness.HarnessError) as caught:
        harness.check(tmp_path)
    assert str(caught.value) == "a fault of the harness: ZeroDivisionError: two lines"
    assert "in fail" in "".join(caught.value._render_traceback_())


def test_a_caller_finds_log_and_warnings_as_they_were(tmp_path):
    before = (warnings.showwarning, list(logging.getLogger("harness").handlers))
    harness.check(tmp_path)
    with pytest.raises(harness.HarnessError):
        harness.check(tmp_path / "nowhere")
    assert (warnings.showwarning, list(logging.getLogger("harness").handlers)) == before


# --- another process ----------------------------------------------------------------------------


_INTERRUPTED = """
import glob, os, sys
import harness
how = dict(badnet=sys.argv[3], output=sys.argv[4], timing=False)
try:
    harness.grade(sys.argv[1], sys.argv[2], **how)
except KeyboardInterrupt:
    print("interrupted", flush=True)
print("passed", harness.grade(sys.argv[1], sys.argv[2], **how).passed)
harness.check(sys.argv[1], sys.argv[2], sys.argv[3])
print("left", glob.glob(os.environ["TMPDIR"] + "/*"))
"""


@pytest.mark.parametrize(
    "stage",
    [
        "reading valid",
        pytest.param("reference: pruning", marks=pytest.mark.extended),
        "predicting models",
    ],
)
def test_an_interrupt_is_clean_and_the_same_call_goes_on(
    stage, reference_submission, small_benchmark, badnet_path, tmp_path
):
    (tmp_path / "scratch").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED, *map(str, (reference_submission, small_benchmark,
                                                        badnet_path, tmp_path / "results"))],
        cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(IMPORTED), "TMPDIR": str(tmp_path / "scratch")},
    )  # fmt: skip
    for line in process.stderr:
        if stage in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in err
    assert out.splitlines() == ["interrupted", "passed True", "left []"], err


def modules_after(code):
    tells = "import sys; print(*sorted({'tensorflow', 'keras', 'pandas', 'numpy', 'click', 'h5py', "
    tells += "'rich', 'IPython', 'matplotlib'} & sys.modules.keys()))"
    finished = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tells}"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return finished.stdout.splitlines()[-1].split()


def test_importing_the_package_imports_nothing_heavy():
    assert modules_after("import harness; dir(harness)") == []


def test_reading_results_and_checking_bring_no_tensorflow(graded, reference_submission):
    code = f"import harness; harness.load_results({str(graded[1])!r})['reference'].to_frame()"
    code += f"; harness.check({str(reference_submission)!r})._repr_html_()"
    assert not {"tensorflow", "keras"} & set(modules_after(code))


def test_every_public_name_is_there_and_no_other():
    for name in harness.__all__:
        assert getattr(harness, name) is not None
        assert name in dir(harness)
    with pytest.raises(AttributeError, match="no attribute 'grades'"):
        harness.grades  # noqa: B018
