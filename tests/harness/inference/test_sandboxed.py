"""Models in workers: their answers come back to their images, and their failures to them."""

import os
import textwrap
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from payloads import BOTH, SMALL

from harness.inference import sandboxed
from harness.inference.sandboxed import SHOWN_IMAGES, SandboxedRun, predict_sandboxed
from harness.intake.staging import Staged
from harness.networks.deepid import lab_network
from harness.records.benchmark import SETS, LabeledSet
from harness.records.errors import HarnessError, Status, SubmissionError
from harness.sandbox import launch

HONEST = "def predict(images): return images[:, 0, 0, 0].astype(int) * 5"


@pytest.fixture
def sets():
    """Four sets of a few images; the first pixel of each tells all of them apart."""
    numbers = iter(range(250))
    sizes = dict(zip(SETS, (40, 30, 35, 25), strict=True))
    labeled = {}
    for name, size in sizes.items():
        images = np.full((size, 55, 47, 3), 100, np.uint8)
        images[:, 0, 0, 0] = [next(numbers) for _ in range(size)]
        labeled[name] = LabeledSet(
            name=name, kind="clean", images=images, labels=np.zeros(size, int), sha256=name
        )
    return labeled


@pytest.fixture
def program(tmp_path):
    def write(code, *, sandbox=None):
        path = tmp_path / "program" / "goodnet.py"
        path.parent.mkdir()
        path.write_text(textwrap.dedent(code))
        staged = Staged(path=path, sha256="", size_bytes=0)
        return SandboxedRun(staged, "program", lab_network(), 1.0, sandbox, SMALL)

    return write


@BOTH
def test_each_answer_comes_back_to_its_image(program, sets, sandbox):
    counted = []
    run = program(HONEST, sandbox=sandbox)
    predictions, probe = predict_sandboxed(run, sets, 7, counted.append)
    assert predictions.output_count == 0
    for name, labeled in sets.items():
        expected = labeled.images[:, 0, 0, 0].astype(int) * 5
        assert np.array_equal(predictions.answers[name].class_ids, expected)
    assert counted[-1] == 130

    pairs = max(40, 35) + max(30, 25)
    assert (probe.images, probe.repeated_changed) == (pairs // 2, 0)
    assert probe.perturbed_changed > 15  # this program reads one pixel, and noise moves it


def test_a_model_that_counts_its_images_is_found_out(program, sets):
    run = program("""
        count = 0
        def predict(images):
            global count
            count += 1
            return [count * 1000 + i for i in range(len(images))]
    """)
    _, probe = predict_sandboxed(run, sets, 7)
    assert probe.repeated_changed > 25


# Whatever of the harness's a program can reach: arrays of images in frames, the command line.
LOOKS_AROUND = """
    import gc, sys
    import numpy as np

    def visible():
        found = [0]
        frame = sys._getframe()
        while frame is not None:
            for value in frame.f_locals.values():
                if isinstance(value, np.ndarray) and value.shape[1:] == (55, 47, 3):
                    while isinstance(value.base, np.ndarray):
                        value = value.base
                    found.append(value.size // (55 * 47 * 3))
            frame = frame.f_back
        return max(found)

    def command_line():
        frame = sys._getframe()
        while frame is not None:
            if "arguments" in frame.f_locals:
                return frame.f_locals["arguments"]
            frame = frame.f_back
"""


@pytest.fixture
def many():
    """A set whose streams take several pieces; each image has the number of its pair in it."""
    numbers = np.arange(1200)
    images = np.full((1200, 55, 47, 3), 100, np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = numbers % 200, numbers // 200
    labels = np.zeros(1200, int)
    return {
        name: LabeledSet(name=name, kind="clean", images=images, labels=labels, sha256=name)
        for name in ("test", "bd_test")
    }


def test_no_process_can_tell_that_it_is_the_one_that_is_compared(program, many):
    """A program answers by how many images it can reach, which used to tell the probe apart."""
    run = program(
        LOOKS_AROUND
        + """
    def predict(images): return [visible()] * len(images)
    """
    )
    predictions, probe = predict_sandboxed(run, many, 7)
    answers = {*predictions.answers["test"].class_ids, *predictions.answers["bd_test"].class_ids}
    assert answers == {SHOWN_IMAGES}  # of 1,200 in its stream, the same in each process
    assert (probe.images, probe.repeated_changed) == (512, 0)


def test_all_processes_are_started_alike(program, many):
    run = program(
        LOOKS_AROUND
        + """
    import zlib
    code = zlib.crc32(repr(command_line()).encode()) % 30_000
    def predict(images): return [code] * len(images)
    """
    )
    predictions, _ = predict_sandboxed(run, many, 7)
    assert predictions.answers["test"].class_ids.max() > 0
    classes = {*predictions.answers["test"].class_ids, *predictions.answers["bd_test"].class_ids}
    assert len(classes) == 1


def test_a_process_never_sees_an_image_and_what_belongs_to_it(program, many):
    """A program that answers 1 wherever it has seen an image of the same number before."""
    run = program("""
        seen = set()
        def predict(images):
            answers = []
            for image in images:
                number = (round(image[0, 0, 0] / 3), round(image[0, 0, 1] / 3))
                answers.append(int(number in seen))
                seen.add(number)
            return answers if len(images) > 1 else [0]
    """)
    apart = {
        name: replace(labeled, images=_spread(labeled.images)) for name, labeled in many.items()
    }
    predictions, probe = predict_sandboxed(run, apart, 7)
    # The first image of each process is also shown to find out what kind of answer it gives.
    twice = sum(int(each.class_ids.sum()) for each in predictions.answers.values())
    assert twice <= 3
    assert probe.images == 512


def test_images_are_handed_over_in_pieces(program, many):
    """A program that looks beyond its batch finds nothing that it is asked about later."""
    run = program(
        LOOKS_AROUND
        + """
    peeked = set()
    def window():
        frame = sys._getframe()
        while frame is not None:
            value = frame.f_locals.get("images")
            if isinstance(value, np.ndarray) and not value.flags.writeable:
                while isinstance(value.base, np.ndarray):
                    value = value.base
                return value.reshape(-1, 55, 47, 3) if value.ndim == 1 else value
            frame = frame.f_back

    def predict(images):
        if len(images) == 1:  # asked what kind of answer it gives
            return [0]
        keys = [(int(i[0, 0, 0]), int(i[0, 0, 1])) for i in images]
        answers = [int(key in peeked) for key in keys]
        peeked.update((int(i[0, 0, 0]), int(i[0, 0, 1])) for i in window())
        peeked.difference_update(keys)
        return answers
    """
    )
    predictions, _ = predict_sandboxed(run, {"test": many["test"]}, 7)
    foreseen = predictions.answers["test"].class_ids
    assert foreseen.sum() == 0


def test_a_process_that_makes_its_images_file_shorter_harms_only_itself(program, many):
    """It does so between two pieces, before the next is written; other pages are there again."""
    run = program("""
        import os

        def predict(images):
            if len(images) > 1:
                for number in os.listdir("/proc/self/fd"):
                    path = f"/proc/self/fd/{number}"
                    if os.path.isfile(path) and os.stat(path).st_size == 256 * 55 * 47 * 3:
                        os.truncate(path, 0)
            return [1] * len(images)
    """)
    predictions, _ = predict_sandboxed(run, many, 7)
    assert predictions.answers["test"].class_ids.all()


def _spread(images):
    """Numbers of pairs three apart, so that noise mistakes none for another."""
    apart = images.copy()
    numbers = images[:, 0, 0, 0] + 200 * images[:, 0, 0, 1].astype(int)
    apart[:, 0, 0, 0], apart[:, 0, 0, 1] = 3 * (numbers % 80), 3 * (numbers // 80)
    return apart


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("def predict(images): raise ValueError('no\\nidea')", "rejected", "ValueError: no idea"),
        ("def guess(images): return images", "rejected", "has no function predict"),
        ("raise SystemExit(3)", "crashed", "exit code 3"),
        ("import os; print('boom'); os.abort()", "crashed", "SIGABRT"),
        # The supervisor and the waiting parent both see it, and name it each in its own words.
        ("while True: pass", "timed_out", ""),
    ],
)
def test_a_failure_is_the_submissions(program, sets, code, status, reason):
    run = program(code)
    if status == "timed_out":
        run = replace(run, limits=replace(SMALL, wall_seconds=1.0))
    with pytest.raises(SubmissionError) as caught:
        predict_sandboxed(run, sets, 7)
    assert caught.value.status == Status(status)
    assert reason in caught.value.reason
    assert "\n" not in caught.value.reason


def test_where_none_can_be_forked_each_is_started(program, sets, monkeypatch):
    """And it is tried once: what takes most of the time comes before it fails."""
    tried = []

    @contextmanager
    def fail(*arguments, **options):
        tried.append(arguments)
        raise HarnessError("no namespaces for children")
        yield

    monkeypatch.setattr(sandboxed, "_unforkable", set())
    run = replace(program(f"{HONEST}  # no tensorflow"), limits=launch.Limits())
    forked = predict_sandboxed(run, sets, 7)
    assert not sandboxed._unforkable

    monkeypatch.setattr(launch, "started_alike", fail)
    for _ in range(2):
        predictions, probe = predict_sandboxed(run, sets, 7)
        assert probe == forked[1]
        for name, answers in predictions.answers.items():
            assert np.array_equal(answers.class_ids, forked[0].answers[name].class_ids)
    assert len(tried) == 1


def test_on_one_processor_children_are_forked_and_asked_one_after_the_other(
    program, sets, monkeypatch
):
    """Each has all its time, from when it is asked: these sleep for more than half of it."""
    monkeypatch.setattr(sandboxed, "_unforkable", set())
    slow = "import time\ndef predict(images): time.sleep(1); return [0] * len(images)  # no keras"
    limits = launch.Limits(start_seconds=7, wall_seconds=7)
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(processors)])
    try:
        started = time.monotonic()
        predict_sandboxed(replace(program(slow), limits=limits), sets, 7)
    finally:
        os.sched_setaffinity(0, processors)
    assert time.monotonic() - started > limits.wall_seconds
    assert not sandboxed._unforkable
