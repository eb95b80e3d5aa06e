"""``data import``: a checked folder or none at all, from the lab's network and a few faces."""

import os
import re
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from PIL import Image
from repository import IMPORTED, ROOT

from harness.datasets.descriptions import load_benchmark, load_sets


@pytest.fixture(scope="module")
def given(small_benchmark, tmp_path_factory):
    """Some of the lab's images as somebody else would keep them: channels last, in .npz files."""
    folder = tmp_path_factory.mktemp("given")
    for name in ("cl/valid", "cl/test", "bd/bd_valid", "bd/bd_test"):
        with h5py.File(small_benchmark / f"{name}.h5") as file:
            arrays = {key: file[key][:200] for key in file}
        arrays["data"] = arrays["data"].transpose(0, 2, 3, 1)
        np.savez(folder / f"{name.split('/')[1]}.npz", **arrays)
    return folder


@pytest.fixture
def run_import(run_harness, badnet_path, given):
    """Run ``data import`` with these files and further options."""

    def run(folder, *options, badnet=badnet_path, attack=("glasses", "bd_valid.npz")):
        sets = ["--valid", given / "valid.npz", "--test", given / "test.npz"]
        if "--clean" in options or "--valid" in options:
            sets = []
        if attack:
            sets += ["--attack", attack[0], given / attack[1]]
        return run_harness("data", "import", folder, "--badnet", badnet, "--classes", 1283, *sets,
                           *options)  # fmt: skip

    return run


def refused(finished, folder):
    """The one line that was said; nothing was left."""
    assert finished.returncode == 2, finished.stdout + finished.stderr
    lines = [line for line in finished.stderr.splitlines() if line.startswith("error: ")]
    (line,) = lines
    assert finished.stderr.splitlines()[-1] == line
    assert "Traceback" not in finished.stderr
    assert list(folder.parent.glob(".import-*")) == []
    assert not folder.is_dir() or not (folder / "dataset.toml").exists()
    return line


def test_a_folder_is_made_checked_and_verified(run_import, run_harness, given, tmp_path):
    folder = tmp_path / "mine"
    finished = run_import(
        folder, "--attack-sets", "turned", given / "valid.npz", given / "test.npz",
        "--target", "turned", 5, "--trigger", "glasses", "dark glasses", "--pruned-layer", "conv_3",
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    told = finished.stdout.splitlines()
    assert told[0] == f"{folder}: 1283 classes, images of 55 x 47 x 3"
    assert any(line.startswith("valid: the BadNet gets 19") for line in told)
    assert "valid, glasses: the attack gets 100 of 100 images (100.00%)" in told
    assert any(line.startswith("implausible: turned succeeds on 0.") for line in told)
    assert any(
        "200 of 200 images of turned (valid) are clean images as they are" in line for line in told
    )
    assert any("X = 2 is 4.0 of 200 validation images" in line for line in told)
    assert "reading" in finished.stderr

    benchmark, _ = load_benchmark(str(folder))
    assert [each.name for each in benchmark.attacks] == ["glasses", "turned"]
    assert [each.target_label for each in benchmark.attacks] == [0, 5]
    assert (benchmark.pruned_layer, benchmark.attacks[0].trigger) == ("conv_3", "dark glasses")
    sets = load_sets(benchmark, folder)
    with np.load(given / "valid.npz") as file:
        assert np.array_equal(sets["valid"].images, file["data"])
        assert np.array_equal(sets["bd_valid"].original_labels[100:], file["label"])
    assert sorted(path.name for path in folder.iterdir()) == [
        "badnet.h5", "bd", "cl", "contact_sheet.png", "dataset.toml",
    ]  # fmt: skip
    with Image.open(folder / "contact_sheet.png") as sheet:
        assert sheet.size[1] > 3 * 110

    verified = run_harness("data", "verify", folder)
    assert verified.returncode == 0, verified.stderr
    assert "  glasses: 100 of 100" in verified.stdout.splitlines()
    info = run_harness("data", "info", folder).stdout
    assert "  attack: glasses, dark glasses, target label 0" in info.splitlines()


def test_one_set_is_split_alike_every_time(run_import, given, tmp_path):
    texts = []
    for name in ("a", "b"):
        finished = run_import(tmp_path / name, "--clean", given / "valid.npz", "--name", "x")
        assert finished.returncode == 0, finished.stderr
        texts.append((tmp_path / name / "dataset.toml").read_text())
    assert texts[0] == texts[1]
    assert "valid = 100\n" in texts[0]


def test_a_folder_of_images(run_import, given, tmp_path):
    with np.load(given / "valid.npz") as file:
        data, labels = file["data"], file["label"]
    for label in range(1283):
        (tmp_path / "faces" / str(label)).mkdir(parents=True)
    for number, (pixels, label) in enumerate(zip(data, labels, strict=True)):
        Image.fromarray(pixels).save(tmp_path / "faces" / str(label) / f"{number}.png")
    empty = run_import(tmp_path / "mine", "--clean", tmp_path / "faces")
    assert "a class without images; fill the folder" in refused(empty, tmp_path / "mine")

    for folder in (tmp_path / "faces").iterdir():
        if not any(folder.iterdir()):
            Image.fromarray(data[0]).save(folder / "0.png")
    finished = run_import(tmp_path / "mine", "--clean", tmp_path / "faces")
    assert finished.returncode == 0, finished.stderr
    gets = re.findall(
        r"^\w+: the BadNet gets (\d+) of (641|642) images", finished.stdout, re.MULTILINE
    )
    # It knows 199 of the 200 people; all other folders show one of them.
    assert sum(int(hits) for hits, _ in gets) == 199
    assert "data and BadNet do not belong together" in finished.stderr
    assert re.search(r"implausible: 5\d\d of 641 images of valid are in test too", finished.stdout)


@pytest.mark.parametrize(
    ("options", "attack", "said"),
    [
        (["--clean", "/no/such"], ("a", "bd_valid.npz"), "/no/such: no such file or folder (--cl"),
        (["--target", "b", "3"], ("a", "bd_valid.npz"), "--target b: no such attack; there are a"),
        (["--trigger", "b", "x"], ("a", "bd_valid.npz"), "--trigger b: no such attack"),
        (["--target", "a", "1283"], ("a", "bd_valid.npz"), "target_label is 1283, outside 0..1282"),
        ([], None, "no attack: pass --attack NAME SET"),
        (["--name", "faces"], ("a", "bd_valid.npz"), "faces is the name of a benchmark that comes"),
        (["--checkpoint", "-2"], ("a", "bd_valid.npz"), "checkpoints: -2 is no drop"),
        (["--pixel-scale", "0"], ("a", "bd_valid.npz"), "pixel_scale is 0; pixels"),
        (["--input-shape", "28", "28", "1"], ("a", "bd_valid.npz"), "expected 28 x 28 x 1"),
        ([], ("a", "../given"), "no such file or folder"),
        ([], (" ", "bd_valid.npz"), "attack 1: its name is empty"),
        (["--classes", "9"], ("a", "bd_valid.npz"), "is outside 0..8 (image"),
    ],
)
def test_each_fault_is_one_line_and_leaves_nothing(run_import, tmp_path, options, attack, said):
    finished = run_import(tmp_path / "mine", *options, attack=attack)
    assert said in refused(finished, tmp_path / "mine")


def test_two_attacks_of_one_name(run_import, given, tmp_path):
    finished = run_import(tmp_path / "mine", "--attack", "Glasses", given / "bd_test.npz")
    assert "two attacks have the name 'Glasses'" in refused(finished, tmp_path / "mine")


def test_what_is_there_is_not_touched(run_import, tmp_path):
    for make in (lambda path: path.mkdir(), lambda path: path.write_text("x"),
                 lambda path: path.symlink_to("/no/such")):  # fmt: skip
        path = tmp_path / str(make.__code__.co_firstlineno) / "mine"
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True) if not path.is_dir() else path.rmdir()
        make(path)
        line = refused(run_import(path), path)
        assert line == f"error: {path}: is there already; name a folder that is not"
    missing = tmp_path / "no" / "mine"
    assert "is no folder" in refused(run_import(missing), missing)


def test_a_badnet_that_is_none_or_does_not_fit(run_import, given, tmp_path):
    text = tmp_path / "net.h5"
    text.write_text("hello")
    assert f"{text}: not a BadNet" in refused(
        run_import(tmp_path / "a", badnet=text), tmp_path / "a"
    )
    with np.load(given / "valid.npz") as file:
        np.savez(tmp_path / "scaled.npz", data=file["data"] / 255, label=file["label"])
    scaled = run_import(tmp_path / "b", "--clean", tmp_path / "scaled.npz")
    line = refused(scaled, tmp_path / "b")
    assert line.startswith(f"error: {tmp_path / 'b'}, valid: the BadNet gets only ")
    assert "the data looks scaled to 0..1" in line


def test_ctrl_c_leaves_no_half_folder(given, badnet_path, tmp_path):
    command = [sys.executable, "-m", "harness", "data", "import", tmp_path / "mine",
               "--badnet", badnet_path, "--clean", given / "valid.npz", "--classes", "1283",
               "--attack", "glasses", given / "bd_valid.npz"]  # fmt: skip
    with subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env=os.environ | {"PYTHONPATH": str(IMPORTED)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        for line in running.stderr:
            if "asking the BadNet" in line:
                break
        assert list(tmp_path.glob(".import-*"))
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
