"""What kind of defence a checkpoint is: each family has its own question for an X."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lineage.lineage import THIS_BADNET

if TYPE_CHECKING:
    from harness.records.findings import Lineage
    from harness.records.record import Checkpoint

PRUNED = "pruned"
TUNED = "tuned"
OTHER = "other"
PROGRAM = "program"


def family_of(checkpoint: Checkpoint) -> str | None:
    """The family of a checkpoint's B', or of its G where there is no B'.

    None where nothing was opened, or the weights of a known network were never compared.
    """
    artifact = checkpoint.artifact or checkpoint.goodnet_artifact
    if artifact is None:
        return None
    if artifact.format == "program":
        return PROGRAM
    if artifact.weights_hash is None:
        return OTHER
    if checkpoint.lineage is None:
        return None
    return PRUNED if is_pruned_only(checkpoint.lineage) else TUNED


def is_pruned_only(lineage: Lineage) -> bool:
    """Whether channels were zeroed or removed, in any layer, and nothing else was changed."""
    if lineage.base != THIS_BADNET or lineage.pruned is None:
        return False
    return not any(change.values_changed for change in lineage.changes)
