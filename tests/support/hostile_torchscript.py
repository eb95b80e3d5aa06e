"""Hostile TorchScript: archives with tricks, pickles, and programs that do what they like."""

from __future__ import annotations

import io
import zipfile

CODE = """
class Net(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def forward(self: __torch__.Net,
    x: Tensor) -> Tensor:
{body}
"""
HONEST_BODY = "    return torch.slice(torch.flatten(x, 1), 1, 0, 10)"
PICKLE = b"\x80\x02c__torch__\nNet\nq\x00)\x81}(X\x08\x00\x00\x00trainingq\x01\x89ubq\x02."
"""What ``torch.jit.save`` writes of a module without numbers."""


def members(body=HONEST_BODY, pickle=PICKLE, constants=b"\x80\x02)."):
    return {
        "net/data.pkl": pickle,
        "net/code/__torch__.py": CODE.format(body=body).encode(),
        "net/constants.pkl": constants,
        "net/version": b"3\n",
        "net/byteorder": b"little",
    }


def archive(contents, packed=()):
    """The bytes of an archive; members whose name ends so are packed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name, content in contents.items():
            method = zipfile.ZIP_DEFLATED if name.endswith(tuple(packed)) else zipfile.ZIP_STORED
            target.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def honest():
    return archive(members())


def program(*lines):
    return archive(members("\n".join(f"    {line}" for line in lines)))


def _with(**others):
    return archive(members() | others)


def _without(name):
    return archive({key: value for key, value in members().items() if key != name})


def _encrypted():
    """The mark of encryption, in the directory at the end and before each member."""
    content = bytearray(honest())
    for magic, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        found = content.find(magic)
        while found >= 0:
            content[found + place] |= 1
            found = content.find(magic, found + 1)
    return bytes(content)


def _another_name():
    return honest().replace(b"net/code/__torch__.py", b"net/code/__forch__.py", 1)


REFUSED = {
    "cut off": (lambda: honest()[:-40], "truncated or damaged"),
    "another folder": (lambda: _with(**{"other/data.pkl": PICKLE}), "several"),
    "a second net": (lambda: _with(**{"net/x/data.pkl": PICKLE, "x/data.pkl": PICKLE}), "several"),
    "no net": (lambda: _without("net/data.pkl"), "without config.json"),
    "a net elsewhere": (
        lambda: archive({
            name.replace("net/data", "net/x/data"): content for name, content in members().items()
        }),
        "without a net in it",
    ),
    "a name that leads out": (lambda: _with(**{"net/../../evil": b"x"}), "leads out"),
    "an absolute name": (lambda: _with(**{"/etc/evil": b"x"}), "leads out"),
    "one name in two cases": (lambda: _with(**{"net/DATA.pkl": PICKLE}), "twice"),
    "a bomb of code": (
        lambda: archive(
            members() | {"net/code/bomb.py": bytes(64 << 20)}, packed=["bomb.py"]
        ),
        "unpacks to more",
    ),
    "packed numbers": (
        lambda: archive(members() | {"net/data/0": bytes(1 << 20)}, packed=["data/0"]),
        "packs no numbers",
    ),
    "ten thousand files": (
        lambda: _with(**{f"net/data/{i}": b"" for i in range(10_000)}), "zip archive of 100",
    ),
    "encrypted": (_encrypted, "is encrypted"),
    "another name in its header": (_another_name, "by its own header"),
    "code without constants": (lambda: _without("net/constants.pkl"), "not whole"),
    "constants without code": (lambda: _without("net/code/__torch__.py"), "not whole"),
    "bytes in front": (lambda: b"PK\x03\x04" + bytes(60) + honest(), "behind other data"),
}  # fmt: skip
"""How each is made, and what is said of it before PyTorch sees it."""

_COMMAND = b"X\x17\x00\x00\x00touch /tmp/torch-canary\x85R."
FAILING = {
    "a payload for its net": lambda: archive(
        members(pickle=b"\x80\x02cposix\nsystem\n" + _COMMAND)
    ),
    "a payload for its constants": lambda: archive(
        members(constants=b"\x80\x02cos\nsystem\n" + _COMMAND)
    ),
    "code that is none": lambda: program("return ((("),
    "code of Python": lambda: program("import os", "return os.system('id')"),
    "an operator that does not exist": lambda: program("return torch.boom(x)"),
    "a file of the machine": lambda: program(
        "return torch.from_file('/etc/passwd', False, 10)",
    ),
    "other classes": lambda: program("return torch.slice(torch.flatten(x, 1), 1, 0, 3)"),
    "maps": lambda: program("return x"),
    "one answer for all": lambda: program("return torch.slice(torch.flatten(x, 0), 0, 0, 10)"),
    "code nested deeply": lambda: program(f"return {'(' * 100_000}x{')' * 100_000}"),
    "terabytes": lambda: program("return torch.zeros([1099511627776, 10])"),
    "gigabytes": lambda: program(
        "return torch.add(torch.slice(torch.flatten(x, 1), 1, 0, 10), "
        "torch.max(torch.ones([1 * 40000, 40000])))"
    ),
    "an exception": lambda: program('ops.prim.RaiseException("no\\nno")', "return x"),
}
"""What PyTorch refuses, or the sandbox."""

ENDLESS = program(
    "n = 0", "while torch.gt(torch.sum(x), -1.0e30):", "  n = torch.add(n, 1)", "return x"
)
ODD = program("return torch.mul(torch.slice(torch.flatten(x, 1), 1, 0, 10), float('nan'))")
