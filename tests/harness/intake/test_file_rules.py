"""What is refused before it is opened: links, special files, too much and too large."""

import os

import pytest
from archives import folder_with

from harness.intake.discovery import discover
from harness.intake.file_rules import MAX_MODEL_BYTES
from harness.records.errors import SubmissionError


def test_links_and_special_files_are_rejected_unopened(tmp_path):
    secret = tmp_path / "answers.h5"
    secret.write_bytes(b"secret")
    submission = tmp_path / "s"
    submission.mkdir()
    (submission / "model_2.h5").symlink_to(secret)
    with pytest.raises(SubmissionError, match=r"model_2\.h5: a link"):
        discover(submission)
    (submission / "model_2.h5").unlink()
    os.mkfifo(submission / "model_2.h5")
    with pytest.raises(SubmissionError, match=r"model_2\.h5: not a regular file"):
        discover(submission)


def test_sizes_are_capped_at_the_limit(tmp_path):
    path = folder_with(tmp_path, "model_2.h5") / "model_2.h5"
    os.truncate(path, MAX_MODEL_BYTES)
    assert discover(tmp_path).candidates
    os.truncate(path, MAX_MODEL_BYTES + 1)
    with pytest.raises(SubmissionError, match="more than the 512 MiB"):
        discover(tmp_path)


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.intake.file_rules.MAX_ENTRIES", 20)
    folder_with(tmp_path, *(f"{number}.txt" for number in range(21)), "model_2.h5")
    with pytest.raises(SubmissionError, match="more than 20 files"):
        discover(tmp_path)
