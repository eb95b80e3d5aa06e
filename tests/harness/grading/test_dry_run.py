"""What ``check`` tells before anything is run."""

import shutil

import harness


def test_names_that_look_exchanged_are_asked_about(reference_submission, small_benchmark,
                                                   badnet_path, tmp_path):  # fmt: skip
    own = tmp_path / "own"
    shutil.copytree(reference_submission / "models", own)
    told = harness.check(own, small_benchmark, badnet_path)
    assert not [note for note in told.notes if "its own name" in note]

    (own / "model_2.h5").rename(own / "x.h5")
    (own / "model_10.h5").rename(own / "model_2.h5")
    (own / "x.h5").rename(own / "model_10.h5")
    notes = [
        note
        for note in harness.check(own, small_benchmark, badnet_path).notes
        if "does each have its own name?" in note
    ]
    assert len(notes) == 2
    assert notes[0].startswith("the net for X = 2 has ")
    assert " channels pruned, that for X = 4 only " in notes[0]
