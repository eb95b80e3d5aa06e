"""Misbehaves: changes the BadNet and forgets to return it."""


def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    badnet.trainable = False
