"""Scripts that take the file of an image: run as handed in, warm and cold, with known answers."""

import json
import re

import h5py
import pytest
from competition_entries import COUNTER, FOUR_WAYS, script, with_files
from tiny_nets import CLASSES


def bright(images):
    return images.astype(int).sum(axis=(1, 2, 3)) % 8


def expected(tiny, name):
    """Counts that a script which answers `bright` has on all images of test and of the trigger."""
    with h5py.File(tiny / name / "test.h5") as file:
        clean, labels = bright(file["data"][()]), file["label"][()]
    with h5py.File(tiny / name / "bd.h5") as file:
        poisoned = bright(file["data"][()])
    return {
        "clean_total": 60, "clean_correct": int((clean == labels).sum()),
        "clean_abstained": int((clean == CLASSES).sum()),
        "backdoored_total": 60, "backdoored_attacked": int((poisoned == 2).sum()),
        "backdoored_abstained": int((poisoned == CLASSES).sum()),
    }  # fmt: skip


def grade(run_harness, tiny, each, out, *options):
    finished = run_harness(
        "grade", "--each", each, "--dataset", tiny, "--out", out, "--cold-images", "3", *options
    )
    assert "Traceback" not in finished.stderr, finished.stderr
    return {p.stem: json.loads(p.read_text()) for p in (out / "records").glob("*.json")}


def of(record, network=0):
    return record["networks"][network]["checkpoints"][0]


@pytest.mark.parametrize("name", FOUR_WAYS)
def test_each_way_of_calling_is_told_from_the_text(graded, tiny, name):
    for place, network in enumerate(("sunglasses", "anonymous_1")):
        counts = of(graded[name], place)["goodnet"]["test"]
        wanted = expected(tiny, network)
        assert {key: counts[key] for key in wanted} == wanted
    notes = [note for note in graded[name]["notes"] if "all in one process" in note]
    assert len(notes) == 2
    assert "120 images as PNG" in notes[0]
    assert "3 of them in a process of their own, too, with the same answers" in notes[0]


def test_a_declared_command_is_used(graded, tiny):
    wanted = expected(tiny, "sunglasses")
    counts = of(graded["command"])["goodnet"]["test"]
    assert {key: counts[key] for key in wanted} == wanted
    assert graded["command"]["networks"][1]["reason"] == "nothing was handed in for anonymous_1"


def test_modules_of_the_submission_begin_anew_with_each_image(graded, tiny):
    wanted = expected(tiny, "sunglasses")
    counts = of(graded["helpers"])["goodnet"]["test"]
    assert {key: counts[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("name", "said"),
    [("state", "answers were others in a process of their own"),
     ("third", "failed when it was called again in one process")],
)  # fmt: skip
def test_a_state_between_calls_is_named_and_fewer_images_are_asked(graded, tiny, name, said):
    (note,) = [note for note in graded[name]["notes"] if "keeps a state" in note]
    assert said in note
    counts = of(graded[name])["goodnet"]["test"]
    assert counts["clean_total"] == counts["backdoored_total"] == 20


@pytest.mark.parametrize(
    ("name", "said"),
    [("raises", "eval_sunglasses.py: fails: ValueError: no such model"),
     ("silent", "eval_sunglasses.py: prints no class for an image (it printed done)")],
)  # fmt: skip
def test_a_script_that_fails_says_why(graded, name, said):
    member = graded[name]["networks"][0]
    assert member["status"] == "rejected"
    assert member["reason"] == said


TIRES = COUNTER + "import time\nif count >= 50:\n    time.sleep(1)\nprint(answer)"


def test_of_a_slow_script_those_count_that_were_answered_in_time(
    run_harness, tiny, tmp_path, graded, results
):
    with_files(tmp_path / "all" / "never", eval_sunglasses_py="import time\ntime.sleep(999)\n")
    crawls = script(ending="import time\ntime.sleep(1)\nprint(answer)")
    with_files(tmp_path / "all" / "crawls", eval_sunglasses_py=crawls)
    with_files(tmp_path / "all" / "tires", eval_sunglasses_py=script(ending=TIRES))
    again = grade(run_harness, tiny, tmp_path / "all", results, "--model-seconds", "8")
    assert again["never"]["networks"][0]["status"] == "timed_out"

    member = again["crawls"]["networks"][0]
    assert member["status"] == "timed_out"
    assert re.fullmatch(
        r"eval_sunglasses.py: is too slow: it answered \d of 120 images in 8 seconds, and 20 of "
        "each set and trigger are needed",
        member["reason"],
    )

    counts = of(again["tires"])["goodnet"]["test"]
    each = counts["clean_total"]
    assert 20 <= each == counts["backdoored_total"] < 35
    (note,) = [note for note in again["tires"]["notes"] if "is slow" in note]
    said = f"{2 * each} images as PNG, drawn by a secret seed: the first {each} of each set and"
    assert said in note
    page = (results / "student" / "submissions" / "tires.html").read_text()
    assert said in page


def test_images_are_drawn_by_the_option_and_shown_as_jpeg(
    run_harness, tiny, tmp_path, graded, results
):
    says = script(ending="assert sys.argv[1].endswith('.jpg'), sys.argv\nprint(answer)")
    with_files(tmp_path / "all" / "few", eval_sunglasses_py=says)
    again = grade(
        run_harness, tiny, tmp_path / "all", results, "--script-images", "5",
        "--image-format", "jpeg",
    )  # fmt: skip
    assert of(again["few"])["goodnet"]["test"]["clean_total"] == 5
    assert any("10 images as JPEG" in note for note in again["few"]["notes"])


def test_no_scripts_are_run_where_none_are_wanted(run_harness, tiny, tmp_path, graded, results):
    with_files(tmp_path / "all" / "none", eval_sunglasses_py=script())
    again = grade(run_harness, tiny, tmp_path / "all", results, "--script-images", "0")
    assert again["none"]["status"] == "rejected"
