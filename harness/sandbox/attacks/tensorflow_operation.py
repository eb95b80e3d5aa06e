"""Not an attack: multiplies two matrices with TensorFlow, for its version."""

from harness.networks.tensorflow import import_tensorflow
from harness.sandbox.attacks.report import attempt


def multiply() -> str:
    """Return TensorFlow's version if it can calculate."""
    tensorflow = import_tensorflow()
    ones = tensorflow.ones((3, 5))
    if float(tensorflow.reduce_sum(tensorflow.matmul(ones, ones, transpose_b=True))) != 45:
        raise ArithmeticError("3 x 5 ones times their transpose are not nine fives")
    return f"TensorFlow {tensorflow.__version__}"


if __name__ == "__main__":
    attempt(multiply)
