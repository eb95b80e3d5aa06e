"""The leak tax in every format: whole text, the same bytes, hostile names, files that go."""

import csv
import io
import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from defence_boards import cell, failed, run, zoo
from hostile import NAMES
from pages import Page

from harness.output.defences import leak_files
from harness.output.defences.boards import board_text, write_defence_boards
from harness.ranking.defences import rank_defences
from harness.ranking.leak_tax import leak_tax
from harness.records.benchmark import CompetingNetwork, Competition
from harness.records.text import one_line, storable

SMALL = zoo("patch", "blended", seeds=2)
EXPECTED = Path(__file__).parent / "expected" / "leak.md"
FILES = tuple(leak_files.FILES)


def fair(**costs):
    return run("clp", SMALL, 190, 100, 80, **costs)


def varied(**costs):
    """A setting that is better on three BadNets, and fails on one."""
    other = run("clp@u=1.5", SMALL, 188, 20, 150, **costs)
    return [*other[:3], failed("clp@u=1.5", "blended-1")]


def board(*records):
    return rank_defences([each for own in records for each in own], SMALL)


def written(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def rendered(found, name):
    return leak_files.FILES[name][0](found, leak_tax(found))


def test_the_whole_text():
    """All but the intervals, which are drawn, and how wide columns are."""
    text = rendered(board(fair(), varied()), "leak.md").partition("\n\nFair: ")[0] + "\n"

    def plain(marked):
        marked = re.sub(r"[+-][\d.]+ \([+-][\d.]+ to [+-][\d.]+\)|\d+\.\d-\d+\.\d", "I", marked)
        marked = re.sub(r"\|[-|]+\|", "|", marked)
        return re.sub(r" +", " ", marked)

    assert plain(text) == plain(EXPECTED.read_text())


def test_every_difference_is_leaked_less_fair_and_lies_in_its_interval():
    (row,) = csv.DictReader(io.StringIO(rendered(board(fair(), varied()), "leak.csv")))
    assert (row["defence"], row["badnets"], row["drop_points"]) == ("clp", "4", "10.0")
    assert row["chosen"] == "default: 1, u=1.5: 3"
    for metric in ("quality", "clean_accuracy", "attack_success_rate", "effectiveness"):
        one, two, between = (float(row[f"{w}_{metric}"]) for w in ("fair", "leaked", "difference"))
        assert between == pytest.approx(two - one, abs=2e-6)
        low, high = (float(row[f"difference_{metric}_{end}"]) for end in ("low", "high"))
        assert low < between < high


def test_every_choice_can_be_made_again_from_the_cells():
    lines = list(csv.DictReader(io.StringIO(rendered(board(fair(), varied()), "leak_cells.csv"))))
    assert len(lines) == 8
    for network in {line["network"] for line in lines}:
        own = [line for line in lines if line["network"] == network]
        allowed = [line for line in own if line["status"] == "graded"]
        lowest = min(allowed, key=lambda line: int(line["backdoored_attacked"]))
        assert [line["setting"] for line in own if line["chosen"] == "yes"] == [lowest["setting"]]
    content = json.loads(rendered(board(fair(), varied()), "leak.json"))
    (row,) = content["rows"]
    assert [each["chosen"] for each in row["settings"]] == [1, 3]
    assert sum(each["chosen"] for each in row["choices"]) == 4


def test_the_same_cells_give_the_same_bytes(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    write_defence_boards(one, board(fair(), varied()))
    write_defence_boards(two, board(varied(seconds=47.11)[::-1], fair(seconds=0.1)[::-1]))
    assert written(one) == written(two)


def test_a_terminal_shows_it_below_the_board():
    alone, both = board_text(board(fair())), board_text(board(fair(), varied()))
    assert "leak" not in alone
    assert both.startswith(alone)
    assert "The leak tax" in both
    assert "u=1.5" in both


def test_settings_are_on_the_page_each_with_a_page_of_its_own(tmp_path):
    write_defence_boards(tmp_path, board(fair(), varied()))
    text = (tmp_path / "index.html").read_text()
    page = Page(text)
    for words in (" leaked 79.1 92.8 20.8 ", "u=1.5: 3", "leak_cells.csv"):
        assert words in page.text, words
    links = [given["href"] for tag, given in page.tags if tag == "a" and "href" in given]
    links = [unquote(link).partition("#")[0] for link in links if not link.startswith("#")]
    assert all((tmp_path / link).is_file() for link in links)
    (own,) = (link for link in links if "u_1.5" in link)
    assert "A setting of a defence, apart from the board" in Page((tmp_path / own).read_text()).text
    write_defence_boards(tmp_path, board(fair()))
    assert not (tmp_path / own).exists()
    assert "leak" not in Page((tmp_path / "index.html").read_text()).text


def test_where_the_settings_are_gone_the_tables_go_and_other_files_stay(tmp_path):
    write_defence_boards(tmp_path, board(fair(), varied()))
    for name in FILES[1:]:
        assert (tmp_path / name).is_file()
    (tmp_path / "leak.csv").write_text("pipe,litres\n")
    paths = write_defence_boards(tmp_path, board(fair()))
    assert [name for name in FILES if (tmp_path / name).exists()] == ["leak.csv"]
    assert not any(path.name in FILES for path in paths)


@pytest.mark.parametrize("name", [*map(storable, NAMES)])
def test_a_hostile_name_stays_in_its_place(name):
    name = name.replace("@", "")
    networks = (CompetingNetwork(name="n", attack=name, seed=0, badnet="b"),)
    drawn = Competition(schema_version=1, name="z", title=name, classes=10, networks=networks)
    records = [cell(name, "n", 180, 90, 50), cell(f"{name}@{name}", "n", 180, 20, 150)]
    found = rank_defences(records, drawn)
    tax = leak_tax(found)
    if not tax.rows:
        assert not name  # as of a record of nobody
        return
    plain, marked = leak_files.plain(found, tax), leak_files.markdown(found, tax)
    for shown in (plain, marked, leak_files.latex(found, tax)):
        assert all(line.isprintable() for line in shown.splitlines())
    assert not re.search(r"<\w|</|<!", marked)
    body = leak_files.latex(found, tax).partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    rows = body.strip().splitlines()
    assert len(rows) == 3
    assert all(len(re.findall(r"(?<!\\)&", row)) == 6 and row.endswith(r" \\") for row in rows)
    for text in (leak_files.leak_csv(found, tax), leak_files.cells_csv(found, tax)):
        for line in csv.reader(io.StringIO(text)):
            assert not any(value.startswith(("=", "+", "@")) for value in line), line
    assert one_line(name) in plain
