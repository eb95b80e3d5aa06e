"""Pickles read as data: opcode by opcode, by a machine that can build nothing but containers.

Python's own unpickler imports what a pickle names and calls it; that is how such a file runs code.
This one imports nothing and calls nothing of a file's choosing. A name is looked up in a table
that the caller gives; what is not in it ends the reading. Values of a few well-known classes,
which checkpoints carry beside the weights, become `Opaque`: nothing is made of them.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from harness.networks.keras_files.layers import RejectedFileError

MAX_PICKLE_BYTES = 8 << 20
_STACK_IS_EMPTY = "its pickle takes more from its stack than it has put there"
_MAX_OPCODES = 1_000_000


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something that a pickle names and that is not made here."""

    name: str


@dataclass(frozen=True, slots=True)
class Builder:
    """What stands for a function that a pickle may call: one of ours, which builds data."""

    call: Callable[..., Any]

    least: int
    most: int
    """Arguments that it takes."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a pickle may refer to."""

    find: Callable[[str], Any]
    """An `Opaque`, a `Builder` or plain data for a dotted name. Raises RejectedFileError."""

    load: Callable[[Any], Any]
    """What a persistent id stands for. Raises RejectedFileError."""


def read_pickle(file: IO[bytes], vocabulary: Vocabulary) -> Any:
    """The value of the pickle that begins at the file's place, which is then behind it.

    Raises RejectedFileError, and errors of many types for what is damaged.
    """
    machine = _Machine(vocabulary)
    capped: Any = _Capped(file)
    for count, (opcode, argument, _) in enumerate(pickletools.genops(capped)):
        if count > _MAX_OPCODES:
            raise RejectedFileError("its pickle is longer than that of any model")
        if opcode.name == "STOP":
            return machine.top()
        step = _STEPS.get(opcode.name)
        if step is None:
            raise RejectedFileError(
                f"its pickle has the opcode {opcode.name}, for which weights alone have no use"
            )
        step(machine, argument)
    raise RejectedFileError("its pickle has no end; save it again")


class _Capped:
    """A file of which no more is read than a pickle may have."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = MAX_PICKLE_BYTES

    def read(self, size: int) -> bytes:
        return self._taken(self._file.read(min(size, self._left + 1)))

    def readline(self) -> bytes:
        return self._taken(self._file.readline(self._left + 1))

    def _taken(self, content: bytes) -> bytes:
        self._left -= len(content)
        if self._left < 0:
            raise RejectedFileError(f"its pickle is larger than {MAX_PICKLE_BYTES >> 20} MiB")
        return content


class _Machine:
    """A stack, the stacks that marks have put aside, and what was memorised."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.stack: list[Any] = []
        self.aside: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def ignore(self, _: Any) -> None:
        """Believe nothing of a version or of the length of what follows."""

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def top(self) -> Any:
        if not self.stack:
            raise RejectedFileError(_STACK_IS_EMPTY)
        return self.stack[-1]

    def pop(self) -> Any:
        if not self.stack:
            raise RejectedFileError(_STACK_IS_EMPTY)
        return self.stack.pop()

    def mark(self, _: Any) -> None:
        self.aside.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        """What was pushed since the last mark, which is gone."""
        if not self.aside:
            raise RejectedFileError(_STACK_IS_EMPTY)
        items, self.stack = self.stack, self.aside.pop()
        return items

    def last_two(self) -> list[Any]:
        """What was pushed last, and before it."""
        value, key = self.pop(), self.pop()
        return [key, value]

    def drop(self, _: Any) -> None:
        self.pop()

    def drop_marked(self, _: Any) -> None:
        self.since_mark()

    def memorise(self, number: int) -> None:
        self.memo[number] = self.top()

    def memorise_next(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.top()

    def recall(self, number: int) -> None:
        if number not in self.memo:
            raise RejectedFileError("its pickle recalls what it has not memorised")
        self.push(self.memo[number])

    # --- containers ---------------------------------------------------------------------------

    def push_tuple(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target += items
        elif not isinstance(target, Opaque | set):
            raise RejectedFileError("its pickle appends to what is no list")

    def set_items(self, items: list[Any]) -> None:
        target, pairs = self.top(), _pairs(items)
        if isinstance(target, dict):
            target.update(pairs)
        elif not isinstance(target, Opaque):
            raise RejectedFileError("its pickle sets items of what is no dictionary")

    # --- names and calls ----------------------------------------------------------------------

    def find(self, name: str) -> None:
        self.push(self.vocabulary.find(name.replace(" ", ".")))

    def find_on_stack(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise RejectedFileError("its pickle names something without a text")
        self.push(self.vocabulary.find(f"{module}.{name}"))

    def call(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(arguments, tuple):
            raise RejectedFileError("its pickle calls something without arguments")
        if isinstance(function, Opaque):
            self.push(function)
        elif isinstance(function, Builder):
            if not function.least <= len(arguments) <= function.most:
                raise RejectedFileError("its pickle calls something with too few or many arguments")
            self.push(function.call(*arguments))
        else:
            raise RejectedFileError("its pickle calls what is no function")

    def set_state(self, _: Any) -> None:
        """Leave out what an object would be given beside its items."""
        self.pop()
        if not isinstance(self.top(), Opaque | dict):
            raise RejectedFileError("its pickle gives a state to what has none")

    def load(self, identity: Any) -> None:
        self.push(self.vocabulary.load(identity))


def _pairs(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Keys and values by turns; a key is a text or a number, as those of weights are."""
    if len(items) % 2:
        raise RejectedFileError("its pickle has a key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Hashing a deep tuple, as a dictionary does with its keys, overflows Python's own stack.
        if type(key) not in (str, int):
            raise RejectedFileError("its pickle has a dictionary whose keys are no texts")
        yield key, value


def dictionary(pairs: Any = ()) -> dict[Any, Any]:
    """What stands for ``OrderedDict``: a dictionary of some pairs, or of none."""
    if isinstance(pairs, dict):
        return dict(pairs)
    is_list = isinstance(pairs, list | tuple)
    if not is_list or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        raise RejectedFileError("its pickle makes a dictionary of what are no pairs")
    return dict(_pairs([each for pair in pairs for each in pair]))


_Step = Callable[[_Machine, Any], None]

_PUSHES = (
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
)  # fmt: skip
"""Opcodes whose argument is the value."""

_STEPS: Mapping[str, _Step] = {
    **dict.fromkeys(("PROTO", "FRAME"), _Machine.ignore),
    **dict.fromkeys(_PUSHES, _Machine.push),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "MARK": _Machine.mark,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_marked,
    "DUP": lambda machine, _: machine.push(machine.top()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(set()),
    "LIST": lambda machine, _: machine.push(machine.since_mark()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.push_tuple(1),
    "TUPLE2": lambda machine, _: machine.push_tuple(2),
    "TUPLE3": lambda machine, _: machine.push_tuple(3),
    "DICT": lambda machine, _: machine.push(dict(_pairs(machine.since_mark()))),
    "FROZENSET": lambda machine, _: machine.push(Opaque(f"{len(machine.since_mark())} items")),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "ADDITEMS": lambda machine, _: machine.append(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.last_two()),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    "GLOBAL": _Machine.find,
    "STACK_GLOBAL": _Machine.find_on_stack,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.set_state,
    "BINPERSID": lambda machine, _: machine.load(machine.pop()),
    "PUT": _Machine.memorise,
    "BINPUT": _Machine.memorise,
    "LONG_BINPUT": _Machine.memorise,
    "MEMOIZE": _Machine.memorise_next,
    "GET": _Machine.recall,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
}
"""What the machine does for each opcode that it knows."""
