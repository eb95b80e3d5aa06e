"""Starting a child: what it is given, and what cannot be given or started."""

import os
import sys
import tempfile

import pytest
from payloads import BOTH, LINUX_ONLY, list_resources, read_fact, start

from harness.records.errors import HarnessError
from harness.sandbox import availability, seccomp


@BOTH
def test_named_files_and_images_are_readable_and_arguments_name_them(tmp_path, payload, sandbox):
    model = tmp_path / "odd name é.h5"
    model.write_bytes(b"weights")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "inner").write_bytes(b"inner")
    script = payload("""
        with open(images, "rb") as file:
            seen = file.read().decode()
        tell([open(arguments[0]).read(), open(arguments[1]).read(), arguments[2], seen])
    """)
    readable = {"/submission/model.h5": model, "/submission/code": folder}
    arguments = ["/submission/model.h5", "/submission/code/inner", "/submission-not"]
    with tempfile.TemporaryFile() as images:
        images.write(b"pixels")
        images.seek(0)
        with start(
            script, arguments, sandbox=sandbox, readable=readable, images_fd=images.fileno()
        ) as child:
            assert read_fact(child) == ["weights", "inner", "/submission-not", "pixels"]


def test_a_named_images_file_is_refused(tmp_path, payload):
    (tmp_path / "images").write_bytes(b"pixels")
    with (tmp_path / "images").open("rb") as images, pytest.raises(HarnessError, match="name"):
        start(payload(""), sandbox=None, images_fd=images.fileno())


@pytest.mark.parametrize("inside", ["/etc/passwd", "/submission/../etc", "/submission", "x"])
@pytest.mark.parametrize("sandbox", ["bubblewrap", "landlock", None])
def test_paths_must_be_below_submission(tmp_path, payload, inside, sandbox):
    with pytest.raises(ValueError, match="not below /submission"):
        start(payload(""), sandbox=sandbox, readable={inside: tmp_path})


@pytest.mark.parametrize("sandbox", ["bubblewrap", "landlock", None])
def test_links_and_missing_files_are_not_shown(tmp_path, payload, sandbox):
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("link", "missing"):
        with pytest.raises(HarnessError, match=name):
            start(payload(""), sandbox=sandbox, readable={"/submission/a": tmp_path / name})


def test_arguments_that_no_process_can_have_are_our_failure(payload):
    before = list_resources()
    with pytest.raises(HarnessError, match="null byte"):
        start(payload(""), ["a\0b"], sandbox=None)
    assert list_resources() == before


@LINUX_ONLY
@BOTH
def test_nothing_is_left_of_a_child_that_could_not_start(tmp_path, sandbox):
    before = list_resources()
    with pytest.raises(HarnessError, match="could not be started"):
        start(tmp_path / "missing.py", sandbox=sandbox)
    assert list_resources() == before


@LINUX_ONLY
@BOTH
def test_a_child_inherits_three_pipes_and_nothing_else(tmp_path, payload, sandbox):
    script = payload("""
        def is_open(descriptor):
            try:
                os.fstat(descriptor)
            except OSError:
                return False
            return True
        tell([fd for fd in range(256) if is_open(fd) and fd not in (0, 1, 2, requests, replies)])
    """)
    with (tmp_path / "answers").open("w") as answers:
        os.set_inheritable(answers.fileno(), True)
        with start(script, sandbox=sandbox) as child:
            assert read_fact(child) == []


@BOTH
def test_many_children_at_once_do_not_mix(payload, sandbox):
    from concurrent.futures import ThreadPoolExecutor

    script = payload("while os.read(requests, 1): os.write(replies, arguments[0].encode())")

    def answer(number):
        with start(script, [str(number)], sandbox=sandbox) as child:
            reply = child.ask(b"?", 1)
            child.finish()
        return reply

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(answer, range(10))) == [b"%d" % number for number in range(10)]


@pytest.fixture
def fresh_problem():
    availability.forget()
    yield availability.problem_of
    availability.forget()


def test_without_bubblewrap_there_is_no_sandbox(monkeypatch, payload, fresh_problem):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert fresh_problem("bubblewrap") == "bubblewrap is missing: apt install bubblewrap"
    with pytest.raises(HarnessError, match="apt install bubblewrap"):
        start(payload(""), sandbox="bubblewrap")


def test_without_pyseccomp_there_is_no_sandbox(monkeypatch, fresh_problem):
    monkeypatch.setattr(
        "harness.sandbox.availability.shutil.which", lambda name: f"/usr/bin/{name}"
    )
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    seccomp._compile.cache_clear()
    assert "pip install pyseccomp" in fresh_problem("bubblewrap")


def test_a_bubblewrap_that_fails_is_no_sandbox(tmp_path, monkeypatch, payload, fresh_problem):
    pytest.importorskip("pyseccomp")
    broken = tmp_path / "bwrap"
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    problem = fresh_problem("bubblewrap")
    assert "bwrap: setting up uid map: Permission denied" in problem
    assert "\n" not in problem
    with pytest.raises(HarnessError, match="Permission denied"):
        start(payload(""), sandbox="bubblewrap")


def test_other_systems_have_no_sandbox(monkeypatch, fresh_problem):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert availability.sandbox_problem().startswith("there is no sandbox on darwin")
