"""What can be set of the reference defences: one number of each, with the fair value as default."""

from harness.inference.defences.settings import settings_of
from reference.defences import anp, clp, fine_pruning, fine_tuning, pruning, strip


def test_every_defence_that_can_be_tuned_has_one_setting():
    modules = (anp, clp, fine_pruning, fine_tuning, pruning, strip)
    assert [settings_of(module.repair) for module in modules] == [
        {"threshold": 0.2}, {"u": 3.0}, {"drop_points": 4.0}, {"harmless_points": 2.0},
        {"drop_points": 4.0}, {"false_alarms": 0.05},
    ]  # fmt: skip
