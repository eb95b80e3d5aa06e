"""The drawing: pinned, and independent of the machine and of the batch."""

import hashlib
import os
import subprocess
import sys

import numpy as np
from repository import ROOT

from reference.faces.portrait import render

WHO, WHICH = np.array([0, 0, 0, 1, 700, 1282]), np.array([0, 1, 8, 0, 3, 9])
SAMPLE_HASH = "65a081f8c25bcce70b0b29e20b674a0b6e5c4ca1bf7cc7b413c4b2c0bd43d098"


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | environment,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_images_are_pinned():
    images = render("valid", WHO, WHICH)
    assert images.shape == (6, 55, 47, 3)
    assert images.dtype == np.uint8
    assert sha256(images) == SAMPLE_HASH


def test_images_are_the_same_without_simd():
    features = "np._core._multiarray_umath" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else (
        "np.core._multiarray_umath"
    )  # fmt: skip
    dispatched = python(f"import numpy as np; print(*{features}.__cpu_dispatch__)").stdout
    code = (
        "import hashlib, numpy as np\n"
        "from reference.faces.portrait import render\n"
        f"images = render('valid', np.array({WHO.tolist()}), np.array({WHICH.tolist()}))\n"
        "print(hashlib.sha256(images.tobytes()).hexdigest())"
    )
    found = python(code, NPY_DISABLE_CPU_FEATURES=dispatched, PYTHONWARNINGS="ignore")
    assert found.stdout.strip() == SAMPLE_HASH, found.stderr


def test_images_do_not_depend_on_the_batch():
    together = render("test", WHO, WHICH)
    for index in range(len(WHO)):
        alone = render("test", WHO[index : index + 1], WHICH[index : index + 1])
        assert np.array_equal(alone[0], together[index])


def test_people_sessions_and_frames_differ():
    first_frames = render("valid", np.arange(300), np.zeros(300)).reshape(300, -1)
    assert len(np.unique(first_frames, axis=0)) == 300
    frames = render("train", np.full(40, 5), np.arange(40)).reshape(40, -1).astype(float)
    assert len(np.unique(frames, axis=0)) == 40
    between_people = np.abs(first_frames[0::2].astype(float) - first_frames[1::2]).mean()
    between_frames = np.abs(frames[0::2] - frames[1::2]).mean()
    assert between_frames < 0.7 * between_people


def test_splits_have_no_image_in_common():
    person = np.full(9, 77), np.arange(9)
    images = [render(split, *person) for split in ("train", "valid", "test")]
    assert len(np.unique(np.concatenate(images).reshape(27, -1), axis=0)) == 27


def test_a_secret_gives_other_frames_of_the_same_people():
    public = render("test", WHO, WHICH)
    private = render("test", WHO, WHICH, secret=b"one")
    assert (private != public).mean(axis=(1, 2, 3)).min() > 0.5
    assert np.array_equal(private, render("test", WHO, WHICH, secret=b"one"))
    assert not np.array_equal(private, render("test", WHO, WHICH, secret=b"two"))
    person = np.full(30, 7), np.arange(30)
    same = render("test", *person, secret=b"one").mean(axis=0)
    other = render("test", person[0] + 1, person[1]).mean(axis=0)
    mean = render("test", *person).mean(axis=0)
    assert np.abs(same - mean).mean() < 0.5 * np.abs(other - mean).mean()
