"""Real archives and downloads, honest and hostile, through the child that reads them."""

import contextlib
import gzip
import io
import os
import stat
import struct
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.intake import lms_archives, unpacking
from harness.intake.discovery import MAX_DEPTH, MAX_ENTRIES
from harness.intake.entries import (
    Entry,
    bulk_folder,
    commit_of,
    entries,
    folder_of,
)
from harness.records.errors import HarnessError, Status, SubmissionError

SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")


def zipped(path, files):
    """A zip of (name or ZipInfo, bytes) pairs, in order, repetitions kept."""
    pairs = files.items() if isinstance(files, dict) else files
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in pairs:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return path


def tarred(path, files):
    """A tar of (name or TarInfo, bytes) pairs; gzipped when its name says so."""
    pairs = files.items() if isinstance(files, dict) else files
    mode = "w" if path.suffix == ".tar" else "w:gz"
    with tarfile.open(path, mode) as archive:
        for name, content in pairs:
            information = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            information.size = len(content)
            archive.addfile(information, io.BytesIO(content))
    return path


def packed(path, files):
    return (zipped if path.suffix == ".zip" else tarred)(path, files)


def tar_entry(name, kind, target=""):
    information = tarfile.TarInfo(name)
    information.type, information.linkname = kind, target
    return information


def zip_entry(name, mode):
    information = zipfile.ZipInfo(name)
    information.create_system, information.external_attr = 3, mode << 16
    return information


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes()
            for p in sorted(folder.rglob("*")) if p.is_file()}  # fmt: skip


def opened(archive, scratch, name="entry"):
    return folder_of(Entry(name, archive), scratch)


def refusal_of(archive, scratch):
    with pytest.raises(SubmissionError) as caught:
        opened(archive, scratch)
    assert caught.value.status is Status.REJECTED
    assert caught.value.reason.isprintable()
    return caught.value.reason


@pytest.fixture
def scratch(tmp_path):
    return tmp_path / "scratch"


# --- archives -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_is_unpacked_under_the_entry_s_name(tmp_path, scratch, suffix):
    files = {"b2.h5": b"two" * 1_000_000, "more/b4.h5": b"", "./also/x": b"1"}
    folder = opened(packed(tmp_path / f"lab{suffix}", files), scratch, "Ann Lee")
    expected = {"b2.h5": b"two" * 1_000_000, "more/b4.h5": b"", "also/x": b"1"}
    assert tree(folder) == expected
    assert folder.name.startswith("Ann_Lee")
    assert not tree(scratch).keys() - {f"{folder.name}/{name}" for name in expected}


def test_files_are_private_and_never_setuid(tmp_path, scratch):
    entry = zip_entry("run.h5", stat.S_IFREG | 0o6777)
    other = tarfile.TarInfo("run.h5")
    other.mode = 0o6777
    for index, archive in enumerate([
        zipped(tmp_path / "a.zip", [(entry, b"x")]), tarred(tmp_path / "b.tar", [(other, b"x")])
    ]):  # fmt: skip
        folder = opened(archive, scratch / str(index))
        assert stat.S_IMODE((folder / "run.h5").stat().st_mode) == 0o600


def test_one_wrapping_folder_is_taken_off_and_no_more(tmp_path, scratch):
    wrapped = {"lab/in/b2.h5": b"x", "lab/in/b4.h5": b"y"}
    assert set(tree(opened(zipped(tmp_path / "a.zip", wrapped), scratch / "a"))) == {
        "in/b2.h5", "in/b4.h5",
    }  # fmt: skip
    model = {"G_10/saved_model.pb": b"x", "G_10/variables/v": b"y"}
    assert set(tree(opened(zipped(tmp_path / "b.zip", model), scratch / "b"))) == set(model)
    two = {"a/b2.h5": b"x", "b/b2.h5": b"y"}
    assert set(tree(opened(zipped(tmp_path / "c.zip", two), scratch / "c"))) == set(two)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hidden_files_and_what_macs_add_are_left_out(tmp_path, scratch, suffix):
    files = {"__MACOSX/._b2.h5": b"", ".git/config": b"", "lab/.DS_Store": b"", "lab/b2.h5": b"2"}
    assert tree(opened(packed(tmp_path / f"a{suffix}", files), scratch)) == {"b2.h5": b"2"}


def test_backslashes_of_windows_separate(tmp_path, scratch):
    archive = zipped(tmp_path / "a.zip", {"x/a.h5": b"2", "y/b.h5": b"4"})
    archive.write_bytes(archive.read_bytes().replace(b"x/a.h5", b"x\\a.h5"))
    assert set(tree(opened(archive, scratch))) == {"x/a.h5", "y/b.h5"}


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize(
    "name",
    ["../b.h5", "a/../../b.h5", "/etc/b.h5", "..\\b.h5", "C:\\b.h5", "c:b.h5", "\\\\host\\b.h5",
     "__MACOSX/../../b.h5", "a/.."],
)  # fmt: skip
def test_no_name_leads_out(tmp_path, scratch, suffix, name):
    archive = packed(tmp_path / f"a{suffix}", {"ok.h5": b"x", name: b"evil"})
    assert "leads out of the archive" in refusal_of(archive, scratch)
    assert not list(tmp_path.rglob("b.h5"))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (tar_entry("model.h5", tarfile.SYMTYPE, "/etc/passwd"), "model.h5: a link; hand in"),
        (tar_entry("model.h5", tarfile.LNKTYPE, "../../answers"), "model.h5: a link; hand in"),
        (tar_entry("model.h5", tarfile.FIFOTYPE), "model.h5: not a regular file"),
        (tar_entry("model.h5", tarfile.CHRTYPE), "model.h5: not a regular file"),
        (tar_entry("model.h5", tarfile.BLKTYPE), "model.h5: not a regular file"),
        (tar_entry("model.h5", b"Z"), "model.h5: not a regular file"),
        (zip_entry("model.h5", stat.S_IFLNK | 0o777), "model.h5: a link; hand in"),
        (zip_entry("model.h5", stat.S_IFIFO | 0o644), "model.h5: not a regular file"),
        (zip_entry("model.h5", stat.S_IFBLK | 0o644), "model.h5: not a regular file"),
    ],
)
def test_links_and_devices_are_refused(tmp_path, scratch, entry, reason):
    suffix = ".tar.gz" if isinstance(entry, tarfile.TarInfo) else ".zip"
    archive = packed(tmp_path / f"a{suffix}", [("ok.h5", b"x"), (entry, b"")])
    assert reason in refusal_of(archive, scratch)


def test_a_link_to_a_folder_is_no_way_around(tmp_path, scratch):
    files = [(tar_entry("d", tarfile.SYMTYPE, str(tmp_path)), b""), ("d/b.h5", b"evil")]
    assert "d: a link" in refusal_of(tarred(tmp_path / "a.tar", files), scratch)
    assert not (tmp_path / "b.h5").exists()


def test_sparse_members_are_refused(tmp_path, scratch):
    sparse = tarfile.TarInfo("model.h5")
    sparse.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(8 << 30)}
    archive = tarred(tmp_path / "a.tar", [(sparse, b"x")])
    assert "not a regular file" in refusal_of(archive, scratch)


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
    archive = packed(tmp_path / f"a{suffix}", [(name, name.encode()) for name in names])
    assert reason in refusal_of(archive, scratch)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_bomb_is_stopped_while_it_is_inflated(tmp_path, scratch, suffix, monkeypatch):
    caps = unpacking.Caps(file_bytes=3 << 20, total_bytes=8 << 20)
    monkeypatch.setattr(unpacking.Unpacked.__init__, "__defaults__", (caps,))
    big = packed(tmp_path / f"big{suffix}", {"b.h5": bytes(64 << 20)})
    assert big.stat().st_size < 1 << 20
    assert refusal_of(big, scratch) == "b.h5: more than 3 MiB"
    assert sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file()) <= 3 << 20
    many = packed(tmp_path / f"many{suffix}", {f"{i}.h5": bytes(2 << 20) for i in range(9)})
    assert "the archive holds more than 8 MiB" in refusal_of(many, scratch / "many")
    exact = packed(tmp_path / f"exact{suffix}", {f"{i}.h5": bytes(2 << 20) for i in range(4)})
    assert len(tree(opened(exact, scratch / "exact"))) == 4


def with_size(archive, size):
    """The zip with another uncompressed size in its local and central headers."""
    content = bytearray(archive.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, content.index(b"PK\x03\x04") + 22, size)
    struct.pack_into("<I", content, central + 24, size)
    archive.write_bytes(content)
    return archive


@pytest.mark.parametrize("size", [10, 0, 5_000_001, 0xFFFFFFF0])
def test_sizes_that_lie_are_found_out(tmp_path, scratch, size):
    archive = zipped(tmp_path / "a.zip", {"b.h5": bytes(5_000_000)})
    reason = refusal_of(with_size(archive, size), scratch)
    assert reason.startswith("b.h5: damaged")


def test_a_tar_header_that_asks_for_all_memory_is_refused(tmp_path, scratch):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 6 << 30
    archive = tmp_path / "a.tar"
    with archive.open("wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(6 << 30)
    assert "memory" in refusal_of(archive, scratch)


def test_an_encrypted_zip_is_refused(tmp_path, scratch):
    archive = zipped(tmp_path / "a.zip", {"b.h5": b"secret"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert refusal_of(archive, scratch) == "b.h5: encrypted; pack it without a password"


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_depth_and_number_are_capped(tmp_path, scratch, suffix):
    deepest = "d/" * MAX_DEPTH + "b.h5"
    assert tree(opened(packed(tmp_path / f"a{suffix}", {deepest: b"", "x": b""}), scratch / "a"))
    assert "levels" in refusal_of(
        packed(tmp_path / f"b{suffix}", {"d/" + deepest: b""}), scratch / "b"
    )
    many = {f"{index}.txt": b"" for index in range(MAX_ENTRIES + 1)}
    assert f"more than {MAX_ENTRIES} files" in refusal_of(
        packed(tmp_path / f"c{suffix}", many), scratch / "c"
    )


def test_a_name_in_no_encoding_is_kept_byte_for_byte(tmp_path, scratch):
    name = os.fsdecode(b"m\xff\xfe.h5")
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo(name))
    folder = opened(archive, scratch)
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_hostile_names_are_shown_on_one_harmless_line(tmp_path, scratch, suffix):
    name = "<b>\n\u202e" + "x" * 300
    reason = refusal_of(packed(tmp_path / f"a{suffix}", {name: b""}), scratch)
    assert "no name that a file can have" in reason
    assert len(reason) < 200


def test_a_nul_does_not_hide_the_rest_of_a_name(tmp_path, scratch):
    archive = zipped(tmp_path / "a.zip", {"b2.h5_.txt": b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"b2.h5_.txt", b"b2.h5\0.txt"))
    assert "no name that a file can have" in refusal_of(archive, scratch)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7])
def test_a_truncated_archive_is_refused_and_not_half_graded(tmp_path, scratch, suffix, share):
    files = {f"b{index}.h5": os.urandom(20_000) for index in range(8)}
    archive = packed(tmp_path / f"a{suffix}", files)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    refusal_of(archive, scratch)


def test_a_tar_cut_between_two_members_is_refused(tmp_path, scratch):
    archive = tarred(tmp_path / "a.tar", {"b2.h5": bytes(512), "b4.h5": bytes(512)})
    archive.write_bytes(archive.read_bytes()[:1024])
    assert "not a readable zip or tar archive" in refusal_of(archive, scratch)


def test_a_tar_damaged_in_the_middle_is_refused(tmp_path, scratch):
    archive = tarred(tmp_path / "a.tar", {"b2.h5": bytes(512), "b4.h5": bytes(512)})
    content = bytearray(archive.read_bytes())
    content[1024 + 5] ^= 0xFF
    archive.write_bytes(content)
    assert "not a readable zip or tar archive" in refusal_of(archive, scratch)


def test_a_flipped_byte_is_found_by_the_checksum(tmp_path, scratch):
    content = tarred(tmp_path / "a.tar", {"b2.h5": os.urandom(5000)}).read_bytes()
    packed_bytes = bytearray(gzip.compress(content))
    struct.pack_into("<I", packed_bytes, len(packed_bytes) - 8, zlib.crc32(content) ^ 1)
    archive = tmp_path / "a.tgz"
    archive.write_bytes(packed_bytes)
    assert "not a readable" in refusal_of(archive, scratch)


@pytest.mark.parametrize("content", [b"", b"Rar!\x1a\x07\x01\x00" + bytes(2000), b"<html>", b"PK"])
def test_what_is_no_archive_is_refused(tmp_path, scratch, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    assert "not a readable zip or tar archive" in refusal_of(archive, scratch)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_never_escapes_and_never_raises_otherwise(tmp_path_factory, data):
    """Any bytes of an archive replaced: unpacked inside the scratch folder or one reason."""
    folder = tmp_path_factory.mktemp("damaged")
    suffix = data.draw(st.sampled_from(SUFFIXES))
    archive = packed(folder / f"a{suffix}", {"x/b2.h5": b"2" * 700, "b4.h5": b"4"})
    content = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    with contextlib.suppress(SubmissionError):
        opened(archive, folder / "scratch")
    assert {path.name for path in folder.iterdir()} <= {archive.name, "scratch"}
    assert all(not p.is_symlink() and (p.is_dir() or p.is_file()) for p in folder.rglob("*"))


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


@given(st.lists(names | st.sampled_from(["..", ".", "/", "\\", "a:", "a/../b"]), max_size=6))
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
    monkeypatch.setenv("PATH", "/nonexistent")
    unpacking.launch.sandbox_problem.cache_clear()
    try:
        assert unpacking.launch.sandbox_problem() is not None
        assert tree(opened(zipped(tmp_path / "a.zip", {"b": b"1"}), scratch)) == {"b": b"1"}
    finally:
        unpacking.launch.sandbox_problem.cache_clear()


# --- entries ------------------------------------------------------------------------------------


def test_entries_are_folders_and_archives_under_their_names(tmp_path):
    (tmp_path / "each" / "b").mkdir(parents=True)
    for name in ("a.zip", "c.tar.gz", "b.TGZ", "notes.txt", ".hidden.zip"):
        (tmp_path / "each" / name).write_bytes(b"")
    (tmp_path / "x.zip").mkdir()
    found = entries([tmp_path / "b", tmp_path / "x.zip"], tmp_path / "each")
    assert [entry.name for entry in found] == ["b", "x.zip", "a", "b (2)", "b (3)", "c"]
    assert [entry.path.name for entry in found[3:5]] == ["b", "b.TGZ"]


def test_a_numbered_name_takes_nobody_s(tmp_path):
    for name in ("one/a", "two/a", "three/a (2)"):
        (tmp_path / name).mkdir(parents=True)
    found = entries([tmp_path / "one/a", tmp_path / "two/a", tmp_path / "three/a (2)"], None)
    assert [entry.name for entry in found] == ["a", "a (3)", "a (2)"]


def test_an_undecodable_name_can_be_printed(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff")
    path.mkdir()
    assert entries([path], None)[0].name == "?"


def test_a_missing_path_stays_for_its_own_line(tmp_path, scratch):
    (entry,) = entries([tmp_path / "nobody"], None)
    assert entry.name == "nobody"
    with pytest.raises(HarnessError, match="nobody: no such folder"):
        folder_of(entry, scratch)
    (tmp_path / "x.pdf").write_bytes(b"")
    with pytest.raises(HarnessError, match="neither a folder nor an archive"):
        opened(tmp_path / "x.pdf", scratch)


def test_each_must_be_there_and_hold_something(tmp_path):
    with pytest.raises(HarnessError, match="--each takes a folder"):
        entries([], tmp_path / "nothing")
    with pytest.raises(HarnessError, match="no submission folders"):
        entries([], tmp_path)
    with pytest.raises(HarnessError, match="no such file"):
        entries([], tmp_path / "bulk.zip", tmp_path / "unpacked")


def test_a_folder_is_graded_where_it_is(tmp_path, scratch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b2.h5").write_bytes(b"")
    zipped(tmp_path / "a" / "source.zip", {"x": b""})
    assert opened(tmp_path / "a", scratch) == tmp_path / "a"


def test_a_folder_with_an_archive_and_a_report_is_the_archive(tmp_path, scratch):
    (tmp_path / "a").mkdir()
    zipped(tmp_path / "a" / "lab.zip", {"b2.h5": b"2"})
    (tmp_path / "a" / "report.pdf").write_bytes(b"")
    assert tree(opened(tmp_path / "a", scratch)) == {"b2.h5": b"2"}


def test_an_archive_that_is_a_link_is_left_alone(tmp_path, scratch):
    zipped(tmp_path / "theirs.zip", {"b2.h5": b"2"})
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "lab.zip").symlink_to(tmp_path / "theirs.zip")
    assert opened(tmp_path / "a", scratch) == tmp_path / "a"


# --- bulk downloads -----------------------------------------------------------------------------


def archive_bytes(tmp_path, files):
    return zipped(tmp_path / "inner.zip", files).read_bytes()


def graded_files(tmp_path, bulk):
    """Of each submission of a bulk download, the files that would be graded."""
    found = entries([], bulk, tmp_path / "unpacked")
    return {
        entry.name: tree(folder_of(entry, tmp_path / f"scratch-{index}"))
        for index, entry in enumerate(found)
    }


def test_gradescope(tmp_path):
    top = "assignment_123_export"
    bulk = zipped(tmp_path / "submissions.zip", {
        f"{top}/submission_metadata.yml": b"---",
        f"{top}/submission_456/b2.h5": b"2",
        f"{top}/submission_457/in/b2.h5": b"3",
        f"{top}/submission_458/lab.zip": archive_bytes(tmp_path, {"lab/b2.h5": b"4"}),
    })  # fmt: skip
    assert graded_files(tmp_path, bulk) == {
        "submission_456": {"b2.h5": b"2"},
        "submission_457": {"in/b2.h5": b"3"},
        "submission_458": {"b2.h5": b"4"},
    }


def test_brightspace(tmp_path):
    jane, bob = "12-34 - Jane Doe - Nov 24, 2026 1027 AM", "56-78 - Bob Lee - Dec 1, 2026 900 PM"
    bulk = zipped(tmp_path / "Lab 3 Download.zip", {
        "index.html": b"<html>",
        f"{jane}/lab.zip": archive_bytes(tmp_path, {"b2.h5": b"2"}),
        f"{bob}/b2.h5": b"3",
    })  # fmt: skip
    assert graded_files(tmp_path, bulk) == {jane: {"b2.h5": b"2"}, bob: {"b2.h5": b"3"}}


def test_canvas(tmp_path):
    first, last = (archive_bytes(tmp_path, {"b2.h5": content}) for content in (b"1", b"2"))
    bulk = zipped(tmp_path / "submissions.zip", {
        "doejane_LATE_12_901_my_lab-1.zip": last,
        "doejane_LATE_12_900_my_lab.zip": first,
        "leebob_34_902_repaired-2.h5": b"2",
        "leebob_34_903_repaired-4.h5": b"4",
        "leebob_34_text.html": b"hello",
        "leebob_35_904_b_1_2_x.h5": b"5",
    })  # fmt: skip
    assert graded_files(tmp_path, bulk) == {
        "doejane_LATE_12": {"b2.h5": b"2"},
        "leebob_34": {"repaired-2.h5": b"2", "repaired-4.h5": b"4", "text.html": b"hello"},
        "leebob_35": {"b_1_2_x.h5": b"5"},
    }


def test_any_other_download_has_a_child_for_each_folder_and_archive(tmp_path):
    bulk = tarred(tmp_path / "all.tar.gz", {
        "all/ann/b2.h5": b"2",
        "all/bob.zip": archive_bytes(tmp_path, {"b2.h5": b"3"}),
        "all/ann.zip": archive_bytes(tmp_path, {"b2.h5": b"4"}),
        "all/notes.txt": b"",
    })  # fmt: skip
    assert graded_files(tmp_path, bulk) == {
        "ann": {"b2.h5": b"2"}, "ann.zip": {"b2.h5": b"4"}, "bob": {"b2.h5": b"3"},
    }  # fmt: skip


def test_one_brightspace_submission_alone_is_not_taken_for_a_wrapping(tmp_path):
    name = "12-34 - Jane Doe - Nov 24, 2026 1027 AM"
    bulk = zipped(tmp_path / "one.zip", {f"{name}/b2.h5": b"2"})
    assert set(graded_files(tmp_path, bulk)) == {name}


def test_a_download_is_unpacked_once(tmp_path):
    bulk = zipped(tmp_path / "a.zip", {"ann/b2.h5": b"2", "bob/b2.h5": b"3"})
    folder = bulk_folder(bulk, tmp_path / "into")
    assert folder.parent == tmp_path / "into"
    assert len(folder.name) == 16
    (folder / "ann" / "mark").write_bytes(b"")
    assert bulk_folder(bulk, tmp_path / "into") == folder
    assert (folder / "ann" / "mark").exists()


def test_what_a_killed_run_left_is_done_again(tmp_path):
    bulk = zipped(tmp_path / "a.zip", {"ann/b2.h5": b"2", "bob/b2.h5": b"3"})
    name = bulk_folder(bulk, tmp_path / "other").name
    left = tmp_path / "into" / f".{name}.partial" / "ann"
    left.mkdir(parents=True)
    (left / "half.h5").write_bytes(b"")
    folder = bulk_folder(bulk, tmp_path / "into")
    assert set(tree(folder)) == {"ann/b2.h5", "bob/b2.h5"}
    assert {path.name for path in folder.parent.iterdir()} == {".lock", name}


def test_a_hostile_submission_spoils_no_other(tmp_path):
    bulk = tarred(tmp_path / "a.tar.gz", [
        ("ann/b2.h5", b"2"),
        ("eve/b2.h5", b"x"),
        (tar_entry("eve/b" + "x" * 200, tarfile.SYMTYPE, "../ann/b2.h5"), b""),
        ("eve/b10.h5", b"x"),
        ("bob/b2.h5", b"3"),
    ])  # fmt: skip
    found = {entry.name: entry for entry in entries([], bulk, tmp_path / "into")}
    assert set(found) == {"ann", "bob", "eve"}
    for name in ("ann", "bob"):
        assert set(tree(folder_of(found[name], tmp_path / "scratch"))) == {"b2.h5"}
    with pytest.raises(SubmissionError, match=r"^eve/bx+\.\.\.: a link; hand in the file itself$"):
        folder_of(found["eve"], tmp_path / "scratch")
    assert list(found["eve"].path.iterdir()) == []


@pytest.mark.parametrize(
    "files", [{"../x/b2.h5": b""}, {"b2.h5": b"", "b4.h5": b""}, {}, {"index.html": b""}]
)
def test_what_is_no_download_is_the_instructor_s_to_mend(tmp_path, files):
    bulk = zipped(tmp_path / "a.zip", files)
    with pytest.raises(HarnessError, match=r"a\.zip: .*unpack it by hand"):
        bulk_folder(bulk, tmp_path / "into")
    assert {path.name for path in (tmp_path / "into").iterdir()} == {".lock"}


def test_a_broken_download_leaves_nothing(tmp_path):
    bulk = tarred(tmp_path / "a.tgz", {f"{i}/b2.h5": os.urandom(9999) for i in range(9)})
    bulk.write_bytes(bulk.read_bytes()[:50_000])
    with pytest.raises(HarnessError, match="not a readable"):
        bulk_folder(bulk, tmp_path / "into")
    assert {path.name for path in (tmp_path / "into").iterdir()} == {".lock"}


@given(st.lists(names, max_size=12))
def test_every_file_of_a_download_goes_to_one_place_at_most(found):
    try:
        places = lms_archives.layout(found)
    except SubmissionError:
        return
    assert len(places) == len(found)
    for place in filter(None, places):
        child, parts = place
        assert parts
        assert all(part not in ("", ".", "..") and "/" not in part for part in (child, *parts))


# --- git clones ---------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "clone"
    folder.mkdir()
    for command in ("init -q -b feature/x", "commit -q --allow-empty -m x"):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *command.split()],
            cwd=folder, check=True,
        )  # fmt: skip
    return folder


def head(clone):
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(
        command, cwd=clone, check=True, capture_output=True, text=True
    ).stdout.strip()  # fmt: skip


def test_the_commit_of_a_clone_is_read(clone):
    commit = head(clone)
    assert commit_of(clone) == commit
    subprocess.run(["git", "pack-refs", "--all"], cwd=clone, check=True)
    assert not (clone / ".git/refs/heads/feature/x").exists()
    assert commit_of(clone) == commit
    subprocess.run(["git", "checkout", "-q", "--detach"], cwd=clone, check=True)
    assert commit_of(clone) == commit


@pytest.mark.parametrize(
    "content",
    [b"", b"ref: refs/heads/none", b"ref: ../../secret", b"ref: refs/../../../secret", b"\xff\0",
     b"ref: refs/heads/a\0b", b"a" * 40 + b" " * 5000, b"g" * 40, b"A" * 40],
)  # fmt: skip
def test_a_strange_head_gives_no_commit(tmp_path, clone, content):
    (tmp_path / "secret").write_text("a" * 40)
    (clone / ".git/HEAD").write_bytes(content)
    assert commit_of(clone) is None


def test_links_and_pipes_in_a_clone_are_not_followed(tmp_path, clone):
    assert commit_of(tmp_path) is None
    head_path = clone / ".git/HEAD"
    head_path.unlink()
    (tmp_path / "secret").write_text("a" * 40)
    head_path.symlink_to(tmp_path / "secret")
    assert commit_of(clone) is None
    head_path.unlink()
    os.mkfifo(head_path)
    assert commit_of(clone) is None
    (clone / ".git").rename(tmp_path / "other")
    (tmp_path / "other/HEAD").unlink()
    (tmp_path / "other/HEAD").write_text("a" * 40)
    (clone / ".git").symlink_to(tmp_path / "other")
    assert commit_of(clone) is None
    assert Path(clone / ".git/HEAD").exists()
