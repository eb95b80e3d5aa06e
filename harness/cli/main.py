"""``python -m harness``: the commands, each in a file of its own name.

Exit codes: 0 everything passed, 1 a submission's fault, 2 ours or the machine's, 130 stopped
with Ctrl-C.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

import click

from harness.execution.console import LEVELS, set_log_level
from harness.records.environment import __version__

if TYPE_CHECKING:
    from click import Command, Context

COMMANDS = (
    "benchmark", "check", "data", "diff", "doctor", "explain", "export", "grade", "leaderboard",
    "package", "plot", "regrade", "rubric", "schema", "verify",
)  # fmt: skip


class Commands(click.Group):
    """Loads a command's file when it is asked for, so that a light command starts at once."""

    def list_commands(self, ctx: Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """The command of that name, which is also its file's and its function's."""
        if cmd_name not in COMMANDS:
            if near := get_close_matches(cmd_name, COMMANDS, n=1):
                ctx.fail(f"No such command {cmd_name!r}. Did you mean {near[0]!r}?")
            return None
        command: Command = getattr(import_module(f"harness.cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
@click.option("--log-level", type=click.Choice(LEVELS), default="warning", show_default=True,
              help="How much to tell on stderr about what is done.")  # fmt: skip
def main(log_level: str) -> None:
    """Grade and benchmark backdoor defences."""
    set_log_level(log_level)
