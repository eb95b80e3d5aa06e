"""A zoo of three tiny BadNets, and a way to run defences on it."""

import pytest
from tiny_zoo import write_zoo

from harness.execution.progress import Quiet
from harness.grading.context import Budget, Options
from harness.grading.defences.code import find_defences, stage_defences
from harness.grading.defences.zoo import cells, prepare_zoo
from harness.grading.worker import grade_entry


@pytest.fixture(scope="session")
def zoo(tmp_path_factory):
    """The folder of the zoo."""
    return write_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def run_cells(zoo, tmp_path):
    """The records of the first cells of a defence that is given as text."""

    def run(text, *, toml="", many=1, folder=zoo, **options):
        code = tmp_path / "mine"
        code.mkdir(exist_ok=True)
        (code / "defence.py").write_text(text)
        if toml:
            (code / "submission.toml").write_text(toml)
        budget = Budget(seconds=options.pop("seconds", 60.0), images=options.pop("images", None))
        told = options.pop("told", Quiet())
        chosen = Options(timing=False, budget=budget, **options)
        prepared = prepare_zoo(str(folder), tmp_path / "out", chosen, told)
        entries = cells(stage_defences(find_defences([str(code)]), tmp_path / "out"), prepared.zoo)
        return [grade_entry(prepared, entry) for entry in entries[:many]]

    return run
