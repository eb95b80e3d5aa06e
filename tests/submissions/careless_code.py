"""Code beside a model, and Lambda layers of another Python."""

from careless import careless
from lambdas import write_foreign_lambda


@careless(says="'merge' is a Lambda saved by another version of Python")
def goodnets_with_a_lambda_of_another_python(folder, nets):
    nets.write_trio(folder)
    for x in nets.repaired:
        write_foreign_lambda(folder / f"G_{x}.h5", "merge")
    (folder / "G_7.h5").unlink()


@careless(graded=(2, 4), says="is a Lambda saved by another version of Python")
def lambda_of_another_python_alone(folder, nets):
    nets.write_trio(folder, only=(2, 4))
    write_foreign_lambda(folder / "model_10.h5")
