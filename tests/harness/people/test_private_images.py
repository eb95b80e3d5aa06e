"""On a private split nobody but the instructor reads what code says that has seen the images.

Programs fail in many ways, each with a word of their own; then everything that students are given
is searched for it.
"""

import os
import subprocess
import sys
import textwrap
from dataclasses import replace

import msgspec
import pytest
from courses import speed
from keras_files import insert_layer, packed_config, write_keras
from models import known_config, random_weights
from payloads import sandboxed_test
from records_by_hand import artifact, assess_by_hand, both, checkpoint, counts
from repository import IMPORTED, ROOT

from harness.output.explain import explanation
from harness.output.exports.course import ExportOptions
from harness.output.exports.formats import FORMATS, export
from harness.people.private_images import FAILED, OURS, without_private_words
from harness.people.roster import read_roster
from harness.people.views import student_view
from harness.records.errors import Status
from harness.records.findings import GoodNetRule, RuleViolation
from harness.records.record import UNTIMED, DatasetIdentity, FreshCounts, Probe, Timing
from harness.storage.results import Store

WORD = "Quokka4711"
PRIVATE = DatasetIdentity(name="lab3", arrays={}, split="private")

FAILURES = {
    "raises": f"def predict(images): raise ValueError('{WORD}')",
    "prints": f"""
        import os
        def predict(images):
            print('{WORD}', flush=True)
            os._exit(77)
        """,
    "ends": "import os\ndef predict(images): os._exit(113)",
    "crashes": "import os, signal\ndef predict(images): os.kill(os.getpid(), signal.SIGSEGV)",
    "sleeps": "import time\ndef predict(images): time.sleep(1000)",
    "counts": "def predict(images): return list(range(len(images) + 4711))",
    "loads": f"raise RuntimeError('{WORD}')",
    "other class": f"class {WORD}(Exception): pass\ndef predict(images): raise {WORD}",
}
"""Programs that fail after they could have looked at the images."""

ROSTER = "folder,name,login,id,sis_id\n" + "".join(
    f"{name},{name},{name},{number},{number}\n" for number, name in enumerate(FAILURES)
)


def hand_in(folder, code):
    folder.mkdir(parents=True)
    (folder / "goodnet.py").write_text(textwrap.dedent(code))
    (folder / "submission.toml").write_text('[program]\nfile = "goodnet.py"\ndrop_points = 2\n')


@pytest.fixture(scope="module")
def private(small_benchmark, tmp_path_factory):
    """The small benchmark as a private split."""
    folder = tmp_path_factory.mktemp("private") / "data"
    folder.mkdir()
    for part in ("cl", "bd"):
        (folder / part).symlink_to(small_benchmark / part)
    (folder / "dataset.toml").write_text(
        'schema_version = 1\nname = "faces"\ntitle = "faces"\nsplit = "private"\n'
        "[files]\n"
        'valid = "cl/valid.h5"\ntest = "cl/test.h5"\n'
        'bd_valid = "bd/bd_valid.h5"\nbd_test = "bd/bd_test.h5"\n'
    )
    return folder


@pytest.fixture(scope="module")
def results(private, badnet_path, run_harness, tmp_path_factory):
    """The results of every way to fail, the roster beside them."""
    root = tmp_path_factory.mktemp("failures")
    for name, code in FAILURES.items():
        hand_in(root / "course" / name, code)
    (root / "roster.csv").write_text(ROSTER)
    run_harness(
        "grade", "--each", root / "course", "--dataset", private, "--badnet", badnet_path,
        "--output", root / "results", "--no-timing", "--model-seconds", "8", "--quiet",
        "--roster", root / "roster.csv",
    )  # fmt: skip
    assert len(Store(root / "results").records()) == len(FAILURES)
    return root / "results"


def given_to_students(results, out):
    """Every text that students get from these results, by what it is."""
    given = {
        str(path.relative_to(results)): path.read_text()
        for path in [*results.glob("leaderboard.*"), *results.glob("student/**/*.html")]
    }
    assert len(given) == 3 + 1 + len(FAILURES)
    given |= {f"explain {name}": explanation(results, name) for name in FAILURES}

    people = read_roster(results.parent / "roster.csv")
    for form in FORMATS:
        for name in FAILURES if form in ("gradescope", "codabench") else (None,):
            options = ExportOptions(submission=name)
            files, _ = export(results, form, out / form / str(name), people, options)
            given |= {f"{form} {name} {path.name}": path.read_text() for path in files}
    return given


@sandboxed_test
def test_no_word_of_a_program_that_saw_private_images_reaches_students(results, tmp_path):
    (told,) = {r.reason for r in Store(results).records() if r.submission == "raises"}
    assert WORD in told
    assert WORD in explanation(results, "raises", instructor=True)
    assert WORD in (results / "instructor" / "index.html").read_text()

    given = given_to_students(results, tmp_path)
    assert {what for what, text in given.items() if WORD in text} == set()
    for hint in ("exit code", "77", "113", "SIGSEGV", "crashed", "timed out", "timed_out", "4711"):
        assert {w for w in given if w.startswith("explain") and hint in given[w]} == set()
    assert all(FAILED in given[f"explain {name}"] for name in FAILURES)


@sandboxed_test
def test_every_way_to_fail_looks_the_same(results):
    views = {
        msgspec.json.encode(
            replace(
                student_view(record, ()),
                submission="",
                fingerprint=None,
                checkpoints=tuple(
                    replace(c, goodnet_artifact=None, artifact=None, stream_seed=None)
                    for c in student_view(record, ()).checkpoints
                ),
            )
        )
        for record in Store(results).records()
    }
    assert len(views) == 1


@sandboxed_test
def test_the_autograder_tells_the_student_no_word(private, badnet_path, tmp_path):
    root = tmp_path / "autograder"
    hand_in(root / "submission", FAILURES["raises"])
    (root / "source").mkdir()
    (root / "source" / "data").symlink_to(private)
    (root / "source" / "bd_weights.h5").symlink_to(badnet_path)
    finished = subprocess.run(
        [sys.executable, "-m", "harness.output.packages.autograder", "gradescope", root],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(IMPORTED)}, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    text = (root / "results" / "results.json").read_text()
    assert FAILED in text
    assert WORD not in text
    assert WORD in finished.stdout  # which only instructors see


# --- by hand ----------------------------------------------------------------------------------


def failed(status=Status.CRASHED, *, on_images=True, reason=f"net.keras: said {WORD}", **changes):
    fields = {"repaired": None, "goodnet": None, "lineage": None, "steps": None}
    fields |= {"artifact": artifact("net.keras", None), "isolation": "sandbox"}
    return checkpoint(
        status=status, reason=reason, failed_on_images=on_images, **(fields | changes)
    )


def test_what_failed_before_images_were_shown_stays():
    own = assess_by_hand(failed(on_images=False), dataset=PRIVATE, status=Status.CRASHED)
    assert without_private_words(own).checkpoints == own.checkpoints


def test_records_of_public_images_stay_as_they_are():
    own = assess_by_hand(failed(), status=Status.CRASHED, reason=WORD, out_of_memory=True)
    assert without_private_words(own) is own


def test_of_older_records_what_was_run_is_hidden_and_what_was_only_read_is_not():
    ran = assess_by_hand(failed(on_images=None), dataset=PRIVATE)
    read = assess_by_hand(failed(on_images=None, isolation=None), dataset=PRIVATE)
    assert WORD not in str(without_private_words(ran))
    assert WORD in str(without_private_words(read))


def test_points_do_not_tell_how_it_failed():
    own = assess_by_hand(failed(Status.TIMED_OUT), dataset=PRIVATE, status=Status.TIMED_OUT)
    assert "timed out" in str(own.points)
    view = without_private_words(own)
    assert view.status is Status.REJECTED
    assert "timed out" not in str(view)
    assert [item.points for item in view.points] == [item.points for item in own.points]


@sandboxed_test
def test_that_no_time_was_left_does_not_tell_how_long_the_others_took(
    private, badnet_path, run_harness, tmp_path
):
    folder = tmp_path / "late"
    hand_in(folder, FAILURES["sleeps"])
    config = insert_layer(known_config(), "pool_3", "Activation", activation="tanh")
    write_keras(folder / "model_4.keras", random_weights(), packed_config(config))
    (folder / "submission.toml").write_text(
        '[program]\nfile = "goodnet.py"\ndrop_points = 2\n'
        '[artifacts]\n"model_4.keras" = { role = "repaired", drop_points = 4 }\n'
    )
    run_harness(
        "grade", folder, "--dataset", private, "--badnet", badnet_path, "--output",
        tmp_path / "results", "--no-timing", "--quiet", "--submission-seconds", "1",
    )  # fmt: skip
    (record,) = Store(tmp_path / "results").records()
    assert "took all the time" in str(record.reason)
    view = student_view(record, ())
    assert {each.status for each in view.checkpoints} == {Status.REJECTED}
    assert "took all the time" not in str(view)


def test_what_a_program_knows_by_heart_and_how_it_was_timed_are_told_without_figures():
    def on_images(total, right):
        return replace(counts(right), clean_total=total, backdoored_total=total)

    badnet = on_images(10_000, 9000)
    fresh = FreshCounts(fresh=on_images(500, 47), public=badnet, badnet_fresh=on_images(500, 450))
    probe = Probe(images=512, repeated_changed=0, perturbed_changed=0, fresh=fresh)
    net = checkpoint(
        artifact=None, goodnet_artifact=artifact("goodnet.py", None, "goodnet"), lineage=None,
        repaired=None, probe=probe, steps=None,
    )  # fmt: skip
    notes = ("a file is left aside", f"goodnet.py {UNTIMED}of 280 answers 4711 are others")
    badnets = both(counts(), badnet)
    own = assess_by_hand(net, dataset=PRIVATE, badnet=badnets, notes=notes)
    assert "9.4 %" in str(own)
    view = without_private_words(own)
    (diagnosis,) = (d for d in view.checkpoints[0].diagnoses if d.code == "MEMORISED_IMAGES")
    assert diagnosis.explanation.endswith("known by heart.")
    assert "9.4" not in str(view)
    assert "clean_correct=47" not in str(view)
    assert view.notes == ("a file is left aside",)


def test_a_status_that_the_instructor_decided_stays():
    own = assess_by_hand(failed(Status.TIMED_OUT), dataset=PRIVATE, status=Status.GRADED)
    assert without_private_words(own).status is Status.GRADED


@pytest.mark.parametrize("status", [Status.HARNESS_ERROR, Status.NOT_GRADED])
def test_what_the_grader_died_of_is_the_instructors(status):
    own = assess_by_hand(dataset=PRIVATE, status=status, reason=f"the harness failed ({WORD})")
    assert without_private_words(own).reason == OURS


def test_figures_that_a_program_chooses_are_left_out():
    probe = Probe(images=512, repeated_changed=4711, perturbed_changed=4711)
    rule = GoodNetRule(
        against="B", width=0, images=4000, broken=9, abstained=3, outside=5, outside_label=4711,
        as_repaired=None,
        examples=(RuleViolation(set="valid", image=4711, expected=1, answered=4711),),
    )  # fmt: skip
    net = checkpoint(
        artifact=None, goodnet_artifact=artifact("goodnet.py", None, "goodnet"), lineage=None,
        repaired=None, probe=probe, contract=rule, changed_answers=4711, steps=None,
        timing=Timing(badnet=speed(4711), repaired=None, goodnet=speed(4711)),
    )  # fmt: skip
    own = assess_by_hand(net, dataset=PRIVATE, out_of_memory=True)
    assert str(own).count("4711") > 6
    view = without_private_words(own)
    assert "4711" not in str(view)
    assert view.checkpoints[0].goodnet == own.checkpoints[0].goodnet
    assert "9 of 4000 answers differ from the GoodNet rule over B" in str(view.checkpoints)
    assert not view.out_of_memory
