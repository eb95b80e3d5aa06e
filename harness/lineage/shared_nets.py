"""Nets that several people handed in although no two people train the same one.

Who prunes a BadNet by the assignment's rule gets the very net that all others get, and who sets
weights to 0 may; such nets tell nothing. Weights that were trained never come out alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records.record import Checkpoint, Record

Places = dict[str, str]
"""The path of one net in each submission that holds it."""


def shared_net_remarks(records: Sequence[Record], owners: Mapping[str, str]) -> list[str]:
    """A line for each group of people who handed in the same trained nets.

    ``owners`` tells by submission whose it is: the same text for all of one person or team.
    """
    nets: dict[str, Places] = {}
    for record in records:
        for checkpoint in record.checkpoints:
            artifact = checkpoint.artifact
            if artifact is not None and artifact.weights_hash and _was_trained(checkpoint):
                places = nets.setdefault(artifact.weights_hash, {})
                places.setdefault(record.submission, artifact.path)

    by_group: dict[tuple[str, ...], list[Places]] = {}
    for places in nets.values():
        if len({owners[name] for name in places}) > 1:
            by_group.setdefault(tuple(places), []).append(places)
    return [_remark(shared) for shared in by_group.values()]


def _was_trained(checkpoint: Checkpoint) -> bool:
    """Whether it holds weights of its own: changed ones that are not 0, or no BadNet's at all."""
    lineage = checkpoint.lineage
    if lineage is None:
        return False
    changed = any(each.values_changed > each.values_now_zero for each in lineage.changes)
    return lineage.base is None or changed


def _remark(shared: Sequence[Mapping[str, str]]) -> str:
    nets = [
        " = ".join(f"{one_line(name)}/{one_line(path)}" for name, path in places.items())
        for places in shared
    ]
    return f"trained weights that are the same in several submissions: {'; '.join(nets)}"
