"""A platform's container: its own root, another user, nothing of this environment, no sandbox.

Made with bubblewrap; within it bubblewrap is hidden, as most containers forbid what it needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NOBODY = 65534


def run_in_container(folder, at, command, *, user=None, variables=()):
    """Run ``command`` where ``folder`` is the folder ``at`` and the current one.

    The Python of this process and its packages are there, read-only. ``user``: a number, taken
    where we are root and so can become somebody else.
    """
    folder.chmod(0o755)  # pytest's folders are ours alone
    arguments = ["bwrap", "--die-with-parent", "--clearenv", *_system(), *_python()]
    arguments += ["--bind", str(folder), at, "--chdir", at]
    for name, value in {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin", **dict(variables)}.items():
        arguments += ["--setenv", name, value]
    if user is not None and os.getuid() == 0:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    return subprocess.run(
        [*arguments, "--", *command], capture_output=True, text=True, check=False, timeout=600
    )


def handed_in(submission, target):
    """Put a submission where a platform puts it: everybody may read it."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(submission, target)
    target.chmod(0o755)


def owned_by(folder, user):
    """Give an empty folder to a user where we can."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        os.chown(folder, user, user)
    return folder


def _system():
    yield from ("--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp")
    yield from ("--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc")
    for path in map(Path, ("/bin", "/sbin", "/lib", "/lib64")):
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.exists():
            yield from ("--ro-bind", str(path), str(path))
    yield from ("--ro-bind", "/dev/null", str(Path(shutil.which("bwrap")).resolve()))


def _python():
    """Prefixes that are not in ``/usr``, below folders that everybody may enter."""
    for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)):
        if prefix.startswith("/usr"):
            continue
        for parent in reversed(Path(prefix).parents[:-1]):
            if str(parent) != "/tmp":
                yield from ("--perms", "0755", "--dir", str(parent))
        yield from ("--ro-bind", prefix, prefix)
