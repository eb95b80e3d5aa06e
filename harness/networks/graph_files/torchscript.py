"""TorchScript: a zip archive with a net's code, in a small language of PyTorch's own.

The code is not looked at: it may do what any program may, in the sandbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.tensor_files.zips import open_zip

if TYPE_CHECKING:
    import zipfile
    from typing import IO

MAX_UNPACKED_BYTES = 512 << 20
_MAX_CODE_BYTES = 16 << 20


def is_torchscript(archive: zipfile.ZipFile) -> bool:
    """Whether an archive holds code beside its numbers, as those of ``torch.jit.save`` do."""
    names = archive.namelist()
    roots = {name.removesuffix("constants.pkl") for name in names if _ends(name, "constants.pkl")}
    return any(name.startswith(f"{root}code/") for root in roots for name in names)


def _ends(name: str, member: str) -> bool:
    return name.endswith(f"/{member}") and name.count("/") == 1


def require_plain_archive(file: IO[bytes]) -> None:
    """Raise RejectedFileError where the archive is not plainly what it seems."""
    archive = open_zip(file)
    members = archive.infolist()
    roots = {member.filename.partition("/")[0] for member in members}
    if len(roots) != 1:
        raise RejectedFileError("several folders in its archive; save it by torch.jit.save")
    (root,) = roots
    code = [member for member in members if member.filename.startswith(f"{root}/code/")]
    if f"{root}/data.pkl" not in archive.namelist():
        raise RejectedFileError("TorchScript without a net in it; save it by torch.jit.save")
    packed = [member for member in members if member.compress_type and member not in code]
    if packed and any(member.filename.startswith(f"{root}/data/") for member in packed):
        raise RejectedFileError("PyTorch packs no numbers, but those in it are; save it again")
    if (
        sum(member.file_size for member in code) > _MAX_CODE_BYTES
        or sum(member.file_size for member in members) > MAX_UNPACKED_BYTES
    ):
        raise RejectedFileError("unpacks to more than any net needs")
