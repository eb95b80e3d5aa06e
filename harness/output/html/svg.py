"""An SVG of matplotlib's as part of a page: no styles, its own ids, colours left to the page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from harness.output.html.assets import trust
from harness.output.leaderboard.shapes import INK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from markupsafe import Markup

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_USELESS = (f"{_SVG}metadata", f"{_SVG}style")


def inline(
    svg: bytes, name: str, description: str, titles: Mapping[str, str] | None = None
) -> Markup:
    """``svg`` for a page with a strict policy: ``name`` keeps it apart from the page's others.

    Styles become attributes, which the page's own style sheet may override, and ink becomes the
    colour of the text around it. ``titles`` names what each link leads to.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 - matplotlib wrote it just now
    for element in list(root.iter()):
        for child in [each for each in element if each.tag in _USELESS]:
            element.remove(child)
        _rewrite(element, name)
        if element.tag == "a":
            _describe_link(element, titles or {})

    box = {"viewBox": root.attrib["viewBox"], "version": root.attrib["version"]}
    spaces = {"xmlns": _SVG.strip("{}"), "xmlns:xlink": _XLINK.strip("{}")}
    root.attrib = spaces | box | {"class": "plot", "role": "img", "aria-label": description}
    return trust(ElementTree.tostring(root, encoding="unicode"))


def _rewrite(element: ElementTree.Element, name: str) -> None:
    """Give an element plain names, and attributes instead of a style."""
    element.tag = element.tag.removeprefix(_SVG)
    element.attrib = {key: _rename(key, value, name) for key, value in _attributes(element)}


def _attributes(element: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for key, value in element.items():
        if key == "style":
            yield from _properties(value)
        else:
            yield key.replace(_XLINK, "xlink:"), value


def _properties(style: str) -> Iterator[tuple[str, str]]:
    """The properties of a style, but for the font, which is the page's."""
    for declaration in style.split(";"):
        key, colon, value = declaration.partition(":")
        if colon and key.strip() != "font-family":
            yield key.strip(), value.strip()


def _rename(key: str, value: str, name: str) -> str:
    """An attribute's value with ``name`` before each id, and ink as the page has it."""
    if key == "id":
        return f"{name}-{value}"
    if key == "xlink:href" and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    if value.startswith("url(#"):
        return value.replace("url(#", f"url(#{name}-", 1)
    return "currentColor" if value == INK else value


def _describe_link(link: ElementTree.Element, titles: Mapping[str, str]) -> None:
    # The table links to the same pages: hundreds of stops would only tire a keyboard's user.
    link.set("tabindex", "-1")
    link.attrib.pop("target", None)
    title = ElementTree.Element("title")
    title.text = titles.get(link.get("xlink:href", ""), "")
    link.insert(0, title)
