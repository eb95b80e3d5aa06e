"""Courses to export, and what their platforms publish."""

from dataclasses import replace
from pathlib import Path

from courses import graded, rubric
from records_by_hand import checkpoint

from harness.output.exports.course import Course, ExportOptions
from harness.output.exports.formats import renderer
from harness.people.roster import Person
from harness.records.errors import Status
from harness.records.findings import Diagnosis

PUBLISHED = Path(__file__).parents[1] / "harness" / "output" / "exports" / "published"
HOSTILE = "=cmd|' /C calc'!A0</pre><script>\n\u202e\udcff\x00\ufffe&%$#_{}~^\\[*]`@all"
RISKY = ("\u202e", "\udcff", "\x00", "\ufffe")


def published(name):
    return (PUBLISHED / name).read_text(encoding="utf-8")


def course(*records, hide=(), roster=(), **options):
    return Course(
        records=records, rubric=rubric(*hide), roster=roster, options=ExportOptions(**options)
    )


def only_file(name, given):
    (text,) = renderer(name)(given).files.values()
    return text


def hostile_record(name=HOSTILE):
    bad = replace(checkpoint(2.0), status=Status.CRASHED, reason=HOSTILE, repaired=None)
    late = checkpoint(10.0, clean=800, before=850)
    own = graded(name, (bad, late), notes=(HOSTILE,), environment={HOSTILE: HOSTILE})
    found = Diagnosis(code="UNKNOWN", explanation=HOSTILE)
    checks = (*own.checks, replace(own.checks[0], name=HOSTILE, reason=HOSTILE, passed=False))
    return replace(own, diagnoses=(found,), checks=checks, status=Status.REJECTED, reason=HOSTILE)


JANE = Person(folder="jane", name="Doe, Jane", login="jd1234", student_id="10452",
              sis_id="0012345", org_defined_id="0012345", section="CS-GY 9223 A")  # fmt: skip
RICHARD = Person(folder="richard", name="Roe, Richard", login="rr77", student_id="10977",
                 sis_id="N18273645", org_defined_id="N18273645",
                 section="CS-GY 9223 A")  # fmt: skip
