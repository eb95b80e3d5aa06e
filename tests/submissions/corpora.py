"""The miniature submissions as they lie on a disk, and what their payloads would reach."""

import shutil
import subprocess
import sys
import threading
from socket import create_server

from repository import ROOT

BUILDING = """
import sys
sys.path[:0] = sys.argv[1:4]
import cases
import worlds
from harness.datasets.descriptions import load_benchmark, load_sets
from harness.networks.weight_files import read_model
from harness.records.benchmark import Datasets
from pathlib import Path

if sys.argv[6] == "digits":
    benchmark, folder = load_benchmark("digits")
    world = worlds.digits_world(Datasets(benchmark=benchmark, sets=load_sets(benchmark, folder)))
else:
    world = worlds.faces_world(None, read_model(Path(sys.argv[6])).weights)
cases.build_all(sys.argv[4], world, sys.argv[5], sys.argv[7:])
"""


class Corpus:
    """Submissions of some cases, the canary folder beside them, and a listener on loopback.

    ``world`` is the faces' BadNet or "digits"; without names, all cases are built.
    """

    def __init__(self, root, world, names=()):
        self.submissions, self.canary = root / "submissions", root / "canary"
        self.canary.mkdir()
        (self.canary / "secret.txt").write_text("the answers are in here " * 5000)
        self.server = create_server(("127.0.0.1", 0))
        self.connections = 0
        (self.canary / "port").write_text(str(self.server.getsockname()[1]))
        threading.Thread(target=self._listen, daemon=True).start()
        self._build(world, names)
        self.clear()

    def _build(self, world, names):
        """All cases, or these, in a process of their own: some need TensorFlow."""
        folders = [ROOT, ROOT / "tests" / "support", ROOT / "tests" / "submissions"]
        arguments = [*folders, self.submissions, self.canary, world, *names]
        finished = subprocess.run(
            [sys.executable, "-c", BUILDING, *map(str, arguments)], capture_output=True, text=True,
            check=False, timeout=600,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr[-3000:]

    def _listen(self):
        while True:
            connection, _ = self.server.accept()
            self.connections += 1
            connection.close()

    def markers(self):
        return sorted(path.name for path in self.canary.glob("marker-*"))

    def clear(self):
        self.connections = 0
        for path in self.canary.glob("marker-*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
