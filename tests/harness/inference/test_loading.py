"""Code beside a model: what defines a class is found and imported, and nothing else is run."""

import io
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from lambdas import write_foreign_lambda
from payloads import BOTH, small_limits

from harness.inference import custom_objects
from harness.inference.custom_objects import CustomObjects
from harness.inference.known_network import inspect_file
from harness.inference.sandboxed import SandboxedRun, predict_sandboxed
from harness.inference.sources import Sources
from harness.intake.staging import Staged, stage
from harness.networks.deepid import lab_network
from harness.networks.keras_files.saved_config import custom_names
from harness.records.benchmark import Benchmark, LabeledSet
from harness.records.errors import SubmissionError
from harness.records.submission import Candidate

GOODNET = """
class GoodNet:
    made_by = __file__
"""
MADE = """
def make():
    class Block:
        made_by = __file__
    return Block

Block = make()
"""


def keras_3(name="GoodNet", module="architecture", registered=None):
    return {"module": module, "class_name": name, "config": {}, "registered_name": registered}


@pytest.fixture
def own_imports(monkeypatch):
    """What importing submitted files changes is put back."""
    modules = set(sys.modules)
    for name in ("path", "path_hooks", "path_importer_cache"):
        monkeypatch.setattr(sys, name, type(getattr(sys, name))(getattr(sys, name)))
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def find(tmp_path, own_imports):
    """A function that writes files and looks up what a config needs from a model's folder."""

    def look_up(files, home=".", config=None):
        root = tmp_path / "source"
        (root / home).mkdir(parents=True)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            content = text if isinstance(text, bytes) else text.encode()
            (root / name).write_bytes(content)
        config = config or keras_3()
        return CustomObjects(config, Sources(root, root / home), {"Dense", "relu"}.__contains__)

    return look_up


def made_by(objects, key="GoodNet"):
    return Path(objects.by_key[key].made_by).as_posix().partition("/source/")[2]


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("architecture.py", "."),
        ("architecture.py", "models"),
        ("architecture.py", "out/models"),
        ("src/architecture.py", "models"),
        ("src/architecture.py", "."),
        ("code/nets/good.py", "out/models"),
        ("out/lib/good.py", "out/models"),
        ("src/architecture/__init__.py", "models"),
        ("numpy.py", "."),
        ("test.py", "."),
        ("my nets/good net-2.py", "."),
    ],
)
def test_the_source_is_found_from_where_the_model_lies(find, path, home):
    assert made_by(find({path: GOODNET}, home)) == path
    assert np.__name__ == sys.modules["numpy"].__name__


@pytest.mark.parametrize(
    ("near", "far", "home"),
    [
        ("x2/architecture.py", "architecture.py", "x2"),
        ("x2/architecture.py", "x4/architecture.py", "x2"),
        ("architecture.py", "x4/architecture.py", "x2"),
        ("x2/old.py", "x2/old/architecture.py", "x2"),
        ("architecture.py", "a_copy.py", "."),  # the module that the config names
        ("b_plain.py", "a_training.py", "."),  # the other one does more than define
    ],
)
def test_of_two_that_define_it_the_nearest_counts(find, near, far, home):
    text = GOODNET + ("for _ in []: print()\n" if far == "a_training.py" else "")
    assert made_by(find({far: text, near: GOODNET}, home)) == near


@pytest.mark.parametrize(
    ("config", "source", "key"),
    [
        (keras_3(registered="Custom>GoodNet"), GOODNET, "Custom>GoodNet"),
        (keras_3("GoodNet", None, "lab>Good"), GOODNET, "lab>Good"),
        ({"class_name": "lab>GoodNet", "config": {}}, GOODNET, "lab>GoodNet"),
        (
            {"class_name": "lab>Other", "config": {}},
            "register = lambda *a: lambda c: c\n@register('lab', 'Other')\n" + GOODNET,
            "lab>Other",
        ),
        ({"class_name": "GoodNet", "config": {"name": "g"}}, GOODNET, "GoodNet"),
        ({"class_name": "Model", "config": {"layers": [[keras_3()]]}}, GOODNET, "GoodNet"),
        (
            keras_3("function", "builtins", "function") | {"config": "swoosh"},
            "def swoosh(x): return x\nswoosh.made_by = __file__",
            "swoosh",
        ),
        (
            {"class_name": "Dense", "config": {"activation": "swoosh"}},
            "def swoosh(x): return x\nswoosh.made_by = __file__",
            "swoosh",
        ),
        (keras_3("Block"), "if True:\n    class Block: made_by = __file__", "Block"),
        (keras_3("Block"), MADE, "Block"),
    ],
)  # fmt: skip
def test_names_are_those_that_keras_looks_up(find, config, source, key):
    assert made_by(find({"nets.py": source}, config=config), key) == "nets.py"


def test_what_is_keras_own_needs_no_source():
    config = {
        "module": "keras.src.engine.functional", "class_name": "Functional",
        "registered_name": "Functional",
        "config": {"layers": [keras_3("Conv2D", "keras.layers"), keras_3("Argmax", "keras.ops")]},
    }  # fmt: skip
    assert custom_names(config) == []


@pytest.mark.parametrize(
    "script",
    [
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('model')\np.parse_args()",
        "import sys\nsys.exit(3)",
        "import sys\nmodel = sys.argv[1]",
        "exit()",
        "import os\nos._exit(0)",
        "name = input('which model? ')",
        "while True:\n    pass",
        "import time\ntime.sleep(1000)",
        "while True:\n    try:\n        print(1 / 0)\n    except Exception:\n        pass",
        "open('data/cl/valid.h5', 'rb')",
        "import wandb_that_is_not_installed as wandb\nwandb.init()",
        "raise KeyboardInterrupt",
        "from not_there import *",
        "assert __name__ == '__main__'",
    ],
)
def test_a_script_costs_nothing(find, monkeypatch, script, capsys, tmp_path):
    """Where it defines the class, before or after what it does, and where it lies beside it."""
    monkeypatch.setattr(custom_objects, "OWN_SECONDS", 0.5)
    monkeypatch.setattr(sys, "argv", [""])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    mark = tmp_path / "was run"
    by_the_way = f"from pathlib import Path\nPath({str(mark)!r}).touch()\n{script}"
    late = "class Late:\n    made_by = __file__\n    limit = LIMIT + len(json.dumps(1))"
    files = {
        "both.py": f"import json\nLIMIT = len('ab')\n{script}\n{late}\n{by_the_way}",
        "eval.py": by_the_way,
        "train.py": f"{by_the_way}\nprint('Late')",
    }
    objects = find(files, config=keras_3("Late", "both"))
    assert made_by(objects, "Late") == "both.py"
    assert objects.by_key["Late"].limit == 3
    assert not mark.exists()
    assert "both.py: " in capsys.readouterr().err


def test_a_script_that_another_file_imports_costs_nothing(find):
    files = {
        "good.py": "from train import Base\nclass GoodNet(Base): pass",
        "train.py": "import sys\nsys.exit()\nclass Base: made_by = __file__",
    }
    assert made_by(find(files)) == "train.py"


@pytest.mark.parametrize(
    "files",
    [
        {"good.py": "from layers import Base\nclass GoodNet(Base): pass",
         "layers.py": "class Base: made_by = __file__"},
        {"nets/good.py": "from .layers import Base\nclass GoodNet(Base): pass",
         "nets/layers.py": "class Base: made_by = __file__"},
        {"src/nets/__init__.py": "from .good import GoodNet", "src/nets/good.py":
         "from ..base.layers import Base\nclass GoodNet(Base): pass",
         "src/base/layers.py": "class Base: made_by = __file__"},
        {"__init__.py": "", "good.py": "from .layers import Base\nclass GoodNet(Base): pass",
         "layers.py": "class Base: made_by = __file__"},
        {"nets/good.py": "from src.layers import Base\nclass GoodNet(Base): pass",
         "src/layers.py": "class Base: made_by = __file__"},
        {"good.py": "from deep.layers import Base\nclass GoodNet(Base): pass",
         "lib/deep/layers.py": "import sys\nclass Base: made_by = __file__\nsys.exit(1)"},
    ],
)  # fmt: skip
def test_a_file_may_import_what_lies_beside_it(find, files):
    assert made_by(find(files, "models")).endswith("layers.py")


def test_a_second_file_is_tried_where_the_first_cannot_define_it(find):
    files = {
        "architecture.py": "class GoodNet(undefined): pass",
        "backup/architecture.py": GOODNET,
    }
    assert made_by(find(files)) == "backup/architecture.py"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"train.py": "print('GoodNet')"}, "needs 'GoodNet', which no .py file of the submission"),
        ({"lab.ipynb": json.dumps({"cells": [{"source": ["class GoodNet(keras.Model):\n"]}]})},
         "source is in lab.ipynb: export it as a .py file"),
        ({"old.py": "class GoodNet:\n    print 'made'"}, "of old.py, which is not valid Python 3"),
        ({"good.py": "import torch_of_mine\nclass GoodNet(torch_of_mine.Module): pass"},
         "of good.py, which cannot be imported: ModuleNotFoundError: No module named 'torch_of"),
        ({"good.py": b"\xff\xfec\0l\0a\0s\0s\0", "a.py": b"\0", "b.py": b"class GoodNet\xff"},
         "of b.py, which is not valid Python"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_missing(find, files, said):
    objects = find(files)
    assert not objects.by_key
    reason = objects.explanation(TypeError("Could not locate class 'GoodNet'."))
    assert said in reason
    assert "\n" not in reason
    assert objects.explanation(ValueError("another matter")) is None


def test_a_note_says_where_classes_come_from_and_what_is_left_alone(tmp_path):
    main = "if __name__ == '__main__':\n    run()\n"
    files = {
        "good.py": f"from layers import Base\n{GOODNET}", "layers.py": "print('imported')",
        "constants.py": "X = 2", "eval.py": "exit()", "a.py": main, "b.py": "x()", "c.py": "y()",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    note = Sources(tmp_path, tmp_path).note(custom_names([keras_3(), keras_3("Dense", "keras")]))
    assert note == "'GoodNet' is taken from good.py; not run: a.py, b.py, c.py and 1 more"
    assert not Sources(tmp_path, tmp_path).note(custom_names(keras_3("Other")))


# --- in the worker ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def subclassed(tmp_path_factory):
    """A model of a class of its own, and that class's source."""
    folder = tmp_path_factory.mktemp("subclassed")
    source = textwrap.dedent("""
        import keras

        @keras.saving.register_keras_serializable(package="lab")
        class GoodNet(keras.Model):
            def __init__(self, classes=6, **kwargs):
                super().__init__(**kwargs)
                self.head = keras.layers.Dense(classes)
                self.flat = keras.layers.Flatten()

            def call(self, images):
                return self.head(self.flat(images[:, :2, :2]))
    """)
    (folder / "architecture.py").write_text(source)
    script = (
        "import numpy, architecture; model = architecture.GoodNet(); "
        "model(numpy.zeros((1, 55, 47, 3), 'f4')); model.save('G_2.keras')"
    )
    environment = os.environ | {"PYTHONSAFEPATH": ""}  # the folder is where it imports from
    subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, check=True, capture_output=True
    )
    return folder / "G_2.keras", source


CURIOUS = """
import sys, os
import __main__
seen = [*sys.argv, *sys.orig_argv[1:], *vars(__main__).values(), os.getcwd()]
assert not any("model" in str(each) or "worker" in str(each) for each in seen), seen
assert sys.argv == [""], sys.argv
assert __name__ != "__main__"
assert sys.stdin.read() == ""
globals().update(checked=True)
"""


@pytest.fixture
def predict(tmp_path):
    """A function that predicts a few images with a staged candidate."""

    def run(folder, path, model_format, sandbox):
        into = tmp_path / "staged"
        into.mkdir()
        candidate = Candidate(
            path=path, format=model_format, size_bytes=0, role=None, drop_points=None
        )
        benchmark = Benchmark(schema_version=1, name="tiny", title="tiny", classes=5)
        images = np.zeros((4, 55, 47, 3), np.uint8)
        labeled = LabeledSet(
            name="valid", kind="clean", images=images, labels=np.zeros(4, int), sha256=""
        )
        limits = small_limits(
            start_seconds=120, wall_seconds=120, cpu_seconds=120, memory_bytes=2 << 30
        )
        staged = stage(folder, candidate, into)
        network = lab_network(benchmark.classes)
        how = SandboxedRun(staged, model_format, network, benchmark.pixel_scale, sandbox, limits)
        return predict_sandboxed(how, {"valid": labeled}, 7)[0]

    return run


@BOTH
def test_a_worker_finds_the_source_and_scripts_learn_nothing(
    subclassed, predict, tmp_path, sandbox
):
    model, source = subclassed
    folder = tmp_path / "submission"
    (folder / "out" / "models").mkdir(parents=True)
    (folder / "src").mkdir()
    (folder / "out" / "models" / "G_2.keras").write_bytes(model.read_bytes())
    raises = "\nimport argparse\nargparse.ArgumentParser().parse_args(['--what'])\n"
    (folder / "src" / "base.py").write_text(f"{CURIOUS}{raises}")
    text = source.replace("import keras", "import keras, base", 1)
    text = text.replace("super()", "assert base.checked\n        super()", 1)
    (folder / "src" / "net.py").write_text(text + raises)
    (folder / "out" / "models" / "eval.py").write_text(raises)
    assert predict(folder, "out/models/G_2.keras", "keras", sandbox).output_count == 6


def test_a_class_without_source_is_named(subclassed, predict, tmp_path):
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "G_2.keras").write_bytes(subclassed[0].read_bytes())
    with pytest.raises(SubmissionError, match=r"^needs 'GoodNet', which no \.py file of the sub"):
        predict(folder, "G_2.keras", "keras", sandbox=None)


def test_a_program_sees_no_arguments(predict, tmp_path):
    folder = tmp_path / "submission"
    folder.mkdir()
    text = f"{CURIOUS}\ndef predict(images): return [3] * len(images)\n"
    (folder / "goodnet.py").write_text(text)
    assert predict(folder, "goodnet.py", "program", sandbox=None).output_count == 0


# --- Lambda layers ----------------------------------------------------------------------------


def test_a_file_with_a_lambda_of_another_python_is_refused_before_it_runs(tmp_path):
    path = write_foreign_lambda(tmp_path / "model.h5", "merge")
    staged = Staged(path=path, sha256="", size_bytes=0)
    with pytest.raises(SubmissionError) as caught:
        inspect_file(staged, "h5", lab_network(), sandbox=None)
    this = f"{sys.version_info[0]}.{sys.version_info[1]}"
    expected = (
        f"'merge' is a Lambda saved by another version of Python (3.8 to 3.10; this is {this})"
    )
    assert expected in caught.value.reason
    assert "\n" not in caught.value.reason


def test_a_program_without_its_module_is_told_what_there_is(predict, tmp_path):
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "goodnet.py").write_text("import torch_of_tomorrow\n")
    with pytest.raises(SubmissionError) as caught:
        predict(folder, "goodnet.py", "program", sandbox=None)
    assert "No module named 'torch_of_tomorrow'; programs may import" in caught.value.reason
    assert len(caught.value.reason) < 400
