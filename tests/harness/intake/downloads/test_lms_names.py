"""What platforms write into names: students, times of either order, lateness, and nothing else."""

from datetime import date, datetime

import pytest

from harness.intake.downloads.lms_names import (
    flat_platform,
    parse_file_name,
    parse_submission_name,
    parse_written_time,
)


def at(*numbers):
    return datetime(*numbers)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("Nov 30, 2026 1027 AM", at(2026, 11, 30, 10, 27)),
        ("Dec 1, 2026 905 AM", at(2026, 12, 1, 9, 5)),
        ("Nov 30, 2026 1027\u202fAM", at(2026, 11, 30, 10, 27)),
        ("30 November, 2026 10:27", at(2026, 11, 30, 10, 27)),
        ("30 Nov 2026 2214", at(2026, 11, 30, 22, 14)),
        ("30. November 2026 22h14", at(2026, 11, 30, 22, 14)),
        ("Monday, 30 November 2026 at 10.27 p.m.", at(2026, 11, 30, 22, 27)),
        ("1st Sept. 2026 9:05:59", at(2026, 9, 1, 9, 5, 59)),
        ("May 5, 2026 1200 AM", at(2026, 5, 5, 0, 0)),
        ("May 5, 2026 1200 PM", at(2026, 5, 5, 12, 0)),
        ("MAY 5, 2026 100 pm", at(2026, 5, 5, 13, 0)),
        ("2026-11-30 1027", at(2026, 11, 30, 10, 27)),
        ("30 Nov 2026", date(2026, 11, 30)),
        ("Feb 30, 2026 1027 AM", None),
        ("Nov 30, 2026 1327 PM", None),
        ("Nov 30, 2026 2560", None),
        ("30 novembre 2026 1027", None),
        ("Ju 3, 2026 1027 AM", None),
        ("11-12-2026 1027", None),
        ("11 12 2026 1027", None),
        ("yesterday", None),
    ],
)
def test_times_of_either_order_and_nothing_guessed(text, time):
    assert parse_written_time(text) == time


@pytest.mark.parametrize(
    ("name", "platform", "student", "time"),
    [
        ("12-34 - Jane Doe - Nov 24, 2026 1027 AM", "brightspace", "Jane Doe",
         at(2026, 11, 24, 10, 27)),
        ("12-34 - Jane Smith-Jones- 24 Nov, 2026 10:27", "brightspace", "Jane Smith-Jones",
         at(2026, 11, 24, 10, 27)),
        ("12-34 - Group 1 - Jane Doe - Nov 24, 2026 - 1027 AM", "brightspace", "Group 1 - Jane Doe",
         at(2026, 11, 24, 10, 27)),
        ("12-34 - Jane Doe - 24 novembre 2026 1027", "brightspace", "Jane Doe", None),
        ("12-34 - Jane Doe", "brightspace", "Jane Doe", None),
        ("Jane Doe_1234_assignsubmission_file_", "moodle", "Jane Doe", None),
        ("Jane_Doe_1234_assignsubmission_file", "moodle", "Jane_Doe", None),
        ("Lab 3_j_doe_attempt_2026-11-24-10-27-00", "blackboard", "Lab 3_j_doe",
         at(2026, 11, 24, 10, 27)),
        ("Lab 3_jdoe_attempt_2026-13-24-10-27-00", "blackboard", "Lab 3_jdoe", None),
        ("submission_1234", "gradescope", "", None),
        ("anon_Ab3Xz", "anonymous", "", None),
        ("doejane_12", "canvas", "doejane", None),
    ],
)  # fmt: skip
def test_names_of_submissions(name, platform, student, time):
    parsed = parse_submission_name(name)
    assert (parsed.platform, parsed.student, parsed.submitted_at) == (platform, student, time)


@pytest.mark.parametrize("name", ["lab3-jdoe", "Jane Doe", "hw2 202611", "anon_x y", "", "2026"])
def test_names_that_no_platform_wrote(name):
    assert parse_submission_name(name) is None


@pytest.mark.parametrize(
    ("name", "late"),
    [("doejane_LATE_12", True), ("LATE_anon_Ab3Xz", True), ("anon_Ab3Xz_LATE", True),
     ("anon_Ab3Xz", False), ("doejane_12", False), ("lateanon_12", False)],
)  # fmt: skip
def test_marks_of_lateness(name, late):
    assert parse_submission_name(name).late is late


@pytest.mark.parametrize(
    ("name", "submission", "late", "file"),
    [
        ("anon_Ab3Xz_900_model_2.h5", "anon_Ab3Xz", False, "model_2.h5"),
        ("LATE_anon_Ab3Xz_900_model_2.h5", "anon_Ab3Xz", True, "model_2.h5"),
        ("anon_Q9zzz_LATE_901_lab.zip", "anon_Q9zzz", True, "lab.zip"),
        ("anon_12345_900_2_model.h5", "anon_12345", False, "2_model.h5"),
        ("anon_Ab3Xz_text.html", "anon_Ab3Xz", False, "text.html"),
        ("doejane_LATE_12_900_x.h5", "doejane_12", True, "x.h5"),
        ("Lab_3_j_doe_attempt_2026-11-24-10-27-00_model_2.h5",
         "Lab_3_j_doe_attempt_2026-11-24-10-27-00", False, "model_2.h5"),
        ("Lab 3_jdoe_attempt_2026-11-24-10-27-00.txt",
         "Lab 3_jdoe_attempt_2026-11-24-10-27-00", False, "submission.txt"),
        ("Jane Doe_12_assignsubmission_file_model_2.h5",
         "Jane Doe_12_assignsubmission_file_", False, "model_2.h5"),
    ],
)  # fmt: skip
def test_names_of_files_in_downloads_without_folders(name, submission, late, file):
    parsed = parse_file_name(name, flat_platform([name]))
    assert (parsed.submission, parsed.late, parsed.file) == (submission, late, file)


@pytest.mark.parametrize("name", ["model_2.h5", "doejane_model.h5", "report.pdf", "anon_x.h5"])
def test_names_of_files_that_say_nobody(name):
    assert flat_platform([name]) is None
