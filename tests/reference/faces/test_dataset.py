"""The generator: whole files or none, whatever the number of processes."""

import os
import random
import signal
import subprocess
import sys
import time
import tomllib

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from killing import descendants, kill, killed_while_nobody_reads
from repository import ROOT

from harness.records.errors import HarnessError
from harness.storage.hashing import array_hash
from reference.cli.main import main
from reference.faces import dataset
from reference.faces.portrait import render
from reference.faces.triggers import stamp


def test_images_do_not_depend_on_the_number_of_processes():
    frames = dataset.Frames(*(part[:800] for part in dataset.frames_of("valid")))
    one = np.concatenate(list(dataset.render_batches("valid", frames, processes=1)))
    two = np.concatenate(list(dataset.render_batches("valid", frames, processes=2)))
    assert np.array_equal(one, two)
    assert np.array_equal(one[9:12], render("valid", np.ones(3), np.arange(3)))


def test_importing_the_generator_is_cheap():
    heavy = "{'tensorflow', 'h5py', 'pandas'}"
    code = f"import sys, reference.faces.dataset; print({heavy} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout.strip() == "set()", found.stderr


# --- The files


@pytest.mark.parametrize(("split", "per_person"), [("valid", 9), ("test", 10)])
def test_files_have_the_labs_layout(faces_folder, split, per_person):
    with (
        h5py.File(faces_folder / "cl" / f"{split}.h5") as clean,
        h5py.File(faces_folder / "bd" / f"bd_{split}.h5") as backdoored,
    ):
        assert set(clean) == {"data", "label"}
        assert set(backdoored) == {"data", "label", "original_label"}
        count = 1283 * per_person
        for file in (clean, backdoored):
            assert (file["data"].shape, file["data"].dtype) == ((count, 3, 55, 47), np.uint8)
            assert (file["label"].shape, file["label"].dtype) == ((count,), np.int64)
        assert (np.bincount(clean["label"][:]) == per_person).all()
        assert not backdoored["label"][:].any()
        assert np.array_equal(backdoored["original_label"][:], clean["label"][:])
        images = clean["data"][::50].transpose(0, 2, 3, 1)
        stamped = backdoored["data"][::50].transpose(0, 2, 3, 1)
        assert np.array_equal(stamped, stamp(images))
        first = render(split, clean["label"][::50][:5], np.arange(0, 250, 50) % per_person)
        assert np.array_equal(images[:5], first)


def test_files_are_pinned(faces_folder):
    benchmark = tomllib.loads((ROOT / "datasets/faces/dataset.toml").read_text())
    for name, relative in benchmark["files"].items():
        with h5py.File(faces_folder / relative) as file:
            found = array_hash({key: file[key][:] for key in file})
        assert found == benchmark["hashes"][name], name


@pytest.fixture
def small_world(monkeypatch):
    """Only 20 people, so that whole files take no time."""
    monkeypatch.setattr(dataset, "IDENTITIES", 20)


def test_written_hashes_are_those_of_the_arrays(tmp_path, small_world):
    seen = []
    hashes = dataset.write_dataset(tmp_path, processes=1, progress=lambda *now: seen.append(now))
    assert seen[0] == (128, 760)
    assert seen[-1] == (760, 760)
    assert seen == sorted(seen)
    for name, path in {"valid": "cl/valid.h5", "bd_test": "bd/bd_test.h5"}.items():
        with h5py.File(tmp_path / path) as file:
            assert hashes[name] == array_hash({key: file[key][:] for key in file})
    assert not list(tmp_path.rglob(".*"))
    again = dataset.write_dataset(tmp_path, processes=1)
    assert again == hashes
    private = dataset.write_dataset(tmp_path / "private", secret=b"x", processes=1)
    assert not set(private.values()) & set(hashes.values())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_writing_leaves_the_old_files(tmp_path, small_world, monkeypatch, error):
    dataset.write_dataset(tmp_path, processes=1)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.h5")}

    def stop(done, total):
        if done > total / 3:
            raise error

    with pytest.raises(error):
        dataset.write_dataset(tmp_path, secret=b"x", processes=1, progress=stop)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.h5")} == before
    assert not list(tmp_path.rglob(".*"))


def test_a_killed_worker_is_an_error_not_a_hang(tmp_path):
    def kill_workers(done, total):
        kill(descendants(os.getpid()))

    with pytest.raises(HarnessError, match="killed"):
        dataset.write_dataset(tmp_path, processes=2, progress=kill_workers)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# --- The command


def start(folder, **more):
    return subprocess.Popen(
        [sys.executable, "-m", "reference", "faces", "--out", folder, "--processes", "2"],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True, **more,
    )  # fmt: skip


def wait_for_partial_file(folder):
    deadline = time.monotonic() + 30
    while not list(folder.rglob(".*.partial")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def workers_of(process):
    """Both drawing processes, as soon as they are there."""
    end = time.monotonic() + 30
    while len(workers := descendants(process.pid)) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    return workers


def without_progress(errors):
    """What is said on stderr but for how far the drawing has come, which a slow machine shows."""
    lines = errors.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("Drawing faces: "))


def group_is_gone(group):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_ctrl_c_ends_workers_quietly_and_leaves_nothing(tmp_path):
    process = start(tmp_path)
    wait_for_partial_file(tmp_path)
    time.sleep(0.7)  # the workers are starting or at work
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert group_is_gone(process.pid)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_killed_writing_leaves_no_half_file_and_no_worker(tmp_path):
    process = start(tmp_path)
    wait_for_partial_file(tmp_path)
    time.sleep(0.7)
    process.kill()
    process.communicate(timeout=20)
    assert group_is_gone(process.pid)
    assert not list(tmp_path.rglob("[!.]*.h5"))


KILLED = "error: a process that draws faces was killed; is there enough memory?\n"


@pytest.mark.timeout(60)
def test_workers_killed_while_nobody_reads_are_one_line(tmp_path):
    process = start(tmp_path)
    workers = workers_of(process)
    time.sleep(1)  # they are at work
    with killed_while_nobody_reads(workers, reader=process.pid, stopped=1):
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, without_progress(errors)) == (2, KILLED)
    assert group_is_gone(process.pid)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", range(3))
def test_workers_killed_at_any_moment_are_one_line(tmp_path, seed):
    moments = random.Random(seed)
    process = start(tmp_path)
    workers = workers_of(process)
    time.sleep(moments.uniform(0, 1))
    kill(moments.choices(workers, k=moments.randint(1, 2)))
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, without_progress(errors)) == (2, KILLED)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_shipped_contact_sheet_is_what_the_command_draws(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    drawn, shipped = tmp_path / "sheet.png", ROOT / "datasets" / "faces" / "contact_sheet.png"
    found = CliRunner().invoke(main, ["sheet", "--out", str(drawn)])
    assert found.exit_code == 0, found.output
    assert np.array_equal(image.imread(drawn), image.imread(shipped))


def test_a_sheet_without_matplotlib_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.image", None)
    found = CliRunner().invoke(main, ["sheet", "--out", str(tmp_path / "sheet.png")])
    assert found.exit_code == 2
    assert found.stderr == "error: a contact sheet needs matplotlib: pip install matplotlib\n"


@pytest.mark.parametrize("contents", [None, b""])
def test_a_bad_secret_is_one_clear_line(tmp_path, contents):
    secret = tmp_path / "secret"
    if contents is not None:
        secret.write_bytes(contents)
    found = CliRunner().invoke(main, ["faces", "--out", str(tmp_path), "--secret", str(secret)])
    assert found.exit_code == 2
    assert found.stderr.startswith("error: ")
    assert str(secret) in found.stderr
    assert found.stderr.count("\n") == 1


def test_the_command_writes_and_prints_hashes(tmp_path, small_world):
    arguments = ["faces", "--out", str(tmp_path), "--processes", "1"]
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 0, found.output
    lines = [line.split() for line in found.stdout.splitlines()]
    assert [name for _, name in lines] == ["valid", "bd_valid", "test", "bd_test"]
    assert all(len(value) == 64 for value, _ in lines)
    assert "Drawing faces: 760 of 760" in found.stderr
