"""What the tests of runtimes share: the digits' BadNet, images of noise, a scratch folder."""

import tempfile

import pytest
from graph_reading import digits_net, images_for


@pytest.fixture(autouse=True)
def own_scratch(tmp_path_factory, monkeypatch):
    """Other tests that run at the same time have scratch folders, too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("scratch")))


@pytest.fixture(scope="module")
def net():
    return digits_net()


@pytest.fixture(scope="module")
def images(net):
    return images_for(net.network)
