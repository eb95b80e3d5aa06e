"""The command ``zoo``: what it refuses, in one line, and what it prints."""

import pytest
from click.testing import CliRunner

from harness.records.benchmark import CompetingNetwork
from reference.cli.main import main
from reference.cli.zoo import _duration, _table
from reference.zoo.folder import Made, Rate


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["digits", "--attacks", "patch,sunglasses"],
            "no attack 'sunglasses' in the zoo of digits",
        ),
        (["faces", "--attacks", "clean-label"], "there are sunglasses, eyebrows"),
        (["signs", "--attacks", ""], "no attack ''"),
        (["digits", "--secret", "{secret}"], "--secret makes another zoo than the usual one"),
        (["digits", "--epochs", "1"], "--epochs makes another zoo than the usual one"),
        (["digits", "--secret", "{empty}", "--out", "{out}"], "empty is empty"),
        (["digits", "--secret", "{absent}", "--out", "{out}"], "absent: no such file"),
        (["digits", "--out", "{secret}"], "secret: a file, not a folder"),
    ],
)
def test_what_cannot_be_made_is_one_line(tmp_path, arguments, says):
    paths = {name: tmp_path / name for name in ("secret", "empty", "absent", "out")}
    paths["secret"].write_bytes(b"a secret")
    paths["empty"].write_bytes(b"")
    result = CliRunner().invoke(main, ["zoo", *(each.format(**paths) for each in arguments)])
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert not paths["out"].exists()


def made(attack, seed, clean, attacked):
    network = CompetingNetwork(name=f"{attack}-{seed}", attack=attack, seed=seed, badnet="b.keras")
    return Made(
        zoo="",
        recipe="",
        files={},
        arrays={},
        network=network,
        clean=Rate(hits=clean, images=200),
        attacked=Rate(hits=attacked, images=150),
    )


def test_the_table_has_a_row_for_each_attack():
    badnets = [made("patch", 0, 190, 150), made("patch", 1, 198, 135), made("blended", 0, 197, 0)]
    rows = [line.split("  ") for line in _table(badnets).splitlines()[-2:]]
    assert [[cell.strip() for cell in row if cell] for row in rows] == [
        ["patch", "2", "97.0 (95.0 to 99.0)", "95.0 (90.0 to 100.0)"],
        ["blended", "1", "98.5 (98.5 to 98.5)", "0.0 (0.0 to 0.0)"],
    ]


def test_times_are_said_as_people_say_them():
    assert [_duration(each) for each in (4.4, 99, 100, 3600)] == ["4 s", "99 s", "2 min", "60 min"]
