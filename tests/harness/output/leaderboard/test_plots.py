"""Plots as files: the same bytes each time, from the command line and for the lab's report."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from courses import CURVE, graded, put, telling

from harness.output.html import charts
from harness.output.leaderboard import plots, shapes


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
    svg = plots.render_image(first, "svg")
    assert svg == plots.render_image(again, "svg")
    assert plots.render_image(first, "png") == plots.render_image(again, "png")
    assert b"date" not in svg
    assert b"Matplotlib" not in svg
    ElementTree.fromstring(svg.decode().split('dtd">', 1)[-1])
    assert plots.render_image(first, "png").startswith(b"\x89PNG")


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_the_curve_names_its_checkpoints_and_steps():
    said = texts(plots.render_image(figures()["curve"](), "svg").decode())
    assert {"X = 2", "X = 4", "X = 10", "clean accuracy, reference", "ASR, checkpoint", "45"} <= {
        *said
    }


@pytest.mark.parametrize(
    ("steps", "labels"),
    [
        ((3, 3, 3), ["X = 2, 4, 10", "", ""]),
        ((45, 47, 52), ["X = 2, 4", "", "X = 10"]),
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
    ("reference", "height"), [(None, 51.5), (0.4, 51.5), (0.5, 51.5), (0.56, 57.5), (0.58, 51.5)]
)
def test_a_number_does_not_stand_on_the_reference(reference, height):
    bar = shapes.Bar(net="G", attack=False, fraction=0.5, reference=reference)
    assert shapes.number_height(bar) == pytest.approx(height)


def test_bars_show_both_nets_at_every_x():
    said = texts(plots.render_image(figures()["bars"](), "svg").decode())
    assert [word for word in said if re.fullmatch(r"[\d.]+\.\d", word)] == [
        "71.7", "61.8", "72.7", "62.8", "94.5", "100.0", "94.4", "70.0",
        "88.0", "100.0", "87.9", "70.0",
    ]  # fmt: skip
    assert {"X = 2", "ASR of B'", "clean accuracy of G", "the reference"} <= {*said}


def test_colours_never_stand_alone():
    assert len({shapes.ACCURACY, shapes.ATTACK, *plots.POINT_COLOURS.values()}) == 5
    svg = plots.render_image(figures()["curve"](), "svg").decode()
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
