"""Why a model file cannot be read: each cause in its own words, with what to do."""

import errno
import subprocess
import sys

import h5py
import pytest
from hdf5_files import compress, leave_open, open_elsewhere, reason_without_locks
from models import random_weights, write_weights
from payloads import LINUX_ONLY

from harness.networks.hdf5_errors import missing_filter
from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.weight_files import read_model


@pytest.fixture
def model(tmp_path):
    return write_weights(tmp_path / "model_2.h5", random_weights())


def reason(path):
    with pytest.raises(RejectedFileError) as raised:
        read_model(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_open_elsewhere(model):
    with open_elsewhere(model):
        assert reason(model) == "open for writing in another program; close it there"
    read_model(model)


@LINUX_ONLY
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(model, number):
    said = reason_without_locks(model, number)
    assert said.startswith("on a file system without locks; ")
    assert "HDF5_USE_FILE_LOCKING=FALSE" in said


@pytest.mark.parametrize("mode", ["write", "swmr"])
def test_not_closed(model, mode):
    said = reason(leave_open(model, mode))
    assert said.startswith("not closed by the program that wrote it")
    assert "`h5clear -s FILE`" in said


def test_died_before_anything_was_written(tmp_path):
    path = tmp_path / "model_2.h5"
    code = (
        "import h5py, os, sys; file = h5py.File(sys.argv[1], 'w'); file['x'] = range(9); "
        "file.flush(); file['y'] = range(100000); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert "save it" in reason(path)


@pytest.mark.parametrize("size", [100, 5000, 1_000_000])
def test_truncated(model, size):
    whole = model.read_bytes()
    model.write_bytes(whole[:size])
    assert reason(model) == f"truncated: {size:,} of {len(whole):,} bytes are there; save it again"


@pytest.mark.parametrize(
    ("number", "name"), [(32001, "blosc"), (32015, "zstd"), (32026, "blosc2"), (305, "lzo")]
)
def test_filters_that_are_not_installed(model, number, name):
    said = reason(compress(model, "conv_3/conv_3/kernel:0", number))
    assert f"compressed by {name} (filter {number})" in said
    assert "without it" in said


@pytest.mark.parametrize("filters", [{"compression": "gzip"}, {"compression": "lzf"},
                                     {"shuffle": True, "fletcher32": True}])  # fmt: skip
def test_filters_that_hdf5_brings_are_read(tmp_path, filters):
    weights = random_weights()
    path = write_weights(tmp_path / "model_2.h5", weights)
    with h5py.File(path, "a") as file:
        del file["fc_1/fc_1/kernel:0"]
        packed = file.create_dataset("fc_1/fc_1/kernel:0", data=weights["fc_1/kernel"], **filters)
        assert missing_filter(packed) is None
    assert (read_model(path).weights["fc_1/kernel"] == weights["fc_1/kernel"]).all()


def test_a_broken_checksum_is_damage(tmp_path):
    weights = random_weights()
    path = write_weights(tmp_path / "model_2.h5", weights)
    with h5py.File(path, "a") as file:
        del file["fc_1/fc_1/kernel:0"]
        packed = file.create_dataset(
            "fc_1/fc_1/kernel:0", data=weights["fc_1/kernel"], fletcher32=True
        )
        offset = packed.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 8] ^= 1
    path.write_bytes(content)
    assert reason(path).startswith("truncated or damaged file (")
