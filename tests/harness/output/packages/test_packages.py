"""The packages as their platforms run them: layout, another user, clean environment."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import click
import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from containers import NOBODY, handed_in, owned_by, run_in_container
from corpora import Corpus
from models import random_weights, write_full
from repository import ROOT

from harness.cli.export import export
from harness.cli.package import package
from harness.output.packages.autograder import GradingPackage
from harness.sandbox import availability

PUBLISHED = ROOT / "tests" / "harness" / "output" / "exports" / "published"
PROBLEM = availability.problem_of("bubblewrap")
CONTAINER = [
    pytest.mark.sandbox,
    pytest.mark.skipif(PROBLEM is not None, reason=f"no bubblewrap for a container: {PROBLEM}"),
]


def command(*arguments):
    """The commands as ``python -m harness`` has them; returns click's result."""
    group = click.Group(commands=[export, package])
    return CliRunner().invoke(group, list(map(str, arguments)))


def built(out, *arguments):
    result = command("package", *arguments, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out}\n"
    return out


def unpacked(archive, folder):
    """As unzip does it, executable bits included."""
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            path = Path(file.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
    return folder


def results_of(root):
    results = json.loads((root / "results" / "results.json").read_text())
    jsonschema.validate(results, json.loads((PUBLISHED / "gradescope.schema.json").read_text()))
    return results


# --- Gradescope ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def autograder(small_benchmark, badnet_path, tmp_path_factory):
    """An autograder's archive for the small benchmark."""
    return built(tmp_path_factory.mktemp("built") / "autograder.zip", "gradescope", "--dataset",
                 small_benchmark, "--badnet", badnet_path)  # fmt: skip


@pytest.fixture(scope="module")
def image(autograder, tmp_path_factory):
    """``/autograder`` after Gradescope has built the image: as root, by ``setup.sh``."""
    root = tmp_path_factory.mktemp("image")
    unpacked(autograder, root / "source")
    setup = ["bash", "/autograder/source/setup.sh"]
    ran = run_in_container(root, "/autograder", setup, variables={"HARNESS_PYTHON": sys.executable})
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith(
        "This machine may grade strangers' models, in the sandbox landlock.\n"
    )
    shutil.copy(root / "source" / "run_autograder", root / "run_autograder")
    return root


def gradescope(image, submission, **variables):
    """Run one submission as Gradescope does; returns the results and what it printed."""
    handed_in(submission, image / "submission")
    shutil.rmtree(image / "results", ignore_errors=True)
    owned_by(image / "results", NOBODY)
    ran = run_in_container(image, "/autograder", ["/autograder/run_autograder"], user=NOBODY,
                           variables={"HARNESS_PYTHON": sys.executable, **variables})  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return results_of(image), ran.stdout + ran.stderr


def test_the_archive_holds_what_is_needed_and_the_same_each_time(
    autograder, small_benchmark, badnet_path, tmp_path
):
    with zipfile.ZipFile(autograder) as file:
        modes = {entry.filename: entry.external_attr >> 16 for entry in file.infolist()}
        readme = file.read("README.md").decode()
        requirements = file.read("requirements.txt").decode()
    assert modes["run_autograder"] == modes["setup.sh"] == 0o100755
    assert {"harness/__main__.py", "harness/networks/deepid.py", "harness/assessment/rubric.toml",
            "data/cl/valid.h5", "bd_weights.h5", "constraints.txt"} <= set(modes)  # fmt: skip
    assert not [name for name in modes if "__pycache__" in name or name.startswith("tests")]
    assert "2 GB or more" in readme
    assert "Not graded where the container forbids a sandbox" in readme
    assert "What only Gradescope's servers can show" in readme
    assert "tensorflow" in requirements
    assert "pyseccomp" in requirements
    assert "extra" not in requirements
    again = built(tmp_path / "again.zip", "gradescope", "--dataset", small_benchmark,
                  "--badnet", badnet_path)  # fmt: skip
    assert again.read_bytes() == autograder.read_bytes()


def test_a_named_benchmark_is_made_by_setup_or_downloaded(tmp_path):
    for name, package_needed in (("faces", False), ("lab3", True)):
        out = built(tmp_path / f"{name}.zip", "gradescope", "--dataset", name)
        with zipfile.ZipFile(out) as file:
            assert file.read("dataset.txt") == f"{name}\n".encode()
            assert not [entry for entry in file.namelist() if entry.startswith("data/")]
            assert ("gdown" in file.read("requirements.txt").decode()) is package_needed


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [([], {"onnxruntime", "ai-edge-litert"}), (["none"], set()),
     (["onnx", "torch"], {"onnxruntime", "torch"})],
)  # fmt: skip
def test_the_runtimes_that_are_asked_for_are_installed(tmp_path, chosen, expected):
    options = [part for name in chosen for part in ("--runtime", name)]
    out = built(tmp_path / "autograder.zip", "gradescope", "--dataset", "faces", *options)
    with zipfile.ZipFile(out) as file:
        lines = file.read("requirements.txt").decode().splitlines()
    names = {re.split(r"[<>=! ]", line)[0] for line in lines}
    assert names & {"onnxruntime", "ai-edge-litert", "torch"} == expected
    assert (lines[0] == "--extra-index-url https://download.pytorch.org/whl/cpu") is (
        "torch" in expected
    )


def test_a_badnet_of_arrays_is_packed_with_its_graph(small_benchmark, tmp_path):
    (tmp_path / "net.pt").write_bytes(b"arrays")
    (tmp_path / "net.json").write_text("{}")
    out = built(tmp_path / "autograder.zip", "gradescope", "--dataset", small_benchmark,
                "--badnet", tmp_path / "net.pt")  # fmt: skip
    with zipfile.ZipFile(out) as file:
        file.extractall(tmp_path / "source")
    arguments = GradingPackage(tmp_path / "source").arguments()
    assert arguments[-2:] == ["--badnet", str(tmp_path / "source" / "bd_weights.pt")]
    assert "bd_weights.json" not in " ".join(arguments)
    assert (tmp_path / "source" / "bd_weights.json").is_file()


class TestGradescope:
    """In one image, built once."""

    pytestmark = CONTAINER

    def test_a_submission_is_graded_by_another_user(self, image, reference_submission):
        results, printed = gradescope(image, reference_submission)
        if os.getuid() == 0:
            assert (image / "results" / "results.json").stat().st_uid == NOBODY
        assert results["extra_data"]["status"] == "graded"
        assert sum(t.get("score", 0) for t in results["tests"]) == 100
        assert sum(t.get("max_score", 0) for t in results["tests"]) == 100
        assert results["leaderboard"][0]["value"] == 3
        assert "2 GB of memory" in results["output"]
        assert "Where the container forbids one they are not_graded" in results["output"]
        assert "Traceback" not in printed
        assert "reference's pruning order" in printed

    def test_what_setup_made_is_used(self, image):
        prepared = image / "source" / "prepared"
        assert {"reference", "predictions"} <= {path.name for path in prepared.iterdir()}

    def test_another_architecture_is_graded_without_namespaces(self, image, badnet_path, tmp_path):
        """In Landlock's sandbox, by a user who is not root."""
        corpus = Corpus(tmp_path, badnet_path, ["honest_rescaling"])
        results, printed = gradescope(image, corpus.submissions / "honest_rescaling")
        assert results["extra_data"] | {"dataset": ""} == {
            "status": "graded", "dataset": "", "isolation": ["landlock"]}  # fmt: skip
        assert not any("not_graded" in test["name"] for test in results["tests"])
        assert "Traceback" not in printed

    def test_a_foreign_model_is_not_graded_and_not_blamed(self, image, tmp_path):
        """Where the container forbids Landlock, too."""
        write_full(
            tmp_path / "model_2.h5",
            random_weights(),
            {"class_name": "Sequential", "config": {"name": "foreign", "layers": []}},
        )
        shutil.copy(ROOT / "tests" / "support" / "forbidding.py", image / "forbidding.py")
        python = image / "python"
        command = f"{sys.executable} /autograder/forbidding.py all {sys.executable}"
        python.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        python.chmod(0o755)
        results, _ = gradescope(image, tmp_path, HARNESS_PYTHON="/autograder/python")
        names = [test["name"] for test in results["tests"]]
        assert any("not_graded" in name for name in names), results
        assert "not your fault; the score is no grade yet" in results["output"]

    def test_an_empty_submission_is_the_students_fault(self, image, tmp_path):
        results, _ = gradescope(image, tmp_path)
        assert results["extra_data"]["status"] == "rejected"
        assert "no model in it" in results["output"]
        assert sum(t.get("score", 0) for t in results["tests"]) == 0

    def test_results_are_there_although_the_grader_fails(self, image, tmp_path):
        weights = image / "source" / "bd_weights.h5"
        weights.rename(tmp_path / "away")
        try:
            (tmp_path / "own").mkdir()
            results, printed = gradescope(image, tmp_path / "own")
        finally:
            shutil.move(tmp_path / "away", weights)
        assert results["score"] == 0
        assert "0 points are not your grade" in results["output"]
        (reason,) = results["tests"]
        assert reason["visibility"] == "hidden"
        assert "HarnessError" in reason["output"]
        assert "--badnet" in printed

    def test_results_are_there_although_python_is_missing(self, image, tmp_path):
        results, _ = gradescope(image, tmp_path, HARNESS_PYTHON="/nowhere/python")
        assert results["score"] == 0
        assert "0 points are not your grade" in results["output"]

    def test_the_folder_is_named_by_a_variable(self, image, reference_submission, tmp_path):
        for name in ("source", "submission"):
            (tmp_path / name).symlink_to(image / name)
        handed_in(reference_submission, image / "submission")
        ran = subprocess.run(
            ["env", "-i", f"PATH={os.environ['PATH']}", f"AUTOGRADER_ROOT={tmp_path}",
             f"HARNESS_PYTHON={sys.executable}", "bash", image / "run_autograder"],
            capture_output=True, text=True, check=False, cwd=tmp_path, timeout=600,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert results_of(tmp_path)["leaderboard"][0]["value"] == 3


# --- CodaBench ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(small_benchmark, badnet_path, tmp_path_factory):
    """A competition's bundle for the small benchmark, unpacked."""
    folder = tmp_path_factory.mktemp("competition")
    archive = built(folder / "competition.zip", "codabench", "--dataset", small_benchmark,
                    "--badnet", badnet_path, "--image", "course/harness: 1", "--title",
                    'Defences: "2026" # {x}', "--start", "2026-11-24")  # fmt: skip
    return unpacked(archive, folder / "bundle")


def codabench(bundle, submission, app):
    """Score a submission as CodaBench's worker does; returns the process."""
    shutil.copytree(bundle / "scoring_program", app / "program")
    shutil.copytree(bundle / "reference_data", app / "input" / "ref")
    handed_in(submission, app / "input" / "res")
    (app / "input" / "res" / "metadata").write_text("exitCode: 0\n")  # the worker's own
    owned_by(app / "output", NOBODY)
    metadata = yaml.safe_load((app / "program" / "metadata.yaml").read_text())
    return run_in_container(app, "/app", metadata["command"].split(), user=NOBODY)


def test_the_competition_is_what_codabench_reads(bundle):
    competition = yaml.safe_load((bundle / "competition.yaml").read_text())
    text = json.dumps(competition, default=str)  # dates are read as dates
    jsonschema.validate(
        json.loads(text), json.loads((PUBLISHED / "codabench.schema.json").read_text())
    )
    assert competition["version"] == 2
    assert competition["title"] == 'Defences: "2026" # {x}'
    assert competition["docker_image"] == "course/harness: 1"
    assert str(competition["phases"][0]["start"]) == "2026-11-24"
    (task,) = competition["tasks"]
    pages = [page["file"] for page in competition["pages"]]
    files = [competition["image"], competition["terms"], task["reference_data"], *pages]
    for name in [*files, f"{task['scoring_program']}/metadata.yaml", "image/Dockerfile"]:
        assert (bundle / name).exists(), name
    assert (bundle / "logo.png").read_bytes().startswith(b"\x89PNG")
    assert "3 GB of memory" in (bundle / "overview.md").read_text()
    assert "in 1283 classes (0 to 1282)" in (bundle / "data.md").read_text()
    (kit,) = competition["solutions"]
    files = {path.name for path in (bundle / kit["path"]).iterdir()}
    assert files == {"README.md", "submission.toml", "bd_weights.h5"}
    declared = tomllib.loads((bundle / kit["path"] / "submission.toml").read_text())["artifacts"]
    assert [each["drop_points"] for each in declared.values()] == [2, 4, 10]


class TestCodabench:
    """The scoring program at ``/app``."""

    pytestmark = CONTAINER

    def test_scores_fill_the_columns(self, bundle, reference_submission, tmp_path):
        ran = codabench(bundle, reference_submission, tmp_path)
        assert ran.returncode == 0, ran.stderr
        competition = yaml.safe_load((bundle / "competition.yaml").read_text())
        (leaderboard,) = competition["leaderboards"]
        scores = json.loads((tmp_path / "output" / "scores.json").read_text())
        assert list(scores) == [column["key"] for column in leaderboard["columns"]]
        assert scores["checkpoints_passed"] == 3
        page = (tmp_path / "output" / "detailed_results.html").read_text()
        assert "100</b> of 100" in page
        assert "<svg" in page
        assert "3 GB of memory" in page
        assert {path.name for path in (tmp_path / "output").iterdir()} == {
            "scores.json", "detailed_results.html"}  # fmt: skip

    def test_without_a_verdict_there_are_no_scores(self, bundle, tmp_path):
        broken = tmp_path / "bundle"
        shutil.copytree(bundle, broken)
        (broken / "reference_data" / "bd_weights.h5").unlink()
        (tmp_path / "empty").mkdir()
        ran = codabench(broken, tmp_path / "empty", tmp_path / "app")
        assert ran.returncode == 2
        assert "pass its weights as --badnet" in ran.stderr
        assert "Traceback" not in ran.stderr
        assert not list((tmp_path / "app" / "output").iterdir())


# --- commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["package", "gradescope", "--dataset", "nowhere"], "no such dataset"),
        (["package", "gradescope", "--badnet", "nowhere.h5"], "no such file"),
        (["package", "gradescope", "--rubric", "nowhere.toml"], "no such file (--rubric)"),
        (["package", "codabench", "--image", "i", "--dataset", "lab3"], "data fetch lab3"),
        (["export", "nowhere", "--format", "junit"], "nowhere: no such folder"),
        (
            ["export", "nowhere", "--format", "canvas", "--roster", "nowhere"],
            "no such file (--roster)",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    result = command(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_export_writes_where_it_says_and_notes_what_is_missing(tmp_path):
    from records_by_hand import good_checkpoints, record

    from harness.storage.results import Store

    Store(tmp_path).put_record(record(*good_checkpoints(), submission="jane"))
    roster = tmp_path / "roster.csv"
    roster.write_text("folder,name,student_id,sis_id\njane,Jane Doe,007,0012\njoe,Joe Roe,8,\n")
    result = command(
        "export", tmp_path, "--format", "canvas", "--roster", roster, "--item", "Lab 3"
    )
    written = tmp_path / "exports" / "canvas.csv"
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{written}\n"
    assert result.stderr == "note: Joe Roe: no submission; the cell is empty\n"
    assert written.read_text().splitlines() == [
        "Student,ID,SIS User ID,SIS Login ID,Section,Lab 3",
        "    Points Possible,,,,,100",
        "Jane Doe,007,0012,,,100",
        "Joe Roe,8,,,,",
    ]
