"""Scripts with Keras models inside, as the competition's teams wrote them."""

import json
import shutil

import h5py
import numpy as np
import pytest
from tiny_nets import CLASSES, tiny_network, weights_of

pytestmark = pytest.mark.extended

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
    """Four teams; each repository holds the models that its script reads."""
    import pickle
    import sys

    texts = {"matplotlib": MATPLOTLIB, "cv2": CV2, "pickled": PICKLED, "strip": STRIP}
    for name, text in texts.items():
        models = folder / name / "models"
        models.mkdir(parents=True)
        shutil.copy(tiny / "sunglasses_bd_net.keras", models)
        (folder / name / "eval_sunglasses.py").write_text(text)
    for name in ("matplotlib", "cv2"):
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


def test_each_reader_and_each_store_of_models_gives_the_answers_of_plain_keras(
    run_harness, tiny, tmp_path
):
    pytest.importorskip("cv2")
    write_entries(tmp_path / "all", tiny)
    finished = run_harness(
        "grade", "--each", tmp_path / "all", "--dataset", tiny, "--out", tmp_path / "out",
        "--cold-images", "3",
    )  # fmt: skip
    assert "Traceback" not in finished.stderr, finished.stderr
    badnet, repaired = tiny_network(), repaired_network()
    badnet.set_weights(weights_of(0))
    wanted = {}
    clean, _ = pixels_of(tiny / "sunglasses" / "test.h5")
    threshold = np.median(entropies(badnet, clean))
    for part in ("test", "bd"):
        images, labels = pixels_of(tiny / "sunglasses" / f"{part}.h5")
        one, two = (np.asarray(net(images)).argmax(axis=1) for net in (badnet, repaired))
        strip = np.where(entropies(badnet, images) < threshold, CLASSES, one)
        for name, answers in (("G", np.where(one == two, one, CLASSES)), ("strip", strip)):
            hits, flags = int((answers == labels).sum()), int((answers == CLASSES).sum())
            wanted[name, part] = hits, flags
    for path in (tmp_path / "out" / "records").glob("*.json"):
        record = json.loads(path.read_text())
        member = record["networks"][0]
        assert member["status"] == "graded", (path.stem, member["reason"])
        assert any("with the same answers" in note for note in record["notes"]), record["notes"]
        counts = member["checkpoints"][0]["goodnet"]["test"]
        kind = "strip" if path.stem == "strip" else "G"
        found = counts["clean_correct"], counts["clean_abstained"]
        assert found == wanted[kind, "test"], path.stem
        found = counts["backdoored_attacked"], counts["backdoored_abstained"]
        assert found == wanted[kind, "bd"], path.stem
