"""Which settings a defence is run with: what was asked for, checked before anything is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.datasets.zoos import setting_name
from harness.grading.defences.code import declared_defence
from harness.grading.models import required_sandbox
from harness.inference.defences.declared_settings import declared_settings
from harness.inference.defences.settings import SettingError, read_value, text_of
from harness.intake.entries import Entry
from harness.records.errors import HarnessError, SubmissionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.grading.context import Options
    from harness.grading.defences.code import NamedDefence
    from harness.inference.defences.settings import Value


def choose_settings(
    found: Sequence[NamedDefence], staged: Sequence[Entry], options: Options
) -> list[Entry]:
    """The staged defences, each under the name that it has with its settings, each once.

    A setting that has its default is none. Raises HarnessError for what a defence cannot be set
    to, with its settings.
    """
    known: dict[str, dict[str, Value]] = {}
    chosen: dict[str, Entry] = {}
    differs: dict[str, bool] = {}
    for defence, entry in zip(found, staged, strict=True):
        if defence.settings and defence.name not in known:
            known[defence.name] = _declared(defence, entry.path, options)
        texts = _texts(defence, known[defence.name]) if defence.settings else {}
        name = setting_name(entry.name, texts)
        chosen.setdefault(name, Entry(name, entry.path))
        if defence.is_varied:
            differs[defence.asked] = differs.get(defence.asked, False) or bool(texts)

    for asked in (each for each, other in differs.items() if not other):
        raise HarnessError(f"{asked}: that is the default, which is run in any case; name others")
    return list(chosen.values())


def _declared(defence: NamedDefence, folder: Path, options: Options) -> dict[str, Value]:
    """The settings that a defence has, and their defaults."""
    try:
        file = declared_defence(folder).file
        sandbox = required_sandbox(options.isolation, "a defence")
        return declared_settings(folder, file, sandbox, options.model_memory_bytes)
    except SubmissionError as error:
        raise HarnessError(f"{defence.asked}: its settings are not known: {error.reason}") from None


def _texts(defence: NamedDefence, settings: Mapping[str, Value]) -> dict[str, str]:
    """Those that are not to have their defaults, as texts."""
    texts = {}
    for name, text in defence.settings:
        try:
            value = read_value(name, text, settings)
        except SettingError as error:
            raise HarnessError(f"{defence.asked}: {error}") from None
        if value != settings[name]:
            texts[name] = text_of(value)
    return texts
