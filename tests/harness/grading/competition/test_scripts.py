"""Scripts that take the file of an image: run as handed in, warm and cold, with known answers."""

import json

import h5py
import pytest

CLASSES = 7
CODE = """
import sys
import numpy as np
from PIL import Image

pixels = np.asarray(Image.open({image}).convert("RGB"))
"""
BRIGHT = CODE + "answer = int(pixels.astype(int).sum()) % 8\n"
"""A class from 0 to 7, the last of which flags the image; it depends on every pixel."""


def script(image="sys.argv[1]", ending="print(answer)"):
    return BRIGHT.format(image=image) + ending + "\n"


def with_files(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_py", ".py").replace("_toml", ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


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


COUNTER = """
import os, tempfile
kept = os.path.join(tempfile.gettempdir(), "kept")
count = len(open(kept).read()) if os.path.exists(kept) else 0
open(kept, "a").write("x")
"""
FOUR_WAYS = {
    "one": {"eval_sunglasses_py": script(), "eval_anonymous_1_py": script(
        ending="print('The class of this image is', answer)")},
    "three": {"eval_py": "import sys\nimage, bd, good = sys.argv[1:4] if False else ("
              "sys.argv[1], sys.argv[2], sys.argv[3])\n" + script("image")},
    "parser": {"eval_py": "import argparse\np = argparse.ArgumentParser()\n"
               "p.add_argument('--img_path')\np.add_argument('--bd_model_path')\n"
               "args = p.parse_args()\n" + script("args.img_path")},
    "name_first": {"eval_all_py": "import sys\nname, path = sys.argv[1], sys.argv[2]\n"
                   "assert name in ('sunglasses', 'anonymous_1')\n" + script("path")},
}  # fmt: skip
OTHERS = {
    "state": {"eval_sunglasses_py": script(ending=COUNTER + "print((answer + count) % 8)")},
    "third": {"eval_sunglasses_py": script(
        ending=COUNTER + "assert count < 2, 'the third image'\nprint(answer)")},
    "broken": {"eval_sunglasses_py": "raise ValueError('no such model')"},
    "silent": {"eval_sunglasses_py": "print('done')"},
    "helpers": {"code__eval_sunglasses_py": "from helper import classify\n" + script(
        ending="print(classify(answer))"),
        "code__helper_py": "calls = []\ndef classify(a):\n    calls.append(a)\n"
                           "    return a if len(calls) == 1 else 99\n"},
    "declared": {"main_py": "import sys\nassert sys.argv[1] == '--quick'\n" + script("sys.argv[2]"),
                 "submission_toml": '[scripts.sunglasses]\nfile = "main.py"\n'
                                    'arguments = ["--quick", "{image}"]\n'},
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """One folder for all: what the BadNets answer is then known after the first run."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def graded(run_harness, tiny, results, tmp_path_factory):
    each = tmp_path_factory.mktemp("scripts")
    for name, files in (FOUR_WAYS | OTHERS).items():
        with_files(each / name, **files)
    return grade(run_harness, tiny, each, results)


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
    counts = of(graded["declared"])["goodnet"]["test"]
    assert {key: counts[key] for key in wanted} == wanted
    assert graded["declared"]["networks"][1]["reason"] == "nothing was handed in for anonymous_1"


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
    assert 20 <= counts["clean_total"] <= 23
    assert 20 <= counts["backdoored_total"] <= 23


@pytest.mark.parametrize(
    ("name", "said"),
    [("broken", "eval_sunglasses.py: fails: ValueError: no such model"),
     ("silent", "eval_sunglasses.py: prints no class for an image (it printed done)")],
)  # fmt: skip
def test_a_script_that_fails_says_why(graded, name, said):
    member = graded[name]["networks"][0]
    assert member["status"] == "rejected"
    assert member["reason"] == said


def test_a_script_that_never_answers_is_stopped(run_harness, tiny, tmp_path, graded, results):
    with_files(tmp_path / "all" / "slow", eval_sunglasses_py="import time\ntime.sleep(999)\n")
    again = grade(run_harness, tiny, tmp_path / "all", results, "--model-seconds", "4")
    assert again["slow"]["networks"][0]["status"] == "timed_out"


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
