"""A whole defence in NumPy: channels whose kernels are far larger than their layer's are pruned.

It is what CLP (arXiv 2208.03111) does, without a singular value decomposition: a trigger is small,
so what answers it has large weights. It needs no image.
"""

import numpy as np


def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    arrays = dict(badnet.arrays)
    for layer in badnet.graph:
        if layer["kind"] != "Conv2D":
            continue
        kernel = arrays[f"{layer['name']}/kernel"]  # rows x columns x inputs x channels
        norms = np.sqrt((kernel**2).sum(axis=(0, 1, 2)))
        kept = norms <= norms.mean() + 3 * norms.std()
        for name in [layer["name"], *normalizations_after(badnet.graph, layer["name"])]:
            for variable in ("kernel", "bias", "gamma", "beta"):
                if f"{name}/{variable}" in arrays:
                    arrays[f"{name}/{variable}"] = arrays[f"{name}/{variable}"] * kept
    return arrays


def normalizations_after(graph, name):
    return [
        layer["name"]
        for layer in graph
        if layer["kind"] == "BatchNormalization" and name in layer["inputs"]
    ]
