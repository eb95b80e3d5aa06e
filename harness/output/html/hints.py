"""Words of a page that say what they mean when they are pointed at or focused; no script needed."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.output.html.assets import trust
from harness.output.terms import terms
from harness.records.text import one_line

if TYPE_CHECKING:
    from markupsafe import Markup

_BREAKS = re.compile(r"((?:(?<!\d)[_\-.@/]+(?=.))|(?:[_\-.@/]+(?=\D)))")
"""Behind a separator, but not within a number."""


class Hints:
    """The hints of one page, each with an id of its own."""

    def __init__(self) -> None:
        self._count = 0

    def term(self, key: str, label: str | None = None) -> Markup:
        """A term as a word that explains itself."""
        found = terms()[key]
        return self.hint(label or found.name, found.text)

    def hint(self, label: str, text: str, kind: str = "term") -> Markup:
        """Any word with a text; ``kind`` is its class."""
        opening = f'<button type="button" class="{kind}"'
        return self._with_tip(f"{opening} {{}}>{breakable(label)}</button>", text)

    def link(self, label: str, text: str, address: str, kind: str = "chip") -> Markup:
        """A link with a text that says what it leads to."""
        from markupsafe import escape

        opening = f'<a class="{kind}" href="{escape(address)}"'
        return self._with_tip(f"{opening} {{}}>{breakable(label)}</a>", text)

    def _with_tip(self, element: str, text: str) -> Markup:
        from markupsafe import escape

        self._count += 1
        name = f"tip-{self._count}"
        before, _, after = element.partition("{}")
        described = f'{before}aria-describedby="{name}"{after}'
        tip = f'<span class="tip" role="tooltip" id="{name}">{escape(one_line(text))}</span>'
        return trust(f'<span class="hint">{described}{tip}</span>')


@lru_cache(maxsize=4096)  # the pages of a course repeat most cells of their tables
def breakable(text: str) -> Markup:
    """A name that may be broken behind its separators, and nowhere else if it fits so."""
    from markupsafe import escape

    parts = _BREAKS.split(one_line(text))
    # Every second part is a separator, which stays with what is before it.
    pieces = [part + separator for part, separator in zip(parts[::2], [*parts[1::2], ""])]  # noqa: B905
    return trust("<wbr>".join(str(escape(piece)) for piece in pieces))
