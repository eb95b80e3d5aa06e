"""A benchmark's network as a PyTorch module, and what TorchScript makes of it."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import nn


class TorchNet(nn.Module):
    """A network's layers over N x channels x rows x columns."""

    def __init__(self, network, weights):
        super().__init__()
        self.network = network
        self.parts = nn.ModuleDict()
        for layer in network.layers:
            own = {name: weights[f"{layer.name}/{name}"] for name in layer.variables}
            part = _part(layer, own)
            if part is not None:
                self.parts[layer.name.replace(".", "_")] = part
        self.eval()

    def forward(self, images):
        found = {self.network.layers[0].name: images}
        for layer in self.network.layers[1:]:
            given = [found[name] for name in layer.inputs]
            name = layer.name.replace(".", "_")
            found[layer.name] = self.parts[name](*given) if name in self.parts else sum(given)
        return found[self.network.layers[-1].name]


class _Flat(nn.Module):
    def forward(self, maps):
        return maps.permute(0, 2, 3, 1).flatten(1)


class _Scaled(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, pixels):
        return pixels * self.scale


class RowsFirst(nn.Module):
    """A net that takes images as Keras does."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net(images.permute(0, 3, 1, 2))


def _part(layer, arrays):
    arrays = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    if layer.kind == "Conv2D":
        kernel = arrays["kernel"].permute(3, 2, 0, 1).contiguous()
        out, within, *size = kernel.shape
        same = layer.setting("padding") == "same"
        part = nn.Conv2d(within, out, size, padding="same" if same else 0, bias="bias" in arrays)
        state = {"weight": kernel} | ({"bias": arrays["bias"]} if "bias" in arrays else {})
    elif layer.kind == "Dense":
        part = nn.Linear(*arrays["kernel"].shape)
        state = {"weight": arrays["kernel"].T.contiguous(), "bias": arrays["bias"]}
    elif layer.kind == "BatchNormalization":
        part = nn.BatchNorm2d(len(arrays["gamma"]), eps=layer.setting("epsilon"))
        names = ("weight", "bias", "running_mean", "running_var")
        state = dict(zip(names, arrays.values(), strict=True))
        state["num_batches_tracked"] = torch.tensor(1)
    else:
        return _without_arrays(layer)
    part.load_state_dict(state)
    return part


def _without_arrays(layer):
    if layer.kind == "MaxPooling2D":
        return nn.MaxPool2d(layer.setting("pool_size"), layer.setting("strides"))
    if layer.kind == "GlobalAveragePooling2D":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    if layer.kind == "Activation":
        return {"relu": nn.ReLU(), "softmax": nn.Softmax(1)}[layer.setting("activation")]
    if layer.kind == "Rescaling":
        return _Scaled(layer.setting("scale"))
    return _Flat() if layer.kind == "Flatten" else None


def write_traced(path, module, shape):
    """What ``torch.jit.trace`` makes of a module, of images of a shape."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module, torch.zeros(2, *shape)).save(str(path))
    return path


def write_scripted(path, module):
    """What ``torch.jit.script`` makes of a module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(str(path))
    return path
