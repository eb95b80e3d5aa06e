"""The child that says which settings a defence has: it imports the file, and runs none of it else.

Started as ``settings_reader.py REQUEST_FD REPLY_FD IMAGES_FD CODE FILE``; there are no images. The
first byte it is sent gets ``SIZE``, the second so many bytes of JSON: settings with their defaults.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path

from harness.inference.worker import EXIT_REJECTED

SIZE = struct.Struct("<I")
MOST_BYTES = 64 << 10


def main(arguments: list[str]) -> int:
    """Read the settings of one defence."""
    from harness.inference.defences.failures import OwnCodeError
    from harness.inference.defences.settings import settings_of
    from harness.inference.defences.worker import DefenceError, function_of

    request_fd, reply_fd = map(int, arguments[:2])
    os.read(request_fd, 1)
    try:
        settings = settings_of(function_of(Path(arguments[3]), arguments[4])[0])
    except (DefenceError, OwnCodeError, TypeError, ValueError) as error:
        print(error, file=sys.stderr)
        return EXIT_REJECTED
    content = json.dumps(settings).encode()
    os.write(reply_fd, SIZE.pack(len(content)))
    os.read(request_fd, 1)
    os.write(reply_fd, content)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)
