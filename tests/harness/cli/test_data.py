"""``data`` commands: description, verification, and a download from a local stand-in."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from models import write_set

from harness.cli import data as commands
from harness.datasets import descriptions
from harness.records.benchmark import Benchmark
from harness.records.errors import HarnessError

NAMES = {"valid": "valid.h5", "test": "test.h5", "bd_valid": "bd_valid.h5", "bd_test": "bd_test.h5"}


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A benchmark to download, two images per class, and the folder it comes from."""
    drive = tmp_path / "drive" / "data" / "nested"
    for name, file in NAMES.items():
        label = np.zeros(6, int) if name.startswith("bd_") else np.arange(6) // 2
        write_set(drive / file, 6)
        _with_labels(drive / file, label)
    description = Benchmark(
        schema_version=1, name="course", title="t", classes=3, files=descriptions.OFFICIAL_FILES,
        images=dict.fromkeys(NAMES, 6), google_drive_folder="folder-id",
    )  # fmt: skip
    target = tmp_path / "target"
    monkeypatch.setattr(commands, "load_benchmark", lambda _: (description, target))
    return description, drive.parent.parent, target


def _with_labels(path, labels):
    import h5py

    with h5py.File(path, "a") as file:
        del file["label"]
        file["label"] = labels


def downloader(source):
    def download(folder_id, target):
        assert folder_id == "folder-id"
        shutil.copytree(source, target, dirs_exist_ok=True)

    return download


def test_a_download_is_verified_and_put_in_the_official_layout(course):
    _, drive, target = course
    lines = commands.fetch_data("course", downloader(drive))
    assert sum("6 images, ok" in line for line in lines) == 4
    assert all((target / path).is_file() for path in descriptions.OFFICIAL_FILES.values())
    assert sorted(p.name for p in target.iterdir()) == ["bd", "cl"]


def test_an_incomplete_download_changes_nothing(course):
    _, drive, target = course
    next(drive.rglob("bd_test.h5")).unlink()
    with pytest.raises(HarnessError, match=r"the download holds no bd_test\.h5"):
        commands.fetch_data("course", downloader(drive))
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "labels", "message"),
    [
        ("valid.h5", [0, 0, 0, 1, 1, 2], "not the same number of images in every class"),
        ("bd_test.h5", [0, 0, 0, 0, 0, 1], "a label other than the target 0"),
        ("test.h5", [0, 0, 1, 1, 2, 3], "label 3 is outside 0..2"),
    ],
)
def test_wrong_content_is_not_put_in_place(course, file, labels, message):
    _, drive, target = course
    _with_labels(next(drive.rglob(file)), labels)
    with pytest.raises(HarnessError, match=message):
        commands.fetch_data("course", downloader(drive))
    assert list(target.iterdir()) == []


def test_a_benchmark_that_is_made_is_not_fetched(monkeypatch, course):
    description, _, target = course
    without = replace(description, google_drive_folder=None, make=("-m", "maker"))
    monkeypatch.setattr(commands, "load_benchmark", lambda _: (without, target))
    with pytest.raises(HarnessError, match="data make course"):
        commands.fetch_data("course")


@pytest.mark.real_files
def test_verify_compares_the_badnets_counts(real_files, monkeypatch):
    description, folder = descriptions.load_benchmark(str(real_files / "data"))
    counts = {"valid": 2514, "test": 2516, "bd_valid": 2534, "bd_test": 2538}
    named = replace(description, badnet_counts=counts)
    monkeypatch.setattr(commands, "load_benchmark", lambda _: (named, folder))
    badnet = real_files / "models" / "bd_weights.h5"
    lines = commands.verify_data("surrogate", badnet)
    assert "the BadNet hits 2514 of 2566 labels of valid" in lines
    for off, passes in ((2, True), (3, False)):
        near = replace(description, badnet_counts=counts | {"bd_test": 2538 + off})
        monkeypatch.setattr(commands, "load_benchmark", lambda _, near=near: (near, folder))
        if passes:
            commands.verify_data("surrogate", badnet)
        else:
            with pytest.raises(HarnessError, match="the BadNet hits 2538 labels"):
                commands.verify_data("surrogate", badnet)


def test_info_lists_both_benchmarks(run_harness):
    finished = run_harness("data", "info")
    assert finished.returncode == 0
    assert "faces: Embedded synthetic faces" in finished.stdout
    assert "lab3: " in finished.stdout


def test_info_of_a_folder_says_what_there_is(run_harness, small_benchmark):
    finished = run_harness("data", "info", small_benchmark)
    assert finished.stdout.splitlines() == [
        f"{small_benchmark.name}: {small_benchmark.name} (folder)",
        "  1283 classes, target label 0, pixels x 1, checkpoints 2, 4, 10",
        f"  data: {small_benchmark} (present; its files are yours to bring)",
    ]


def test_a_private_split_of_a_benchmark_with_quotes_in_its_title_is_read_again(tmp_path, faces):
    title = 'The "Faces" of C:\\Lab'
    named = replace(faces.benchmark, title=title, hashes={})
    (tmp_path / "files").mkdir()
    _, folder = descriptions.load_benchmark("faces")
    for path in named.files.values():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).symlink_to(folder / path)
    commands._describe_private(named, tmp_path)
    again, _ = descriptions.load_benchmark(str(tmp_path))
    assert (again.title, again.split) == (f"{title} (private split)", "private")
    assert again.hashes == faces.hashes


def test_lab3_names_its_missing_files(run_harness, tmp_path):
    finished = run_harness("grade", tmp_path, "--dataset", "lab3", HARNESS_DATA=str(tmp_path))
    assert finished.returncode == 2
    assert finished.stderr == (
        f"error: {tmp_path}/lab3/cl/valid.h5: no such file; `python -m harness data fetch lab3`\n"
    )
