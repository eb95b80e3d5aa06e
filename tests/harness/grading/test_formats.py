"""One repaired net in every format is graded alike, on the lab's network and on another."""

import json
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
from keras_files import packed_config, write_keras
from models import known_config, write_full, write_weights
from onnx_files import network_model
from other_formats import torch_state, write_legacy_torch, write_safetensors, write_torch

from harness.datasets.descriptions import (
    badnet_file,
    data_is_present,
    generate_data,
    load_benchmark,
)
from harness.inference.known_network import read_badnet
from harness.lineage.lineage import zero_channels
from harness.networks.deepid import lab_network
from harness.networks.forward import build_model
from harness.networks.tensorflow import import_tensorflow
from harness.networks.weight_files import read_model

X = (2, 4, 10)


@dataclass
class Net:
    """A repaired net."""

    weights: dict
    network: object
    badnet: dict

    @property
    def gone(self):
        kernel = self.weights[f"{self.network.pruned_layer}/kernel"]
        return np.flatnonzero(~kernel.any(axis=(0, 1, 2)))


# --- formats --------------------------------------------------------------------------------------


def _lab_h5(folder, x, net):
    write_weights(folder / f"model_{x}.h5", net.weights)


def _lab_whole_h5(folder, x, net):
    write_full(folder / f"model_{x}.h5", net.weights, known_config())


def _lab_keras(folder, x, net):
    write_keras(folder / f"model_{x}.keras", net.weights, packed_config())


def _lab_json(folder, x, net):
    write_weights(folder / f"model_{x}_weights.h5", net.weights)
    (folder / f"model_{x}.json").write_text(json.dumps(known_config()))


def _real_h5(folder, x, net):
    build_model(net.network, net.weights).save(folder / f"model_{x}.h5")


def _real_keras(folder, x, net):
    build_model(net.network, net.weights).save(folder / f"model_{x}.keras")


def _real_json(folder, x, net):
    model = build_model(net.network, net.weights)
    model.save_weights(folder / f"model_{x}.weights.h5")
    (folder / "model.json").write_text(model.to_json())


def _torch(folder, x, net):
    write_torch(folder / f"model_{x}.pt", torch_state(net.weights))


def _torch_rows_first(folder, x, net):
    write_torch(folder / f"model_{x}.pth", torch_state(net.weights, flat="HWC"))


def _checkpoint(folder, x, net):
    state = torch_state(net.weights, lambda name: f"module.{name.replace('_', '')}")
    write_torch(folder / f"model_{x}.pth.tar", {"epoch": 9, "state_dict": state, "best": 0.97})


def _legacy_torch(folder, x, net):
    write_legacy_torch(folder / f"model_{x}.pth", torch_state(net.weights))


def _safetensors(folder, x, net):
    write_safetensors(folder / f"model_{x}.safetensors", torch_state(net.weights))


def _npz(folder, x, net):
    np.savez(folder / f"model_{x}.npz", **net.weights)


def _npz_in_order(folder, x, net):
    np.savez_compressed(folder / f"model_{x}.npz", *net.weights.values())


def _mask(folder, x, net):
    keep = np.ones(net.network.channels, "f4")
    keep[net.gone] = 0
    np.save(folder / f"mask_{x}.npy", keep)


def _mask_of_what_is_gone(folder, x, net):
    np.savez(folder / f"mask_{x}.npz", np.isin(np.arange(net.network.channels), net.gone))


def _list(folder, x, net):
    np.save(folder / f"pruned_{x}.npy", net.gone)


COMMON = {
    "torch": _torch,
    "torch, rows first": _torch_rows_first,
    "checkpoint": _checkpoint,
    "legacy torch": _legacy_torch,
    "safetensors": _safetensors,
    "npz": _npz,
    "npz in order": _npz_in_order,
    "mask": _mask,
    "mask of what is gone": _mask_of_what_is_gone,
    "list": _list,
}


def _onnx(folder, x, net):
    (folder / f"model_{x}.onnx").write_bytes(network_model(net.network, net.weights))


def _onnx_run(folder, x, net):
    content = network_model(net.network, net.weights, softmax="LogSoftmax")
    (folder / f"model_{x}.onnx").write_bytes(content)


def _onnx_rows_first(folder, x, net):
    content = network_model(net.network, net.weights, channels_first=False, batch=16)
    (folder / f"model_{x}.onnx").write_bytes(content)


def _litert_beside_others(folder, x, net):
    """X = 2 alone: it takes seconds to convert a net."""
    if x != 2:
        _npz(folder, x, net)
        return
    converter = import_tensorflow(keras=True).lite.TFLiteConverter
    content = converter.from_keras_model(build_model(net.network, net.weights)).convert()
    (folder / f"model_{x}.tflite").write_bytes(content)


COMMON |= {"onnx": _onnx, "onnx, rows first": _onnx_rows_first}
RUN = {"onnx of another net": _onnx_run, "litert": _litert_beside_others}
"""What is run, so that its lineage is not told."""

LAB = {
    "h5": _lab_h5,
    "whole h5": _lab_whole_h5,
    "keras": _lab_keras,
    "h5 and json": _lab_json,
    **COMMON,
}
OTHER = {"h5": _real_h5, "keras": _real_keras, "h5 and json": _real_json, **COMMON}


# --- graded ---------------------------------------------------------------------------------------


def write_all(root, formats, nets):
    for name, write in formats.items():
        (root / name).mkdir(parents=True)
        for x, net in nets.items():
            write(root / name, x, net)


def records_of(output):
    records = [json.loads(path.read_text()) for path in (output / "records").glob("*.json")]
    return {record["submission"]: record for record in records}


@pytest.fixture(scope="module")
def lab(reference_submission, badnet, grade_each, tmp_path_factory):
    root = tmp_path_factory.mktemp("lab")
    models = reference_submission / "models"
    nets = {x: Net(read_model(models / f"model_{x}.h5").weights, lab_network(), badnet) for x in X}
    write_all(root, LAB | RUN, nets)
    _, output = grade_each(root)
    return records_of(output)


@pytest.fixture(
    scope="module", params=["digits", pytest.param("signs", marks=pytest.mark.extended)]
)
def other(request, run_harness, tmp_path_factory):
    """The records of nets of another network than the lab's, by their formats."""
    root = tmp_path_factory.mktemp(request.param)
    benchmark, folder = load_benchmark(request.param)
    if not data_is_present(benchmark, folder):
        generate_data(benchmark, folder)
    order = benchmark.channel_order
    network, badnet = read_badnet(badnet_file(benchmark, folder), benchmark)
    nets = {
        x: Net(
            zero_channels(badnet, order[: len(order) * 6 // 10 + more], network=network),
            network,
            badnet,
        )
        for x, more in zip(X, (0, 2, 4), strict=True)
    }
    write_all(root / "submissions", OTHER | RUN, nets)
    finished = run_harness("grade", "--each", root / "submissions", "--dataset", request.param,
                           "--output", root / "results", "--no-timing")  # fmt: skip
    assert "Traceback" not in finished.stderr
    return records_of(root / "results")


def judgement(record):
    """All of a record but the names and kinds of its files."""
    checkpoints = [
        checkpoint | {"artifact": None, "isolation": None} for checkpoint in record["checkpoints"]
    ]
    kept = ("status", "reason", "diagnoses", "pruning_order", "points", "checks", "badnet")
    return {key: record[key] for key in kept} | {"checkpoints": checkpoints}


@pytest.mark.parametrize("name", LAB)
def test_the_labs_network_is_graded_alike_in_every_format(lab, name):
    assert lab[name]["status"] == "graded"
    assert lab[name]["checkpoints"][0]["lineage"]["pruned"]
    assert judgement(lab[name]) == judgement(lab["h5"])


@pytest.mark.parametrize("name", OTHER)
def test_another_network_is_graded_alike_in_every_format(other, name):
    assert other[name]["status"] == "graded"
    assert other[name]["checkpoints"][0]["lineage"]["pruned"]
    assert judgement(other[name]) == judgement(other["h5"])


@pytest.mark.parametrize("name", RUN)
def test_what_is_run_counts_within_two_images_as_what_is_read(lab, other, name):
    for records in (lab, other):
        assert records[name]["status"] == "graded"
        for run, read in zip(
            records[name]["checkpoints"], records["h5"]["checkpoints"], strict=True
        ):
            assert run["isolation"] != "plain"
            for net in ("repaired", "goodnet"):
                assert _furthest(run[net], read[net]) <= 2


def _furthest(counts, others):
    """The largest difference of two nets' counts."""
    keys = ("clean_correct", "backdoored_attacked")
    return max(abs(counts[name][key] - others[name][key]) for name in counts for key in keys)


@pytest.mark.parametrize(
    ("name", "taken", "wrong_order"),
    [
        ("torch", "C, H, W", "H, W, C"),
        ("torch, rows first", "H, W, C", "C, H, W"),
        ("npz", "H, W, C", "C, H, W"),
    ],
)
def test_a_wrong_flat_order_is_found_out_and_said(lab, other, name, taken, wrong_order):
    has_flat_order = other[name]["dataset"]["name"] != "signs"  # its network averages its maps
    for record in (lab[name], other[name]) if has_flat_order else (lab[name],):
        (note,) = [note for note in record["notes"] if "model_2" in note and "ways" in note]
        assert f"right: flattened as {taken} (" in note
        assert f"not flattened as {wrong_order} (" in note
        right, wrong = [float(part) for part in _percentages(note)]
        assert right > 3 * wrong


def _percentages(note):
    return [part.rpartition("(")[2] for part in note.split("%")[:-1]]


def test_formats_are_named_in_the_record(lab):
    def form(name):
        return lab[name]["checkpoints"][0]["artifact"]["format"]

    named = {name: form(name) for name in LAB}
    assert named["torch"] == named["legacy torch"] == named["checkpoint"] == "torch"
    assert named["h5 and json"] == "h5-json"
    assert named["mask"] == named["list"] == "mask"
    assert named["safetensors"] == "safetensors"
    assert named["npz"] == named["npz in order"] == "npz"


# --- beside one another ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beside(reference_submission, badnet, grade_each, tmp_path_factory):
    """Submissions with files of several formats for one X."""
    root = tmp_path_factory.mktemp("beside")
    models = reference_submission / "models"
    nets = {x: Net(read_model(models / f"model_{x}.h5").weights, lab_network(), badnet) for x in X}
    for name in ("the same", "another", "a mask", "arrays", "a pickle"):
        shutil.copytree(models, root / name)
    for x, net in nets.items():
        _torch(root / "the same", x, net)
        _mask(root / "a mask", x, Net(zero_channels(net.weights, [0]), lab_network(), badnet))
        np.save(root / "arrays" / f"activations_{x}.npy", np.zeros((100, 60), "f4"))
        (root / "a pickle" / f"history_{x}.pkl").write_bytes(b"\x80\x04N.")
    other = dict(nets[4].weights)
    other["fc_1/bias"] = other["fc_1/bias"] + 1
    _torch(root / "another", 4, Net(other, lab_network(), badnet))
    (root / "pickles").mkdir()
    for x in X:
        (root / "pickles" / f"model_{x}.pkl").write_bytes(b"\x80\x04N.")
    (root / "instead").mkdir()
    for x in (2, 4):
        shutil.copy(models / f"model_{x}.h5", root / "instead")
    (root / "instead" / "model_10.onnx").write_bytes(b"\x08\x08")
    _, output = grade_each(root)
    return records_of(output)


@pytest.mark.parametrize("name", ["the same", "a mask", "arrays", "a pickle"])
def test_what_lies_beside_whole_nets_takes_no_place_from_them(beside, lab, name):
    assert judgement(beside[name]) == judgement(lab["h5"])


def test_another_net_of_the_same_x_is_a_question(beside):
    assert "2 different models for X = 4" in beside["another"]["reason"]
    assert "'model_4.h5' and 'model_4.pt'" in beside["another"]["reason"]
    assert [c["status"] for c in beside["another"]["checkpoints"]].count("graded") == 2


def test_files_of_other_frameworks_say_what_to_save(beside):
    assert beside["pickles"]["status"] == "rejected"
    said = "model_10.pkl: a pickle, which is code and is not opened; save"
    assert said in beside["pickles"]["reason"]
    assert "model_10.onnx: not a whole ONNX model" in beside["instead"]["reason"]
    assert beside["instead"]["status"] == "graded"
