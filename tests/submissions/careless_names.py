"""Names, spare files and layouts as people hand them in."""

from careless import careless


@careless()
def mark_of_a_second_upload(folder, nets):
    nets.write_trio(folder, "model_{} (1).h5")
