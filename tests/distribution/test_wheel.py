"""What a wheel brings: our two packages with their own data, and nothing of anybody else's."""

import os
import subprocess
import sys
import zipfile

import pytest
from repository import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    finished = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder like site-packages, in which other people's ``datasets`` lies, too."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    (folder / "datasets").mkdir()
    (folder / "datasets" / "__init__.py").write_text("raise ImportError('not ours')\n")
    return folder


def run(installed, folder, *arguments):
    environment = os.environ | {"PYTHONPATH": str(installed), "XDG_DATA_HOME": str(folder)}
    environment.pop("HARNESS_DATA", None)
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_it_holds_two_packages_and_its_metadata(wheel):
    with zipfile.ZipFile(wheel) as file:
        tops = {name.split("/")[0] for name in file.namelist()}
    (metadata,) = tops - {"harness", "reference"}
    assert metadata.endswith(".dist-info")


def test_its_benchmarks_are_found_and_data_goes_to_the_user(installed, tmp_path):
    finished = run(installed, tmp_path, "data", "info", "faces")
    assert finished.returncode == 0, finished.stderr
    assert f"{tmp_path}/backdoor-defence-harness/faces (not there yet" in finished.stdout


def test_a_submission_is_checked(installed, tmp_path):
    finished = run(installed, tmp_path, "check", ROOT / "submissions" / "jk7846")
    assert finished.returncode == 0, finished.stderr
    assert "jk7846: 3 models" in finished.stdout


def test_packages_for_platforms_find_their_constraints(installed, tmp_path):
    finished = run(installed, tmp_path, "package", "gradescope", "--out", tmp_path / "a.zip")
    assert finished.returncode == 0, finished.stderr
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        names = set(file.namelist())
    assert {"constraints.txt", "datasets/faces/dataset.toml", "harness/__main__.py"} <= names
