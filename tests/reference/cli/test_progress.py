"""Progress where there is no terminal: few lines, whatever the number of steps."""

from reference.cli.progress import plain_report, show_stage


def test_each_tenth_of_a_stage_is_one_line(capsys):
    report = plain_report()
    for done in range(1, 1001):
        report("First", done, 1000)
    report("Second", 1, 2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["First: 100 of 1,000", "First: 200 of 1,000"]
    assert lines[9:] == ["First: 1,000 of 1,000", "Second: 1 of 2"]


def test_a_stage_reports_under_its_name(capsys):
    with show_stage("Drawing") as progress:
        progress(0, 4)
        progress(3, 4)
    assert capsys.readouterr().err == "Drawing: 3 of 4\n"
