#!/usr/bin/env bash
# Run once, as root, when the autograder's image is built: installs, makes the data, and grades an
# empty submission, so that what all submissions share is computed here.
# AUTOGRADER_ROOT: where the folders source, submission and results are (default /autograder).
# HARNESS_PYTHON: a Python 3.11, 3.12 or 3.13 that has the dependencies; nothing is then installed.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
source="$root/source"
export DEBIAN_FRONTEND=noninteractive

if [ -z "${HARNESS_PYTHON:-}" ]; then
    apt-get update
    # Models of another architecture run in bubblewrap, or by the kernel's Landlock alone where the
    # container forbids what bubblewrap needs; both need libseccomp.
    apt-get install -y libseccomp2
    apt-get install -y bubblewrap || true
    for version in 3.12 3.13 3.11; do
        apt-get install -y "python$version" "python$version-venv" && break
    done
    "python$version" -m venv "$root/venv"
    "$root/venv/bin/pip" install --no-cache-dir \
        -r "$source/requirements.txt" -c "$source/constraints.txt"
    HARNESS_PYTHON="$root/venv/bin/python"
fi

PYTHONPATH="$source" PYTHONSAFEPATH=1 "$HARNESS_PYTHON" -m harness.output.packages.autograder prepare "$source"
# Which sandbox there is where the image is built, for its log. The machine that grades may differ.
PYTHONPATH="$source" PYTHONSAFEPATH=1 "$HARNESS_PYTHON" -m harness doctor | tail -n 1 || true
# The autograder may run as another user.
chmod -R a+rX "$source"
