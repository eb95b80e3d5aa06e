"""Gradescope's ``submission_metadata.yml``, which says whose each ``submission_123`` is.

It is the platform's text with names that students chose. Of YAML only texts, lists and mappings
are taken (``BaseLoader``): no tag makes an object, and an id of digits stays a text.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harness.records.environment import install_command
from harness.records.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FILE = "submission_metadata.yml"

_MAX_BYTES = 64 << 20
_MAX_PEOPLE = 100_000  # YAML can name one list a thousand times
_INSTALL = install_command("gradescope")
_BEFORE_OFFSET = re.compile(r" (?=[+-]\d\d:?\d\d$|Z$)")


def is_metadata(path: Path) -> bool:
    """Whether a file's name is that of metadata, renamed perhaps."""
    return path.suffix.lower() in (".yml", ".yaml")


def read_metadata(path: Path) -> list[dict[str, str]]:
    """The people of a bulk export, by the names of a roster's columns, for each submission.

    Raises HarnessError for anything else, and without PyYAML.
    """
    content = _load(path)
    if not isinstance(content, dict):
        raise HarnessError(f"{path}: no metadata of a Gradescope export; give its {FILE}")
    people: list[dict[str, str]] = []
    for folder, details in content.items():
        if isinstance(details, dict) and isinstance(details.get(":submitters"), list):
            people += _team(str(folder), details)
        if len(people) > _MAX_PEOPLE:
            raise HarnessError(
                f"{path}: more than {_MAX_PEOPLE:,} people; give Gradescope's {FILE}"
            )
    return people


def _load(path: Path) -> Any:
    try:
        import yaml
    except ImportError:
        raise HarnessError(f"{path}: reading it needs PyYAML: {_INSTALL}") from None

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise HarnessError(f"{path}: more than {_MAX_BYTES >> 20} MiB")
        text = path.read_bytes()
        # The parser in C is some thirty times faster; autograders' outputs are in the file too.
        return yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506
    except OSError as error:
        raise HarnessError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        why = " ".join(str(error).split())[:200]
        raise HarnessError(f"{path}: damaged ({why}); export the submissions again") from None


def _team(folder: str, details: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The submitters of one submission, each once; those of an anonymous export are left out."""
    submitted_at = _iso_time(details.get(":created_at"))
    seen = set()
    for submitter in details[":submitters"]:
        if not isinstance(submitter, dict):
            continue
        name, student, email = (_text(submitter.get(key)) for key in (":name", ":sid", ":email"))
        person = {
            "folder": folder,
            "name": name,
            "sis_id": student,
            "org_defined_id": student,
            "email": email,
            "submitted_at": submitted_at,
        }
        if (name or student or email) and (name, student, email) not in seen:
            seen.add((name, student, email))
            yield person


def _text(value: object) -> str:
    """A text, without blanks around it; empty for anything else and for YAML's null."""
    text = value.strip() if isinstance(value, str) else ""
    return "" if text in ("null", "~") else text


def _iso_time(value: object) -> str:
    """A time with its offset as ISO 8601 has it; empty where there is none."""
    text = _BEFORE_OFFSET.sub("", _text(value))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return text if time.utcoffset() is not None else ""
