"""Sphinx extension: what is generated takes the place of ``<!-- generated: NAME -->``.

Up to an ``<!-- end -->``, where there is one: what stands between is for readers of the source.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from diagnosis_page import diagnoses
from glossary_page import glossary
from pictures import PICTURES, draw_all, picture
from record_page import record_fields
from rubric_page import rubric_keys
from study_page import METRICS, detection, study_board

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_MARK = re.compile(r"<!-- generated: (.+?) -->(?:(?:(?!<!--).)*<!-- end -->)?", flags=re.DOTALL)
_PARTS = {
    **{f"study, {metric}": partial(study_board, metric) for metric in METRICS},
    **{
        f"study of faces, {metric}": partial(study_board, metric, "faces.json")
        for metric in METRICS
    },
    "study, detection": detection,
    "diagnoses": diagnoses,
    "glossary": glossary,
    "record fields": record_fields,
    "rubric keys": rubric_keys,
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to the build."""
    app.connect("builder-inited", _draw)
    app.connect("source-read", _fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _draw(app: Sphinx) -> None:
    draw_all(app.srcdir / "generated")


def _fill_in(_app: Sphinx, _page: str, source: list[str]) -> None:
    source[0] = _MARK.sub(lambda mark: _part(mark[1]), source[0])


def _part(name: str) -> str:
    """A generated part, or a picture by its name; KeyError for what does not exist."""
    if name in PICTURES:
        return picture(name)
    return _PARTS[name]()
