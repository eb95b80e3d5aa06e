"""Weight files as data: what is read, what is foreign, and what is refused with which words."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest
from models import known_config, random_weights, write_full, write_weights

from harness.networks.keras_files.layers import RejectedFileError
from harness.networks.weight_files import OtherArchitectureError, read_model
from harness.storage.hashing import array_hash


@pytest.fixture(scope="module")
def weights():
    return random_weights(1)


def test_formats_and_names_do_not_change_the_arrays(tmp_path, weights):
    rename = {layer: f"my_{layer}" for layer in ("conv_1", "conv_3", "fc_1", "fc_2")}

    def renamed(name):
        return rename.get(name, name)

    files = [
        write_weights(tmp_path / "a.h5", weights),
        write_weights(tmp_path / "b.h5", weights, rename),
        write_full(tmp_path / "c.h5", weights, known_config()),
        write_full(tmp_path / "d.h5", weights, known_config(rename=renamed), rename),
    ]
    hashes = {array_hash(read_model(path).weights) for path in files}
    assert hashes == {array_hash(weights)}


@pytest.mark.parametrize("channels", [1, 12, 47, 48, 59])
def test_narrowed_networks_are_read(tmp_path, channels):
    narrow = random_weights(2, channels)
    for path in (
        write_weights(tmp_path / "a.h5", narrow),
        write_full(tmp_path / "b.h5", narrow, known_config(channels)),
    ):
        assert array_hash(read_model(path).weights) == array_hash(narrow)


def test_branches_of_the_sum_may_change_places(tmp_path, weights):
    config = known_config()
    add = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Add")
    add["inbound_nodes"][0].reverse()
    path = write_full(tmp_path / "a.h5", weights, config)
    assert array_hash(read_model(path).weights) == array_hash(weights)


LOOKALIKES = {
    "strides": lambda layers: layers["conv_4"].update(strides=[2, 2]),
    "padding": lambda layers: layers["pool_1"].update(padding="same"),
    "activation": lambda layers: layers["conv_2"].update(activation="elu"),
    "linear output": lambda layers: layers["output"].update(activation="linear"),
    "pool size": lambda layers: layers["pool_2"].update(pool_size=[3, 3]),
    "input": lambda layers: layers["input"].update(batch_input_shape=[None, 64, 64, 3]),
    "half precision": lambda layers: layers["fc_1"].update(dtype="mixed_float16"),
    "relu in fc_1": lambda layers: layers["fc_1"].update(activation="relu"),
}


@pytest.mark.parametrize("change", LOOKALIKES)
def test_a_lookalike_with_the_known_layer_names_is_foreign(tmp_path, weights, change):
    config = known_config()
    LOOKALIKES[change]({layer["name"]: layer["config"] for layer in config["config"]["layers"]})
    with pytest.raises(OtherArchitectureError):
        read_model(write_full(tmp_path / "a.h5", weights, config))


def test_other_wiring_is_foreign(tmp_path, weights):
    config = known_config()
    layers = {layer["name"]: layer for layer in config["config"]["layers"]}
    layers["flatten_1"]["inbound_nodes"] = [[["conv_3", 0, 0, {}]]]
    with pytest.raises(OtherArchitectureError):
        read_model(write_full(tmp_path / "a.h5", weights, config))


def test_a_registered_class_of_the_same_name_is_foreign(tmp_path, weights):
    config = known_config()
    config["config"]["layers"][1] |= {"registered_name": "mine>Conv2D", "module": "mine"}
    (tmp_path / "mine.py").write_text("class Conv2D: pass")
    with pytest.raises(OtherArchitectureError):
        read_model(write_full(tmp_path / "a.h5", weights, config), source=tmp_path)


def edited(path, weights, change):
    write_weights(path, weights)
    with h5py.File(path, "a") as file:
        change(file)
    return path


def replaced(name, **dataset):
    def change(file):
        del file[name]
        file.create_dataset(name, **dataset)

    return change


def linked(name, link):
    def change(file):
        del file[name]
        file[name] = link

    return change


KERNEL = "conv_3/conv_3/kernel:0"
HOSTILE = {
    "wrong shape": (replaced(KERNEL, data=np.zeros((3, 3, 40, 61), "f4")), "wrong shape"),
    "shape bomb": (replaced(KERNEL, shape=(3, 3, 40, 10**7), dtype="f4"), "wrong shape"),
    "integers": (replaced(KERNEL, data=np.zeros((3, 3, 40, 60), "i4")), "expected real numbers"),
    "text": (replaced(KERNEL, data=np.full((3, 3, 40, 60), b"x")), "expected real numbers"),
    "external link": (linked(KERNEL, h5py.ExternalLink("/etc/hostname", "/x")), "is a link"),
    "soft link": (linked(KERNEL, h5py.SoftLink("/conv_3/conv_3/bias:0")), "is a link"),
    "missing layer": (lambda file: file.__delitem__("conv_3"), "incomplete"),
    "external storage": (
        replaced(KERNEL, shape=(3, 3, 40, 60), dtype="f4", external=[("/etc/hostname", 0, 86400)]),
        "kept outside the file",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_datasets_are_refused_before_they_are_read(tmp_path, weights, case):
    change, reason = HOSTILE[case]
    with pytest.raises(RejectedFileError, match=reason) as raised:
        read_model(edited(tmp_path / "a.h5", weights, change))
    assert "\n" not in str(raised.value)


def test_virtual_datasets_are_refused(tmp_path, weights):
    source = write_weights(tmp_path / "source.h5", weights)
    layout = h5py.VirtualLayout(shape=(3, 3, 40, 60), dtype="f4")
    layout[...] = h5py.VirtualSource(source, KERNEL, shape=(3, 3, 40, 60))

    def change(file):
        del file[KERNEL]
        file.create_virtual_dataset(KERNEL, layout)

    with pytest.raises(RejectedFileError, match="kept outside the file"):
        read_model(edited(tmp_path / "a.h5", weights, change))


CONTENTS = {
    b"": "the file is empty",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n": "git lfs pull",
    b"<!DOCTYPE html><html>": "a web page",
    b"hello": "not an HDF5 or .keras file",
    b"\x89HDF\r\n\x1a\n" + b"\0" * 600: "truncated or damaged",
    b"PK\x03\x04" + b"\0" * 600: "truncated or damaged",
}


@pytest.mark.parametrize("content", CONTENTS)
def test_what_is_no_model_gets_a_remedy(tmp_path, content):
    path = tmp_path / "model_2.h5"
    path.write_bytes(content)
    with pytest.raises(RejectedFileError, match=CONTENTS[content]):
        read_model(path)


def test_truncated_files(tmp_path, weights):
    whole = write_weights(tmp_path / "a.h5", weights).read_bytes()
    for size in (100, 3000, len(whole) // 2, len(whole) - 10):
        path = tmp_path / f"{size}.h5"
        path.write_bytes(whole[:size])
        with pytest.raises(RejectedFileError, match=f"truncated: {size:,} of {len(whole):,} bytes"):
            read_model(path)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{" * 100_000, "not valid JSON"),
        ("[" * 100_000, "nested too deeply|not valid JSON"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
        ("{", "not valid JSON"),
    ],
)
def test_odd_json_is_refused(tmp_path, weights, config, reason):
    path = write_full(tmp_path / "a.h5", weights, config[:60_000])
    with pytest.raises(RejectedFileError, match=reason):
        read_model(path)


@pytest.mark.parametrize("config", [[], {}, {"class_name": "Functional"}, 3, None, "x"])
def test_json_that_is_no_model_is_foreign_with_a_reason(tmp_path, weights, config):
    with pytest.raises(OtherArchitectureError, match="config is not understood"):
        read_model(write_full(tmp_path / "a.h5", weights, json.dumps(config)))


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_with_tricks_are_refused(tmp_path):
    config = json.dumps(known_config())
    twice = [("config.json", config), ("config.json", "{}"), ("model.weights.h5", b"")]
    with pytest.raises(RejectedFileError, match="twice"):
        read_model(archive(tmp_path / "a.keras", twice))
    bomb = [("config.json", b" " * (9 << 20)), ("model.weights.h5", b"")]
    with pytest.raises(RejectedFileError, match="unpacks to more than 8 MiB"):
        read_model(archive(tmp_path / "b.keras", bomb))
    out = [("config.json", config), ("../../evil", b"x")]
    with pytest.raises(RejectedFileError, match="leads out"):
        read_model(archive(tmp_path / "c.keras", out))
    with pytest.raises(RejectedFileError, match=r"without config\.json"):
        read_model(archive(tmp_path / "d.keras", [("readme", b"")]))


def test_a_polyglot_is_refused(tmp_path, weights):
    path = write_weights(tmp_path / "a.h5", weights)
    buffer = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(buffer, "a") as file:
        file.writestr("config.json", "{}")
    path.write_bytes(buffer.getvalue())
    with pytest.raises(RejectedFileError, match="at the same time"):
        read_model(path)


def test_data_sets_and_unknown_hdf5_are_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"], file["label"] = [1], [1]
    with pytest.raises(RejectedFileError, match="a data set, not a model"):
        read_model(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = [1]
    with pytest.raises(RejectedFileError, match="no Keras model in it"):
        read_model(tmp_path / "b.h5")


@pytest.mark.parametrize(
    "write", [write_weights, lambda path, w: write_full(path, w, known_config(3000))]
)
def test_a_net_wider_than_the_badnet_is_refused_before_it_is_read(tmp_path, write):
    wide = random_weights(channels=60)
    for name, axis in (("conv_3/kernel", 3), ("conv_3/bias", 0), ("conv_4/kernel", 2)):
        padding = [(0, 2940 if each == axis else 0) for each in range(wide[name].ndim)]
        wide[name] = np.pad(wide[name], padding)
    wide["fc_1/kernel"] = np.zeros((5 * 4 * 3000, 160), "f4")
    write(tmp_path / "model_2.h5", wide)
    with pytest.raises(RejectedFileError, match="conv_3 has 3000 channels, the BadNet 60"):
        read_model(tmp_path / "model_2.h5")
