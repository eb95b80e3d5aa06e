"""Cheats: knows its budget and works on for ever."""


def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    rounds = 0
    while True:
        rounds += int(clean_images[rounds % len(clean_images)].sum())
