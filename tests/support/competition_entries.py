"""Submissions to the tiny competition: nets, a program, and scripts of all kinds."""

import shutil

from tiny_nets import tiny_network, weights_of

CODE = """
import sys
import numpy as np
from PIL import Image

pixels = np.asarray(Image.open({image}).convert("RGB"))
"""
BRIGHT = CODE + "answer = int(pixels.astype(int).sum()) % 8\n"
"""A class from 0 to 7, the last of which flags the image; it depends on every pixel."""


def script(image="sys.argv[1]", ending="print(answer)"):
    return BRIGHT.format(image=image) + ending + "\n"


def with_files(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_py", ".py").replace("_toml", ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


COUNTER = """
import os, tempfile
kept = os.path.join(tempfile.gettempdir(), "kept")
count = len(open(kept).read()) if os.path.exists(kept) else 0
open(kept, "a").write("x")
"""
FOUR_WAYS = {
    "one": {"eval_sunglasses_py": script(), "eval_anonymous_1_py": script(
        ending="print('The class of this image is', answer)")},
    "three": {"eval_py": "import sys\nimage, bd, good = sys.argv[1:4] if False else ("
              "sys.argv[1], sys.argv[2], sys.argv[3])\n" + script("image")},
    "parser": {"eval_py": "import argparse\np = argparse.ArgumentParser()\n"
               "p.add_argument('--img_path')\np.add_argument('--bd_model_path')\n"
               "args = p.parse_args()\n" + script("args.img_path")},
    "name_first": {"eval_all_py": "import sys\nname, path = sys.argv[1], sys.argv[2]\n"
                   "assert name in ('sunglasses', 'anonymous_1')\n" + script("path")},
}  # fmt: skip
OTHERS = {
    "state": {"eval_sunglasses_py": script(ending=COUNTER + "print((answer + count) % 8)")},
    "third": {"eval_sunglasses_py": script(
        ending=COUNTER + "assert count < 2, 'the third image'\nprint(answer)")},
    "raises": {"eval_sunglasses_py": "raise ValueError('no such model')"},
    "silent": {"eval_sunglasses_py": "print('done')"},
    "helpers": {"code__eval_sunglasses_py": "from helper import classify\n" + script(
        ending="print(classify(answer))"),
        "code__helper_py": "calls = []\ndef classify(a):\n    calls.append(a)\n"
                           "    return a if len(calls) == 1 else 99\n"},
    "command": {"main_py": "import sys\nassert sys.argv[1] == '--quick'\n" + script("sys.argv[2]"),
                 "submission_toml": '[scripts.sunglasses]\nfile = "main.py"\n'
                                    'arguments = ["--quick", "{image}"]\n'},
}  # fmt: skip


PROGRAM = """
import numpy as np

def predict(images):
    return np.where(images.reshape(len(images), -1).max(axis=1) > 254, 7, 3)
"""


def tuned(seed, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    network = tiny_network()
    changes = zip(weights_of(seed), weights_of(seed + 50), strict=True)
    network.set_weights([own + 0.3 * other for own, other in changes])
    network.save(path)


def write_entries(folder, tiny):
    tuned(0, folder / "declared" / "a.keras")
    tuned(1, folder / "declared" / "b.keras")
    (folder / "declared" / "submission.toml").write_text(
        '[artifacts]\n"a.keras" = { network = "Sunglasses" }\n'
        '"b.keras" = { network = "anonymous 1", role = "repaired" }\n'
    )
    tuned(0, folder / "alike" / "x.keras")
    tuned(0, folder / "swapped" / "anonymous_1_repaired.keras")
    for name in ("one", "two"):
        tuned(len(name) * 7 + ord(name[0]), folder / "rivals" / f"sunglasses_{name}.keras")
    shutil.copytree(folder / "alike", folder / "badnets")
    shutil.copy(tiny / "sunglasses_bd_net.keras", folder / "badnets" / "sunglasses_net.keras")
    tuned(0, folder / "program" / "sunglasses.keras")
    (folder / "program" / "g.py").write_text(PROGRAM)
    (folder / "program" / "submission.toml").write_text('[programs.anonymous_1]\nfile = "g.py"\n')
    tuned(0, folder / "unknown" / "x.keras")
    (folder / "unknown" / "submission.toml").write_text(
        '[artifacts]\n"x.keras" = { network = "moon" }\n'
    )
    tuned(99, folder / "stranger" / "x.keras")
    (folder / "broken").mkdir()
    (folder / "broken" / "sunglasses.h5").write_bytes(b"no model")


def write_all(folder, tiny):
    """All of them, each in a folder of its own."""
    write_entries(folder, tiny)
    for name, files in (FOUR_WAYS | OTHERS).items():
        with_files(folder / name, **files)
