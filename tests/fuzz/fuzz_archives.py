"""Archives of submissions and bulk downloads, unpacked by both sides of the dialogue."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import stat
import tarfile
import warnings
import zipfile

from fuzz_inputs import ODD_TEXTS, damaged
from fuzz_people import _NAME_PIECES
from fuzz_properties import Finding, require_one_line, require_rejected
from hypothesis import strategies as st

LARGEST_FILE, LARGEST_TOTAL = 1 << 20, 3 << 20
_SUFFIXES = (".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar")
_ODD = st.sampled_from([text for text in ODD_TEXTS if len(text) < 400])
_MEMBER_NAMES = st.one_of(
    st.sampled_from((
        "b2.h5", "B2.h5", "x/b2.h5", "x", "x/", "../b2.h5", "/etc/passwd", "a\\b.h5", "C:\\x",
        "./y", "é",
        "e\u0301", ".hidden", "__MACOSX/x", "a/../../b", "d/" * 9 + "b", "x/y/../z",
        "submission.toml",
        "x" * 255, "\u00e9" * 128, "b2.h5 ", "b2.h5.", "\u212a", "k", "\u00df", "SS", "nul",
        "lab.zip", "a//b",
    )),
    _ODD,
)  # fmt: skip
_CONTENTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        (b"", bytes(70_000), bytes(LARGEST_FILE), bytes(LARGEST_FILE + 1), b"PK\x03\x04")
    ),
)


# --- zip ------------------------------------------------------------------------------------------


@st.composite
def _zips(draw, names=_MEMBER_NAMES):
    content = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w") as archive:
        warnings.simplefilter("ignore")  # two members of one name
        for name in draw(st.lists(names, max_size=6)):
            information = zipfile.ZipInfo("x")
            information.filename = name.encode("utf-8", "replace").decode()
            information.create_system = draw(st.sampled_from((0, 3)))
            kind = draw(
                st.sampled_from((0, 0, 0, stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR))
            )
            information.external_attr = (kind | 0o644) << 16
            information.comment = draw(st.binary(max_size=4))
            method = draw(st.sampled_from((0, 8, 8, 8, 12, 14)))
            with contextlib.suppress(ValueError, UnicodeError):
                archive.writestr(information, draw(_CONTENTS), method)
        archive.comment = draw(st.binary(max_size=8))
    return content.getvalue()


@st.composite
def _told_otherwise(draw, zips):
    """A zip whose headers say something else: flags, methods, sizes, checksums, places."""
    content = bytearray(draw(zips))
    for _ in range(draw(st.integers(0, 3))):
        magic, fields = draw(
            st.sampled_from((
                (b"PK\x03\x04", ((6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))),
                (b"PK\x01\x02", ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (42, 4))),
                (b"PK\x05\x06", ((4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))),
            ))
        )  # fmt: skip
        found = content.find(magic)
        offset, width = draw(st.sampled_from(fields))
        if found >= 0:
            number = draw(st.sampled_from((0, 1, 8, 9, 12, 14, 32, 64, 2048, 65535, 2**32 - 1)))
            place = found + offset
            content[place : place + width] = (number % 2 ** (8 * width)).to_bytes(width, "little")
    return bytes(content)


# --- tar ------------------------------------------------------------------------------------------

_TYPES = st.sampled_from((
    tarfile.REGTYPE, tarfile.REGTYPE, tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE,
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE, b"Z",
))  # fmt: skip
_PAX = st.dictionaries(
    st.sampled_from((
        "path", "size", "linkpath", "GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.major",
        "GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.realsize", "mtime", "hdrcharset",
        "uid", "x",
    )),
    st.sampled_from((
        "0", "1", "-1", "99999999999", "0,1", "0,1,2", "1,-1", "x", "", "BINARY", "nan", "1e400",
        "../x",
        "\u00e9", "b2.h5", "9" * 5000, "a\nb", "\0", "1.0",
    )),
    max_size=3,
)  # fmt: skip
_TAR_BODIES = st.one_of(
    _CONTENTS,
    st.sampled_from((
        b"11 path=ab\n", b"99 path=ab\n", b"-3 path=ab\n", b"0 x=y\n", b"6 x=y\n",
        b"9999999999 x=\n",
        b"30 GNU.sparse.numblocks=99999\n", b"2\n0\n1\n5\n1\n", b"99999999999999\n",
        b"22 hdrcharset=BINARY\n",
    )),
)  # fmt: skip


@st.composite
def _tars(draw, names=_MEMBER_NAMES):
    content = io.BytesIO()
    form = draw(st.sampled_from((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT)))
    with tarfile.open(fileobj=content, mode="w", format=form) as archive:
        for name in draw(st.lists(names, max_size=6)):
            information = tarfile.TarInfo(name.encode("utf-8", "replace").decode())
            information.type, information.linkname = draw(_TYPES), draw(_MEMBER_NAMES)[:90]
            information.pax_headers = draw(_PAX) if form == tarfile.PAX_FORMAT else {}
            body = draw(_TAR_BODIES)
            information.size = len(body)
            information.mtime = draw(st.sampled_from((0, 2**33, 1.5)))
            with contextlib.suppress(ValueError, UnicodeError, OverflowError):
                archive.addfile(information, io.BytesIO(body))
    return content.getvalue()


@st.composite
def _resigned(draw, tars):
    """A tar with fields of a header replaced and its checksum made right again."""
    content = bytearray(draw(tars))
    for _ in range(draw(st.integers(0, 3))):
        block = 512 * draw(st.integers(0, max(0, len(content) // 512 - 1)))
        offset, width = draw(
            st.sampled_from(
                (
                    (0, 100),
                    (100, 8),
                    (124, 12),
                    (136, 12),
                    (156, 1),
                    (257, 8),
                    (345, 155),
                    (386, 96),
                    (482, 1),
                )
            )
        )
        value = draw(
            st.one_of(
                st.binary(max_size=12),
                st.sampled_from((
                    b"", b"\x80" + bytes(6) + b"\xff" * 5, b"\xff" * 12, b"\xff" * 11 + b"\x00",
                    b"77777777777",
                    b"-1", b"00000000200 ", b"ustar\x0000", b"ustar  \0", b"S", b"x", b"g", b"L",
                    b"5",
                )),
            )
        )[:width]  # fmt: skip
        if block + 512 > len(content):
            continue
        content[block + offset : block + offset + width] = value.ljust(width, b"\0")
        content[block + 148 : block + 156] = b" " * 8
        checksum = sum(content[block : block + 512])
        content[block + 148 : block + 156] = b"%06o\0 " % checksum
    return bytes(content)


def _packed(content, suffix):
    if suffix == ".tar.gz":
        return gzip.compress(content, 1, mtime=0)
    if suffix == ".tar.bz2":
        return bz2.compress(content, 1)
    return lzma.compress(content, preset=0) if suffix == ".tar.xz" else content


@st.composite
def _archives(draw, names=_MEMBER_NAMES):
    suffix = draw(st.sampled_from(_SUFFIXES))
    plain = _zips(names) if suffix == ".zip" else _tars(names)
    told_otherwise = _told_otherwise(plain) if suffix == ".zip" else _resigned(plain)
    content = _packed(draw(st.one_of(plain, told_otherwise, damaged(told_otherwise, 2))), suffix)
    return draw(st.one_of(st.just(content), st.just(content), damaged(st.just(content), 2)))


ARCHIVES = _archives()


def check_archive(content, folder):
    """What is in an archive of one submission."""
    from harness.intake.archives.unpacking import Caps, unpack
    from harness.records.errors import SubmissionError

    archive = folder / "a.zip"
    archive.write_bytes(content)
    caps = Caps(files=20, depth=8, file_bytes=LARGEST_FILE, total_bytes=LARGEST_TOTAL)
    try:
        unpack(archive, folder / "unpacked", caps)
    except SubmissionError as error:
        require_rejected(error)
        outcome = f"refused: {error.reason}"
    else:
        outcome = f"read: {_files(folder / 'unpacked')!r}"
    _require_plain(folder)
    return outcome


def _files(folder):
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in found]


def _require_plain(folder):
    """Only folders and files came out, no more than may."""
    total = 0
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise Finding(f"neither file nor folder: {path.name!r:.300}")
        total += path.lstat().st_size if stat.S_ISREG(mode) and path.name != "a.zip" else 0
    if total > LARGEST_TOTAL + LARGEST_FILE:
        raise Finding(f"{total} bytes unpacked")


# --- bulk downloads -------------------------------------------------------------------------------

_LONG = st.sampled_from((
    "x" * 232 + "_1_assignsubmission_a_/b2.h5", "submission_metadata.yml",
    "submission_metadata.yml/x",
    "y" * 255 + "/b2.h5", "z" * 251 + ".zip", "doe_12_" + "1" * 240 + "_a.zip",
    "lab/submission_metadata.yml",
    "\u00e9" * 120 + "_1_assignsubmission_file_/x", "w" * 240 + "/x", ".left-out.json/x",
    ".left-out.json",
))  # fmt: skip
_BULK_NAMES = st.one_of(
    st.sampled_from(
        (
            "doejane_12_900_lab.zip",
            "doejane_12_901_lab-1.zip",
            "doejane_LATE_12_900_b2.h5",
            "anon_a1_9_b.h5",
            "Lab_jd_attempt_2026-11-24-23-59-01_b2.h5",
            "Lab_jd_attempt_2026-11-24-23-59-01.txt",
            "Jane Doe_12_assignsubmission_file_/b2.h5",
            "Jane Doe_12_assignsubmission_onlinetext_/x.html",
            "12-34 - Jane Doe - Nov 24, 2026 1027 AM/lab.zip",
            "submission_12/b2.h5",
            "index.html",
            "submission_metadata.yml",
            "export/submission_12/b2.h5",
            "export/submission_metadata.yml",
        )
    ),
    st.lists(_NAME_PIECES, min_size=1, max_size=4).map("".join),
    st.tuples(
        st.lists(_NAME_PIECES, min_size=1, max_size=3).map("".join),
        st.sampled_from(("b2.h5", "lab.zip", "x/b4.h5")),
    ).map("/".join),
    st.sampled_from(
        ("b2.h5", "x/b2.h5", "x", "x.zip", "X.zip", "a\\b.h5", ".hidden/x", "\u00e9/x")
    ),
    _LONG,
    _LONG,
)
BULK_DOWNLOADS = st.one_of(_zips(_BULK_NAMES), _archives(_BULK_NAMES))


def check_bulk_download(content, folder):
    """The submissions in a bulk download."""
    from harness.intake.downloads.lms_archives import left_out, refusal, unpack_bulk_download
    from harness.records.errors import HarnessError

    archive = folder / "a.zip"
    archive.write_bytes(content)
    try:
        unpacked = unpack_bulk_download(archive, folder / "unpacked")
    except HarnessError as error:
        require_one_line(str(error))
        _require_plain(folder)
        return f"refused: {str(error).removeprefix(f'{archive}: ')}"
    _require_plain(folder)
    said = []
    for path in sorted(unpacked.iterdir()):
        reason = refusal(path)
        if reason is not None:
            require_one_line(reason.reason)
        said.append((path.name, reason and reason.reason))
    for name, reason in left_out(unpacked).items():
        require_one_line(reason)
        said.append((name, reason))
    return f"read: {said!r}"[:3000]
