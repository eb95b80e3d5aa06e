"""What a command does with errors, the log, and Ctrl-C."""

import errno
import logging
import os
import warnings

import pytest

from harness.execution.console import one_line_errors, set_log_level, show_log
from harness.records.errors import HarnessError


@pytest.fixture(autouse=True)
def log_as_it_was():
    log = logging.getLogger("harness")
    level, show = log.level, warnings.showwarning
    yield
    log.setLevel(level)
    warnings.showwarning = show


def test_our_error_is_one_line_and_exit_code_2(capsys):
    with pytest.raises(SystemExit, match="2"), one_line_errors():
        raise HarnessError("data.h5: truncated")
    assert capsys.readouterr().err == "error: data.h5: truncated\n"


def test_ctrl_c_says_how_to_go_on(capsys):
    with pytest.raises(SystemExit, match="130"), one_line_errors():
        raise KeyboardInterrupt
    assert "run the same command again" in capsys.readouterr().err


def test_the_log_and_warnings_of_libraries_are_lines(capsys):
    shown = []
    show_log(shown.append)
    set_log_level("info")
    logging.getLogger("harness.storage.results").info("%s: taken", "a\nb")
    logging.getLogger("harness.storage.results").debug("not told")
    logging.getLogger("another").warning("not ours")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        show_log(shown.append)
        warnings.warn("two\nlines", stacklevel=1)
    assert shown == ["info: a?b: taken", "warning: two?lines"]


def test_each_line_is_shown_once_however_often_it_was_asked_for():
    first, second = [], []
    show_log(first.append)
    show_log(second.append)
    logging.getLogger("harness").warning("once")
    assert (first, second) == ([], ["warning: once"])


@pytest.mark.parametrize(
    ("number", "name", "said"),
    [
        (errno.ENOSPC, None, "error: No space left on device; make room"),
        (errno.EROFS, "/media/out.csv", "error: /media/out.csv: read-only file system; name a"),
        (errno.EACCES, b"/x\n.csv", "error: /x?.csv: permission denied; use a path"),
        (errno.EISDIR, "/results/.0a.host.17-3f.partial", "error: /results: is a directory"),
    ],
)
def test_what_the_machine_refuses_is_one_line_and_exit_code_2(capsys, number, name, said):
    with pytest.raises(SystemExit, match="2"), one_line_errors():
        raise OSError(number, os.strerror(number), name)
    line = capsys.readouterr().err
    assert line.startswith(said)
    assert line.count("\n") == 1


def test_a_disk_that_is_full_is_one_line(capsys):
    with pytest.raises(SystemExit, match="2"), one_line_errors():
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")
    assert capsys.readouterr().err.startswith("error: No space left on device")
