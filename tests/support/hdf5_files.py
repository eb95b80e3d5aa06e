"""HDF5 files that cannot be read, each made so by what makes them so in real life."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

import h5py
from h5py import h5d, h5p, h5s, h5t, h5z

WRITE_AND_DIE = """
import h5py, os, sys
file = h5py.File(sys.argv[1], "a", libver="latest")
file["spare"] = range(1000)
if sys.argv[2] == "swmr":
    file.swmr_mode = True
file.flush()
os._exit(0)
"""
HOLD = """
import h5py, sys
file = h5py.File(sys.argv[1], "a")
print(flush=True)
sys.stdin.read()
"""
READ_WITHOUT_LOCKS = """
import sys
from pathlib import Path
import pyseccomp
from harness.networks.weight_files import read_model
rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
rules.add_rule(pyseccomp.ERRNO(int(sys.argv[2])), "flock")
rules.load()
try:
    read_model(Path(sys.argv[1]))
except Exception as error:
    print(error)
"""


def reason_without_locks(path, number):
    """Why a model cannot be read where a lock fails with this error number."""
    command = [sys.executable, "-c", READ_WITHOUT_LOCKS, str(path), str(number)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def leave_open(path, mode="write"):
    """Have a process write to the file, in a mode of newer HDF5, and die without closing it."""
    newer = path.with_suffix(".newer")
    with h5py.File(path) as source, h5py.File(newer, "w", libver="latest") as target:
        target.attrs.update(source.attrs)
        for name in source:
            source.copy(name, target)
    newer.replace(path)
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path), mode], check=True)
    return path


@contextmanager
def open_elsewhere(path):
    """Have another process hold the file open for writing."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        try:
            yield
        finally:
            holder.stdin.close()


def compress(path, name, number):
    """Say of a dataset that a filter compressed it; its bytes are nobody's to decode."""
    with h5py.File(path, "a") as file:
        shape = file[name].shape
        kind = h5t.py_create(file[name].dtype)
        del file[name]
        properties = h5p.create(h5p.DATASET_CREATE)
        properties.set_chunk(shape)
        properties.set_filter(number, h5z.FLAG_OPTIONAL, (1, 2))
        dataset = h5d.create(file.id, name.encode(), kind, h5s.create_simple(shape), properties)
        dataset.write_direct_chunk((0,) * len(shape), b"compressed", 0)
    return path
