"""Readers that do what no reader may: fuzzing that does not see these would see nothing."""

from __future__ import annotations

import os
import subprocess
import time

from fuzz_properties import require_foreseen, require_one_line
from hypothesis import strategies as st

from harness.networks.hdf5_errors import missing_filter


def write_outside(_, folder):
    (folder.parent / "outside").write_text("x")
    return "read"


def make_folder_outside(_, folder):
    os.mkdir(f"{folder}/../made")  # noqa: PTH102
    return "read"


def start_process(_content, _folder):
    subprocess.run(["true"], check=True)
    return "read"


def raise_another(content, _):
    return content[0]


def take_memory(_content, _folder):
    return f"read: {len(bytes(400 << 20))}"


def take_time(_content, _folder):
    end = time.process_time() + 0.7
    while time.process_time() < end:
        pass
    return "read"


def never_end(_content, _folder):
    time.sleep(60)


def end(_content, _folder):
    os._exit(3)


def say_two_lines(_content, _folder):
    require_one_line("one\ntwo")


def say_too_much(_content, _folder):
    require_one_line("x" * 3000)


def hide_a_mistake(_content, _folder):
    try:
        try:
            missing_filter(None)
        except AttributeError:
            raise OSError("damaged file") from None
    except OSError as reason:
        require_foreseen(reason)


MISDEEDS = {
    write_outside: "open outside of the folder",
    make_folder_outside: "os.mkdir outside of the folder",
    start_process: "subprocess.Popen",
    raise_another: "IndexError",
    take_memory: "MemoryError",
    take_time: "took 0.",
    never_end: "no end after",
    end: "the process ended with exit code 3",
    say_two_lines: "not printable on one line",
    say_too_much: "a line of 3000 characters",
    hide_a_mistake: "unforeseen AttributeError in hdf5_errors.py:missing_filter",
}
"""What has to be found, by what is done."""

INPUTS = st.just(b"")
