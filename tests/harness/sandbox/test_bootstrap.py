"""What a child gives up before it becomes the script, and what the script finds then."""

import os
import subprocess
import sys

from payloads import BOTH, LINUX_ONLY, SMALL, failure_of, read_fact, small_limits, start


@BOTH
def test_our_packages_can_be_imported_and_the_script_is_main(payload, sandbox):
    script = payload("""
        import harness.records.errors, reference
        tell([__name__, __file__, sys.argv[0], sys.flags.isolated])
    """)
    with start(script, sandbox=sandbox) as child:
        assert read_fact(child) == ["__main__", str(script), str(script), 1]


@BOTH
def test_a_module_in_the_submission_cannot_take_the_place_of_a_library(tmp_path, payload, sandbox):
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "json.py").write_text("raise SystemExit(7)")
    script = payload("tell(json.__file__)")
    with start(script, sandbox=sandbox, readable={"/submission/code": folder}) as child:
        assert "submission" not in read_fact(child)


@BOTH
def test_the_limits_of_the_kernel_are_set(payload, sandbox):
    script = payload("""
        import resource
        names = ("AS", "CORE", "CPU", "FSIZE", "MEMLOCK", "NOFILE")
        tell([resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in names])
    """)
    with start(script, sandbox=sandbox) as child:
        limits = read_fact(child)
    expected = [SMALL.memory_bytes + 2**32, 0, SMALL.cpu_seconds, SMALL.scratch_bytes, 0, 256]
    assert limits == [[value, value] for value in expected]


@BOTH
def test_processor_time_is_limited(payload, sandbox):
    script = payload("""
        import signal
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        while True:
            pass
    """)
    failure = failure_of(script, sandbox=sandbox, limits=small_limits(cpu_seconds=1))
    assert (failure.kind, "processor time" in failure.reason) == ("timed_out", True)


@LINUX_ONLY
def test_a_child_whose_parent_died_first_does_not_run(tmp_path, payload):
    from harness.sandbox import bootstrap

    script = payload(f"open({str(tmp_path / 'marker')!r}, 'w')")
    reader, writer = os.pipe()
    os.close(writer)
    line = [sys.executable, "-I", "-B", bootstrap.__file__, str(tmp_path), "RLIMIT_CORE=0", "-1"]
    subprocess.run([*line, script, str(reader), "1", "-1"], pass_fds=[reader], check=False)
    os.close(reader)
    assert not (tmp_path / "marker").exists()
