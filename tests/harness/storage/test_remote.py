"""Results at an address: an FTP server on loopback, one in memory, and bad addresses."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from fsspec.implementations.memory import MemoryFileSystem
from repository import ROOT

from harness.cli.main import main
from harness.records.errors import HarnessError
from harness.storage import remote as mirrors
from harness.storage.remote import Mirror, results_at

BOARDS = ("leaderboard.csv", "leaderboard.json", "leaderboard.md")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An FTP server that anybody may connect to from this machine, and the folder it serves."""
    folder = tmp_path_factory.mktemp("served")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "pyftpdlib", "-i", "127.0.0.1", "-p", str(port), "-w",
         "-u", "ann", "-P", "hidden", "-d", folder],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)
    yield f"ftp://ann:hidden@127.0.0.1:{port}", folder
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture
def address(server, request):
    return f"{server[0]}/{request.node.name}"


@pytest.fixture
def served(server, request):
    return server[1] / request.node.name


@pytest.fixture
def another_machine(monkeypatch, tmp_path_factory):
    """From now on nothing that was kept here is known; called again, another one once more."""

    def move():
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))

    move()
    return move


@pytest.fixture
def arguments(small_benchmark, badnet_path, tmp_path):
    for name in ("empty", "text"):
        (tmp_path / "course" / name).mkdir(parents=True)
    (tmp_path / "course" / "text" / "model_2.h5").write_bytes(b"hello")
    return ["grade", "--each", tmp_path / "course", "--dataset", small_benchmark, "--badnet",
            badnet_path, "--no-timing"]  # fmt: skip


def run(*arguments, code=0):
    finished = CliRunner().invoke(main, [*map(str, arguments)])
    assert finished.exit_code == code, finished.output
    return finished


def tree(folder):
    paths = folder.rglob("*")
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths if p.is_file()}


def test_every_command_takes_an_address(
    address, served, another_machine, arguments, prepared, tmp_path
):
    shutil.copytree(prepared, served, ignore=shutil.ignore_patterns("features"))
    local = shutil.copytree(prepared, tmp_path / "local")
    expected = run(*arguments, "--output", local, code=1)
    first = run(*arguments, "--output", address, code=1)
    assert first.stdout == expected.stdout
    there, here = tree(served), tree(local)
    assert {n: c for n, c in here.items() if not n.startswith(("features/", "sets/"))} == there
    assert set(BOARDS) <= there.keys()

    another_machine()
    again = run(*arguments, "--output", address, code=1)
    assert again.stdout == expected.stdout
    assert not re.search(
        r"reading \d+ model", again.stderr
    )  # nothing of a submission was looked at again
    another_machine()
    assert run("leaderboard", address).stdout == expected.stdout
    for rest in (("explain", "text"), ("diff",)):
        command, *others = rest
        others = others or [address]
        assert run(command, address, *others).stdout == run(command, local, *others).stdout
    verified = run("verify", address, "text", tmp_path / "course" / "text", *arguments[3:7])
    assert "status: the same" in verified.stdout
    exported = run("export", address, "--format", "markdown")
    shown = address.replace("hidden", "***")
    assert exported.stdout == f"{shown}/exports/leaderboard.md\n"
    assert (served / "exports" / "leaderboard.md").is_file()

    rubric = tmp_path / "mine.toml"
    text = (ROOT / "harness" / "assessment" / "rubric.toml").read_text()
    rubric.write_text(text.replace("points = 20", "points = 30"))
    run("regrade", address, "--rubric", rubric, "--out", f"{address}-again")
    again = served.with_name(f"{served.name}-again")
    assert (again / "rubric.toml").read_text() == rubric.read_text()
    assert sorted(p.name for p in (again / "records").iterdir()) == ["empty.json", "text.json"]
    assert (served / "records" / "text.json").read_bytes() == there["records/text.json"]


def test_what_a_killed_run_left_is_sent_by_the_next(address, served, another_machine):
    with results_at(address) as results:
        (results.folder / "roster.csv").write_text("one")
    # What kill -9 leaves: a file in the folder here that is not there.
    (results.folder / "records").mkdir()
    (results.folder / "records" / "late.json").write_text("late")
    with results_at(address):
        pass
    assert tree(served) == {"roster.csv": b"one", "records/late.json": b"late"}


def test_what_is_newer_there_is_fetched_and_what_is_gone_there_goes(
    address, served, another_machine
):
    with results_at(address) as results:
        (results.folder / "roster.csv").write_text("one")
        (results.folder / "rubric.toml").write_text("two")
    (served / "roster.csv").write_text("another")
    (served / "rubric.toml").unlink()
    with results_at(address) as results:
        assert (results.folder / "roster.csv").read_text() == "another"
        assert not (results.folder / "rubric.toml").exists()
    assert tree(served) == {"roster.csv": b"another"}


def test_only_grading_fetches_what_only_grading_reads(address, served, another_machine):
    for name in ("reference/a.json", "predictions/net/set.npz", "features/a.f32", "records/a.json"):
        (served / name).parent.mkdir(parents=True)
        (served / name).write_text(name)
    with results_at(address) as results:
        assert not (results.folder / "reference").exists()
        assert (results.folder / "records" / "a.json").exists()
        # Boards compare rows by them.
        assert (results.folder / "predictions" / "net" / "set.npz").exists()
    with results_at(address, for_grading=True) as results:
        assert (results.folder / "reference" / "a.json").exists()
        assert not (results.folder / "features").exists()


def test_a_broken_off_upload_leaves_the_old_file(address, served, another_machine, monkeypatch):
    from fsspec.implementations.ftp import FTPFileSystem

    with results_at(address) as results:
        (results.folder / "roster.csv").write_text("old")

    def broken(*arguments, **options):
        raise ConnectionResetError("the line is dead")

    mirror = Mirror.open(address)
    (mirror.folder / "roster.csv").write_text("new")
    with monkeypatch.context() as patch:
        patch.setattr(FTPFileSystem, "mv", broken)
        with pytest.raises(HarnessError, match=r"the line is dead; what was .* kept here"):
            mirror.send()
    assert (served / "roster.csv").read_bytes() == b"old"
    with results_at(address):  # hidden rests are no results
        pass
    assert (served / "roster.csv").read_bytes() == b"new"
    assert len(list(served.glob(".*.partial"))) == 1


def test_grading_begins_only_where_it_can_write(
    address, served, another_machine, arguments, monkeypatch
):
    served.mkdir()
    (served / ".probe").mkdir()  # no file can take its place
    finished = run(*arguments, "--output", address, code=2)
    assert finished.stdout == ""
    assert len(finished.stderr.splitlines()) == 1
    assert "error_perm: 550" in finished.stderr


def test_work_is_sent_while_it_goes_on(address, served, another_machine, monkeypatch):
    with results_at(address) as results:
        (results.folder / "roster.csv").write_text("one")
        results.send_if_due()
        assert not tree(served)  # a moment after the beginning there is nothing to gain
        monkeypatch.setattr(mirrors, "_SECONDS_BETWEEN_SENDINGS", 0)
        results.send_if_due()
        assert tree(served) == {"roster.csv": b"one"}


def test_the_secret_stays_private(address, served, another_machine):
    served.mkdir()
    (served / "secret").write_text("s")
    with results_at(address) as results:
        assert (results.folder / "secret").stat().st_mode & 0o777 == 0o600
        assert results.folder.stat().st_mode & 0o777 == 0o700


def test_an_object_store_gets_whole_objects_under_their_names(another_machine, monkeypatch):
    monkeypatch.setattr(MemoryFileSystem, "mv", None)  # not needed there
    with results_at("memory://course/results") as results:
        (results.folder / "records").mkdir()
        (results.folder / "records" / "a.json").write_text("a")
    assert MemoryFileSystem().cat("/course/results/records/a.json") == b"a"


def test_a_file_address_is_its_folder(tmp_path, another_machine):
    with results_at(f"file://{tmp_path}/with%20space") as results:
        assert results.folder == tmp_path / "with space"
    assert not list(Path(os.environ["XDG_CACHE_HOME"]).iterdir())


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nonsense://a/b", "ValueError: Protocol not known: nonsense"),
        ("s3://bucket/results", "ImportError: Install s3fs to access S3"),
        ("ftp://127.0.0.1:1/results", "ConnectionRefusedError: [Errno 111] Connection refused"),
        (
            "ftp://ann:secret@127.0.0.1:1/r",
            "ConnectionRefusedError: [Errno 111] Connection refused",
        ),
    ],
)
def test_a_bad_address_costs_one_line(address, reason, another_machine):
    for command in (("leaderboard",), ("regrade",), ("export", "--format", "latex")):
        finished = run(*command, address, code=2)
        shown = address.replace("secret", "***")
        assert (finished.stdout, finished.stderr) == ("", f"error: {shown}: {reason}\n")


def test_a_wrong_password_costs_one_line(address, another_machine):
    finished = run("leaderboard", address.replace("hidden", "guessed"), code=2)
    shown = address.replace("hidden", "***")
    assert finished.stderr.startswith(f"error: {shown}: error_perm: 530 ")
    assert len(finished.stderr.splitlines()) == 1


def test_an_empty_address_is_named_as_it_was_given(address, another_machine):
    finished = run("leaderboard", address, code=2)
    shown = address.replace("hidden", "***")
    assert finished.stderr == f"error: {shown}: no records in it; grade something first\n"


def test_local_folders_need_no_fsspec(tmp_path):
    code = ("import sys; from harness.cli.main import main\n"
            "heavy = {'fsspec', 'tensorflow', 'distributed'}\n"
            "try: main()\n"
            "finally: print(*heavy & set(sys.modules))")  # fmt: skip
    finished = subprocess.run(
        [sys.executable, "-c", code, "leaderboard", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.stdout == "\n"
    without = "import sys; sys.modules['fsspec'] = None; from harness.cli.main import main; main()"
    finished = subprocess.run(
        [sys.executable, "-c", without, "leaderboard", "s3://bucket/results"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 2
    assert finished.stderr == ("error: s3://bucket/results: needs fsspec: pip install fsspec\n")


def test_two_processes_do_not_send_at_the_same_time(address, another_machine):
    first, second = Mirror.open(address), Mirror.open(address)
    sending = threading.Thread(target=second.send)
    with first._lock():
        sending.start()
        sending.join(timeout=0.5)
        assert sending.is_alive()
    sending.join(timeout=10)
    assert not sending.is_alive()


OUTSIDE = [
    "/{outside}/x", "//{outside}/x", "records/../../x", "../x", "..", "records//a.json", "./a",
    "records/./a.json", "a\\..\\..\\x", "records\\a.json", "C:/x", "c:x", "records/C:/x",
    "\uff0e\uff0e/x", "\u2025/x", "records\uff0f..\uff0fx", "\uff23\uff1a\uff3cx", "a\0b", "//",
]  # fmt: skip


@pytest.mark.parametrize("key", OUTSIDE)
def test_a_key_that_leaves_the_folder_is_refused(key, another_machine, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    key = key.format(outside=str(outside).lstrip("/"))
    store = MemoryFileSystem()
    where = f"/{tmp_path.name}/results"
    for name in ("records/a.json", key):
        store.pipe_file(f"{where}/{name}", b"{}")
        # As an object store does, which takes no part of a key for a folder.
        store.store[f"{where}/{name}"] = store.store.pop(store._strip_protocol(f"{where}/{name}"))
    try:
        with pytest.raises(HarnessError) as raised, results_at(f"memory:/{where}"):
            raise AssertionError("the results were opened")
    finally:
        store.store.clear()
    said = str(raised.value)
    assert "absolute or leaves the results folder" in said
    assert "\n" not in said
    assert list(outside.iterdir()) == []
    assert not [path for path in mirrors_here() if path.name == "a.json"], "nothing is fetched"


def mirrors_here():
    return [p for p in Path(os.environ["XDG_CACHE_HOME"]).rglob("*") if p.is_file()]


def test_marks_of_folders_are_no_files(another_machine):
    store = MemoryFileSystem()
    store.store.clear()
    store.pipe_file("/marked/records/a.json", b"{}")
    for mark in ("/marked/", "/marked/records/"):
        store.store[mark] = store.store["/marked/records/a.json"]
    with results_at("memory://marked") as results:
        assert [path.name for path in (results.folder / "records").iterdir()] == ["a.json"]
    store.store.clear()


def test_a_link_in_the_mirror_is_not_written_through(another_machine, tmp_path):
    store = MemoryFileSystem()
    store.pipe_file("/linked/records/a.json", b"{}")
    with results_at("memory://linked") as results:
        pass
    shutil.rmtree(results.folder / "records")
    (results.folder / "records").symlink_to(tmp_path)
    store.pipe_file("/linked/records/b.json", b"{}")
    with (
        pytest.raises(HarnessError, match="leaves the results folder"),
        results_at("memory://linked"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    store.store.clear()
