"""Ask a defence for its settings, in a child that holds nothing but its code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.inference.defences import settings_reader
from harness.inference.defences.running import CODE
from harness.inference.sandboxed import submission_error
from harness.records.errors import Status, SubmissionError
from harness.sandbox import launch

if TYPE_CHECKING:
    from harness.inference.defences.settings import Value

_READER = Path(settings_reader.__file__)
_SECONDS = 60.0
"""Enough for the import of what a defence needs."""


def declared_settings(
    code: Path, file: str, sandbox: str | None, memory_bytes: int
) -> dict[str, Value]:
    """The settings of the defence in ``code`` and their defaults. Raises SubmissionError."""
    inputs = launch.Inputs(readable={CODE: code.resolve()})
    limits = launch.Limits(
        start_seconds=_SECONDS,
        wall_seconds=_SECONDS,
        cpu_seconds=int(4 * _SECONDS),
        memory_bytes=memory_bytes,
    )
    try:
        with launch.start(
            _READER, (CODE, file), inputs=inputs, limits=limits, sandbox=sandbox
        ) as child:
            header = child.ask(b"1", settings_reader.SIZE.size)
            (size,) = settings_reader.SIZE.unpack(header)
            if size > settings_reader.MOST_BYTES:
                raise SubmissionError(Status.REJECTED, f"{file}: its settings are too long")
            content = child.ask(b"1", size)
            child.finish()
    except launch.ChildFailure as failure:
        raise submission_error(
            failure, refusal=f"{file} cannot be imported", subject=f"{file}: ", saw_images=False
        ) from None
    return _decode(content, file)


def _decode(content: bytes, file: str) -> dict[str, Value]:
    """What the child says, which may be a stranger's code by now."""
    import msgspec

    try:
        settings = msgspec.json.decode(content, type=dict[str, bool | int | float | str])
    except msgspec.DecodeError:
        raise SubmissionError(Status.REJECTED, f"{file}: its settings cannot be read") from None
    return {name: value for name, value in settings.items() if name.isidentifier()}
