"""A minute of fuzzing, always the same; and all that fuzzing has found, again."""

import json

import pytest
from fuzz_targets import MISDEEDS, TARGETS
from fuzzing import SEEDS, FoundError, Reader, keep
from hypothesis import HealthCheck, Phase, given, settings
from misdeeds import MISDEEDS as FINDINGS
from payloads import sandboxed_test

OUTCOMES = json.loads((SEEDS / "outcomes.json").read_text(encoding="utf-8"))
IN_CHILDREN = [name for name, target in TARGETS.items() if target.in_child]
LARGE = [
    pytest.param(name, content, id=f"{name}-{number}")
    for name, target in TARGETS.items()
    for number, content in enumerate(target.large)
]


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_read_gives_a_result_or_one_line(name):
    with Reader(name) as reader:

        @settings(
            max_examples=reader.target.examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(reader.target.inputs)
        def read(content):
            try:
                reader.examine(content)
            except FoundError as error:
                path = keep(name, content)
                pytest.fail(f"{path}: {error}", pytrace=False)

        read()


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_and_honest_files_end_as_they_did(name):
    with Reader(name) as reader:
        outcomes = {
            f"{name}/{path.name}": reader.examine(path.read_bytes())
            for path in sorted((SEEDS / name).iterdir())
        }
    assert outcomes == {key: each for key, each in OUTCOMES.items() if key.startswith(f"{name}/")}


@pytest.mark.parametrize(("name", "content"), LARGE)
def test_large_inputs_are_read_in_time(name, content):
    with Reader(name) as reader:
        assert reader.examine(content).startswith("read: ")


@sandboxed_test
@pytest.mark.parametrize("name", IN_CHILDREN)
def test_in_the_sandbox_seeds_end_alike(name):
    with Reader(name, real_children=True) as reader:
        for path in sorted((SEEDS / name).iterdir())[:4]:
            assert reader.examine(path.read_bytes()) == OUTCOMES[f"{name}/{path.name}"]


@pytest.mark.parametrize("name", MISDEEDS)
def test_a_reader_that_does_what_it_may_not_is_found_out(name):
    found = next(each for check, each in FINDINGS.items() if check.__name__ == name)
    hang_seconds = 4 if name == "never_end" else 60
    with Reader(name, hang_seconds=hang_seconds) as reader, pytest.raises(FoundError) as caught:
        reader.examine(b"")
    assert found in str(caught.value)
