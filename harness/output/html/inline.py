"""A drawn SVG as part of a page: no style attributes, own names, colours left to the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.output.html.assets import trusted
from harness.output.leaderboard.plots import INK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

_STYLE = re.compile(r' style="([^"]*)"')
_FONT = re.compile(r"font-family: [^;\"]*;? ?")
_LINK = re.compile(r'<a xlink:href="([^"]*)" target="_blank">')


def inlined(
    svg: str, name: str, description: str, titles: Mapping[str, str] | None = None
) -> Markup:
    """``svg`` for a page with a strict policy: ``name`` keeps it apart from the page's others.

    Styles become attributes, which the page's own style sheet may override, and ink becomes the
    colour of the text around it. ``titles`` names what each link leads to.
    """
    from markupsafe import escape

    body = svg[svg.index("<svg ") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'<style type="text/css">.*?</style>', "", body, flags=re.DOTALL)
    body = _STYLE.sub(lambda found: _attributes(_FONT.sub("", found[1])), body)
    body = body.replace(INK, "currentColor")
    body = re.sub(r' id="', f' id="{name}-', body)
    body = re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", body)
    known = titles or {}
    body = _LINK.sub(lambda found: _link(found[1], known.get(found[1], "")), body)
    opening = re.sub(r' (width|height)="[^"]*"', "", body[: body.index(">")])
    label = escape(description)
    return trusted(
        f'{opening} class="plot" role="img" aria-label="{label}"{body[body.index(">") :]}'
    )


def _attributes(style: str) -> str:
    pairs = (part.split(":", 1) for part in style.split(";") if ":" in part)
    return "".join(f' {key.strip()}="{value.strip()}"' for key, value in pairs)


def _link(url: str, title: str) -> str:
    from markupsafe import escape

    # The table links to the same pages: hundreds of stops would only tire a keyboard's user.
    return f'<a xlink:href="{url}" tabindex="-1"><title>{escape(title)}</title>'
