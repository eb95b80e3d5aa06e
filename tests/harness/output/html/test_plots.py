"""Plots on a page: the same shapes at the same places as in a file, and nothing else."""

import re
from xml.etree import ElementTree

import pytest
from courses import CURVE, graded, telling

from harness.output.html import charts
from harness.output.html import plots as html_plots
from harness.output.html.svg import inline
from harness.output.leaderboard import plots, shapes
from harness.output.leaderboard.figures import render_image


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_the_shapes_on_a_page_lie_where_matplotlib_draws_them():
    """The frame's scale is the figure's: a mark at a step of the curve is on its line."""
    window = (20, 60)
    frame = html_plots._curve_frame(CURVE, window)
    axes = plots.curve_frame(CURVE, window).axes[0]
    for step, value in ((20, 0.0), (31, 49.4), (60, 100.0)):
        x, y = axes.transData.transform((step, value)) * 72 / axes.figure.dpi
        high = axes.figure.get_size_inches()[1] * 72
        assert frame.x(step) == pytest.approx(x, abs=0.02)
        assert frame.y(value) == pytest.approx(high - y, abs=0.02)


def test_a_page_s_bars_say_what_the_plot_says():
    groups = list(charts.bar_groups(telling(), "test"))
    page = str(html_plots.bars(groups, "test"))
    drawn = render_image(plots.bar_chart(groups, "test"), "svg").decode()
    assert sorted(texts(page)) == sorted(texts(drawn))
    ElementTree.fromstring(page.replace("currentColor", "#000"))


def coordinates(svg):
    """Where the texts above bars are."""
    places = re.findall(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>([\d.]+\.\d)<', svg)
    return [(text, float(x), float(y)) for x, y, text in places]


def test_numbers_stand_at_the_same_places_on_a_page_and_in_a_file():
    groups = list(charts.bar_groups(telling(), "test"))
    in_file = coordinates(render_image(plots.bar_chart(groups, "test"), "svg").decode())
    on_page = coordinates(re.sub(r" text-anchor=[^>]*", "", str(html_plots.bars(groups, "test"))))
    assert len(on_page) == 12
    for (text, x, y), (other_text, other_x, other_y) in zip(in_file, on_page, strict=True):
        assert text == other_text
        assert (x, y) == pytest.approx((other_x, other_y), abs=0.02)


def test_a_mark_is_drawn_on_a_page_as_in_a_file():
    """One element for each line, label and marker, at its place."""
    mark = shapes.Mark(label="X = 2 <b>", step=30, accuracy=0.9, attack=0.5,
                       neighbours=((29, 0.95),))  # fmt: skip
    page = str(html_plots.curve(CURVE, [mark]))
    frame = html_plots._curve_frame(CURVE, shapes.curve_window([mark], 60))
    assert f'<circle cx="{frame.x(30)}" cy="{frame.y(90)}" r="3.7"' in page
    assert f'<rect x="{frame.x(30) - 3.5:.2f}" y="{frame.y(50) - 3.5:.2f}" width="7"' in page
    assert f'<path d="M{frame.x(29)} {frame.y(95)}m-2.5 -2.5l5 5' in page
    assert f'<path d="M{frame.x(30)} {frame.y(0)}L{frame.x(30)} {frame.y(104)}"' in page
    assert 'rotate(-90)">X = 2 &lt;b&gt;</text>' in page

    axes = plots.curve_chart(CURVE, [mark]).axes[0]
    drawn = {
        (line.get_marker(), *line.get_xydata()[0])
        for line in axes.lines
        if len(line.get_xydata()) == 1
    }
    assert drawn == {("o", 30, 90), ("s", 30, 50), ("x", 29, 95)}
    assert [text.get_text() for text in axes.texts] == ["X = 2 <b>"]


def test_an_inlined_plot_brings_no_style_and_no_name_of_another():
    svg = render_image(
        charts.scatter_figure([telling(), graded("ann")], lambda record: "page.html"),
        "svg",
        transparent=True,
    )
    page = str(inline(svg, "one", 'a "description" <b>'))
    assert "style" not in page
    assert 'aria-label="a &quot;description&quot; &lt;b&gt;"' in page
    names = set(re.findall(r' id="([^"]*)"', page))
    assert all(name.startswith("one-") for name in names)
    used = re.findall(r'(?:url\(#|xlink:href="#)([^")]*)', page)
    assert used
    assert set(used) <= names
