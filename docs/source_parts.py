"""Write what is generated into the pages' sources: ``python docs/source_parts.py``; no pictures.

So that the texts can be read where nothing was built. ``tox -e docs`` puts the same there once
more, with pictures.
"""

from __future__ import annotations

import re
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "extensions")]

from glossary_page import glossary  # noqa: E402
from rubric_page import rubric_keys  # noqa: E402

from harness.assessment.diagnoses import explanations  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER = re.compile(r"\{(\w+)[^}]*\}")
_PART = "(<!-- generated: {} -->\n).*?(<!-- end -->)"


def main() -> None:
    """Write every page that has such a part."""
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")


def pages() -> dict[Path, str]:
    """The pages with their parts, as they should be."""
    parts = {"diagnoses": diagnoses, "glossary": glossary, "rubric keys": rubric_keys}
    files = {"diagnoses": "diagnoses.md", "glossary": "glossary.md", "rubric keys": "rubric.md"}
    return {DOCS / file: _filled(DOCS / file, name, parts[name]()) for name, file in files.items()}


def diagnoses() -> str:
    """A section for each code; names in italics stand for the numbers of a submission."""
    sections = groupby(explanations().items(), key=lambda item: item[0].partition(".")[0])
    lines = [line for code, variants in sections for line in _section(code, dict(variants))]
    return "\n".join(lines).rstrip()


def _section(code: str, variants: dict[str, dict[str, str]]) -> Iterator[str]:
    yield f"## {code}\n"
    for texts in variants.values():
        yield "> " + _NUMBER.sub(r"*\1*", f"{texts['seen']} {texts['do']}") + "\n"


def _filled(page: Path, name: str, part: str) -> str:
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(_PART.format(name), flags=re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}{part.strip()}\n{found[2]}", text, count=1)


if __name__ == "__main__":
    main()
