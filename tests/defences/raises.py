"""Misbehaves: fails with an exception of its own, over two lines."""


def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    raise ValueError(f"no defence for {classes} classes\nand another line")
