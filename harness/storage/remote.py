"""Results at any address: a local folder mirrors it, and what changes there is sent.

Records, predictions and what else is in a results folder are many small files, some of them
memory-mapped or written by children, so all work is done in a real folder: the results folder
itself, or a mirror of the one at an address (``s3://...``, ``sftp://...``: whatever fsspec
knows). What is newer at the address is fetched first; what is newer in the mirror is sent
during grading and at its end. What can be computed again (features) or unpacked again is
never sent.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
import unicodedata
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from harness.records.environment import install_command
from harness.records.errors import HarnessError, blame_harness
from harness.records.text import describe_error, one_line
from harness.storage.results import replace_file, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_PROTOCOL = re.compile(r"([a-z][a-z0-9+.-]+)(://|::)", re.IGNORECASE)

_DRIVE = re.compile(r"[a-z]:", re.IGNORECASE)

_NEVER_SENT = ("features", "fresh", "intake", "sets")
_FOR_GRADING_ONLY = ("reference", "errors")

_OBJECT_STORES = {
    "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "memory",
}  # fmt: skip
"""Where an object appears whole or not at all; elsewhere it is written beside and moved."""

_VERSION_KEYS = (
    "ETag", "etag", "md5Hash", "mtime", "modify", "LastModified", "last_modified", "modified",
    "created", "updated",
)  # fmt: skip
"""Where file systems say which version of a file there is."""

_STATE_FILE = ".mirror.json"
_KEPT_HINT = "; what was to be sent is kept here, and sent by the next command with this address"
_SECONDS_BETWEEN_SENDINGS = 10.0


def is_address(text: str) -> bool:
    """Whether this names results at an address, rather than a folder."""
    return _PROTOCOL.match(text) is not None


@contextmanager
def results_at(address: str, *, for_grading: bool = False) -> Iterator[Results]:
    """The results at a folder's path or an address, ready to be read and written locally.

    ``for_grading`` also fetches what only grading reads. What has changed is sent when the block
    ends, whether or not by an exception. Raises HarnessError with one line.
    """
    protocol = _PROTOCOL.match(address)
    if protocol is None:
        yield Results(Path(address))
        return
    if protocol[1].lower() == "file":
        yield Results(Path(unquote(urlsplit(address).path)))
        return

    mirror = Mirror.open(address)
    try:
        mirror.fetch(for_grading=for_grading)
        if for_grading:
            mirror.require_writable()
        try:
            yield mirror
        finally:
            mirror.send()
    except HarnessError as error:
        raise HarnessError(mirror.with_address(str(error))) from None


@dataclass(slots=True)
class Results:
    """A results folder as it is."""

    folder: Path

    def with_address(self, text: str) -> str:
        """``text`` with the address in place of the folder that mirrors it."""
        return text

    def send_if_due(self) -> None:
        """Called whenever something was written that should outlive this machine."""


@dataclass(slots=True)
class _Versions:
    """The two versions of a file that were the same when they were last compared."""

    remote: str
    """What `_remote_version` says of the file at the address."""

    local: list[int]
    """What `Mirror._local_version` says of the file in the mirror."""


@dataclass(slots=True)
class Mirror(Results):
    """A local folder that mirrors one on a file system of fsspec's."""

    address: str

    filesystem: Any
    """fsspec's file system."""

    root: str
    """The folder's path on that file system."""

    writes_whole_objects: bool
    """Whether no reader ever sees half of a file that is being written."""

    _sent_at: float = field(default_factory=time.monotonic)
    """When changes were last sent, on the monotonic clock."""

    @classmethod
    def open(cls, address: str) -> Mirror:
        """The mirror of an address. Raises HarnessError where that cannot be opened."""
        import platformdirs

        try:
            import fsspec
        except ImportError:
            raise HarnessError(
                f"{_without_password(address)}: needs fsspec: {install_command('remote')}"
            ) from None
        with _blame_address(address):
            filesystem, root = fsspec.core.url_to_fs(address)

        digest = hashlib.sha256(address.encode()).hexdigest()[:24]
        cache = Path(platformdirs.user_cache_dir("backdoor-defence-harness")) / "results" / digest
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)

        protocols = filesystem.protocol
        names = {protocols} if isinstance(protocols, str) else set(protocols)
        return cls(cache, address, filesystem, root.rstrip("/"), bool(names & _OBJECT_STORES))

    def with_address(self, text: str) -> str:
        """``text`` with the address in place of the folder that mirrors it."""
        return text.replace(str(self.folder), _without_password(self.address).rstrip("/"))

    # --- fetching

    def fetch(self, *, for_grading: bool) -> None:
        """Bring the mirror up to date; unsent changes stay, unless the address has newer ones."""
        with _blame_address(self.address), self._lock():
            remote = self._remote_versions(for_grading=for_grading)
            state = self._read_state()
            self._download_newer(remote, state)

            for name in [name for name in state if name not in remote]:
                unchanged = state[name].local == self._local_version(name)
                if unchanged and _is_mirrored(name, for_grading=for_grading):
                    (self.folder / name).unlink(missing_ok=True)
                    del state[name]

            self._write_state(state)

    def _download_newer(self, remote: dict[str, str], state: dict[str, _Versions]) -> None:
        newer = [
            name
            for name, version in remote.items()
            if name not in state or state[name].remote != version
        ]
        if not newer:
            return

        # All in one call: object stores answer many requests at the same time.
        contents = self.filesystem.cat([f"{self.root}/{name}" for name in newer])
        for name in newer:
            with replace_file(self._path_of(name), private=name == "secret") as file:
                file.write(contents[f"{self.root}/{name}"])
            state[name] = _Versions(remote[name], self._local_version(name))

    def _path_of(self, name: str) -> Path:
        """Where a file of the address lies in the mirror. Raises HarnessError for outside of it."""
        path = self.folder / name
        if leaves_folder(name) or not path.resolve().is_relative_to(self.folder.resolve()):
            raise HarnessError(
                f"{_without_password(self.address)}: the key {one_line(name, 200)!r} there is "
                "absolute or leaves the results folder; nothing was fetched: delete it there"
            )
        return path

    def _remote_versions(self, *, for_grading: bool) -> dict[str, str]:
        """The files at the address by name, with what tells one version from another."""
        self.filesystem.invalidate_cache()
        try:
            entries = self.filesystem.find(self.root, detail=True)
        except FileNotFoundError:
            return {}

        versions = {}
        for path, info in entries.items():
            name = path.removeprefix(f"{self.root}/")
            if name in ("", path) or (name.endswith("/") and not leaves_folder(name[:-1])):
                continue  # consoles of object stores mark folders so
            self._path_of(name)
            if _is_mirrored(name, for_grading=for_grading):
                versions[name] = _remote_version(info)
        return versions

    # --- sending

    def require_writable(self) -> None:
        """Raise HarnessError where nothing can be sent, before hours of grading are spent."""
        with _blame_address(self.address):
            self._upload(".probe", b"")
            self.filesystem.rm_file(f"{self.root}/.probe")

    def send_if_due(self) -> None:
        """Send what has changed, unless that was done just now; a failure is left to the end."""
        if time.monotonic() - self._sent_at < _SECONDS_BETWEEN_SENDINGS:
            return
        try:
            self.send()
        except HarnessError:
            self._sent_at = time.monotonic()

    def send(self) -> None:
        """Send what has changed in the mirror. Raises HarnessError; nothing is lost then."""
        with _blame_address(self.address, _KEPT_HINT), self._lock():
            state = self._read_state()
            changed = [
                name
                for name in self._local_names()
                if name not in state or state[name].local != self._local_version(name)
            ]
            try:
                self._upload_all(changed, state)
            finally:
                self._write_state(state)
        self._sent_at = time.monotonic()

    def _upload_all(self, names: list[str], state: dict[str, _Versions]) -> None:
        if not names:
            return
        for name in names:
            # Asked before the file is read: what is written in between is sent next time.
            version = self._local_version(name)
            self._upload(name, (self.folder / name).read_bytes())
            state[name] = _Versions("", version)

        remote = self._remote_versions(for_grading=True)
        for name in names:
            state[name].remote = remote.get(name, "")

    def _upload(self, name: str, content: bytes) -> None:
        path = f"{self.root}/{name}"
        if self.writes_whole_objects:
            self.filesystem.pipe_file(path, content)
            return

        parent, _, last = path.rpartition("/")
        unfinished = f"{parent}/.{last[:80]}-{secrets.token_hex(4)}.partial"
        self.filesystem.makedirs(parent, exist_ok=True)
        self.filesystem.pipe_file(unfinished, content)
        self.filesystem.mv(unfinished, path)

    # --- the mirror

    def _lock(self) -> AbstractContextManager[object]:
        """Keep other processes of this machine from fetching and sending at the same time."""
        from filelock import FileLock

        return FileLock(self.folder / ".lock")

    def _local_names(self) -> list[str]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        names = (path.relative_to(self.folder).as_posix() for path in files)
        return sorted(name for name in names if _is_mirrored(name, for_grading=True))

    def _local_version(self, name: str) -> list[int]:
        """Time of change and size of a file; empty where there is none."""
        try:
            status = (self.folder / name).stat()
        except FileNotFoundError:
            return []
        return [status.st_mtime_ns, status.st_size]

    def _read_state(self) -> dict[str, _Versions]:
        """The versions that were the same when last compared, by the file's name."""
        try:
            state = json.loads((self.folder / _STATE_FILE).read_text(encoding="utf-8"))
            return {name: _Versions(*versions) for name, versions in state.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write_state(self, state: dict[str, _Versions]) -> None:
        content = {name: astuple(versions) for name, versions in state.items()}
        write_text(self.folder / _STATE_FILE, json.dumps(content))


def leaves_folder(name: str) -> bool:
    """Whether a key may name a file outside of a folder, or a file that has another key, too.

    On any system, since results move between them: also with backslashes, a drive, or characters
    that a file system may take for dots and slashes.
    """
    for form in (name, unicodedata.normalize("NFKC", name)):
        parts = form.replace("\\", "/").split("/")
        if any(part in ("", ".", "..") or _DRIVE.match(part) for part in parts):
            return True
    return "\\" in name or "\0" in name


def _is_mirrored(name: str, *, for_grading: bool) -> bool:
    parts = PurePosixPath(name).parts
    if leaves_folder(name) or any(part.startswith(".") for part in parts):
        return False
    if parts[0] in _NEVER_SENT:
        return False
    return for_grading or parts[0] not in _FOR_GRADING_ONLY


def _remote_version(info: dict[str, Any]) -> str:
    """What tells versions of a file apart, from what its file system says of it."""
    marks = [str(info[key]) for key in _VERSION_KEYS if info.get(key) is not None]
    if not marks:
        return secrets.token_hex(8)  # nothing is known, so every file may be another one
    return repr([info.get("size"), *marks])


def _without_password(address: str) -> str:
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", address)


def _blame_address(address: str, hint: str = "") -> AbstractContextManager[None]:
    """Turn what a file system raises into one line: each protocol has its own types."""
    shown = _without_password(address)
    return blame_harness(lambda error: HarnessError(f"{shown}: {describe_error(error)}{hint}"))
