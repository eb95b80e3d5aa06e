"""The starter notebook: made from the reference, and what it hands in passes."""

import os
import subprocess
import sys

import nbclient
import nbformat
import pytest
from repository import IMPORTED, ROOT

import harness

NOTEBOOK = ROOT / "docs" / "notebooks" / "starter.ipynb"


def read():
    return nbformat.read(NOTEBOOK, as_version=4)


def execute(notebook, folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(IMPORTED))
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def printed(outputs):
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_it_is_made_from_the_reference():
    finished = subprocess.run(
        [sys.executable, "docs/notebook.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    code = "\n".join(cell.source for cell in read().cells)
    assert "# reference/pruning/pruning.py\ndef mean_activations(" in code
    assert "from reference.pruning" not in code


def test_it_is_valid_and_holds_no_outputs():
    notebook = read()
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("data", ["digits", pytest.param("lab", marks=pytest.mark.extended)])
def test_what_it_hands_in_passes(data, tmp_path, monkeypatch, request):
    notebook = read()
    dataset, badnet = "digits", None
    if data == "lab":
        dataset = str(request.getfixturevalue("small_benchmark"))
        badnet = str(request.getfixturevalue("badnet_path"))
        (cell,) = [each for each in notebook.cells if each.metadata.get("tags") == ["parameters"]]
        cell.source = cell.source.replace('"digits"', repr(dataset))
        cell.source = cell.source.replace("BADNET = None", f"BADNET = {badnet!r}")
    cell = "WORK = next("
    (parameters,) = [each for each in notebook.cells if cell in each.source]
    parameters.source += f'\nWORK = Path("{tmp_path}")'

    outputs = execute(notebook, tmp_path, monkeypatch)
    said = printed(outputs)
    assert "images lost, X = 2: -" in said
    assert "saved model_X=10.keras" in said
    assert f"hand in {tmp_path}/submission.zip" in said
    pages = [o.data["text/html"] for o in outputs if "text/html" in o.get("data", {})]
    assert any("On the pruning curve" in page for page in pages)
    # Progress is one line, which is empty in the end.
    assert "digits: reading" not in said

    graded = harness.grade(tmp_path / "submission.zip", dataset, badnet=badnet,
                           output=tmp_path / "again", timing=False, progress=False)  # fmt: skip
    assert graded.row.checkpoints_passed == graded.row.checkpoints_required == 3
    assert [each.family for each in graded.checkpoints] == ["pruned"] * 3


def test_without_the_harness_it_says_what_to_upload(tmp_path):
    notebook = read()
    (install,) = [each.source for each in notebook.cells if "find_spec" in each.source]
    hidden = "import sys; sys.modules['harness'] = None; import importlib.util\n"
    hidden += "importlib.util.find_spec = lambda name: None\n"
    finished = subprocess.run(
        [sys.executable, "-c", hidden + install], cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=60, env=os.environ,
    )  # fmt: skip
    assert finished.stderr.splitlines()[-1].endswith(
        "no wheel of the harness is here; upload it first"
    )


def test_a_failure_is_one_line_in_a_notebook(tmp_path, monkeypatch):
    cell = nbformat.v4.new_code_cell("import harness\nharness.check('nowhere')")
    cell.metadata["tags"] = ["raises-exception"]
    (output,) = execute(nbformat.v4.new_notebook(cells=[cell]), tmp_path, monkeypatch)
    assert output.output_type == "error"
    assert output.traceback == [
        "HarnessError: nowhere: no such folder; a submission is a folder with model files"
    ]


def test_interrupting_the_kernel_leaves_it_usable(tmp_path, monkeypatch, small_benchmark,
                                                  badnet_path, reference_submission):  # fmt: skip
    arguments = f"{str(reference_submission)!r}, {str(small_benchmark)!r}"
    how = f"badnet={str(badnet_path)!r}, output='results', timing=False"
    interrupted = (
        "import os, signal, threading, harness\n"
        "threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        f"harness.grade({arguments}, {how})"
    )
    cells = [nbformat.v4.new_code_cell(source) for source in
             (interrupted, f"print(harness.grade({arguments}, {how}).passed)")]  # fmt: skip
    cells[0].metadata["tags"] = ["raises-exception"]
    outputs = execute(nbformat.v4.new_notebook(cells=cells), tmp_path, monkeypatch)
    assert [o.ename for o in outputs if o.output_type == "error"] == ["KeyboardInterrupt"]
    assert "True\n" in printed(outputs)
