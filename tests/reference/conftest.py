"""What several tests of the reference start from."""

import numpy as np
import pytest

from reference.badnet.attacks import Examples
from reference.badnet.properties import BadNetProperties, Counts
from reference.faces.portrait import render


@pytest.fixture(scope="session")
def examples():
    identities = np.arange(512) % 1283
    return Examples(render("train", identities, identities * 0), identities)


def counts(correct, attacked=100):
    return Counts(correct, attacked, correct, attacked)


@pytest.fixture
def by_hand():
    """A BadNet with 2 dormant channels, 200 images a split, losing 0, 0, 3.5, 4 and 20 points."""
    curve = dict(enumerate(map(counts, (190, 190, 183, 182, 150))))
    means = np.array([0.0, 0.0, 1.0, 1.3, 1.5])
    return BadNetProperties(order=np.arange(5), means=means, totals={"valid": 200, "test": 400},
                            curves={"valid": curve, "test": curve})  # fmt: skip
