"""Hostile files of arrays: pickles of every opcode, headers of terabytes, tricks of zip archives.

Each is an honest file of the lab's network (class count 11, to be small) with one thing wrong, or
nothing but the attack. `CANARY` is what a payload that runs would leave behind.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import warnings
import zipfile
import zlib
from functools import partial

import numpy as np
from other_formats import (
    LEGACY_MAGIC,
    Pickle,
    Tensor,
    torch_state,
    write_legacy_torch,
    write_safetensors,
    write_safetensors_parts,
    write_torch,
)

from harness.networks.deepid import weight_shapes

CLASSES = 11
CANARY = "canary"
_TERABYTES = 1 << 42


def small_weights(seed=0):
    """Weights of the lab's network with few classes."""
    rng = np.random.default_rng(seed)
    shapes = weight_shapes(60, CLASSES)
    return {name: rng.normal(0, 0.05, shape).astype("f4") for name, shape in shapes.items()}


# --- pickles --------------------------------------------------------------------------------------

_COMMAND = f"echo ran > {CANARY}"


def _text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


_SYSTEM = b"cposix\nsystem\n"
_STACK_SYSTEM = _text("posix") + _text("system") + b"\x93"
_ARGUMENT = _text(_COMMAND)

PAYLOADS = {
    "reduce": _SYSTEM + _ARGUMENT + b"\x85R",
    "stack global": _STACK_SYSTEM + _ARGUMENT + b"\x85R",
    "inst": b"(" + _ARGUMENT + b"iposix\nsystem\n",
    "obj": b"(" + _SYSTEM + _ARGUMENT + b"o",
    "newobj": _SYSTEM + _ARGUMENT + b"\x85\x81",
    "newobj of popen": b"csubprocess\nPopen\n" + _ARGUMENT + b"\x85\x81",
    "newobj ex": b"csubprocess\nPopen\n" + _ARGUMENT + b"\x85}\x92",
    "build": b"c__main__\nX\n)\x81}" + _text("__setstate__") + _SYSTEM + b"sb" + _ARGUMENT + b"b",
    "build of a dictionary": b"ccollections\nOrderedDict\n)R" + _SYSTEM + b"b",
    "eval": b"cbuiltins\neval\n" + _text(f"open({CANARY!r}, 'w')") + b"\x85R",
    "exec of python 2": b"c__builtin__\nexec\n" + _text(f"open({CANARY!r}, 'w')") + b"\x85R",
    "getattr": b"cbuiltins\ngetattr\ncos\n__dict__\n" + _text("system") + b"\x86R",
    "import": b"cbuiltins\n__import__\n" + _text("os") + b"\x85R",
    "torch hub": b"ctorch.hub\nload\n" + _text("a/b") + b"\x85R",
    "torch load": b"ctorch.serialization\nload\n" + _text(CANARY) + b"\x85R",
    "numpy load": b"cnumpy\nload\n" + _text(CANARY) + b"\x85R",
    "numpy runstring": b"cnumpy.testing._private.utils\nrunstring\n" + _ARGUMENT + b"}\x86R",
    "a name beyond an allowed one": _text("torch") + _text("_utils.sys.modules") + b"\x93",
    "a name with a space": b"ctorch._utils._rebuild_tensor_v2 os\nsystem\n" + _ARGUMENT + b"\x85R",
    "a codec": b"c_codecs\nlookup\n" + _text("rot13") + b"\x85R",
    "pickle loads": b"cpickle\nloads\n" + _text("x") + b"\x85R",
    "shutil": b"cshutil\nrmtree\n" + _text(".") + b"\x85R",
    "webbrowser": b"cwebbrowser\nopen\n" + _text("http://localhost") + b"\x85R",
    "operator": b"coperator\nattrgetter\n" + _text("system") + b"\x85Rcos\n__dict__\n\x85R",
    "functools partial": b"cfunctools\npartial\n" + _SYSTEM + _ARGUMENT + b"\x86R)R",
    "ext1": b"\x82\x01",
    "ext2": b"\x83\x01\x00",
    "ext4": b"\x84\x01\x00\x00\x00",
    "persid as text": b"Pstorage\n",
    "a persistent id of another kind": _text("module") + b"Q",
    "a persistent id of a class": b"(" + _text("module") + _SYSTEM + b"tQ",
    "next buffer": b"\x97\x98",
    "no stack": b"R",
    "no mark": b"t",
    "unknown memo": b"j\xff\xff\xff\xff",
    "unknown opcode": b"\xff",
    "a call of a text": _text("posix.system") + _ARGUMENT + b"\x85R",
    "a call without a tuple": b"ccollections\nOrderedDict\nNR",
    "a call of an argument too many": b"ccollections\nOrderedDict\n(NNNtR",
    "a dictionary of what are no pairs": b"ccollections\nOrderedDict\n]K\x01a\x85R",
    "a whole model": b"c__main__\nNet\n)\x81}b",
    "a whole model of torch": b"ctorch.nn.modules.container\nSequential\n)\x81}b",
}
"""Opcodes that run something in Python's own unpickler, or that no honest file has."""

BOMBS = {
    "a frame of terabytes": b"\x95" + struct.pack("<Q", _TERABYTES) + b"N",
    "a text of terabytes": b"\x8d" + struct.pack("<Q", _TERABYTES),
    "a text beyond 2**63": b"\x8d" + struct.pack("<Q", 2**64 - 1),
    "bytes of terabytes": b"\x8e" + struct.pack("<Q", _TERABYTES),
    "a bytearray of terabytes": b"\x96" + struct.pack("<Q", _TERABYTES),
    "bytes of 4 GB": b"B" + struct.pack("<I", 2**32 - 1),
    "a number of 2 GB": b"\x8b" + struct.pack("<i", 2**31 - 1),
    "a number of -1 bytes": b"\x8b" + struct.pack("<i", -1),
    "a number of 100,000 digits": b"L" + b"9" * 100_000 + b"L\n",
    "a memo at 2**32": b"Nr" + struct.pack("<I", 2**32 - 1),
    "a memo by a text of digits": b"Np" + b"9" * 4000 + b"\n",
    "a line without an end": b"S'" + b"a" * (9 << 20),
    "a million values": b"(" + b"N" * 1_100_000 + b"t",
    "a million memos": b"N" + b"\x94" * 1_100_000,
    "marks and nothing else": b"(" * 1_100_000,
    "tuples in tuples": b")" + b"\x85" * 900_000,
    "a deep key": b"})" + b"\x85" * 900_000 + b"Ns",
    "lists in lists": b"]" * 400_000 + b"a" * 399_999,
    "a billion laughs": b")" + b"2\x86" * 400_000,
    "laughs of nine levels": b"]q\x000" + b"".join(
        b"]q" + bytes([n]) + (b"h" + bytes([n - 1]) + b"a") * 20 + b"0" for n in range(1, 9)
    ) + b"h\x08",
    "a list in itself": b"]q\x00h\x00a",
    "a dictionary in itself": b"}q\x00" + _text("a") + b"h\x00s",
}  # fmt: skip
"""What takes memory or time, or overflows a stack."""


def _tensor_call(offset, shape, strides, storage="FloatStorage", count=4):
    def change(pickled):
        pickled.op(b"(").put("conv_1.weight")
        pickled.name("torch._utils", "_rebuild_tensor_v2").op(b"((")
        pickled.put("storage").name("torch", storage)
        pickled.each(("0", "cpu", count)).op(b"tQ")
        pickled.each((offset, shape, strides, False)).name("collections", "OrderedDict")
        pickled.op(b")RtRu")
        pickled.storages = [np.zeros(4, "f4")]

    return change


TENSORS = {
    "an offset outside": _tensor_call(5, (4,), (1,)),
    "a negative offset": _tensor_call(-1, (4,), (1,)),
    "an offset of 2**70": _tensor_call(2**70, (4,), (1,)),
    "a shape outside": _tensor_call(0, (4, 4, 3, 20), (240, 60, 20, 1)),
    "a shape of terabytes": _tensor_call(0, (1 << 20, 1 << 22), (1 << 22, 1)),
    "a shape of terabytes of one number": _tensor_call(0, (1 << 20, 1 << 22), (0, 0)),
    "the right shape of one number": _tensor_call(0, (20, 3, 4, 4), (0, 0, 0, 0)),
    "negative strides": _tensor_call(3, (4,), (-1,)),
    "strides outside": _tensor_call(0, (2, 2), (1 << 39, 1)),
    "a NaN in its shape": _tensor_call(0, (float("nan"),), (1,)),
    "true in its shape": _tensor_call(0, (True,), (1,)),
    "a negative shape": _tensor_call(0, (-4,), (1,)),
    "40 dimensions": _tensor_call(0, (1,) * 40, (1,) * 40),
    "more strides than lengths": _tensor_call(0, (4,), (1, 1)),
    "a storage of another length": _tensor_call(0, (4,), (1,), count=5),
    "a storage of terabytes": _tensor_call(0, (4,), (1,), count=_TERABYTES),
    "a storage of a negative length": _tensor_call(0, (4,), (1,), count=-4),
    "a storage of another kind": _tensor_call(0, (4,), (1,), "ComplexFloatStorage"),
    "a storage of quantised numbers": _tensor_call(0, (4,), (1,), "QInt8Storage"),
}
"""Tensors that lie elsewhere than in their storage."""


def _pickled(change):
    written = Pickle().op(b"}")
    if callable(change):
        change(written)
    else:
        written.op(b"(").put("conv_1.weight").op(change).op(b"u")
    return written


_VIEWS = {
    "negative strides": Tensor(np.zeros(960, "f4"), 959, (20, 3, 4, 4), (-48, -16, -4, -1), "f4"),
    "a negative offset": Tensor(np.zeros(960, "f4"), -8, (20, 3, 4, 4), (48, 16, 4, 1), "f4"),
    "an offset that is no whole number": Tensor(
        np.zeros(960, "f4"), float("nan"), (20, 3, 4, 4), (48, 16, 4, 1), "f4"
    ),
    "numbers that are not there": Tensor(np.zeros(4, "f4"), 0, (20, 3, 4, 4), (48, 16, 4, 1), "f4"),
    "strides into other memory": Tensor(
        np.zeros(960, "f4"), 0, (20, 3, 4, 4), (1 << 38, 1 << 20, 4, 1), "f4"
    ),
    "an offset into other memory": Tensor(
        np.zeros(960, "f4"), 1, (20, 3, 4, 4), (48, 16, 4, 1), "f4"
    ),
}
"""Tensors in an otherwise honest net, which reach beyond their storage."""

# --- zip archives ---------------------------------------------------------------------------------


def _rezip(path, change):
    """An honest ``.pt`` whose members are written once more by ``change``."""
    content = io.BytesIO()
    write_torch(path, torch_state(small_weights()))
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(content, "w") as target:
        members = {each.filename: source.read(each) for each in source.infolist()}
        change(target, members)
    path.write_bytes(content.getvalue())
    return path


def _put_all(target, members, **replaced):
    for name, each in (members | replaced).items():
        target.writestr(name, each)


def _twice(target, members):
    _put_all(target, members)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target.writestr("archive/data.pkl", _pickled(PAYLOADS["reduce"]).end())


def _with_member(name, content):
    return lambda target, members: _put_all(target, {**members, name: content})


def _compressed(target, members):
    for name, each in members.items():
        target.writestr(name, each, zipfile.ZIP_DEFLATED)


def _bomb(target, members):
    del members["archive/data/0"]
    _put_all(target, members)
    target.writestr("archive/data/0", bytes(1 << 28), zipfile.ZIP_DEFLATED)


def _pickle_bomb(target, members):
    del members["archive/data.pkl"]
    _put_all(target, members)
    target.writestr("archive/data.pkl", b"\x80\x02" + b"N" * (1 << 27), zipfile.ZIP_DEFLATED)


def _edited(path, pattern, replacement, count=1):
    """An honest ``.pt`` with some bytes replaced, as a header that lies."""
    write_torch(path, torch_state(small_weights()))
    content = path.read_bytes()
    assert pattern in content
    path.write_bytes(content.replace(pattern, replacement, count))
    return path


def _lying_header(path, place, field):
    """An honest ``.pt`` where one field of a member's own header says another thing."""
    write_torch(path, torch_state(small_weights()))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("archive/data/0").header_offset
    content[start + place : start + place + len(field)] = field
    path.write_bytes(content)
    return path


def _overlapping(path):
    """Two entries of the directory that share the bytes of one member."""
    write_torch(path, torch_state(small_weights()))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        first = archive.getinfo("archive/data/1").header_offset
        second = archive.getinfo("archive/data/3").header_offset
    at = content.rindex(struct.pack("<I", second))
    content[at : at + 4] = struct.pack("<I", first)
    path.write_bytes(content)
    return path


def _short(path):
    """Numbers of which there are fewer than both of their headers say they unpack to."""
    write_torch(path, torch_state(small_weights()))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("archive/data/0")
        checksum = struct.pack("<I", zlib.crc32(archive.read(member)[:16]))
        start = member.header_offset
    honest = struct.pack("<III", member.CRC, member.file_size, member.file_size)
    assert content.count(honest) == 2
    short = checksum + struct.pack("<II", 16, member.file_size)
    assert start == content.index(honest) - 14
    path.write_bytes(bytes(content).replace(honest, short))
    return path


def _behind(path, prefix):
    write_torch(path, torch_state(small_weights()))
    path.write_bytes(prefix + path.read_bytes())
    return path


ZIPS = {
    "a member twice": lambda path: _rezip(path, _twice),
    "a member twice in other letters": lambda path: _rezip(
        path, _with_member("archive/DATA.pkl", b"x")
    ),
    "a second pickle": lambda path: _rezip(path, _with_member("other/data.pkl", b"\x80\x02N.")),
    "compressed numbers": lambda path: _rezip(path, _compressed),
    "a bomb of numbers": lambda path: _rezip(path, _bomb),
    "a bomb of a pickle": lambda path: _rezip(path, _pickle_bomb),
    "a name that leads out": lambda path: _rezip(path, _with_member("archive/../../x", b"x")),
    "an absolute name": lambda path: _rezip(path, _with_member("/etc/x", b"x")),
    "a program": lambda path: _rezip(path, _with_member("archive/code/__torch__.py", b"x")),
    "constants of a program": lambda path: _rezip(
        path, _with_member("archive/constants.pkl", b".")
    ),
    "another byte order": lambda path: _rezip(
        path, lambda target, members: _put_all(target, members, **{"archive/byteorder": b"big"})
    ),
    "numbers missing": lambda path: _rezip(
        path,
        lambda target, members: _put_all(
            target, {name: each for name, each in members.items() if name != "archive/data/3"}
        ),
    ),
    "another name in a header": lambda path: _lying_header(path, 30, b"archive/data/9"),
    "another length in a header": lambda path: _lying_header(path, 22, b"\x01\x00\x00\x00"),
    "another method in a header": lambda path: _lying_header(path, 8, b"\x08\x00"),
    "another checksum in a header": lambda path: _lying_header(path, 14, b"\x01\x02\x03\x04"),
    "no header": lambda path: _lying_header(path, 0, b"XXXX"),
    "members that overlap": _overlapping,
    "fewer numbers than they say": _short,
    "something in front": lambda path: _behind(path, b"PK\x03\x04" + bytes(60)),
    "HDF5 in front": lambda path: _behind(path, b"\x89HDF\r\n\x1a\n" + bytes(504)),
    "an encrypted member": lambda path: _edited(
        path, b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00", -1
    ),
    "half of it": lambda path: _cut(path, 0.5),
    "7,000 members": lambda path: _rezip(
        path,
        lambda target, members: _put_all(target, members | {f"x/{n}": b"" for n in range(7000)}),
    ),
}  # fmt: skip


def _cut(path, share):
    write_torch(path, torch_state(small_weights()))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


# --- safetensors ----------------------------------------------------------------------------------


def _table(**changed):
    table = {"a.weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
    table["a.weight"] |= changed
    return json.dumps(table).encode()


def _two(first, second):
    def entry(place):
        return {"dtype": "F32", "shape": [2, 2], "data_offsets": place}

    return json.dumps({"a.weight": entry(first), "b.weight": entry(second)}).encode()


def _overlapping_net(path):
    """An honest net but that two of its biases share their numbers."""
    write_safetensors(path, torch_state(small_weights()))
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    table["fc_1.bias"]["data_offsets"] = table["fc_2.bias"]["data_offsets"]
    return write_safetensors_parts(path, json.dumps(table).encode(), content[8 + length :])


_SIXTEEN = bytes(16)
SAFETENSORS = {
    "a net whose arrays overlap": _overlapping_net,
    "a header of terabytes": partial(
        write_safetensors_parts, header=_table(), content=_SIXTEEN, length=_TERABYTES
    ),
    "a header beyond the file": partial(
        write_safetensors_parts, header=_table(), content=_SIXTEEN, length=1000
    ),
    "a header of 2**64 - 1": partial(
        write_safetensors_parts, header=_table(), content=_SIXTEEN, length=2**64 - 1
    ),
    "a header of no bytes": partial(
        write_safetensors_parts, header=_table(), content=_SIXTEEN, length=0
    ),
    "deep JSON": partial(
        write_safetensors_parts, header=b'{"a":' + b"[" * 200_000, content=_SIXTEEN
    ),
    "deep JSON that ends": partial(
        write_safetensors_parts,
        header=b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        content=_SIXTEEN,
    ),
    "a number of 100,000 digits": partial(
        write_safetensors_parts, header=b'{"a":' + b"9" * 100_000 + b"}", content=_SIXTEEN
    ),
    "9 MiB of header": partial(
        write_safetensors_parts, header=b'{"a":"' + b"x" * (9 << 20) + b'"}', content=_SIXTEEN
    ),
    "no JSON": partial(write_safetensors_parts, header=b'{"a": what', content=_SIXTEEN),
    "no UTF-8": partial(write_safetensors_parts, header=b'{"\xff": 1}', content=_SIXTEEN),
    "a name twice": partial(
        write_safetensors_parts, header=b'{"a": 1, "a": 2}', content=_SIXTEEN
    ),
    "overlapping arrays": partial(
        write_safetensors_parts, header=_two([0, 16], [8, 24]), content=bytes(24)
    ),
    "arrays of the same bytes": partial(
        write_safetensors_parts, header=_two([0, 16], [0, 16]), content=_SIXTEEN
    ),
    "a gap": partial(
        write_safetensors_parts, header=_two([0, 16], [20, 36]), content=bytes(36)
    ),
    "bytes behind": partial(write_safetensors_parts, header=_table(), content=bytes(99)),
    "an offset outside": partial(
        write_safetensors_parts, header=_table(data_offsets=[16, 32]), content=_SIXTEEN
    ),
    "offsets the other way": partial(
        write_safetensors_parts, header=_table(data_offsets=[16, 0]), content=_SIXTEEN
    ),
    "a negative offset": partial(
        write_safetensors_parts, header=_table(data_offsets=[-16, 0]), content=_SIXTEEN
    ),
    "an offset that is no number": partial(
        write_safetensors_parts, header=_table(data_offsets=["0", 16]), content=_SIXTEEN
    ),
    "a NaN in its shape": partial(
        write_safetensors_parts, header=_table(shape=[float("nan"), 4]), content=_SIXTEEN
    ),
    "a negative shape": partial(
        write_safetensors_parts, header=_table(shape=[-2, -2]), content=_SIXTEEN
    ),
    "a shape of 2**80": partial(
        write_safetensors_parts, header=_table(shape=[2**40, 2**40]), content=_SIXTEEN
    ),
    "a shape of 100 dimensions": partial(
        write_safetensors_parts, header=_table(shape=[1] * 100), content=_SIXTEEN
    ),
    "a shape of terabytes and none": partial(
        write_safetensors_parts,
        header=_table(shape=[2**39, 2**39, 0], data_offsets=[0, 0]),
        content=b"",
    ),
    "a dtype that is a list": partial(
        write_safetensors_parts, header=_table(dtype=["F32"]), content=_SIXTEEN
    ),
    "an unknown dtype": partial(
        write_safetensors_parts, header=_table(dtype="F8_E4M3"), content=_SIXTEEN
    ),
    "an entry that is a number": partial(
        write_safetensors_parts, header=b'{"a": 1}', content=_SIXTEEN
    ),
    "a table that is empty": partial(write_safetensors_parts, header=b"{}", content=b""),
    "6,000 arrays": partial(
        write_safetensors_parts,
        header=json.dumps(
            {str(n): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(6000)}
        ).encode(),
        content=b"",
    ),
}  # fmt: skip


# --- NumPy ----------------------------------------------------------------------------------------


def _npy(header, content=b"", version=b"\x01\x00", length=None):
    text = header if isinstance(header, bytes) else repr(header).encode()
    text += b"\n"
    length = len(text) if length is None else length
    width = "<H" if version[0] == 1 else "<I"
    return b"\x93NUMPY" + version + struct.pack(width, length) + text + content


def _header(**changed):
    return {"descr": "<f4", "fortran_order": False, "shape": (2, 2)} | changed


def _objects():
    content = io.BytesIO()

    class Payload:
        def __reduce__(self):
            return (exec, (f"open({CANARY!r}, 'w')",))

    np.save(content, np.array([Payload()], dtype=object), allow_pickle=True)
    return content.getvalue()


def _expression(text):
    return b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + text + b",)}"


NPY = {
    "objects": _objects(),
    "an object type without a pickle": _npy(_header(descr="|O"), bytes(32)),
    "records with objects": _npy(_header(descr=[("a", "<f4"), ("b", "|O")]), bytes(48)),
    "an expression that imports": _npy(
        _expression(f"__import__('os').system('echo > {CANARY}')".encode())
    ),
    "an expression that opens": _npy(_expression(f"open('{CANARY}', 'w')".encode())),
    "an expression of powers": _npy(_expression(b"9**9**9**9")),
    "an expression of products": _npy(_expression(b"'a' * 9999999999")),
    "a comprehension": _npy(_expression(b"[x for x in range(10**9)]")),
    "a function": _npy(_expression(b"lambda: 1")),
    "brackets": _npy(b"(" * 9000 + b")" * 9000),
    "signs": _npy(_expression(b"-" * 9000 + b"1")),
    "nested dictionaries": _npy(b"{1:" * 3000 + b"1" + b"}" * 3000),
    "a header of 4 GB": _npy(_header(), bytes(16), b"\x02\x00", 2**32 - 1),
    "a header of 60 kB": _npy(b"{" + b" " * 60_000 + b"}", bytes(16)),
    "a header beyond the file": _npy(_header(), b"", b"\x01\x00", 5000),
    "version 3": _npy(_header(), bytes(16), b"\x03\x00"),
    "version 255": _npy(_header(), bytes(16), b"\xff\xff"),
    "a shape of terabytes": _npy(_header(shape=(1 << 20, 1 << 22)), bytes(16)),
    "a shape of 2**80": _npy(_header(shape=(1 << 40, 1 << 40)), bytes(16)),
    "a negative shape": _npy(_header(shape=(-2, -2)), bytes(16)),
    "a NaN in its shape": _npy(_header(shape="nan"), bytes(16)),
    "true in its shape": _npy(_header(shape=(True, 4)), bytes(16)),
    "a shape of 60 dimensions": _npy(_header(shape=(1,) * 60), bytes(4)),
    "a shape that is a list": _npy(_header(shape=[2, 2]), bytes(16)),
    "numbers of gigabytes": _npy(_header(descr="|V2147483647", shape=(1,)), bytes(16)),
    "numbers of no bytes": _npy(_header(descr="|V0", shape=(1 << 39,))),
    "an unknown type": _npy(_header(descr="what"), bytes(16)),
    "a deep type": _npy(_header(descr=[("a", [("b", [("c", "<f4")])])]), bytes(16)),
    "texts": _npy(_header(descr="<U4"), bytes(64)),
    "complex numbers": _npy(_header(descr="<c8"), bytes(32)),
    "dates": _npy(_header(descr="<M8[s]"), bytes(32)),
    "no keys": _npy({}, bytes(16)),
    "a key more": _npy(_header(x=1), bytes(16)),
    "fewer bytes": _npy(_header(), bytes(15)),
    "more bytes": _npy(_header(), bytes(99)),
    "nothing": b"\x93NUMPY",
}  # fmt: skip


def write_npz(path, members, method=zipfile.ZIP_STORED):
    """An archive of arrays by name."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def _npz_of(content, path):
    """An honest ``.npz`` with one member more."""
    members = {}
    for name, array in small_weights().items():
        written = io.BytesIO()
        np.save(written, array)
        members[name] = written.getvalue()
    return write_npz(path, {**members, "conv_9/kernel": content})


def _npz_bomb(path):
    """An array of the right shape, of which the archive says that it unpacks to gigabytes."""
    zeros = _npy(_header(shape=(1 << 28,)), bytes(1 << 26))
    return write_npz(path, {"fc_1/kernel": zeros, "fc_1/bias": zeros}, zipfile.ZIP_DEFLATED)


def _npz_wrong_checksum(path):
    np.savez(path, **small_weights())
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("fc_1/kernel.npy").header_offset
    content[start + 4000] ^= 1
    path.write_bytes(content)
    return path


# --- all of them ----------------------------------------------------------------------------------


def _write_bytes(content, path):
    path.write_bytes(content)
    return path


def _legacy_with(path, **replaced):
    return write_legacy_torch(path, torch_state(small_weights()), **replaced)


def _with_view(view, path, write=write_torch):
    return write(path, torch_state(small_weights()) | {"conv_1.weight": view})


LEGACY = {
    "a pickle that is the first": lambda path: _write_bytes(
        LEGACY_MAGIC + _pickled(PAYLOADS["reduce"]).end(), path
    ),
    "another protocol": lambda path: _legacy_with(path, protocol=1002),
    "numbers missing": lambda path: _legacy_with(path, keys=["0"]),
    "numbers twice": lambda path: _legacy_with(path, keys=["0"] * 14),
    "keys that are no list": lambda path: _legacy_with(path, keys={"0": 1}),
    "numbers of another length": lambda path: _legacy_with(path, count=3),
    "numbers of terabytes": lambda path: _legacy_with(path, count=_TERABYTES),
    "numbers of a negative length": lambda path: _legacy_with(path, count=-1),
    "half of it": lambda path: _write_bytes(
        _legacy_with(path).read_bytes()[: 1 << 18], path
    ),
    "nothing behind the magic": lambda path: _write_bytes(LEGACY_MAGIC, path),
    "a magic twice": lambda path: _write_bytes(LEGACY_MAGIC * 5, path),
    "strides outside": lambda path: write_legacy_torch(
        path, {"conv_1.weight": Tensor(np.zeros(4, "f4"), 0, (20, 3, 4, 4), (48, 16, 4, 1), "f4")}
    ),
}  # fmt: skip

_PLAIN = {
    "a pickle of Python": pickle.dumps({"a": 1}),
    "a payload as a file": pickle.dumps(zlib.compress)[:2] + PAYLOADS["reduce"] + b".",
}

HOSTILE = {
    **{f"pt: {n}": partial(lambda each, path: write_torch(path, _pickled(each)), each)
       for n, each in (PAYLOADS | BOMBS | TENSORS).items()},
    **{f"legacy pt: {n}": partial(lambda each, path: write_legacy_torch(path, _pickled(each)), each)
       for n, each in (PAYLOADS | BOMBS).items()},
    **{f"view pt: {name}": partial(_with_view, each) for name, each in _VIEWS.items()},
    **{f"view legacy: {name}": partial(_with_view, each, write=write_legacy_torch)
       for name, each in _VIEWS.items()},
    **{f"zip: {name}": write for name, write in ZIPS.items()},
    **{f"legacy: {name}": write for name, write in LEGACY.items()},
    **{f"safetensors: {name}": write for name, write in SAFETENSORS.items()},
    **{f"npy: {name}": partial(_write_bytes, content) for name, content in NPY.items()},
    **{f"npz: {name}": partial(_npz_of, content) for name, content in NPY.items()},
    "npz: a bomb": _npz_bomb,
    "npz: a wrong checksum": _npz_wrong_checksum,
    **{f"pickle: {name}": partial(_write_bytes, content) for name, content in _PLAIN.items()},
}  # fmt: skip
"""Writes a hostile file to a path, by what is wrong with it."""


def write_honest(folder):
    """Honest files of the same net, one of each format."""
    weights = small_weights()
    state = torch_state(weights)
    np.savez(folder / "honest.npz", **weights)
    np.save(folder / "honest.npy", np.arange(60) > 7)
    return [
        write_torch(folder / "honest.pt", state),
        write_legacy_torch(folder / "honest.pth", state),
        write_safetensors(folder / "honest.safetensors", state),
        folder / "honest.npz",
        folder / "honest.npy",
    ]
