"""What is graded, under which name, and which folder an archive becomes."""

import os

import pytest
from archives import (
    SUFFIXES,
    file_contents,
    prepare,
    refusal_of,
    write_archive,
    write_zip,
)

from harness.intake.entries import find_entries, prepare_folder, take_in
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
    (tmp_path / "x.7z").write_bytes(b"")
    with pytest.raises(HarnessError, match=r"x\.7z: a kind of archive that is not read; pack it"):
        prepare(tmp_path / "x.7z", scratch)


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


# --- what is not graded -------------------------------------------------------------------------


def test_every_visible_entry_that_is_not_graded_is_named_once_with_a_reason(tmp_path):
    (tmp_path / "ann").mkdir()
    for name in ("Jane_1_assignsubmission_file", "Jane_1_assignsubmission_onlinetext"):
        (tmp_path / name).mkdir()
    write_archive(tmp_path / "eve.tar.xz", {"b2.h5": b"2"})
    for name in (
        "bob.rar", "carl.7z", "fay.TAR.ZST", "dave_model_2.h5", "gus.keras", "report.pdf",
        ".DS_Store", "doejane_12_900_model_2.h5", "submission_metadata.yml", "n\now.gz",
    ):  # fmt: skip
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.zip")

    found = take_in([], tmp_path)
    assert [entry.name for entry in found.entries] == [
        "Jane_1_assignsubmission_file", "ann", "eve"
    ]  # fmt: skip
    assert found.metadata == tmp_path / "submission_metadata.yml"
    typed = "a text typed into Moodle or a teacher's comment, without files"
    repack = "a kind of archive that is not read; pack it again as .zip"
    loose = "a model in no folder; put the files of each person into a folder of their own"
    unpacked = "of a download that was unpacked; give --each the platform's archive itself"
    assert sorted(found.remarks) == [
        f"not graded: Jane_1_assignsubmission_onlinetext: {typed}",
        f"not graded: bob.rar, carl.7z, fay.TAR.ZST, n?ow.gz: {repack}",
        f"not graded: dave_model_2.h5, gus.keras: {loose}",
        f"not graded: doejane_12_900_model_2.h5: {unpacked}",
        "not graded: gone: a link to nothing",
        "not graded: pipe.zip: not a regular file",
        "not graded: report.pdf: neither a folder nor an archive",
    ]


def test_what_is_graded_is_not_named(tmp_path):
    write_zip(tmp_path / "ann.zip", {"b2.h5": b"2"})
    (tmp_path / ".hidden.rar").write_bytes(b"")
    assert take_in([], tmp_path).remarks == []
    assert take_in([], tmp_path).metadata is None


def test_where_nothing_can_be_graded_the_reasons_are_in_the_one_line(tmp_path):
    (tmp_path / "bob.rar").write_bytes(b"")
    (tmp_path / "model_2.h5").write_bytes(b"")
    with pytest.raises(HarnessError, match="no submission folders") as caught:
        find_entries([], tmp_path)
    for part in ("not graded: bob.rar: a kind of archive", "model_2.h5: a model in no folder"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(
        HarnessError, match=r"bob\.rar: a kind of archive that is not read; pack it"
    ):
        find_entries([], tmp_path / "bob.rar", tmp_path / "unpacked")


@pytest.mark.parametrize("name", ["lab.rar", "lab.7z", "lab.tar.zst"])
def test_a_folder_with_only_another_kind_of_archive_says_so(tmp_path, scratch, name):
    folder = tmp_path / "doejane_1"
    folder.mkdir()
    (folder / name).write_bytes(b"Rar!")
    (folder / "report.pdf").write_bytes(b"")
    reason = refusal_of(folder, scratch)
    assert reason == f"{name}: a kind of archive that is not read; pack it again as .zip"
    (folder / "b2.h5").write_bytes(b"2")
    assert prepare(folder, scratch) == folder
