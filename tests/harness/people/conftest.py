"""Rosters from text."""

import pytest

from harness.people.roster import read_roster


@pytest.fixture
def roster(tmp_path):
    def write_and_read(text, encoding="utf-8"):
        path = tmp_path / "roster.csv"
        path.write_bytes(text.encode(encoding))
        return read_roster(path)

    return write_and_read
