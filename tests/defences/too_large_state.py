"""Misbehaves: its state has 600 MB. They cost no memory until somebody writes them down."""

import numpy as np


def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    return {"table": np.zeros(600_000_000, np.uint8)}


def predict(state, images):
    return np.zeros(len(images), np.int64)
