"""What a child prints: kept up to a size, and made safe to show."""

from __future__ import annotations

import re

OUTPUT_BYTES = 64_000

_KEPT_BYTES = OUTPUT_BYTES // 2 - 100  # of the beginning, and of the end
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # window titles, links
    r"|\x1b[@-_]"
)


class CapturedOutput:
    """The beginning and the end of what a child writes to stdout and stderr."""

    def __init__(self) -> None:
        self.open = True
        self._head = b""
        self._tail = b""
        self._total = 0

    def take(self, chunk: bytes) -> None:
        """Add what was read; no bytes at all mean that every writer has closed its end."""
        self.open = bool(chunk)
        self._total += len(chunk)

        room = _KEPT_BYTES - len(self._head)
        self._head += chunk[:room]
        self._tail = (self._tail + chunk[room:])[-_KEPT_BYTES:]

    @property
    def text(self) -> str:
        """At most `OUTPUT_BYTES` of printable text, lines and tabs kept, a gap marked."""
        missing = self._total - len(self._head) - len(self._tail)
        if not missing:
            whole = _make_printable(self._head + self._tail)
            return whole[:OUTPUT_BYTES].decode(errors="ignore")

        head = _make_printable(self._head)[:_KEPT_BYTES].decode(errors="ignore")
        tail = _make_printable(self._tail)[-_KEPT_BYTES:].decode(errors="ignore")
        return f"{head}\n[{missing} bytes left out]\n{tail}"


def _make_printable(output: bytes) -> bytes:
    """Return UTF-8 without terminal escapes, control and direction characters.

    Unlike a name in a record (`harness.records.text`), it keeps its lines.
    """
    text = _ESCAPES.sub("", output.decode(errors="replace"))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t").encode()
