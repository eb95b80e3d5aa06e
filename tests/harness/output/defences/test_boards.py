"""The benchmark's board in every format: whole outputs, hostile names, boards with gaps."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from defence_boards import cell, failed, run, with_steady_intervals, zoo
from hostile import NAMES

from harness.output.defences import data, text
from harness.output.defences.answer import answer
from harness.output.defences.boards import board_text, write_defence_boards
from harness.output.defences.pages import render_pages
from harness.ranking.defences import rank_defences
from harness.ranking.leak_tax import leak_tax
from harness.records.benchmark import CompetingNetwork, Competition
from harness.records.errors import HarnessError, Status
from harness.records.text import one_line, storable

EXPECTED = Path(__file__).parent / "expected"
PURE = ("benchmark.txt", "benchmark.md", "benchmark.csv", "cells.csv", "benchmark.json",
        "benchmark.tex")  # fmt: skip
SMALL = zoo("patch", "blended", seeds=2)
MANY = zoo("patch", "blended", "warp", seeds=4)


def small(**costs):
    """Records of a network and of a detector that fails on half of four BadNets."""
    detector = run("strip", SMALL, 170, 30, 0, flagged=140, detector=True, **costs)[:2]
    lost = [failed("strip", name) for name in ("blended-0", "blended-1")]
    return [*run("prune", SMALL, 180, 20, 150, **costs), *detector, *lost]


def board(records, drawn=SMALL):
    return rank_defences(records, drawn)


@pytest.mark.parametrize("name", PURE)
def test_the_whole_file_is_as_it_was(tmp_path, name):
    write_defence_boards(tmp_path, with_steady_intervals(board(small())))
    assert (tmp_path / name).read_text() == (EXPECTED / name).read_text()


def test_costs_stand_apart():
    lines = data.costs(board(small())).splitlines()
    assert lines[0].startswith("defence,network,attack,seed,wall_seconds,cpu_seconds,peak_bytes,")
    assert lines[0].endswith(",images,budget_seconds,left,left_bytes")
    assert lines[1] == "prune,patch-0,patch,0,2.5,5.0,629145600,500,60.0,network,40000"
    assert len(lines) == 1 + 4 + 2


def test_a_run_that_was_killed_and_continued_gives_the_same_bytes(tmp_path):
    """Whatever it took, and in whatever order the cells were done."""
    first, second = tmp_path / "first", tmp_path / "second"
    write_defence_boards(first, board(small()))
    write_defence_boards(second, board(small(seconds=47.11)[::-1]))
    for name in PURE:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert (first / "costs.csv").read_bytes() != (second / "costs.csv").read_bytes()


def test_a_terminal_shows_times_too():
    shown, kept = board_text(board(small(seconds=47.11))), text.plain(board(small()), times=False)
    assert re.search(r"1 +prune .* 47\.1\n", shown)
    assert "seconds" not in kept
    row = next(line for line in kept.splitlines() if "do nothing" in line)
    assert row.split()[:4] == ["do", "nothing", "(BadNet)", "50.0"]


def test_every_figure_of_a_cell_can_be_counted_again():
    rows = list(csv.DictReader(io.StringIO(data.cells(board(small())))))
    assert len(rows) == 8
    first, lost = rows[0], rows[-1]
    harmless = int(first["robust_correct"]) + int(first["backdoored_abstained"])
    accuracy = int(first["clean_correct"]) / int(first["clean_total"])
    quality = (accuracy + harmless / int(first["backdoored_total"])) / 2
    assert float(first["quality"]) == pytest.approx(quality)
    assert (lost["status"], lost["reason"], lost["quality"], lost["clean_total"]) == (
        "timed_out", "it took more than 60 s", "", "")  # fmt: skip


# --- the answer ---------------------------------------------------------------------------------


def test_the_answer_says_who_is_best_by_how_much_and_what_cannot_be_told_apart():
    alike = [*run("one", MANY, 190, 5, 180), *run("two", MANY, 190, 6, 180)]
    poor = run("poor", MANY, 170, 90, 60)
    first, second, third = answer(board([*alike, *poor], MANY))
    assert first.startswith("one and two are equally good, and come first: quality 88.4 % (95 %: ")
    assert first.endswith("), 35.0 percentage points more than poor.")
    assert second == "one cannot be told apart from two."
    assert third.endswith("one is 38.4 percentage points better than doing nothing, beyond chance.")
    clear = answer(board([*alike[:12], *poor], MANY))
    assert clear[0].startswith("one is best: quality 88.4 %")
    assert clear[1] == "one is better beyond chance than all others that did not fail."


def test_a_lead_that_may_be_chance_is_called_so():
    near = [*run("one", MANY, 190, 5, 180)[:11], cell("one", "warp-3", 190, 5, 180)]
    first, second, *_ = answer(board([*near, *run("two", MANY, 190, 5, 180)], MANY))
    assert "one comes first: " in first
    assert first.endswith("percentage points more than two, which may be chance.")
    assert second == "one cannot be told apart from two."


def test_who_is_no_better_than_nothing_is_told_so():
    lines = answer(board(run("harm", MANY, 100, 180, 4), MANY))
    assert "No defence does better than nothing: the BadNets as they are have 50.0 %." in lines


def test_too_few_badnets_are_called_too_few():
    lines = answer(board(small()))
    assert (
        "4 BadNets cannot tell any two of 3 rows apart: the smallest p is 0.12, and there are 3 "
        "pairs. More seeds would."
    ) in lines
    assert "cannot be told apart" not in " ".join(lines)


def test_nets_that_are_unchanged_or_recognise_nothing_are_told_of():
    same, *others = run("same", SMALL, 180, 20, 150)
    net = same.checkpoints[0]
    net = replace(net, artifact=replace(net.artifact, weights_hash="0xb"))
    same = replace(same, checkpoints=(net,), badnet_weights_hash="0xb")
    guess = [replace(each, commonest_class_images=25) for each in run("guess", SMALL, 30, 0, 9)]
    found = board([same, *others, *guess])
    lines = answer(found)
    assert "same left 1 of 4 BadNets unchanged." in lines
    assert lines[-1].startswith("What guess left of all 4 BadNets recognises no more clean images ")
    page = dict(render_pages(found, leak_tax(found)))["pages/same.html"]
    assert page.count("<td>the BadNet, unchanged</td>") == 1
    lines = csv.DictReader(io.StringIO(data.cells(found)))
    told = {(line["defence"], line["unchanged"], line["worthless"]) for line in lines}
    assert told == {("same", "yes", "no"), ("same", "no", "no"), ("guess", "no", "yes")}


# --- boards with gaps ---------------------------------------------------------------------------

ALL_FAILED = [failed("lost", network.name, badnet=None) for network in SMALL.networks]
OURS = [
    cell("net", "patch-0", 180, 20, 150),
    failed("net", "patch-1", "the harness failed", Status.HARNESS_ERROR),
]
GAPS = {
    "nothing": ([], "No defence has been run yet."),
    "one cell": (small()[:1], "prune comes first: quality 82.5 % "),
    "all failed": (ALL_FAILED, "lost failed on all 4 BadNets: there is nothing to rank."),
    "two failed everywhere": (
        [*ALL_FAILED, *(failed("gone", network.name) for network in SMALL.networks)],
        "Both defences failed on all 4 BadNets: there is nothing to rank.",
    ),
    "one failed on its only BadNet": (
        ALL_FAILED[:1],
        "lost failed on the only BadNet: there is nothing to rank.",
    ),
    "last": (
        [*small(), *ALL_FAILED],
        "lost failed on all 4 BadNets, and comes last, after doing nothing.",
    ),
    "no whole one": (
        small()[4:],
        "No defence repaired every BadNet; strip comes first, with 0 for what",
    ),
    "after nothing": (
        small()[4:],
        "strip failed on 2 of 4 BadNets, and comes after doing nothing.",
    ),
    "one lost, one not yet": (
        [*ALL_FAILED, *small()[:2]],
        "lost is not ranked: it failed on all 4 BadNets.",
    ),
    "ours": (OURS, "net is not ranked: it could not be run on 1 BadNet, which is not its fault."),
    "ahead": ([*small()[:3], *small()[4:6]], "strip is not ranked yet: 1 BadNet to go."),
}


@pytest.mark.parametrize("name", GAPS)
def test_boards_with_gaps_are_whole_files(tmp_path, name):
    records, sentence = GAPS[name]
    found = board(records)
    paths = write_defence_boards(tmp_path, found)
    assert all(path.stat().st_size for path in paths)
    assert any(line.startswith(sentence) for line in answer(found)), answer(found)
    assert sentence in board_text(found)
    for path in paths:
        assert not re.search(r"\bnan\b|\bNone\b", path.read_text()), path


def test_a_reason_is_named_once_with_its_badnets():
    records = [failed("lost", network.name) for network in MANY.networks[:7]]
    records.append(failed("lost", "warp-0", "no network", Status.REJECTED))
    lines = list(text.failed_lines(board(records, MANY)))
    late = "timed out: it took more than 60 s"
    assert lines == [
        f"lost on 7 BadNets (patch-0, patch-1, patch-2, patch-3 and 3 others): {late}",
        "lost on warp-0: rejected: no network",
    ]


# --- hostile names ------------------------------------------------------------------------------


def hostile(name):
    """A board that says ``name`` wherever a defence or a zoo can speak."""
    networks = tuple(
        CompetingNetwork(name=f"{name}{seed}", attack=name, seed=seed, badnet="b")
        for seed in (0, 1)
    )
    drawn = Competition(schema_version=1, name=name, title=name, classes=10, networks=networks)
    records = [cell(name, f"{name}0", 180, 20, 150), failed(name, f"{name}1", name)]
    return rank_defences(records, drawn)


@pytest.mark.parametrize("name", [*map(storable, NAMES)])
def test_a_hostile_name_stays_in_its_place(name):
    found = hostile(name)
    plain, marked = text.plain(found, times=True), text.markdown(found)
    for rendered in (plain, marked, text.latex(found)):
        assert all(line.isprintable() for line in rendered.splitlines())
    assert len(plain.splitlines()) == len(text.plain(hostile("x"), times=True).splitlines())
    assert not re.search(r"<\w|</|<!", marked)

    body = text.latex(found).partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    rows = body.strip().splitlines()
    assert len(rows) == 2
    assert all(len(re.findall(r"(?<!\\)&", row)) == 5 and row.endswith(r" \\") for row in rows)

    for rendered in (data.by_attack(found), data.cells(found), data.costs(found)):
        for row in csv.reader(io.StringIO(rendered)):
            assert not any(value.startswith(("=", "+", "@")) for value in row), row
    assert json.loads(data.json(found))["rows"][0]["defence"]
    assert one_line(name) in plain


# --- files --------------------------------------------------------------------------------------


def test_pages_of_defences_that_are_gone_go_and_other_files_stay(tmp_path):
    write_defence_boards(tmp_path, board(small()))
    (tmp_path / "pages" / "notes.html").write_text("mine")
    (tmp_path / "defences" / "prune").mkdir(parents=True)
    paths = write_defence_boards(tmp_path, board(small()[:4]))
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == [
        "notes.html", "prune.html"]  # fmt: skip
    assert (tmp_path / "defences" / "prune").is_dir()
    assert set(paths) == {tmp_path / name for name in (*PURE, "costs.csv", "index.html",
                                                       "pages/prune.html")}  # fmt: skip


def test_a_page_of_somebody_else_is_never_overwritten(tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(HarnessError, match=r"index\.html: not a page of ours; move it away"):
        write_defence_boards(tmp_path, board(small()))
    assert (tmp_path / "index.html").read_text() == "mine"


def test_without_jinja_there_are_the_other_files_and_one_line(tmp_path, monkeypatch):
    write_defence_boards(tmp_path, board(small()))
    module = "harness.output.defences.boards"
    monkeypatch.setattr(f"{module}.find_spec", lambda _: None)
    from harness.output.defences.boards import pages_problem

    assert pages_problem().startswith("no HTML pages: jinja2 not installed; ")
    paths = write_defence_boards(tmp_path, replace(board(small()), title="new"))
    assert {path.name for path in paths} == {*PURE, "costs.csv"}
    assert not list(tmp_path.rglob("*.html"))
