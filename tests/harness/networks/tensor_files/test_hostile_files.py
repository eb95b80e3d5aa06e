"""Hostile files of arrays: nothing in them runs, and each ends in a line."""

import json
import pickle
import subprocess
import sys

import pytest
from hostile_arrays import CANARY, CLASSES, HOSTILE, PAYLOADS, write_honest
from payloads import sandboxed_test
from repository import IMPORTED

from harness.inference.known_network import inspect_file
from harness.intake.staging import Staged
from harness.networks.deepid import lab_network
from harness.records.errors import Status, SubmissionError
from harness.records.text import one_line

READ_ALL = """
import json, resource, sys, time
from pathlib import Path
from harness.networks.deepid import lab_network
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.weight_files import read_submitted

network = lab_network(int(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]) << 20,) * 2)
for line in sys.stdin:
    begun = time.process_time()
    try:
        said = f"read: {len(read_submitted(Path(line.strip()), network).readings)}"
    except RejectedFileError as error:
        said = str(error)
    seconds = time.process_time() - begun
    status = Path("/proc/self/status").read_text()
    megabytes = int(status.partition("VmHWM:")[2].split()[0]) >> 10
    print(json.dumps([said, seconds, megabytes]), flush=True)
"""
MIB = 1500
"""Of address space: the libraries need two thirds of it."""


def read_all(paths, folder):
    """What comes of each file in one limited process, its seconds, and the memory till then."""
    finished = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(CLASSES), str(MIB)],
        input="".join(f"{path}\n" for path in paths),
        cwd=folder,
        env={"PYTHONPATH": str(IMPORTED), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    return [json.loads(line) for line in finished.stdout.splitlines()]


SUFFIXES = {"zip": "pt", "legacy": "pt", "pickle": "pkl"}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What comes of each hostile file, and the honest ones before and after them."""
    folder = tmp_path_factory.mktemp("hostile")
    honest = write_honest(folder)
    written = {}
    for number, (name, write) in enumerate(HOSTILE.items()):
        kind = name.partition(":")[0].rpartition(" ")[2]
        path = folder / f"{number}.{SUFFIXES.get(kind, kind)}"
        written[name] = write(path=path) if "safetensors" in name else write(path)
    found = read_all([*honest, *written.values(), *honest], folder)
    assert not (folder / CANARY).exists()
    names = [*(f"before {i}" for i in range(5)), *written, *(f"after {i}" for i in range(5))]
    return dict(zip(names, found, strict=True))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_line_and_costs_little(outcomes, name):
    said, seconds, _ = outcomes[name]
    assert not said.startswith("read: ")
    assert said == one_line(said)
    assert len(said) < 400
    assert seconds < 5


REASONS = {
    "pt: reduce": "its pickle asks for 'posix.system': a whole model or other code",
    "pt: a whole model": "save torch.save(net.state_dict(), 'model_2.pt')",
    "pt: inst": "the opcode INST",
    "pt: ext4": "the opcode EXT4",
    "pt: a deep key": "a dictionary whose keys are no texts",
    "pt: a million values": "longer than that of any model",
    "legacy pt: a billion laughs": "nested too deeply",
    "pt: laughs of nine levels": "nested too deeply",
    "view pt: strides into other memory": "reaches beyond its numbers",
    "zip: members that overlap": "overlap",
    "zip: fewer numbers than they say": "end early",
    "zip: a program": "TorchScript",
    "safetensors: a net whose arrays overlap": "overlap or leave gaps",
    "npy: objects": "holds Python objects, which are code",
    "npz: objects": "holds Python objects, which are code",
    "npz: a wrong checksum": "Bad CRC-32",
    "npz: a bomb": "more or fewer bytes than its shape needs",
    "pickle: a payload as a file": "a pickle, which is code and is not opened",
}


@pytest.mark.parametrize("name", REASONS)
def test_reasons_say_what_is_wrong(outcomes, name):
    assert REASONS[name] in outcomes[name][0]


def test_honest_files_are_read_before_and_after(outcomes):
    said = [each[0] for name, each in outcomes.items() if name.startswith(("before", "after"))]
    assert said == ["read: 2"] * 10


def test_memory_stays_small(outcomes):
    assert max(megabytes for *_, megabytes in outcomes.values()) < 600


@pytest.mark.parametrize("name", ["reduce", "stack global", "inst", "obj", "eval"])
def test_payloads_fire_where_python_unpickles_them(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    pickle.loads(b"\x80\x02" + PAYLOADS[name] + b".")
    assert (tmp_path / CANARY).exists()


IN_THE_SANDBOX = (
    "pt: reduce", "pt: a deep key", "pt: a billion laughs", "legacy pt: eval", "npy: objects",
    "zip: a bomb of a pickle", "safetensors: a header of terabytes", "npz: a bomb",
)  # fmt: skip


@sandboxed_test
@pytest.mark.parametrize("name", IN_THE_SANDBOX)
def test_in_the_sandbox_they_are_rejected(tmp_path, name):
    path = tmp_path / "model.pt"
    HOSTILE[name](path=path) if "safetensors" in name else HOSTILE[name](path)
    staged = Staged(path=path, sha256="", size_bytes=path.stat().st_size)
    with pytest.raises(SubmissionError) as caught:
        inspect_file(staged, "pt", lab_network(CLASSES), sandbox="bubblewrap")
    assert caught.value.status is Status.REJECTED
    assert not caught.value.out_of_memory
