"""What learning platforms write into the names of submissions and files: student, time, lateness.

Every platform puts numbers of its own beside the student (of the download, the file, the day);
only Canvas's user id means a person. What a name does not say clearly is left unknown.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Platform = Literal["canvas", "anonymous", "brightspace", "moodle", "blackboard", "gradescope"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionName:
    """What a platform's name of a submission says."""

    platform: Platform

    student: str = ""
    """Their name; on Blackboard the assignment and their login; empty where it says nobody."""

    user: str = ""
    """Canvas's user id."""

    submitted_at: date | None = None
    """In the platform's time zone, mostly with the time of day (a `datetime`); None where the name
    holds nothing that can be read."""

    late: bool = False


class FileName(NamedTuple):
    """What a platform's name of a file says, in a download without folders."""

    submission: str
    """The name of the submission, without a mark of lateness."""

    late_submission: str
    """The name of the submission where it is late."""

    late: bool

    number: int
    """Canvas's number of the upload: the greatest is the last."""

    file: str
    """The student's name of the file."""


# --- submissions --------------------------------------------------------------------------------

_CANVAS = re.compile(r"(?P<student>.+?)(?P<late>_LATE)?_(?P<user>\d+)(_\d+_.*)?")
_ANONYMOUS = re.compile(r"(?P<late>LATE_)?anon_(?P<key>[A-Za-z0-9]+)(?P<late_too>_LATE)?(_\d+_.*)?")
_BRIGHTSPACE = re.compile(r"\d+-\d+ - (?P<rest>.+)")
_MOODLE = re.compile(
    r"(?P<submission>(?P<student>.+)_\d+)_assign(?P<kind>submission|feedback)_[a-z]+_?"
)
_MOODLE_FILES = "_assignsubmission_file_"
"""How the name of a folder with files ends."""

_BLACKBOARD = re.compile(r"(?P<student>.+)_attempt_(?P<time>\d{4}(-\d\d){5})")
_GRADESCOPE = re.compile(r"submission_\d+")


@lru_cache(maxsize=4096)  # a course asks for each of its names once for everybody in its roster
def parse_submission_name(name: str) -> SubmissionName | None:
    """What a folder's or archive's name says; None where no platform wrote it.

    Canvas's form is so plain that people write it too (``lab3_2026``).
    """
    for pattern, read in _READERS:
        if match := pattern.fullmatch(name):
            return read(match)
    return None


def _read_gradescope(_: re.Match[str]) -> SubmissionName:
    return SubmissionName(platform="gradescope")


def _read_brightspace(match: re.Match[str]) -> SubmissionName:
    student, time = _split_time(match["rest"])
    return SubmissionName(platform="brightspace", student=student, submitted_at=time)


def _read_moodle(match: re.Match[str]) -> SubmissionName:
    return SubmissionName(platform="moodle", student=match["student"])


def _read_blackboard(match: re.Match[str]) -> SubmissionName:
    time = _blackboard_time(match["time"])
    return SubmissionName(platform="blackboard", student=match["student"], submitted_at=time)


def _read_anonymous(match: re.Match[str]) -> SubmissionName:
    return SubmissionName(platform="anonymous", late=bool(match["late"] or match["late_too"]))


def _read_canvas(match: re.Match[str]) -> SubmissionName:
    late = match["late"] is not None
    return SubmissionName(
        platform="canvas", student=match["student"], user=match["user"], late=late
    )


_READERS = (
    (_GRADESCOPE, _read_gradescope),
    (_BRIGHTSPACE, _read_brightspace),
    (_MOODLE, _read_moodle),
    (_BLACKBOARD, _read_blackboard),
    (_ANONYMOUS, _read_anonymous),
    (_CANVAS, _read_canvas),
)


def moodle_submission(folder: str) -> str | None:
    """The name of the submission that a folder of Moodle belongs to: that of the files' folder.

    A text typed into Moodle is in a folder of its own. None for any other name; empty for what
    the teacher wrote.
    """
    match = _MOODLE.fullmatch(folder)
    if match is None:
        return None
    return f"{match['submission']}{_MOODLE_FILES}" if match["kind"] == "submission" else ""


def is_one_submission(name: str) -> bool:
    """Whether a folder of this name is surely one submission, not a wrapping of several."""
    parsed = parse_submission_name(name)
    return parsed is not None and parsed.platform not in ("canvas", "anonymous")


# --- files of downloads without folders -----------------------------------------------------------

_CANVAS_FILE = re.compile(
    r"(?P<student>.+?)(?P<late>_LATE)?_(?P<user>\d+)_"
    r"(?:(?P<number>\d+)_(?P<file>.+)|(?P<page>text\.html|link\.html))",
    re.DOTALL,
)
_ANONYMOUS_FILE = re.compile(
    r"(?P<late>LATE_)?anon_(?P<key>[A-Za-z0-9]+)(?P<late_too>_LATE)?_"
    r"(?:(?P<number>\d+)_(?P<file>.+)|(?P<page>text\.html|link\.html))",
    re.DOTALL,
)
_MOODLE_FILE = re.compile(
    r"(?P<submission>.+?_\d+)_assignsubmission_[a-z]+_(?P<file>.+)", re.DOTALL
)
_BLACKBOARD_FILE = re.compile(
    r"(?P<submission>.+?_attempt_\d{4}(-\d\d){5})(?:_(?P<file>.+)|(?P<page>\.txt))",
    re.DOTALL,
)
_BLACKBOARD_PAGE = "submission.txt"


def flat_platform(names: Sequence[str]) -> str | None:
    """The platform that named all these files; None where none did.

    One platform wrote a download, so that what a student calls a file cannot make it another's.
    """
    return next(
        (
            platform
            for platform, (pattern, _) in _FILE_READERS.items()
            if all(pattern.fullmatch(name) for name in names)
        ),
        None,
    )


def parse_file_name(name: str, platform: str) -> FileName | None:
    """What the name of a file says in a download of Canvas, Moodle or Blackboard."""
    pattern, read = _FILE_READERS[platform]
    match = pattern.fullmatch(name)
    return read(match) if match else None


def _read_anonymous_file(match: re.Match[str]) -> FileName:
    submission = f"anon_{match['key']}"
    late = bool(match["late"] or match["late_too"])
    number, file = int(match["number"] or 0), match["file"] or match["page"]
    return FileName(submission, f"LATE_{submission}", late, number, file)


def _read_blackboard_file(match: re.Match[str]) -> FileName:
    submission = match["submission"]
    return FileName(submission, submission, False, 0, match["file"] or _BLACKBOARD_PAGE)


def _read_moodle_file(match: re.Match[str]) -> FileName:
    submission = f"{match['submission']}{_MOODLE_FILES}"
    return FileName(submission, submission, False, 0, match["file"])


def _read_canvas_file(match: re.Match[str]) -> FileName:
    student, user = match["student"], match["user"]
    number, file = int(match["number"] or 0), match["file"] or match["page"]
    late = match["late"] is not None
    return FileName(f"{student}_{user}", f"{student}_LATE_{user}", late, number, file)


_FILE_READERS: dict[str, tuple[re.Pattern[str], Callable[[re.Match[str]], FileName]]] = {
    "anonymous": (_ANONYMOUS_FILE, _read_anonymous_file),
    "blackboard": (_BLACKBOARD_FILE, _read_blackboard_file),
    "moodle": (_MOODLE_FILE, _read_moodle_file),
    "canvas": (_CANVAS_FILE, _read_canvas_file),
}


# --- times --------------------------------------------------------------------------------------

_SEPARATOR = re.compile(r"\s*-\s+")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.? )?"
_DAY, _YEAR = r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?", r"(?P<year>\d{4})"
_MONTH = r"(?P<month>[a-z]{3,})\.?"
_CLOCK = (
    r"(?: (?:at )?(?P<hour>\d{1,2})[:.h]?(?P<minute>\d\d)(?:[:.]?(?P<second>\d\d))?"
    r" ?(?P<half>[ap]\.?m\.?)?)?"
)
_ISO = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
_TIMES = tuple(
    re.compile(f"{_WEEKDAY}{day}{_CLOCK}")
    for day in (f"{_MONTH} {_DAY} {_YEAR}", f"{_DAY} {_MONTH} {_YEAR}", _ISO)
)


def parse_written_time(text: str) -> date | None:
    """A time as Brightspace writes it, in English: month or day first, 12 or 24 hours, or a day.

    ``Nov 30, 2026 1027 AM``, ``30 November, 2026 10:27``, ``2026-11-30 1027``. None for anything
    else, and for days that are not told apart from months (``11-12-2026``).
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace(",", " ")
    words = " ".join(plain.split())
    for pattern in _TIMES:
        if match := pattern.fullmatch(words):
            return _written_time(match)
    return None


def _written_time(match: re.Match[str]) -> date | None:
    try:
        day = date(int(match["year"]), _month(match["month"]), int(match["day"]))
        if match["hour"] is None:
            return day
        hour, minute, second = _hour(match), int(match["minute"]), int(match["second"] or 0)
        return datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None


def _hour(match: re.Match[str]) -> int:
    """The hour of 24; ValueError for a 13 o'clock in the afternoon."""
    hour = int(match["hour"])
    if not match["half"]:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if match["half"].startswith("p") else 0)


def _month(word: str) -> int:
    """The number of a month; 0, which no month has, for anything else."""
    if word.isdigit():
        return int(word)
    found = [number for number, name in enumerate(_MONTHS, 1) if name.startswith(word)]
    return found[0] if len(found) == 1 else 0


def _blackboard_time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S")  # noqa: DTZ007
    except ValueError:
        return None


def _split_time(text: str) -> tuple[str, date | None]:
    """A student's name and the time after it, in what follows Brightspace's numbers."""
    splits = list(_splits(text))
    for student, rest in splits:
        if time := parse_written_time(_SEPARATOR.sub(" ", rest)):
            return student, time
    # A time that cannot be read is no part of the name.
    for student, rest in reversed(splits):
        if any(character.isdigit() for character in rest):
            return student, None
    return text, None


def _splits(text: str) -> Iterator[tuple[str, str]]:
    for separator in _SEPARATOR.finditer(text):
        yield text[: separator.start()], text[separator.end() :]
