"""Settings of a defence: which keywords they are, and what texts are values of them."""

import pytest

from harness.inference.defences.settings import (
    SettingError,
    listed,
    read_value,
    settings_of,
    text_of,
)


def many(
    badnet, images, labels, soft=0.5, *, classes, seed=0, budget=None, tidy=True, steps=20,
    way="mean", rates=(1, 2), limit=None, endless=float("inf"), rest,
):  # fmt: skip
    """A ``repair`` with a keyword of every kind."""


SETTINGS = {"soft": 0.5, "tidy": True, "steps": 20, "way": "mean"}


def test_settings_are_the_keywords_with_a_plain_default():
    assert settings_of(many) == SETTINGS
    assert list(settings_of(lambda badnet=1, images=2, labels=3, **others: 0)) == []
    assert settings_of(lambda *given, alpha=0.2, **others: 0) == {"alpha": 0.2}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("soft", "0.30", 0.3), ("soft", ".3", 0.3), ("soft", "3e-1", 0.3), ("soft", "-1", -1.0),
        ("soft", "-0", 0.0), ("steps", "7", 7), ("steps", "-7", -7), ("tidy", "false", False),
        ("way", "max-2.0_b", "max-2.0_b"), ("way", "3", "3"),
    ],
)  # fmt: skip
def test_a_text_is_read_as_its_default_is(name, text, value):
    found = read_value(name, text, SETTINGS)
    assert (found, type(found)) == (value, type(SETTINGS[name]))
    assert read_value(name, text_of(found), SETTINGS) == found


def test_equal_values_have_one_text():
    texts = {text_of(read_value("soft", text, SETTINGS)) for text in ("1", "1.0", "1.", "+1e0")}
    assert texts == {"1"}
    assert text_of(read_value("soft", "-0", SETTINGS)) == "0"
    assert text_of(True) == "true"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("soft", "high", "soft is a number, not 'high'; its settings: soft=0.5, tidy=true, "),
        ("soft", "nan", "soft is a number, not 'nan'"),
        ("soft", "inf", "soft is a number, not 'inf'"),
        ("soft", "1e400", "soft is a number"),
        ("soft", "1_0", "soft is a number"),
        ("soft", "\u0663", "soft is a number"),
        ("soft", "0" * 50, "soft is a number"),
        ("steps", "2.5", "steps is a whole number, not '2.5'"),
        ("steps", "9" * 5000, "steps is a whole number"),
        ("tidy", "yes", "tidy is true or false, not 'yes'"),
        ("way", "a/b", "way is a text of letters, digits and . _ + -, not 'a/b'"),
        ("hard", "1", "no setting 'hard'; its settings: soft=0.5, tidy=true, steps=20, way=mean"),
        ("a\nb", "1", "no setting 'a?b'; its settings"),
        ("seed", "1", "no setting 'seed'"),
    ],
)
def test_what_is_none_is_told_with_all_settings(name, text, told):
    with pytest.raises(SettingError) as error:
        read_value(name, text, SETTINGS)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def test_a_defence_without_settings_says_so_and_one_with_many_few_of_them():
    with pytest.raises(SettingError, match=r"no setting 'u'; it has none \(keywords of repair"):
        read_value("u", "1", {})
    assert listed({f"s{n}": n for n in range(12)}).endswith(", s9=9, 2 more")
