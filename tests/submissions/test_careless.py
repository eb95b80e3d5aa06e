"""Careless but honest work is graded like tidy work, and told what was wrong with it."""

import importlib
import json
import shutil
from pathlib import Path

import careless
import pytest
from models import known_config, random_weights, write_full

from harness.grading.dry_run import dry_run
from harness.records.submission import COMPLETE
from harness.records.text import one_line

for module in sorted(Path(__file__).parent.glob("careless_*.py")):
    importlib.import_module(module.stem)

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.timeout(1200),  # whichever test comes first waits for all folders
]


@pytest.fixture(scope="module")
def handed_in(badnet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("careless")
    careless.build_all(folder, badnet)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def records(handed_in, grade_each):
    finished, output = grade_each(handed_in, "--jobs", 2, "--quiet")
    assert finished.returncode == 1, finished.stderr[-3000:]
    assert "Traceback" not in finished.stderr + finished.stdout
    stored = (json.loads(path.read_text()) for path in (output / "records").glob("*.json"))
    return {record["submission"]: record for record in stored}


def counts(record):
    """What was counted, by X."""
    return {
        entry["drop_points"]: (entry["repaired"], entry["goodnet"])
        for entry in record["checkpoints"]
        if entry["required"] and entry["repaired"]
    }


def sentences(record):
    """All that the record says in words of what was handed in.

    Its reason holds those of its checkpoints.
    """
    return list(filter(None, [record["reason"], *record["notes"]]))


@pytest.mark.parametrize("name", careless.CASES)
def test_careless_work_is_graded_like_tidy_work(records, name):
    case, record = careless.CASES[name], records[name]
    tidy = counts(records["tidy"])
    assert set(tidy) == set(careless.REQUIRED)
    assert counts(record) == {x: tidy[x] for x in case.graded}, sentences(record)


@pytest.mark.parametrize("name", [name for name, case in careless.CASES.items() if case.says])
def test_the_record_says_what_was_wrong_once(records, name):
    said = sentences(records[name])
    for text in careless.CASES[name].says:
        assert sum(each.count(text) for each in said) == 1, said


@pytest.mark.parametrize("name", careless.CASES)
def test_check_says_what_grade_finds(handed_in, records, name, small_benchmark, badnet_path):
    found, record = dry_run(handed_in / name, str(small_benchmark), badnet_path), records[name]
    said = "\n".join(found.lines)

    if "would be rejected" in found.lines[0]:
        assert found.lines == [f"{name}: would be rejected: {one_line(record['reason'])}"]
        return
    for entry in record["checkpoints"]:
        for net, key in (("B'", "artifact"), ("G", "goodnet_artifact")):
            if entry[key]:
                path, points = entry[key]["path"], entry["drop_points"]
                place = f"X = {points:g}" if points else "X unknown"
                assert f"  {path}: {net}, {place}; " in said
    for note in record["notes"]:
        path, is_open, _ = one_line(note).partition(": can be read in ")
        if is_open:  # what clean images tell is not known before they are shown
            assert any(path in line and is_open in line for line in found.lines)
        else:
            assert f"  note: {path}" in found.lines
    is_complete = set(counts(record)) == set(careless.REQUIRED) and not record["reason"]
    assert found.faultless == is_complete == said.endswith(COMPLETE)


@pytest.mark.parametrize("suffix", ["zip", "gztar", "xztar"])
def test_check_takes_an_archive_like_grade(handed_in, suffix, small_benchmark, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "bob"), suffix, handed_in / "tidy")
    found = dry_run(Path(archive), str(small_benchmark))
    assert found.lines[0] == "bob: 3 models"
    assert found.lines[1:] == dry_run(handed_in / "tidy", str(small_benchmark)).lines[1:]


def test_check_says_what_can_be_seen_without_running(handed_in, tmp_path, small_benchmark):
    for x in (2, 4, 10):
        shutil.copy(handed_in / "tidy" / "model_2.h5", tmp_path / f"model_{x}.h5")
    said = dry_run(tmp_path, str(small_benchmark)).lines
    assert sum("one net cannot be saved at several X" in line for line in said) == 2
    (tmp_path / "model_4.h5").rename(tmp_path / "model_X=5.h5")
    (tmp_path / "submission.toml").write_text('nmae = "ann"')
    said = "\n".join(dry_run(tmp_path, str(small_benchmark)).lines)
    assert "saved as X = 5, graded as X = 4" in said
    assert "unknown key nmae" in said.replace("'", "").replace('"', "")


def test_check_names_nets_of_another_badnet(tmp_path, small_benchmark, badnet_path):
    for x in (2, 4, 10):
        write_full(tmp_path / f"model_{x}.h5", random_weights(seed=x), known_config())
    found = dry_run(tmp_path, str(small_benchmark), badnet_path)
    (said,) = found.problems
    assert said.startswith("model_10.h5, model_2.h5 and model_4.h5: made from another BadNet, not")
    assert "--badnet" in said
    assert "complete" not in "\n".join(found.lines)
