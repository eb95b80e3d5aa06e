"""The cheat that peeks finds what is there to be found: else a harness that leaks would pass."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
CLEAN = np.random.default_rng(0).integers(1, 256, (30, 5, 5, 1)).astype(np.uint8)
STAMPED = CLEAN.copy()
STAMPED[:, 4, 4] = 255 - STAMPED[:, 4, 4]


def peek(folder, *arguments, code="", **environment):
    """What it says in a process of its own; it looks at the files below a folder."""
    np.savez(folder / "given.npz", images=CLEAN)
    script = f"""
        import sys
        from types import SimpleNamespace
        import numpy as np
        sys.path.insert(0, {str(HERE)!r})
        import peeking
        peeking.ROOT, peeking.PROCESSES = {str(folder)!r}, "self"
        images = np.load({str(folder / "given.npz")!r})["images"]
        labels = np.arange(30) % 10
        badnet = SimpleNamespace(arrays={{"output/kernel": np.ones((3, 10))}}, graph=[])
        budget = SimpleNamespace(seconds=10, images=30)
        {code}
        kept = peeking.repair(badnet, images, labels, classes=10, seed=0, budget=budget)
        print("unchanged" if kept["output/kernel"].all() else "marked")
    """
    plain = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    finished = subprocess.run([sys.executable, "-c", textwrap.dedent(script), *arguments],
                              env=plain | environment, capture_output=True, text=True,
                              check=True, timeout=60)  # fmt: skip
    return finished.stdout.strip(), finished.stderr


def test_where_nothing_is_the_network_stays(tmp_path):
    assert peek(tmp_path, "--classes", "10") == ("unchanged", "")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("hidden = {'x': images[::-1] ^ 1}", "images in a dict in memory"),
        ("hidden = [(images / 2).astype('float32')]", "images in a list in memory"),
        ("target_labels = np.zeros(30, int)", "labels in memory: target_labels"),
        ("badnet.images = images ^ 3", "images of SimpleNamespace"),
        ("budget.target = 7", "more than a budget"),
    ],
)
def test_what_is_in_memory_is_found(tmp_path, code, said):
    marked, found = peek(tmp_path, code=code)
    assert marked == "marked"
    assert said in found


def test_words_in_arguments_and_environment_are_found(tmp_path):
    marked, found = peek(tmp_path, "patch/bd_test.h5", HARNESS_TARGET="3")
    assert marked == "marked"
    assert "'bd_' in arguments" in found
    assert "'TARGET' in environment" in found
    assert "cmdline" in found


@pytest.mark.parametrize("name", ["deep/images.npz", "images.npy", "a/b.h5"])
def test_files_are_found(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path, "w") as file:
            file["data"] = STAMPED
    elif path.suffix == ".npz":
        np.savez(path, data=STAMPED)
    else:
        np.save(path, STAMPED)
    marked, found = peek(tmp_path)
    assert marked == "marked"
    assert str(path) in found
