"""What of a course is not graded, and why: nothing that somebody sees there goes without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.intake.downloads.lms_names import flat_platform
from harness.intake.file_rules import FOREIGN_FORMATS, MODEL_FORMATS, RUN_FORMATS
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_OTHER_ARCHIVES = (
    ".rar", ".7z", ".zipx", ".gz", ".bz2", ".xz", ".zst", ".lz", ".lz4", ".lzma", ".z", ".br",
    ".tzst", ".tlz", ".cab", ".ace", ".arj", ".lzh", ".lha", ".sit", ".sitx", ".cpio", ".iso",
    ".dmg", ".001", ".z01",
)  # fmt: skip
_MODELS = (*MODEL_FORMATS, *RUN_FORMATS, *FOREIGN_FORMATS)
_MAX_NAMES = 500
_NAME_CHARACTERS = 120

REPACK = "a kind of archive that is not read; pack it again as .zip"
EARLIER = "an earlier upload, of which a later one is graded"
NO_FILES = "a text typed into Moodle or a teacher's comment, without files"
BROKEN_LINK = "a link to nothing"
_LOOSE_MODEL = "a model in no folder; put the files of each person into a folder of their own"
_UNPACKED = "of a download that was unpacked; give --each the platform's archive itself"
_OTHER = "neither a folder nor an archive"


def is_other_archive(name: str) -> bool:
    """Whether a file of this name is an archive, but of a kind that is not read."""
    return name.lower().endswith(_OTHER_ARCHIVES)


def reason_left_out(name: str) -> str:
    """Why a file of this name, which is no archive that is read, is no submission."""
    if is_other_archive(name):
        return REPACK
    if flat_platform([name]):
        return _UNPACKED
    return _LOOSE_MODEL if name.lower().endswith(_MODELS) else _OTHER


def describe_left_out(reasons: Mapping[str, str]) -> list[str]:
    """A line for each reason, with all names that have it."""
    names_by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names_by_reason.setdefault(reason, []).append(one_line(name, _NAME_CHARACTERS))
    return [
        f"not graded: {_enumerate(names)}: {reason}" for reason, names in names_by_reason.items()
    ]


def _enumerate(names: list[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
