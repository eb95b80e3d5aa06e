"""TorchScript runs in every sandbox: honest nets as themselves, hostile programs to no harm.

These tests need PyTorch, and nothing of TensorFlow: `tox -e torch`.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from graph_reading import ask_once, images_for, run_model
from hostile_torchscript import ENDLESS, FAILING, ODD, honest
from payloads import BOTH, EACH_SANDBOX, list_resources, needing, needs

from harness.datasets.descriptions import badnet_file, load_benchmark
from harness.inference.known_network import read_badnet
from harness.records.environment import processors
from harness.records.errors import Status, SubmissionError

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


class Exported:
    """A benchmark's BadNet as TorchScript, and what PyTorch itself answers."""

    def __init__(self, torch, name, folder):
        from torch_nets import RowsFirst, TorchNet, write_scripted, write_traced

        benchmark, data = load_benchmark(name)
        self.network, weights = read_badnet(badnet_file(benchmark, data), benchmark)
        rows, columns, colours = self.network.input_shape
        net = TorchNet(self.network, weights)
        traced = torch.jit.trace(net, torch.zeros(2, colours, rows, columns))
        self.files = {
            "traced": write_traced(folder / "t.pt", net, (colours, rows, columns)),
            "scripted, rows first": write_scripted(folder / "s.pt", RowsFirst(traced)),
        }
        self.images = images_for(self.network, 40)
        with torch.no_grad():
            pixels = torch.from_numpy(self.images).float().permute(0, 3, 1, 2)
            self.expected = net(pixels).argmax(1).numpy()


@pytest.fixture(scope="module")
def digits(torch, tmp_path_factory):
    return Exported(torch, "digits", tmp_path_factory.mktemp("digits"))


@BOTH
@pytest.mark.parametrize("name", ["traced", "scripted, rows first"])
def test_an_exported_net_answers_as_itself(digits, sandbox, name):
    answers = ask_once(digits.files[name], digits.network, digits.images, sandbox)
    assert (answers == digits.expected).all()


@needs("bubblewrap")
@pytest.mark.parametrize("name", ["faces", "signs"])
def test_so_do_the_nets_of_the_other_benchmarks(torch, tmp_path, name):
    net = Exported(torch, name, tmp_path)
    answers = ask_once(net.files["traced"], net.network, net.images, "bubblewrap")
    assert (answers == net.expected).all()


@EACH_SANDBOX
def test_a_whole_run_finds_nothing_odd_in_an_honest_net(digits, sandbox):
    predictions, probe = run_model(
        digits.files["traced"], digits.network, digits.images, sandbox
    )  # fmt: skip
    assert predictions.output_count == 10
    assert (predictions.answers["valid"].class_ids == digits.expected).all()
    assert probe.repeated_changed == 0


@pytest.fixture(scope="module")
def failures(digits, tmp_path_factory):
    """What comes of each hostile program, in bubblewrap; and of honest ones among them."""
    folder = tmp_path_factory.mktemp("hostile")
    programs = {"before": honest, **FAILING, "endless": lambda: ENDLESS, "after": honest}

    def run(name):
        path = folder / f"{list(programs).index(name)}.pt"
        path.write_bytes(programs[name]())
        limits = {"wall_seconds": 10 if name == "endless" else 60, "memory_bytes": 1 << 30}
        try:
            return ask_once(path, digits.network, digits.images, "bubblewrap", **limits)
        except SubmissionError as error:
            return error

    before = list_resources()
    with ThreadPoolExecutor(processors()) as pool:
        found = dict(zip(programs, pool.map(run, programs), strict=True))
    assert list_resources() == before
    return found


IN_BUBBLEWRAP = [*needing("bubblewrap")]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=IN_BUBBLEWRAP) for name in (*FAILING, "endless")]
)
def test_a_hostile_program_fails_alone(failures, name):
    error = failures[name]
    assert isinstance(error, SubmissionError)
    assert error.status in (Status.REJECTED, Status.CRASHED, Status.TIMED_OUT)
    assert (error.status is Status.TIMED_OUT) == (name == "endless")
    assert len(error.reason) < 500
    assert not Path("/tmp/torch-canary").exists()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=IN_BUBBLEWRAP) for name in ("before", "after")]
)
def test_honest_programs_run_among_them(failures, name):
    assert len(failures[name]) == 40


def test_a_payload_fires_where_python_unpickles_it(tmp_path, monkeypatch):
    import io
    import pickle
    import zipfile

    content = zipfile.ZipFile(io.BytesIO(FAILING["a payload for its net"]())).read("net/data.pkl")
    monkeypatch.chdir(tmp_path)
    pickle.loads(content.replace(b"/tmp/torch-canary", b"./////////canary!"))
    assert (tmp_path / "canary!").exists()


@EACH_SANDBOX
def test_scores_that_are_no_numbers_count_as_invalid(digits, tmp_path, sandbox):
    path = tmp_path / "model.pt"
    path.write_bytes(ODD)
    answers = ask_once(path, digits.network, digits.images, sandbox)
    assert (answers & 0x8000).all()
