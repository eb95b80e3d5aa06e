"""Who is at fault: the harness and its surroundings, or the submission."""

from __future__ import annotations

import signal
import traceback
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Status(StrEnum):
    """How the grading of a submission or of one of its models ended."""

    GRADED = "graded"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    NOT_GRADED = "not_graded"
    HARNESS_ERROR = "harness_error"

    @property
    def is_ours(self) -> bool:
        """Whether the submission is not at fault, so that this is no grade of it."""
        return self in (Status.NOT_GRADED, Status.HARNESS_ERROR)


class HarnessError(Exception):
    """Ours, the user's or the machine's fault: one line that says which file and what to do."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the line alone, unless it stands for a fault of ours."""
        if self.__cause__ is not None:
            return traceback.format_exception(self)
        return [f"{type(self).__name__}: {self}"]


class SubmissionError(Exception):
    """The submission's fault: becomes part of its record, and the batch goes on."""

    status: Status

    reason: str
    """One line for the student."""

    out_of_memory: bool
    """Whether another try, alone on the machine, may end otherwise."""

    saw_images: bool
    """Whether a process of the submission failed that had been shown the images."""

    said: str
    """All that its process printed; strangers may have written it."""

    def __init__(
        self,
        status: Status,
        reason: str,
        *,
        out_of_memory: bool = False,
        saw_images: bool = False,
        said: str = "",
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.out_of_memory = out_of_memory
        self.saw_images = saw_images
        self.said = said


def describe_exit(code: int) -> str:
    """What an exit code says, as `subprocess` has it: below zero for a signal."""
    if code >= 0:
        return f"exit code {code}"
    hint = "; is there enough memory?" if -code == signal.SIGKILL else ""
    return f"it was ended by {signal_name(-code)}{hint}"


def signal_name(number: int) -> str:
    """A signal's name, or its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def blame_harness(make: Callable[[Exception], HarnessError]) -> Iterator[None]:
    """Raise what ``make`` returns in place of any exception that is not a HarnessError yet.

    For libraries that raise other types for each protocol, none of them a submission's fault.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - there is no common type
        raise make(error) from None
