"""The words of diagnoses."""

import pytest

from harness.assessment.diagnoses import channel_list, diagnosis, explanations


def test_every_code_of_the_table_is_explained():
    assert {
        "BIAS_NOT_ZEROED", "WRONG_X", "BELOW_THRESHOLD", "OVER_PRUNED", "WRONG_LAYER",
        "INDEX_ORDER", "DECREASING_ORDER", "OTHER_ORDER", "NOT_NESTED", "FINE_TUNED",
        "OTHER_BASE", "IS_BADNET", "G_IS_B_PRIME", "G_LABEL_1284", "INPUT_SCALED",
        "RELATIVE_DROP", "MISSING_CHECKPOINT", "DUPLICATE_CHECKPOINT", "CLAIM_MISMATCH",
        "NOT_A_FUNCTION", "INPUT_HASHING", "NEAR_CHANCE", "KNOWS_VALIDATION",
        "MEMORISED_IMAGES",
    } == {code.partition(".")[0] for code in explanations()}  # fmt: skip
    assert all(set(text) == {"seen", "do"} for text in explanations().values())


def test_a_variant_of_the_text_has_the_code_without_it():
    evidence = {"named": 5.0, "asked": 4.0, "pruned": 48, "right": 1}
    plain, right = diagnosis("WRONG_X", evidence), diagnosis("WRONG_X.right_mask", evidence)
    assert plain.code == right.code == "WRONG_X"
    assert "The 48 pruned channels are the right ones for X = 4" in right.explanation
    assert plain.explanation != right.explanation


def test_what_is_not_certain_says_so_first():
    hedged = diagnosis("INPUT_HASHING", {"changed": 3, "images": 9}, certain=False)
    assert hedged.explanation.startswith("Not certain, but it fits: 3 of 9 answers changed")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "0"),
        (10, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (12, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"),
    ],
)
def test_ten_channels_are_listed(count, text):
    assert channel_list(range(count)) == text
