"""Results at any address: a local folder stands in for it, and what changes is sent there.

Records, predictions and what else is in a results folder are many small files, some of them
memory-mapped or written by children, so all work is done in a real folder: the results folder
itself, or a cache of the one at an address (``s3://...``, ``sftp://...``: whatever fsspec knows).
What is newer there is fetched first, what is newer here is sent while grading goes on and at the
end. What can be computed again (features) or unpacked again stays here.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from harness.records.errors import HarnessError
from harness.storage.results import replaced_file, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROTOCOL = re.compile(r"([a-z][a-z0-9+.-]+)(://|::)", re.IGNORECASE)
_LOCAL = ("features", "intake", "sets")
_WORK = ("predictions", "reference", "errors")
"""What only grading reads."""
# There, an object appears whole or not at all; elsewhere it is written beside and moved.
_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "memory"}
_VERSION = ("ETag", "etag", "md5Hash", "mtime", "modify", "LastModified", "last_modified",
            "modified", "created", "updated")  # fmt: skip
_STATE = ".mirror.json"
_STILL_HERE = "; what was to be sent is kept here, and sent by the next command with this address"
_SECONDS_BETWEEN_SENDINGS = 10.0


@contextmanager
def results_at(address: str, *, work: bool = False) -> Iterator[Results]:
    """The results at a folder's path or an address, ready to be read and written locally.

    With ``work`` also what grading itself needs of earlier runs. What has changed is sent when
    the block ends, however it ends. Raises HarnessError with one line.
    """
    protocol = _PROTOCOL.match(address)
    if protocol is None or protocol[1].lower() == "file":
        path = unquote(urlsplit(address).path) if protocol else address
        yield Results(Path(path))
        return
    mirror = Mirror.of(address)
    try:
        mirror.fetch(work=work)
        if work:
            mirror.require_writable()
        try:
            yield mirror
        finally:
            mirror.send()
    except HarnessError as error:
        raise HarnessError(mirror.named(str(error))) from None


@dataclass(slots=True)
class Results:
    """A results folder as it is."""

    folder: Path

    def named(self, text: str) -> str:
        """``text`` with the address in place of the folder that stands for it."""
        return text

    def kept(self) -> None:
        """Called whenever something was written that should outlive this machine."""


@dataclass(slots=True)
class Mirror(Results):
    """A local folder that stands for ``root`` on a file system of fsspec's."""

    address: str
    filesystem: Any
    root: str
    whole: bool
    _sent: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, address: str) -> Mirror:
        """The mirror of an address. Raises HarnessError where it cannot be opened."""
        import platformdirs

        try:
            import fsspec
        except ImportError:
            raise HarnessError(
                f"{_shown(address)}: needs fsspec: pip install 'backdoor-defence-harness[remote]'"
            ) from None
        with _one_line(address):
            filesystem, root = fsspec.core.url_to_fs(address)
        digest = hashlib.sha256(address.encode()).hexdigest()[:24]
        cache = Path(platformdirs.user_cache_dir("backdoor-defence-harness")) / "results" / digest
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        protocols = filesystem.protocol
        names = {protocols} if isinstance(protocols, str) else set(protocols)
        return cls(cache, address, filesystem, root.rstrip("/"), bool(names & _WHOLE))

    def named(self, text: str) -> str:
        """``text`` with the address in place of the folder that stands for it."""
        return text.replace(str(self.folder), _shown(self.address).rstrip("/"))

    # --- from there

    def fetch(self, *, work: bool) -> None:
        """Bring the folder up to date; what was not sent yet stays, unless it is newer there."""
        with _one_line(self.address), self._alone():
            there = self._listed(work=work)
            state = self._state()
            newer = [n for n, seen in there.items() if n not in state or state[n][0] != seen]
            # All in one call: object stores answer many requests at the same time.
            contents = self.filesystem.cat([f"{self.root}/{n}" for n in newer]) if newer else {}
            for name in newer:
                with replaced_file(self.folder / name, private=name == "secret") as file:
                    file.write(contents[f"{self.root}/{name}"])
                state[name] = [there[name], self._here(name)]
            for name in [name for name in state if name not in there]:
                if _wanted(name, work=work) and state[name][1] == self._here(name):
                    (self.folder / name).unlink(missing_ok=True)
                    del state[name]
            self._keep_state(state)

    def _listed(self, *, work: bool) -> dict[str, str]:
        """Files there with what tells one version from another."""
        self.filesystem.invalidate_cache()
        try:
            found = self.filesystem.find(self.root, detail=True)
        except FileNotFoundError:
            return {}
        below = f"{self.root}/"
        names = {p.removeprefix(below): info for p, info in found.items() if p.startswith(below)}
        return {name: _identity(info) for name, info in names.items() if _wanted(name, work=work)}

    # --- to there

    def require_writable(self) -> None:
        """Raise HarnessError where nothing can be sent, before hours of work find it out."""
        with _one_line(self.address):
            self._put(".probe", b"")
            self.filesystem.rm_file(f"{self.root}/.probe")

    def kept(self) -> None:
        """Send what has changed, if that was not done just now; a failure can wait for the end."""
        if time.monotonic() - self._sent < _SECONDS_BETWEEN_SENDINGS:
            return
        try:
            self.send()
        except HarnessError:
            self._sent = time.monotonic()

    def send(self) -> None:
        """Send what has changed here. Raises HarnessError; it is then still here."""
        with _one_line(self.address, _STILL_HERE), self._alone():
            state = self._state()
            changed = [n for n in self._names() if n not in state or state[n][1] != self._here(n)]
            try:
                for name in changed:
                    here = self._here(name)
                    self._put(name, (self.folder / name).read_bytes())
                    state[name] = ["", here]
                if changed:
                    there = self._listed(work=True)
                    state |= {n: [there.get(n, ""), state[n][1]] for n in changed}
            finally:
                self._keep_state(state)
        self._sent = time.monotonic()

    def _names(self) -> list[str]:
        paths = (p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*")
                 if p.is_file())  # fmt: skip
        return sorted(name for name in paths if _wanted(name, work=True))

    def _put(self, name: str, content: bytes) -> None:
        path = f"{self.root}/{name}"
        if self.whole:
            self.filesystem.pipe_file(path, content)
            return
        parent, _, last = path.rpartition("/")
        unfinished = f"{parent}/.{last[:80]}-{secrets.token_hex(4)}.partial"
        self.filesystem.makedirs(parent, exist_ok=True)
        self.filesystem.pipe_file(unfinished, content)
        self.filesystem.mv(unfinished, path)

    # --- what was the same when

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes of this machine from fetching and sending at the same time."""
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _here(self, name: str) -> list[int]:
        try:
            found = (self.folder / name).stat()
        except FileNotFoundError:
            return []
        return [found.st_mtime_ns, found.st_size]

    def _state(self) -> dict[str, list[Any]]:
        try:
            state = json.loads((self.folder / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def _keep_state(self, state: dict[str, list[Any]]) -> None:
        write_text(self.folder / _STATE, json.dumps(state))


def _wanted(name: str, *, work: bool) -> bool:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or any(part.startswith(".") for part in parts):
        return False
    return parts[0] not in _LOCAL and (work or parts[0] not in _WORK)


def _identity(info: dict[str, Any]) -> str:
    told = [str(info[key]) for key in _VERSION if info.get(key) is not None]
    # Where a file system tells no versions, every file may be another one.
    return repr([info.get("size"), *told]) if told else secrets.token_hex(8)


def _shown(address: str) -> str:
    """An address without its password."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", address)


@contextmanager
def _one_line(address: str, hint: str = "") -> Iterator[None]:
    """Turn what a file system raises into one line: each protocol has its own kinds."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001
        lines = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {lines[0]}".rstrip(": ")
        raise HarnessError(f"{_shown(address)}: {reason}{hint}") from None
