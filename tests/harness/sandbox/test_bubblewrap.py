"""What a child sees of the machine, and what it can change there."""

import os
import sys
import tempfile
from pathlib import Path

from payloads import BOTH, SMALL, attempt, read_fact, sandboxed_test, start

from harness.records.environment import processors
from harness.sandbox import bubblewrap, process_tree


@BOTH
def test_a_child_learns_nothing_of_the_environment(payload, monkeypatch, sandbox):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    script = payload("""
        texts = [str(sorted(os.environ)), os.getcwd(), str(os.listdir("."))]
        if arguments[0] == "bubblewrap":
            for root, _, names in os.walk("/proc"):
                texts += [open(os.path.join(root, name), errors="replace").read()
                          for name in names if name != "exe"]
        tell(texts)
    """)
    with start(
        script, ["inside" if sandbox == "bubblewrap" else "plain"], sandbox=sandbox
    ) as child:
        names, folder, *others = read_fact(child)
    assert "SECRET_TOKEN" not in names
    assert not any("hunter2" in text for text in others)
    assert not Path(folder, "pyproject.toml").exists()
    assert all(str(Path.home()) != text for text in others)


READ_SECRET = "got = open(arguments[0]).read()"

WRITE_MARKER = "open(arguments[0], 'w').write('was here'); got = 'written'"


@sandboxed_test
def test_other_files_cannot_be_read(tmp_path, payload):
    secret = tmp_path / "labels.h5"
    secret.write_text("the answers")
    assert attempt(payload, READ_SECRET, [str(secret)], sandbox=None) == "the answers"
    assert attempt(payload, READ_SECRET, [str(secret)], sandbox="bubblewrap") == "ENOENT"
    through_init = f"/proc/1/root{secret}"
    assert attempt(payload, READ_SECRET, [through_init], sandbox="bubblewrap") in (
        "ENOENT",
        "EACCES",
    )


@sandboxed_test
def test_nothing_but_libraries_packages_and_submission_is_visible(payload):
    script = payload("""
        seen = []
        for root, folders, files in os.walk("/", onerror=None):
            folders[:] = [f for f in folders if os.path.join(root, f) not in
                          ("/proc", "/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/local/lib")
                          and f not in ("site-packages",) and not f.startswith("python3.")]
            seen += [os.path.join(root, f) for f in files]
        tell([s for s in seen if "/lib/" not in s][:40])
    """)
    with start(script, sandbox="bubblewrap") as child:
        seen = read_fact(child)
    ours = tuple(str(bubblewrap.PACKAGES / name) for name in ("harness", "reference"))
    expected = {"/dev/null", "/dev/urandom", "/etc/ld.so.cache", str(script)}
    allowed = (*ours, "/etc/alternatives/", sys.prefix, sys.base_prefix, sys.executable)
    assert [s for s in seen if s not in expected and not s.startswith(allowed)] == []


@sandboxed_test
def test_nothing_can_be_written_outside(tmp_path, payload):
    marker = tmp_path / "marker"
    assert attempt(payload, WRITE_MARKER, [str(marker)], sandbox=None) == "written"
    marker.unlink()
    attempt(payload, WRITE_MARKER, [str(marker)], sandbox="bubblewrap")
    assert not marker.exists()
    for place in ("/m", "/submission/m", "/usr/lib/m", f"{bubblewrap.PACKAGES}/harness/m"):
        assert attempt(payload, WRITE_MARKER, [place], sandbox="bubblewrap") in ("EROFS", "ENOENT")
    assert attempt(payload, WRITE_MARKER, ["/tmp/allowed"], sandbox="bubblewrap") == "written"


@sandboxed_test
def test_the_submission_cannot_be_changed(tmp_path, payload):
    model = tmp_path / "model.h5"
    model.write_text("weights")
    model.chmod(0o600)
    script = payload("""
        os.chmod(arguments[0], 0o777)  # told that it worked
        got = []
        for attack in (lambda p: open(p, "r+"), os.unlink,
                       lambda p: open(f"/proc/self/fd/{os.open(p, os.O_RDONLY)}", "r+"),
                       lambda p: os.rename(p, p + "x")):
            try:
                attack(arguments[0])
                got.append("done")
            except OSError as error:
                got.append(error.errno)
        tell(got)
    """)
    inside = "/submission/model.h5"
    with start(script, [inside], sandbox="bubblewrap", readable={inside: model}) as child:
        assert "done" not in read_fact(child)
    assert (model.read_text(), model.stat().st_mode & 0o777) == ("weights", 0o600)


@sandboxed_test
def test_the_scratch_folder_has_a_size(payload):
    code = """
        got = 0
        for number in range(4):
            with open(f"{os.environ['TMPDIR']}/{number}", "wb", buffering=0) as file:
                for _ in range(8):
                    got += file.write(bytes(2**20))
    """
    assert attempt(payload, code, sandbox=None) == 4 * 8 * 2**20
    assert attempt(payload, code, sandbox="bubblewrap") == "ENOSPC"


@sandboxed_test
def test_the_kernel_cannot_be_configured(payload):
    code = """
        got = []
        for root, _, names in os.walk("/proc/sys"):
            for name in names:
                try:
                    os.close(os.open(os.path.join(root, name), os.O_WRONLY))
                    got.append(name)
                except OSError:
                    pass
        for path in ("/proc/sysrq-trigger", "/proc/self/mem", "/proc/1/mem", "/proc/self/uid_map"):
            try:
                os.close(os.open(path, os.O_WRONLY))
                got.append(path)
            except OSError:
                pass
    """
    assert attempt(payload, code, sandbox="bubblewrap") == []


@sandboxed_test
def test_every_namespace_is_a_new_one(payload):
    names = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]
    here = [Path("/proc/self/ns", name).readlink() for name in names]
    with start(payload("tell(1)"), sandbox="bubblewrap") as child:
        inside = innermost()
        there = [Path(f"/proc/{inside}/ns", name).readlink() for name in names]
        read_fact(child)
    assert not set(there) & set(here)


def innermost():
    """Returns the number, on this machine, of the process that runs the script."""
    return process_tree.members(os.getpid())[-1]


@sandboxed_test
def test_no_rights_are_left(payload):
    names = ("CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    with start(payload("tell(1)"), sandbox="bubblewrap") as child:
        lines = Path(f"/proc/{innermost()}/status").read_text().splitlines()
        read_fact(child)
    fields = dict(line.split(":", 1) for line in lines)
    inside = {name: fields[name].strip() for name in names}
    assert inside.pop("NoNewPrivs") == "1"
    assert inside.pop("Seccomp") == "2"
    assert set(inside.values()) == {"0" * 16}


@sandboxed_test
def test_no_other_process_is_visible(payload):
    code = "got = sorted(filter(str.isdigit, os.listdir('/proc')), key=int)"
    assert len(attempt(payload, code, sandbox=None)) > 2
    assert attempt(payload, code, sandbox="bubblewrap") == ["2"]


@sandboxed_test
def test_the_host_is_not_named_inside(tmp_path, payload):
    """Not the folder of the submission, not that of the images, not the machine or our process."""
    code = """
        texts = [str(os.environ), os.getcwd()]
        for root, _, names in os.walk("/proc"):
            for path in (os.path.join(root, name) for name in names):
                try:
                    texts += [open(path, "rb").read(2**16).decode("latin-1"), os.readlink(path)]
                except OSError:
                    pass
        for name in ("mountinfo", "environ", "cmdline"):
            for process in ("self", "1", "2"):
                try:
                    texts.append(open(f"/proc/{process}/{name}").read())
                except OSError:
                    pass
        for descriptor in range(32):
            try:
                texts.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            except OSError:
                pass
        told = any(arguments[0][::-1] in text for text in texts)
        got = [told, os.uname().nodename, os.getppid(), os.getsid(0), os.getpgid(0), os.getpid()]
    """
    staged = tmp_path / "staged-here"
    staged.mkdir()
    (staged / "model.h5").write_text("weights")
    readable = {"/submission/model.h5": staged / "model.h5"}
    with tempfile.TemporaryFile(dir=staged) as images:
        images.write(b"pixels")
        found = attempt(
            payload, code, [staged.name[::-1]], sandbox="bubblewrap",
            readable=readable, images_fd=images.fileno(),
        )  # fmt: skip
    assert found == [False, bubblewrap.HOST_NAME, 1, 1, 1, 2]


@sandboxed_test
def test_libraries_find_what_they_ask_of_the_process_file_system(payload):
    code = """
        import psutil, threadpoolctl
        threadpoolctl.threadpool_info()
        got = [psutil.virtual_memory().total, psutil.cpu_count(), psutil.Process().pid,
               os.path.realpath("/proc/self/exe")]
    """
    expected = [SMALL.memory_bytes, processors(), 2, str(Path(sys.executable).resolve())]
    assert attempt(payload, code, sandbox="bubblewrap") == expected


@sandboxed_test
def test_hdf5_asks_for_no_locks(payload):
    """They would be refused; nobody writes to the file."""
    code = "got = os.environ['HDF5_USE_FILE_LOCKING']"
    assert attempt(payload, code, sandbox="bubblewrap") == "FALSE"
