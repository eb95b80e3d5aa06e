"""Sphinx extension: the built site asks nothing of the net; a build that would do so fails."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

# What a browser loads by itself; a link that a reader may follow is no such thing.
_LOADED = {
    ".html": re.compile(
        r"<(?:script|img|link|iframe|source)\b[^>]*\s(?:src|href)=\"(?:https?:)?//"
    ),
    ".css": re.compile(r"(?:url\(|@import\s)[\s\"']*(?:https?:)?//"),
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to the build."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _check(app: Sphinx, failure: Exception | None) -> None:
    if failure is not None:
        return
    loaded = list(loaded_from_outside(Path(app.outdir)))
    if loaded:
        raise ExtensionError(f"loaded from outside: {'; '.join(loaded)}")


def loaded_from_outside(site: Path) -> Iterator[str]:
    """Each file of a site that loads something from elsewhere, with how it begins to."""
    for path in sorted(site.rglob("*")):
        pattern = _LOADED.get(path.suffix)
        if pattern is None:
            continue
        for beginning in pattern.findall(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site)}: {beginning}"
