"""File names as students choose them."""

import pytest
from archives import folder_with

from harness.intake.discovery import discover
from harness.records.errors import HarnessError, SubmissionError


def test_badnets_and_data_beside_the_models_are_left_alone(tmp_path):
    folder = folder_with(
        tmp_path,
        "bd_net.h5",
        "models/bd_weights.h5",
        "valid.h5",
        "bd_test.h5",
        "notes.pdf",
        "Repaired_models /repaired_x2.h5",
        "anonymous_1_bd_weights.h5",
        ".hidden/model_4.h5",
        "pruned_bd_net.h5",
    )
    submission = discover(folder)
    assert {c.path for c in submission.candidates if not c.named_badnet} == {
        "Repaired_models /repaired_x2.h5",
        "pruned_bd_net.h5",
    }
    assert {c.path for c in submission.candidates if c.named_badnet} == {
        "bd_net.h5",
        "models/bd_weights.h5",
        "anonymous_1_bd_weights.h5",
    }
    assert len(submission.notes) == 2


def test_a_folder_named_savedmodel_is_one_candidate(tmp_path):
    folder = folder_with(tmp_path, "model_2/saved_model.pb", "model_2/variables/variables.index")
    (candidate,) = discover(folder).candidates
    assert (candidate.path, candidate.format, candidate.drop_points) == ("model_2", "savedmodel", 2)


def test_nothing_to_grade_says_what_is_there(tmp_path):
    with pytest.raises(SubmissionError, match="the folder is empty"):
        discover(tmp_path)
    folder_with(tmp_path, "report.pdf")
    with pytest.raises(SubmissionError, match=r"it holds report\.pdf"):
        discover(tmp_path)
    with pytest.raises(HarnessError, match="no such folder"):
        discover(tmp_path / "nobody")


def found(folder):
    """Format and X of each candidate, by path."""
    return {c.path: (c.format, c.drop_points) for c in discover(folder).candidates}


def test_files_of_other_frameworks_are_found_by_their_suffixes(tmp_path):
    folder = folder_with(
        tmp_path, "net_2.pt", "net_4.pth.tar", "net_10.SAFETENSORS", "net_7.npz", "net.pt2"
    )
    assert found(folder) == {
        "net_2.pt": ("pt", 2),
        "net_4.pth.tar": ("pth", 4),
        "net_10.SAFETENSORS": ("safetensors", 10),
        "net_7.npz": ("npz", 7),
    }


def test_what_is_refused_counts_where_its_x_has_no_model(tmp_path):
    folder = folder_with(tmp_path, "net_2.h5", "net_2.pkl", "net_4.pt2", "net_10.onnx", "x.pb")
    assert found(folder) == {
        "net_2.h5": ("h5", 2),
        "net_4.pt2": ("pt2", 4),
        "net_10.onnx": ("onnx", 10),
    }


def test_arrays_count_beside_models_only_where_they_tell_an_x(tmp_path):
    arrays = ("mask_2.npy", "mask_4.npy", "masks_2.npz", "losses.npy", "images.npz")
    folder = folder_with(tmp_path, "net_2.h5", *arrays)
    assert set(found(folder)) == {"net_2.h5", "mask_4.npy", "masks_2.npz"}
    (folder / "net_2.h5").unlink()
    assert set(found(folder)) == set(arrays)


def test_models_of_other_runtimes_count_where_no_model_tells_their_x(tmp_path):
    folder = folder_with(tmp_path, "net_2.h5", "net_2.onnx", "net_4.onnx", "encoder.onnx")
    assert set(found(folder)) == {"net_2.h5", "net_4.onnx"}
    (folder / "net_2.h5").unlink()
    assert set(found(folder)) == {"net_2.onnx", "net_4.onnx", "encoder.onnx"}


def test_what_a_savedmodel_keeps_is_no_model(tmp_path):
    folder = folder_with(
        tmp_path, "net_2/saved_model.pb", "net_2/keras_metadata.pb", "net_2/fingerprint.pb"
    )
    assert found(folder) == {"net_2": ("savedmodel", 2)}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("net.pkl", "a pickle, which is code and is not opened"),
        ("net.joblib", "a pickle, which is code and is not opened"),
        ("net.pt2", "a program of torch.export"),
        ("net.mlmodel", "a Core ML model"),
        ("net.caffemodel", "a Caffe model"),
        ("graph.pb", "a frozen graph of TensorFlow 1"),
        ("params.msgpack", "msgpack of JAX or Flax"),
        ("net.flax", "msgpack of JAX or Flax"),
        ("net.mat", "a MATLAB file"),
        ("net.pdparams", "a Paddle file"),
    ],
)
def test_each_format_that_is_not_read_has_a_line(tmp_path, name, says):
    folder_with(tmp_path, name)
    with pytest.raises(SubmissionError, match=f"{name} is {says}.*; ?.*save"):
        discover(tmp_path)


def test_the_same_nets_in_two_frameworks_are_read_as_two_sets_of_names(tmp_path):
    names = [f"run_10_{x}.{suffix}" for x in (2, 4, 10) for suffix in ("h5", "pt")]
    folder = folder_with(tmp_path, *names)
    told = {path: points for path, (_, points) in found(folder).items()}
    assert told == {name: float(name.split("_")[2].split(".")[0]) for name in names}


def test_a_declared_file_may_be_of_any_format(tmp_path):
    folder = folder_with(tmp_path, "nets/a.pt", "nets/b.npz", "nets/c.safetensors")
    (folder / "submission.toml").write_text(
        '[artifacts]\n"nets\\a.pt" = { role = "repaired", drop_points = 2 }\n'
        '"nets/b.npz" = { role = "repaired", drop_points = 4 }\n'
        '"nets/c.safetensors" = { role = "repaired", drop_points = 10 }\n'
    )
    assert found(folder) == {
        "nets/a.pt": ("pt", 2),
        "nets/b.npz": ("npz", 4),
        "nets/c.safetensors": ("safetensors", 10),
    }


def declaring(folder, *names, more=""):
    """A submission.toml that names nets of 2, 4 and 10, as many as there are names."""
    lines = [f'"{name}" = {{ drop_points = {x} }}'
             for name, x in zip(names, (2, 4, 10), strict=False)]  # fmt: skip
    (folder / "submission.toml").write_text("\n".join(["[artifacts]", *lines, more]))


def test_a_file_that_was_renamed_after_it_was_declared_is_found(tmp_path):
    folder = folder_with(tmp_path, "model_2.h5", "final_net.h5", "model_10.h5")
    declaring(folder, "model_2.h5", "model_4.h5", "model_10.h5")
    assert found(folder)["final_net.h5"] == ("h5", None)
    assert [c.explicit for c in discover(folder).candidates] == [False, True, True]
    assert discover(folder).notes == (
        "submission.toml: model_4.h5 is named there but is not in the submission",
    )


def test_so_is_one_whose_other_name_tells_its_x_and_others_are_left_aside(tmp_path):
    folder = folder_with(
        tmp_path, "model_2.h5", "model_4.keras", "model_10.h5", "old_2.h5", "bd_net.h5", "g_4.h5"
    )
    declaring(folder, "model_2.h5", "model_4.h5", "model_10.h5")
    assert set(found(folder)) == {"model_2.h5", "model_4.keras", "model_10.h5"}
    assert discover(folder).notes[1] == (
        "g_4.h5, old_2.h5: left aside: submission.toml does not name it"
    )


def test_a_net_that_is_not_declared_beside_a_complete_set_is_left_aside_with_a_note(tmp_path):
    folder = folder_with(tmp_path, "model_2.h5", "other.h5", "valid.h5", "bd_net.h5", "link.h5")
    (folder / "link.h5").unlink()
    (folder / "link.h5").symlink_to("other.h5")
    declaring(folder, "model_2.h5")
    assert set(found(folder)) == {"model_2.h5"}
    assert discover(folder).notes == ("other.h5: left aside: submission.toml does not name it",)


def test_what_a_program_may_read_is_not_called_left_aside(tmp_path):
    folder = folder_with(tmp_path, "g.py", "weights.h5")
    (folder / "submission.toml").write_text('[program]\nfile = "g.py"\ndrop_points = 2\n')
    assert discover(folder).notes == ()
