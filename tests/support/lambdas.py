"""Lambda layers as other versions of Python saved them."""

import json

import h5py

BY_PYTHON = {
    "3.8 to 3.10": "4wEAAAAAAAAAAAAAAAEAAAACAAAAUwAAAHMIAAAAfABkARQAUwApAk7pAgAAAKkAqQHaAXhyAgAAAHICAAAA+gsvdG1wL2xhbS5wedoIPGxhbWJkYT4EAAAA8wAAAAA=",  # noqa: E501
    "3.7 or earlier": "4wEAAAAAAAAAAQAAAAIAAABTAAAAcwgAAAB8AGQBFABTACkCTukCAAAAqQApAdoBeHICAAAAcgIAAAD6Cy90bXAvbGFtLnB52gg8bGFtYmRhPgQAAADzAAAAAA==",  # noqa: E501
    "3.13": "4wEAAAAAAAAAAAAAAAIAAAATAAAA8wwAAACVAFUAUwEtBQAAJAApAk7pAgAAAKkAKQHaAXhzAQAAACDaCy90bXAvbGFtLnB52gg8bGFtYmRhPtoTZi48bG9jYWxzPi48bGFtYmRhPgQAAABzCAAAAIAAkGGYAZJj8wAAAAA=",  # noqa: E501
}  # fmt: skip
"""``lambda x: x * 2`` as these versions marshal it."""


def keras_2_lambda(code, name="lambda"):
    """A model with a Lambda layer as Keras 2 writes it."""
    config = {"name": name, "function": [code, None, None], "function_type": "lambda"}
    layer = {"class_name": "Lambda", "name": name, "config": config, "inbound_nodes": []}
    return {"class_name": "Functional", "config": {"name": "g", "layers": [layer]}}


def write_foreign_lambda(path, name="lambda"):
    """A full-model file whose only layer is a Lambda of Python 3.8."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(keras_2_lambda(BY_PYTHON["3.8 to 3.10"], name))
        file.create_group("model_weights")
    return path
