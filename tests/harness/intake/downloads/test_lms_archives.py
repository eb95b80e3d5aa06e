"""Bulk downloads of Gradescope, Brightspace, Canvas and others, honest and hostile."""

import os
import tarfile

import pytest
from archives import file_contents, tar_entry, write_tar, write_zip, zip_bytes
from hypothesis import given
from hypothesis import strategies as st
from killing import kill_when_asked

from harness.intake.downloads import lms_archives
from harness.intake.downloads.lms_archives import unpack_bulk_download
from harness.intake.entries import find_entries, prepare_folder, take_in
from harness.records.errors import HarnessError, SubmissionError

FILE_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


def graded_files(tmp_path, bulk):
    """Of each submission of a bulk download, the files that would be graded."""
    entries = find_entries([], bulk, tmp_path / "unpacked")
    return {
        entry.name: file_contents(prepare_folder(entry, tmp_path / f"scratch-{index}"))
        for index, entry in enumerate(entries)
    }


def test_gradescope(tmp_path):
    top = "assignment_123_export"
    bulk = write_zip(
        tmp_path / "submissions.zip",
        {
            f"{top}/submission_metadata.yml": b"---",
            f"{top}/submission_456/b2.h5": b"2",
            f"{top}/submission_457/in/b2.h5": b"3",
            f"{top}/submission_458/lab.zip": zip_bytes(tmp_path, {"lab/b2.h5": b"4"}),
        },
    )
    assert graded_files(tmp_path, bulk) == {
        "submission_456": {"b2.h5": b"2"},
        "submission_457": {"in/b2.h5": b"3"},
        "submission_458": {"b2.h5": b"4"},
    }


def test_brightspace(tmp_path):
    jane, bob = "12-34 - Jane Doe - Nov 24, 2026 1027 AM", "56-78 - Bob Lee - Dec 1, 2026 900 PM"
    bulk = write_zip(
        tmp_path / "Lab 3 Download.zip",
        {
            "index.html": b"<html>",
            f"{jane}/lab.zip": zip_bytes(tmp_path, {"b2.h5": b"2"}),
            f"{bob}/b2.h5": b"3",
        },
    )
    assert graded_files(tmp_path, bulk) == {jane: {"b2.h5": b"2"}, bob: {"b2.h5": b"3"}}


def test_canvas(tmp_path):
    first, last = (zip_bytes(tmp_path, {"b2.h5": content}) for content in (b"1", b"2"))
    bulk = write_zip(
        tmp_path / "submissions.zip",
        {
            "doejane_LATE_12_901_my_lab-1.zip": last,
            "doejane_LATE_12_900_my_lab.zip": first,
            "leebob_34_902_repaired-2.h5": b"2",
            "leebob_34_903_repaired-4.h5": b"4",
            "leebob_34_text.html": b"hello",
            "leebob_35_904_b_1_2_x.h5": b"5",
        },
    )
    assert graded_files(tmp_path, bulk) == {
        "doejane_LATE_12": {"b2.h5": b"2"},
        "leebob_34": {"repaired-2.h5": b"2", "repaired-4.h5": b"4", "text.html": b"hello"},
        "leebob_35": {"b_1_2_x.h5": b"5"},
    }


def test_canvas_where_students_are_anonymous(tmp_path):
    first, last = (zip_bytes(tmp_path, {"b2.h5": content}) for content in (b"1", b"2"))
    bulk = write_zip(
        tmp_path / "submissions.zip",
        {
            "anon_Ab3Xz_900_model_2.h5": b"2",
            "anon_Ab3Xz_901_model_4.h5": b"4",
            "LATE_anon_Q9zzz_905_lab-1.zip": last,
            "anon_Q9zzz_904_lab.zip": first,
            "anon_12345_907_10_model.h5": b"9",
            "anon_7text_text.html": b"hello",
        },
    )
    assert graded_files(tmp_path, bulk) == {
        "anon_Ab3Xz": {"model_2.h5": b"2", "model_4.h5": b"4"},
        "LATE_anon_Q9zzz": {"b2.h5": b"2"},
        "anon_12345": {"10_model.h5": b"9"},
        "anon_7text": {"text.html": b"hello"},
    }


JANE, BOB = "Jane Doe_11_assignsubmission_file_", "Bob_Lee_12_assignsubmission_file_"


@pytest.mark.parametrize("separator", ["", "/"])
def test_moodle_with_and_without_folders(tmp_path, separator):
    lab = zip_bytes(tmp_path, {"lab/b2.h5": b"3"})
    text = JANE.replace("_file_", "_onlinetext_")
    bulk = write_zip(
        tmp_path / "CS-Lab 3-77.zip",
        {
            f"{JANE}{separator}b2.h5": b"2",
            f"{text}{separator}onlinetext.html": b"hello",
            f"{BOB}{separator}lab.zip": lab,
        },
    )
    assert graded_files(tmp_path, bulk) == {
        JANE: {"b2.h5": b"2", "onlinetext.html": b"hello"},
        BOB: {"b2.h5": b"3"},
    }


def test_one_moodle_submission_alone_and_what_teachers_wrote(tmp_path):
    bulk = write_zip(tmp_path / "a.zip", {f"{JANE}/b2.h5": b"2"})
    assert set(graded_files(tmp_path, bulk)) == {JANE}
    feedback = "Jane Doe_11_assignfeedback_comments_/comments.html"
    bulk = write_zip(tmp_path / "b.zip", {f"{JANE}/b2.h5": b"2", feedback: b"good"})
    found = take_in([], bulk, tmp_path / "unpacked")
    assert [entry.name for entry in found.entries] == [JANE]
    assert found.remarks == [
        "not graded: comments.html: a text typed into Moodle or a teacher's comment, without files"
    ]


def test_blackboard_has_a_submission_for_each_attempt(tmp_path):
    first, second = (f"Lab 3_jdoe_attempt_2026-11-{day}-10-27-00" for day in (24, 25))
    other = "Lab 3_b_lee_attempt_2026-11-24-22-05-59"
    bulk = write_zip(
        tmp_path / "gradebook_CS_Lab203_2026-11-30.zip",
        {
            f"{first}_lab-1.zip": zip_bytes(tmp_path, {"b2.h5": b"1"}),
            f"{first}.txt": b"Name: Jane Doe (jdoe)",
            f"{second}_model_2.h5": b"2",
            f"{second}_model_4.h5": b"4",
            f"{other}_lab-1.zip": b"not the same as",
            f"{other}_lab-2.zip": b"this one",
        },
    )
    entries = find_entries([], bulk, tmp_path / "unpacked")
    assert {entry.name: set(file_contents(entry.path)) for entry in entries} == {
        first: {"lab-1.zip", "submission.txt"},
        second: {"model_2.h5", "model_4.h5"},
        other: {"lab-1.zip", "lab-2.zip"},
    }


def test_gradescopes_list_of_people_is_kept_and_what_else_lies_there_is_named(tmp_path):
    top = "assignment_123_export"
    files = {
        f"{top}/submission_metadata.yml": b"---\nsubmission_4: {}\n",
        f"{top}/submission_4/b2.h5": b"2",
        f"{top}/submission_4/submission_metadata.yml": b"mine",
        f"{top}/notes.pdf": b"",
        f"{top}/bob.rar": b"",
    }
    bulk = write_zip(tmp_path / "submissions.zip", files)
    for _ in range(2):  # the second time from what is unpacked
        found = take_in([], bulk, tmp_path / "unpacked")
        assert [entry.name for entry in found.entries] == ["submission_4"]
        assert found.metadata.read_bytes() == b"---\nsubmission_4: {}\n"
        assert found.remarks == [
            "not graded: notes.pdf: neither a folder nor an archive",
            "not graded: bob.rar: a kind of archive that is not read; pack it again as .zip",
        ]


def test_an_earlier_upload_is_named(tmp_path):
    lab = zip_bytes(tmp_path, {"b2.h5": b"1"})
    files = {"doejane_1_900_lab.zip": lab, "doejane_1_901_lab-1.zip": lab}
    found = take_in([], write_zip(tmp_path / "a.zip", files), tmp_path / "unpacked")
    assert found.remarks == [
        "not graded: doejane_1_900_lab.zip: an earlier upload, of which a later one is graded"
    ]


def test_any_other_download_has_a_child_for_each_folder_and_archive(tmp_path):
    bulk = write_tar(
        tmp_path / "all.tar.gz",
        {
            "all/ann/b2.h5": b"2",
            "all/bob.zip": zip_bytes(tmp_path, {"b2.h5": b"3"}),
            "all/ann.zip": zip_bytes(tmp_path, {"b2.h5": b"4"}),
            "all/notes.txt": b"",
        },
    )
    assert graded_files(tmp_path, bulk) == {
        "ann": {"b2.h5": b"2"},
        "ann.zip": {"b2.h5": b"4"},
        "bob": {"b2.h5": b"3"},
    }


def test_one_brightspace_submission_alone_is_not_taken_for_a_wrapping(tmp_path):
    name = "12-34 - Jane Doe - Nov 24, 2026 1027 AM"
    bulk = write_zip(tmp_path / "one.zip", {f"{name}/b2.h5": b"2"})
    assert set(graded_files(tmp_path, bulk)) == {name}


def test_a_download_is_unpacked_once(tmp_path):
    bulk = write_zip(tmp_path / "a.zip", {"ann/b2.h5": b"2", "bob/b2.h5": b"3"})
    folder = unpack_bulk_download(bulk, tmp_path / "into")
    assert folder.parent == tmp_path / "into"
    assert len(folder.name) == 16
    (folder / "ann" / "mark").write_bytes(b"")
    assert unpack_bulk_download(bulk, tmp_path / "into") == folder
    assert (folder / "ann" / "mark").exists()


def test_what_a_killed_run_left_is_done_again(tmp_path):
    bulk = write_zip(tmp_path / "a.zip", {"ann/b2.h5": b"2", "bob/b2.h5": b"3"})
    name = unpack_bulk_download(bulk, tmp_path / "other").name
    left = tmp_path / "into" / f".{name}.partial" / "ann"
    left.mkdir(parents=True)
    (left / "half.h5").write_bytes(b"")
    folder = unpack_bulk_download(bulk, tmp_path / "into")
    assert set(file_contents(folder)) == {"ann/b2.h5", "bob/b2.h5"}
    assert {path.name for path in folder.parent.iterdir()} == {".lock", name}


def test_a_hostile_submission_spoils_no_other(tmp_path):
    bulk = write_tar(
        tmp_path / "a.tar.gz",
        [
            ("ann/b2.h5", b"2"),
            ("eve/b2.h5", b"x"),
            (tar_entry("eve/b" + "x" * 200, tarfile.SYMTYPE, "../ann/b2.h5"), b""),
            ("eve/b10.h5", b"x"),
            ("bob/b2.h5", b"3"),
        ],
    )
    entries = {entry.name: entry for entry in find_entries([], bulk, tmp_path / "into")}
    assert set(entries) == {"ann", "bob", "eve"}
    for name in ("ann", "bob"):
        assert set(file_contents(prepare_folder(entries[name], tmp_path / "scratch"))) == {"b2.h5"}
    with pytest.raises(SubmissionError, match=r"^eve/bx+\.\.\.: a link; hand in the file itself$"):
        prepare_folder(entries["eve"], tmp_path / "scratch")
    assert list(entries["eve"].path.iterdir()) == []


@pytest.mark.parametrize(
    "files", [{"../x/b2.h5": b""}, {"b2.h5": b"", "b4.h5": b""}, {}, {"index.html": b""}]
)
def test_what_is_no_download_is_the_instructor_s_to_mend(tmp_path, files):
    bulk = write_zip(tmp_path / "a.zip", files)
    with pytest.raises(HarnessError, match=r"a\.zip: .*unpack it by hand"):
        unpack_bulk_download(bulk, tmp_path / "into")
    assert {path.name for path in (tmp_path / "into").iterdir()} == {".lock"}


def test_a_broken_download_leaves_nothing(tmp_path):
    bulk = write_tar(tmp_path / "a.tgz", {f"{i}/b2.h5": os.urandom(9999) for i in range(9)})
    bulk.write_bytes(bulk.read_bytes()[:50_000])
    with pytest.raises(HarnessError, match="not a readable"):
        unpack_bulk_download(bulk, tmp_path / "into")
    assert {path.name for path in (tmp_path / "into").iterdir()} == {".lock"}


@given(st.lists(FILE_NAMES, max_size=12))
def test_every_file_of_a_download_goes_to_one_place_at_most(names):
    locations = lms_archives.layout(names)
    assert len(locations) == len(names)
    for location in locations:
        if not isinstance(location, lms_archives.Location):
            assert location is None or "\n" not in location
            continue
        child, parts = location
        assert parts
        assert all(part not in ("", ".", "..") and "/" not in part for part in (child, *parts))


CANVAS = ("smithann_1001_5001_model_2.keras", "doejane_1002_5002_model_2.keras")


@pytest.mark.parametrize(
    ("hostile", "parts"),
    [
        ("smithann_attempt_2030-01-01-00-00-00_model_2.keras", None),
        ("Ann Smith_9_assignsubmission_file_model_2.keras", None),
        ("anon_Ab3_900_model_2.keras", None),
        ("a\\model_2.keras", ("a", "model_2.keras")),
        ("a\nb.keras", None),
    ],
)
def test_what_a_student_calls_a_file_moves_nobodys_work(hostile, parts):
    """One platform wrote a download: no name makes a file another student's."""
    locations = lms_archives.layout([*CANVAS, f"malloryeve_1003_5003_{hostile}"])
    assert [location.submission for location in locations] == [
        "smithann_1001", "doejane_1002", "malloryeve_1003"
    ]  # fmt: skip
    assert locations[-1].parts == (parts or (hostile,))


def test_a_name_that_no_file_can_have_costs_nobody_else_anything(tmp_path):
    names = {"submission_1/model_2.h5": b"1", "submission_2/a\\..\\x.h5": b"2",
             f"submission_3/{'x' * 300}.h5": b"3", "submission_4/model_2.h5": b"4"}  # fmt: skip
    folder = unpack_bulk_download(write_zip(tmp_path / "a.zip", names), tmp_path / "into")
    left = {"submission_1/model_2.h5", "submission_4/model_2.h5"}
    assert set(file_contents(folder)) - {".left-out.json"} == left
    reasons = lms_archives.left_out(folder)
    assert sorted(reasons.values()) == ["leads out of the archive", "no name that a file can have"]


def test_only_gradescopes_own_list_says_who_is_who(tmp_path):
    """A student's file of that name is a file of theirs, in any folder and on any platform."""
    listed = {"a/submission_1/x.h5": b"1", "a/submission_metadata.yml": b"own",
              "a/submission_2/submission_metadata.yml": b"not"}  # fmt: skip
    folder = unpack_bulk_download(write_zip(tmp_path / "a.zip", listed), tmp_path / "into")
    assert (folder / "submission_metadata.yml").read_bytes() == b"own"
    assert (folder / "submission_2" / "submission_metadata.yml").read_bytes() == b"not"
    planted = {"smithann_1001_5001_lab.zip": b"1", "malloryeve_1003_5003_lab.zip": b"2",
               "malloryeve_1003_5004_assignfeedback_file_\\submission_metadata.yml": b"3",
               "submission_metadata.yml": b"4"}  # fmt: skip
    folder = unpack_bulk_download(write_zip(tmp_path / "b.zip", planted), tmp_path / "into")
    assert not (folder / "submission_metadata.yml").exists()


@pytest.mark.parametrize("questions", [0, 4, 9, 11])
def test_a_killed_reader_leaves_nothing_half_unpacked(tmp_path, monkeypatch, questions):
    bulk = write_zip(tmp_path / "a.zip", {"ann/b2.h5": b"2", "bob/b2.h5": b"3"})
    with monkeypatch.context() as patch:
        kill_when_asked(patch, questions)
        with pytest.raises(HarnessError, match=r"killed by the system.*Run the same command again"):
            unpack_bulk_download(bulk, tmp_path / "into")
    assert [path.name for path in (tmp_path / "into").iterdir()] == [".lock"]
    folder = unpack_bulk_download(bulk, tmp_path / "into")
    assert set(file_contents(folder)) == {"ann/b2.h5", "bob/b2.h5"}


def test_names_that_would_fill_the_memory_are_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=tarfile.GNU_FORMAT) as archive:
        for number in range(600):
            archive.addfile(tarfile.TarInfo(f"{number}/" + "x" * 60_000))
    with pytest.raises(HarnessError, match="the names in it are too many or too long"):
        unpack_bulk_download(tmp_path / "a.tar.gz", tmp_path / "unpacked")
