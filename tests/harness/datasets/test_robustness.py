"""Sets of changed triggers: what is read, and one line for whatever is wrong."""

import h5py
import numpy as np
import pytest

from harness.datasets.robustness import load_robustness, parse_robustness
from harness.records.benchmark import Benchmark
from harness.records.errors import HarnessError

BENCHMARK = Benchmark(
    schema_version=1, name="own", title="", input_shape=(4, 4, 1), classes=3, target_label=1
)
GOOD = """
schema_version = 1
[clean]
file = "clean.h5"
[[levels]]
kind = "rotation"
level = 0
unit = "degrees"
own = true
file = "own.h5"
[[levels]]
kind = "rotation"
level = 90
unit = "degrees"
file = "turned.h5"
"""
AGAIN = '\n[[levels]]\nkind = "size"\nlevel = 1\nfile = "own.h5"'


def write(folder, text=GOOD, turned=(1, 1)):
    inside = folder / "robustness"
    inside.mkdir()
    for index, (name, labels) in enumerate(
        {"clean": (0, 2), "own": (1, 1), "turned": turned}.items()
    ):
        with h5py.File(inside / f"{name}.h5", "w") as file:
            file["data"] = np.full((len(labels), 4, 4, 1), index, np.uint8)
            file["label"] = np.array(labels)
    (inside / "robustness.toml").write_text(text)
    return inside


def test_kinds_of_ones_own_are_read(tmp_path):
    write(tmp_path)
    found = load_robustness(BENCHMARK, tmp_path)
    assert [(each.kind, each.level, each.unit, each.own) for each in found.triggers] == [
        ("rotation", 0, "degrees", True),
        ("rotation", 90, "degrees", False),
    ]
    assert found.own.images.max() == 1
    assert found.clean.kind == "clean"
    assert len(found.by_hash) == 3


def test_where_there_are_none_and_no_command_the_line_says_what_to_do(tmp_path):
    with pytest.raises(HarnessError, match=r"robustness\.toml: no such file; .*docs/extending\.md"):
        load_robustness(BENCHMARK, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema_version = 1", "schema_version = 9", "schema_version is 9, expected 1"),
        ("own = true", "", "no level has own = true"),
        ("own = true", 'own = "yes"', "own: expected `bool`"),
        ("level = 90", "level = 0", r"rotation 0 is \[\[levels\]\] 1, too"),
        ("level = 90", "level = nan", "level is nan, no number"),
        ('unit = "degrees"\nfile', 'unit = "turns"\nfile', "is in 'degrees' above, here in"),
        ('file = "turned.h5"', 'file = "clean.h5"', "names the file of \\[clean\\]"),
        ('file = "turned.h5"', 'file = ""', "no file's name"),
        ('file = "turned.h5"', "", "turned|file"),
        ("[clean]", "[cleen]", "unknown key 'cleen'"),
        ("[[levels]]", "[[level]]", "unknown key 'level'"),
        ('kind = "rotation"', 'kind = "a\\nb"', "a name is one line"),
        ("level = 90", 'level = "far"', "level: expected `float`"),
        ("level = 90", "level = 90\nstrength = 2", "unknown key 'strength'"),
        ('file = "own.h5"', f'file = "own.h5"\nhash = "a"{AGAIN}', "states another hash of own.h5"),
    ],
)  # fmt: skip
def test_a_fault_of_the_description_is_one_line(old, new, said):
    assert old in GOOD
    with pytest.raises(HarnessError, match=said) as raised:
        parse_robustness(GOOD.replace(old, new), "here.toml")
    assert str(raised.value).startswith("here.toml: ")
    assert "\n" not in str(raised.value)


def test_levels_of_other_images_are_refused(tmp_path):
    write(tmp_path, turned=(1, 2))
    with pytest.raises(HarnessError, match=r"turned\.h5 has other labels than own\.h5"):
        load_robustness(BENCHMARK, tmp_path)


def test_levels_of_fewer_images_are_refused(tmp_path):
    write(tmp_path, turned=(1,))
    with pytest.raises(HarnessError, match=r"turned\.h5 has 1 images, own\.h5 2"):
        load_robustness(BENCHMARK, tmp_path)


def test_another_file_than_the_one_described_is_refused(tmp_path):
    write(tmp_path, GOOD + 'hash = "abc"\n')
    with pytest.raises(HarnessError, match=r"turned\.h5: not the published data of own"):
        load_robustness(BENCHMARK, tmp_path)


def test_a_file_that_is_missing_is_named(tmp_path):
    (write(tmp_path) / "turned.h5").unlink()
    with pytest.raises(HarnessError, match=r"turned\.h5: no such file"):
        load_robustness(BENCHMARK, tmp_path)
