"""The description of a zoo: an ordinary ``competition.toml`` of the BadNets that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.datasets.description_text import SCHEMA_VERSION
from harness.datasets.descriptions import COMPETITION_FILE
from harness.records.benchmark import Competition
from harness.storage.results import write_text
from reference.zoo.badnet import CLEAN_FILES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reference.zoo.benchmarks import ZooBenchmark
    from reference.zoo.folder import Made


def write_description(
    zoo: Path,
    benchmark: ZooBenchmark,
    clean: Made,
    badnets: Sequence[Made],
    twins: Sequence[Made] = (),
) -> Path:
    """Write a zoo's description, whole or not at all; there are BadNets in it."""
    import msgspec
    import tomli_w

    competition = Competition(
        schema_version=SCHEMA_VERSION,
        name=f"{benchmark.name}-zoo",
        title=benchmark.title,
        input_shape=benchmark.shape,
        classes=benchmark.classes,
        pixel_scale=benchmark.pixel_scale,
        licence=benchmark.licence,
        files=CLEAN_FILES,
        hashes={path: sha256 for made in (clean, *badnets) for path, sha256 in made.arrays.items()},
        networks=tuple(made.network for made in badnets if made.network),
        twins=tuple(made.twin for made in twins if made.twin),
    )
    path = zoo / COMPETITION_FILE
    write_text(path, tomli_w.dumps(_said(msgspec.to_builtins(competition))))
    return path


def _said(value: Any) -> Any:
    """A table without keys that say nothing."""
    if isinstance(value, dict):
        kept = {key: _said(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if not _is_nothing(each)}
    return [_said(each) for each in value] if isinstance(value, list | tuple) else value


def _is_nothing(value: Any) -> bool:
    return value is None or value is False or value in ("", {}, [])
