"""A benchmark's BadNet in the formats of other frameworks: the same net, the same counts."""

import json
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner
from onnx_files import exported_model, field, graph, model, network_model, node, tensor, value
from other_formats import write_safetensors, write_torch
from standard_nets import draw_arrays, draw_images, network_of, weights_of

from harness.cli.main import main
from harness.datasets.descriptions import load_benchmark, load_clean_set
from harness.inference.known_network import read_badnet
from harness.networks.forward import class_ids
from harness.networks.weight_files import read_submitted
from harness.records.errors import HarnessError

CLASSES, IMAGES = 5, 200


@pytest.fixture(scope="module")
def net():
    """A Keras model that flattens maps, its network, and its arrays."""
    from keras import Input, Model, layers

    image = Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="conv1")(image)
    x = layers.BatchNormalization(name="bn1", epsilon=1e-5)(x)
    x = layers.MaxPooling2D()(layers.ReLU()(x))
    x = layers.Conv2D(8, 3, activation="relu", name="conv2")(x)
    x = layers.Flatten()(x)
    made = draw_arrays(Model(image, layers.Dense(CLASSES, activation="softmax", name="fc")(x)), 5)
    network = network_of(made)
    return made, network, weights_of(made, network)


@pytest.fixture(scope="module")
def sets(net, tmp_path_factory):
    """Images that the net itself labels, and others that are called backdoored."""
    folder = tmp_path_factory.mktemp("sets")
    _, network, weights = net
    for seed, name in enumerate(("valid", "test", "square")):
        images = draw_images(network, IMAGES, seed)
        labels = class_ids(network, weights, images)
        np.savez(folder / f"{name}.npz", data=images, label=labels)
    return folder


def torch_state(weights, flat="CHW"):
    """The arrays as PyTorch has them."""
    names = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
             "moving_variance": "running_var"}  # fmt: skip
    state = {}
    for name, array in weights.items():
        layer, _, variable = name.rpartition("/")
        own = array
        if layer == "fc" and variable == "kernel" and flat == "CHW":
            own = array.reshape(2, 2, 8, CLASSES).transpose(2, 0, 1, 3).reshape(array.shape)
        if own.ndim > 1:
            own = own.transpose(3, 2, 0, 1) if own.ndim == 4 else own.T
        state[f"{layer}.{names.get(variable, variable)}"] = np.ascontiguousarray(own)
    return state


def with_graph(write):
    def wrapped(path, net):
        write(path, net[2])
        path.with_name("net.json").write_text(net[0].to_json())

    return wrapped


def bare_onnx(path, net):
    path.write_bytes(exported_model(torch_state(net[2]), (3, 8, 8)))


FORMATS = {
    "net.pt": with_graph(lambda path, weights: write_torch(path, torch_state(weights))),
    "bare.onnx": bare_onnx,
}
OTHERS = {
    "net.h5": lambda path, net: net[0].save(path),
    "net.pth.tar": with_graph(
        lambda path, weights: write_torch(path, {"state_dict": torch_state(weights, flat="HWC")})
    ),
    "net.safetensors": with_graph(lambda path, w: write_safetensors(path, torch_state(w))),
    "net.npz": with_graph(lambda path, weights: np.savez(path, **weights)),
    "net.onnx": lambda path, net: path.write_bytes(network_model(*net[1:], channels_first=False)),
}


def run_import(folder, sets, badnet):
    arguments = ["data", "import", folder, "--badnet", badnet, "--valid", sets / "valid.npz",
                 "--test", sets / "test.npz", "--attack", "square", sets / "square.npz",
                 "--classes", CLASSES, "--quiet"]  # fmt: skip
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.mark.parametrize(
    "name", [*FORMATS, *(pytest.param(name, marks=pytest.mark.extended) for name in OTHERS)]
)
def test_an_imported_badnet_gets_the_counts_of_the_same_net(net, sets, tmp_path, name):
    (tmp_path / "given").mkdir()
    badnet = tmp_path / "given" / name
    (FORMATS | OTHERS)[name](badnet, net)
    finished = run_import(tmp_path / "mine", sets, badnet)
    assert finished.exit_code == 0, finished.output
    described = tomllib.loads((tmp_path / "mine/dataset.toml").read_text())
    assert described["badnet_counts"] == {"valid": IMAGES, "test": IMAGES, "bd_valid": IMAGES // 2,
                                          "bd_test": IMAGES // 2}  # fmt: skip

    # What lies there is enough: of several ways to read it, that which was right is taken.
    benchmark, folder = load_benchmark(str(tmp_path / "mine"))
    again = read_badnet(folder / benchmark.badnet, benchmark)
    _, network, weights = net
    images = draw_images(network, 50, 9)
    expected = class_ids(network, weights, images)
    assert (class_ids(*again, images) == expected).all()

    # The same net handed in as ONNX is read as this BadNet's, so that it has a lineage.
    (tmp_path / "handed_in.onnx").write_bytes(network_model(network, weights))
    handed_in = read_submitted(tmp_path / "handed_in.onnx", again.network)
    assert all((handed_in.weights[key] == array).all() for key, array in again.weights.items())


def test_without_a_hash_clean_images_tell_how_arrays_are_meant(net, sets, tmp_path):
    FORMATS["net.pt"](tmp_path / "net.pt", net)
    assert run_import(tmp_path / "mine", sets, tmp_path / "net.pt").exit_code == 0
    described = tmp_path / "mine/dataset.toml"
    lines = described.read_text().splitlines()
    described.write_text("\n".join(line for line in lines if "badnet_weights_hash" not in line))
    benchmark, folder = load_benchmark(str(tmp_path / "mine"))
    path = folder / benchmark.badnet
    with pytest.raises(HarnessError, match=r"several ways .*flattened as C, H, W or flattened as"):
        read_badnet(path, benchmark)
    meant = read_badnet(path, benchmark, lambda: load_clean_set(benchmark, folder))
    assert all((meant.weights[name] == array).all() for name, array in net[2].items())


def _text(path, net):
    write_torch(path, torch_state(net[2]))
    path.with_suffix(".json").write_text('{"some": "settings"}')


def _another_graph(path, net):
    write_torch(path, torch_state(net[2]))
    config = json.loads(net[0].to_json())
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Dense":
            layer["config"]["units"] = CLASSES + 3
    path.with_suffix(".json").write_text(json.dumps(config))


def _operator(name, *inputs, **attributes):
    def write(path, net):
        weights = tensor("w", np.zeros((192, CLASSES), "f4"))
        nodes = [node(name, ["x", *inputs], ["y"], **attributes),
                 node("Flatten", ["y"], ["f"]), node("MatMul", ["f", "w"], ["scores"])]  # fmt: skip
        outputs = [value("scores", ("N", CLASSES))]
        path.write_bytes(model(graph(nodes, [value("x", ("N", 3, 8, 8))], outputs, [weights])))

    return write


def _any_size(path, net):
    nodes = [node("GlobalAveragePool", ["x"], ["y"]), node("Flatten", ["y"], ["scores"])]
    outputs = [value("scores", ("N", 3))]
    path.write_bytes(model(graph(nodes, [value("x", ("N", 3, "H", "W"))], outputs)))


def _beside_it(path, net):
    OTHERS["net.onnx"](path, net)
    path.write_bytes(path.read_bytes().replace(field(2, 1) + field(8, "fc.bias"),
                                               field(14, 1) + field(8, "fc.bias")))  # fmt: skip


REFUSED = {
    "alone.pt": (lambda path, net: write_torch(path, torch_state(net[2])), "ends in .json"),
    "text.pt": (_text, "the JSON file beside them is not what Keras's model.to_json() says"),
    "other.pt": (_another_graph, "wrong shape"),
    "lrn.onnx": (_operator("LRN", size=3), "it uses 'LRN'"),
    "clip.onnx": (_operator("Clip"), "it uses 'Clip' with other limits than 0 and 6"),
    "leaky.onnx": (_operator("LeakyRelu", alpha=0.3), "another alpha than 0.2"),
    "no_layer.onnx": (_any_size, "export it with a fixed size of images"),
    "external.onnx": (_beside_it, "in another file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_badnet_is_one_line(net, sets, tmp_path, name):
    write, said = REFUSED[name]
    write(tmp_path / name, net)
    finished = run_import(tmp_path / "mine", sets, tmp_path / name)
    assert finished.exit_code == 2, finished.output
    (line,) = finished.output.splitlines()
    assert line.startswith(f"error: {tmp_path / name}: ")
    assert said in line
    assert not (tmp_path / "mine").exists()
