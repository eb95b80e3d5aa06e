"""Ignores every signal that can be ignored, and sleeps."""

import contextlib
import signal
import time


def never_end() -> None:
    """Sleep for ever, deaf to all signals but two."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):  # the C library keeps some for itself
            signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    never_end()
