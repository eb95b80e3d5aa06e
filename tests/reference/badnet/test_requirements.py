"""What the benchmark requires of a BadNet, by hand."""

import pytest

from reference.badnet.requirements import Requirement


@pytest.mark.parametrize(
    ("observed", "met"), [(None, False), (0.9, False), (1, True), (2, True), (2.1, False)]
)
def test_requirements_include_their_limits(observed, met):
    assert Requirement("any", observed, 1, 2).met is met
