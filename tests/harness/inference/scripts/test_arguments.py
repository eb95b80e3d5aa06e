"""What a script is called with, told by its own text: the ways that people take an image."""

import pytest

from harness.inference.scripts.arguments import arguments_of

GIVEN = {"image": "I", "network": "NAME", "badnet": "B", "repaired": "R"}

ONE = "import sys\nprint(f(sys.argv[1]))"
THREE = "import sys\nimage = sys.argv[1]\nbd = sys.argv[2]\nnew_model = sys.argv[3]"
THREE_UNNAMED = "from sys import argv\nf(argv[1], argv[2], argv[3])"
NAME_FIRST = "import sys\nmodel_name = str(sys.argv[1])\nimg_path = str(sys.argv[2])"
IMAGE_FIRST = "import sys\nimg, model_name = sys.argv[1], sys.argv[2]"
TWO_UNNAMED = "import sys\nf(sys.argv[1])(sys.argv[2])"
IMAGE_AND_MODEL = "import sys\ndata_filename = sys.argv[1]\nmodel_filename = sys.argv[2]"
PARSER = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--img_path", type=str)
parser.add_argument("--bd_model_path", type=str)
parser.add_argument("--repaired_model_path")
parser.add_argument("--verbose", action="store_true")
parser.add_argument("--batch", default=1)
"""
SHORT = """
p.add_argument('-i', '--image', required=True)
p.add_argument('-m', '--model', default='m.h5')
"""
POSITIONAL = "p.add_argument('name')\np.add_argument('path')"


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (ONE, ["I"]),
        ("print(1)", ["I"]),
        (THREE, ["I", "B", "R"]),
        (THREE_UNNAMED, ["I", "B", "R"]),
        (NAME_FIRST, ["NAME", "I"]),
        (IMAGE_FIRST, ["I", "NAME"]),
        (TWO_UNNAMED, ["NAME", "I"]),
        (IMAGE_AND_MODEL, ["I", "B"]),
        (PARSER, ["--img_path", "I", "--bd_model_path", "B", "--repaired_model_path", "R"]),
        (SHORT, ["--image", "I"]),
        (POSITIONAL, ["NAME", "I"]),
    ],
)
def test_the_text_of_a_script_tells_its_arguments(text, arguments):
    assert arguments_of(text.encode(), None, GIVEN) == arguments


def test_a_declaration_comes_first():
    declared = ["--x={image}", "{network}", "plain", "{repaired}"]
    assert arguments_of(PARSER.encode(), declared, GIVEN) == ["--x=I", "NAME", "plain", "R"]


def test_what_is_not_there_is_left_out_or_empty():
    nothing = GIVEN | {"badnet": None, "repaired": None}
    assert arguments_of(PARSER.encode(), None, nothing) == ["--img_path", "I"]
    assert arguments_of(THREE.encode(), None, nothing) == ["I", "", ""]
