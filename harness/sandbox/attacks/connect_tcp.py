"""Connects to a port of the machine it runs on."""

import socket

from harness.sandbox.attacks.report import attempt


def connect(port: str) -> str:
    """Connect and hang up."""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as connection:
        return f"connected to {connection.getpeername()}"


if __name__ == "__main__":
    attempt(connect)
