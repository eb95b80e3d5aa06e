"""Connects to a UNIX socket, by its file or its abstract name (which begins with ``@``)."""

import socket

from harness.sandbox.attacks.report import attempt


def connect(name: str) -> str:
    """Connect and hang up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(f"\0{name[1:]}" if name.startswith("@") else name)
        return f"connected to {name}"


if __name__ == "__main__":
    attempt(connect)
