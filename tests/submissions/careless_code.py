"""Code beside a model, and Lambda layers of another Python."""

import subprocess
import sys
import textwrap

from careless import careless
from lambdas import write_foreign_lambda
from models import write_weights

ARCHITECTURE = """
    import keras

    class GoodNet(keras.Model):
        def __init__(self, badnet, repaired, **kwargs):
            super().__init__(**kwargs)
            self.badnet, self.repaired = badnet, repaired

        def call(self, images):
            first = keras.ops.argmax(self.badnet(images), axis=-1)
            second = keras.ops.argmax(self.repaired(images), axis=-1)
            return keras.ops.where(first == second, first, 1283)

        def get_config(self):
            nets = {"badnet": self.badnet, "repaired": self.repaired}
            saved = {key: keras.saving.serialize_keras_object(net) for key, net in nets.items()}
            return {**super().get_config(), **saved}

        @classmethod
        def from_config(cls, config):
            for key in ("badnet", "repaired"):
                config[key] = keras.saving.deserialize_keras_object(config[key])
            return cls(**config)
"""
TRAINING = """
import sys
import wandb_of_my_own_account

wandb_of_my_own_account.init(project="backdoor")
weights = sys.argv[1]
model = GoodNet(input("B? "), input("B'? "))
while True:
    model.save(weights)
"""
EVALUATION = """
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("model")
GoodNet = load(parser.parse_args().model)
"""


def save_goodnet(path, nets, x=2):
    """A subclassed G, saved by a process of its own that has Keras."""
    path.parent.mkdir(parents=True, exist_ok=True)
    badnet, repaired = path.with_name("B.h5"), path.with_name("B_prime.h5")
    write_weights(badnet, nets.badnet)
    write_weights(repaired, nets.repaired[x])
    script = textwrap.dedent(ARCHITECTURE) + textwrap.dedent(f"""
        from pathlib import Path
        import numpy as np
        from harness.networks.deepid import load_network
        from harness.networks.weight_files import read_model

        nets = [load_network(read_model(Path(p)).weights) for p in {[str(badnet), str(repaired)]}]
        model = GoodNet(*nets)
        model(np.zeros((1, 55, 47, 3), "f4"))
        model.save({str(path)!r})
    """)
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    badnet.unlink()
    repaired.unlink()


@careless(says="G_2.keras: 'GoodNet' is taken from architecture.py; not run: eval.py")
def goodnet_with_scripts_that_want_arguments(folder, nets):
    nets.write_trio(folder)
    save_goodnet(folder / "G_2.keras", nets)
    (folder / "architecture.py").write_text(textwrap.dedent(ARCHITECTURE))
    (folder / "eval.py").write_text(EVALUATION)


@careless(says="models/G_2.keras: 'GoodNet' is taken from src/train.py (a script: ")
def goodnet_whose_source_trains_it(folder, nets):
    """One folder up, in ``src``; the class is defined by the script that trains."""
    nets.write_trio(folder)
    save_goodnet(folder / "models" / "G_2.keras", nets)
    (folder / "src").mkdir()
    (folder / "src" / "train.py").write_text(textwrap.dedent(ARCHITECTURE) + TRAINING)


@careless(says="'merge' is a Lambda saved by another version of Python")
def goodnets_with_a_lambda_of_another_python(folder, nets):
    nets.write_trio(folder)
    for x in nets.repaired:
        write_foreign_lambda(folder / f"G_{x}.h5", "merge")
    (folder / "G_7.h5").unlink()


@careless(graded=(2, 4), says="is a Lambda saved by another version of Python")
def lambda_of_another_python_alone(folder, nets):
    nets.write_trio(folder, only=(2, 4))
    write_foreign_lambda(folder / "model_10.h5")
