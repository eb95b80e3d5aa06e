"""Files of other frameworks, written by hand: PyTorch's two forms, safetensors, NumPy.

The pickles are those that ``torch.save`` writes, opcode by opcode, so that no PyTorch is needed;
`Pickle` also writes those that no honest program would.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile

import h5py
import numpy as np

LEGACY_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
STORAGES = {
    "f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage",
    "bf2": "BFloat16Storage", "b1": "BoolStorage",
}  # fmt: skip

FLAT = {"fc_1": (5, 4), "fc_2": (4, 3), "hidden": (4, 4)}
"""Layers of the lab's network and of digits' that read flat maps, with their rows and columns."""


# --- the same net in PyTorch ----------------------------------------------------------------------

_NORMALISATION = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def torch_state(weights, rename=lambda name: name, flat="CHW"):
    """A net's arrays (canonical names) as a PyTorch network of the same layers has them."""
    state = {}
    for name, array in weights.items():
        layer, _, variable = name.rpartition("/")
        if variable == "kernel":
            kernel = array
            if flat == "CHW" and layer in FLAT:
                rows, columns = FLAT[layer]
                maps = array.reshape(rows, columns, -1, array.shape[-1])
                kernel = maps.transpose(2, 0, 1, 3).reshape(array.shape)
            kernel = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
            state[f"{rename(layer)}.weight"] = np.ascontiguousarray(kernel)
        else:
            state[f"{rename(layer)}.{_NORMALISATION.get(variable, variable)}"] = array
        if variable == "moving_variance":
            state[f"{rename(layer)}.num_batches_tracked"] = np.array(7, "i8")
    return state


# --- pickles --------------------------------------------------------------------------------------


class Pickle:
    """Writes a pickle of protocol 2 as ``torch.save`` does."""

    def __init__(self, *, legacy=False):
        self.content = io.BytesIO()
        self.storages = []
        self.view = (None,) if legacy else ()
        self.op(b"\x80\x02")

    def op(self, *parts):
        """Bytes as they are."""
        for part in parts:
            self.content.write(part)
        return self

    def name(self, module, name):
        """A GLOBAL."""
        return self.op(b"c", f"{module}\n{name}\n".encode())

    def put(self, value):
        """Any value of containers, numbers, texts and arrays; bytes are opcodes."""
        if value is None or isinstance(value, bool):
            self.op({None: b"N", True: b"\x88", False: b"\x89"}[value])
        elif isinstance(value, bytes):
            self.op(value)
        elif isinstance(value, int):
            self.op(b"\x8a\x09", value.to_bytes(9, "little", signed=True))
        elif isinstance(value, float):
            self.op(b"G", struct.pack(">d", value))
        elif isinstance(value, str):
            text = value.encode("utf-8", "surrogatepass")
            self.op(b"X", struct.pack("<I", len(text)), text)
        elif isinstance(value, Tensor):
            self.put_tensor(*value)
        elif isinstance(value, tuple):
            self.op(b"(")
            self.each(value).op(b"t")
        elif isinstance(value, list):
            self.op(b"](").each(value).op(b"e")
        elif isinstance(value, dict):
            self.name("collections", "OrderedDict").op(b")R(")
            self.each(each for pair in value.items() for each in pair).op(b"u")
        else:
            self.put_tensor(*Tensor(value))
        return self

    def each(self, values):
        for value in values:
            self.put(value)
        return self

    def put_tensor(self, storage, offset, shape, strides, kind):
        key = next((i for i, known in enumerate(self.storages) if known is storage), None)
        if key is None:
            key = len(self.storages)
            self.storages.append(storage)
        self.name("torch._utils", "_rebuild_tensor_v2").op(b"(")
        self.op(b"(").put("storage").name("torch", STORAGES[kind])
        self.each((str(key), "cpu", storage.size, *self.view)).op(b"tQ")
        self.each((offset, shape, strides, False))
        self.name("collections", "OrderedDict").op(b")RtR")

    def end(self):
        """All bytes."""
        return self.content.getvalue() + b"."


class Tensor(tuple):
    """A view of a storage: numbers, offset, shape, strides (in numbers) and kind."""

    def __new__(cls, array, offset=0, shape=None, strides=None, kind=None):
        array = np.asarray(array)
        kind = kind or array.dtype.str[1:]
        if shape is None:
            shape = array.shape
            array = np.array(array, order="C")
            strides = tuple(stride // array.itemsize for stride in array.strides)
        return super().__new__(cls, (array.reshape(-1), offset, shape, strides, kind))


# --- files ----------------------------------------------------------------------------------------


def write_torch(path, value, *, method=zipfile.ZIP_STORED, extra=()):
    """What ``torch.save(value, path)`` writes."""
    written = value if isinstance(value, Pickle) else Pickle().put(value)
    members = {"archive/data.pkl": written.end(), "archive/byteorder": b"little"}
    members |= {f"archive/data/{i}": each.tobytes() for i, each in enumerate(written.storages)}
    members |= {"archive/version": b"3\n", **dict(extra)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_legacy_torch(path, value, **replaced):
    """The same before PyTorch 1.6: pickles, then the numbers."""
    written = value if isinstance(value, Pickle) else Pickle(legacy=True).put(value)
    keys = replaced.get("keys", [str(key) for key in range(len(written.storages))])
    parts = [
        LEGACY_MAGIC,
        Pickle().put(replaced.get("protocol", 1001)).end(),
        Pickle().put({"protocol_version": 1001, "little_endian": True}).end(),
        written.end(),
        Pickle().put(keys).end(),
    ]
    for storage in written.storages:
        parts += [struct.pack("<q", replaced.get("count", storage.size)), storage.tobytes()]
    path.write_bytes(b"".join(parts))
    return path


_SAFETENSORS = {"f4": "F32", "f8": "F64", "f2": "F16", "i8": "I64", "b1": "BOOL", "u2": "BF16"}


def write_safetensors(path, arrays, metadata=None):
    """What ``safetensors.numpy.save_file`` writes; uint16 is taken for bfloat16."""
    header, parts, place = ({"__metadata__": metadata} if metadata else {}), [], 0
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        content = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": _SAFETENSORS[array.dtype.str[1:]],
            "shape": list(array.shape),
            "data_offsets": [place, place + len(content)],
        }
        parts.append(content)
        place += len(content)
    return write_safetensors_parts(path, json.dumps(header).encode(), b"".join(parts))


def write_safetensors_parts(path, header, content, length=None):
    """A header, in front of it its length (or another one), and what follows."""
    header += b" " * (-len(header) % 8)
    length = len(header) if length is None else length
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", length) + header + content)
    return path


def write_checkpoint_weights(path, arrays):
    """HDF5 of arrays by their paths, as ``save_weights`` of Keras 3 lays them out."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path
