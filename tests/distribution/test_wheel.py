"""The wheel, installed into an environment of its own and used outside the repository."""

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from repository import ROOT

from harness import __version__
from harness.cli.launcher import NEWEST, OLDEST, python_problem
from harness.records.environment import EXTRAS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WATCHED = "import os; open(os.environ['IMPORTED'], 'a').write(__name__ + '\\n')\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    finished = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment with the wheel, and what it depends on from the environment of the tests.

    Other people's ``datasets`` lies in it, too.
    """
    folder = tmp_path_factory.mktemp("environment")
    python = folder / "bin" / "python"
    _run([sys.executable, "-m", "venv", folder])
    (site,) = folder.glob("lib/python*/site-packages")
    # Packages that lie elsewhere are not shown to models in the sandbox.
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if (site / path.name).exists():
            continue  # what comes with a new environment
        if path.is_dir() and not re.match(r"pip|datasets|backdoor_defence|__pycache__", path.name):
            shutil.copytree(path, site / path.name, copy_function=_link)
        elif path.suffix in (".py", ".so"):
            _link(path, site / path.name)
    _run([python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel])
    (site / "datasets").mkdir()
    (site / "datasets" / "__init__.py").write_text("raise ImportError('not ours')\n")
    return folder


def _run(command):
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def _link(source, target):
    """A hard link, for packages take a gigabyte; a copy on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class Shell:
    """Runs programs of an environment in a folder far from the repository."""

    def __init__(self, installed, folder):
        self.bin, self.folder = installed / "bin", folder
        self.watch = folder / "watch"
        for package in ("tensorflow", "keras", "tf_keras"):
            (self.watch / package).mkdir(parents=True)
            (self.watch / package / "__init__.py").write_text(WATCHED + "raise ImportError\n")

    def __call__(self, *words, watched=True):
        program, *arguments = map(str, words)
        environment = {k: v for k, v in os.environ.items()
                       if k not in ("PYTHONPATH", "HARNESS_DATA")}  # fmt: skip
        environment |= {"XDG_DATA_HOME": str(self.folder)}
        imported = self.folder / "imported"
        if watched:
            environment |= {"PYTHONPATH": str(self.watch), "IMPORTED": str(imported)}
        finished = subprocess.run(
            [self.bin / program, *arguments], cwd=self.folder, env=environment,
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert not imported.exists(), f"{words} imports {imported.read_text()}"
        assert "Traceback" not in finished.stderr, finished.stderr
        return finished


@pytest.fixture
def shell(installed, tmp_path):
    return Shell(installed, tmp_path)


@pytest.fixture(scope="module")
def graded(installed, tmp_path_factory):
    """A shell in a folder where the digits' reference was made and graded."""
    shell = Shell(installed, tmp_path_factory.mktemp("work"))
    for words in (
        ("backdoor-harness", "data", "make", "digits"),
        ("python", "-m", "reference", "prune", "--dataset", "digits", "--out", "mine"),
        ("backdoor-harness", "grade", "mine", "--dataset", "digits", "--no-timing"),
    ):
        finished = shell(*words, watched=False)
        assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "3/3" in finished.stdout
    return shell


# --- what it holds --------------------------------------------------------------------------------


def test_it_holds_two_packages_and_its_metadata(wheel):
    with zipfile.ZipFile(wheel) as file:
        tops = {name.split("/")[0] for name in file.namelist()}
    (metadata,) = tops - {"harness", "reference"}
    assert metadata.endswith(".dist-info")


def test_the_packages_that_hints_name_are_those_of_the_extras():
    declared = {
        extra: tuple(line.partition(">=")[0] for line in lines)
        for extra, lines in PROJECT["optional-dependencies"].items()
    }
    assert {extra: EXTRAS.get(extra) for extra in declared} == declared


def test_the_environment_of_check_has_all_but_tensorflow():
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    listed = {line.split(";")[0] for line in tox["testenv:check"]["deps"].split("\n") if line}
    needed = {line.partition(">=")[0] for line in PROJECT["dependencies"]} - {"tensorflow"}
    assert listed == needed | set(EXTRAS["sandbox"])


def test_every_python_it_is_for_is_stated_alike():
    pythons = [f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    stated = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python ::" in line]
    assert stated == pythons
    assert PROJECT["requires-python"] == f">={pythons[0]},<3.{NEWEST[1] + 1}"
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert f"[testenv:py3{{{','.join(p[2:] for p in pythons)}}}]" in tox
    setup = ROOT / "harness" / "output" / "packages" / "templates" / "gradescope" / "setup.sh"
    for page in ("README.md", "docs/students.md"):
        assert all(python in (ROOT / page).read_text("utf-8") for python in pythons), page
    assert all(python in setup.read_text("utf-8") for python in pythons)


# --- what its commands do -------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("backdoor-harness",), ("python", "-m", "harness")])
def test_both_names_run_it(shell, words):
    assert shell(*words, "--version").stdout == f"harness, version {__version__}\n"


def test_its_benchmarks_are_found_and_data_goes_to_the_user(shell):
    finished = shell("backdoor-harness", "data", "info", "faces")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert f"{shell.folder}/backdoor-defence-harness/faces (not there yet" in finished.stdout


def test_a_submission_is_checked(shell):
    finished = shell("backdoor-harness", "check", ROOT / "submissions" / "jk7846")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "jk7846: 3 models" in finished.stdout


def test_packages_for_platforms_find_their_constraints(shell):
    finished = shell("backdoor-harness", "package", "gradescope", "--out", "a.zip")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    with zipfile.ZipFile(shell.folder / "a.zip") as file:
        names = set(file.namelist())
    assert {"constraints.txt", "datasets/faces/dataset.toml", "harness/__main__.py"} <= names


def test_grading_writes_boards_and_pages(graded):
    results = graded.folder / "results"
    for name in ("leaderboard.md", "leaderboard.csv", "leaderboard.json",
                 "student/index.html", "instructor/index.html"):  # fmt: skip
        assert (results / name).stat().st_size > 100, name


@pytest.mark.parametrize("command", [
    "check mine --dataset digits",
    "leaderboard results",
    "explain results mine --instructor",
    "export results --format junit --out exports",
    "plot curve results mine --out curve.svg",
    "diff results results",
    "rubric check rubric.toml --results results",
    "regrade results --rubric rubric.toml --out regraded",
    "schema",
    "data info",
])  # fmt: skip
def test_what_grades_nothing_needs_no_tensorflow(graded, command):
    (graded.folder / "rubric.toml").write_bytes(
        (ROOT / "harness" / "assessment" / "rubric.toml").read_bytes()
    )
    finished = graded("backdoor-harness", *command.split())
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_the_watch_would_see_tensorflow(graded):
    with pytest.raises(AssertionError, match=r"imports tensorflow|Traceback"):
        graded("backdoor-harness", "grade", "mine", "--dataset", "digits", "--out", "again")
    (graded.folder / "imported").unlink(missing_ok=True)


# --- where it cannot run --------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 6), (3, 10), (3, 14), (4, 0)])
def test_an_unsupported_python_gets_one_line(version):
    own = ".".join(map(str, version))
    expected = f"the harness needs Python 3.11 to 3.13, and {sys.executable} is Python {own}"
    assert python_problem(version) == expected


@pytest.mark.parametrize("file", [
    "harness/__init__.py", "harness/__main__.py", "harness/cli/__init__.py",
    "harness/cli/launcher.py", "reference/__init__.py", "reference/__main__.py",
])  # fmt: skip
def test_any_python_3_can_read_what_comes_before_that_line(file):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"), feature_version=(3, 6))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    computed = [
        annotation
        for each in functions
        for annotation in (each.returns, *(argument.annotation for argument in each.args.args))
        if isinstance(annotation, ast.Subscript | ast.BinOp)
    ]
    assert not [ast.unparse(each) for each in computed]
    assert "__future__" not in ast.unparse(tree)
    older = [shutil.which(f"python3.{minor}") for minor in range(6, 11)]
    for python in filter(None, older):
        finished = subprocess.run([python, "-S", ROOT / file], capture_output=True, check=False)
        assert b"SyntaxError" not in finished.stderr


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_a_supported_python_gets_none(version):
    assert not python_problem(version)


@pytest.mark.parametrize("program", ["harness", "reference"])
def test_a_python_without_its_packages_gets_one_line(program):
    finished = subprocess.run(
        [sys.executable, "-S", "-m", program, "--help"], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=60, env={"PYTHONPATH": ""},
    )  # fmt: skip
    assert finished.returncode == 2
    assert finished.stdout == ""
    (line,) = finished.stderr.splitlines()
    assert " has no " in line
    assert "pip install ." in line
