"""STRIP as one Keras model: entropies by hand, and what is saved answers the same."""

import numpy as np

from reference.competition.solution import Strip, _save


def network():
    from keras import Input, Model, layers

    image = Input((6, 5, 3))
    scores = layers.Dense(4, activation="softmax")(layers.Flatten()(image))
    model = Model(image, scores)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def entropy_by_hand(model, image, blends):
    shares = np.asarray(model(0.5 * image[None] + 0.5 * blends), np.float64)
    return -(shares * np.log(shares)).sum(axis=1).mean()


def test_the_answer_is_flagged_below_the_threshold_also_after_it_was_saved(tmp_path):
    import keras

    rng = np.random.default_rng(2)
    images, blends = rng.random((40, 6, 5, 3), np.float32), rng.random((3, 6, 5, 3), np.float32)
    model = network()
    strip = Strip(model, blends)
    by_hand = np.array([entropy_by_hand(model, image, blends) for image in images])
    found = strip.entropy_model().predict(images, verbose=0).reshape(-1)
    np.testing.assert_allclose(found, by_hand, rtol=1e-4)

    threshold = float(np.median(by_hand))
    _save(strip.goodnet(threshold), tmp_path / "g.keras")
    again = keras.models.load_model(tmp_path / "g.keras")
    answers = again.predict(images, verbose=0).argmax(axis=1)
    own = np.asarray(model(images)).argmax(axis=1)
    assert again.output_shape == (None, 5)
    np.testing.assert_array_equal(answers, np.where(by_hand < threshold, 4, own))
    assert (answers == 4).sum() == 20
