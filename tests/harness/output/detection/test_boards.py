"""The board of detectors in every format, with hostile names and reasons."""

import csv
import json
import re

import pytest
from detection_boards import ask_all, failure, zoo_with_twins
from hostile import NAMES
from pages import Page

from harness.output.detection.boards import board_text, write_detection_boards
from harness.output.detection.page import FILES, render_page_of
from harness.output.detection.tables import answer
from harness.ranking.detections import rank_detectors
from harness.records.text import one_line, storable

ZOO = zoo_with_twins("patch", "warp")


@pytest.fixture(scope="module")
def board():
    """One that can tell, one that is surer than right, one that fails twice."""
    lost = ask_all("lost", ZOO, [0.5] * 12)
    lost[2:4] = [failure(each, reason="it took\nmore | than <b>60 s") for each in lost[2:4]]
    loud = ask_all("loud", ZOO, [1, 0.99] * 3 + [0.01, 0] * 3)
    return rank_detectors([*ask_all("good", ZOO, [0.8, 0.3] * 6), *loud, *lost], ZOO)


def test_every_format_is_written_and_the_same_bytes_again(board, tmp_path):
    written = write_detection_boards(tmp_path, board)
    assert {path.name for path in written} == {*FILES, "index.html"}
    before = {path: path.read_bytes() for path in written}
    write_detection_boards(tmp_path, board)
    assert {path: path.read_bytes() for path in written} == before

    lines = list(csv.DictReader((tmp_path / "detection.csv").open()))
    assert [(each["detector"], each["attack"]) for each in lines][:3] == [
        ("good", "all"), ("good", "patch"), ("good", "warp")]  # fmt: skip
    assert (lines[0]["roc_auc"], lines[0]["brier"]) == ("1.0", "0.065")
    answers = list(csv.DictReader((tmp_path / "answers.csv").open()))
    assert len(answers) == 3 * 12
    assert answers[0]["is_backdoored"] == "yes"
    rows = json.loads((tmp_path / "detection.json").read_text())["rows"]
    assert [row["overall"]["failed"] for row in rows if row["detector"] == "lost"] == [2]
    for name in ("detection.txt", "detection.md", "detection.tex"):
        assert "always one half" in (tmp_path / name).read_text()


def test_what_it_says_in_words(board):
    first, *others = answer(board)
    assert first == "good tells them apart best: ROC-AUC 1.000 (95 %: 1.000-1.000)."
    assert any(line.startswith("loud would do better to say one half each time") for line in others)
    assert "lost failed on 2 of 12 networks, which count as one half." in others
    text = board_text(board)
    assert "lost on patch-1 and patch-1-clean: rejected: it took?more | than <b>60 s" in text
    assert re.search(r"^1 +good +1\.000 .* 0\.290 .* 0$", text, re.MULTILINE)
    assert "2 of 12" in text

    by_chance = rank_detectors(ask_all("coin", ZOO, [0.6, 0.5, 0.55, 0.2, 0.1, 0.3] * 2), ZOO)
    assert "which may be chance" in answer(by_chance)[0]
    never = rank_detectors(ask_all("coin", ZOO, [0.4, 0.5] * 6), ZOO)
    assert answer(never)[0].startswith("No detector tells BadNets from clean networks better")


def test_a_board_of_nothing_can_be_written(tmp_path):
    empty = rank_detectors([], ZOO)
    assert answer(empty) == ["No detector can be ranked yet."]
    assert write_detection_boards(tmp_path, empty)


@pytest.mark.parametrize("name", [*map(storable, NAMES)])
def test_a_hostile_name_stays_text(name):
    def page_of(detector, attack):
        drawn = zoo_with_twins(attack, seeds=2)
        answers = ask_all(detector, drawn, [0.8, 0.3] * 2)
        answers[0] = failure(answers[0], reason=detector)
        return Page(render_page_of(rank_detectors(answers, drawn)))

    page, plain = page_of(name, name), page_of("x", "y")
    ours, theirs = ([tag for tag, _ in each.tags if tag != "wbr"] for each in (page, plain))
    assert ours == theirs
    assert not any(key.startswith("on") for _, given in page.tags for key in given)
    assert one_line(name) in "".join(page.words)
