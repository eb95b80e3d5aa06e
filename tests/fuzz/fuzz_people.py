"""Rosters, gradebooks and Gradescope's metadata; and what platforms write into names."""

from __future__ import annotations

from fuzz_inputs import ODD_TEXTS, TEXTS, damaged
from fuzz_properties import Finding, require_one_line
from gradebooks import BLACKBOARD, BRIGHTSPACE, CANVAS, GRADESCOPE, MOODLE
from hypothesis import strategies as st

_ODD = st.sampled_from(ODD_TEXTS)
_TITLES = st.sampled_from((
    "folder", "name", "login", "student_id", "sis_id", "org_defined_id", "email", "section",
    "attempt", "submitted_at", "due_at", "late", "Student", "ID", "SIS User ID", "SIS Login ID",
    "Section", "OrgDefinedId", "Username", "Last Name", "First Name", "SID", "Name", "Email",
    "Sections", "Email address", "Surname", "Full name", "ID number", "Folder ", "FOLDER", "\x1b",
))  # fmt: skip
_CELLS = st.one_of(
    st.sampled_from((
        "", "a", "b", "ann", "Lee, Ann", "12", "1.2E+10", "12,0", "1", "0", "999999", "9999999",
        "2026-11-24T23:59:01+01:00", "2026-11-24T22:59:00Z", "2026-11-24 23:59", "2026-11-24",
        "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "20261124T235901,5",
        "2026-W01-1",
        "yes", "No", "late", "#900", "    Points Possible", '"', '""', '"a"b', "a\nb", "\r", "\0",
        "Zo\u00eb", "\u0661", "2026-11-24T23:59:01+25:00",
    )),
    _ODD,
)  # fmt: skip


_HONEST = (
    CANVAS,
    BRIGHTSPACE,
    BLACKBOARD,
    MOODLE,
    "folder,login,attempt,submitted_at,due_at\na,ann,1,2026-11-24T23:59+01:00,2026-11-24T22:59Z\n",
    "folder,name,login,attempt,late\na,Ann,ann,1,no\nb,Bob,bob,2,yes\n",
    "folder;name;email\na;Ann;a@x\na;Bob;b@x\n",
)
_DECLARED = ("", "", "", "sep=;\n", "sep=\n", 'sep=,"\n', "sep= \n", "sep=\0\n", "sep=a\r\n")


@st.composite
def _tables(draw):
    if draw(st.booleans()):
        text = draw(st.sampled_from(_HONEST))
        for _ in range(draw(st.integers(0, 2))):
            place = draw(st.integers(0, len(text)))
            text = text[:place] + draw(_CELLS) + text[place + draw(st.integers(0, 3)) :]
    else:
        text = draw(_made_tables())
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le")))
    return _encode(draw(st.sampled_from(_DECLARED)) + text, encoding)


@st.composite
def _made_tables(draw):
    delimiter = draw(st.sampled_from((",", ",", ";", "\t", "|")))
    titles = draw(st.lists(_TITLES, min_size=1, max_size=8))
    size = len(titles)
    rows = st.lists(_CELLS, min_size=max(0, size - draw(st.integers(0, 1))), max_size=size)
    lines = [titles, *draw(st.lists(rows, max_size=5))]
    quoted = draw(st.booleans())
    return draw(st.sampled_from(("\n", "\r\n", "\r"))).join(
        delimiter.join(_quoted(cell) if quoted else cell for cell in line) for line in lines
    )


def _quoted(cell):
    return '"' + cell.replace('"', '""') + '"'


def _encode(text, encoding):
    return text.encode(encoding, "surrogatepass")


ROSTERS = damaged(_tables(), most=1)

LARGE_ROSTERS = (
    b"folder,email\n" + b"".join(b"a,p%d@x\n" % number for number in range(12_000)),
    b"folder,name\n" + b"".join(b"a,Ann%d\n" % number for number in range(12_000)),
    b"folder,login,name\n" + b"".join(b"a%d,x,Ann\n" % number for number in range(12_000)),
)
"""Teams of thousands, and one person's thousand attempts."""


def check_roster(content, folder):
    """The people in a table."""
    return _check_people(folder / "roster.csv", content)


def _check_people(path, content):
    from harness.people.roster import Person, examine_roster, read_roster
    from harness.records.errors import HarnessError

    path.write_bytes(content)
    try:
        _, problems = examine_roster(path)
    except HarnessError as error:
        require_one_line(str(error))
        return f"refused: {str(error).removeprefix(f'{path}: ')}"
    for problem in problems:
        require_one_line(problem)
    try:
        people = read_roster(path)
    except HarnessError as error:
        require_one_line(str(error))
        return f"refused: {str(error).removeprefix(f'{path}: ')}"
    if problems or not all(isinstance(person, Person) for person in people):
        raise Finding("people in spite of problems")
    return f"read: {[(p.folder, p.name, p.login, p.attempt, p.late) for p in people]!r}"


# --- Gradescope's metadata ----------------------------------------------------------------------

_YAML_LINES = st.one_of(
    st.sampled_from((
        "---", "submission_11:", "  :submitters:", "  - :name: Jane", "    :sid: '12'",
        "    :email: a@b",
        "  :created_at: 2026-11-24 23:59:01 +01:00", "  :created_at: Z", "submission_12: &a",
        "  <<: *a",
        "? [a, b]", ": c", "  :submitters: *a", "  :submitters: []", "- x", "a: &b [*b]",
        "null: 1",
        "!!python/object/apply:os.system ['id']: 1", "  - :name: !!binary aGk=",
        "  - :name: \"\\e[31m\"",
        "  :submitters: [{:name: x}, {:name: x}, 3]", "%YAML 1.2", "...", "\t- x", "a: |",
        "  - *c",
        "1: {:submitters: [{:email: ~}]}", "[" * 500, "[" * 20_000, "{a: " * 2_000, "- " * 5_000,
    )),
    _ODD,
)  # fmt: skip


@st.composite
def _yaml(draw):
    lines = (
        GRADESCOPE.split("\n") if draw(st.booleans()) else draw(st.lists(_YAML_LINES, max_size=8))
    )
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(lines)))
        lines[place : place + draw(st.integers(0, 2))] = [draw(_YAML_LINES)]
    return _encode("\n".join(lines), "utf-8")


METADATA = damaged(_yaml(), most=1)

LARGE_METADATA = b"submission_1:\n  :submitters:\n" + b"".join(
    b"  - :name: Ann%d\n" % number for number in range(8_000)
)


def check_metadata(content, folder):
    """The people in the metadata of a Gradescope export."""
    return _check_people(folder / "submission_metadata.yml", content)


# --- names of learning platforms ------------------------------------------------------------------

_NAME_PIECES = st.one_of(
    st.sampled_from((
        "doejane", "Jane Doe", "_LATE", "LATE_", "anon_", "_12", "_900", "_", "-1", "-", " - ",
        "12-34 - ",
        "_assignsubmission_file_", "_assignsubmission_onlinetext_", "_assignfeedback_x_",
        "submission_12",
        "_attempt_2026-11-24-23-59-01", "_attempt_9999-99-99-99-99-99", "lab.zip", "b2.h5",
        ".tar.gz",
        "text.html", "link.html", "Nov 24, 2026 1027 AM", "24 November, 2026 23:59",
        "2026-11-30 1027",
        "Nov 99, 0000 13:99 PM", "\u0661\u0662-\u0663 - x - \u0661 May 2026", "/", "\\", "..",
        "C:", "__MACOSX",
        ".DS_Store", "0" * 100, "_1" * 60, "a - " * 50, "\xad", "\uff11",
        "may 1st 2026 at 12.30.15pm",
    )),
    TEXTS.filter(lambda text: len(text) < 400),
)  # fmt: skip
_NAMES = st.lists(_NAME_PIECES, min_size=1, max_size=5).map("".join)
LMS_NAMES = st.lists(_NAMES, min_size=1, max_size=6).map(
    lambda names: "\n".join(name.replace("\n", " ") for name in names).encode("utf-8", "replace")
)


def check_lms_names(content, folder):
    """Where the files of a download with these names belong, and what each name says."""
    from harness.intake.downloads.lms_archives import Location, layout
    from harness.intake.downloads.lms_names import (
        flat_platform,
        moodle_submission,
        parse_file_name,
        parse_submission_name,
        parse_written_time,
    )

    names = content.decode("utf-8", "surrogateescape").split("\n")
    said = []
    for name in names:
        said.append(parse_submission_name(name[:255]))
        parse_written_time(name[:255])
        platform = flat_platform([name[:255]])
        file = parse_file_name(name[:255], platform) if platform else None
        if file is not None and not file.file:
            raise Finding(f"a file without a name: {name!r:.300}")
        moodle_submission(name[:255])
    locations = layout(names)
    for reason in (location for location in locations if isinstance(location, str)):
        require_one_line(reason)
    for location in locations:
        if not isinstance(location, Location):
            continue
        for part in (location.submission, *location.parts):
            if part in ("", ".", "..") or "/" in part or "\0" in part:
                raise Finding(f"leads out: {location!r:.300}")
    return f"read: {[each and each.platform for each in said]} {len(names)} {locations!r}"[:3000]
