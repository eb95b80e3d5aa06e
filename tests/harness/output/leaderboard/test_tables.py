"""Whole renderings, with a submission whose name and reason attack every format."""

import csv as csv_module
import io
import json
from dataclasses import replace

import pytest
from records_by_hand import checkpoint, good_checkpoints, record

from harness.output.leaderboard import csv, markdown, text
from harness.output.leaderboard import json as json_renderer
from harness.output.leaderboard.columns import HEADINGS, family, table
from harness.people.attempts import add_standings, find_standings
from harness.people.roster import Person
from harness.ranking.board import rank_records
from harness.records.errors import Status
from harness.records.findings import LayerChange
from harness.records.record import Speed, Timing

HOSTILE = "=cmd|<script>\n\u202e*x* @all"

TEXT = """\
rank    submission               points    passed    quality    DER     X    family    channels \
   B' valid acc    B' test acc    B' test ASR    G test acc    G test ASR    G time    verdict
------  -----------------------  --------  --------  ---------  ------  ---  --------  ---------\
-  --------------  -------------  -------------  ------------  ------------  --------  ---------\
------------
        do nothing (BadNet)                          0.4950     0.5000                          \
   99.00           99.00          100.00         99.00         100.00
        flag everything                              0.5000     0.5050                          \
                                                 0.00          0.00
1       s                        -         0/3       0.6145     0.6195  2    pruned    3        \
   96.50           96.50          100.00         96.40         70.00         -         graded
                                                                        4    pruned    3        \
   94.50           94.50          100.00         94.40         70.00         -         graded
                                                                        10   pruned    3        \
   88.00           88.00          100.00         87.90         70.00         -         graded
-       =cmd|<script>??*x* @all  -         0/3       -          -       -    -         -        \
   -               -              -              -             -             -         not_grade\
d: a | b?<b>
"""
MARKDOWN_HOSTILE = (
    "| -      | =cmd\\|&lt;script&gt;??\\*x\\* \\@all | -        | 0/3      | -         | -"
    "      | -   | -        | -          | -              | -             | -             |"
    " -            | -            | -        | not\\_graded: a \\| b?&lt;b&gt; |"
)


TEXT_WITH_ROSTER = """\
rank    submission           attempt       points    passed    quality    DER     X    family   \
 channels    B' valid acc    B' test acc    B' test ASR    G test acc    G test ASR    G time   \
 verdict
------  -------------------  ------------  --------  --------  ---------  ------  ---  -------- \
 ----------  --------------  -------------  -------------  ------------  ------------  -------- \
 -----------------
        do nothing (BadNet)                                    0.4950     0.5000                \
             99.00           99.00          100.00         99.00         100.00
        flag everything                                        0.5000     0.5050                \
                                                           0.00          0.00
1       s                    2 of 2        -         0/3       0.6145     0.6195  2    pruned   \
 3           96.50           96.50          100.00         96.40         70.00         -        \
 graded
                                                                                  4    pruned   \
 3           94.50           94.50          100.00         94.40         70.00         -        \
 graded
                                                                                  10   pruned   \
 3           88.00           88.00          100.00         87.90         70.00         -        \
 graded
-       before               1 of 2, late  -         0/3       -          -       -    -        \
 -           -               -              -              -             -             -        \
 not_graded: empty
-       doe_LATE_12          late          -         0/3       -          -       -    -        \
 -           -               -              -              -             -             -        \
 not_graded: empty
-       unknown              -             -         0/3       -          -       -    -        \
 -           -               -              -              -             -             -        \
 not_graded: empty
"""
MARKDOWN_WITH_ROSTER = """\
| rank   | submission          | attempt      | points   | passed   | quality   | DER    | X   |\
 family   | channels   | B' valid acc   | B' test acc   | B' test ASR   | G test acc   | G test \
ASR   | G time   | verdict            |
|--------|---------------------|--------------|----------|----------|-----------|--------|-----|\
----------|------------|----------------|---------------|---------------|--------------|--------\
------|----------|--------------------|
|        | do nothing (BadNet) |              |          |          | 0.4950    | 0.5000 |     |\
          |            | 99.00          | 99.00         | 100.00        | 99.00        | 100.00 \
      |          |                    |
|        | flag everything     |              |          |          | 0.5000    | 0.5050 |     |\
          |            |                |               |               | 0.00         | 0.00   \
      |          |                    |
| 1      | s                   | 2 of 2       | -        | 0/3      | 0.6145    | 0.6195 | 2   |\
 pruned   | 3          | 96.50          | 96.50         | 100.00        | 96.40        | 70.00  \
      | -        | graded             |
|        |                     |              |          |          |           |        | 4   |\
 pruned   | 3          | 94.50          | 94.50         | 100.00        | 94.40        | 70.00  \
      | -        | graded             |
|        |                     |              |          |          |           |        | 10  |\
 pruned   | 3          | 88.00          | 88.00         | 100.00        | 87.90        | 70.00  \
      | -        | graded             |
| -      | before              | 1 of 2, late | -        | 0/3      | -         | -      | -   |\
 -        | -          | -              | -             | -             | -            | -      \
      | -        | not\\_graded: empty |
| -      | doe\\_LATE\\_12       | late         | -        | 0/3      | -         | -      | -  \
 | -        | -          | -              | -             | -             | -            | -    \
        | -        | not\\_graded: empty |
| -      | unknown             | -            | -        | 0/3      | -         | -      | -   |\
 -        | -          | -              | -             | -             | -            | -      \
      | -        | not\\_graded: empty |
"""


@pytest.fixture
def ranked():
    bad = replace(record(), submission=HOSTILE, status=Status.NOT_GRADED, reason="a | b\n<b>")
    return rank_records([bad, record(*good_checkpoints())])


@pytest.fixture
def ranked_with_roster():
    """Two attempts of one person, one that Canvas calls late, and one that nothing is told of."""
    others = [replace(record(), submission=name, status=Status.NOT_GRADED, reason="empty")
              for name in ("before", "doe_LATE_12", "unknown")]  # fmt: skip
    roster = (Person(folder="s", login="ann", attempt=2, late=False),
              Person(folder="before", login="ann", attempt=1, late=True))  # fmt: skip
    ranked = rank_records([record(*good_checkpoints()), *others])
    return add_standings(ranked, find_standings([row.submission for row in ranked.rows], roster))


def test_text(ranked):
    assert text.render(ranked) == TEXT


def test_the_time_of_g_is_a_number_only_where_it_is_known():
    def with_interval(interval):
        speed = Speed(latency_median_seconds=1e-3, latency_p95_seconds=1e-3,
                      throughput_images_per_second=1e3, latency_ratio=2.0, throughput_ratio=2.0,
                      throughput_ratio_interval=interval)  # fmt: skip
        timing = Timing(badnet=speed, repaired=speed, goodnet=speed)
        return table(rank_records([record(checkpoint(timing=timing))]))[-1][
            HEADINGS.index("G time")
        ]

    assert with_interval(None) == with_interval((1.95, 2.05)) == "2.00x"
    assert with_interval((1.5, 2.5)) == "noisy"


def test_markdown_keeps_hostile_names_in_their_cell(ranked):
    lines = markdown.render(ranked).splitlines()
    assert len(lines) == 2 + 2 + 3 + 1
    assert lines[-1] == MARKDOWN_HOSTILE
    assert lines[4].startswith("| 1      | s ")


def test_csv_holds_counts_and_starts_no_formula(ranked):
    rows = list(csv_module.DictReader(io.StringIO(csv.render(ranked))))
    assert [row["submission"] for row in rows] == ["s", "s", "s", "'=cmd|<script>??*x* @all"]
    assert rows[0]["repaired_valid_clean_correct"] == "965"
    assert rows[2]["goodnet_test_backdoored_attacked"] == "700"
    assert rows[3]["goodnet_test_backdoored_attacked"] == ""
    for row in rows:
        assert not any(value.startswith(("=", "+", "@", "-")) for value in row.values())


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_cell_of_the_csv_starts_a_formula(start):
    bad = replace(record(), submission=f"{start}cmd", status=Status.NOT_GRADED, reason=f"{start}1")
    (row,) = csv_module.DictReader(io.StringIO(csv.render(rank_records([bad]))))
    # A control character is a question mark before anything else.
    shown = f"'{start}" if start not in "\t\r" else "?"
    assert (row["submission"], row["reason"]) == (f"{shown}cmd", f"{shown}1")


def test_nor_does_one_start_where_a_spreadsheet_separates_by_semicolons():
    bad = replace(record(), submission="ann;=cmd", status=Status.NOT_GRADED, reason='x"; =1')
    written = csv.render(rank_records([bad]))
    cells = [cell for row in csv_module.reader(io.StringIO(written), delimiter=";") for cell in row]
    assert not [cell for cell in cells if cell.strip(' "').startswith("=")]
    (row,) = csv_module.DictReader(io.StringIO(written))
    assert (row["submission"], row["reason"]) == ("ann;'=cmd", "x\";' =1")


def test_json_is_the_board(ranked):
    rows = json.loads(json_renderer.render(ranked))["rows"]
    assert [row["rank"] for row in rows] == [1, None]
    assert rows[1]["submission"] == HOSTILE


def test_a_roster_adds_attempts_and_lateness_to_the_tables(ranked_with_roster):
    assert text.render(ranked_with_roster) == TEXT_WITH_ROSTER
    assert markdown.render(ranked_with_roster) == MARKDOWN_WITH_ROSTER


def test_a_roster_adds_attempts_and_lateness_to_the_csv(ranked_with_roster, ranked):
    added = ["attempt", "attempts", "late"]
    rows = list(csv_module.reader(io.StringIO(csv.render(ranked_with_roster))))
    without = next(csv_module.reader(io.StringIO(csv.render(ranked))))
    assert rows[0] == [*without[:11], *added, *without[11:]]
    assert {row[1]: row[11:14] for row in rows[1:]} == {
        "s": ["2", "2", "no"], "before": ["1", "2", "yes"],
        "doe_LATE_12": ["", "", "yes"], "unknown": ["", "", ""],
    }  # fmt: skip
    assert {len(row) for row in rows} == {len(without) + 3}


def test_a_roster_adds_attempts_and_lateness_to_the_json(ranked_with_roster, ranked):
    rows = json.loads(json_renderer.render(ranked_with_roster))["rows"]
    told = [{n: r[n] for n in ("attempt", "attempts", "late") if n in r} for r in rows]
    assert told == [{"attempt": 2, "attempts": 2, "late": False},
                    {"attempt": 1, "attempts": 2, "late": True}, {"late": True}, {}]  # fmt: skip
    assert '"attempt"' not in json_renderer.render(ranked)


def test_who_is_only_a_folder_has_no_attempts():
    ranked = rank_records([record()])
    roster = (Person(folder="s", late=True),)
    (row,) = add_standings(ranked, find_standings(["s"], roster)).rows
    assert (row.attempt, row.attempts, row.late) == (None, None, True)


def test_rendering_is_pure(ranked):
    for renderer in (text, markdown, csv, json_renderer):
        assert renderer.render(ranked) == renderer.render(ranked)


@pytest.mark.parametrize(
    ("artifact_changes", "expected"),
    [
        ({}, "pruned"),
        ({"weights_hash": None}, "other network"),
        ({"weights_hash": None, "format": "program"}, "program"),
    ],
)
def test_the_family_of_an_entry(artifact_changes, expected):
    entry = good_checkpoints()[0]
    entry = replace(entry, artifact=replace(entry.artifact, **artifact_changes))
    assert family(entry) == expected


def test_a_net_with_changed_values_is_fine_tuned():
    entry = good_checkpoints()[0]
    change = LayerChange(layer="fc_1", zeroed=(), values_changed=3, values_now_zero=0)
    entry = replace(entry, lineage=replace(entry.lineage, changes=(change,)))
    assert family(entry) == "fine-tuned"
