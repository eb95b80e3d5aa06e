"""Benchmarks by name and by folder, and their descriptions."""

import pytest
from models import write_set

from harness.datasets.descriptions import (
    OFFICIAL_FILES,
    absolute_dataset,
    generate_data,
    load_benchmark,
    load_sets,
    read_description,
)
from harness.records.benchmark import Benchmark
from harness.records.errors import HarnessError

BENCHMARK = Benchmark(schema_version=1, name="t", title="t", files=OFFICIAL_FILES)


def test_other_arrays_than_published_are_refused(tmp_path):
    for path in OFFICIAL_FILES.values():
        write_set(tmp_path / path, 2)
    sets = load_sets(BENCHMARK, tmp_path)
    named = {name: labeled.sha256 for name, labeled in sets.items()}
    benchmark = Benchmark(schema_version=1, name="t", title="t", files=OFFICIAL_FILES, hashes=named)
    assert set(load_sets(benchmark, tmp_path)) == set(OFFICIAL_FILES)
    write_set(tmp_path / OFFICIAL_FILES["test"], 2, label=7)
    with pytest.raises(HarnessError, match=r"test\.h5: not the published data"):
        load_sets(benchmark, tmp_path)


def test_unknown_dataset_names_the_known_ones():
    names = "csaw2020, digits, faces, faces-competition, lab3, signs"
    with pytest.raises(HarnessError, match=f"nonsense: no such dataset; name one of {names}"):
        load_benchmark("nonsense")


def test_a_folder_in_another_layout_is_refused(tmp_path):
    with pytest.raises(HarnessError, match=r"no cl/valid\.h5 in it"):
        load_benchmark(str(tmp_path))


@pytest.mark.parametrize("name", ["faces", "lab3"])
def test_shipped_descriptions_are_complete(name):
    benchmark, _ = load_benchmark(name)
    assert benchmark.name == name
    assert benchmark.checkpoints == (2, 4, 10)
    assert benchmark.images == {"valid": 11547, "test": 12830, "bd_valid": 11547, "bd_test": 12830}
    assert benchmark.make or benchmark.google_drive_folder


def test_a_broken_description_is_named(tmp_path):
    path = tmp_path / "dataset.toml"
    path.write_text("schema_version = 1\ntitle = 3\n")
    with pytest.raises(HarnessError, match=r"dataset\.toml: not a dataset description"):
        read_description(path)
    path.write_text("schema_version = 99\n")
    with pytest.raises(HarnessError, match="schema_version is 99, expected 1"):
        read_description(path)


def test_a_dataset_is_found_from_another_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_dataset("faces") == "faces"
    assert absolute_dataset("mine") == str(tmp_path / "mine")
    assert absolute_dataset("/data/mine") == "/data/mine"


def test_a_command_that_was_killed_is_one_line(tmp_path):
    killed = ("-c", "import os; os.kill(os.getpid(), 9)")
    benchmark = Benchmark(schema_version=1, name="t", title="t", files=OFFICIAL_FILES, make=killed)
    with pytest.raises(HarnessError, match=r"^t: making the data failed \(it was .* SIGKILL;"):
        generate_data(benchmark, tmp_path)
