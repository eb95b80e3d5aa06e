"""Drawing: the same pixels whatever the processor and the batch; classes that can be told apart."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from repository import ROOT

from reference.signs.catalogue import BOARDS, CELLS, CLASSES, pictograms
from reference.signs.scene import render

LABELS, FRAMES = np.array([0, 6, 12, 13, 14, 19, 31, 38, 42]), np.arange(9)
SAMPLE_HASH = "afa4c68df0984e90ed82c3b97b3cba71e3225348770905597cd7c41c3465d77c"


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def test_images_are_pinned():
    images = render("valid", LABELS, FRAMES)
    assert (images.shape, images.dtype) == ((9, 32, 32, 3), np.uint8)
    assert sha256(images) == SAMPLE_HASH


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_images_are_the_same_without_simd():
    features = "np._core._multiarray_umath" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else (
        "np.core._multiarray_umath"
    )  # fmt: skip
    dispatched = python(f"import numpy as np; print(*{features}.__cpu_dispatch__)").stdout
    code = (
        "import hashlib, numpy as np\n"
        "from reference.signs.scene import render\n"
        f"images = render('valid', np.array({LABELS.tolist()}), np.arange(9))\n"
        "print(hashlib.sha256(images.tobytes()).hexdigest())"
    )
    found = python(code, NPY_DISABLE_CPU_FEATURES=dispatched, PYTHONWARNINGS="ignore")
    assert found.stdout.strip() == SAMPLE_HASH, found.stderr


def test_images_do_not_depend_on_the_batch():
    together = render("test", LABELS, FRAMES)
    for index in range(len(LABELS)):
        alone = render("test", LABELS[index : index + 1], FRAMES[index : index + 1])
        assert np.array_equal(alone[0], together[index])


def test_photographs_and_splits_differ():
    same_sign = np.full(20, 5), np.arange(20)
    images = [render(split, *same_sign) for split in ("train", "valid", "test")]
    assert len(np.unique(np.concatenate(images).reshape(60, -1), axis=0)) == 60


def test_a_secret_gives_other_photographs_of_the_same_signs():
    public = render("test", LABELS, FRAMES)
    private = render("test", LABELS, FRAMES, secret=b"one")
    assert (private != public).mean(axis=(1, 2, 3)).min() > 0.5
    assert np.array_equal(private, render("test", LABELS, FRAMES, secret=b"one"))
    assert not np.array_equal(private, render("test", LABELS, FRAMES, secret=b"two"))


def test_a_sign_is_at_its_place_and_in_its_colours():
    frames = np.arange(200)
    stop = render("train", np.full(200, 14), frames).astype(float).mean(axis=0)
    order = render("train", np.full(200, 33), frames).astype(float).mean(axis=0)
    red_disc, blue_disc = stop[8:12, 12:20].mean(axis=(0, 1)), order[8:12, 12:20].mean(axis=(0, 1))
    assert red_disc[0] > 1.5 * red_disc[1]
    assert blue_disc[2] > 1.3 * blue_disc[0]


# --- The catalogue


def test_every_class_looks_different():
    drawn = pictograms()
    assert len(CLASSES) == len(drawn) == 43
    looks = {(style, drawn[index].tobytes()) for index, (style, _) in enumerate(CLASSES)}
    assert len(looks) == 43
    assert {style.board for style, _ in CLASSES} == set(BOARDS)


@pytest.mark.parametrize(("left", "right"), [(19, 20), (34, 33), (37, 36), (39, 38)])
def test_signs_to_the_left_are_mirrored(left, right):
    drawn = pictograms()
    assert np.array_equal(drawn[left], drawn[right][:, ::-1])
    assert not np.array_equal(drawn[left], drawn[right])


def test_pictograms_fill_their_cells():
    drawn = pictograms()
    assert drawn.shape[1:] == (CELLS, CELLS)
    assert set(np.unique(drawn)) == {0, 1}
    empty = [index for index in range(43) if not drawn[index].any()]
    assert empty == [12, 13, 15, 32]
