"""Which runtime a format has, and what is said where it is missing."""

import pytest

from harness.inference.runtimes.catalogue import RUNTIMES, missing_runtime, system_calls
from harness.networks.graph_files.reader import GRAPH_FORMATS
from harness.records.environment import EXTRAS, extras_here, missing_module_hint
from harness.sandbox import seccomp


def test_each_format_that_is_run_has_a_runtime_an_extra_and_a_table():
    assert set(RUNTIMES) == set(GRAPH_FORMATS)
    for name, runtime in RUNTIMES.items():
        assert runtime.extra in EXTRAS
        assert system_calls(name) in seccomp.RUNTIMES
    assert system_calls("keras") == system_calls("program") == "tensorflow"


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_missing_runtime_is_one_line_with_its_package(monkeypatch, name):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    said = missing_runtime(name)
    assert said.endswith(f"pip install {EXTRAS[RUNTIMES[name].extra][0]}")
    assert missing_runtime("h5-full") is None


def test_a_runtime_that_is_here_is_not_missing():
    pytest.importorskip("onnxruntime")
    assert missing_runtime("onnx") is None
    assert "onnx" in extras_here()
    assert "onnx" in missing_module_hint().partition("; not here")[0]
