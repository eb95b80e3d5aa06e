"""The data of a competition: fetched, verified, described; and graded with what is there."""

import json
import shutil

import numpy as np
import pytest
from models import write_set

from harness.cli.data import describe, fetch_data, make_data
from harness.datasets.competitions import load_competition
from harness.records.errors import HarnessError


def write_files(folder):
    """Small files of the competition's names, as they lie in its folder on Google Drive."""
    competition, _ = load_competition("csaw2020")
    for path in competition.data_files:
        write_set(folder / "data" / path, 12, label=np.arange(12) % 3)


def test_a_download_that_lacks_a_file_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))

    def download(_, target):
        write_files(target)
        (target / "data" / "sunglasses_poisoned_data.h5").unlink()
        (target / "data" / "Multi-trigger Multi-target" / "sunglasses_poisoned_data.h5").unlink()

    with pytest.raises(HarnessError, match=r"holds no sunglasses_poisoned_data\.h5; nothing was"):
        fetch_data("csaw2020", download)
    assert not list(tmp_path.rglob("*.h5"))


def test_files_of_another_kind_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    with pytest.raises(HarnessError, match="a label other than the target 0"):
        fetch_data("csaw2020", lambda _, target: write_files(target))


def test_what_a_competition_does_not_offer_is_said():
    with pytest.raises(HarnessError, match="csaw2020: cannot be generated; `python -m harness"):
        make_data("csaw2020", None, None)
    with pytest.raises(HarnessError, match="faces-competition: not to be downloaded"):
        fetch_data("faces-competition")
    assert "  anonymous_2: no backdoored images" in describe("csaw2020")


@pytest.mark.real_files
def test_the_competition_is_fetched_and_graded(real_files, run_harness, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    folder = tmp_path / "csaw2020"

    def download(_, target):
        write_files(target)
        path = target / "data" / "sunglasses_poisoned_data.h5"
        path.unlink()
        write_set(path, 12, label=0)

    with pytest.raises(HarnessError, match="the BadNet sunglasses of csaw2020 is missing; put it"):
        fetch_data("csaw2020", download)
    assert (folder / "Multi-trigger Multi-target" / "lipstick_poisoned_data.h5").is_file()
    shutil.copytree(real_files / "models", folder / "models", copy_function=shutil.copyfile)

    finished = run_harness(
        "grade", real_files / "competition" / "c01", "--dataset", "csaw2020", "--out",
        tmp_path / "out", HARNESS_DATA=str(tmp_path),
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    record = json.loads((tmp_path / "out" / "records" / "c01.json").read_text())
    assert [each["status"] for each in record["networks"]] == ["graded"] * 4
    (board,) = (tmp_path / "out").glob("leaderboard.json")
    row = next(r for r in json.loads(board.read_text())["rows"] if r["submission"] == "c01")
    ranked = [entry["is_ranked"] for entry in row["entries"]]
    assert ranked == [True, True, False, True]
    assert row["quality"] is not None
