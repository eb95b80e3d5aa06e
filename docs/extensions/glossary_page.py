"""The terms of the pages as a Markdown table."""

from __future__ import annotations

from harness.output.terms import terms


def glossary() -> str:
    """A line for each term, in the order of the alphabet."""
    found = sorted(terms().values(), key=lambda term: term.name.casefold())
    rows = [f"| {_plain(term.name)} | {_plain(term.text)} |" for term in found]
    return "\n".join(["| term | meaning |", "| --- | --- |", *rows])


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
