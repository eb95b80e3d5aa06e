"""The worked solution and the embedded benchmark, built on the harness.

The harness never imports it: what it needs comes as data from a child process.
"""

import harness  # noqa: F401 - first of all it sees to where modules are looked for
