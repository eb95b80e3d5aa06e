"""What every test of the sandbox has: a way to write a child's script, and a folder of its own."""

import tempfile
import textwrap

import pytest
from payloads import PRELUDE


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
