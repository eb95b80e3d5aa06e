"""Folders and archives written by a test, and what the harness makes of them."""

import io
import tarfile
import zipfile

import pytest

from harness.intake.entries import Entry, prepare_folder
from harness.records.errors import Status, SubmissionError

SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".tar")


def write_zip(path, files):
    """A zip of (name or ZipInfo, bytes) pairs, in order, repetitions kept."""
    pairs = files.items() if isinstance(files, dict) else files
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in pairs:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return path


def write_tar(path, files):
    """A tar of (name or TarInfo, bytes) pairs, packed as its name says."""
    pairs = files.items() if isinstance(files, dict) else files
    packed = {".tar": "", ".gz": "gz", ".tgz": "gz", ".xz": "xz", ".txz": "xz"}
    mode = f"w:{packed.get(path.suffix, 'bz2')}"
    with tarfile.open(path, mode) as archive:
        for name, content in pairs:
            information = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            information.size = len(content)
            archive.addfile(information, io.BytesIO(content))
    return path


def write_archive(path, files):
    return (write_zip if path.suffix == ".zip" else write_tar)(path, files)


def tar_entry(name, kind, target=""):
    information = tarfile.TarInfo(name)
    information.type, information.linkname = kind, target
    return information


def zip_entry(name, mode):
    information = zipfile.ZipInfo(name)
    information.create_system, information.external_attr = 3, mode << 16
    return information


def file_contents(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def prepare(archive, scratch, name="entry"):
    return prepare_folder(Entry(name, archive), scratch)


def refusal_of(archive, scratch):
    with pytest.raises(SubmissionError) as caught:
        prepare(archive, scratch)
    assert caught.value.status is Status.REJECTED
    assert caught.value.reason.isprintable()
    return caught.value.reason


def zip_bytes(tmp_path, files):
    return write_zip(tmp_path / "inner.zip", files).read_bytes()


def folder_with(tmp_path, *names):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path
