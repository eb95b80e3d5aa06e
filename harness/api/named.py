"""Submissions of a results folder, found by their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from harness.records.errors import HarnessError
from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str:
        """The name."""
        ...


_Each = TypeVar("_Each", bound=Named)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Submissions(Generic[_Each]):
    """Submissions in the order of the leaderboard; one of them is found by its name."""

    submissions: tuple[_Each, ...]

    def __len__(self) -> int:
        return len(self.submissions)

    def __iter__(self) -> Iterator[_Each]:
        return iter(self.submissions)

    def __contains__(self, name: object) -> bool:
        return any(each.name == name for each in self.submissions)

    def __getitem__(self, name: str) -> _Each:
        for each in self.submissions:
            if each.name == name:
                return each
        names = ", ".join(one_line(each.name) for each in self.submissions)
        raise HarnessError(f"no submission {one_line(str(name))!r} in these results; {names}")
