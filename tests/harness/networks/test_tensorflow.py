"""TensorFlow is imported in silence, and hides nothing from anybody else."""

import os
import subprocess
import sys

from repository import ROOT

from harness.networks.tensorflow import _filter_stderr


def test_the_import_is_silent_and_leaves_out_what_is_not_used():
    code = (
        "import sys\n"
        "from harness.networks.tensorflow import import_tensorflow\n"
        "tf = import_tensorflow()\n"
        "assert import_tensorflow() is tf\n"
        "others = {'matplotlib', 'pandas', 'scipy', 'sklearn'}\n"
        "print(*{'keras', *others} & set(sys.modules))\n"
        "import_tensorflow(keras=True)\n"
        "print(*{'keras', *others} & set(sys.modules))\n"
        "import pandas, matplotlib, scipy, sklearn\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "\nkeras\n", "")


def test_only_known_lines_are_held_back(capfd):
    with _filter_stderr():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() ...\n")
        os.write(2, b"I0000 00:00:1 port.cc] oneDNN\n\nout of memory\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "out of memory\n"
