"""Answers, and then answers something else."""

import os
import sys

from harness.sandbox.attacks.report import attempt

if __name__ == "__main__":
    attempt(lambda: "answered")
    os.write(int(sys.argv[2]), b"and another answer")
