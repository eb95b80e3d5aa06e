"""Lambdas of other Pythons are told from this one's by their bytes alone."""

import base64
import marshal

import pytest
from lambdas import BY_PYTHON, keras_2_lambda

from harness.networks.keras_files.lambda_code import (
    THIS_PYTHON,
    foreign_python,
    version_of_another_python,
)

CALL_BY_PYTHON = {
    "3.11": "4wEAAAAAAAAAAAAAAAQAAAATAAAA8yQAAACVAZcAdAEAAAAAAAAAAAAAfACJAaYCAACrAgAAAAAAAAAAUwCpAU4pAdoCZjKpAtoBeNoBa3MCAAAAIID6Cy90bXAvbGFtLnB5+gg8bGFtYmRhPvoTZi48bG9jYWxzPi48bGFtYmRhPgQAAABzFAAAAPiAANVmaNBpatBrbNFmbdRmbYAA8wAAAAA=",  # noqa: E501
    "3.12": "4wEAAAAAAAAAAAAAAAQAAAATAAAA8xwAAACVAZcAdAEAAAAAAAAAAHwAiQGrAgAAAAAAAFMAqQFOKQHaAmYyqQLaAXjaAWtzAgAAACCA+gsvdG1wL2xhbS5wefoIPGxhbWJkYT76E2YuPGxvY2Fscz4uPGxhbWJkYT4EAAAAcxEAAAD4gADUZmjQaWrQa2zTZm2AAPMAAAAA",  # noqa: E501
}  # fmt: skip
"""``lambda x: f2(x, k)`` with a closure: the two differ in the room that a call takes."""


def keras_3_lambda(code):
    function = {"class_name": "__lambda__", "config": {"code": code, "defaults": None}}
    return {"class_name": "Lambda", "config": {"name": "lambda", "function": function}}


def keras_2_13_lambda(code):
    function = {"class_name": "__lambda__", "config": {"value": [code, None, None]}}
    return {"class_name": "Lambda", "config": {"name": "lambda", "function": function}}


def own_lambda(function):
    return base64.encodebytes(marshal.dumps(function.__code__)).decode()


@pytest.mark.parametrize("write", [keras_2_lambda, keras_3_lambda, keras_2_13_lambda])
@pytest.mark.parametrize("version", [each for each in BY_PYTHON if each != THIS_PYTHON])
def test_a_lambda_of_another_python_is_recognised(version, write):
    assert foreign_python(write(BY_PYTHON[version])) == ("lambda", version)


@pytest.mark.parametrize("version", CALL_BY_PYTHON)
def test_calls_tell_the_pythons_apart_that_begin_alike(version):
    found = version_of_another_python(CALL_BY_PYTHON[version])
    if version == THIS_PYTHON:
        assert found is None
    else:  # seen from a third one, the two cannot be told apart
        assert found == (version if THIS_PYTHON in CALL_BY_PYTHON else "3.11 or 3.12")


def test_lambdas_of_this_python_run():
    import tensorflow as tf

    bound = 3
    functions = [
        lambda x: x * 2,
        lambda x: [tf.argmax(i, axis=-1) for i in x if i is not None],
        lambda x, k=bound: tf.where(x[0] == x[1], x[0], k) if k else None,
        lambda x: lambda y: y + bound + x,
        lambda x: (yield from x),
        lambda *x: max(*x, key=lambda y: f"{y:>3}"),
    ]
    for function in functions:
        assert foreign_python(keras_2_lambda(own_lambda(function))) is None


@pytest.mark.parametrize(
    "code", ["", "4wEAAAA", "hello, world", "\u20ac", "AAAA" * 50, "////" * 50]
)
def test_what_is_no_code_is_left_to_keras(code):
    assert foreign_python(keras_2_lambda(code)) is None


def test_truncated_code_is_left_to_keras():
    for text in (*BY_PYTHON.values(), own_lambda(lambda x: x)):
        whole = base64.b64decode(text)
        for size in range(0, len(whole), 7):
            version_of_another_python(base64.b64encode(whole[:size]).decode())
