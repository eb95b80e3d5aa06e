"""The tail in NumPy: products on one thread, blocks in order.

Its classes: `test_sharing_of_the_lab`.
"""

import threading

import numpy as np
import pytest
from models import random_weights
from threadpoolctl import threadpool_info, threadpool_limits

from harness.networks import deepid
from harness.networks.numpy_tail import (
    BLOCK,
    Tail,
    TailClassifier,
    is_moderate,
    map_blocks,
    single_threaded_products,
)


def blas_threads():
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


def test_products_run_on_one_thread_and_the_number_comes_back():
    with threadpool_limits(2, user_api="blas"):
        assert blas_threads() == {2}
        with single_threaded_products():
            assert blas_threads() == {1}
            with single_threaded_products():
                assert blas_threads() == {1}
            assert blas_threads() == {1}
        assert blas_threads() == {2}


def test_a_second_thread_waits_so_that_it_never_takes_the_limit_for_the_original():
    def limit():
        with single_threaded_products():
            pass

    with threadpool_limits(2, user_api="blas"):
        other = threading.Thread(target=limit)
        with single_threaded_products():
            other.start()
            other.join(timeout=0.2)
            assert other.is_alive()
        other.join(timeout=10)
        assert blas_threads() == {2}


@pytest.mark.parametrize("count", [0, 1, BLOCK, 3 * BLOCK + 1])
def test_blocks_cover_every_image_once_and_come_back_in_order(count):
    blocks = map_blocks(lambda block: np.arange(count)[block], count)
    assert [index for block in blocks for index in block] == list(range(count))


@pytest.mark.parametrize("channels", [1, 60])
def test_scores_and_classes_are_those_of_the_network(channels):
    weights = random_weights(3, channels)
    maps = np.random.default_rng(0).random((50, 5, 4, channels), np.float32)
    expected = deepid.tail_class_ids(weights, maps)

    tail = Tail(weights)
    assert (tail.logits(tail.hidden(maps)).argmax(axis=1) == expected).mean() > 0.9
    result = TailClassifier(weights, maps).classify(maps)
    assert np.array_equal(result.class_ids[~result.uncertain], expected[~result.uncertain])
    assert result.uncertain.mean() < 0.1


def test_what_is_not_finite_is_uncertain():
    weights = random_weights(3)
    maps = np.random.default_rng(0).random((4, 5, 4, 60), np.float32)
    classifier = TailClassifier(weights, maps)
    maps[1], maps[2] = np.nan, 1e38
    assert classifier.classify(maps).uncertain.tolist() == [False, True, True, False]


@pytest.mark.parametrize("name", ["conv_4/kernel", "fc_1/bias", "fc_2/kernel", "output/bias"])
@pytest.mark.parametrize(
    ("value", "moderate"),
    [
        (0.0, True), (-0.0, True), (2.0**-30, True), (-(2.0**-31), False), (1e-45, False),
        (2.0**30, True), (-(2.0**31), False), (np.inf, False), (np.nan, False),
    ],
)  # fmt: skip
def test_weights_are_moderate_up_to_the_bounds(name, value, moderate):
    weights = random_weights(3)
    weights[name].flat[-1] = value
    assert is_moderate(weights) is moderate
