"""Misbehaves: returns a network with two outputs more than there are classes."""


def repair(badnet, clean_images, clean_labels, *, classes, seed, budget):
    from keras import Model, layers

    scores = layers.Dense(classes + 2, activation="softmax")(badnet.output)
    return Model(badnet.input, scores)
