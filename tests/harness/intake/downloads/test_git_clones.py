"""The commit of a clone, read without git and through no link."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.intake.downloads.git_clones import checked_out_commit


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "clone"
    folder.mkdir()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in ("init -q -b feature/x", "commit -q --allow-empty -m x"):
        subprocess.run([*git, *command.split()], cwd=folder, check=True)
    return folder


def head_commit(clone):
    command = ["git", "rev-parse", "HEAD"]
    finished = subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True)
    return finished.stdout.strip()


def test_the_commit_of_a_clone_is_read(clone):
    commit = head_commit(clone)
    assert checked_out_commit(clone) == commit
    subprocess.run(["git", "pack-refs", "--all"], cwd=clone, check=True)
    assert not (clone / ".git/refs/heads/feature/x").exists()
    assert checked_out_commit(clone) == commit
    subprocess.run(["git", "checkout", "-q", "--detach"], cwd=clone, check=True)
    assert checked_out_commit(clone) == commit


@pytest.mark.parametrize(
    "content",
    [b"", b"ref: refs/heads/none", b"ref: ../../secret", b"ref: refs/../../../secret", b"\xff\0",
     b"ref: refs/heads/a\0b", b"a" * 40 + b" " * 5000, b"g" * 40, b"A" * 40],
)  # fmt: skip
def test_a_strange_head_gives_no_commit(tmp_path, clone, content):
    (tmp_path / "secret").write_text("a" * 40)
    (clone / ".git/HEAD").write_bytes(content)
    assert checked_out_commit(clone) is None


def test_links_and_pipes_in_a_clone_are_not_followed(tmp_path, clone):
    assert checked_out_commit(tmp_path) is None
    head_path = clone / ".git/HEAD"
    head_path.unlink()
    (tmp_path / "secret").write_text("a" * 40)
    head_path.symlink_to(tmp_path / "secret")
    assert checked_out_commit(clone) is None
    head_path.unlink()
    os.mkfifo(head_path)
    assert checked_out_commit(clone) is None
    (clone / ".git").rename(tmp_path / "other")
    (tmp_path / "other/HEAD").unlink()
    (tmp_path / "other/HEAD").write_text("a" * 40)
    (clone / ".git").symlink_to(tmp_path / "other")
    assert checked_out_commit(clone) is None
    assert Path(clone / ".git/HEAD").exists()
