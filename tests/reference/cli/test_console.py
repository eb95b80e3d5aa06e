"""Errors of a command: one line and exit code 2; Ctrl-C promises no continuation."""

import click
import pytest
from click.testing import CliRunner

from harness.records.errors import HarnessError
from reference.cli.console import command_errors


def run(error):
    @click.command()
    def command():
        with command_errors():
            raise error

    return CliRunner().invoke(command, [])


@pytest.mark.parametrize("kind", [OSError, ValueError, HarnessError])
def test_errors_of_input_are_one_line(kind):
    result = run(kind("what is wrong"))
    assert result.exit_code == 2
    assert result.stderr == "error: what is wrong\n"


def test_a_bug_is_no_error_of_input():
    assert isinstance(run(KeyError("a bug")).exception, KeyError)


def test_ctrl_c_aborts():
    result = run(KeyboardInterrupt())
    assert result.exit_code == 1
    assert result.stderr == "Aborted!\n"
