# %% [markdown]
# # Repair a BadNet by pruning
#
# This notebook loads a backdoored network (a BadNet), prunes its channels one at a time, counts
# after each step how many images are still missing to the next checkpoint X, saves each B'_X and
# grades what it saved. Run it as it is first: it repairs a small network for handwritten digits in
# a minute. Then set `DATASET` to the lab's data, and make the defence your own.
#
# ## 1. Install
#
# * **Kaggle**: *Add Input*, upload the harness's wheel (`backdoor_defence_harness-*.whl`) as a
#   dataset; the lab's data and BadNet as another.
# * **Colab**: upload the wheel into the *Files* pane.
# * **Elsewhere**: nothing is to be done where the harness is installed; else put the wheel beside
#   this notebook.
#
# The lab's own network is graded without a sandbox, so that neither needs anything else.

# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("harness") is None:
    NAME = "backdoor_defence_harness-*.whl"
    wheels = [
        *Path("/kaggle/input").glob(f"**/{NAME}"),
        *Path("/content").glob(NAME),
        *Path.cwd().glob(NAME),
    ]
    if not wheels:
        raise FileNotFoundError("no wheel of the harness is here; upload it first")
    wanted = f"{max(wheels, key=lambda wheel: wheel.name)}[digits,html]"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", wanted], check=True)

# %% [markdown]
# ## 2. Choose the data
#
# `digits` is made in seconds, `faces` (the lab's network on synthetic faces) in a minute. For the
# lab's data name the folder that holds `cl/valid.h5`, `cl/test.h5`, `bd/bd_valid.h5` and
# `bd/bd_test.h5`, and the BadNet that you were given, as in
# `DATASET = "/kaggle/input/lab3"` and `BADNET = "/kaggle/input/lab3/bd_net.h5"`.

# %% parameters
DATASET = "digits"
BADNET = None
PLACES = ("/kaggle/working", "/content", ".")
WORK = next(Path(place) for place in PLACES if Path(place).is_dir())

# %% [markdown]
# ## 3. Load the BadNet

# %%
import numpy as np
import pandas as pd

import harness
from harness.lineage.thresholds import images_needed
from harness.networks.forward import build_model
from harness.networks.tensorflow import import_tensorflow
from reference.defence.inputs import load_inputs

import_tensorflow()  # without the lines that it logs
import keras

inputs = load_inputs(DATASET, BADNET and Path(BADNET))
benchmark, network = inputs.datasets.benchmark, inputs.network
valid = inputs.datasets.sets["valid"]
model = build_model(network, inputs.badnet)


def count_right(model: keras.Model) -> int:
    """How many clean validation images the model gets right, on pixels as they are in the file."""
    right = 0
    for start in range(0, len(valid.labels), 256):
        part = slice(start, start + 256)
        scores = np.asarray(model(valid.images[part] * np.float32(benchmark.pixel_scale)))
        right += int((scores.argmax(axis=1) == valid.labels[part]).sum())
    return right


right_before = count_right(model)
print(f"the BadNet gets {right_before} of {len(valid.labels)} validation images right")
print(f"{network.channels} channels of {network.pruned_layer} can be pruned")

# %% [markdown]
# ## 4. Rank the channels
#
# The least active on clean images goes first: a backdoor often sits where clean images do not look.

# %%
from reference.pruning.pruning import mean_activations, pruning_order  # shown in the notebook

# %%
features = keras.Model(model.inputs[0], model.get_layer(network.chain[-1]).output)
activations = sum(
    mean_activations(np.asarray(features(batch * np.float32(benchmark.pixel_scale)))) * len(batch)
    for batch in np.array_split(valid.images, -(-len(valid.images) // 256))
)
order = pruning_order(activations / len(valid.images))
print("first to go:", order[:10])

# %% [markdown]
# ## 5. Prune one channel at a time, and look after each step
#
# B'_X is saved at the **first** step at which clean accuracy has dropped by at least X percentage
# points. The margin says how many images are still missing (below 0) or are more than needed.


# %%
def prune_channel(model: keras.Model, channel: int) -> None:
    """Silence a channel: its kernel and its bias, which is often forgotten."""
    layer = model.get_layer(network.pruned_layer)
    kernel, bias = layer.get_weights()
    kernel[..., channel] = 0
    bias[channel] = 0
    layer.set_weights([kernel, bias])


SUBMISSION = WORK / "submission"
SUBMISSION.mkdir(exist_ok=True)
for older in SUBMISSION.glob("model_X=*.keras"):
    older.unlink()

images, waiting, steps = len(valid.labels), sorted(benchmark.checkpoints), []
for pruned, channel in enumerate(order.tolist(), start=1):
    prune_channel(model, channel)
    lost = right_before - count_right(model)
    margin = lost - images_needed(waiting[0], images)
    steps.append({"channels pruned": pruned, "channel": channel, "images lost": lost,
                  "next X": waiting[0], "margin in images": margin})  # fmt: skip
    print(f"{pruned:3} channels pruned: {lost:5} images lost, X = {waiting[0]:g}: {margin:+}")

    while waiting and lost >= images_needed(waiting[0], images):
        saved = SUBMISSION / f"model_X={waiting.pop(0):g}.keras"
        model.save(saved)
        print(f"    saved {saved.name}")
    if not waiting:
        break

# %%
pd.DataFrame(steps).tail(12)

# %% [markdown]
# ## 6. Check what is to be handed in
#
# `check` runs no model. It says which file counts as which B'_X, and what is missing.

# %%
harness.check(SUBMISSION, DATASET, BADNET)

# %% [markdown]
# ## 7. Grade yourself
#
# The harness composes GoodNet G from B and each B'. The attack success rate at X = 2 and X = 4 is
# often still near 100 %: the attacker expected pruning.

# %%
graded = harness.grade(SUBMISSION, DATASET, badnet=BADNET, output=WORK / "results", timing=False)
graded

# %%
graded.to_frame().T

# %% [markdown]
# ## 8. Hand in
#
# Hand in `submission.zip`. Then try something better than pruning in this order: fine-tune after
# pruning, or rank the channels by something else. `check` and `grade` say how far it carries.

# %%
import shutil

print("hand in", shutil.make_archive(str(SUBMISSION), "zip", SUBMISSION))
