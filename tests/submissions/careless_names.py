"""Names, spare files and layouts as people hand them in."""

import shutil

import h5py
import numpy as np
from careless import REQUIRED, careless
from models import write_set, write_weights
from other_formats import torch_state, write_torch


def truncated(folder, nets, name, x=2, size=100_000):
    whole = write_weights(folder / name, nets.repaired[x])
    whole.write_bytes(whole.read_bytes()[:size])


def pack(folder, nets, name, **which):
    """An archive of nets, alone."""
    nets.write_trio(folder / "packed", **which)
    shutil.make_archive(str(folder / name), "zip", folder / "packed")
    shutil.rmtree(folder / "packed")


# --- marks of copies and uploads --------------------------------------------------------------


@careless()
def marks_of_a_third_upload(folder, nets):
    nets.write_trio(folder, "model_{}-2.h5")


@careless()
def marks_of_a_browser(folder, nets):
    nets.write_trio(folder, "model_{} (1).h5")


@careless()
def marks_of_a_file_manager(folder, nets):
    nets.write_trio(folder, "B_prime_{} copy 2.h5")


@careless()
def marks_that_differ(folder, nets):
    write_weights(folder / "model_2-4.h5", nets.repaired[2])
    write_weights(folder / "model_4-v2.h5", nets.repaired[4])
    write_weights(folder / "model_10 2.h5", nets.repaired[10])


@careless()
def the_same_file_twice(folder, nets):
    nets.write_trio(folder)
    shutil.copy(folder / "model_4.h5", folder / "model_4 - Copy.h5")


# --- files that are no models -----------------------------------------------------------------


@careless(says="model_2 (1).h5: left aside: truncated")
def a_download_that_broke_off(folder, nets):
    nets.write_trio(folder)
    truncated(folder, nets, "model_2 (1).h5")


@careless(says="history_2.h5: left aside: no Keras model in it")
def a_training_history(folder, nets):
    nets.write_trio(folder)
    with h5py.File(folder / "history_2.h5", "w") as file:
        file["data"] = np.arange(10)


@careless(says="left aside: a web page")
def a_web_page_and_an_empty_file(folder, nets):
    nets.write_trio(folder)
    (folder / "repaired_4.h5").write_text("<!DOCTYPE html><title>Sign in</title>")
    (folder / "model_10_old.keras").write_bytes(b"")


@careless(says="left aside: a data set, not a model")
def a_data_set_named_for_an_x(folder, nets):
    nets.write_trio(folder)
    write_set(folder / "images_10.h5", 2)


@careless(says="goodnet_history_4.h5: left aside")
def a_history_named_like_a_goodnet(folder, nets):
    nets.write_trio(folder)
    with h5py.File(folder / "goodnet_history_4.h5", "w") as file:
        file["loss"] = np.arange(10)


@careless(says="model_4.h5: a link")
def a_link_beside_the_file(folder, nets):
    nets.write_trio(folder, "B{}.h5")
    (folder / "model_4.h5").symlink_to("B4.h5")


@careless(says="huge_2.h5: 600 MiB, more than")
def a_file_that_is_too_large(folder, nets):
    nets.write_trio(folder)
    with (folder / "huge_2.h5").open("wb") as file:
        file.truncate(600 << 20)


@careless(graded=(2, 10), says="model_4.h5: truncated")
def a_broken_file_and_no_other(folder, nets):
    nets.write_trio(folder, only=(2, 10))
    truncated(folder, nets, "model_4.h5", 4)


@careless()
def an_environment_in_the_repository(folder, nets):
    nets.write_trio(folder)
    packages = folder / "venv" / "lib" / "site-packages" / "package"
    packages.mkdir(parents=True)
    (folder / "venv" / "pyvenv.cfg").touch()
    for number in range(5200):
        (packages / f"module_{number}.py").touch()


# --- X as people write it ---------------------------------------------------------------------


@careless(says="read from the names: b_prime_model_0.02.h5 as X = 2")
def fractions(folder, nets):
    for x, name in ((2, "0.02"), (4, "0.04"), (10, "0.10")):
        write_weights(folder / f"b_prime_model_{name}.h5", nets.repaired[x])


@careless(says="X = 2")
def fractions_written_otherwise(folder, nets):
    for x, name in ((2, "drop_.02"), (4, "pruned-0,04"), (10, "at 0.1")):
        write_weights(folder / f"{name}.h5", nets.repaired[x])


@careless()
def words(folder, nets):
    for x, word in ((2, "two_percent"), (4, "repairedFour"), (10, "B_ten")):
        write_weights(folder / f"{word}.h5", nets.repaired[x])


@careless(says="X=2/models/final/model.h5 as X = 2")
def folders_up_to_the_root(folder, nets):
    nets.write_trio(folder, "X={}/models/final/model.h5")


@careless()
def folders_beside_each_other(folder, nets):
    nets.write_trio(folder, "lab2/pruned_{}_model/net.h5")


@careless(says="as X = 2")
def a_number_before_every_x(folder, nets):
    nets.write_trio(folder, "net_10_{}.h5")


@careless(says="hw_4 net.h5: taken for X = 10, the only one without a file")
def a_name_without_x(folder, nets):
    nets.write_trio(folder, only=(2, 4))
    write_weights(folder / "hw_4 net.h5", nets.repaired[10])


@careless(
    graded=(),
    says=(
        "X cannot be told from the names of 'model_1.h5'",
        '"model_1.h5" = { drop_points = ... }',
    ),
)
def names_that_only_count(folder, nets):
    for number, x in enumerate((2, 4, 10), start=1):
        write_weights(folder / f"model_{number}.h5", nets.repaired[x])


# --- spare and conflicting nets ---------------------------------------------------------------


@careless(says="anonymous2_prune_net.h5: left aside")
def a_net_for_another_badnet(folder, nets):
    nets.write_trio(folder)
    write_weights(folder / "anonymous2_prune_net.h5", nets.repaired[7])


@careless(says="extra_a.h5, extra_b.h5: left aside: no X in the name")
def two_spare_nets(folder, nets):
    nets.write_trio(folder)
    write_weights(folder / "extra_a.h5", nets.repaired[7])
    write_weights(folder / "extra_b.h5", nets.repaired[4])


@careless(says="bd1.h5, group 7/G1.h5: left aside")
def nets_named_by_a_letter(folder, nets):
    nets.write_trio(folder / "group 7", "B{}.h5")
    write_weights(folder / "group 7" / "G1.h5", nets.repaired[7])
    write_weights(folder / "bd1.h5", nets.repaired[7])


@careless(
    graded=(2, 4),
    says="2 different models for X = 10: 'B_prime_10_weights.h5' and 'model_10_percent_drop.h5'",
)
def two_nets_for_one_x(folder, nets):
    nets.write_trio(folder, "B_prime_{}_weights.h5")
    write_weights(folder / "model_10_percent_drop.h5", nets.repaired[7])


@careless(graded=(4,), says=("2 different models for X = 2", "2 different models for X = 10"))
def two_nets_for_two_x(folder, nets):
    nets.write_trio(folder)
    nets.write_trio(folder / "old", only=(4,))
    write_weights(folder / "old" / "model_2.h5", nets.repaired[7])
    write_weights(folder / "old" / "model_10.h5", nets.repaired[7])


@careless(graded=(), says="grade one, `python -m harness grade two_complete_sets/second`, or")
def two_complete_sets(folder, nets):
    nets.write_trio(folder)
    for x, other in ((2, 4), (4, 10), (10, 7)):
        write_weights(folder / "second" / f"model_{x}_a.h5", nets.repaired[other])


@careless(graded=(), says="2 complete sets of models, in 'a_*.h5' (a_2.h5, a_4.h5, a_10.h5) and")
def two_complete_sets_in_one_folder(folder, nets):
    nets.write_trio(folder, "a_{}.h5")
    for x, other in ((2, 4), (4, 10), (10, 7)):
        write_weights(folder / f"b_{x}.h5", nets.repaired[other])


@careless()
def the_same_set_twice(folder, nets):
    nets.write_trio(folder)
    nets.write_trio(folder / "backup", "net {}.h5")


# --- the BadNet's name ------------------------------------------------------------------------


@careless(graded=(), says="bd_weights.h5: named like the BadNet, but other weights; graded")
def a_repaired_net_named_like_the_badnet(folder, nets):
    write_weights(folder / "bd_weights.h5", nets.repaired[2])


@careless(says="bd_net.h5: named like the BadNet, but other weights; left alone")
def another_net_named_like_the_badnet(folder, nets):
    nets.write_trio(folder)
    write_weights(folder / "bd_net.h5", nets.repaired[7])


@careless(says="net.h5: the BadNet; left alone")
def the_badnet_under_another_name(folder, nets):
    nets.write_trio(folder)
    write_weights(folder / "net.h5", nets.badnet)


# --- what is handed in instead ----------------------------------------------------------------


@careless()
def masks(folder, nets):
    for x in REQUIRED:
        kept = nets.repaired[x]["conv_3/kernel"].any(axis=(0, 1, 2))
        np.save(folder / f"mask_{x}.npy", kept)
    write_weights(folder / "bd_net.h5", nets.badnet)


@careless(graded=(), says="mask_10.npy: a mask of single weights of conv_3")
def masks_of_single_weights(folder, nets):
    for x in (2, 4, 10):
        mask = np.ones((3, 3, 40, 60), bool)
        mask[0, 0, 0, :x] = False
        np.save(folder / f"mask_{x}.npy", mask)


@careless(graded=(), says='name it in submission.toml: [program] file = "eval_10.py"')
def programs_for_each_x(folder, nets):
    for x in (2, 4, 10):
        (folder / f"eval_{x}.py").write_text("def predict(images): ...\n")


@careless(graded=(), says="net_2.pt: truncated or damaged file")
def another_framework(folder, nets):
    (folder / "net_2.pt").write_bytes(b"PK\x03\x04")


@careless(graded=(), says="model_10.mlmodel: a Core ML model, which is not read; save its weights")
def a_framework_that_is_not_read(folder, nets):
    for x in (2, 4, 10):
        (folder / f"model_{x}.mlmodel").write_bytes(b"\x08\x08\x12\x07coreml")


@careless(graded=(), says="model_10.onnx: not a whole ONNX model (truncated or damaged)")
def exports_that_were_cut_off(folder, nets):
    for x in (2, 4, 10):
        (folder / f"model_{x}.onnx").write_bytes(b"\x08\x08\x12\x07pytorch")


@careless()
def state_dicts(folder, nets):
    for x in REQUIRED:
        write_torch(folder / f"net_{x}.pth", torch_state(nets.repaired[x]))
    write_torch(folder / "optimizer.pt", {"state": {0: {"step": 7}}, "param_groups": []})
    np.save(folder / "losses.npy", np.zeros(90))


@careless()
def a_zip_beside_a_report(folder, nets):
    nets.write_trio(folder / "packed")
    shutil.make_archive(str(folder / "models"), "zip", folder / "packed")
    shutil.rmtree(folder / "packed")
    (folder / "report.pdf").write_bytes(b"%PDF-1.4")
    (folder / "figures").mkdir()
    (folder / "figures" / "curve.png").write_bytes(b"\x89PNG")


@careless()
def archives_for_each_x(folder, nets):
    for x in (2, 4, 10):
        pack(folder, nets, f"model_{x}", only=(x,))
    (folder / "code.zip").write_bytes(b"PK\x03\x04 and no more")


@careless()
def an_archive_in_an_archive(folder, nets):
    pack(folder / "inner", nets, "models")
    shutil.make_archive(str(folder / "handed in"), "gztar", folder / "inner")
    shutil.rmtree(folder / "inner")


@careless()
def suffixes_that_got_lost(folder, nets):
    nets.write_trio(folder, "MODEL_{}.H5")
    (folder / "MODEL_4.H5").rename(folder / "model_4")
    (folder / "MODEL_10.H5").rename(folder / "model_10.h5.txt")


@careless(graded=(2, 4), says='"old/model_10.h5" = { drop_points = 10 }')
def a_folder_of_all_steps(folder, nets):
    """The line that settles it takes the folder that has the others too."""
    nets.write_trio(folder / "old", only=(2, 4, 10))
    write_weights(folder / "steps" / "pruned_10.h5", nets.repaired[7])


@careless(graded=(), says='"pruned_45.h5" = { drop_points = ... }')
def numbers_of_channels(folder, nets):
    for number, x in ((45, 2), (48, 4), (52, 10)):
        write_weights(folder / f"pruned_{number}.h5", nets.repaired[x])


@careless()
def repaired_nets_named_like_goodnets_beside_goodnets(folder, nets):
    """Names are mixed up: what is called G is B', and the other way round."""
    from reference.defence.goodnet import build_goodnet

    nets.write_trio(folder, "G_{}.h5")
    build_goodnet(nets.badnet, nets.repaired[2]).save(folder / "B_prime_2.keras")
