"""Miniature submissions, one for each way of being honest, broken or hostile.

``build_all(folder, world, canary)`` writes a submission folder for every case. Payloads are
harmless: they touch a marker, read a canary, connect to loopback. ``canary`` is a folder
outside the submissions with ``secret.txt`` in it, where markers would appear.
"""

from __future__ import annotations

import io
import json
import os
import socket
import textwrap
import zipfile
from pathlib import Path

import h5py
import numpy as np
from models import known_config, write_full, write_set, write_weights
from worlds import paths_of_arrays

from harness.lineage.lineage import remove_channels, zero_channels

CHANNELS = tuple(range(20))
BUILDERS = {}


def case(function):
    """Register a builder under its function name."""
    BUILDERS[function.__name__] = function
    return function


_KERAS_2 = "weights alone, and configs of Keras 2 by hand, are the lab's"

_SANDBOX = "the sandbox knows nothing of the network"

NOT_ON_DIGITS = {
    "honest_legacy_full": _KERAS_2,
    "honest_legacy_weights": _KERAS_2,
    "honest_renamed_layers": _KERAS_2,
    "honest_fixed_batch_known": _KERAS_2,
    "honest_keras3_weights": _KERAS_2,
    "broken_truncated": "the reason tells the bytes of the lab's file",
    "broken_missing_layer": "a file of the digits holds a config, and lacks an array of it",
    "honest_program": _SANDBOX,
    "goodnet_program": _SANDBOX,
}


def cases_of(world):
    """The names of the cases that can be in a world."""
    return [name for name in BUILDERS if world.name == "faces" or not is_the_labs(name)]


def is_the_labs(name):
    """Whether a case is left out on the digits: what attacks the sandbox is, too."""
    return name in NOT_ON_DIGITS or name.startswith(("payload_", "cheat_"))


class Materials:
    """What builders work with: weights of B and of an honest B', the canary folder."""

    def __init__(self, world, canary):
        self.world, self.badnet, self.canary = world, world.badnet, Path(canary)
        self.repaired = zero_channels(world.badnet, CHANNELS, network=world.network)
        self.shape, self.classes = world.image_shape, world.classes

    def write(self, path, weights):
        """Write a net as HDF5: weights alone on the faces, else the whole model."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.world.name == "faces":
            write_weights(path, weights)
        else:
            self.world.save_whole(weights, path)
        return path

    def net(self, weights=None):
        """The Keras model of a net, of the repaired one by default."""
        return self.world.model(self.repaired if weights is None else weights)

    def marker(self, name):
        return str(self.canary / f"marker-{name}")


def build_all(folder, world, canary, names=None):
    """Write the submissions below ``folder``; returns their names."""
    materials = Materials(world, canary)
    for name in names or cases_of(world):
        target = Path(folder) / name
        target.mkdir(parents=True)
        BUILDERS[name](target, materials)
    return list(names or cases_of(world))


def program(target, code, toml="", name="goodnet.py"):
    """A Python submission."""
    (target / name).write_text(textwrap.dedent(code))
    (target / "submission.toml").write_text(f'[program]\nfile = "{name}"\n{toml}')


def keras_layers(materials, channels_first=False, front=(), logits=False):
    """An ordinary Keras model with the repaired weights and layers in ``front`` of it."""
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow()
    import keras

    rows, columns, colours = materials.shape
    image = keras.Input((colours, rows, columns) if channels_first else materials.shape)
    hidden = keras.layers.Permute((2, 3, 1))(image) if channels_first else image
    for layer in front:
        hidden = layer(hidden)
    net = materials.net()
    if logits:
        net.layers[-1].activation = keras.activations.linear
    return keras, image, net(hidden)


def saved(target, keras, image, outputs, name="model_2.keras"):
    keras.Model(image, outputs).save(target / name)


# --- honest: graded like the original ----------------------------------------------------------


@case
def honest_legacy_full(target, m):
    write_full(target / "model_2.h5", m.repaired, known_config())


@case
def honest_legacy_weights(target, m):
    write_weights(target / "model_2.h5", m.repaired)


@case
def honest_renamed_layers(target, m):
    names = {layer: f"my {layer} ü" for layer in ("conv_1", "conv_3", "fc_2")}
    config = known_config(rename=lambda name: names.get(name, name))
    write_full(target / "model_2.h5", m.repaired, config, names)


@case
def honest_narrowed(target, m):
    m.write(target / "model_2.h5", remove_channels(m.badnet, CHANNELS, m.world.network))


@case
def honest_fixed_batch_known(target, m):
    config = known_config()
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [32, 55, 47, 3]
    write_full(target / "model_2.h5", m.repaired, config)


@case
def honest_float64_weights(target, m):
    m.world.save_doubles(m.repaired, target / "model_2.h5")


@case
def honest_compressed(target, m):
    path = m.write(target / "model_2.h5", m.repaired)
    layer = m.world.layer("fc_1")
    with h5py.File(path, "a") as file:
        place = place_of(file, f"{layer}/kernel")
        del file[place]
        file.create_dataset(place, data=m.repaired[f"{layer}/kernel"], compression="gzip")


@case
def honest_with_badnet_and_clutter(target, m):
    m.write(target / "Repaired_models " / "repaired_x2.h5", m.repaired)
    m.write(target / "bd_net.h5", m.badnet)
    write_set(target / "valid.h5", 2)
    (target / "report.pdf").write_bytes(b"%PDF")
    (target / "lab.ipynb").write_text("{}")
    (target / "__MACOSX").mkdir()
    (target / "__MACOSX" / "._model_4.h5").write_bytes(b"\0")


@case
def honest_unicode_and_spaces(target, m):
    m.write(target / "Модель X=2 (final) 名.h5", m.repaired)


@case
def honest_keras3(target, m):
    m.net().save(target / "model_2.keras")


@case
def honest_keras3_h5(target, m):
    m.net().save(target / "model_2.h5")


@case
def honest_keras3_weights(target, m):
    m.net().save_weights(target / "model_2.weights.h5")


def tf_keras_network(m, weights=None):
    """The known network in Keras 2's successor, with names that Keras gave."""
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow()
    import tf_keras

    image = tf_keras.Input(m.shape)
    build = _lab_in_tf_keras if m.world.name == "faces" else _digits_in_tf_keras
    model = tf_keras.Model(image, build(tf_keras.layers, image))
    weights = m.repaired if weights is None else weights
    for layer in model.layers:
        if layer.weights:
            kernel = layer.get_weights()[0]
            name = next(n for n, a in weights.items() if a.shape == kernel.shape)
            layer.set_weights([weights[name], weights[name.replace("kernel", "bias")]])
    return tf_keras, model


def _lab_in_tf_keras(layers, hidden):
    for filters, size in ((20, 4), (40, 3), (60, 3)):
        hidden = layers.Conv2D(filters, size, activation="relu")(hidden)
        hidden = layers.MaxPooling2D(2)(hidden)
    first = layers.Dense(160)(layers.Flatten()(hidden))
    fourth = layers.Conv2D(80, 2, activation="relu")(hidden)
    second = layers.Dense(160)(layers.Flatten()(fourth))
    merged = layers.Activation("relu")(layers.Add()([first, second]))
    return layers.Dense(1283, activation="softmax")(merged)


def _digits_in_tf_keras(layers, hidden):
    hidden = layers.Rescaling(1 / 255)(hidden)
    for filters in (24, 40):
        hidden = layers.Conv2D(filters, 3, padding="same", activation="relu")(hidden)
    hidden = layers.Flatten()(layers.MaxPooling2D(2)(hidden))
    hidden = layers.Dense(64, activation="relu")(hidden)
    return layers.Dense(10, activation="softmax")(hidden)


@case
def honest_tf_keras(target, m):
    tf_keras_network(m)[1].save(target / "model_2.keras")


@case
def honest_tf_keras_h5(target, m):
    tf_keras_network(m)[1].save(target / "model_2.h5")


@case
def honest_rescaling(target, m):
    import keras

    saved(target, *keras_layers(m, front=[keras.layers.Rescaling(1.0)]))


@case
def honest_dropout_and_batchnorm(target, m):
    import keras

    front = [keras.layers.Dropout(0.5), keras.layers.BatchNormalization(epsilon=1e-12)]
    saved(target, *keras_layers(m, front=front))


@case
def honest_float16(target, m):
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = m.net()
    finally:
        keras.config.set_dtype_policy("float32")
    model.save(target / "model_2.keras")


@case
def honest_fixed_batch(target, m):
    import keras

    image = keras.Input(batch_shape=(24, *m.shape))
    saved(target, keras, image, m.net()(image))


@case
def honest_logits(target, m):
    saved(target, *keras_layers(m, logits=True))


@case
def honest_channels_first(target, m):
    saved(target, *keras_layers(m, channels_first=True))


@case
def honest_nested_sequential(target, m):
    import keras

    keras.Sequential([keras.Input(m.shape), m.net()]).save(target / "model_2.h5")


@case
def honest_savedmodel(target, m):
    m.net().export(target / "model_2", verbose=False)


@case
def honest_subclassed(target, m):
    source = """
        import keras

        class Repaired(keras.Model):
            def __init__(self, net, **kwargs):
                super().__init__(**kwargs)
                self.net = net

            def call(self, images):
                return self.net(images)

            def get_config(self):
                net = keras.saving.serialize_keras_object(self.net)
                return {**super().get_config(), "net": net}

            @classmethod
            def from_config(cls, config):
                config["net"] = keras.saving.deserialize_keras_object(config["net"])
                return cls(**config)
    """
    (target / "repaired.py").write_text(textwrap.dedent(source))
    namespace = {"__name__": "repaired"}
    exec(textwrap.dedent(source), namespace)
    model = namespace["Repaired"](m.net())
    model(np.zeros((1, *m.shape), "f4"))
    model.save(target / "model_2.keras")


# --- honest GoodNets: graded like the composed one ----------------------------------------------


@case
def goodnet_keras3(target, m):
    m.write(target / "model_2.h5", m.repaired)
    m.world.goodnet(m.repaired).save(target / "G_2.keras")


@case
def goodnet_integer_labels(target, m):
    labels_goodnet(target, m, lambda keras, labels: labels)


@case
def goodnet_float_column(target, m):
    def column(keras, labels):
        return keras.ops.expand_dims(keras.ops.cast(labels, "float32"), -1)

    labels_goodnet(target, m, column)


def labels_goodnet(target, m, shaped):
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow()
    import keras

    m.write(target / "model_2.h5", m.repaired)
    image = keras.Input(m.shape)
    nets = [m.net(weights) for weights in (m.badnet, m.repaired)]
    for net, name in zip(nets, "ab", strict=True):
        net.name = name
    own, other = (keras.ops.argmax(net(image), axis=-1) for net in nets)
    labels = keras.ops.where(keras.ops.equal(own, other), own, m.classes)
    saved(target, keras, image, shaped(keras, labels), "goodnet_2.keras")


@case
def goodnet_tf_keras_ops(target, m):
    tf_keras, repaired = tf_keras_network(m)
    badnet = tf_keras_network(m, m.badnet)[1]
    import tensorflow as tf

    m.write(target / "model_2.h5", m.repaired)
    image = tf_keras.Input(m.shape)
    badnet._name, repaired._name = "badnet", "repaired"
    own, other = (tf.argmax(net(image), axis=-1) for net in (badnet, repaired))
    labels = tf.where(tf.equal(own, other), own, tf.constant(m.classes, tf.int64))
    tf_keras.Model(image, labels).save(target / "goodnet_2.h5")


@case
def goodnet_program(target, m):
    np.savez(target / "nets.npz", seed=1)
    program(
        target,
        """
        import numpy as np
        from pathlib import Path

        LOADED = np.load(Path(__file__).parent / "nets.npz")

        def predict(images):
            return (images.astype(int).sum(axis=(1, 2, 3)) // 1000) % 1284
        """,
        "drop_points = 2\n",
    )


# --- broken: rejected with a reason -------------------------------------------------------------


def raw(content, name="model_2.h5"):
    def build(target, _):
        (target / name).write_bytes(content)

    return build


BUILDERS |= {
    "broken_empty_file": raw(b""),
    "broken_lfs_pointer": raw(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"),
    "broken_web_page": raw(b"<!DOCTYPE html><html>Sign in</html>"),
    "broken_text": raw(b"this is no model"),
    "broken_zip_header": raw(b"PK\x03\x04" + b"\0" * 100, "model_2.keras"),
    "broken_hdf5_header": raw(b"\x89HDF\r\n\x1a\n" + b"\xff" * 2000),
    "broken_pickle": raw(b"\x80\x04cposix\nsystem\n"),
}


@case
def broken_truncated(target, m):
    path = m.write(target / "model_2.h5", m.repaired)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@case
def broken_wrong_shape(target, m):
    layer = m.world.layer("fc_1")
    narrow = np.zeros((m.repaired[f"{layer}/kernel"].shape[0], 16), "f4")
    change_hdf5(target, m, replaced(f"{layer}/kernel", data=narrow))


@case
def broken_missing_layer(target, m):
    change_hdf5(target, m, lambda file: file.__delitem__("conv_3"))


@case
def broken_integer_weights(target, m):
    name = f"{m.world.layer('fc_1')}/bias"
    change_hdf5(target, m, replaced(name, data=np.zeros(m.repaired[name].shape, "i8")))


@case
def broken_data_set(target, m):
    write_set(target / "model_2.h5", 3)


@case
def broken_no_model(target, m):
    (target / "notes.txt").write_text("I forgot")


@case
def broken_two_for_one_place(target, m):
    m.write(target / "a_2.h5", m.repaired)
    m.write(target / "b_2.h5", m.badnet)


@case
def broken_ten_outputs(target, m):
    """Or seven, where ten are the classes."""
    import keras

    image = keras.Input(m.shape)
    saved(
        target,
        keras,
        image,
        keras.layers.Dense(10 if m.classes > 10 else 7)(keras.layers.Flatten()(image)),
    )


@case
def broken_two_outputs(target, m):
    keras, image, outputs = keras_layers(m)
    saved(target, keras, image, [outputs, outputs * 2])


@case
def broken_flat_input(target, m):
    import keras

    image = keras.Input((int(np.prod(m.shape)),))
    saved(target, keras, image, keras.layers.Dense(m.classes)(image))


def change_hdf5(target, m, change):
    path = m.write(target / "model_2.h5", m.repaired)
    with h5py.File(path, "a") as file:
        change(file)


def archived(target, members):
    with zipfile.ZipFile(target / "model_2.keras", "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)


@case
def broken_json_nested(target, m):
    archived(target, [("config.json", "[" * 1_000_000), ("model.weights.h5", b"")])


@case
def broken_json_long_integer(target, m):
    archived(target, [("config.json", '{"a": ' + "9" * 5000 + "}"), ("model.weights.h5", b"")])


@case
def broken_json_bad_utf8(target, m):
    archived(target, [("config.json", b'{"a": "\xff\xfe"}'), ("model.weights.h5", b"")])


@case
def broken_without_config(target, m):
    archived(target, [("readme", b"")])


# --- hostile files: rejected unread -------------------------------------------------------------


def place_of(file, name):
    """Where the array of that name lies in an HDF5 file."""
    return next(place for place in paths_of_arrays(file) if name in place)


def replaced(name, **dataset):
    def change(file):
        place = place_of(file, name)
        del file[place]
        file.create_dataset(place, **dataset)

    return change


def pruned_kernel(m):
    """The name and the shape of the pruned layer's kernel."""
    name = f"{m.world.pruned}/kernel"
    return name, m.repaired[name].shape


@case
def hostile_external_link(target, m):
    linked(target, m, h5py.ExternalLink(str(m.canary / "secret.txt"), "/x"))


@case
def hostile_soft_link(target, m):
    linked(target, m, h5py.SoftLink("/conv_2/conv_2/kernel:0"))


def linked(target, m, link):
    def change(file):
        place = place_of(file, pruned_kernel(m)[0])
        del file[place]
        file[place] = link

    change_hdf5(target, m, change)


@case
def hostile_external_storage(target, m):
    name, shape = pruned_kernel(m)
    outside = [(str(m.canary / "secret.txt"), 0, 4 * int(np.prod(shape)))]
    change_hdf5(target, m, replaced(name, shape=shape, dtype="f4", external=outside))


@case
def hostile_virtual_dataset(target, m):
    name, shape = pruned_kernel(m)
    layout = h5py.VirtualLayout(shape=shape, dtype="f4")
    layout[...] = h5py.VirtualSource(str(m.canary / "secret.txt"), "x", shape=shape)

    def change(file):
        place = place_of(file, name)
        del file[place]
        file.create_virtual_dataset(place, layout)

    change_hdf5(target, m, change)


@case
def hostile_shape_bomb(target, m):
    name, shape = pruned_kernel(m)
    change_hdf5(target, m, replaced(name, shape=(*shape[:3], 2_700_000), dtype="f4"))


@case
def hostile_zip_bomb(target, m):
    archived(target, [("config.json", b" " * (512 << 20)), ("model.weights.h5", b"")])


@case
def hostile_duplicate_members(target, m):
    config = json.dumps(known_config())
    archived(target, [("config.json", config), ("config.json", "{}"), ("model.weights.h5", b"")])


@case
def hostile_zip_traversal(target, m):
    evil = ("../../../marker-traversal", b"x")
    archived(target, [("config.json", json.dumps(known_config())), evil])


@case
def hostile_polyglot(target, m):
    path = m.write(target / "model_2.h5", m.repaired)
    buffer = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(buffer, "a") as file:
        file.writestr("config.json", "{}")
    path.write_bytes(buffer.getvalue())


@case
def hostile_symlink(target, m):
    (target / "model_2.h5").symlink_to(m.canary / "secret.txt")


@case
def hostile_symlinked_folder(target, m):
    (target / "submission.toml").write_text(
        '[artifacts]\n"away/secret.txt" = { role = "repaired", drop_points = 2 }\n'
    )
    (target / "away").symlink_to(m.canary)


@case
def hostile_fifo(target, m):
    os.mkfifo(target / "model_2.h5")


@case
def hostile_socket(target, m):
    here = Path.cwd()
    os.chdir(target)  # the path of a socket may be 107 bytes long at most
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("model_2.h5")
    finally:
        os.chdir(here)


@case
def hostile_sparse_file(target, m):
    with (target / "model_2.h5").open("wb") as file:
        file.truncate(6 << 30)


@case
def hostile_deep_folders(target, m):
    deep = target.joinpath(*"abcdefghijkl")
    deep.mkdir(parents=True)
    m.write(deep / "model_2.h5", m.repaired)


@case
def hostile_many_files(target, m):
    for number in range(5_100):
        (target / f"{number}.txt").touch()


@case
def hostile_toml_path(target, m):
    (target / "submission.toml").write_text(
        f'[artifacts]\n"{m.canary}/secret.txt" = {{ role = "repaired" }}\n'
    )


@case
def hostile_nan_weights(target, m):
    poisoned = {name: np.full_like(array, np.nan) for name, array in m.repaired.items()}
    m.write(target / "model_2.h5", poisoned)


# --- hostile code: runs, but only in the sandbox ------------------------------------------------


def touch(path):
    return f"open({path!r}, 'w').close()"


@case
def payload_lambda_keras3(target, m):
    import keras

    image = keras.Input(m.shape)
    layer = keras.layers.Lambda(
        eval(f"lambda x: (open({m.marker('payload_lambda_keras3')!r}, 'w').close(), x)[1]")
    )
    flat = keras.layers.Flatten()(layer(image))
    saved(target, keras, image, keras.layers.Dense(m.classes)(flat))


@case
def payload_lambda_tf_keras(target, m):
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow()
    import tf_keras

    image = tf_keras.Input(m.shape)
    layer = tf_keras.layers.Lambda(
        eval(f"lambda x: (open({m.marker('payload_lambda_tf_keras')!r}, 'w').close(), x)[1]")
    )
    flat = tf_keras.layers.Flatten()(layer(image))
    tf_keras.Model(image, tf_keras.layers.Dense(m.classes)(flat)).save(target / "model_2.h5")


@case
def payload_importable_function(target, m):
    """A config that names a function of an installed package, with arguments."""
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow()
    import tf_keras

    image = tf_keras.Input(m.shape)
    hidden = tf_keras.layers.Lambda(eval("lambda x: x"))(image)
    outputs = tf_keras.layers.Dense(m.classes)(tf_keras.layers.Flatten()(hidden))
    path = target / "model_2.keras"
    tf_keras.Model(image, outputs).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    layer = next(x for x in config["config"]["layers"] if x["class_name"] == "Lambda")
    layer["config"] |= {
        "function": {
            "class_name": "function", "config": "get_file", "registered_name": "get_file",
            "module": "tf_keras.src.utils.data_utils",
        },
        "function_type": "function",
        # get_file makes its folder before it looks at what else it was given.
        "arguments": {
            "origin": "file:///", "cache_dir": str(m.canary),
            "cache_subdir": "marker-payload_importable_function",
        },
    }  # fmt: skip
    path.unlink()
    archived(target, [*(members | {"config.json": json.dumps(config)}).items()])


@case
def payload_write_file_op(target, m):
    marker = m.marker("payload_write_file_op")
    nodes = [["_CONSTANT_VALUE", -1, marker, {"contents": "x"}]]
    edited_tf_keras(target, m, "Activation", "TFOpLambda", {"function": "io.write_file"}, nodes)


def edited_tf_keras(target, m, kind, new_kind, config, inbound_nodes=None):
    """A tf_keras model in whose saved config one layer became another."""
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow()
    import tf_keras

    image = tf_keras.Input(m.shape)
    flat = tf_keras.layers.Flatten()(tf_keras.layers.Activation("relu")(image))
    path = target / "model_2.h5"
    tf_keras.Model(image, tf_keras.layers.Dense(m.classes)(flat)).save(path)
    with h5py.File(path, "a") as file:
        saved_config = json.loads(file.attrs["model_config"])
        layer = next(x for x in saved_config["config"]["layers"] if x["class_name"] == kind)
        layer["class_name"] = new_kind
        common = {"name": layer["config"]["name"], "trainable": True, "dtype": "float32"}
        layer["config"] = common | config
        layer["inbound_nodes"] = inbound_nodes or layer["inbound_nodes"]
        file.attrs["model_config"] = json.dumps(saved_config)


@case
def payload_savedmodel_ops(target, m):
    from harness.networks.tensorflow import import_tensorflow

    tf = import_tensorflow()
    marker, secret = m.marker("payload_savedmodel_ops"), str(m.canary / "secret.txt")

    class Evil(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, *m.shape), tf.float32)])
        def serve(self, images):
            with tf.control_dependencies([tf.io.write_file(marker, tf.io.read_file(secret))]):
                return tf.zeros((tf.shape(images)[0], m.classes))

    evil = Evil()
    tf.saved_model.save(evil, str(target / "model_2"), signatures=evil.serve)


@case
def payload_keras_global_state(target, m):
    import keras

    image = keras.Input(m.shape)
    layer = keras.layers.Lambda(
        eval("lambda x: (__import__('keras').config.set_floatx('float16'), x)[1]")
    )
    flat = keras.layers.Flatten()(layer(image))
    saved(target, keras, image, keras.layers.Dense(m.classes)(flat))


@case
def payload_numpy_beside_the_model(target, m):
    for name in ("numpy.py", "h5py.py", "json.py", "tensorflow.py", "sitecustomize.py"):
        (target / name).write_text(touch(m.marker("payload_numpy_beside_the_model")) + "\n")
    m.write(target / "model_2.h5", m.repaired)


@case
def payload_lookalike(target, m):
    config = known_config()
    for layer in config["config"]["layers"]:
        if layer["name"] == "conv_4":
            layer["config"]["activation"] = "elu"
    write_full(target / "model_2.h5", m.repaired, config)


ANSWER = "return np.zeros(len(images), int)"


def payload(name, before="", inside="", answer=ANSWER):
    """A program that does something at import (``before``) or at its first prediction."""

    def build(target, m):
        code = "import os, sys, time, socket, subprocess, signal, ctypes\nimport numpy as np\n"
        code += "CANARY = " + repr(str(m.canary)) + "\nMARKER = " + repr(m.marker(name)) + "\n"
        code += textwrap.dedent(before).strip() + "\n\ndef predict(images):\n"
        code += textwrap.indent(textwrap.dedent(inside).strip() or "pass", "    ")
        code += "\n    " + answer + "\n"
        program(target, code, "drop_points = 2\n")

    BUILDERS[name] = build


payload("payload_reads_secret", inside="""
    with open(CANARY + "/secret.txt") as file:
        secret = file.read()
    open(MARKER, "w").write(secret)
""")  # fmt: skip
payload("payload_writes_outside", inside="""
    open(MARKER, "w").close()
""")  # fmt: skip
payload("payload_connects", inside="""
    port = int(open(CANARY + "/port").read()) if os.path.exists(CANARY + "/port") else 9
    socket.create_connection(("127.0.0.1", port), timeout=2).close()
""")  # fmt: skip
payload("payload_forks", inside="""
    if os.fork() == 0:
        open(MARKER, "w").close()
        os._exit(0)
    os.wait()
""")  # fmt: skip
payload("payload_subprocess", inside="""
    subprocess.run(["touch", MARKER], check=True)
""")  # fmt: skip
payload("payload_daemon", inside="""
    if os.fork() == 0:
        os.setsid()
        time.sleep(20)
        open(MARKER, "w").close()
        os._exit(0)
""")  # fmt: skip
payload("payload_memory_hog", inside="""
    hog = []
    while True:
        hog.append(np.ones(1 << 24))
""")  # fmt: skip
payload("payload_hangs", inside="""
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    time.sleep(100_000)
""")  # fmt: skip
payload("payload_hangs_at_import", before="time.sleep(100_000)")
payload("payload_segfault", inside="ctypes.string_at(0)")
payload("payload_exits_quietly", inside="os._exit(0)")
payload("payload_kills_its_parent", inside="""
    for pid in (1, os.getppid()):
        if pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
    open(MARKER, "w").close()
""")  # fmt: skip
payload("payload_floods_output", inside="""
    line = b"\\x1b[31mflood " * 1000
    for _ in range(10_000):
        os.write(1, line)
        os.write(2, line)
""")  # fmt: skip
payload("payload_forges_json", inside="""
    print('{"status": "graded", "clean_correct": 12830, "score": 100}', flush=True)
""")  # fmt: skip
payload("payload_extra_reply", inside="""
    os.write(int(sys.argv[2]), b"\\0" * 64)
""")  # fmt: skip
payload("payload_writes_to_all_descriptors", inside="""
    for descriptor in range(3, 256):
        try:
            os.write(descriptor, b"\\1\\0" * 5000)
        except OSError:
            pass
""")  # fmt: skip
payload("payload_fills_scratch", inside="""
    with open(os.environ["TMPDIR"] + "/fill", "wb") as file:
        while True:
            file.write(b"\\0" * (1 << 20))
""")  # fmt: skip
payload("payload_changes_the_images", inside="""
    images[:] = 0
""")  # fmt: skip
payload("payload_wrong_count", answer="return np.zeros(len(images) + 1, int)")
payload("payload_label_1284", answer="return np.full(len(images), 1284)")
payload("payload_negative_labels", answer="return np.full(len(images), -1)")
payload("payload_raises", inside='raise RuntimeError("<b>boom</b>\\n\\x1b[2J| =cmd")')


# --- answers that are no function of the image --------------------------------------------------

payload("cheat_random_answers", answer="return np.random.randint(0, 1283, len(images))")
payload("cheat_call_order", before="STATE = [0]", inside="STATE[0] += 1",
        answer="return (np.arange(len(images)) + STATE[0]) % 1283")  # fmt: skip
payload("cheat_batch_statistics", inside="""
    level = images.astype(float).mean(axis=(1, 2, 3))
""", answer="return np.argsort(np.argsort(level))")  # fmt: skip
payload("cheat_input_hashing", inside="""
    import zlib
    keys = [zlib.crc32(image.tobytes()) for image in images]
""", answer="return np.array(keys) % 1283")  # fmt: skip
payload("honest_program", inside="""
    level = images.astype(float).mean(axis=(1, 2, 3))
""", answer="return np.round(level).astype(int)")  # fmt: skip
