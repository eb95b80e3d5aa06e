"""Pseudonyms: random, the same in the next run, and reversible with the key file alone."""

import csv
import os
import re
import stat
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.grading.batch import find_submissions
from harness.people.pseudonyms import assign_pseudonyms
from harness.records.errors import HarnessError

HOSTILE = ["=cmd|' /C calc'!A0", "'quoted", "a,b", 'say "x"', "two\nlines", "<script>", "\u202egnp",
           "a|b", "-1", "@x", os.fsdecode(b"\xff"), "r\r", "\uff1d1+1", "'\uff1d"]  # fmt: skip


def test_each_name_gets_its_own_random_pseudonym(tmp_path):
    first = assign_pseudonyms(["ann", "bob", "ann"], tmp_path / "one.csv")
    second = assign_pseudonyms(["ann", "bob"], tmp_path / "two.csv")
    assert set(first) == {"ann", "bob"}
    assert len({*first.values(), *second.values()}) == 4
    assert all(re.fullmatch(r"s-[0-9a-f]{10}", pseudonym) for pseudonym in first.values())


def test_the_next_run_gives_the_same_and_adds_new_ones(tmp_path):
    key = tmp_path / "key.csv"
    first = assign_pseudonyms(["ann", "bob"], key)
    second = assign_pseudonyms(["carl", "bob"], key)
    assert second["bob"] == first["bob"]
    assert assign_pseudonyms(["ann", "bob", "carl"], key) == first | second


def test_the_key_file_is_the_owner_s_alone(tmp_path):
    key = tmp_path / "new" / "key.csv"
    expected = assign_pseudonyms(["ann"], key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_bytes().decode() == f"pseudonym,folder\r\n{expected['ann']},ann\r\n"
    key.chmod(0o644)
    assign_pseudonyms(["ann"], key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert list(key.parent.iterdir()) == [key]


def test_hostile_names_come_back_and_start_no_formula(tmp_path):
    key = tmp_path / "key.csv"
    first = assign_pseudonyms(HOSTILE, key)
    assert assign_pseudonyms(HOSTILE, key) == first
    with key.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        cells = [line[1] for line in csv.reader(file)]
    formulas = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
    assert not [cell for cell in cells if cell.startswith(formulas)]


def test_an_older_key_file_with_a_full_width_sign_is_read_as_it_was_meant(tmp_path):
    key = tmp_path / "key.csv"
    key.write_text("pseudonym,folder\ns-0123456789,\uff1d1+1\n", encoding="utf-8")
    assert assign_pseudonyms(["\uff1d1+1"], key) == {"\uff1d1+1": "s-0123456789"}


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_name_in_the_key_file_starts_a_formula(tmp_path, start):
    key = tmp_path / "key.csv"
    first = assign_pseudonyms([f"{start}cmd"], key)
    with key.open(newline="", encoding="utf-8") as file:
        assert [line[1] for line in csv.reader(file)][1:] == [f"'{start}cmd"]
    assert assign_pseudonyms([f"{start}cmd"], key) == first


def test_nor_does_one_start_where_a_spreadsheet_separates_by_semicolons(tmp_path):
    key = tmp_path / "key.csv"
    names = ["ann;=cmd", "ann;'=cmd", ';"=cmd']
    first = assign_pseudonyms(names, key)
    assert not re.search(';"*=', key.read_text())
    assert assign_pseudonyms(names, key) == first


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), unique=True, max_size=8))
def test_any_names_come_back(tmp_path_factory, names):
    key = tmp_path_factory.mktemp("key") / "key.csv"
    first = assign_pseudonyms(names, key)
    assert assign_pseudonyms(names, key) == first
    assert len(set(first.values())) == len(names)


GOOD = "s-0123456789,ann\n"


@pytest.mark.parametrize(
    "content",
    ["", "folder,pseudonym\n", "pseudonym,folder\ns-0123456789\n", "pseudonym,folder\nann,ann\n",
     f"pseudonym,folder\n{GOOD}{GOOD}", f"pseudonym,folder\n{GOOD}s-0123456789,bob\n",
     f"pseudonym,folder\n{GOOD}s-00000", "pseudonym,folder\ns-0123456789,\n", "\0\0",
     f'pseudonym,folder\n{GOOD}s-0000000000,"x'],
)  # fmt: skip
def test_a_damaged_key_file_is_left_as_it_is(tmp_path, content):
    key = tmp_path / "key.csv"
    key.write_text(content)
    with pytest.raises(HarnessError, match=r"key\.csv: damaged \(.*restore a copy"):
        assign_pseudonyms(["ann"], key)
    assert key.read_text() == content


def test_a_key_file_that_cannot_be_one_says_so(tmp_path):
    with pytest.raises(HarnessError, match="cannot be read"):
        assign_pseudonyms(["ann"], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot be"):
        assign_pseudonyms(["ann"], tmp_path / "file" / "key.csv")


def test_a_bulk_download_is_unpacked_beside_the_key_file(tmp_path):
    archive, results = tmp_path / "submissions.zip", tmp_path / "results"
    with zipfile.ZipFile(archive, "w") as file:
        for student in ("zuseconrad_1", "lovelaceada_2", "hoppergrace_3"):
            file.writestr(f"{student}_9_model_2.h5", b"x")
    entries = find_submissions((), archive, results, tmp_path / "private" / "key.csv").entries
    assert not results.exists()
    assert {entry.path.parent.parent for entry in entries} == {
        tmp_path / "private" / "key.csv.intake"
    }
    # Work in the order of names would tell who is who by the times of files.
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
