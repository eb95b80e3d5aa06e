"""``grade --robustness`` from a folder to the proof, with real processes on the digits."""

import csv
import json
import shutil

import pytest
from repository import ROOT

pytestmark = [pytest.mark.extended, pytest.mark.timeout(900)]
BADNET = ROOT / "datasets" / "digits" / "badnet.keras"


@pytest.fixture(scope="module")
def graded(run_harness, prepared_digits, tmp_path_factory):
    """Results of a B' that is the BadNet itself."""
    root = tmp_path_factory.mktemp("robustness")
    results, handed_in = root / "results", root / "lee"
    shutil.copytree(prepared_digits, results)
    handed_in.mkdir()
    shutil.copy(BADNET, handed_in / "repaired_2.keras")
    finished = _grade(run_harness, results, handed_in, "--robustness")
    return results, handed_in, finished


def _grade(run_harness, results, handed_in, *options):
    return run_harness(
        "grade", handed_in, "--dataset", "digits", "--no-timing", "--quiet", "--out", results,
        *options,
    )  # fmt: skip


def record_of(results):
    return json.loads((results / "records" / "lee.json").read_text())


def test_the_badnet_as_its_own_repair_is_what_b_is_at_every_level(graded):
    results, _, finished = graded
    points = record_of(results)["robustness"]["points"]
    by_net = {
        net: [p["attacked"] for p in points if (p["net"], p["drop_points"]) == (net, x)]
        for net, x in (("badnet", None), ("repaired", 2.0))
    }
    assert len(by_net["badnet"]) == 25
    assert by_net["badnet"] == by_net["repaired"]
    assert "lee: worst ASR on changed triggers: B' " in finished.stdout


def test_the_file_and_the_page_show_each_point(graded):
    results, _, _ = graded
    rows = list(csv.DictReader((results / "robustness.csv").open()))
    found = record_of(results)["robustness"]
    assert len(rows) == len(found["points"]) + len(found["reactivation"])
    (page,) = (results / "instructor" / "submissions").glob("*.html")
    assert "How far the repair holds" in page.read_text()


def test_explain_names_the_worst_levels(graded, run_harness):
    told = run_harness("explain", graded[0], "lee", "--instructor").stdout
    assert "How far the repair holds" in told
    assert "  re-activation: B', X = 2: " in told


def test_verify_proves_each_point_and_finds_a_forged_one(graded, run_harness, tmp_path):
    results, handed_in, _ = graded
    arguments = ("lee", handed_in, "--dataset", "digits")
    proven = run_harness("verify", results, *arguments)
    assert proven.returncode == 0, proven.stdout
    assert "robustness, re-activation: 5 points: the same" in proven.stdout

    shutil.copytree(results, tmp_path / "forged")
    forged = record_of(results)
    forged["robustness"]["points"][0]["attacked"] -= 1
    (tmp_path / "forged" / "records" / "lee.json").write_text(json.dumps(forged))
    found = run_harness("verify", tmp_path / "forged", *arguments)
    assert found.returncode == 1
    assert "robustness, size, 33 %, badnet, X unknown: DIFFERENT" in found.stdout


def test_a_second_run_keeps_the_record_and_one_without_measures_nothing(graded, run_harness):
    results, handed_in, _ = graded
    before = (results / "records" / "lee.json").read_bytes()
    _grade(run_harness, results, handed_in, "--robustness")
    assert (results / "records" / "lee.json").read_bytes() == before
    copied = results.with_name("copied")
    shutil.copytree(results, copied)
    plain = _grade(run_harness, copied, handed_in)
    assert "robustness" not in record_of(copied)
    assert "changed triggers" not in plain.stdout
    assert not (copied / "robustness.csv").exists()


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("{own}", "robustness.toml: no such file; --robustness needs sets of changed triggers"),
        ("faces-competition", "a competition of several BadNets, which --robustness does not take"),
    ],
)
def test_where_it_cannot_be_measured_one_line_says_so(
    graded, run_harness, digits_folder, tmp_path, dataset, said
):
    own = tmp_path / "own"
    for name in ("cl", "bd"):
        shutil.copytree(digits_folder / name, own / name)
    described = (ROOT / "datasets" / "digits" / "dataset.toml").read_text().splitlines()
    kept = [line for line in described if not line.startswith(("make", "robustness"))]
    (own / "dataset.toml").write_text("\n".join(kept))
    shutil.copy(BADNET, own)
    finished = run_harness(
        "grade", graded[1], "--dataset", dataset.format(own=own), "--robustness", "--quiet",
        "--out", tmp_path / "results",
    )  # fmt: skip
    assert finished.returncode == 2
    assert said in finished.stderr
    assert finished.stderr.count("\n") == 1
