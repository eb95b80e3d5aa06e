"""The commands of README and the quick starts, run in their order in a copy of the project.

What cannot be run here is listed with the reason. A command that is neither run nor listed fails.
"""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

PATHS = {
    "PATH": "submissions/jk7846", "DIR": "submissions", "NAME": "jk7846", "early": "jk7846",
    "course/early": "submissions/jk7846",
}  # fmt: skip
"""What stands for what a reader has."""

NOT_RUN = {
    r"python3 -m venv|\.venv/bin/pip|pip install|pipx |uvx |\. \S+/activate":
        "makes or enters an environment, which takes minutes and a package index; "
        "tests/distribution installs the wheel",
    r"\.venv/bin/tox$": "is this test suite",
    r"tox -e docs|tox -e lint": "are checked by .ci/run",
    r".* doctor": "takes half a minute; tests/harness/cli/test_doctor.py runs it",
    r".* data fetch|.*--dataset lab3": "needs the course's own data",
    r".* --scheduler": "needs a cluster; tests/harness/execution/test_dask.py has one",
    r".* data make faces --secret|.* --dataset private":
        "takes a minute; tests/harness/datasets/test_private_split.py draws one",
    r".* --roster|.*canvas": "needs a roster; tests/harness/cli/test_courses.py has one",
    r"tox -e reference -- \.\.\.": "is an outline",
    r"head -c 32": "draws a secret for what is not run",
}  # fmt: skip


def blocks(page):
    """The lines of a page's indented blocks that are commands, without remarks."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for line in re.findall(r"(?m)^ {4}(\S.*)$", text):
        yield from (part.strip() for part in re.sub(r"  +#.*", "", line).split("&&"))


def inline(page):
    """The commands of README's table and sentences: the first of a cell names the program."""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            continue
        program = None
        for words in re.findall(r"`([^`]+)`", line):
            if found := re.match(r"(python -m harness|tox -e|pipx|uvx|pip install) ", words):
                program = found[1]
                yield words
            elif program == "python -m harness" and re.match(r"[a-z]+ [\w./-]+", words):
                yield f"{program} {words}"


def reason_not_to_run(command):
    return next((why for rule, why in NOT_RUN.items() if re.match(rf"(?:{rule})", command)), None)


def told(words):
    """The words of a program in the environment of the tests, for those that a reader types."""
    words = [PATHS.get(word, word) for word in words]
    if words[0].endswith("tox"):
        tox = configparser.ConfigParser()
        tox.read(ROOT / "tox.ini")
        rest = words[words.index("--") + 1 :] if "--" in words else []
        words = tox[f"testenv:{words[2]}"]["commands"].replace("{posargs}", " ".join(rest)).split()
    if words[0] == "backdoor-harness":
        words = ["python", "-m", "harness", *words[1:]]
    assert words[0] == "python", f"no way to run {words}"
    return [sys.executable, *words[1:]]


@pytest.fixture(scope="module")
def copy(faces_folder, tmp_path_factory):
    """The project as a fresh clone has it, with the benchmark's data made."""
    folder = tmp_path_factory.mktemp("clone") / "harness"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True,
        check=True,
    ).stdout.decode()  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "datasets" / "faces" / "data").symlink_to(faces_folder)
    return folder


@pytest.fixture(scope="module")
def done():
    """What was run already, on this page or one before: it is not run again."""
    return set()


def run(command, folder):
    environment = os.environ | {"PYTHONPATH": str(folder)}
    environment.pop("HARNESS_DATA", None)
    finished = subprocess.run(
        told(shlex.split(command)), cwd=folder, env=environment, capture_output=True, text=True,
        check=False, timeout=900,
    )  # fmt: skip
    assert finished.returncode == 0, f"{command}\n{finished.stdout}{finished.stderr}"


def prepare(folder):
    """What the pages say the reader has by then: a rubric of their own."""
    rubric = folder / "harness" / "assessment" / "rubric.toml"
    for name in ("results/rubric.toml", "other.toml"):
        shutil.copy(rubric, folder / name)


COMPETITION = pytest.param("docs/competition.md", marks=pytest.mark.extended)


@pytest.mark.parametrize(
    "page", ["README.md", "docs/students.md", "docs/instructors.md", COMPETITION]
)
def test_the_commands_of_a_page_work_in_their_order(copy, done, page):
    path = ROOT / page
    commands = list(blocks(path)) + (list(inline(path)) if page == "README.md" else [])
    runnable = [command for command in commands if reason_not_to_run(command) is None]
    assert len(runnable) >= 3
    for command in runnable:
        if "results" in command and (copy / "results").is_dir():
            prepare(copy)
        if (words := tuple(told(shlex.split(command)))) not in done:
            run(command, copy)
            done.add(words)


def test_what_is_not_run_is_on_a_page():
    pages = [ROOT / page for page in ("README.md", "docs/students.md", "docs/instructors.md")]
    commands = [command for page in pages for command in (*blocks(page), *inline(page))]
    for rule in NOT_RUN:
        assert any(re.match(rf"(?:{rule})", command) for command in commands), rule


def test_readme_says_how_to_go_on_in_the_same_shell():
    commands = list(blocks(ROOT / "README.md"))
    entered = next(i for i, command in enumerate(commands) if "/activate" in command)
    environment = re.search(r"\.tox/(\w+)/bin/activate", commands[entered])[1]
    assert any(f"tox -e {environment} -- " in command for command in commands[:entered])
    assert not any(Path(c.split()[0]).name == "python" for c in commands[:entered])
