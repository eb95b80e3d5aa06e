"""``dataset.toml``: what may be said, what it means, and one line for whatever is wrong."""

import re

import pytest

from harness.datasets.description_text import (
    OFFICIAL_FILES,
    format_description,
    parse_description,
)
from harness.records.benchmark import Attack
from harness.records.errors import HarnessError

SHORT = """
schema_version = 1
title = "Mine"
input_shape = [32, 32, 3]
classes = 10
target_label = 7
badnet = "badnet.keras"
pruned_layer = "conv2d_5"
tolerance_images = 1

[files]
valid = "a.h5"
test = "b.h5"
bd_valid = "c.h5"
bd_test = "d.h5"
"""

SEVERAL = """
schema_version = 1
title = "Mine"
input_shape = [32, 32, 3]
classes = 10

[files]
valid = "a.h5"
test = "b.h5"

[[attacks]]
name = "yellow square"
trigger = "a yellow square, bottom right"
target_label = 7
files = { valid = "bd/y_valid.h5", test = "bd/y_test.h5" }

[[attacks]]
name = "all to all"
files = { valid = "bd/a_valid.h5", test = "bd/a_test.h5" }
"""


def parse(text):
    return parse_description(text, "mine", "mine/dataset.toml")


def test_the_short_form_is_one_attack():
    benchmark = parse(SHORT)
    assert (benchmark.name, benchmark.input_shape, benchmark.classes) == ("mine", (32, 32, 3), 10)
    assert (benchmark.badnet, benchmark.pruned_layer) == ("badnet.keras", "conv2d_5")
    assert (benchmark.target_label, benchmark.tolerance_images) == (7, 1)
    assert benchmark.attacks == ()
    assert benchmark.set_files["bd_test"] == ("d.h5",)
    assert benchmark.data_files == ("a.h5", "b.h5", "c.h5", "d.h5")


def test_without_the_new_keys_a_benchmark_is_the_labs():
    benchmark = parse('schema_version = 1\ntitle = "t"\n')
    assert (benchmark.input_shape, benchmark.classes) == ((55, 47, 3), 1283)
    assert (benchmark.target_label, benchmark.files) == (0, OFFICIAL_FILES)
    assert (benchmark.pruned_layer, benchmark.tolerance_images) == (None, None)


def test_several_attacks_have_targets_and_files_of_their_own():
    benchmark = parse(SEVERAL)
    first, second = benchmark.attacks
    assert first == Attack(
        name="yellow square", trigger="a yellow square, bottom right", target_label=7,
        files={"valid": "bd/y_valid.h5", "test": "bd/y_test.h5"},
    )  # fmt: skip
    assert second.target_label is None
    assert benchmark.target_label is None
    assert benchmark.set_files["bd_valid"] == ("bd/y_valid.h5", "bd/a_valid.h5")
    assert benchmark.set_files["valid"] == ("a.h5",)


def test_the_clean_files_may_be_those_of_the_official_layout():
    text = re.sub(r"(?s)\[files\].*?\n\n", "", SEVERAL)
    assert parse(text).files == {"valid": "cl/valid.h5", "test": "cl/test.h5"}


@pytest.mark.parametrize("text", [SHORT, SEVERAL, 'schema_version = 1\ntitle = "\\"q\\" \\\\ é"\n'])
def test_what_is_written_is_read_again(text):
    benchmark = parse(text)
    assert parse(format_description(benchmark)) == benchmark


def changed(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


FAULTS = {
    "shape of two": (SHORT, "[32, 32, 3]", "[32, 32]", "input_shape: expected a list of length 3"),
    "negative shape": (SHORT, "[32, 32, 3]", "[32, -32, 3]", "input_shape is [32, -32, 3]; rows,"),
    "shape of 0": (SHORT, "[32, 32, 3]", "[0, 32, 3]", "input_shape is [0, 32, 3]; rows,"),
    "shape as text": (SHORT, "[32, 32, 3]", '"32x32"', "input_shape: expected a list, got `str`"),
    "fractions": (SHORT, "[32, 32, 3]", "[32.0, 32, 3]", "input_shape[0]: expected `int`"),
    "one class": (SHORT, "classes = 10", "classes = 1", "classes is 1; a benchmark has 2 to 32"),
    "minus classes": (SHORT, "classes = 10", "classes = -4", "classes is -4;"),
    "too many": (SHORT, "classes = 10", "classes = 32767", "classes is 32767;"),
    "target": (SHORT, "target_label = 7", "target_label = 10", "target_label is 10, outside 0..9"),
    "minus": (SHORT, "target_label = 7", "target_label = -1", "target_label is -1, outside 0..9"),
    "target as text": (SHORT, "label = 7", 'label = "7"', "target_label: expected `int`, got"),
    "layer": (SHORT, '"conv2d_5"', "5", "pruned_layer: expected `str`, got `int`"),
    "no layer": (SHORT, '"conv2d_5"', '" "', "pruned_layer is empty"),
    "tolerance": (SHORT, "tolerance_images = 1", "tolerance_images = -1", "tolerance_images is -1"),
    "scale": (SHORT, "classes = 10", "classes = 10\npixel_scale = 0", "pixel_scale is 0; pixels"),
    "no number": (SHORT, "classes = 10", "classes = 10\npixel_scale = nan", "pixel_scale is nan"),
    "an X": (SHORT, "classes = 10", "classes = 10\ncheckpoints = [2, -4]", "checkpoints: -4 is no"),
    "X twice": (SHORT, "classes = 10", "classes = 10\ncheckpoints = [2, 2]", "one X is named twi"),
    "split": (SHORT, "classes = 10", 'classes = 10\nsplit = "hidden"', "split is 'hidden'; public"),
    "key": (SHORT, "target_label", "taget_label", "unknown key 'taget_label'; did you mean 'targ"),
    "key 2": (SHORT, "input_shape", "inputshape", "'inputshape'; did you mean 'input_shape'?"),
    "set": (SHORT, "bd_valid =", "bd_vaild =", "[files] unknown key 'bd_vaild'; did you mean 'bd_"),
    "no set": (SHORT, 'bd_test = "d.h5"', "", "[files] bd_test is missing"),
    "no file": (SHORT, '"d.h5"', '""', "[files] bd_test is '', no file's name"),
    "counts": (SHORT, "[files]", "[images]\nvalid = -3\n[files]", "[images] valid is -3; a number"),
    "counts of": (SHORT, "[files]", "[images]\nvlid = 3\n[files]", "[images] unknown key 'vlid'"),
    "no TOML": (SHORT, "classes = 10", "classes = ", "not a dataset description (Invalid value"),
    "no title": (SHORT, 'title = "Mine"', "", "missing required field `title`"),
    "version": (SHORT, "schema_version = 1", "schema_version = 2", "schema_version is 2, expected"),
    "both": (SEVERAL, 'test = "b.h5"', 'test = "b.h5"\nbd_valid = "c.h5"', "both [[attacks]] and"),
    "both targets": (SEVERAL, "classes = 10", "classes = 10\ntarget_label = 1", "each attack stat"),
    "same name": (SEVERAL, '"all to all"', '"yellow square"', "two attacks have the name 'yellow "),
    "nearly": (SEVERAL, '"all to all"', '"Yellow  Square"', "two attacks have the name 'Yellow  S"),
    "no name": (SEVERAL, 'name = "all to all"', "", "attack 2: its name is missing"),
    "empty name": (SEVERAL, '"all to all"', '" "', "attack 2: its name is empty"),
    "lines": (SEVERAL, '"all to all"', '"all\\nto all"', "a name is one line of at most 60"),
    "its target": (SEVERAL, "label = 7", "label = 10", "attack 'yellow square': target_label is"),
    "no files": (SEVERAL, 'files = { valid = "bd/y', 'file = { valid = "bd/y',
                 "attack 'yellow square': unknown key 'file'; did you mean 'files'? (and 1 more)"),
    "files of": (SEVERAL, 'files = { valid = "bd/a_valid.h5", test = "bd/a_test.h5" }', "",
                 "attack 'all to all': its files are missing"),
    "empty files": (SEVERAL, '{ valid = "bd/a_valid.h5", test = "bd/a_test.h5" }', "{}",
                    "attack 'all to all': its files name no valid"),
    "no test": (SEVERAL, ', test = "bd/a_test.h5"', "", "attack 'all to all': its files name no t"),
    "bd_valid": (SEVERAL, '{ valid = "bd/a_valid', '{ bd_valid = "bd/a_valid',
                 "files has unknown key 'bd_valid'; did you mean 'valid'?"),
    "same file": (SEVERAL, "bd/a_valid.h5", "bd/y_valid.h5", "names the file of attack 'yellow s"),
    "clean file": (SEVERAL, "bd/a_valid.h5", "a.h5", "names the file of [files] valid: a.h5"),
    "texts": (SHORT, "[files]", "attacks = ['a']\n[files]", "attacks is a list of tables, each"),
    "order": (SHORT, "[files]", "channel_order = [0, 2, 0]\n[files]", "names each channel once"),
    "dormant": (SHORT, "[files]", "dormant_channels = 2\n[files]", "dormant_channels is 2, more"),
    "a table": (SHORT, "[files]", "[attacks]\nname = 'x'\n[files]", "attacks is a list of tables"),
    "none": (SHORT.partition("[files]")[0], "tolerance_images = 1", "attacks = []", "attacks is e"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_line_that_says_what_to_change(fault):
    text, old, new, said = FAULTS[fault]
    with pytest.raises(HarnessError) as raised:
        parse(changed(text, old, new))
    line = str(raised.value)
    assert line.startswith("mine/dataset.toml: ")
    assert said in line
    assert "\n" not in line
