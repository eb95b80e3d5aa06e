"""What is graded, under which name, and which folder an archive becomes."""

import os

import pytest
from archives import SUFFIXES, file_contents, prepare, write_archive, write_zip

from harness.intake.entries import find_entries, prepare_folder
from harness.records.errors import HarnessError


def test_entries_are_folders_and_archives_under_their_names(tmp_path):
    (tmp_path / "each" / "b").mkdir(parents=True)
    for name in ("a.zip", "c.tar.gz", "b.TGZ", "notes.txt", ".hidden.zip"):
        (tmp_path / "each" / name).write_bytes(b"")
    (tmp_path / "x.zip").mkdir()
    entries = find_entries([tmp_path / "b", tmp_path / "x.zip"], tmp_path / "each")
    assert [entry.name for entry in entries] == ["b", "x.zip", "a", "b (2)", "b (3)", "c"]
    assert [entry.path.name for entry in entries[3:5]] == ["b", "b.TGZ"]


def test_a_numbered_name_takes_nobody_s(tmp_path):
    for name in ("one/a", "two/a", "three/a (2)"):
        (tmp_path / name).mkdir(parents=True)
    entries = find_entries([tmp_path / "one/a", tmp_path / "two/a", tmp_path / "three/a (2)"], None)
    assert [entry.name for entry in entries] == ["a", "a (3)", "a (2)"]


def test_an_undecodable_name_can_be_printed(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff")
    path.mkdir()
    assert find_entries([path], None)[0].name == "?"


def test_a_missing_path_stays_for_its_own_line(tmp_path, scratch):
    (entry,) = find_entries([tmp_path / "nobody"], None)
    assert entry.name == "nobody"
    with pytest.raises(HarnessError, match="nobody: no such folder"):
        prepare_folder(entry, scratch)
    (tmp_path / "x.pdf").write_bytes(b"")
    with pytest.raises(HarnessError, match="neither a folder nor an archive"):
        prepare(tmp_path / "x.pdf", scratch)


def test_each_must_be_there_and_hold_something(tmp_path):
    with pytest.raises(HarnessError, match="--each takes a folder"):
        find_entries([], tmp_path / "nothing")
    with pytest.raises(HarnessError, match="no submission folders"):
        find_entries([], tmp_path)
    with pytest.raises(HarnessError, match="no such file"):
        find_entries([], tmp_path / "bulk.zip", tmp_path / "unpacked")


def test_a_folder_is_graded_where_it_is(tmp_path, scratch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b2.h5").write_bytes(b"")
    write_zip(tmp_path / "a" / "source.zip", {"x": b""})
    assert prepare(tmp_path / "a", scratch) == tmp_path / "a"


def test_a_folder_with_an_archive_and_a_report_is_the_archive(tmp_path, scratch):
    (tmp_path / "a").mkdir()
    write_zip(tmp_path / "a" / "lab.zip", {"b2.h5": b"2"})
    (tmp_path / "a" / "report.pdf").write_bytes(b"")
    assert file_contents(prepare(tmp_path / "a", scratch)) == {"b2.h5": b"2"}


def test_an_archive_that_is_a_link_is_left_alone(tmp_path, scratch):
    write_zip(tmp_path / "theirs.zip", {"b2.h5": b"2"})
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "lab.zip").symlink_to(tmp_path / "theirs.zip")
    assert prepare(tmp_path / "a", scratch) == tmp_path / "a"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_is_unpacked_under_the_entry_s_name(tmp_path, scratch, suffix):
    files = {"b2.h5": b"two" * 1_000_000, "more/b4.h5": b"", "./also/x": b"1"}
    folder = prepare(write_archive(tmp_path / f"lab{suffix}", files), scratch, "Ann Lee")
    expected = {"b2.h5": b"two" * 1_000_000, "more/b4.h5": b"", "also/x": b"1"}
    assert file_contents(folder) == expected
    assert folder.name.startswith("Ann_Lee")
    assert not file_contents(scratch).keys() - {f"{folder.name}/{name}" for name in expected}


def test_one_wrapping_folder_is_taken_off_and_no_more(tmp_path, scratch):
    wrapped = {"lab/in/b2.h5": b"x", "lab/in/b4.h5": b"y"}
    assert set(file_contents(prepare(write_zip(tmp_path / "a.zip", wrapped), scratch / "a"))) == {
        "in/b2.h5",
        "in/b4.h5",
    }
    model = {"G_10/saved_model.pb": b"x", "G_10/variables/v": b"y"}
    assert set(file_contents(prepare(write_zip(tmp_path / "b.zip", model), scratch / "b"))) == set(
        model
    )
    two = {"a/b2.h5": b"x", "b/b2.h5": b"y"}
    assert set(file_contents(prepare(write_zip(tmp_path / "c.zip", two), scratch / "c"))) == set(
        two
    )
