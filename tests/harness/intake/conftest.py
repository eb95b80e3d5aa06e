"""Where archives are unpacked."""

import pytest


@pytest.fixture
def scratch(tmp_path):
    return tmp_path / "scratch"
