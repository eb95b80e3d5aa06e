"""The table of attacks in SECURITY.md: its tests exist, and no attack that is tried is left out."""

import ast
import re

from repository import ROOT

from harness.sandbox.layers.catalogue import LAYER_TESTS
from harness.sandbox.layers.escape_tests import ESCAPE_TESTS

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and " | | |" not in line
][2:]


def functions_of(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_names_tests_that_exist():
    assert len(ROWS) > 40
    for row in ROWS:
        assert len(row) == 3, row
        cell = row[2]
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", cell)
        assert named, row
        assert len(named) == len(cell.split("<br>")), row
        for path, name in named:
            assert name in functions_of(path), (path, name)


def test_every_attack_of_the_corpus_and_of_the_doctor_has_a_row():
    attacks = " ".join(row[0] for row in ROWS)
    source = (ROOT / "tests" / "submissions" / "cases.py").read_text(encoding="utf-8")
    cases = set(re.findall(r"\b((?:hostile|payload|cheat)_\w+)(?=\(target|\")", source))
    assert len(cases) > 45
    assert [name for name in sorted(cases) if f"`{name}`" not in attacks] == []
    assert [name for name in (*ESCAPE_TESTS, *LAYER_TESTS) if f'"{name}"' not in attacks] == []
