"""Files as versions of Keras, Windows and tfmot write them."""

import shutil
import zipfile

import h5py
from careless import REQUIRED, careless
from hdf5_files import compress, leave_open
from keras_files import insert_layer, packed_config, write_keras, write_unpacked
from models import known_config, write_full, write_weights

OLD = {"container": "_layer_checkpoint_dependencies", "step": 2}


def each(folder, nets, write, pattern="model_{}.keras"):
    for x in REQUIRED:
        write(folder / pattern.format(x), nets.repaired[x])


@careless()
def groups_of_windows(folder, nets):
    each(folder, nets, lambda path, net: write_keras(path, net, separator="\\", **OLD))


@careless()
def groups_of_later_windows(folder, nets):
    each(folder, nets, lambda path, net: write_keras(path, net, separator="\\", prefix="m\\"))


@careless()
def groups_of_an_early_version(folder, nets):
    each(folder, nets, lambda path, net: write_keras(path, net, **OLD))


@careless()
def unpacked_folders(folder, nets):
    each(folder, nets, write_unpacked)


@careless()
def unpacked_folders_without_a_suffix(folder, nets):
    each(folder, nets, write_unpacked, "B_prime_X{}")


@careless()
def one_folder_between_files(folder, nets):
    nets.write_trio(folder, only=(2, 10))
    write_unpacked(folder / "models" / "model_4.keras", nets.repaired[4], separator="\\")
    (folder / "models" / "model_4.keras" / ".DS_Store").write_bytes(b"\0")


@careless()
def dropout_in_an_old_module(folder, nets):
    config = packed_config(insert_layer(known_config(), "fc_2", "Dropout", rate=0.5))
    each(folder, nets, lambda path, net: write_keras(path, net, config))


@careless()
def noise_and_linear_activations(folder, nets):
    config = insert_layer(known_config(), "input", "GaussianNoise", stddev=0.1)
    config = insert_layer(config, "pool_3", "SpatialDropout2D", rate=0.2)
    config = insert_layer(config, "output", "Activation", activation="linear")
    module = packed_config(config, "tf_keras.src.engine.functional", "tf_keras.layers")
    write_full(folder / "model_2.h5", nets.repaired[2], config)
    write_keras(folder / "model_4.keras", nets.repaired[4], packed_config(config))
    write_keras(folder / "model_10.keras", nets.repaired[10], module)


@careless((2, 4), "layer 'channelmask_15' is of the class ChannelMask, which Keras does not know")
def a_class_without_its_source(folder, nets):
    nets.write_trio(folder, only=(2, 4))
    own = {"module": None, "registered_name": "ChannelMask"}
    config = insert_layer(known_config(), "pool_3", "ChannelMask", outer=own)
    write_keras(folder / "model_10.keras", nets.repaired[10], packed_config(config))


@careless((2, 4), "save tfmot.sparsity.keras.strip_pruning(model) instead of it")
def wrapped_for_pruning(folder, nets):
    nets.write_trio(folder, only=(2, 4))
    names = {"conv_3": "prune_low_magnitude_conv_3"}
    path = write_weights(folder / "model_10.h5", nets.repaired[10], names)
    with h5py.File(path, "a") as file:
        group = file["prune_low_magnitude_conv_3"]
        group["pruning_step:0"] = 3
        group.attrs["weight_names"] = [*group.attrs["weight_names"], b"pruning_step:0"]


@careless((2, 4), "a Git LFS pointer, not the model; run `git lfs pull` first")
def a_pointer_in_an_unpacked_folder(folder, nets):
    nets.write_trio(folder, only=(2, 4))
    unpacked = write_unpacked(folder / "model_10.keras", nets.repaired[10])
    (unpacked / "model.weights.h5").write_text("version https://git-lfs.github.com/spec/v1\n")


@careless((2, 4), "`h5clear -s FILE`")
def not_closed(folder, nets):
    nets.write_trio(folder)
    leave_open(folder / "model_10.h5")


@careless((2, 4), "is compressed by zstd (filter 32015)")
def a_filter_that_is_not_installed(folder, nets):
    nets.write_trio(folder)
    compress(folder / "model_10.h5", "fc_1/fc_1/kernel:0", 32015)


@careless()
def an_archive_packed_by_hand(folder, nets):
    for x in REQUIRED:
        unpacked = write_unpacked(folder / f"model_{x}", nets.repaired[x])
        with zipfile.ZipFile(folder / f"model_{x}.keras", "w") as archive:
            for path in unpacked.iterdir():
                archive.write(path, f"model_{x}/{path.name}")
        shutil.rmtree(unpacked)
