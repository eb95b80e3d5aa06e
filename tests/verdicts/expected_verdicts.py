"""What each entry of the collection must get, written down before any of them was graded.

The rubric is the default one: 10 points for loading, 20 for each checkpoint, 15 for G, 15 for
the figures of G; pruned and tuned nets may pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ALL = (2.0, 4.0, 10.0)

HONEST, WORTHLESS, DISGUISED, PARTLY = "honest", "worthless", "disguised", "partly right"
"""What an entry is."""

LOADED = 10.0
"""Points for files that load, which a worthless net gets, too."""

A_QUARTER = 15.0 / 4
"""A quarter of the points for metrics."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What one entry must get."""

    kind: str

    verdicts: str = "FFF"
    """For X = 2, 4 and 10: passed, failed, undecided, or ``-`` where the rules leave it open."""

    codes: dict[float, tuple[str, ...]] = field(default_factory=dict)
    """Diagnoses that must be there, by X."""

    overall: tuple[str, ...] = ()
    """Diagnoses of the submission as a whole that must be there."""

    absent: tuple[str, ...] = ()
    """Diagnoses that must not be there."""

    family: str | None = None
    """The family of every checkpoint; None where it does not matter."""

    least: float = 0.0
    most: float = 100.0
    """The points lie between these two."""

    settled: float | None = None
    """Points with those that are pending; None where that is not said."""

    like: str | None = None
    """The entry of which this one is a disguise: it gets exactly the same."""


def everywhere(*codes: str) -> dict[float, tuple[str, ...]]:
    """The same diagnoses at each X."""
    return dict.fromkeys(ALL, codes)


def honest(**changes: object) -> Expected:
    """Passes everything, with every point."""
    given = {"verdicts": "PPP", "least": 100.0, "absent": ("FINE_TUNED",)} | changes
    return Expected(kind=HONEST, **given)


def void(*codes: str, **changes: object) -> Expected:
    """What keeps nothing but the points for loading."""
    given = {"codes": everywhere(*codes), "most": LOADED} | changes
    return Expected(kind=WORTHLESS, **given)


def useless(**changes: object) -> Expected:
    """What is out of bounds without being near chance, so that figures of G may be left."""
    return Expected(kind=WORTHLESS, **({"most": LOADED + A_QUARTER} | changes))


def disguised(like: str) -> Expected:
    """What gets exactly what another entry gets."""
    return Expected(kind=DISGUISED, verdicts="---", like=like)


def partly(verdicts: str, **changes: object) -> Expected:
    """What is right in part."""
    return Expected(kind=PARTLY, verdicts=verdicts, **changes)


EXPECTED: dict[str, Expected] = {
    # --- honest: no point is lost to the rules
    "reference": honest(family="pruned"),
    "conv_3_order": honest(family="pruned"),
    "narrowed": honest(family="pruned"),
    "dormant_channels_left": honest(family="pruned"),
    "half_of_the_dormant_channels": honest(family="pruned"),
    "biases_kept_where_negative": honest(family="pruned"),
    "x_5_for_4": honest(),
    "extra_x_30": honest(),
    "goodnet_beside_it": honest(),
    "with_claims": honest(absent=("FINE_TUNED", "CLAIM_MISMATCH")),
    "whole_model_file": honest(),
    "float64_file": honest(),
    # Within two images counts as kept; their G may differ from the reference's by a point.
    "short_by_two": honest(least=95.0),
    "late_by_two": honest(least=95.0),
    # --- worthless: passes nothing
    "random_weights": void("OTHER_BASE"),
    "random_weights_thrice": void("OTHER_BASE"),
    "another_badnet": void("OTHER_BASE"),
    "noise_in_conv_1": void("NEAR_CHANCE"),
    "noise_in_conv_2": void("NEAR_CHANCE"),
    "noise_in_conv_3": void("NEAR_CHANCE"),
    "noise_in_conv_4": useless(),
    "noise_in_fc_1": useless(),
    "noise_in_fc_2": useless(),
    "noise_in_output": void("NEAR_CHANCE"),
    "always_the_target": void("NEAR_CHANCE"),
    "always_another_class": void("NEAR_CHANCE"),
    "flags_everything": void("NEAR_CHANCE"),
    # One file for X = 2, so a third of the points for loading.
    "flags_everything_program": void(
        codes={2.0: ("NEAR_CHANCE",)}, overall=("MISSING_CHECKPOINT",), most=LOADED / 3
    ),
    "flags_60_percent": useless(),
    "flags_60_percent_goodnet": useless(),
    "badnet": void("IS_BADNET"),
    "one_dormant_channel": void("IS_BADNET"),
    "all_dormant_channels": void("IS_BADNET"),
    "swapped_labels": void("NEAR_CHANCE"),
    "scaled_inputs": useless(codes=everywhere("INPUT_SCALED")),
    "tuned_on_scaled_images": useless(codes=everywhere("INPUT_SCALED")),
    "tuned_and_lost_too_much": useless(),
    # --- disguised: the very verdict of what is below the disguise
    "last_bits": disguised("reference"),
    "last_bits_of_zeros": disguised("reference"),
    "scaled_by_powers_of_two": disguised("reference"),
    "scaled": disguised("reference"),
    "permuted_conv_1": disguised("reference"),
    "permuted_conv_2": disguised("reference"),
    "permuted_conv_3": disguised("reference"),
    "permuted_conv_4": disguised("reference"),
    "permuted_fc": disguised("reference"),
    "every_disguise": disguised("reference"),
    "late_in_disguise": disguised("late"),
    "early_in_disguise": disguised("early"),
    "badnet_in_disguise": disguised("badnet"),
    "excellent_in_disguise": disguised("excellent_net"),
    # --- partly right: the right part counts
    # X = 10 is right: 10 + 20, and a third of G and of its figures.
    "last_net_thrice": partly("FFP", least=40.0, most=40.0),
    # X = 2 is right; at X = 4 and 10 G has nothing to hide, so its figures may count there.
    "first_net_thrice": partly("PFF", least=40.0, most=47.5),
    # Passes nowhere: one checkpoint's points at most, and nobody asked for such a G.
    "late_net_thrice": partly("FFF", least=10.0, most=30.0),
    # Two thirds of the points for loading, G and figures, and two checkpoints.
    "omitted_x": partly("PFP", overall=("MISSING_CHECKPOINT",), least=200 / 3, most=200 / 3),
    "early": partly("FPP", codes={2.0: ("BELOW_THRESHOLD",)}, least=75.0, most=87.0),
    "late": partly("FFF", codes=everywhere("OVER_PRUNED"), least=40.0, most=50.0),
    # The first net that is late for X = 2 is the right one for X = 4, which gets its points.
    "late_once": partly("FPP", codes={2.0: ("OVER_PRUNED",)}, least=70.0, most=91.0),
    # Out of the layer that the lab names, which costs a fifth, but enough and not too much.
    "pruned_conv_4": partly(
        "PPP", codes=everywhere("WRONG_LAYER"), family="pruned", least=46.0, most=88.0
    ),
    "pruned_conv_2": partly(
        "PPP", codes=everywhere("WRONG_LAYER"), family="pruned", least=46.0, most=88.0
    ),
    # The order check fails: a fifth of each checkpoint, and all of G.
    "index_order": partly("PPP", codes=everywhere("INDEX_ORDER"), least=58.0, most=73.0),
    # Kept biases that are positive cost a fifth; whether so few move an accuracy is measured.
    "biases_kept": partly(
        "---", codes=everywhere("BIAS_NOT_ZEROED"), absent=("FINE_TUNED",), most=88.0
    ),
    "swapped_names": partly(
        "FPF", codes={2.0: ("OVER_PRUNED",), 10.0: ("BELOW_THRESHOLD",)}, least=35.0, most=75.0
    ),
    "goodnet_is_b_prime": partly("---", codes=everywhere("G_IS_B_PRIME"), most=85.0),
    # Half of each checkpoint's points; no more than half of all, since every X failed.
    "tuned_but_backdoored": partly("FFF", family="tuned", least=40.0, most=50.0),
    "tuned_for_10_alone": partly("FFP", family="tuned", least=40.0, most=40.0),
    "excellent_net": partly("PPP", family="tuned", least=100.0),
    "knows_validation_by_heart": partly("---", codes=everywhere("KNOWS_VALIDATION"), most=85.0),
    # Neither family may pass by default: everything but loading and figures is pending.
    "excellent_goodnet": partly("UUU", family="other", least=10.0, most=25.0, settled=100.0),
    "excellent_program": partly(
        "FFU", overall=("MISSING_CHECKPOINT",), family="program",
        least=10 / 3, most=10 / 3 + 5, settled=10 / 3 + 30,
    ),
}  # fmt: skip

ON_DIGITS: dict[str, Expected] = {
    # Of ten digits noise gets more right than chance and 5 points, though never a use.
    "noise_in_conv_2": useless(),
    "noise_in_conv_3": useless(),
    # No G of the reference repels an attack, so these figures are as good as its own everywhere.
    "first_net_thrice": partly("PFF", least=40.0, most=50.0),
    # One digit in ten is lost with the target label, so it is less accurate than the reference.
    "tuned_for_10_alone": partly("FFP", family="tuned", least=35.0, most=35.0),
}
"""What else the digits must lead to, and why; all others get what they get on the faces."""


def expected_on(world: str, name: str) -> Expected:
    """What an entry must get in a world."""
    return {"digits": ON_DIGITS}.get(world, {}).get(name, EXPECTED[name])
