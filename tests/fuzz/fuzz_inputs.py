"""Inputs that many readers get: texts, trees and bytes, honest ones with a few things wrong."""

from __future__ import annotations

import copy
import json

from hypothesis import strategies as st

ODD_TEXTS = (
    "", " ", ".", "..", "/", "\\", "a//b", "C:x", "\0", "\n", "\x1b[31m", "\u202e", "\ud800",
    "\u00b2",
    "dense_\u00b2", "conv2d_\u0663", "\uff1d1+1", "x" * 300, "9" * 5000, "\U0001f600", "e\u0301",
    "\u0130",
    "~", "%s", "{0}", "<b>", "__class__", "nan", "-0", "1e999", "true", "=1+1", "\ufeff",
    "a" * 70_000,
)  # fmt: skip
TEXTS = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=12))
NUMBERS = st.one_of(
    st.integers(-3, 70),
    st.sampled_from(
        [2**31, 2**63, -(2**63), 2**64, 10**400, 1e308, float("inf"), float("nan"), 0.5]
    ),
    st.integers(),
)
_UNWRITABLE = {
    "@deep": b"[" * 30_000 + b"]" * 30_000,
    "@deeper": b'{"config":' * 5_000 + b"1" + b"}" * 5_000,
    "@unclosed": b"[" * 100_000,
    "@digits": b"9" * 5_000,
    "@surrogate": b'"\\ud800"',
    "@no-utf-8": b'"\xff\xfe"',
}
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.one_of(
    SCALARS,
    st.sampled_from(list(_UNWRITABLE)),
    st.sampled_from([[], {}, [[]], {"": {}}, [None], {"config": []}, {"class_name": 1}]),
    st.lists(SCALARS, max_size=3),
    st.dictionaries(TEXTS, SCALARS, max_size=2),
)
SPECIAL_BYTES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF, 0x0A, 0x22, 0x2E)


# --- bytes --------------------------------------------------------------------------------------


_PLACES = st.integers(0, 2**20 - 1)
"""Where in a content, as a share of its length: writers may give other lengths another time."""

_SIZES = st.integers(1, 64)
_DAMAGES = st.sampled_from(("byte", "special", "bytes", "number", "cut", "drop", "copy"))


@st.composite
def damaged(draw, whole, most=4):
    """The bytes of ``whole``, mostly with something wrong: changed, cut, doubled or moved."""
    content = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, most))):
        place, size = draw(_PLACES) * len(content) >> 20, draw(_SIZES)
        kind = draw(_DAMAGES)
        if kind == "byte":
            bit = draw(st.integers(0, 7))
            content[place : place + 1] = bytes(
                each ^ 1 << bit for each in content[place : place + 1]
            )
        elif kind == "special":
            content[place : place + 1] = bytes([draw(st.sampled_from(SPECIAL_BYTES))])
        elif kind == "bytes":
            content[place : place + size] = draw(st.binary(max_size=8))
        elif kind == "number":
            width = draw(st.sampled_from((2, 4, 8)))
            number = draw(st.sampled_from((0, 1, 2**15, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1)))
            content[place : place + width] = (number % 2 ** (8 * width)).to_bytes(width, "little")
        elif kind == "cut":
            del content[place:]
        elif kind == "drop":
            del content[place : place + size]
        else:
            target = draw(_PLACES) * len(content) >> 20
            content[target:target] = content[place : place + size]
    return bytes(content)


# --- trees --------------------------------------------------------------------------------------


def places(tree, prefix=()):
    """The paths of all nodes of a tree of dictionaries and lists, below its root."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        yield (*prefix, key)
        if isinstance(value, dict | list):
            yield from places(value, (*prefix, key))


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


@st.composite
def changed_tree(draw, trees, most=3):
    """A tree of ``trees`` with some nodes replaced, left out, doubled, moved or nested."""
    tree = copy.deepcopy(draw(trees))
    for _ in range(draw(st.integers(0, most))):
        paths = list(places(tree))
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        parent, key = at(tree, path[:-1]), path[-1]
        change = draw(st.sampled_from(("replace", "replace", "drop", "double", "graft", "nest")))
        if change == "drop":
            del parent[key]
        elif change == "double" and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        elif change == "graft":
            parent[key] = copy.deepcopy(at(tree, draw(st.sampled_from(paths))))
        elif change == "nest":
            parent[key] = nested(parent[key], draw(st.sampled_from((1, 3, 60))))
        else:
            parent[key] = copy.deepcopy(draw(VALUES))  # what is drawn is shared
    return tree


def nested(value, depth):
    for _ in range(depth):
        value = [value]
    return value


def as_json(tree):
    """JSON of any tree; some texts stand for what Python's own writer cannot write."""
    text = json.dumps(tree).encode("utf-8", "surrogatepass")
    for stand_in, piece in _UNWRITABLE.items():
        text = text.replace(json.dumps(stand_in).encode(), piece)
    return text
