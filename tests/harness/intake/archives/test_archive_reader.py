"""What a zip or tar holds, told by the child that reads it: honest, damaged and hostile ones."""

import bz2
import gzip
import lzma
import os
import stat
import struct
import subprocess
import sys
import tarfile
import zlib

import pytest
from archives import (
    SUFFIXES,
    file_contents,
    prepare,
    refusal_of,
    tar_entry,
    write_archive,
    write_tar,
    write_zip,
    zip_entry,
)

from harness.intake.archives import archive_reader


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (tar_entry("model.h5", tarfile.SYMTYPE, "/etc/passwd"), "model.h5: a link; hand in"),
        (tar_entry("model.h5", tarfile.LNKTYPE, "../../answers"), "model.h5: a link; hand in"),
        (tar_entry("model.h5", tarfile.FIFOTYPE), "model.h5: not a regular file"),
        (tar_entry("model.h5", tarfile.CHRTYPE), "model.h5: not a regular file"),
        (tar_entry("model.h5", tarfile.BLKTYPE), "model.h5: not a regular file"),
        (tar_entry("model.h5", b"Z"), "model.h5: not a regular file"),
        (zip_entry("model.h5", stat.S_IFLNK | 0o777), "model.h5: a link; hand in"),
        (zip_entry("model.h5", stat.S_IFIFO | 0o644), "model.h5: not a regular file"),
        (zip_entry("model.h5", stat.S_IFBLK | 0o644), "model.h5: not a regular file"),
    ],
)
def test_links_and_devices_are_refused(tmp_path, scratch, entry, reason):
    suffix = ".tar.gz" if isinstance(entry, tarfile.TarInfo) else ".zip"
    archive = write_archive(tmp_path / f"a{suffix}", [("ok.h5", b"x"), (entry, b"")])
    assert reason in refusal_of(archive, scratch)


def test_sparse_members_are_refused(tmp_path, scratch):
    sparse = tarfile.TarInfo("model.h5")
    sparse.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(8 << 30)}
    archive = write_tar(tmp_path / "a.tar", [(sparse, b"x")])
    assert "not a regular file" in refusal_of(archive, scratch)


def with_size(archive, size):
    """The zip with another uncompressed size in its local and central headers."""
    content = bytearray(archive.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, content.index(b"PK\x03\x04") + 22, size)
    struct.pack_into("<I", content, central + 24, size)
    archive.write_bytes(content)
    return archive


@pytest.mark.parametrize("size", [10, 0, 5_000_001, 0xFFFFFFF0])
def test_sizes_that_lie_are_found_out(tmp_path, scratch, size):
    archive = write_zip(tmp_path / "a.zip", {"b.h5": bytes(5_000_000)})
    reason = refusal_of(with_size(archive, size), scratch)
    assert reason.startswith("b.h5: damaged")


def test_a_tar_header_that_asks_for_all_memory_is_refused(tmp_path, scratch):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 6 << 30
    archive = tmp_path / "a.tar"
    with archive.open("wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(6 << 30)
    assert "memory" in refusal_of(archive, scratch)


def test_an_encrypted_zip_is_refused(tmp_path, scratch):
    archive = write_zip(tmp_path / "a.zip", {"b.h5": b"secret"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert refusal_of(archive, scratch) == "b.h5: encrypted; pack it without a password"


def test_a_name_in_no_encoding_is_kept_byte_for_byte(tmp_path, scratch):
    name = os.fsdecode(b"m\xff\xfe.h5")
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo(name))
    folder = prepare(archive, scratch)
    assert [path.name for path in folder.iterdir()] == [name]


def test_a_nul_does_not_hide_the_rest_of_a_name(tmp_path, scratch):
    archive = write_zip(tmp_path / "a.zip", {"b2.h5_.txt": b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"b2.h5_.txt", b"b2.h5\0.txt"))
    assert "no name that a file can have" in refusal_of(archive, scratch)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7])
def test_a_truncated_archive_is_refused_and_not_half_graded(tmp_path, scratch, suffix, share):
    files = {f"b{index}.h5": os.urandom(20_000) for index in range(8)}
    archive = write_archive(tmp_path / f"a{suffix}", files)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    refusal_of(archive, scratch)


def test_a_tar_cut_between_two_members_is_refused(tmp_path, scratch):
    archive = write_tar(tmp_path / "a.tar", {"b2.h5": bytes(512), "b4.h5": bytes(512)})
    archive.write_bytes(archive.read_bytes()[:1024])
    assert "not a readable zip or tar archive" in refusal_of(archive, scratch)


def test_a_tar_damaged_in_the_middle_is_refused(tmp_path, scratch):
    archive = write_tar(tmp_path / "a.tar", {"b2.h5": bytes(512), "b4.h5": bytes(512)})
    content = bytearray(archive.read_bytes())
    content[1024 + 5] ^= 0xFF
    archive.write_bytes(content)
    assert "not a readable zip or tar archive" in refusal_of(archive, scratch)


def test_a_flipped_byte_is_found_by_the_checksum(tmp_path, scratch):
    content = write_tar(tmp_path / "a.tar", {"b2.h5": os.urandom(5000)}).read_bytes()
    packed_bytes = bytearray(gzip.compress(content))
    struct.pack_into("<I", packed_bytes, len(packed_bytes) - 8, zlib.crc32(content) ^ 1)
    archive = tmp_path / "a.tgz"
    archive.write_bytes(packed_bytes)
    assert "not a readable" in refusal_of(archive, scratch)


# --- bzip2 and xz -------------------------------------------------------------------------------

PACK = {".tar.bz2": bz2.compress, ".tar.xz": lzma.compress}


@pytest.mark.parametrize("suffix", PACK)
def test_what_was_packed_in_parallel_is_several_streams(tmp_path, scratch, suffix):
    content = write_tar(tmp_path / "a.tar", {"b2.h5": bytes(300_000), "b4.h5": b"4"}).read_bytes()
    parts = [content[:100], content[100:200_000], content[200_000:]]
    archive = tmp_path / f"a{suffix}"
    archive.write_bytes(b"".join(map(PACK[suffix], parts)))
    assert file_contents(prepare(archive, scratch)) == {"b2.h5": bytes(300_000), "b4.h5": b"4"}


def test_xz_may_be_padded(tmp_path, scratch):
    content = write_tar(tmp_path / "a.tar", {"b2.h5": b"2"}).read_bytes()
    archive = tmp_path / "a.txz"
    packed = lzma.compress(content[:512]) + bytes(100_000) + lzma.compress(content[512:])
    archive.write_bytes(packed + bytes(8))
    assert file_contents(prepare(archive, scratch)) == {"b2.h5": b"2"}


@pytest.mark.parametrize("suffix", PACK)
def test_the_end_of_a_packed_tar_is_checked_too(tmp_path, scratch, suffix):
    content = write_tar(tmp_path / "a.tar", {"b2.h5": os.urandom(5000)}).read_bytes()
    archive = tmp_path / f"a{suffix}"
    whole = PACK[suffix](content)
    flipped = bytes([whole[2000] ^ 1])
    damaged = (whole[:-3], whole + b"more", whole[:2000] + flipped + whole[2001:])
    for index, packed in enumerate(damaged):
        archive.write_bytes(packed)
        refusal_of(archive, scratch / str(index))


def with_dictionary(packed, code):
    """The xz file with another size of the dictionary in the header of its first block."""
    content = bytearray(packed)
    end = 12 + (content[12] + 1) * 4
    assert content[14:16] == b"\x21\x01"  # LZMA2, with one byte: the size
    content[16] = code
    struct.pack_into("<I", content, end - 4, zlib.crc32(content[12 : end - 4]))
    return bytes(content)


def test_an_xz_header_that_asks_for_too_much_memory_is_refused(tmp_path, scratch):
    packed = lzma.compress(write_tar(tmp_path / "a.tar", {"b2.h5": b"2"}).read_bytes())
    archive = tmp_path / "a.tar.xz"
    archive.write_bytes(with_dictionary(packed, 28))  # 64 MiB, as xz -9 asks for
    assert file_contents(prepare(archive, scratch / "good")) == {"b2.h5": b"2"}
    for code in (32, 39, 40):  # 256 MiB, 3 and 4 GiB
        archive.write_bytes(with_dictionary(packed, code))
        assert "Memory usage limit" in refusal_of(archive, scratch / str(code))


@pytest.mark.parametrize("content", [b"", b"Rar!\x1a\x07\x01\x00" + bytes(2000), b"<html>", b"PK"])
def test_what_is_no_archive_is_refused(tmp_path, scratch, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    assert "not a readable zip or tar archive" in refusal_of(archive, scratch)


def ask(child, request):
    """What the child replies: a kind and a text."""
    child.stdin.write(request)
    kind, size = archive_reader.HEADER.unpack(child.stdout.read(archive_reader.HEADER.size))
    child.stdin.write(archive_reader.TEXT)
    return kind, child.stdout.read(size)


def test_the_child_answers_what_it_is_asked_and_no_more(tmp_path):
    write_zip(tmp_path / "a.zip", {"folder/": b"", "b2.h5": b"2" * 5, "b4.h5": b"4"})
    command = [sys.executable, archive_reader.__file__, "0", "1", "-1", tmp_path / "a.zip"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as child:
        assert ask(child, archive_reader.NEXT) == (archive_reader.FILE, b"b2.h5")
        assert ask(child, archive_reader.DATA) == (archive_reader.FILE, b"22222")
        assert ask(child, archive_reader.DATA) == (archive_reader.END, b"")
        assert ask(child, archive_reader.NEXT) == (archive_reader.FILE, b"b4.h5")
        assert ask(child, archive_reader.NEXT) == (archive_reader.END, b"")
        child.stdin.close()
        assert child.stdout.read() == b""
    assert child.returncode == 0
