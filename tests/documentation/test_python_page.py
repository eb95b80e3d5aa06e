"""The examples of docs/python.md run, in order, and answer what the page says."""

import doctest
import inspect
import re

import pytest
from repository import ROOT

import harness
from harness.datasets.descriptions import data_is_present, generate_data, load_benchmark
from harness.inference.known_network import read_benchmark_badnet
from harness.lineage.lineage import zero_channels
from harness.networks.forward import build_model

PAGE = ROOT / "docs" / "python.md"
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in which the page's paths exist."""
    benchmark, data = load_benchmark("digits")
    if not data_is_present(benchmark, data):
        generate_data(benchmark, data)
    network, weights = read_benchmark_badnet(ROOT / "datasets/digits/badnet.keras", benchmark)
    pruned = zero_channels(weights, benchmark.channel_order[:24], network=network)
    (tmp_path / "incomplete").mkdir()
    build_model(network, pruned).save(tmp_path / "incomplete" / "model_X=2.keras")
    (tmp_path / "submissions").symlink_to(ROOT / "submissions")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_run(folder):
    text = PAGE.read_text(encoding="utf-8")
    examples = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "python.md", str(PAGE), 0)
    assert len(test.examples) > 15
    said = []
    doctest.DocTestRunner(optionflags=LOOSE).run(test, out=said.append)
    assert not said, "".join(said)


def test_every_public_name_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in harness.__all__)
    for parameter in inspect.signature(harness.grade).parameters:
        assert re.search(rf"\b{parameter}\b", text), parameter
