"""Whatever is taken away from the sandbox, doctor misses it.

Each mutation weakens one line of the source, in a copy of it, and names the test of doctor's that
fails. A test that notices several layers proves none alone: what it says must name this one.
"""

import json
import os
import queue
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from payloads import EACH_SANDBOX, needing, sandboxed_test
from repository import ROOT

BUBBLEWRAP, LAUNCH, COMMANDS = "bubblewrap.py", "launch.py", "commands.py"
SUPERVISOR, CHILD, BOOTSTRAP = "supervisor.py", "child.py", "bootstrap.py"
UNSHARE = '"--unshare-all", "--unshare-user", "--uid", _NOBODY, "--gid", _NOBODY]'
NAMESPACES = {
    "cgroup": "--unshare-cgroup-try",
    "ipc": "--unshare-ipc",
    "net": "--unshare-net",
    "pid": "--unshare-pid",
    "uts": "--unshare-uts",
}


def unshare_all_but(namespace):
    options = [option for name, option in NAMESPACES.items() if name != namespace]
    return UNSHARE.replace('"--unshare-all"', ", ".join(f'"{option}"' for option in options))


# File, the text in it, what takes its place, the test of doctor's, and what that must say.
MUTATIONS = {
    # What is mounted, and how.
    "installation writable": (
        BUBBLEWRAP, 'yield path, ["--ro-bind", str', 'yield path, ["--bind", str',
        "mounts", "/usr/lib is writable"),
    "submission writable": (
        BUBBLEWRAP, '["--ro-bind", str(host), inside]', '["--bind", str(host), inside]',
        "mounts", "/submission/shown is writable"),
    "script writable": (
        BUBBLEWRAP, '["--ro-bind", str(script), str(script)]',
        '["--bind", str(script), str(script)]', "mounts", "alive.py is writable"),
    "root writable": (
        BUBBLEWRAP, 'return [*arguments, "--remount-ro", "/"]', "return arguments",
        "mounts", "/ is writable"),
    "root writable, tried": (
        BUBBLEWRAP, 'return [*arguments, "--remount-ro", "/"]', "return arguments",
        "writing anywhere", "managed: wrote /"),
    "/etc visible": (
        BUBBLEWRAP, '"/etc/alternatives",', '"/etc",', "mounts", "/etc is visible"),
    "the user's home visible": (
        BUBBLEWRAP, '"/etc/alternatives",', '"/etc/alternatives", str(Path.home()),',
        "mounts", "is visible"),
    "project visible": (
        BUBBLEWRAP, 'yield from (PACKAGES / "harness", PACKAGES / "reference")', "yield PACKAGES",
        "mounts", "is visible"),
    "environment of Python visible": (
        BUBBLEWRAP, 'for part in ("pyvenv.cfg", "lib", "lib64"):', 'for part in ("",):',
        "mounts", "is visible"),
    "another device": (
        BUBBLEWRAP, 'DEVICES = ("/dev/null",', 'DEVICES = ("/dev/zero", "/dev/null",',
        "mounts", "/dev/zero is visible"),
    "all devices": (
        BUBBLEWRAP, "    for device in DEVICES:",
        '    arguments += ["--dev", "/dev"]\n    for device in DEVICES:', "mounts", "/dev"),
    "process file system": (
        BUBBLEWRAP, "    for device in DEVICES:",
        '    arguments += ["--proc", "/proc"]\n    for device in DEVICES:',
        "mounts", "/proc is visible"),
    "scratch folder without a size": (
        BUBBLEWRAP, '"--size", str(scratch_bytes), "--tmpfs"', '"--tmpfs"',
        "fills the scratch folder", "managed"),
    # Namespaces, rights, session, environment.
    **{f"{name} namespace shared": (
        BUBBLEWRAP, UNSHARE, unshare_all_but(name), "namespaces", f"shares our {name} namespace")
       for name in NAMESPACES if name != "uts"},
    "uts namespace shared": (
        BUBBLEWRAP, UNSHARE + '\n    arguments += ["--hostname", HOST_NAME, ',
        unshare_all_but("uts") + "\n    arguments += [", "namespaces",
        "shares our uts namespace"),
    "user namespace shared": (
        BUBBLEWRAP, UNSHARE, ", ".join(f'"{option}"' for option in NAMESPACES.values()) + "]",
        "namespaces", "shares our user namespace"),
    "root inside": (
        BUBBLEWRAP, '"--uid", _NOBODY', '"--uid", "0"', "namespaces", "is root there"),
    "named as the host": (
        BUBBLEWRAP, '"--hostname", HOST_NAME, ', "", "sees the host's names", "managed"),
    "capabilities kept": (
        BUBBLEWRAP, '"--cap-drop", "ALL", ', "", "rights", "CapBnd"),
    "lives on without its parent": (
        BUBBLEWRAP, '"--die-with-parent", ', "", "end of the supervisor", "went on"),
    "session of bubblewrap": (
        BUBBLEWRAP, ', "--new-session"]', "]", "session", "the child is in the session"),
    "bubblewrap in our session": (
        SUPERVISOR, "            start_new_session=True,\n", "",
        "session", "what is started is in the harness's session"),
    "environment not cleared": (
        BUBBLEWRAP, ', "--clearenv"]', "]", "environment", "saw HARNESS_OUTSIDE"),
    "our environment handed to bubblewrap": (
        SUPERVISOR, "            env=self._command.environment,\n", "",
        "environment", "is handed on to bubblewrap"),
    "our environment handed to the child": (
        BUBBLEWRAP, "    return thread_counts | {",
        "    return dict(os.environ) | thread_counts | {", "environment", "HARNESS_DOCTOR"),
    "our descriptors handed on": (
        SUPERVISOR, "            pass_fds=self._command.descriptors,\n",
        "            pass_fds=[d for d in range(3, 64) if os.path.exists(f'/proc/self/fd/{d}')],\n",
        "descriptors", "descriptor "),
    "our input handed on": (
        SUPERVISOR, "            stdin=subprocess.DEVNULL,\n", "", "descriptors", "an input"),
    "our output handed on": (
        SUPERVISOR, "            stderr=subprocess.STDOUT,\n", "", "forges output", ""),
    # Filters.
    "no filter at the start": (
        BUBBLEWRAP, ', "--seccomp", str(filter_fd)]', "]", "rights", "1 of 2 system call filters"),
    "no filter when ready": (
        COMMANDS, "python_command(task, filter_fd=running_filter", "python_command(task",
        "rights", "1 of 2 system call filters"),
    "filter not loaded": (
        BOOTSTRAP, "        _load_unless_empty(calls)\n", "",
        "rights", "1 of 2 system call filters"),
    "filter of the start when ready": (
        COMMANDS, "running_filter = memory_file(running)",
        "running_filter = memory_file(seccomp.start_filter(limits.runtime))",
        "system calls that are refused", "managed: call "),
    "filter of models for readers": (
        "seccomp.py", "READER: (READER,)", "READER: (READER, TENSORFLOW)",
        "system calls that readers are refused", "managed: call "),
    "filter that allows": (
        "seccomp.py", "SyscallFilter(pyseccomp.ERRNO(errno.ENOSYS))",
        "SyscallFilter(pyseccomp.LOG)", "system calls that are refused", "managed: call "),
    "numbers of other processors": (
        "seccomp.py", "filter_.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)",
        "filter_.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.ALLOW)",
        "system calls that end a process", "does not end the process"),
    "arguments not looked at": (
        "seccomp.py", "    if rule.argument is None:", "    if True:",
        "system calls that are refused", "managed: call "),
    "killers refused only": (
        "seccomp.py", '"kill": pyseccomp.KILL_PROCESS', '"kill": pyseccomp.ERRNO(1)',
        "attackers' calls in the sandbox", "ptrace"),
    # Limits.
    "no limits": (BOOTSTRAP, "    _set_limits(limits)\n", "", "limits", "Max address space"),
    "soft limits": (
        BOOTSTRAP, "setrlimit(kind, (value, value))", "setrlimit(kind, (value, hard))",
        "limits", "unlimited"),
    **{f"no {name}": (LAUNCH, f'        "{name}": {value},\n', "", "limits", said)
       for name, value, said in (
           ("RLIMIT_AS", "limits.memory_bytes + lent_bytes + _ADDRESS_SPACE_BYTES",
            "Max address space"),
           ("RLIMIT_CPU", "limits.cpu_seconds", "Max cpu time"),
           ("RLIMIT_FSIZE", "limits.scratch_bytes", "Max file size"),
           ("RLIMIT_NOFILE", "256", "Max open files"),
           ("RLIMIT_CORE", "0", "Max core file size"),
           ("RLIMIT_MEMLOCK", "0", "Max locked memory"))},
    "memory not watched": (
        SUPERVISOR, "elif held_bytes > self._bounds.memory_bytes:", "elif False:",
        "exhausts memory", "managed"),
    "files not counted as memory": (
        SUPERVISOR, "            held_bytes += sum(\n", "            sum(\n",
        "memory, by files", "managed"),
    "names of files not counted as memory": (
        "process_tree.py", "_INODE_BYTES = 4096", "_INODE_BYTES = 0",
        "memory, by names of files", "managed"),
    "threads not watched": (
        SUPERVISOR, "elif usage.threads > MOST_THREADS:", "elif False:",
        "number of threads", "managed"),
    "time not watched": (
        SUPERVISOR, "> self._bounds.wall_seconds:", "> 1e9:", "wall clock", "still ran"),
    "waits for ever": (
        CHILD, "moments.append(self._begun_at + self._limits.start_seconds)", "pass",
        "patience", "timed_out"),
    "not offered to the kernel": (
        SUPERVISOR, 'write_text("1000")', 'write_text("0")',
        "order of the kernel's victims", ": 0"),
    "surplus answers accepted": (
        CHILD, "        if self._receive(1, time.monotonic() + timeout_seconds):",
        "        if False:", "answers too much", "managed"),
    "output without an end": (
        "output.py", "OUTPUT_BYTES = ", "OUTPUT_BYTES = 2 * ", "floods the output", "kept"),
}  # fmt: skip

LANDLOCK, TABLES = "landlock.py", "system_calls.toml"
OWN_CALLS = ("getpgid", "getsid", "prlimit64", "sched_getaffinity", "sched_getparam",
             "sched_getscheduler", "sched_setaffinity", "tgkill")  # fmt: skip
LANDLOCK_MUTATIONS = {
    "nothing taken away": (
        LANDLOCK, "    _call(_RESTRICT_SELF, ruleset, 0)\n", "", "reads a secret file", "managed"),
    "nothing taken away, alone": (
        LANDLOCK, "    _call(_RESTRICT_SELF, ruleset, 0)\n", "",
        "Landlock alone", "got out: read, list"),
    "not confined": (
        BOOTSTRAP, "        _give_up_files_and_rights(plans[number], own_folder)\n", "",
        "reading anywhere", "/etc/passwd"),
    "/etc readable": (
        COMMANDS, "*given, *_PROCESS_FILES]", '*given, *_PROCESS_FILES, "/etc"]',
        "reading anywhere", "/etc"),
    "project readable": (
        COMMANDS, "*given, *_PROCESS_FILES]", "*given, *_PROCESS_FILES, str(bubblewrap.PACKAGES)]",
        "reading anywhere", "read "),
    "process file system readable": (
        COMMANDS, '    "/proc/cpuinfo",', '    "/proc",', "reading anywhere", "/proc/self/environ"),
    "counters of the machine readable": (
        COMMANDS, '    "/proc/cpuinfo",', '    "/proc/cpuinfo", "/proc/meminfo",',
        "reading anywhere", "/proc/meminfo"),
    "devices": (
        COMMANDS, "for path in bubblewrap.DEVICES]", 'for path in ("/dev",)]',
        "reading anywhere", "/dev"),
    "installation writable": (
        LANDLOCK, "    READ: _READ_FILE |", "    READ: _WRITE_FILE | _READ_FILE |",
        "writing anywhere", "managed: wrote"),
    "programs executable": (
        LANDLOCK, "    READ: _READ_FILE |", "    READ: _EXECUTE | _READ_FILE |",
        "Landlock alone", "got out: execute"),
    "files replaceable": (
        LANDLOCK, "    | _REFER,", "    | _REFER | 1 << 4 | 1 << 5,",
        "files without names", "replaced"),
    "cutting off allowed": (
        LANDLOCK, "3: 15, 4: 15, 5: 16}", "3: 14, 4: 14, 5: 14}", "Landlock alone", "truncate"),
    "TCP allowed": (LANDLOCK, "_TCP_ABI, _SCOPE_ABI = 4, 6", "_TCP_ABI, _SCOPE_ABI = 99, 99",
                    "Landlock alone", "abstract, port"),
    "signals and sockets allowed": (
        LANDLOCK, "_SOCKETS_AND_SIGNALS = 0b11", "_SOCKETS_AND_SIGNALS = 0",
        "Landlock alone", "signal, abstract"),
    "sockets allowed": (
        LANDLOCK, "_SOCKETS_AND_SIGNALS = 0b11", "_SOCKETS_AND_SIGNALS = 0b10",
        "Landlock alone", "got out: abstract"),
    "still root": (
        COMMANDS, "    return _FIRST_USER + secrets.randbelow(_USERS)", "    return -1",
        "user", "Uid 0"),
    "root's group": (
        LANDLOCK, "        os.setresgid(user, user, user)\n", "", "user", "Gid 0"),
    "root may come back": (
        LANDLOCK, "os.setresuid(files_user, user, user)",
        "os.setresuid(files_user, user, 0)", "user", "Uid 0"),
    "capabilities kept": (
        LANDLOCK, "    _set_capabilities(0)\n", "", "rights", "CapPrm"),
    "capabilities within reach": (
        LANDLOCK, "if capability != _SETPCAP and not _drop_for_ever(capability):", "if True:",
        "rights", "CapBnd"),
    "no filter": (
        COMMANDS, "_on_host(task), filter_fd=running_filter, plan_fds", "_on_host(task), plan_fds",
        "rights", "1 of 2 system call filters"),
    "no filter of its own processes": (
        BOOTSTRAP, "load_filter(landlock.confine(plan + own_folder.encode()))",
        "landlock.confine(plan + own_folder.encode())",
        "rights", "1 of 2 system call filters"),
    "every process its own": (
        LANDLOCK, "(_JUMP_IF_EQUAL, 1, 0, process),", "(_JUMP_IF_EQUAL, 1, 1, process),",
        "system calls that are refused", "not 3"),
    **{f"{name} of any process": (
        LANDLOCK, f'    "{name}",\n', "", "system calls that are refused", "not 3")
       for name in OWN_CALLS},
    "filter of bubblewrap": (
        COMMANDS, "    instead = [seccomp.LANDLOCK]\n", "    instead: list[str] = []\n",
        "system calls that are refused", "managed"),
    "files without names": (
        TABLES, "mask = 0x0040_0000\nvalues = [0]", "mask = 0\nvalues = [0]",
        "files without names", "never named"),
    "lives on without its parent": (
        BOOTSTRAP, "        die_with_parent()  # asked last", "        pass  # asked last",
        "end of the supervisor", "went on"),
    "asks for its end too early": (
        BOOTSTRAP,
        "        _give_up_files_and_rights(plans[number], own_folder)\n        die_with_parent()",
        "        die_with_parent()\n        _give_up_files_and_rights(plans[number], own_folder)",
        "end of the supervisor", "went on"),
    "in our session": (
        SUPERVISOR, "            start_new_session=True,\n", "", "session",
        "the harness's session"),
    "environment not cleared": (
        SUPERVISOR, "            env=self._command.environment,\n", "", "environment",
        "HARNESS_DOCTOR"),
    "our descriptors handed on": (
        SUPERVISOR, "            pass_fds=self._command.descriptors,\n",
        "            pass_fds=[d for d in range(3, 64) if os.path.exists(f'/proc/self/fd/{d}')],\n",
        "descriptors", "descriptor "),
    "our input handed on": (
        SUPERVISOR, "            stdin=subprocess.DEVNULL,\n", "", "descriptors", "an input"),
    "no limits": (BOOTSTRAP, "    _set_limits(limits)\n", "", "limits", "Max address space"),
    "scratch folder not watched": (
        LAUNCH, "folder=Path(folder) if order.sandbox == LANDLOCK else None", "folder=None",
        "fills the scratch folder", "managed"),
    "files not counted as memory": (
        SUPERVISOR, "        held_bytes += self._measured_folder()\n",
        "        self._measured_folder()\n", "memory, by files", "managed"),
    "names of files not counted": (
        "process_tree.py", "_INODE_BYTES = 4096", "_INODE_BYTES = 0",
        "memory, by names of files", "managed"),
    "time not watched": (
        SUPERVISOR, "> self._bounds.wall_seconds:", "> 1e9:", "wall clock", "still ran"),
    "threads not watched": (
        SUPERVISOR, "elif usage.threads > MOST_THREADS:", "elif False:",
        "number of threads", "managed"),
    "memory not watched": (
        SUPERVISOR, "elif held_bytes > self._bounds.memory_bytes:", "elif False:",
        "exhausts memory", "managed"),
}  # fmt: skip

# What is taken away here, another layer stands in for, and that one is proved above.
SECOND_LAYERS = {
    "bootstrap does not ask to end with its parent": (
        # bubblewrap's init ends it: "lives on without its parent"
        BOOTSTRAP, "        die_with_parent()  # asked last", "        pass  # asked last",
        "end of the supervisor"),
    "bootstrap may get new privileges": (
        # bubblewrap has taken them already: "rights" compares what is left
        BOOTSTRAP, "    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)\n", "", "rights"),
    "whoever asks waits for all of the wall clock": (
        # the supervisor's own clock: "time not watched"
        CHILD, "[self._begun_at + self._limits.wall_seconds]", "[1e9]", "never ends"),
}  # fmt: skip


ALL = [
    pytest.param(sandbox, *mutation, id=f"{sandbox}: {name}", marks=needing(sandbox))
    for sandbox, mutations in (("bubblewrap", MUTATIONS), ("landlock", LANDLOCK_MUTATIONS))
    for name, mutation in mutations.items()
]


class Sources:
    """Copies of the packages, one for each that is weakened at the same time."""

    def __init__(self, root):
        self.root, self.free = root, queue.SimpleQueue()
        self.pool = ThreadPoolExecutor(os.cpu_count())
        for number in range(os.cpu_count()):
            for package in ("harness", "reference"):
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / package, root / str(number) / package, ignore=ignored)
            self.free.put(root / str(number))

    def found(self, sandbox, tests, change=None):
        """What doctor's tests of a sandbox find, with a source that is changed so."""
        source = self.free.get()
        try:
            if change is None:
                return found(source, sandbox, tests)
            file, old, new = change
            path = source / "harness" / "sandbox" / file
            text = path.read_text(encoding="utf-8")
            assert text.count(old) == 1, f"{file} has not one {old!r}"
            path.write_text(text.replace(old, new), encoding="utf-8")
            try:
                return found(source, sandbox, tests)
            finally:
                path.write_text(text, encoding="utf-8")
        finally:
            self.free.put(source)


def found(source, sandbox, tests):
    driver = ROOT / "tests" / "support" / "doctor_tests.py"
    variables = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    line = [sys.executable, "-P", driver, sandbox, *tests]
    finished = subprocess.run(
        line, env=variables, stdin=subprocess.PIPE, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return Sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def weakened(request, sources):
    """What is found of each mutation that is asked for, looked for side by side."""
    asked = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    return {
        (
            each["file"],
            each["old"],
            each["new"],
            each["sandbox"],
            each["test"],
        ): sources.pool.submit(
            sources.found, each["sandbox"], [each["test"]], (each["file"], each["old"], each["new"])
        )
        for each in asked
        if {"file", "old", "new"} <= set(each)
    }


@EACH_SANDBOX
def test_the_source_as_it_is_passes(sources, sandbox):
    mutations = {"bubblewrap": MUTATIONS, "landlock": LANDLOCK_MUTATIONS}[sandbox]
    names = {mutation[3] for mutation in mutations.values()}
    outcomes = sources.found(sandbox, sorted(names))
    assert [name for name, (passed, _) in outcomes.items() if passed is not True] == []


@pytest.mark.parametrize(("sandbox", "file", "old", "new", "test", "said"), ALL)
def test_a_weakened_source_fails(weakened, sandbox, file, old, new, test, said):
    passed, detail = weakened[file, old, new, sandbox, test].result()[test]
    assert (passed, said in detail) == (False, True), detail


@sandboxed_test
@pytest.mark.parametrize("name", SECOND_LAYERS)
def test_where_another_layer_stands_in_nothing_is_opened(sources, name):
    *change, test = SECOND_LAYERS[name]
    passed, detail = sources.found("bubblewrap", [test], change)[test]
    assert passed, detail
