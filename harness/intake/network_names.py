"""Which BadNet of a competition a file is for, as far as its name and its folders tell.

``anonymous_1_repaired_net.h5``, ``Anonymous1/model.h5`` and ``eval_anonymous-1.py`` name the same
one; ``repaired_anonymous.h5`` names none for certain, where there are two.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.benchmark import CompetingNetwork

_PARTS = re.compile(r"[a-z]+|\d+")
_SHORT = 5
"""Letters; a shorter word may be a part of another one."""


class NamedNetworks(NamedTuple):
    """The BadNets that a path names."""

    nearest: tuple[str, ...]
    """By the file's own name, else by the nearest folder's that names any. Several where one name
    fits several; empty where none fits any."""

    anywhere: tuple[str, ...]
    """By any part of the path: ``multi/sunglasses.h5`` may be for either."""


def named_networks(path: str, networks: Sequence[CompetingNetwork]) -> NamedNetworks:
    """The BadNets that the path of a file names."""
    spellings = {network.name: _spellings(network, networks) for network in networks}
    place = PurePosixPath(path)
    levels = [
        tuple(
            name
            for name, words in spellings.items()
            if any(_pattern(word).search(part.lower()) for word in words)
        )
        for part in (place.name, *(folder.name for folder in place.parents))
    ]
    anywhere = dict.fromkeys(name for level in levels for name in level)
    return NamedNetworks(next(filter(None, levels), ()), tuple(anywhere))


def network_called(name: str, networks: Sequence[CompetingNetwork]) -> str | None:
    """The BadNet that somebody means by a name, in whatever spelling; None for none of them."""
    for network in networks:
        for word in _spellings(network, networks):
            if _PARTS.findall(name.lower()) == _PARTS.findall(word.lower()):
                return network.name
    return None


def _spellings(network: CompetingNetwork, networks: Sequence[CompetingNetwork]) -> list[str]:
    """Its name, what else it is called, and its first word where no other begins with it."""
    first = _PARTS.findall(network.name.lower())[:1]
    rivals = [_PARTS.findall(each.name.lower())[:1] for each in networks if each is not network]
    return [network.name, *network.aliases, *(first if first not in rivals else [])]


@cache
def _pattern(word: str) -> re.Pattern[str]:
    """Where a word stands in a name, whatever separates its parts."""
    parts = _PARTS.findall(word.lower())
    joined = r"[^a-z0-9]*".join(parts)
    is_short = sum(map(len, parts)) < _SHORT
    before = r"(?<![a-z])" if is_short else ""
    after = r"(?!\d)" if parts and parts[-1].isdigit() else ""
    if is_short and not after:
        after = r"(?![a-z])"
    return re.compile(f"{before}{joined}{after}" if parts else r"(?!)")
