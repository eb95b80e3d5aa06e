"""The options that say how models and defences are run; a command gets them as one value."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from harness.grading.context import Budget, Options
from harness.sandbox.availability import AUTO, ISOLATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ISOLATION = click.option(
    "--isolation",
    type=click.Choice(ISOLATIONS),
    default=AUTO,
    show_default=True,
    help="auto: bubblewrap or Landlock, where they work. sandbox: nothing is read "
    "without one. none: no isolation.",
)
_FORCE = click.option("--force", is_flag=True, help="Start over: use nothing that is stored.")


def _memory(what: str) -> Callable[[Any], Any]:
    return click.option(
        "--model-memory",
        type=click.FloatRange(min=0.5),
        default=4,
        show_default=True,
        metavar="GIB",
        help=f"Memory limit for {what}.",
    )


_OPTIONS = (
    _ISOLATION,
    click.option(
        "--model-seconds",
        type=click.FloatRange(min=1),
        default=900,
        show_default=True,
        help="Time limit for a model of another architecture.",
    ),
    _memory("a model of another architecture"),
    click.option(
        "--submission-seconds",
        type=click.FloatRange(min=1),
        default=3600,
        show_default=True,
        help="Time limit for all models of one submission together.",
    ),
    click.option(
        "--most-models",
        type=click.IntRange(min=1),
        default=20,
        show_default=True,
        metavar="N",
        help="Open at most N model files of a submission.",
    ),
    click.option(
        "--script-images",
        type=click.IntRange(min=0),
        default=500,
        show_default=True,
        metavar="N",
        help="Of a competition: ask a script about N images of each set and "
        "trigger; 0 runs no scripts.",
    ),
    click.option(
        "--cold-images",
        type=click.IntRange(min=1),
        default=8,
        show_default=True,
        metavar="N",
        help="Ask a fresh process about N of them, too.",
    ),
    click.option(
        "--image-format",
        type=click.Choice(["png", "jpeg"]),
        default="png",
        show_default=True,
        help="What files scripts are shown.",
    ),
    click.option(
        "--robustness",
        is_flag=True,
        help="Measure changed triggers and re-activation, too (docs/grading.md).",
    ),
    click.option("--no-timing", is_flag=True, help="Do not measure inference times."),
    click.option(
        "--no-sharing",
        is_flag=True,
        help="Run every net in full, without the BadNet's stored features.",
    ),
    _FORCE,
)

_REPAIR_OPTIONS = (
    click.option(
        "--seconds",
        type=click.FloatRange(min=1),
        default=60,
        show_default=True,
        help="A defence's budget for one BadNet; it is ended a tenth later.",
    ),
    click.option(
        "--images",
        type=click.IntRange(min=1),
        metavar="N",
        help="Clean images that it is handed, drawn by the seed.  [default: all of valid]",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="What each defence begins its random numbers with follows from it.",
    ),
    click.option(
        "--model-seconds",
        type=click.FloatRange(min=1),
        default=900,
        show_default=True,
        help="Time limit for what a defence leaves, where that has to be run: for its predict(), "
        "in each of three processes, or a model of another architecture.",
    ),
    click.option(
        "--robustness",
        is_flag=True,
        help="Measure what is left on changed triggers and after re-activation, too.",
    ),
    _ISOLATION,
    _memory("a repair, and for what it leaves"),
    _FORCE,
)


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets them together as ``chosen``."""
    return _add(_OPTIONS, _grading_options, command)


def repair_options(command: Callable[..., None]) -> Callable[..., None]:
    """The same of the benchmark of defences."""
    return _add(_REPAIR_OPTIONS, _benchmark_options, command)


def _add(
    options: Iterable[Callable[[Any], Any]],
    take: Callable[[dict[str, Any]], Options],
    command: Callable[..., None],
) -> Callable[..., None]:
    """The command with these options; ``take`` removes their values from all that were given."""

    @wraps(command)
    def call(**given: Any) -> None:
        chosen = take(given)
        command(chosen=chosen, **given)

    for option in reversed(tuple(options)):
        call = option(call)
    return call


def _grading_options(given: dict[str, Any]) -> Options:
    return Options(
        isolation=given.pop("isolation"),
        timing=not given.pop("no_timing"),
        model_seconds=given.pop("model_seconds"),
        model_memory_bytes=int(given.pop("model_memory") * 2**30),
        submission_seconds=given.pop("submission_seconds"),
        most_models=given.pop("most_models"),
        script_images=given.pop("script_images"),
        cold_images=given.pop("cold_images"),
        image_format=given.pop("image_format"),
        force=given.pop("force"),
        sharing=not given.pop("no_sharing"),
        robustness=given.pop("robustness"),
    )


def _benchmark_options(given: dict[str, Any]) -> Options:
    budget = Budget(
        seconds=given.pop("seconds"), images=given.pop("images"), seed=given.pop("seed")
    )
    seconds = given.pop("model_seconds")
    return Options(
        isolation=given.pop("isolation"),
        timing=False,
        model_seconds=seconds,
        submission_seconds=max(Options().submission_seconds, seconds),
        model_memory_bytes=int(given.pop("model_memory") * 2**30),
        budget=budget,
        robustness=given.pop("robustness"),
        force=given.pop("force"),
    )
