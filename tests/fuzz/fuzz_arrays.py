"""Files of arrays: PyTorch's two forms, safetensors and NumPy, with a few things wrong."""

from __future__ import annotations

import io
import json
import struct
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
from fuzz_inputs import ODD_TEXTS, VALUES, as_json, changed_tree, damaged
from fuzz_properties import Finding, require_foreseen, require_one_line, require_rejected
from hostile_arrays import BOMBS, CLASSES, NPY, PAYLOADS, TENSORS, small_weights
from hypothesis import strategies as st
from other_formats import Pickle, torch_state, write_legacy_torch, write_safetensors

from harness.networks.deepid import lab_network

_WEIGHTS = {name: np.zeros_like(array) for name, array in small_weights().items()}
_STATE = torch_state(_WEIGHTS)
_ODD = st.sampled_from([text for text in ODD_TEXTS if len(text) < 400])
_SMALL_BOMBS = [each for each in BOMBS.values() if len(each) < 10_000]


def _written(write, value, suffix):
    """The bytes of a file."""
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        write(Path(file.name), value)
        return Path(file.name).read_bytes()


# --- PyTorch --------------------------------------------------------------------------------------

_OPCODES = st.one_of(
    st.sampled_from([*PAYLOADS.values(), *_SMALL_BOMBS]),
    st.binary(min_size=1, max_size=6),
    st.sampled_from(
        [bytes([code]) for code in b"(.012NJKMLIFGSTUXBC\x85\x86\x87}]()ltdaseubRQcoi"]
    ),
)


@st.composite
def _pickles(draw, *, legacy):
    """A pickle of a state_dict with other opcodes, values and tensors in it."""
    written = Pickle(legacy=legacy)
    kind = draw(st.sampled_from(("state", "state", "opcodes", "tensors", "tree", "checkpoint")))
    if kind == "opcodes":
        for each in draw(st.lists(_OPCODES, max_size=12)):
            written.op(each)
    elif kind == "tensors":
        written.op(b"}")
        draw(st.sampled_from(list(TENSORS.values())))(written)
    elif kind == "tree":
        written.put(_plain(draw(VALUES)))
    else:
        state = dict(_STATE)
        for name in draw(st.lists(st.sampled_from(list(_STATE)), max_size=2, unique=True)):
            array = state.pop(name)
            state[draw(st.one_of(st.just(name), _ODD))] = draw(_arrays(array))
        written.put({"state_dict": state, "epoch": 3} if kind == "checkpoint" else state)
        for each in draw(st.lists(_OPCODES, max_size=2)):
            written.op(each)
    return written


def _arrays(array):
    """An array, or what may stand in its place."""
    return st.sampled_from((
        array, array.astype("f8"), array.astype("f2"), array.astype("i8"),
        np.atleast_1d(array)[..., 1:],
        array.reshape(-1), np.zeros(0, "f4"), np.zeros((), "f4"), array.T, [array], {"x": array},
    ))  # fmt: skip


def _plain(value):
    """A value as a pickle of ours can hold it."""
    if isinstance(value, dict):
        return {str(key).encode("utf-8", "replace").decode(): _plain(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return value % 2**64 - 2**63
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


@st.composite
def _zip(draw, members):
    """An archive of these members, some left out, added or written otherwise."""
    content, members = io.BytesIO(), dict(draw(members))
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        name = draw(st.one_of(st.sampled_from([*members, "x"]), _ODD))
        change = draw(st.sampled_from(("drop", "add", "twice", "empty")))
        if change == "drop":
            members.pop(name, None)
        elif change == "twice" and name in members:
            members[f"./{name}"] = members[name]
        else:
            members[name or "x"] = b"" if change == "empty" else b"\x80\x02N."
    method = draw(st.sampled_from((0, 0, 0, 8, 12, 14)))
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, each in members.items():
            plain = name.encode("utf-8", "replace").decode().replace("\0", "?") or "x"
            archive.writestr(zipfile.ZipInfo(plain[:60_000]), each, method)
    return content.getvalue()


def _torch_members(pickled):
    numbers = {f"a/data/{i}": each.tobytes() for i, each in enumerate(pickled.storages)}
    return {"a/data.pkl": pickled.end(), "a/version": b"3\n", "a/byteorder": b"little", **numbers}


_LEGACY = _pickles(legacy=True).map(lambda each: _written(write_legacy_torch, each, ".pt"))
_TORCH = _zip(_pickles(legacy=False).map(_torch_members))
TORCH_FILES = st.one_of(damaged(_TORCH, most=3), damaged(_LEGACY, most=3), _TORCH, _LEGACY)


# --- safetensors ----------------------------------------------------------------------------------

_SAFETENSORS = _written(write_safetensors, _STATE, ".safetensors")
_HEADER_BYTES = struct.unpack("<Q", _SAFETENSORS[:8])[0]
_TABLE = json.loads(_SAFETENSORS[8 : 8 + _HEADER_BYTES])
_NUMBERS = _SAFETENSORS[8 + _HEADER_BYTES :]


@st.composite
def _safetensors(draw):
    header = draw(st.one_of(st.just(_TABLE), changed_tree(st.just(_TABLE))).map(as_json))
    length = draw(st.sampled_from((None, None, None, 0, 1, 1 << 42, 2**64 - 1, len(header) - 1)))
    length = len(header) if length is None else length
    return struct.pack("<Q", length) + header + _NUMBERS


SAFETENSORS_FILES = st.one_of(
    _safetensors(), damaged(_safetensors()), damaged(st.just(_SAFETENSORS))
)


# --- NumPy ----------------------------------------------------------------------------------------


def _npy_of(array):
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


_HEADERS = st.fixed_dictionaries({
    "descr": st.sampled_from(("<f4", ">f8", "<f2", "|b1", "|O", "<U4", "|V9", "x", [("a", "<f4")])),
    "fortran_order": st.sampled_from((True, False, 1, None)),
    "shape": st.one_of(st.sampled_from(((60,), (1, 60), (), (0,), (1 << 41, 2))), VALUES),
})  # fmt: skip


@st.composite
def _odd_npy(draw):
    header = repr(draw(_HEADERS)).encode("utf-8", "replace") + b"\n"
    header = header[:60_000]
    content = draw(st.sampled_from((b"", bytes(60), bytes(240), np.arange(60.0).tobytes())))
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


_MASKS = st.sampled_from([
    _npy_of(array)
    for array in (
        np.arange(60) > 9, np.arange(9), np.ones((3, 3, 40, 60)), np.eye(60), np.arange(60),
        np.full(60, np.nan), np.zeros((60, 40, 3, 3)), np.ones((1, 1, 1, 60)), np.array([2**62]),
        np.array([-1, 2**63 - 1]), np.array([1e300, 0]), np.ones(60, "i1"), np.zeros(0),
    )
])  # fmt: skip
_ARRAYS = st.one_of(_MASKS, _odd_npy(), st.sampled_from(list(NPY.values())))


@st.composite
def _npz_members(draw):
    names = list(_WEIGHTS) if draw(st.booleans()) else [f"arr_{n}" for n in range(14)]
    members = {
        f"{name}.npy": _npy_of(array) for name, array in zip(names, _WEIGHTS.values(), strict=True)
    }
    if draw(st.booleans()):
        members = {"arr_0.npy": draw(_ARRAYS)}
    for name in draw(st.lists(st.sampled_from(list(members)), max_size=2)):
        members[name] = draw(_ARRAYS)
    return members


_NPZ = _zip(_npz_members())
NUMPY_FILES = st.one_of(_NPZ, damaged(_NPZ, most=3), _ARRAYS, damaged(_ARRAYS))


# --- what is checked ------------------------------------------------------------------------------


def check_arrays(content, folder):
    """What a file of arrays holds."""
    from harness.inference.known_network import inspect_file
    from harness.intake.staging import Staged
    from harness.networks.keras_files.layers import OtherArchitectureError, RejectedFileError
    from harness.networks.weight_files import read_submitted
    from harness.records.errors import SubmissionError

    network, path = lab_network(CLASSES), folder / "model.pt"
    path.write_bytes(content)
    try:
        read_submitted(path, network)
    except OtherArchitectureError as error:
        return f"to be run: {error}"
    except RejectedFileError as error:
        require_foreseen(error)

    staged = Staged(path=path, sha256="", size_bytes=len(content))
    try:
        inspection = inspect_file(staged, "pt", network, sandbox="bubblewrap")
    except SubmissionError as error:
        require_rejected(error)
        return f"refused: {error.reason}"
    for reading in (*inspection.readings, *inspection.masks):
        require_one_line(reading.label)
    if inspection.masks:
        return f"mask: {[len(each.pruned) for each in inspection.masks]}"
    if inspection.weights is None:
        raise Finding(f"arrays are taken for {inspection.differs}")
    channels = inspection.weights["conv_3/bias"].shape[0]
    return f"known: {inspection.format}, {channels} channels, {len(inspection.readings)} readings"
