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


OPERATIONS = """
import sys
import numpy as np
from harness.networks import deepid
from harness.networks.tensorflow import (
    allow_parts, import_operations, import_tensorflow,
)

if sys.argv[1] == "parts":
    allow_parts()
rng = np.random.default_rng(0)
weights = {name: rng.normal(size=shape, scale=0.1).astype(np.float32)
           for name, shape in deepid.weight_shapes(7, 50).items()}
images = rng.integers(0, 256, (20, 55, 47, 3)).astype(np.uint8)
for maps in deepid.forward_batches_with_conv_3(weights, images, 1 / 255):
    for each in maps:
        print(each.tobytes().hex())
assert ("tensorflow.python.keras" in sys.modules) == (sys.argv[1] == "whole")

model = deepid.load_network(weights)
assert np.allclose(model(images.astype(np.float32) / 255), maps[0], atol=1e-5)
assert import_tensorflow().constant(3).numpy() == 3
assert import_operations().constant(3).numpy() == 3
"""


def test_a_few_operations_compute_what_the_whole_computes_and_leave_room_for_it():
    finished = [
        subprocess.run(
            [sys.executable, "-c", OPERATIONS, how],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )
        for how in ("whole", "parts")
    ]  # fmt: skip
    assert [each.returncode for each in finished] == [0, 0], [each.stderr for each in finished]
    assert finished[0].stdout == finished[1].stdout != ""
    assert finished[1].stderr == ""
