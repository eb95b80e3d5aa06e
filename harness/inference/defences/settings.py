"""Settings of a defence: the keywords of its ``repair`` that have a default.

On a command line and in the name of a cell a value is a text; its default says what kind it is.
"""

from __future__ import annotations

import inspect
import math
import re
from typing import TYPE_CHECKING, Any

from harness.records.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value = bool | int | float | str

HANDED = ("classes", "seed", "budget")
"""Keywords that the harness gives; they are no settings, whatever their default."""

_POSITIONS = 3
"""BadNet, clean images and their labels come first."""

_MOST_CHARACTERS = 40
_MOST_LISTED = 10
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TEXT = re.compile(r"[A-Za-z0-9._+-]+")
_TRUTHS = {"true": True, "false": False}
_SHORT_INTEGER = 1e15
"""Below that a float without a fraction is written as a whole number."""


class SettingError(ValueError):
    """What is wrong with a setting, on one line."""


def settings_of(repair: Callable[..., Any]) -> dict[str, Value]:
    """The settings of a ``repair`` and their defaults; those of kinds without a text are none."""
    parameters = inspect.signature(repair).parameters
    return {
        name: parameter.default
        for position, (name, parameter) in enumerate(parameters.items())
        if _is_keyword(parameter, position) and name not in HANDED and _is_value(parameter.default)
    }


def _is_keyword(parameter: inspect.Parameter, position: int) -> bool:
    if parameter.kind is parameter.KEYWORD_ONLY:
        return True
    return parameter.kind is parameter.POSITIONAL_OR_KEYWORD and position >= _POSITIONS


def _is_value(default: object) -> bool:
    if isinstance(default, float):
        return math.isfinite(default)
    return isinstance(default, bool | int | str)


def read_value(name: str, text: str, settings: Mapping[str, Value]) -> Value:
    """The value of a setting, of its default's kind. Raises SettingError."""
    if name not in settings:
        raise SettingError(f"no setting {one_line(name, 60)!r}; {listed(settings)}")
    default = settings[name]
    value = _read(text, default) if len(text) <= _MOST_CHARACTERS else None
    if value is None:
        shown = one_line(text, 60)
        raise SettingError(f"{name} is {_kind(default)}, not {shown!r}; {listed(settings)}")
    return value


def _read(text: str, default: Value) -> Value | None:
    match default:
        case bool():
            return _TRUTHS.get(text)
        case int():
            return int(text) if _WHOLE.fullmatch(text) else None
        case float():
            value = float(text) if _NUMBER.fullmatch(text) else math.inf
            return value if math.isfinite(value) else None
        case _:
            return text if _TEXT.fullmatch(text) else None


def _kind(default: Value) -> str:
    match default:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case _:
            return "a text of letters, digits and . _ + -"


def text_of(value: Value) -> str:
    """A value as it stands in names: the same text for equal values of a kind."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < _SHORT_INTEGER:
        return str(int(value))
    return str(value)


def listed(settings: Mapping[str, Value]) -> str:
    """All settings with their defaults, in words."""
    if not settings:
        return "it has none (keywords of repair() whose default is a number, a text, True or False)"
    shown = [
        f"{name}={one_line(text_of(value), _MOST_CHARACTERS)}" for name, value in settings.items()
    ]
    more = [f"{len(shown) - _MOST_LISTED} more"] if len(shown) > _MOST_LISTED else []
    return f"its settings: {', '.join([*shown[:_MOST_LISTED], *more])}"
