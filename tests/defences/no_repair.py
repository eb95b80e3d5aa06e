"""Misbehaves: has no function `repair`, but one of nearly that name."""


def repaired(badnet, clean_images, clean_labels, *, classes, seed, budget):
    return badnet
