"""One line for each error, log record and warning."""

import logging
import warnings

import pytest

from harness.execution.console import log_level, one_line_errors, set_log_level, show_log
from harness.records.errors import HarnessError


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Puts back what is global: the level, the handlers, and how warnings are shown."""
    logger = logging.getLogger("harness")
    level, handlers = logger.level, list(logger.handlers)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (HarnessError("no such folder"), 2, "error: no such folder\n"),
        (KeyboardInterrupt(), 130, "\nstopped; run the same command again to continue\n"),
    ],
)
def test_our_errors_and_ctrl_c_are_one_line_and_an_exit_code(error, code, said, capsys):
    with pytest.raises(SystemExit) as exit_info, one_line_errors():
        raise error
    assert exit_info.value.code == code
    assert capsys.readouterr() == ("", said)


def test_a_fault_of_the_program_is_not_hidden():
    with pytest.raises(ZeroDivisionError), one_line_errors():
        _ = 1 / 0


def test_a_record_is_one_line_whatever_a_stranger_wrote_and_is_shown_once():
    lines = []
    show_log(lambda _line: pytest.fail("an earlier handler is still there"))
    show_log(lines.append)
    logging.getLogger("harness.sandbox.child").warning("%s", "two\nlines\x1b[2J")
    assert lines == ["warning: two?lines?[2J"]


def test_the_level_decides_what_is_shown():
    lines = []
    show_log(lines.append)
    log = logging.getLogger("harness.inference")
    for level in ("warning", "debug"):
        set_log_level(level)
        log.debug("below %s", level)
        log.error("above %s", level)
    assert lines == ["error: above warning", "debug: below debug", "error: above debug"]
    assert log_level() == logging.DEBUG


def test_a_warning_of_a_library_is_shown_without_its_code():
    lines = []
    show_log(lines.append)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning("deprecated", DeprecationWarning, "library.py", 7)
    assert lines == ["warning: deprecated"]
