"""What is written where: no name leads out, no two meet in one file, real bytes are counted."""

import contextlib
import os
import stat
import tarfile

import pytest
from archives import (
    SUFFIXES,
    file_contents,
    prepare,
    refusal_of,
    tar_entry,
    write_archive,
    write_tar,
    write_zip,
    zip_entry,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killing import kill_when_asked

from harness.intake.archives import unpacking
from harness.intake.file_rules import MAX_DEPTH, MAX_ENTRIES
from harness.records.errors import SubmissionError
from harness.sandbox import availability

FILE_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


def test_files_are_private_and_never_setuid(tmp_path, scratch):
    entry = zip_entry("run.h5", stat.S_IFREG | 0o6777)
    other = tarfile.TarInfo("run.h5")
    other.mode = 0o6777
    archives = (
        write_zip(tmp_path / "a.zip", [(entry, b"x")]),
        write_tar(tmp_path / "b.tar", [(other, b"x")]),
    )
    for index, archive in enumerate(archives):
        folder = prepare(archive, scratch / str(index))
        assert stat.S_IMODE((folder / "run.h5").stat().st_mode) == 0o600


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hidden_files_and_what_macs_add_are_left_out(tmp_path, scratch, suffix):
    files = {"__MACOSX/._b2.h5": b"", ".git/config": b"", "lab/.DS_Store": b"", "lab/b2.h5": b"2"}
    assert file_contents(prepare(write_archive(tmp_path / f"a{suffix}", files), scratch)) == {
        "b2.h5": b"2"
    }


def test_backslashes_of_windows_separate(tmp_path, scratch):
    archive = write_zip(tmp_path / "a.zip", {"x/a.h5": b"2", "y/b.h5": b"4"})
    archive.write_bytes(archive.read_bytes().replace(b"x/a.h5", b"x\\a.h5"))
    assert set(file_contents(prepare(archive, scratch))) == {"x/a.h5", "y/b.h5"}


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize(
    "name",
    ["../b.h5", "a/../../b.h5", "/etc/b.h5", "..\\b.h5", "C:\\b.h5", "c:b.h5", "\\\\host\\b.h5",
     "__MACOSX/../../b.h5", "a/.."],
)  # fmt: skip
def test_no_name_leads_out(tmp_path, scratch, suffix, name):
    archive = write_archive(tmp_path / f"a{suffix}", {"ok.h5": b"x", name: b"evil"})
    assert "leads out of the archive" in refusal_of(archive, scratch)
    assert not list(tmp_path.rglob("b.h5"))


def test_a_link_to_a_folder_is_no_way_around(tmp_path, scratch):
    files = [(tar_entry("d", tarfile.SYMTYPE, str(tmp_path)), b""), ("d/b.h5", b"evil")]
    assert "d: a link" in refusal_of(write_tar(tmp_path / "a.tar", files), scratch)
    assert not (tmp_path / "b.h5").exists()


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["b.h5", "b.h5"], "b.h5: twice"),
        (["b.h5", "./b.h5"], "twice"),
        (["b.h5", "B.H5"], "B.H5: differs from b.h5 only by case"),
        (["m/b.h5", "M/c.h5"], "M: differs from m only by case"),
        (["\u00e9.h5", "e\u0301.h5"], "only by case or accents"),
        (["b", "b/c.h5"], "b: twice"),
        (["b/c.h5", "b"], "b: twice"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(tmp_path, scratch, suffix, names, reason):
    archive = write_archive(tmp_path / f"a{suffix}", [(name, name.encode()) for name in names])
    assert reason in refusal_of(archive, scratch)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_bomb_is_stopped_while_it_is_inflated(tmp_path, scratch, suffix, monkeypatch):
    caps = unpacking.Caps(file_bytes=3 << 20, total_bytes=8 << 20)
    monkeypatch.setattr(unpacking.unpack, "__defaults__", (caps,))
    big = write_archive(tmp_path / f"big{suffix}", {"b.h5": bytes(64 << 20)})
    assert big.stat().st_size < 1 << 20
    assert refusal_of(big, scratch) == "b.h5: more than 3 MiB"
    assert sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file()) <= 3 << 20
    many = write_archive(tmp_path / f"many{suffix}", {f"{i}.h5": bytes(2 << 20) for i in range(9)})
    assert "the archive holds more than 8 MiB" in refusal_of(many, scratch / "many")
    exact = write_archive(
        tmp_path / f"exact{suffix}", {f"{i}.h5": bytes(2 << 20) for i in range(4)}
    )
    assert len(file_contents(prepare(exact, scratch / "exact"))) == 4


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_depth_and_number_are_capped(tmp_path, scratch, suffix):
    deepest = "d/" * MAX_DEPTH + "b.h5"
    assert file_contents(
        prepare(write_archive(tmp_path / f"a{suffix}", {deepest: b"", "x": b""}), scratch / "a")
    )
    assert "levels" in refusal_of(
        write_archive(tmp_path / f"b{suffix}", {"d/" + deepest: b""}), scratch / "b"
    )
    many = {f"{index}.txt": b"" for index in range(MAX_ENTRIES + 1)}
    assert f"more than {MAX_ENTRIES} files" in refusal_of(
        write_archive(tmp_path / f"c{suffix}", many), scratch / "c"
    )


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_hostile_names_are_shown_on_one_harmless_line(tmp_path, scratch, suffix):
    name = "<b>\n\u202e" + "x" * 300
    reason = refusal_of(write_archive(tmp_path / f"a{suffix}", {name: b""}), scratch)
    assert "no name that a file can have" in reason
    assert len(reason) < 200


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_never_escapes_and_never_raises_otherwise(tmp_path_factory, data):
    """Any bytes of an archive replaced: unpacked inside the scratch folder or one reason."""
    folder = tmp_path_factory.mktemp("damaged")
    suffix = data.draw(st.sampled_from(SUFFIXES))
    archive = write_archive(folder / f"a{suffix}", {"x/b2.h5": b"2" * 700, "b4.h5": b"4"})
    content = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    with contextlib.suppress(SubmissionError):
        prepare(archive, folder / "scratch")
    assert {path.name for path in folder.iterdir()} <= {archive.name, "scratch"}
    assert all(not p.is_symlink() and (p.is_dir() or p.is_file()) for p in folder.rglob("*"))


@given(st.lists(FILE_NAMES | st.sampled_from(["..", ".", "/", "\\", "a:", "a/../b"]), max_size=6))
def test_safe_parts_stay_inside(parts):
    name = "/".join(parts)
    try:
        safe = unpacking.safe_parts(name)
    except SubmissionError:
        return
    path = os.path.normpath(os.path.join("/root", *safe))  # noqa: PTH118
    assert path == "/root" or path.startswith("/root/")
    assert not any(part in ("", ".", "..") or "/" in part or "\\" in part for part in safe)


def test_without_a_sandbox_a_plain_child_reads_it(tmp_path, scratch, monkeypatch):
    monkeypatch.setattr(availability, "problem_of", lambda sandbox: "forbidden")
    assert availability.sandbox_problem() is not None
    assert file_contents(prepare(write_zip(tmp_path / "a.zip", {"b": b"1"}), scratch)) == {
        "b": b"1"
    }


@pytest.mark.parametrize("questions", range(4))
def test_a_killed_reader_is_no_verdict_on_the_archive(tmp_path, scratch, monkeypatch, questions):
    archive = write_zip(tmp_path / "a.zip", {"b2.h5": bytes(9_000_000)})
    kill_when_asked(monkeypatch, questions)
    with pytest.raises(SubmissionError, match="reading it failed: was killed") as caught:
        prepare(archive, scratch)
    assert caught.value.out_of_memory
