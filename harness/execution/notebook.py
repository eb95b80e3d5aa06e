"""Progress in a notebook: one line below the cell, which is written anew."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.execution.progress import Display, show_progress
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.execution.progress import Event

_SECONDS_BETWEEN = 0.25


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return getattr(shell, "kernel", None) is not None


@contextmanager
def show_call_progress(*, quiet: bool = False) -> Iterator[Display]:
    """Progress of a call: one line in a notebook, as for a command elsewhere."""
    if quiet or not in_notebook():
        with show_progress(quiet=quiet) as display:
            yield display
        return
    shown = _NotebookDisplay()
    try:
        yield shown
    finally:
        shown.close()


class _NotebookDisplay(Display):
    """Shows the stage and how much of it is done."""

    def __init__(self) -> None:
        self._line: Any = None  # IPython's handle of what is shown
        self._stage = ""
        self._shown_at = 0.0

    def stage(self, submission: str, what: str) -> None:
        self._stage = f"{submission}: {what}"
        self._show(self._stage)

    def images(self, done: int, total: int) -> None:
        if time.monotonic() - self._shown_at > _SECONDS_BETWEEN or done == total:
            self._show(f"{self._stage} ({done / total:.0%})")

    def message(self, line: str) -> None:
        print(one_line(line), flush=True)

    def show_event(self, event: Event) -> None:
        getattr(self, event.name)(*event.arguments)

    def close(self) -> None:
        """Empty the line: the result takes its place."""
        if self._line is not None:
            self._show("")

    def _show(self, text: str) -> None:
        from IPython.display import display

        self._shown_at = time.monotonic()
        shown = _Line(one_line(text))
        if self._line is None:
            self._line = display(shown, display_id=True)
        else:
            self._line.update(shown)


class _Line:
    """A text that IPython shows as it is, without quotation marks."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text
