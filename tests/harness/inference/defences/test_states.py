"""What a defence leaves, as files: what comes back of a state, and what is refused in one line."""

import numpy as np
import pytest
from tiny_nets import tiny_network

from harness.inference.defences.states import StateError, load_state, own_classes, pack_state
from harness.inference.defences.worker import DefenceError, _require_model, _standard_model
from harness.networks.deepid import lab_network

STATE = {"a": [1, 2], "texts": ["x", "y"], "pair": (0.5, 1.5), "none": None, "flag": True,
         "bytes": b"\0", "number": np.float32(3), "text": "ü"}  # fmt: skip


@pytest.fixture
def keras():
    return pytest.importorskip("keras")


def loaded(tmp_path, state):
    (tmp_path / "state").write_bytes(pack_state(state))
    return load_state(tmp_path / "state")


def test_lists_come_back_as_arrays_and_the_rest_as_it_was(tmp_path):
    back = loaded(tmp_path, STATE)
    assert list(back) == list(STATE)
    for name, value in STATE.items():
        np.testing.assert_array_equal(back[name], value)
    assert isinstance(back["texts"], np.ndarray)
    assert loaded(tmp_path, b"whole") == b"whole"


REFUSED = {
    "ragged": {"rows": [[1], [2, 3]]},
    "nested": {"rows": {"x": 1}},
    "objects": {"rows": [object()]},
    "a set": {"rows": {1, 2}},
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_state_holds_is_one_line(what):
    with pytest.raises(StateError, match=r"state\['rows'\] is \w+; a state holds texts, "):
        pack_state(REFUSED[what])


def custom_nets(keras):
    class Own(keras.layers.Layer):
        def call(self, x):
            return x * 1.0

    class OwnNet(keras.Model):
        def call(self, x):
            return x

    def bent(x):
        return x

    inputs = keras.Input((6, 6, 1))
    flat = keras.layers.Flatten()(inputs)
    head = keras.layers.Dense(7, activation="softmax")
    yield "Own", keras.Model(inputs, head(Own()(flat)))
    yield "bent", keras.Model(inputs, keras.layers.Dense(7, activation=bent)(flat))


def test_a_class_of_the_authors_is_named_before_it_cannot_be_loaded(keras):
    for name, net in custom_nets(keras):
        with pytest.raises(DefenceError, match=f"a model with '{name}', which Keras does not kno"):
            _standard_model(net)
        with pytest.raises(StateError, match=rf"state\['net'\] is a model with '{name}', which K"):
            pack_state({"net": net})


def test_a_standard_model_and_a_registered_class_of_a_state_pass(keras, tmp_path):
    standard = tiny_network()
    standard.compile(loss=lambda y, p: p)
    assert own_classes(_standard_model(standard)) == []

    @keras.saving.register_keras_serializable("own")
    class Registered(keras.layers.Layer):
        def call(self, x):
            return x * 2.0

    net = keras.Sequential([keras.Input((2,)), Registered()])
    assert loaded(tmp_path, {"net": net})["net"](np.ones((1, 2))).numpy().tolist() == [[2, 2]]


def test_models_that_are_none_of_one_output_are_told_so(keras):
    inputs = keras.Input((6, 6, 1))
    flat = keras.layers.Flatten()(inputs)
    network = lab_network(7)
    with pytest.raises(DefenceError, match="of which it is not known that it has one output"):
        _require_model(keras.Model(inputs, [flat, flat]), network)
    with pytest.raises(DefenceError, match="of which it is not known that it has one output"):
        _require_model(keras.Sequential([keras.layers.Dense(7)]), network)
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(7)])
    _require_model(net, network)
    net.set_weights([np.full((3, 7), np.inf), np.zeros(7)])
    with pytest.raises(DefenceError, match=r"21 of 21 in .*kernel are NaN or infinite"):
        _require_model(net, network)
