"""Models of other frameworks, looked at by one process or run by workers in a sandbox."""

import json
import subprocess
import sys

import numpy as np
from payloads import small_limits
from repository import IMPORTED

from harness.datasets.descriptions import badnet_file, load_benchmark
from harness.inference.known_network import inspect_file, read_badnet
from harness.inference.runtimes.catalogue import system_calls
from harness.inference.sandboxed import SandboxedRun, predict_sandboxed, start_model
from harness.intake.staging import Staged
from harness.records.benchmark import LabeledSet

READ_ALL = """
import json, sys, time
from pathlib import Path
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.weight_files import OtherArchitectureError, read_submitted
from harness.records.network import decode_network

network = decode_network(sys.argv[1])
for line in sys.stdin:
    begun = time.process_time()
    try:
        said = f"read: {read_submitted(Path(line.rstrip(chr(10))), network)}"
    except OtherArchitectureError as error:
        said = f"{error.format}: {error}"
    except RejectedFileError as error:
        said = str(error)
    seconds = time.process_time() - begun
    status = Path("/proc/self/status").read_text()
    megabytes = int(status.partition("VmHWM:")[2].split()[0]) >> 10
    print(json.dumps([said, seconds, megabytes]), flush=True)
"""


def digits_net():
    """The digits' network and its BadNet: 8 x 8 x 1, 10 classes."""
    benchmark, folder = load_benchmark("digits")
    return read_badnet(badnet_file(benchmark, folder), benchmark)


def read_all(paths, network):
    """What comes of each file in one process, its seconds, and the memory till then."""
    finished = subprocess.run(
        [sys.executable, "-c", READ_ALL, network.encode()],
        input="".join(f"{path}\n" for path in paths),
        env={"PYTHONPATH": str(IMPORTED), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    return [json.loads(line) for line in finished.stdout.splitlines()]


def outcomes_of(folder, suffix, honest, refused):
    """What comes of each hostile file, by name, and of an honest one before and after them."""
    contents = [honest, *(make() for make, _ in refused.values()), honest]
    paths = [folder / f"{number}.{suffix}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    found = read_all(paths, digits_net().network)
    return dict(zip(("before", *refused, "after"), found, strict=True))


def images_for(network, count=60, seed=5):
    """Images of noise: whatever is wrong with a layout, a scale or an order shows in answers."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *network.input_shape), dtype=np.uint8)


def run_model(path, network, images, sandbox, **limits):
    """What a file answers on images, looked at and run as a submission's is; and the probe."""
    how = _how(path, network, sandbox, limits)
    labels = np.zeros(len(images), int)
    shown = LabeledSet(name="valid", kind="clean", images=images, labels=labels, sha256="")
    return predict_sandboxed(how, {"valid": shown}, 7)


def ask_once(path, network, images, sandbox, **limits):
    """What one worker answers on all images, as class ids or whatever it encodes."""
    with start_model(_how(path, network, sandbox, limits), images.dtype) as model:
        model.show(images)
        model.output_count()
        answers = model.answers().copy()
        model.finish()
    return answers


def _how(path, network, sandbox, limits):
    staged = Staged(path=path, sha256="", size_bytes=path.stat().st_size)
    inspection = inspect_file(staged, "", network, sandbox=sandbox)
    allowed = {
        "start_seconds": 60, "wall_seconds": 60, "cpu_seconds": 60, "memory_bytes": 2 << 30,
    } | limits  # fmt: skip
    calls = system_calls(inspection.format)
    return SandboxedRun(
        staged, inspection.format, network, 1.0, sandbox, small_limits(runtime=calls, **allowed)
    )
