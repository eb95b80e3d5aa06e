"""``submission.toml``: what it declares, and one clear line for each mistake in it."""

import pytest
from archives import folder_with
from keras_files import write_unpacked
from models import random_weights

from harness.intake.discovery import discover
from harness.records.errors import SubmissionError


def test_toml_overrides_names(tmp_path):
    folder = folder_with(tmp_path, "final.h5", "model_4.h5")
    (folder / "submission.toml").write_text(
        '[artifacts]\n"final.h5" = { role = "goodnet", drop_points = 10 }\n'
    )
    (candidate,) = discover(folder).candidates
    assert (candidate.path, candidate.role, candidate.drop_points) == ("final.h5", "goodnet", 10)
    assert candidate.explicit


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("= 1", "not valid TOML"),
        ("name = 3", "name must be a text"),
        ('[artifacts]\n"../x.h5" = { role = "repaired" }', "leads out of the submission"),
        ('[artifacts]\n"/etc/passwd" = { role = "repaired" }', "leads out of the submission"),
        ('[artifacts]\n"gone.h5" = { role = "repaired" }', "is not in the submission"),
        ('[artifacts]\n"m.h5" = { role = "king" }', "needs a role"),
        ('[artifacts]\n"m.h5" = { drop_points = "two" }', "drop_points must be a number"),
        ("[artifacts]\nm = 1", "needs a role"),
        ("artifacts = [1]", "must map files"),
        ('[[claims]]\nbenchmark = "lab3"', "claims"),
        ("a = " + "[" * 5000 + "]" * 5000, "not valid TOML"),
        ("a = '" + "x" * 70_000 + "'", "larger than"),
    ],
)
def test_a_bad_toml_is_one_clear_line(tmp_path, toml, reason):
    folder = folder_with(tmp_path, "m.h5")
    (folder / "submission.toml").write_text(toml)
    with pytest.raises(SubmissionError, match=reason) as raised:
        discover(folder)
    assert "\n" not in raised.value.reason
    assert "submission.toml" in raised.value.reason


def test_claims_are_read(tmp_path):
    folder = folder_with(tmp_path, "model_2.h5")
    (folder / "submission.toml").write_text(
        '[[claims]]\nbenchmark = "lab3"\nsplit = "test"\nnet = "goodnet"\ndrop_points = 2\n'
        "clean_accuracy = 0.9574\nattack_success_rate = 1.0\n"
    )
    (claim,) = discover(folder).claims
    assert (claim.net, claim.drop_points, claim.clean_accuracy) == ("goodnet", 2, 0.9574)


def test_a_declared_folder_is_an_unpacked_archive_or_a_savedmodel(tmp_path):
    folder = folder_with(tmp_path)
    write_unpacked(folder / "net", random_weights())
    (folder / "graph").mkdir()
    (folder / "submission.toml").write_text(
        '[artifacts]\nnet = { drop_points = 2 }\ngraph = { role = "goodnet", drop_points = 2 }\n'
    )
    found = {candidate.path: candidate.format for candidate in discover(folder).candidates}
    assert found == {"net": "keras", "graph": "savedmodel"}
