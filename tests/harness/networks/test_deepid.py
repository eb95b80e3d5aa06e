"""The known network: every way to run it gives the same scores, maps and classes."""

import numpy as np
import pytest
from models import random_weights

from harness.networks import deepid

COUNT = deepid.PREDICTION_BATCH + 3


@pytest.fixture(scope="module")
def images():
    shape = (COUNT, *deepid.IMAGE_SHAPE)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("channels", [7, 60])
def test_the_traced_functions_are_the_keras_model(images, channels):
    weights = random_weights(1, channels)
    model = deepid.load_network(weights)
    few = images[:32]
    ((scores, _),) = deepid.forward_batches(weights, few, 1 / 255)
    assert np.allclose(scores, model(few.astype(np.float32) / 255).numpy(), atol=1e-5)
    assert np.array_equal(deepid.predictor(weights, 1 / 255)(few), scores)

    returned = deepid.get_weights(model)
    assert list(returned) == list(deepid.weight_shapes(channels))
    assert all(np.array_equal(returned[name], weights[name]) for name in weights)


def test_batches_are_the_images_in_order(images):
    weights = random_weights(1)
    batches = list(deepid.forward_batches(weights, images))
    assert [len(scores) for scores, _ in batches] == [deepid.PREDICTION_BATCH, 3]

    scores, maps = (np.concatenate(each) for each in zip(*batches, strict=True))
    assert np.array_equal(np.concatenate(list(deepid.pool_3_batches(weights, images))), maps)
    assert np.array_equal(deepid.class_ids(weights, images), scores.argmax(axis=1))
    assert np.array_equal(deepid.tail_class_ids(weights, maps), scores.argmax(axis=1))

    with_conv_3 = zip(*deepid.forward_batches_with_conv_3(weights, images), strict=True)
    scores_again, maps_again, conv_3 = (np.concatenate(each) for each in with_conv_3)
    assert np.array_equal(scores_again, scores)
    assert np.array_equal(maps_again, maps)
    windows = conv_3.reshape(COUNT, 5, 2, 4, 2, 60)
    assert np.array_equal(windows.max(axis=(2, 4)), maps)


def test_planes_become_one_block_and_a_block_stays(images):
    planes = np.moveaxis(np.ascontiguousarray(np.moveaxis(images[:5], -1, 1)), 1, -1)
    assert not planes.flags.c_contiguous
    block = deepid.make_contiguous(planes)
    assert block.flags.c_contiguous
    assert np.array_equal(block, planes)
    assert deepid.make_contiguous(block) is block
