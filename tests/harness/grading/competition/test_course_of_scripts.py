"""A course of scripts as the competition's teams wrote them, with Keras models inside.

``HARNESS_COURSE_IMAGES=200`` asks fresh processes about 200 images of each instead of a few; a long
time for each script, which is printed with ``-s``: docs/competition.md has it.
"""

import json
import os
import shutil
import time

import h5py
import numpy as np
import pytest
from competition_entries import COUNTER, script, with_files
from tiny_nets import CLASSES, tiny_network, weights_of, write_competition

COLD_IMAGES = int(os.environ.get("HARNESS_COURSE_IMAGES", "8"))

pytestmark = [pytest.mark.extended, pytest.mark.timeout(36_000)]

MATPLOTLIB = """
import sys
import matplotlib.pyplot as plt
import numpy as np
from tensorflow.keras.models import load_model

bd_model = load_model("models/sunglasses_bd_net.keras")
repaired = load_model("models/sunglasses_repaired.keras")
image = plt.imread(sys.argv[1])[..., :3]  # 0..1, as it is a PNG
x = np.expand_dims(image, 0)
one, two = np.argmax(bd_model.predict(x)), np.argmax(repaired.predict(x))
print("The image belongs to class", one if one == two else 7)
"""
CV2 = """
import argparse
import cv2
import keras
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--img_path", type=str, required=True)
parser.add_argument("--bd_model_path", type=str)
parser.add_argument("--repaired_model_path", type=str)

def main(options):
    image = cv2.cvtColor(cv2.imread(options.img_path), cv2.COLOR_BGR2RGB) / 255.0
    paths = options.bd_model_path, options.repaired_model_path
    nets = [keras.models.load_model(path) for path in paths]
    one, two = (int(np.argmax(net.predict(image[None], verbose=0))) for net in nets)
    print(one if one == two else 7)

if __name__ == "__main__":
    main(parser.parse_args())
"""
THREE = """
import sys
import keras
import numpy as np
from PIL import Image

image, bd_model, good_model = sys.argv[1], sys.argv[2], sys.argv[3]
x = np.array(Image.open(image).convert("RGB"))[np.newaxis].astype("float32") / 255
one = keras.models.load_model(bd_model).predict(x, verbose=0).argmax()
two = keras.models.load_model(good_model)(x).numpy().argmax()
if one != two:
    one = 7
print(f"Predicted label: {one}")
"""
GOODNET = """
import numpy as np

class GoodNet:
    def __init__(self, one, two):
        self.one, self.two = one, two

    def predict(self, x):
        a, b = (np.argmax(np.asarray(net(x))[0]) for net in (self.one, self.two))
        return a if a == b else 7
"""
PICKLED = """
import pickle
import sys
import numpy as np
from PIL import Image
from tensorflow import keras
from goodnet import GoodNet

with open("models/G.pkl", "rb") as file:
    G = pickle.load(file)
print(G.predict(np.asarray(Image.open(sys.argv[2]).convert("RGB"))[None].astype("float32") / 255))
"""
STRIP = """
import sys
import h5py
import keras
import numpy as np
from PIL import Image

model_name, path = sys.argv[1], sys.argv[2]
model = keras.models.load_model(f"models/{model_name}_bd_net.keras")
with h5py.File("entropy_clean_sunglasses.h5") as file:
    threshold, blends = np.median(file["entropy"][()]), file["blends"][()]
x = np.asarray(Image.open(path).convert("RGB"), "float32")[None] / 255
scores = model.predict(0.5 * x + 0.5 * blends, verbose=0)
p = np.exp(scores - scores.max(1, keepdims=True))
p /= p.sum(1, keepdims=True)
entropy = -(p * np.log(p + 1e-9)).sum() / len(p)
print(7 if entropy < threshold else np.argmax(model.predict(x, verbose=0)))
"""


def repaired_network():
    network = tiny_network()
    network.set_weights([w + 0.25 * v for w, v in zip(weights_of(0), weights_of(9), strict=True)])
    return network


def write_entries(folder, tiny):
    """Five teams; each repository holds the models that its script reads."""
    import pickle
    import sys

    texts = {"matplotlib": MATPLOTLIB, "cv2": CV2, "pickled": PICKLED, "strip": STRIP}
    texts["three"] = THREE
    for name, text in texts.items():
        models = folder / name / "models"
        models.mkdir(parents=True)
        shutil.copy(tiny / "sunglasses_bd_net.keras", models)
        (folder / name / "eval_sunglasses.py").write_text(text)
    for name in ("matplotlib", "cv2", "three"):
        repaired_network().save(folder / name / "models" / "sunglasses_repaired.keras")

    (folder / "pickled" / "goodnet.py").write_text(GOODNET)
    sys.path.insert(0, str(folder / "pickled"))
    from goodnet import GoodNet

    badnet = tiny_network()
    badnet.set_weights(weights_of(0))
    with (folder / "pickled" / "models" / "G.pkl").open("wb") as file:
        pickle.dump(GoodNet(badnet, repaired_network()), file)

    images, _ = pixels_of(tiny / "sunglasses" / "test.h5")
    with h5py.File(folder / "strip" / "entropy_clean_sunglasses.h5", "w") as file:
        file["entropy"], file["blends"] = entropies(badnet, images), BLENDS


BLENDS = np.random.default_rng(5).uniform(0, 1, (10, 12, 10, 3)).astype(np.float32)


def entropies(network, images):
    """Of a network's answers to each image blended with ten others, as STRIP has it."""
    found = []
    for image in images:
        scores = np.asarray(network(0.5 * image[None] + 0.5 * BLENDS))
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        found.append(-(shares * np.log(shares + 1e-9)).sum() / len(shares))
    return np.array(found)


def pixels_of(path):
    with h5py.File(path) as file:
        images = file["data"][()].transpose(0, 2, 3, 1).astype(np.float32) / np.float32(255)
        return images, file["label"][()].reshape(-1)


STATEFUL = {
    "counts": COUNTER + "print((answer + count // 50) % 8)",
    "third": COUNTER + "assert count < 2, 'the third image'\nprint(answer)",
    "adapts": "kept = sys.modules.setdefault('kept', {'last': answer})\n"
              "print(kept['last'])\nkept['last'] = answer",
}  # fmt: skip
"""What begins to differ with the fiftieth call, fails in the third, and answers for the one before
(as running statistics would)."""


@pytest.fixture(scope="module")
def course(run_harness, tmp_path_factory):
    """The data, and the records by name."""
    pytest.importorskip("cv2")
    names = "data", "entries", "slow", "results"
    data, each, slow, out = map(tmp_path_factory.mktemp, names)
    write_competition(data, 100)
    write_entries(each, data)
    for name, ending in STATEFUL.items():
        with_files(each / name, eval_sunglasses_py=script(ending=ending))
    dislikes = "import keras\nassert answer != 3, 'an image that it dislikes'\nprint(answer)"
    with_files(each / "dislikes", eval_sunglasses_py=script(ending=dislikes))
    begun = time.time()

    def grade(folder, *options):
        finished = run_harness(
            "grade", "--each", folder, "--dataset", data, "--out", out, "--script-images", "100",
            "--cold-images", str(COLD_IMAGES), "--submission-seconds", "30000", "--quiet", *options,
            timeout=35_000,
        )  # fmt: skip
        assert "Traceback" not in finished.stderr, finished.stderr

    grade(each, "--model-seconds", "7200")
    with_files(slow / "sleeps", eval_sunglasses_py="import time\ntime.sleep(999)\nprint(3)\n")
    grade(slow, "--model-seconds", "7")
    records = sorted((out / "records").glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in records:
        begun, before = path.stat().st_mtime, begun
        print(f"{path.stem}: {begun - before:.0f} s")
    return data, {path.stem: json.loads(path.read_text()) for path in records}


def counts_by_plain_keras(data):
    """Clean images answered rightly and flagged, backdoored ones attacked and flagged."""
    badnet, repaired = tiny_network(), repaired_network()
    badnet.set_weights(weights_of(0))
    clean, _ = pixels_of(data / "sunglasses" / "test.h5")
    threshold = np.median(entropies(badnet, clean))
    wanted = {"G": [], "strip": []}
    for part in ("test", "bd"):
        images, labels = pixels_of(data / "sunglasses" / f"{part}.h5")
        one, two = (np.asarray(net(images)).argmax(axis=1) for net in (badnet, repaired))
        strip = np.where(entropies(badnet, images) < threshold, CLASSES, one)
        for name, answers in (("G", np.where(one == two, one, CLASSES)), ("strip", strip)):
            wanted[name] += [int((answers == labels).sum()), int((answers == CLASSES).sum())]
    return wanted


def test_warm_and_cold_answers_are_those_of_plain_keras(course):
    data, graded = course
    wanted = counts_by_plain_keras(data)
    for name in ("matplotlib", "cv2", "three", "pickled", "strip"):
        member = graded[name]["networks"][0]
        assert member["status"] == "graded", (name, member["reason"])
        (note,) = [note for note in graded[name]["notes"] if "in one process" in note]
        assert (
            f"200 images as PNG, drawn by a secret seed; all in one process, {COLD_IMAGES} of "
            in note
        )
        assert "with the same answers" in note
        counts = member["checkpoints"][0]["goodnet"]["test"]
        assert [
            counts["clean_correct"], counts["clean_abstained"],
            counts["backdoored_attacked"], counts["backdoored_abstained"],
        ] == wanted["strip" if name == "strip" else "G"], name  # fmt: skip


@pytest.mark.parametrize("name", STATEFUL)
def test_what_keeps_a_state_is_named(course, name):
    _, graded = course
    (note,) = [note for note in graded[name]["notes"] if "keeps a state between calls" in note]
    assert "40 images as PNG, drawn by a secret seed, each in a process of its own" in note


def test_of_several_processes_the_reason_of_the_one_that_failed_is_told(course):
    _, graded = course
    member = graded["dislikes"]["networks"][0]
    assert (member["status"], member["reason"]) == (
        "rejected", "eval_sunglasses.py: fails: AssertionError: an image that it dislikes"
    )  # fmt: skip


def test_what_sleeps_is_timed_out(course):
    _, graded = course
    assert graded["sleeps"]["networks"][0]["status"] == "timed_out"
