"""What can be set of the reference defences: one number of each, with the fair value as default."""

from harness.inference.defences.settings import settings_of
from reference.defences import (
    anp,
    clp,
    fine_pruning,
    fine_tuning,
    ft_sam,
    ibau,
    nad,
    pruning,
    rnp,
)
from reference.detectors import scale_up, strip


def test_every_defence_that_can_be_tuned_has_one_setting():
    modules = (
        anp, clp, fine_pruning, fine_tuning, ft_sam, ibau, nad, pruning, rnp, scale_up, strip
    )  # fmt: skip
    assert [settings_of(module.repair) for module in modules] == [
        {"threshold": 0.2}, {"u": 3.0}, {"drop_points": 4.0}, {"harmless_points": 2.0},
        {"rho": 2.0}, {"radius": 0.18}, {"attention": 1.0}, {"drop_points": 4.0},
        {"threshold": 0.7}, {"false_alarms": 0.05}, {"false_alarms": 0.05},
    ]  # fmt: skip
