"""Predictions and records on disk: atomic, versioned, content-addressed."""

from __future__ import annotations

import glob
import hashlib
import hmac
import json
import logging
import os
import platform
import re
import secrets
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from harness.records.errors import HarnessError
from harness.records.predictions import decode, encode
from harness.records.record import SCHEMA_VERSION, Probe, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.records.predictions import Answers, Predictions

_log = logging.getLogger(__name__)

PREDICTIONS_VERSION = 1
"""Goes up when a change of the grader changes predictions; older files are then made anew."""

LABELS_VERSION = 1

_LEAST_SECRET_BYTES = 32
_LOOKS_HASHED = re.compile(r"-([0-9a-f]{8}|[0-9a-f]{16})$")
_OLDER_DIGITS = 8
"""Digits of the hash in names of older records."""

_MOST_NAME_BYTES = 150
_UNREADABLE = (OSError, ValueError, KeyError, TypeError)
"""What comes of a file that is no record."""


@dataclass(frozen=True, slots=True)
class StoredAnswers:
    """What one model answers on one set."""

    answers: Answers

    output_count: int
    """Scores for each image; 0 where the model answers labels."""

    inactive: np.ndarray | None
    """Which ``conv_3`` channels are 0 on every image (bool); None for other networks and sets."""


class Store:
    """A results folder: ``predictions/<model>/<set>.npz`` and ``records/<submission>.json``.

    ``labels/<set>.npz`` holds the label of each image, so that predictions can be counted again
    where the data set itself is not at hand.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # --- predictions

    def answers(self, model_key: str, set_hash: str, classes: int) -> StoredAnswers | None:
        """Stored answers over ``classes`` classes; None for none, damaged or older ones."""
        path = self._predictions_path(model_key, set_hash)
        try:
            with np.load(path, allow_pickle=False) as stored:
                version = int(stored["version"])
                if version < PREDICTIONS_VERSION:
                    _log.warning("%s: of an older harness; predicting again", path)
                    return None
                require_known(path, version, PREDICTIONS_VERSION)

                answers = decode(stored["encoded"], classes)
                return StoredAnswers(answers, int(stored["width"]), stored.get("silent"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            # NumPy's own message is about pickles, so only its type is shown.
            _log.warning("%s: damaged (%s); predicting again", path, type(error).__name__)
            return None

    def put_answers(self, model_key: str, set_hash: str, stored: StoredAnswers) -> None:
        """Store what a model answers on one set."""
        arrays = {
            "version": np.array(PREDICTIONS_VERSION),
            "encoded": encode(stored.answers),
            "width": np.array(stored.output_count),
        }
        if stored.inactive is not None:
            arrays["silent"] = stored.inactive
        with replace_file(self._predictions_path(model_key, set_hash)) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def put_predictions(
        self, model_key: str, predictions: Predictions, set_hashes: Mapping[str, str]
    ) -> None:
        """Store what a model answers on several sets, whose hashes are given by name."""
        for name, answers in predictions.answers.items():
            inactive = predictions.inactive if name == "valid" else None
            stored = StoredAnswers(answers, predictions.output_count, inactive)
            self.put_answers(model_key, set_hashes[name], stored)

    def probe(self, model_key: str, set_hashes: Mapping[str, str]) -> Probe | None:
        """How often a model answered otherwise the second time; None for none or a damaged one."""
        import msgspec

        path = self._probe_path(model_key, set_hashes)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Probe)
        except (OSError, msgspec.DecodeError):
            return None

    def put_probe(self, model_key: str, set_hashes: Mapping[str, str], probe: Probe) -> None:
        """Store what was found when a model was asked about these sets."""
        import msgspec

        write_text(self._probe_path(model_key, set_hashes), msgspec.json.encode(probe).decode())

    # --- labels

    def labels(self, set_hash: str) -> np.ndarray | None:
        """Stored labels (N, int64) of the set with this hash; None for none or damaged ones."""
        path = self._labels_path(set_hash)
        try:
            with np.load(path, allow_pickle=False) as stored:
                require_known(path, int(stored["version"]), LABELS_VERSION)
                return np.asarray(stored["labels"], dtype=np.int64)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            _log.warning("%s: damaged (%s)", path, type(error).__name__)
            return None

    def put_labels(self, set_hash: str, labels: np.ndarray) -> None:
        """Store the labels of a set once; those that can be read stay as they are."""
        known = self.labels(set_hash)
        if known is not None and np.array_equal(known, labels):
            return
        arrays = {"version": np.array(LABELS_VERSION), "labels": labels.astype(np.int64)}
        with replace_file(self._labels_path(set_hash)) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def _labels_path(self, set_hash: str) -> Path:
        return self.folder / "labels" / f"{set_hash[:32]}.npz"

    def _predictions_path(self, model_key: str, set_hash: str) -> Path:
        return self.folder / "predictions" / model_key / f"{set_hash[:32]}.npz"

    def _probe_path(self, model_key: str, set_hashes: Mapping[str, str]) -> Path:
        names = "|".join(set_hashes[name] for name in sorted(set_hashes))
        digest = hashlib.sha256(names.encode()).hexdigest()
        return self.folder / "predictions" / model_key / f"probe-{digest[:32]}.json"

    # --- records

    def put_record(self, record: Record) -> Path:
        """Store a record under the submission's name.

        Raises HarnessError where the file of that name holds another submission's record.
        """
        import msgspec

        folder = self.folder / "records"
        path = folder / f"{safe_name(record.submission)}.json"
        if (other := _submission_in(path)) not in (None, record.submission):
            raise HarnessError(f"{path}: holds the record of {other!r}; rename one of the two")
        indented = msgspec.json.format(msgspec.json.encode(_content(record)), indent=2)
        write_text(path, indented.decode() + "\n")

        older = folder / f"{safe_name(record.submission, _OLDER_DIGITS)}.json"
        if older != path and _submission_in(older) == record.submission:
            older.unlink()
        return path

    def records(self) -> list[Record]:
        """All readable records, by submission; others are skipped with a warning."""
        records = []
        for path in sorted((self.folder / "records").glob("*.json")):
            record = self._read_record(path)
            if record is not None:
                records.append(record)

        return sorted(records, key=lambda record: record.submission)

    def any_record(self) -> Record | None:
        """The first readable record; None where there is none. Damaged ones are passed over."""
        for path in sorted((self.folder / "records").glob("*.json")):
            with suppress(*_UNREADABLE):
                return _decode_record(path)
        return None

    def graded_on(self) -> str | None:
        """The day of the newest record, as ``2025-11-03`` in UTC; None where there is none."""
        times = [path.stat().st_mtime for path in (self.folder / "records").glob("*.json")]
        return datetime.fromtimestamp(max(times), UTC).date().isoformat() if times else None

    def _read_record(self, path: Path) -> Record | None:
        try:
            return _decode_record(path)
        except _UNREADABLE as error:
            _log.warning("%s: not a record (%s); skipped", path, error)
            return None

    # --- secrets

    def secret_number(self, purpose: str) -> int:
        """63 bits for a purpose, always the same, which nobody without this folder can guess.

        What is random in grading (the order of images, the probe) follows from one secret of the
        folder, so that an interrupted run ends in the same results as one that was not.
        """
        digest = hmac.digest(self._secret(), purpose.encode(), "sha256")
        return int.from_bytes(digest[:8], "little") >> 1

    def has_secret(self) -> bool:
        """Whether anything was ever graded into this folder."""
        return (self.folder / "secret").is_file()

    def _secret(self) -> bytes:
        path = self.folder / "secret"
        if not path.exists():
            with replace_file(path, private=True) as file:
                file.write(secrets.token_hex(32).encode())
        secret = path.read_bytes()
        if len(secret) < _LEAST_SECRET_BYTES:
            raise HarnessError(
                f"{path}: empty or cut off; delete it, and submissions that ran are graded anew"
            )
        return secret

    # --- reference data

    def reference_path(self, name: str) -> Path:
        """The file of what is known of a BadNet (its curve and rankings), by name."""
        return self.folder / "reference" / f"{name}.json"


def answers_key(model_key: str, pixel_scale: float) -> str:
    """What the answers of a model to pixels of this scale are stored under."""
    return model_key if pixel_scale == 1.0 else f"{model_key}-x{pixel_scale!r}"


def pixel_scale_of(answers_key: str) -> float:
    """The scale of pixels that answers stored under this key are to; see `answers_key`."""
    found = re.search(r"-x(\d[\d.]*(?:e-?\d+)?)", answers_key)
    return float(found[1]) if found else 1.0


def require_known(path: Path, version: int, known: int) -> None:
    """Raise HarnessError for a file that was written by a newer harness than ``known``."""
    if version > known:
        raise HarnessError(
            f"{path}: written by a newer harness (version {version}, this one knows "
            f"{known}); update the harness or choose another --out"
        )


def safe_name(name: str, digits: int = 16) -> str:
    """A file name for any submission name; different names give different file names.

    A plain name stays as it is, unless it looks like the file name of another one.
    """
    plain = re.sub(r"[^\w.-]", "_", name).lstrip(".")[:80] or "_"
    plain = plain.encode()[:_MOST_NAME_BYTES].decode(errors="ignore")
    if plain == name and not _LOOKS_HASHED.search(name):
        return plain
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return f"{plain}-{digest[:digits]}"


def _content(record: Record) -> Record | dict[str, Any]:
    """A record as it is written: without ``robustness`` where that was not asked for."""
    import msgspec

    if record.robustness is not None:
        return record
    content: dict[str, Any] = msgspec.to_builtins(record)
    for each in (content, *content["networks"]):
        del each["robustness"]
    return content


def _submission_in(path: Path) -> str | None:
    """Whose record a file holds; None where it holds none."""
    try:
        name = json.loads(path.read_bytes())["submission"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) else None


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replace_file(path) as file:
        file.write(text.encode())


def _decode_record(path: Path) -> Record:
    """A stored record. Raises `_UNREADABLE`, and HarnessError for one of a newer harness."""
    import msgspec

    content = path.read_bytes()
    version = json.loads(content)["schema_version"]
    require_known(path, version, SCHEMA_VERSION)
    try:
        return msgspec.json.decode(content, type=Record)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


@contextmanager
def replace_file(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """An open file that takes the place of ``path`` when the block ends without error."""
    with replace_path(path) as unfinished, unfinished.open("xb") as file:
        if private:
            unfinished.chmod(0o600)
        yield file


@contextmanager
def replace_path(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place when the block ends without error.

    First removes what processes of this machine left there when they were killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)

    # A hash of the name: with machine and process the name itself could be too long for a file.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    prefix = f".{digest}.{platform.node()}."
    _remove_abandoned(path.parent, prefix)
    unfinished = path.with_name(f"{prefix}{os.getpid()}-{secrets.token_hex(4)}.partial")

    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    for unfinished in folder.glob(f"{glob.escape(prefix)}*.partial"):
        process = int(unfinished.suffixes[-2][1:].split("-")[0])
        try:
            os.kill(process, 0)  # signal 0 only asks whether it is alive
        except ProcessLookupError:
            unfinished.unlink(missing_ok=True)
        except PermissionError:
            pass  # another user's process, which is alive
