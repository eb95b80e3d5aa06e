"""Annotations and lines of a log: what strangers wrote is no command of GitHub's."""

import pytest

from harness.output.github import Annotation, check_summary, plain_line, repository_path
from harness.records.submission import DryRun


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\n::error::b", "a%0A::error::b"),
        ("a\r\n::stop-commands::x", "a%0D%0A::stop-commands::x"),
        ("100 %", "100 %25"),
        ("%0A::error::b", "%250A::error::b"),
    ],
)
def test_a_text_stays_in_its_annotation(text, escaped):
    assert Annotation(level="error", text=text).line(None) == f"::error::{escaped}"


def test_a_name_stays_in_its_property():
    line = Annotation(level="warning", text="x", title="a::b,file=c").line("d,line=1::e\n%.h5")
    assert line == "::warning file=d%2Cline=1%3A%3Ae%0A%25.h5,title=a%3A%3Ab%2Cfile=c::x"


@pytest.mark.parametrize(
    "line", ["::error::x", "  ::add-mask::x", "a ##[error]x", "\t::x", "\u2003::error::x", ":::x"]
)
def test_a_line_of_the_log_is_no_command(line):
    shown = plain_line(line)
    assert not shown.strip().startswith("::")
    assert "##[" not in shown
    assert "x" in shown


def test_a_path_is_named_as_in_the_repository(tmp_path):
    (tmp_path / "a").mkdir()
    assert repository_path(tmp_path / "a" / "b.h5", str(tmp_path)) == "a/b.h5"
    assert repository_path(tmp_path / "a", str(tmp_path / "a")) is None
    assert repository_path(tmp_path / "b", str(tmp_path / "a")) is None
    assert repository_path(tmp_path / "..b", str(tmp_path)) == "..b"
    assert repository_path(tmp_path / "b", None) is None


def test_a_summary_is_text_only():
    found = DryRun(submission="<b>x</b>[a](b)", problems=("@all | `y`",))
    assert check_summary(found) == (
        "## &lt;b&gt;x&lt;/b&gt;\\[a\\](b): not complete\n\n### What to do\n\n- \\@all \\| \\`y\\`"
    )
