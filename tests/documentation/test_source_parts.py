"""What is generated into the pages' sources is up to date, and there to be read."""

import sys

from repository import ROOT

sys.path.insert(0, str(ROOT / "docs"))

import source_parts

from harness.assessment.diagnoses import explanations
from harness.output.terms import terms


def test_every_part_is_as_the_script_writes_it():
    for page, text in source_parts.pages().items():
        assert page.read_text() == text, "run: python docs/source_parts.py"


def test_the_parts_say_something():
    pages = {page.name: text for page, text in source_parts.pages().items()}
    codes = {code.partition(".")[0] for code in explanations()}
    assert codes <= set(pages["diagnoses.md"].replace("## ", "").splitlines())
    assert all(f"| {term.name} |" in pages["glossary.md"] for term in terms().values())
    assert "| `late_penalty_share` |" in pages["rubric.md"]
    assert "{" not in pages["diagnoses.md"]
