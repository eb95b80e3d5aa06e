"""What a run tells at its end."""

from courses import graded, put, rubric

from harness.cli.report import few, next_steps
from harness.output.html.folders import write_pages


def test_the_last_line_says_where_the_pages_are_and_what_to_run_next(tmp_path):
    records = put(tmp_path, graded("ann"), graded("o'b $x"))
    assert next_steps("my results", tmp_path, records) == (
        "next: python -m harness explain 'my results' NAME; for a gradebook: "
        "python -m harness export 'my results' --format FORMAT --roster FILE"
    )
    write_pages(tmp_path, records, rubric())
    assert next_steps("s3://b/r", tmp_path, records[1:]) == (
        "pages: s3://b/r/instructor/index.html, for students s3://b/r/student/index.html; "
        "next: python -m harness explain s3://b/r 'o'\"'\"'b $x'"
    )


def test_of_many_names_the_first_are_told():
    assert few(["ann", "b\nc"]) == "ann, b?c"
    assert few(list("abcde")) == "a, b, c, d, e"
    assert few(list("abcdefg")) == "a, b, c, d, e and 2 more"
