"""The leaderboard in LaTeX and Markdown: what it shows, and that nothing breaks out of it."""

import re
from dataclasses import replace

import pytest
from courses import graded
from exports_by_hand import JANE, course, hostile_record, only_file

from harness.output.exports.course import ExportOptions, course_of
from harness.storage.results import Store

LATEX_ESCAPED = re.compile(
    r"\\allowbreak\{\}|\\text(backslash|asciitilde|asciigrave|quotedbl|bar)\{\}|\\\^\{\}|\\ensuremath\{[<>]\}"
    r"|\\[#$%&_{}]|\{[\[\]*]\}"
)


def test_latex_is_a_booktabs_table_that_nothing_breaks_out_of():
    text = only_file("latex", course(graded(), hostile_record()))
    lines, wrapped = text.splitlines(), r">{{\raggedright\arraybackslash}}p{{{}\linewidth}}"
    assert [line for line in lines if line.startswith("\\")] == [
        r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{tabular}}{{@{{}}r{wrapped.format('0.15')}rrrrrrr{wrapped.format('0.22')}@{{}}}}",
        r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}", r"\endgroup"]  # fmt: skip
    body = lines[lines.index(r"\midrule") + 1 : -3]
    assert len(body) == 2 + 3 + 2
    for line in body:
        assert line.endswith(r" \\")
        cells = line.removesuffix(r" \\").split(" & ")
        assert len(cells) == 10
        for cell in cells:
            rest = LATEX_ESCAPED.sub("", cell)
            assert not re.search(r"[\\{}$&#^_~%<>|\[\]*`\"]", rest), cell
    assert r"\textbackslash{}\{" not in body[2]
    assert "1 & ann & - & 3/3 & " in body[2]


def test_a_latex_table_of_a_large_course_is_broken_over_pages():
    text = only_file("latex", course(*(graded(f"s{number}") for number in range(20))))
    lines = text.splitlines()
    assert lines[lines.index(r"\midrule") + 1] == r"\endhead"
    assert lines[-2:] == [r"\end{longtable}", r"\endgroup"]
    assert r"\begin{longtable}{@{}r" in text


def test_boards_hide_what_the_rubric_hides():
    for name in ("markdown", "latex"):
        assert "70.00" in only_file(name, course(graded()))
        assert "70.00" not in only_file(name, course(graded(), hide=("test",)))
        assert "70.00" in only_file(name, course(graded(), hide=("test",), instructor=True))


def test_markdown_is_the_leaderboard():
    assert only_file("markdown", course(graded())).startswith("| rank   | submission ")


@pytest.mark.parametrize("name", ["markdown", "latex"])
def test_boards_tell_instructors_of_attempts_and_nobody_else(name, tmp_path):
    for each in ("one", "two"):
        Store(tmp_path).put_record(graded(each))
    roster = tuple(
        replace(JANE, folder=folder, attempt=number, late=number == 2)
        for number, folder in enumerate(("one", "two"), 1)
    )
    own = only_file(
        name, course_of(tmp_path, roster, ExportOptions(instructor=True, submission="two"))
    )
    assert "2 of 2, late" in own
    assert "1 of 2" not in own
    assert "of 2" not in only_file(name, course_of(tmp_path, roster))
