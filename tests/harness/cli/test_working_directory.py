"""A stranger's folder as the working directory: none of its modules is taken for one of ours."""

import os
import subprocess
import sys

import pytest
from repository import IMPORTED

# What `python -m` itself imports before it comes to any package cannot be kept from it; the
# command backdoor-harness does not look into the working directory.
PYTHONS_OWN = set(
    subprocess.run(
        [sys.executable, "-P", "-c", "import pkgutil, runpy, sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()
)  # fmt: skip
ENVIRONMENT = os.environ | {"PYTHONPATH": str(IMPORTED), "PYTHONSAFEPATH": ""}
OTHERS = {"_winapi", "click", "colorama", "msgspec", "numpy", "rich", "simplejson"}


@pytest.mark.parametrize("package", ["harness", "reference"])
def test_modules_of_a_submission_are_not_imported(tmp_path, package):
    for name in (OTHERS | sys.stdlib_module_names) - PYTHONS_OWN:
        (tmp_path / f"{name}.py").write_text("import os; os._exit(66)")
    finished = subprocess.run(
        [sys.executable, "-m", package, "--help"],
        cwd=tmp_path, env=ENVIRONMENT,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (finished.returncode, finished.stderr) == (0, "")
    if package == "harness":
        finished = subprocess.run(
            [sys.executable, "-m", "harness", "check", "."],
            cwd=tmp_path, env=ENVIRONMENT,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert finished.returncode == 1, finished.stderr
        assert "no model in it" in finished.stdout
