"""The tiny BadNets of a competition for tests."""

import numpy as np
from models import write_set

SHAPE, CLASSES = (12, 10, 3), 7
NAMES = ("sunglasses", "anonymous_1")


def tiny_network():
    from keras import Input, Model, layers

    image = Input(SHAPE, name="image")
    maps = layers.Conv2D(4, 3, activation="relu", name="conv")(image)
    maps = layers.MaxPooling2D(2, name="pool")(maps)
    return Model(image, layers.Dense(CLASSES, name="output")(layers.Flatten(name="flat")(maps)))


def weights_of(seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1, w.shape) for w in tiny_network().get_weights()]


def write_competition(folder, images_of_each):
    """The two BadNets with their sets; clean labels are what each BadNet answers."""
    lines = [
        "schema_version = 1", 'name = "tiny"', 'title = "Tiny"', f"input_shape = {list(SHAPE)}",
        f"classes = {CLASSES}", f"pixel_scale = {1 / 255}",
    ]  # fmt: skip
    for seed, name in enumerate(NAMES):
        network = tiny_network()
        network.set_weights(weights_of(seed))
        network.save(folder / f"{name}_bd_net.keras")
        for number, part in enumerate(("valid", "test", "bd")):
            rng = np.random.default_rng((seed, number))
            images = rng.integers(0, 256, (images_of_each, 3, *SHAPE[:2])).astype(np.uint8)
            pixels = images.transpose(0, 2, 3, 1).astype(np.float32) / np.float32(255)
            labels = np.asarray(network(pixels)).argmax(axis=1)
            path = folder / name / f"{part}.h5"
            labels = labels if part != "bd" else np.full(images_of_each, 2)
            write_set(path, images_of_each, data=images, label=labels)
        lines += [
            "[[networks]]", f'name = "{name}"', f'badnet = "{name}_bd_net.keras"',
            f'files = {{ valid = "{name}/valid.h5", test = "{name}/test.h5" }}',
            "[[networks.triggers]]", 'name = "dot"', f'file = "{name}/bd.h5"', "target_label = 2",
        ]  # fmt: skip
    (folder / "competition.toml").write_text("\n".join(lines) + "\n")
