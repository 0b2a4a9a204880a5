"""`vfs` of an image with ROMFS: its segment is the partition `romfs`, as on the ESP32 port."""

import esp32
from vfs import *  # noqa: F403

_COUNT, _SEGMENT = 1, 2  # MP_VFS_ROM_IOCTL_GET_NUMBER_OF_SEGMENTS, MP_VFS_ROM_IOCTL_GET_SEGMENT


def rom_ioctl(op, *arguments):
    if op == _COUNT:
        return 1
    return esp32.Partition("romfs") if op == _SEGMENT and arguments[0] == 0 else -22


def mount_rom():
    """At /rom, as MicroPython does at start-up, where there is a file system in it."""
    segment = rom_ioctl(_SEGMENT, 0)
    data = bytearray(segment.ioctl(4) * segment.ioctl(5))
    segment.readblocks(0, data)
    try:
        mount(VfsRom(data), "/rom")  # noqa: F405
    except OSError:
        pass
