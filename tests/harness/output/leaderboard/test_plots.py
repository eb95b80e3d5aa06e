"""Plots as files: the same bytes each time, from the command line and for the lab's report."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from courses import CURVE, graded, put, telling
from records_by_hand import both, counts, good_checkpoints

from harness.output.html import charts
from harness.output.leaderboard import plots, shapes
from harness.output.leaderboard.figures import render_image


def figures():
    own = telling()
    steps = zip(own.checkpoints, (45, 48, 52), strict=True)
    own = replace(own, checkpoints=tuple(replace(c, channels_pruned=n) for c, n in steps))
    return {
        "curve": lambda: charts.curve_figure(own, CURVE, "t"),
        "bars": lambda: charts.bars_figure(own, "test", "t"),
        "scatter": lambda: charts.scatter_figure([own, graded("ann")], lambda r: f"{r}.html"[:9]),
    }


@pytest.mark.parametrize("name", ["curve", "bars", "scatter"])
def test_a_plot_is_the_same_each_time_and_names_no_date(name):
    first, again = (figures()[name]() for _ in range(2))
    svg = render_image(first, "svg")
    assert svg == render_image(again, "svg")
    assert render_image(first, "png") == render_image(again, "png")
    assert b"date" not in svg
    assert b"Matplotlib" not in svg
    ElementTree.fromstring(svg.decode().split('dtd">', 1)[-1])
    assert render_image(first, "png").startswith(b"\x89PNG")


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_the_curve_names_its_checkpoints_and_steps():
    said = texts(render_image(figures()["curve"](), "svg").decode())
    assert {"X = 2", "X = 4", "X = 10", "clean accuracy, reference", "ASR, checkpoint", "40"} <= {
        *said
    }


@pytest.mark.parametrize(
    ("steps", "labels"),
    [
        ((3, 3, 3), ["X = 2, 4, 10", "", ""]),
        ((45, 46, 52), ["X = 2", "X = 4", "X = 10"]),
        ((3, 4, 52), ["X = 2, 4", "", "X = 10"]),
        ((45, 48, 52), ["X = 2", "X = 4", "X = 10"]),
        ((52, 48, 45), ["X = 10", "X = 4", "X = 2"]),
        ((45, None, 52), ["X = 2", "X = 10"]),
    ],
)
def test_checkpoints_close_by_share_a_label(steps, labels):
    own = telling()
    nets = zip(own.checkpoints, steps, strict=True)
    own = replace(own, checkpoints=tuple(replace(c, channels_pruned=n) for c, n in nets))
    assert [mark.label for mark in charts.marks(own)] == labels


@pytest.mark.parametrize(
    ("steps", "window"),
    [((45, 48, 52), (40, 60)), ((3,), (0, 10)), ((58, 60), (50, 60)), ((), (0, 60)),
     ((2, 57), (0, 60)), ((0,), (0, 5))],
)  # fmt: skip
def test_the_curve_shows_what_lies_around_the_checkpoints(steps, window):
    marks = [shapes.Mark(label="", step=step, accuracy=0.9) for step in steps]
    assert shapes.curve_window(marks, 60) == window
    low, high = plots.curve_chart(CURVE, marks).axes[0].get_xlim()
    assert all(low < step < high for step in steps)


def test_an_empty_curve_says_why():
    own = telling()
    tuned = tuple(replace(each, channels_pruned=None) for each in own.checkpoints)
    drawn = charts.curve_figure(replace(own, checkpoints=tuned), CURVE).axes[0].texts
    assert [text.get_text() for text in drawn] == [
        "No checkpoint: none of the nets is this BadNet with nothing but channels pruned."
    ]
    nothing = charts.curve_figure(replace(own, checkpoints=()), CURVE).axes[0].texts
    assert nothing[0].get_text() == "No checkpoint: no repaired net could be graded."
    assert all("No checkpoint" not in t.get_text() for t in figures()["curve"]().axes[0].texts)


def named_boxes(figure):
    """The names of a scatter plot with the boxes they take when they are drawn."""
    renderer = figure.canvas.get_renderer()
    axes = figure.axes[0]
    return {text.get_text(): text.get_window_extent(renderer) for text in axes.texts}


def test_names_lie_on_no_other_name_nor_point_nor_outside():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    many = [graded(f"person{number:02}", tuple(
        replace(each, goodnet=both(counts(clean=each.goodnet.test.clean_correct - 3 * number,
                                          attacked=700 - 13 * number)))
        for each in good_checkpoints())) for number in range(30)]  # fmt: skip
    figure = charts.scatter_figure(many)
    FigureCanvasAgg(figure)
    boxes = named_boxes(figure)
    assert len(boxes) > 10
    places = list(boxes.values())
    for index, box in enumerate(places):
        assert not any(box.overlaps(other) for other in places[index + 1 :])
        frame = figure.axes[0].bbox
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
    offsets = [o for c in figure.axes[0].collections for o in
               figure.axes[0].transData.transform(c.get_offsets())]  # fmt: skip
    assert not any(box.contains(*place) for box in places for place in offsets)


def test_points_at_one_place_share_a_name():
    figure = charts.scatter_figure([graded("ann"), graded("bob"), graded("cyd")])
    assert {text.get_text() for text in figure.axes[0].texts} == {"ann +2"}


@pytest.mark.parametrize(
    ("reference", "height"), [(None, 51.5), (0.4, 51.5), (0.5, 51.5), (0.56, 57.5), (0.58, 51.5)]
)
def test_a_number_does_not_stand_on_the_reference(reference, height):
    bar = shapes.Bar(net="G", attack=False, fraction=0.5, reference=reference)
    assert shapes.number_height(bar) == pytest.approx(height)


def test_bars_show_both_nets_at_every_x():
    said = texts(render_image(figures()["bars"](), "svg").decode())
    assert [word for word in said if re.fullmatch(r"[\d.]+\.\d", word)] == [
        "71.7", "61.8", "72.7", "62.8", "94.5", "100.0", "94.4", "70.0",
        "88.0", "100.0", "87.9", "70.0",
    ]  # fmt: skip
    assert {"X = 2", "ASR of B'", "clean accuracy of G", "the reference"} <= {*said}


def test_colours_never_stand_alone():
    assert len({shapes.ACCURACY, shapes.ATTACK, *plots.POINT_COLOURS.values()}) == 5
    svg = render_image(figures()["curve"](), "svg").decode()
    assert f"stroke-dasharray: 8,4; stroke-dashoffset: 0; stroke: {shapes.ATTACK}" in svg
    looks = [shapes.bar_look(net, attack=attack) for net in ("B'", "G") for attack in (False, True)]
    assert [look.hatched for look in looks] == [False, True, False, True]
    hatches = [plots._patch_style(look)["hatch"] for look in looks]
    assert [bool(hatch) for hatch in hatches] == [False, True, False, True]


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["svg", "png"])
@pytest.mark.parametrize("name", ["curve", "bars", "scatter"])
def test_the_command_writes_a_file(tmp_path, run_harness, name, suffix):
    put(tmp_path, telling())
    out = tmp_path / f"out.{suffix}"
    own = [] if name == "scatter" else ["telling"]
    finished = run_harness("plot", name, tmp_path, *own, "--out", out)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == f"{out}\n"
    assert out.stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["curve"], "error: plot curve: name the submission, as in `plot curve RESULTS NAME`\n"),
        (["bars", "nobody"], "no submission 'nobody' in it; telling\n"),
    ],
)
def test_a_wrong_argument_is_one_line(tmp_path, run_harness, arguments, message):
    put(tmp_path, telling())
    name, *own = arguments
    finished = run_harness("plot", name, tmp_path, *own, "--out", tmp_path / "out.svg")
    assert finished.returncode == 2
    assert finished.stderr.endswith(message)
    assert finished.stderr.count("\n") == 1


def test_another_format_is_refused(tmp_path, run_harness):
    finished = run_harness("plot", "scatter", tmp_path, "--out", "plot.pdf")
    assert finished.stderr == "error: plot.pdf: a plot is written as .svg or .png\n"
    assert finished.returncode == 2


def test_a_plot_shows_students_no_hidden_figure(tmp_path, run_harness):
    from courses import set_rubric

    put(tmp_path, telling())
    set_rubric(tmp_path, "test")
    for flags, split in (([], "validation"), (["--instructor"], "test")):
        out = tmp_path / "out.svg"
        run_harness("plot", "bars", tmp_path, "telling", "--out", out, *flags)
        assert f"% of {split} images" in out.read_text()
