"""System call filters carried out as the kernel does it."""

import struct

ALLOWED, SUCCESS, KILLED = 0x7FFF0000, 0x00050000, 0x80000000
EPERM, EAGAIN, ENOSYS = (SUCCESS + code for code in (1, 11, 38))


def decision(program, number, arguments=(0,) * 6, *, arch):
    """What the kernel would answer: the filter's instructions carried out one by one."""
    data = struct.pack("<iIQ6Q", number, arch, 0, *arguments)
    position = accumulator = 0
    while True:
        code, if_true, if_false, constant = struct.unpack_from("<HBBI", program, 8 * position)
        position += 1
        if code == 0x20:  # load
            (accumulator,) = struct.unpack_from("<I", data, constant)
        elif code == 0x54:  # and
            accumulator &= constant
        elif code == 0x06:  # return
            return constant
        elif code == 0x05:  # jump
            position += constant
        else:
            holds = {0x15: accumulator == constant, 0x25: accumulator > constant,
                     0x35: accumulator >= constant, 0x45: accumulator & constant}[code]  # fmt: skip
            position += if_true if holds else if_false
