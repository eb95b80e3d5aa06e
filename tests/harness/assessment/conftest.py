"""The miniature benchmark that diagnoses are tested on, drawn once."""

import numpy as np
import pytest
from miniature_nets import draw_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Drawn anew, some times at most, until each X has a step of its own."""
    for seed in range(20):
        world = draw_world(np.random.default_rng(seed), tmp_path_factory.mktemp("results"))
        if world is not None:
            return world
    pytest.fail("no drawn BadNet has a usable pruning curve")
