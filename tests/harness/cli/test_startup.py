"""What is imported when: TensorFlow only where a network has to run."""

import subprocess
import sys

import pytest
from repository import ROOT

from harness.lineage.lineage import zero_channels
from reference.badnet.training import save_weights

_TELLS = """
import sys
from harness.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("imported:", *sorted({"tensorflow", "keras", "pandas"} & sys.modules.keys()))
"""


def imported(*arguments):
    """The heavy packages that a command imports, and how it ends."""
    finished = subprocess.run(
        [sys.executable, "-c", _TELLS, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    last = finished.stdout.splitlines()[-1]
    assert last.startswith("imported:"), finished.stderr
    return last.split()[1:], finished.returncode


@pytest.fixture(scope="module")
def graded(small_benchmark, badnet_path, badnet, tmp_path_factory):
    """A results folder after one submission, and how that was graded."""
    folder = tmp_path_factory.mktemp("startup")
    save_weights(zero_channels(badnet, range(3)), folder / "first" / "model_X=2.h5")
    how = ("--dataset", small_benchmark, "--badnet", badnet_path, "--no-timing",
           "--output", folder / "results")  # fmt: skip
    assert imported("grade", folder / "first", *how)[1] == 1
    return folder, how


def test_a_net_that_shares_features_is_graded_without_tensorflow(graded, badnet):
    folder, how = graded
    save_weights(zero_channels(badnet, (9, 23)), folder / "second" / "model_X=2.h5")
    packages, code = imported("grade", folder / "second", *how)
    assert "tensorflow" not in packages
    assert code == 1


def test_a_net_that_shares_nothing_needs_tensorflow_and_not_keras(graded, badnet):
    folder, how = graded
    tuned = badnet | {"conv_1/bias": badnet["conv_1/bias"] + 0.01}
    save_weights(tuned, folder / "third" / "model_X=2.h5")
    packages, _ = imported("grade", folder / "third", *how)
    assert "tensorflow" in packages
    assert "keras" not in packages


@pytest.mark.parametrize("command", ["--help", "check", "leaderboard", "explain", "regrade"])
def test_light_commands_stay_light(graded, command, tmp_path):
    folder, how = graded
    results = folder / "results"
    arguments = {
        "--help": (),
        "check": (folder / "first", *how[:2]),
        "leaderboard": (results,),
        "explain": (results, "first"),
        "regrade": (results, "--out", tmp_path / "again"),
    }[command]
    packages, code = imported(command, *arguments)
    assert packages == []
    assert code in (0, 1)
