"""What every test of the sandbox has: a way to write a child's script, and a folder of its own."""

import tempfile
import textwrap
from types import SimpleNamespace

import pytest
from payloads import PRELUDE

from harness.sandbox import seccomp


@pytest.fixture
def payload(tmp_path):
    """Writes a child's script: it has its pipes, and ``tell`` for an answer of 4000 bytes."""

    def write(code):
        script = tmp_path / "payload.py"
        script.write_text(PRELUDE + textwrap.dedent(code))
        return script

    return write


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    """Keeps what other processes leave in the system's temporary folder out of sight."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture(params=["X86_64", "AARCH64"])
def processor(request, monkeypatch):
    """A processor whose filters are made: its name, libseccomp's number of it, and a compiler."""
    pyseccomp = pytest.importorskip("pyseccomp")
    arch = getattr(pyseccomp.Arch, request.param)
    new_filter = seccomp._new_filter

    def for_processor():
        rules = new_filter()
        if arch != pyseccomp.system_arch():
            rules.add_arch(arch)
            rules.remove_arch(pyseccomp.Arch.NATIVE)
        return rules

    monkeypatch.setattr(seccomp, "_new_filter", for_processor)
    return SimpleNamespace(
        name=request.param.lower(),
        arch=arch,
        number=lambda name: pyseccomp.resolve_syscall(arch, name),
        compile=seccomp._compile.__wrapped__,
    )
