"""Each entry of the collection gets the verdict that was written down before it was graded."""

import json
import shutil

import pytest
from entries import BUILDERS, build_all, entries_of
from expected_verdicts import (
    A_QUARTER,
    ALL,
    DISGUISED,
    EXPECTED,
    HONEST,
    PARTLY,
    WORTHLESS,
    expected_on,
)
from worlds import NOT_ON_DIGITS, digits_world, faces_world

from harness.storage.results import Store

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.timeout(1200),  # whichever test comes first waits for all entries
]
LETTERS = {"passed": "P", "failed": "F", "undecided": "U"}


WORLDS = {"faces": (), "digits": (pytest.mark.extended,)}
"""Which worlds there are, and how their tests are marked."""


@pytest.fixture(
    scope="session", params=[pytest.param(name, marks=marks) for name, marks in WORLDS.items()]
)
def world(request):
    """The benchmark that the entries are made for and graded on."""
    if request.param == "digits":
        return digits_world(request.getfixturevalue("digits"))
    return faces_world(request.getfixturevalue("small"), request.getfixturevalue("badnet"))


@pytest.fixture(scope="session")
def entries_folder(world, tmp_path_factory):
    """All entries; half a gigabyte, so they do not stay."""
    folder = tmp_path_factory.mktemp("verdicts")
    build_all(folder, world)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def results(world, entries_folder, request):
    """The results folder of all entries, graded in one batch."""
    on = {"faces": "grade_each", "digits": "grade_each_of_digits"}
    grade_each = request.getfixturevalue(on[world.name])
    finished, output = grade_each(entries_folder, "--jobs", 2, "--quiet")
    # Entries fail, the harness does not.
    assert finished.returncode == 1, finished.stderr[-3000:]
    return output


@pytest.fixture(scope="session")
def records(results):
    return {record.submission: record for record in Store(results).records()}


@pytest.fixture(scope="session")
def ranks(results):
    """Ranks on the board, by submission."""
    board = json.loads((results / "leaderboard.json").read_text())
    return {row["submission"]: row["rank"] for row in board["rows"] if row["rank"] is not None}


def of_kind(*kinds):
    return [name for name, expected in EXPECTED.items() if expected.kind in kinds]


def each_of(names):
    """Marks a test that is about each of these entries, on each world that can have it."""
    absent = {"faces": (), "digits": NOT_ON_DIGITS}
    pairs = [
        pytest.param(world, name, marks=marks)
        for world, marks in WORLDS.items()
        for name in names
        if name not in absent[world]
    ]
    return pytest.mark.parametrize(("world", "name"), pairs, indirect=["world"])


def by_points(record):
    return {c.drop_points: c for c in record.checkpoints if c.required}


def verdicts(record):
    """A letter for each X; a checkpoint that is missing has failed."""
    found = by_points(record)
    return "".join(LETTERS[found[x].verdict] if x in found else "F" for x in ALL)


def codes(diagnoses):
    """Codes without the variants of their words."""
    return {each.code.partition(".")[0] for each in diagnoses}


def codes_by_points(record):
    return {x: codes(checkpoint.diagnoses) for x, checkpoint in by_points(record).items()}


def points(record):
    return sum(item.points for item in record.points)


# --- the collection ---------------------------------------------------------------------------


def test_every_entry_has_its_verdict_written_down():
    assert set(EXPECTED) == set(BUILDERS)
    assert set(NOT_ON_DIGITS) < set(BUILDERS)
    assert len(of_kind(WORTHLESS, DISGUISED, PARTLY)) >= 40
    assert len(of_kind(HONEST)) >= 10


def test_every_entry_is_graded(world, records):
    assert set(records) == set(entries_of(world))
    for name, record in records.items():
        assert record.status == "graded", f"{name}: {record.reason}"
        assert all(c.status == "graded" for c in record.checkpoints), name


def test_excellent_nets_are_excellent(world, records):
    """Which were built, or trained on the trigger: hardly an image lost, hardly one attacked."""
    at_most = {"faces": 0, "digits": 0.01}[world.name]
    for name in ("excellent_net", "excellent_goodnet", "excellent_program"):
        record = records[name]
        for checkpoint in record.checkpoints:
            before, after = record.badnet.test, checkpoint.goodnet.test
            others = checkpoint.goodnet_originals.test
            # A net that never answers the target is attacked by none; one that was trained may be.
            assert others.other_attacked <= at_most * others.other_total, name
            assert before.clean_correct - after.clean_correct <= 0.03 * before.clean_total, name


def test_worthless_nets_are_worthless(records):
    """None of them has a use, but those that are the BadNet: a clean image in five is lost."""
    for name in set(of_kind(WORTHLESS)) & set(records):
        if "badnet" in name or "dormant" in name:
            continue
        for checkpoint in records[name].checkpoints:
            net = checkpoint.goodnet.test
            assert net.clean_correct < 0.8 * net.clean_total, name


# --- what each gets ---------------------------------------------------------------------------


@each_of(EXPECTED)
def test_verdict(world, records, name):
    expected = expected_on(world.name, name).verdicts
    found = verdicts(records[name])
    stated = [(ours, theirs) for ours, theirs in zip(found, expected, strict=True) if theirs != "-"]
    assert all(ours == theirs for ours, theirs in stated), f"{found} instead of {expected}"


@each_of(EXPECTED)
def test_diagnoses(world, records, name):
    expected, record = expected_on(world.name, name), records[name]
    found = codes_by_points(record)
    for x, wanted in expected.codes.items():
        assert found[x] >= set(wanted), f"X = {x:g}"
    overall = codes(record.diagnoses)
    assert overall >= set(expected.overall)
    assert not set(expected.absent) & set.union(overall, *found.values())


@each_of([name for name in EXPECTED if EXPECTED[name].family])
def test_family(records, name):
    assert {c.family for c in by_points(records[name]).values()} == {EXPECTED[name].family}


@each_of(EXPECTED)
def test_points(world, records, name):
    expected, record = expected_on(world.name, name), records[name]
    assert expected.least - 0.01 <= points(record) <= expected.most + 0.01
    if expected.settled is not None:
        pending = sum(item.pending for item in record.points)
        assert points(record) + pending == pytest.approx(expected.settled)


@each_of(of_kind(DISGUISED))
def test_a_disguise_changes_nothing(records, name):
    ours, theirs = records[name], records[EXPECTED[name].like]
    assert verdicts(ours) == verdicts(theirs)
    assert codes_by_points(ours) == codes_by_points(theirs)
    assert codes(ours.diagnoses) == codes(theirs.diagnoses)
    assert [item.points for item in ours.points] == pytest.approx([i.points for i in theirs.points])


@each_of(of_kind(WORTHLESS))
def test_worthless_nets_outrank_no_honest_one(records, ranks, name):
    metrics = sum(item.points for item in records[name].points if item.kind == "metrics")
    assert metrics <= A_QUARTER
    behind = max(ranks[each] for each in of_kind(HONEST) if each in records)
    assert name not in ranks or ranks[name] > behind


def test_near_chance_is_said_where_it_is_so(records):
    """At most the commonest class's share plus 5 points of clean validation accuracy."""
    for name, record in records.items():
        for checkpoint in by_points(record).values():
            net = (checkpoint.repaired or checkpoint.goodnet).valid
            limit = record.commonest_class_images / net.clean_total + 0.05
            is_near_chance = net.clean_correct / net.clean_total <= limit
            is_said = "NEAR_CHANCE" in codes(checkpoint.diagnoses)
            # A net of another origin has the graver mistake.
            is_void = "OTHER_BASE" in codes(checkpoint.diagnoses)
            assert is_said == is_near_chance or is_void, name
