"""The story of one submission: complete, harmless, without TensorFlow, also for old records."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files

import pytest
from records_by_hand import checkpoint, good_checkpoints, lineage, record

from harness.assessment.verdict import assess
from harness.output.explain import explanation
from harness.records.errors import HarnessError
from harness.storage.results import Store
from harness.storage.rubrics import default_rubric

HOSTILE = "s\x1b[31m\nPoints\n  100 of 100 | <b>\u202e"


def stored(folder, *checkpoints, **changes):
    own = assess(record(*checkpoints, **changes), default_rubric(), None, (2.0, 4.0, 10.0))
    Store(folder).put_record(own)
    return folder


def sections(text):
    return {block.splitlines()[0]: block.splitlines()[1:] for block in text.split("\n\n")}


def test_the_story_begins_with_the_score_and_what_to_do(tmp_path):
    two, four, _ = good_checkpoints()
    late = checkpoint(10.0, clean=800, before=850)
    own = stored(tmp_path, two, replace(four, named_points=5.0), late)
    text = explanation(own, "s")
    told = sections(text)
    assert list(told) == [
        "s: 91 of 100 points, 2 of 3 checkpoints passed", "What to do", "Why", "Points",
        "Checks that did not pass", "Figures, in percent", told_last(text),
    ]  # fmt: skip
    assert told["What to do"][0] == (
        "  X = 10: prune less: without channel 7, 140 images are lost, and 100 are enough"
    )
    assert told["What to do"][-1].startswith("  X = 10: Compare after every single channel")
    assert told["Why"][:2] == ["  X = 2 and X = 4: passed", "  X = 10: failed: first crossing"]
    assert [line.split(": ")[1] for line in told["Why"][2:]] == ["WRONG_X", "OVER_PRUNED"]
    assert any(line.startswith("          -4: one channel earlier") for line in told["Points"])
    assert all("NO" in line for line in told["Checks that did not pass"])
    assert told_last(text) == (
        "`explain --full` also shows: 11 checks that passed; 95 % intervals and all rates."
    )


def told_last(text):
    return text.strip().split("\n\n")[-1]


def test_the_full_story_leaves_nothing_out(tmp_path):
    two, four, _ = good_checkpoints()
    late = checkpoint(10.0, clean=800, before=850)
    text = explanation(stored(tmp_path, two, four, late), "s", full=True)
    told = sections(text)
    assert any("first crossing" in line and "NO" in line for line in told["Checks"])
    assert any("yes" in line for line in told["Checks"])
    # 965 of 1000: Wilson's interval is 95.17 to 97.47 %.
    assert any("96.50 (95.17-97.47)" in line for line in told["Figures"])
    assert "--full" not in text


def test_points_are_the_grade_and_percentage_points_the_accuracy(tmp_path):
    late = checkpoint(10.0, clean=800, before=850)
    text = explanation(stored(tmp_path, late), "s", full=True)
    assert "dropped by 19.000 percentage points" in text
    assert "earlier the drop was 14.000 percentage points" in text
    assert " 3.3 of 10  every required model is there" in text
    assert "3.33" not in text


def test_who_stopped_too_early_reads_which_channel_comes_next(tmp_path):
    text = explanation(stored(tmp_path, checkpoint(2.0, clean=985, before=988, after=960)), "s")
    assert "prune on: channel 8 comes next; then 30 images are lost, 20 are needed" in text


def test_nobody_is_told_to_go_on_in_the_wrong_order(tmp_path):
    own = checkpoint(2.0, clean=985, before=988, after=960,
                     lineage=lineage(orders=("index",), pruned=(0, 1, 2)))  # fmt: skip
    steps = sections(explanation(stored(tmp_path, own, pruning_order="index"), "s"))["What to do"]
    assert any("Sort the channels by their mean activation first" in line for line in steps)
    assert not any("comes next" in line for line in steps)


def test_verdicts_and_pending_points_are_told(tmp_path):
    folder = stored(tmp_path, *good_checkpoints())
    text = files("harness.assessment").joinpath("rubric.toml").read_text(encoding="utf-8")
    text = text.replace('families = ["pruned", "tuned"]', 'families = ["tuned"]')
    decision = 'submission = "s"\ndrop_points = 2\nverdict = "passed"\nreason = "seen"'
    (tmp_path / "rubric.toml").write_text(f"{text}\n[[overrides]]\n{decision}\n")
    told = sections(explanation(folder, "s"))
    assert told["Why"][0] == "  X = 2: passed"
    assert told["Why"][1].startswith("  X = 4 and X = 10: undecided: the rubric does not say")
    assert told["What to do"][0] == "  X = 4: wait; the instructor decides whether it passes"
    assert "  decided by the instructor: X = 2 passed: seen" in explanation(folder, "s")
    assert explanation(folder, "s").startswith(
        "s: 40 of 100 points and 60 pending, 1 of 3 checkpoints passed\n"
    )


def test_nothing_to_do_means_no_such_section(tmp_path):
    text = explanation(stored(tmp_path, *good_checkpoints()), "s")
    assert "What to do" not in text
    assert "100 of 100 points" in text


def test_hostile_names_and_reasons_stay_on_their_line(tmp_path):
    own = stored(tmp_path, *good_checkpoints(), submission=HOSTILE, notes=(HOSTILE,),
                 reason=HOSTILE)  # fmt: skip
    text = explanation(own, HOSTILE)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.splitlines().count("Points") == 1


def test_an_unknown_submission_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(HarnessError, match="no submission 'x' in it; s"):
        explanation(stored(tmp_path, *good_checkpoints()), "x")


def test_another_rubric_needs_no_grading(tmp_path):
    own = stored(tmp_path, *good_checkpoints()[:2])
    assert "of 100 points" in explanation(own, "s")
    text = (
        'schema_version = 1\nname = "pass or fail"\n[[items]]\nname = "loading"\n'
        'title = "hands in"\nkind = "loading"\npoints = 3\n[shares]\nfirst_crossing = 1\n'
    )
    (tmp_path / "rubric.toml").write_text(text)
    assert "2 of 3 points" in explanation(own, "s")


def test_what_the_rubric_hides_is_for_the_instructor_only(tmp_path):
    own = stored(tmp_path, *good_checkpoints())
    text = files("harness.assessment").joinpath("rubric.toml").read_text(encoding="utf-8")
    (tmp_path / "rubric.toml").write_text(text.replace("hide = []", 'hide = ["test"]'))
    student, instructor = (explanation(own, "s", instructor=who) for who in (False, True))
    assert "hidden in this view: test" in student
    assert "  test  " not in student
    assert "  test  " in instructor
    assert "hidden" not in instructor


def test_a_record_of_version_1_is_still_told(tmp_path):
    """Before lineage and evidence were kept; its checks are shown as they were."""
    counts = {"clean_total": 10, "clean_correct": 9, "clean_abstained": 0, "clean_invalid": 0,
              "backdoored_total": 10, "backdoored_attacked": 5, "backdoored_abstained": 0,
              "backdoored_invalid": 0}  # fmt: skip
    both = {"valid": counts, "test": counts}
    check = {"name": "pruning_order", "passed": False, "observed": "other", "limit": "increasing",
             "reason": "no order at all"}  # fmt: skip
    old = {
        "schema_version": 1, "submission": "old", "status": "graded", "reason": None,
        "dataset": {"name": "faces", "arrays": {}}, "badnet": both, "badnet_weights_hash": "b",
        "checkpoints": [{"drop_points": 2.0, "required": True, "status": "graded", "reason": None,
                         "artifact": None, "goodnet_artifact": None, "repaired": both,
                         "goodnet": both, "checks": [check]}],
        "checks": [], "notes": [], "environment": {},
    }  # fmt: skip
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "old.json").write_text(json.dumps(old))
    text = explanation(tmp_path, "old")
    assert "no order at all" in text
    assert "90.00" in text


def test_the_command_needs_no_tensorflow(tmp_path):
    stored(tmp_path, *good_checkpoints())
    program = (
        "import sys, runpy\n"
        f"sys.argv = ['harness', 'explain', {str(tmp_path)!r}, 's']\n"
        "try:\n    runpy.run_module('harness', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules), 'TensorFlow was imported'\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("s: 100 of 100 points")
