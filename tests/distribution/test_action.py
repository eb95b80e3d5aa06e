"""``action.yml``: its shell lines, executed as GitHub executes them."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml
from repository import ROOT

import harness
from harness.datasets.descriptions import data_is_present, generate_data, load_benchmark
from harness.inference.known_network import read_benchmark_badnet
from harness.lineage.lineage import zero_channels
from harness.networks.forward import build_model

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"] if "run" in step}
EXPRESSION = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")


class Workflow:
    """A job that uses the action, on a runner."""

    def __init__(self, root, results):
        self.workspace, self.temporary = root / "work space", root / "temp"
        self.workspace.mkdir()
        self.temporary.mkdir()
        self.summary, self.outputs = root / "summary.md", {"install": {"results": str(results)}}

    def run(self, **inputs):
        """Run the action's last step with these inputs; returns the finished process."""
        return self.step("harness", inputs)

    def step(self, name, inputs, **more):
        given = {key: each.get("default", "") for key, each in ACTION["inputs"].items()} | {
            key.replace("_", "-"): value for key, value in inputs.items()
        }
        known = {f"inputs.{key}": value for key, value in given.items()}
        for step, outputs in self.outputs.items():
            known |= {f"steps.{step}.outputs.{key}": value for key, value in outputs.items()}
        step = STEPS[name]
        stated = {
            key: EXPRESSION.sub(lambda found: known[found[1]], value)
            for key, value in step.get("env", {}).items()
        }
        output = self.temporary / f"output-{name}"
        output.write_text("")
        self.summary.write_text("")
        script = self.temporary / f"{name}.sh"
        script.write_text(step["run"])
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        finished = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
            cwd=self.workspace, capture_output=True, text=True, check=False, timeout=600,
            env=environment | stated | more | {
                "GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(self.temporary),
                "GITHUB_WORKSPACE": str(self.workspace), "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(self.summary), "HARNESS_DATA": str(DATA),
            },
        )  # fmt: skip
        lines = output.read_text().splitlines()
        self.outputs[name] = dict(line.split("=", 1) for line in lines)
        return finished


DATA = load_benchmark("digits")[1].parent / "unused"


def annotations(finished):
    lines = (finished.stdout + finished.stderr).splitlines()
    return [line for line in lines if re.match(r"\s*::|.*##\[", line)]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A $HARNESS_DATA with the digits."""
    global DATA  # noqa: PLW0603
    benchmark, folder = load_benchmark("digits")
    if not data_is_present(benchmark, folder):
        generate_data(benchmark, folder)
    DATA = tmp_path_factory.mktemp("data")
    (DATA / "digits").symlink_to(folder)
    return DATA


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """One results folder for all jobs, so that the BadNet is run once."""
    return tmp_path_factory.mktemp("results") / "of the action"


@pytest.fixture
def workflow(tmp_path, digits, results):
    """A job after the first step: its Python has what this one has, and this checkout."""
    job = Workflow(tmp_path, results)
    python = job.temporary / "backdoor-harness" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return job


def save(path, channels):
    benchmark, _ = load_benchmark("digits")
    network, weights = read_benchmark_badnet(ROOT / "datasets/digits/badnet.keras", benchmark)
    path.parent.mkdir(parents=True, exist_ok=True)
    pruned = zero_channels(weights, benchmark.channel_order[:channels], network=network)
    build_model(network, pruned).save(path)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for points, channels in ((2, 24), (4, 25), (10, 31)):
        save(folder / f"model_X={points}.keras", channels)
    return folder


def test_no_expression_is_pasted_into_a_shell_line():
    assert all("${{" not in step["run"] for step in STEPS.values())
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    assert all(each.get("description") for each in ACTION["inputs"].values())


def test_what_is_installed_is_the_action_s_own_harness(tmp_path):
    job = Workflow(tmp_path, tmp_path / "results")
    environment = job.temporary / "backdoor-harness"
    # What it depends on is there already: this environment's packages.
    venv.create(environment, with_pip=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(Path(sys._base_executable).resolve())
    (job.workspace / "venv.py").write_text("raise SystemExit('a module of the student')\n")
    finished = job.step(
        "install", {}, PIP_NO_DEPS="1", PIP_NO_BUILD_ISOLATION="0", PIP_NO_INDEX="1",
        PIP_REPORT=str(tmp_path / "report.json"),
        PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    (installed,) = json.loads((tmp_path / "report.json").read_text())["install"]
    assert {"digits", "html", "litert", "onnx", "sandbox"} == set(installed["requested_extras"])
    assert job.outputs["install"] == {"results": f"{job.temporary}/backdoor-harness-results"}
    version = subprocess.run(
        [environment / "bin" / "python", "-m", "harness", "--version"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    ).stdout  # fmt: skip
    assert harness.__version__ in version
    assert list(environment.glob("lib/python*/site-packages/harness/api/calls.py"))


def test_a_complete_submission_has_no_annotation(workflow, models):
    shutil.copytree(models, workflow.workspace / "defence")
    finished = workflow.run(path="defence", dataset="digits")
    assert finished.returncode == 0, finished.stderr
    assert annotations(finished) == []
    assert workflow.outputs["harness"] == {"exit-code": "0", "passed": "true"}
    assert "## defence: complete" in workflow.summary.read_text()
    assert "| model\\_X=10.keras | B', X = 10 |" in workflow.summary.read_text()


def test_a_broken_file_is_annotated_where_it_is(workflow, models):
    shutil.copytree(models, workflow.workspace / "nets")
    (workflow.workspace / "nets" / "model_X=4.keras").write_text("version https://git-lfs\n")
    finished = workflow.run(dataset="digits")
    assert finished.returncode == 1
    (line,) = annotations(finished)
    assert line.startswith("::error file=nets/model_X=4.keras,title=B'%2C X = 4::would be rejected")
    assert workflow.outputs["harness"] == {"exit-code": "1", "passed": "false"}


@pytest.mark.parametrize("command", ["check", "grade"])
@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("empty", 1, "no model in it"),
        ("nowhere", 2, "no such folder"),
        ("notes.txt", 2, "neither a folder nor an archive"),
    ],
)
def test_no_model_or_a_bad_path_is_one_annotation(workflow, command, path, code, words):
    (workflow.workspace / "empty").mkdir()
    (workflow.workspace / "notes.txt").write_text("notes")
    finished = workflow.run(command=command, path=path, dataset="digits")
    assert finished.returncode == code, finished.stderr
    (line,) = annotations(finished)
    assert re.match(r"::error file=\S+::|::error file=\S+,title=rejected::", line)
    assert words in line
    assert words in workflow.summary.read_text()
    assert workflow.outputs["harness"]["exit-code"] == str(code)
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"command": "regrade"}, "command: 'regrade' is neither check nor grade"),
        ({"dataset": "nonsense"}, "nonsense: no such dataset"),
        ({"badnet": "no.h5"}, "no.h5: no such file"),
        ({"path": "$(touch hacked)\n::error::x"}, "no such folder"),
    ],
)
def test_a_wrong_input_is_one_annotation(workflow, inputs, words):
    finished = workflow.run(**inputs)
    assert finished.returncode == 2
    (line,) = annotations(finished)
    assert line.startswith("::error")
    assert words in line
    assert not (workflow.workspace / "hacked").exists()


def test_a_grade_is_annotated_summarised_and_stored(workflow, models, results):
    folder = workflow.workspace / "::error::mine"
    folder.mkdir()
    shutil.copy(models / "model_X=2.keras", folder)
    shutil.copy(models / "model_X=4.keras", folder / "model_X=10.keras")
    hostile = folder / "##[error] 100%, a::b.keras"
    hostile.write_text("no model")
    (folder / "harness").mkdir()
    (folder / "harness" / "__init__.py").write_text("raise SystemExit('a module of the student')\n")
    finished = workflow.run(command="grade", path="::error::mine", dataset="digits")
    assert finished.returncode == 1, finished.stderr
    lines = annotations(finished)
    assert all(
        re.match(r"::(error|warning) (file=[^:]*)?(,?title=[^:]*)?::", line) for line in lines
    )
    assert any("file=%3A%3Aerror%3A%3Amine/model_X=10.keras,title=X = 10%2C clean accuracy drop"
               in line for line in lines)  # fmt: skip
    assert any("a repaired model for X = 4 was not found" in line for line in lines)
    summary = workflow.summary.read_text()
    assert summary.startswith("## ::error::mine: not passed")
    assert "### What to do" in summary
    assert harness.load_results(results)["::error::mine"].passed is False


def test_modules_in_the_student_s_repository_are_not_ours(workflow, models):
    shutil.copytree(models, workflow.workspace / "defence")
    for name in ("harness", "reference", "numpy", "json", "tensorflow"):
        (workflow.workspace / f"{name}.py").write_text("raise SystemExit('of the student')\n")
    finished = workflow.run(command="grade", path="defence", dataset="digits")
    assert finished.returncode == 0, finished.stderr
    assert annotations(finished) == []
    assert workflow.outputs["harness"]["passed"] == "true"


def test_the_workflow_that_the_page_shows_fits():
    page = (ROOT / "docs" / "github.md").read_text(encoding="utf-8")
    workflow = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    (step,) = [each for each in workflow["jobs"]["check"]["steps"] if "OWNER" in each["uses"]]
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert step["uses"].endswith(f"@v{harness.__version__}")
    rows = set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE))
    assert rows == {*ACTION["inputs"], *ACTION["outputs"]}
