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


def test_an_interrupt_waits_until_it_is_imported():
    """Half imported, TensorFlow cannot be imported again in the same process."""
    code = (
        "import os, signal, threading, time\n"
        "from harness.networks.tensorflow import import_tensorflow\n"
        "threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "begun = time.monotonic()\n"
        "try:\n"
        "    import_tensorflow()\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', time.monotonic() - begun > 0.7)\n"
        "print(import_tensorflow().constant(3).numpy())\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stdout) == (0, "interrupted True\n3\n"), finished.stderr


def test_only_known_lines_are_held_back(capfd):
    with _filter_stderr():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() ...\n")
        os.write(2, b"I0000 00:00:1 port.cc] oneDNN\n\nout of memory\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "out of memory\n"
