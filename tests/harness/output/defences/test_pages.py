"""The benchmark's pages: figures, links, gaps, hostile names, colours; in a browser too."""

import re
from urllib.parse import unquote

import pytest
from defence_boards import cell, failed, run, zoo
from hostile import NAMES
from pages import Page

from harness.output.defences.boards import write_defence_boards
from harness.output.defences.heat_map import _colours, _two_lines, heat_map
from harness.output.defences.interval_plot import interval_plot
from harness.output.defences.pages import render_pages
from harness.output.defences.plot_labels import shortened
from harness.ranking.defences import rank_defences
from harness.ranking.leak_tax import leak_tax
from harness.records.benchmark import CompetingNetwork, Competition
from harness.records.text import one_line, storable

MANY = zoo("patch", "pruning-aware", "warp", seeds=4)
REASON = "repair returned a list, not a network"


def many():
    """A good network, a detector that fails twice, and one that fails everywhere."""
    detector = run("strip", MANY, 170, 30, 0, flagged=140, detector=True)
    detector[4:6] = [failed("strip", f"pruning-aware-{seed}", REASON) for seed in (0, 1)]
    lost = [failed("lost", network.name) for network in MANY.networks]
    return rank_defences([*run("prune", MANY, 190, 20, 150), *detector, *lost], MANY)


@pytest.fixture(scope="module")
def board():
    return many()


@pytest.fixture(scope="module")
def rendered(board):
    return dict(render_pages(board, leak_tax(board)))


def address(row, attack):
    return f"{row.defence}#{attack}"


def test_the_first_page_says_who_is_best_and_holds_every_figure(rendered):
    page = Page(rendered["index.html"])
    first = page.text.index("prune comes first")
    assert first < page.text.index("Board") < page.text.index("How sure the order is")
    for words in (
        "1 prune 80.9 ", " do nothing (BadNet) 50.0 ", " 2 of 12 ", " 12 of 12 ",
        "lost on all 12 BadNets : timed out",
        f"strip on pruning-aware-0 and pruning-aware-1 : timed out: {REASON}",
        "What a repair costs", "2.5 5 600 500", "12 BadNets", "4 seeds",
    ):  # fmt: skip
        assert words in page.text, words


def test_the_heat_maps_tell_mean_interval_and_seeds(rendered, board):
    text = rendered["index.html"]
    titles = re.findall(r"<title>([^<]*)</title>", text)
    told = next(each for each in titles if each.startswith("strip on pruning-aware: "))
    assert re.fullmatch(
        r"strip on pruning-aware: 18\.2 % \(95 %: [\d.]+-[\d.]+, spread [\d.]+\), "
        r"seeds 0, 1, 2 and 3; 2 of 4 BadNets failed",
        told,
    )
    rates = heat_map(board, "attack_success_rate", "", address)
    quality = heat_map(board, "quality", "", address)
    assert len(rates.cells) == len(quality.cells) == len(board.rows) * 3
    lost = [each for each in rates.cells if each.title.startswith("lost")]
    assert {(each.text, each.fill) for each in lost} == {
        ("failed", "url(#failed-attack-success-rate)")}  # fmt: skip
    assert 'id="failed-attack-success-rate"' in text
    assert next(each for each in rates.cells if each.note).note == "2 failed"
    assert next(each for each in rates.cells if "do nothing" in each.title).href is None
    # The darker, the worse: of an attack a high rate, of an accuracy a low one.
    assert [text for *_, text in rates.steps] == [text for *_, text in quality.steps]
    assert [fill for fill, *_ in rates.steps] == [fill for fill, *_ in quality.steps][::-1]
    assert rates.steps[0][0] == "#fee838"


def test_colours_are_read_in_order_and_words_on_them_can_be_read():
    """By the contrast of WCAG: 4.5 for every word, and each step of the scale is darker."""

    def light(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    inks = {"dark": light("#000000"), "light": 1.0}
    shades = []
    for step in range(101):
        fill, ink = _colours(step / 100)
        low, high = sorted((light(fill), inks[ink]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, step
        shades.append(light(fill))
    assert shades == sorted(shades, reverse=True)


def test_long_names_of_attacks_take_two_lines():
    assert _two_lines("pruning-aware") == ("pruning-", "aware")
    assert _two_lines("patch") == ("", "patch")
    assert _two_lines("sunglasses") == ("", "sunglasses")
    assert _two_lines("x" * 40) == ("", "x" * 6 + "…" + "x" * 7)
    assert shortened("a-long-name-of-a-defence-13", 24) == "a-long-name…a-defence-13"
    assert _two_lines("---------") == ("", "---------")


def test_intervals_lie_where_their_figures_are(board):
    plot = interval_plot(board, address)
    assert [each.label.text for each in plot.intervals] == ["prune", "strip", "lost"]
    assert [each.hollow for each in plot.intervals] == [False, True, True]
    ticks = {text: x for x, text in plot.ticks}
    for each, row in zip(plot.intervals, [r for r in board.rows if not r.is_baseline], strict=True):
        quality = row.overall.estimates["quality"]
        for x, value in (
            (each.low, quality.low),
            (each.x, quality.mean),
            (each.high, quality.high),
        ):
            share = (x - ticks["0"]) / (ticks["100"] - ticks["0"])
            assert share == pytest.approx(value, abs=0.01)
    assert plot.baseline.text == "do nothing: 50.0 %"


def test_the_page_of_a_defence_says_what_it_did_to_each_badnet(rendered):
    page = Page(rendered["pages/strip.html"])
    for words in (
        "Rank 2 of 3, run on 12 of 12 BadNets.",
        "patch-0 patch 0 detector 50.0 → 77.5 98.0 → 85.0 95.0 → 15.0 2.0 → 0.0 0.835 70.0 0.0 2.5",
        f"failed on pruning-aware-0 and pruning-aware-1 : timed out: {REASON}",
        "pruning-aware-0 pruning-aware 0 failed as told above",
        "prune 80.9 ", "worse, beyond chance",
        "permutation test Compares two defences BadNet by BadNet",
    ):  # fmt: skip
        assert words in page.text, words


def test_a_reason_that_many_share_stands_once_on_the_page(rendered):
    text = Page(rendered["pages/lost.html"]).text
    assert text.count("it took more than 60 s") == 1
    assert "failed on all 12 BadNets : timed out: it took more than 60 s" in text
    assert text.count("failed as told above") == 12


def test_figures_of_detectors_stand_where_there_is_one(rendered):
    for name, shown in (
        ("index.html", True),
        ("pages/strip.html", True),
        ("pages/prune.html", False),
    ):
        page = Page(rendered[name])
        assert ("false alarms %" in page.text) is shown
        assert ("detected %" in page.text) is shown


def test_every_link_leads_somewhere(tmp_path, board):
    paths = write_defence_boards(tmp_path, board)
    for path in paths:
        if path.suffix != ".html":
            continue
        for href in re.findall(r'href="([^"]*)"', path.read_text()):
            name, _, anchor = href.partition("#")
            target = (path.parent / unquote(name)) if name else path
            assert target.is_file(), href
            assert not anchor or f'id="{anchor}"' in target.read_text(), href


def test_a_page_can_be_read_aloud_and_runs_no_script(rendered):
    for name, text in rendered.items():
        page = Page(text)
        tags = [tag for tag, _ in page.tags]
        assert tags.count("h1") == 1
        assert "script" not in tags
        (policy,) = [given["content"] for _, given in page.tags if "http-equiv" in given]
        assert "script-src 'none'" in policy
        assert all(given.get("scope") for tag, given in page.tags if tag == "th"), name
        for tag, given in page.tags:
            if tag == "svg":
                assert given["role"] in ("img", "group")
                assert given["aria-label"]
            assert not any(key.startswith("on") or key == "style" for key in given), (name, given)


@pytest.mark.parametrize("name", [*map(storable, NAMES)])
def test_a_hostile_name_stays_text(tmp_path, name):
    networks = tuple(
        CompetingNetwork(name=f"{name}{seed}", attack=name, seed=seed, badnet="b")
        for seed in (0, 1)
    )
    drawn = Competition(schema_version=1, name=name, title=name, classes=10, networks=networks)
    own = [cell(name, f"{name}0", 180, 20, 150), failed(name, f"{name}1", name)]
    harmless = zoo("x", seeds=2)
    other = [cell("x", "x-0", 180, 20, 150), failed("x", "x-1", "x")]
    found = write_defence_boards(tmp_path / "own", rank_defences(own, drawn))
    plain = write_defence_boards(tmp_path / "x", rank_defences(other, harmless))
    assert found[-1].parent == tmp_path / "own" / "pages"
    for hostile_path, plain_path in zip(found[-2:], plain[-2:], strict=True):
        page = Page(hostile_path.read_text())
        ours = [tag for tag, _ in page.tags if tag not in ("wbr", "tspan")]
        theirs = [
            tag for tag, _ in Page(plain_path.read_text()).tags if tag not in ("wbr", "tspan")
        ]
        assert ours == theirs
        assert not any(key.startswith("on") for _, given in page.tags for key in given)
        assert one_line(name) in "".join(page.words)


@pytest.mark.browser
def test_pages_fit_every_window_and_a_cell_leads_to_its_attack(tmp_path, board, visit):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    write_defence_boards(tmp_path, board)
    for path, width, scheme in (
        ("index.html", 400, "dark"),
        ("pages/strip.html", 400, "light"),
        ("pages/strip.html", 900, "dark"),
        ("index.html", 1400, "light"),
    ):
        page = visit(tmp_path / path, viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if width == 400:
            found = axe.run(page).response["violations"]
            serious = [each["id"] for each in found if each["impact"] in ("serious", "critical")]
            assert serious == []
    page.locator(".heat a[href$='strip.html#attack-2']").first.click()
    page.wait_for_url("**/pages/strip.html#attack-2")
    assert page.locator("#attack-2 th").inner_text() == "pruning-aware"
    page.get_by_role("link", name="Benchmark of defences").click()
    page.wait_for_url("**/index.html")
