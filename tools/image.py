"""What a board's MicroPython image must have for Muster, and the line that says what is missing and where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.devices.flash import table
from tools.board import IMAGES, Board
from tools.firmware import ARCHITECTURES, mpy_version
from tools.port import BoardError

OLDEST = (1, 25)  # older ones lack what docs/DESIGN.md counts on: VfsRom, tls with DER client certificates
PSRAM_BYTES = 4 << 20  # the arena of the networks, pictures and the services, and room to collect in
JOURNAL = "journal"  # the label of the partition
PROBE = """
import sys, os, json
d = {'machine': sys.implementation._machine, 'version': list(sys.implementation.version[:3]),
     'mpy': getattr(sys.implementation, '_mpy', 0), 'camera': False, 'psram': 0, 'flash': 0, 'labels': [], 'rom': 0}
try:
    import camera
    d['camera'] = hasattr(camera, 'Camera')
except ImportError:
    pass
try:
    import esp, esp32, vfs
    d['psram'] = sum(region[0] for region in esp32.idf_heap_info(1024))
    d['flash'] = esp.flash_size()
    d['labels'] = [p.info()[4] for p in esp32.Partition.find(esp32.Partition.TYPE_DATA)]
    rom = getattr(vfs, 'rom_ioctl', lambda *_: 0)
    if rom(1) > 0:
        segment = rom(2, 0)
        d['rom'] = segment.ioctl(4, 0) * segment.ioctl(5, 0) if hasattr(segment, 'ioctl') else len(segment)
except ImportError:
    pass
s = os.statvfs('/')
d['free'] = s[0] * s[3]
print(json.dumps(d))
"""


@dataclass(frozen=True)
class Image:
    """What the board says of itself; sizes in bytes, rom of its ROMFS, 0 where it has none."""

    machine: str
    version: tuple[int, ...]
    mpy: int
    camera: bool
    psram: int
    flash: int
    labels: tuple[str, ...]
    rom: int
    free: int

    @property
    def architecture(self) -> str:
        """What mpy-cross calls the machine whose native code the image loads."""
        return ARCHITECTURES[self.mpy >> 10]

    def __str__(self) -> str:
        return (f"{self.machine}, MicroPython {'.'.join(map(str, self.version))}, camera module, "
                f"{self.psram >> 20} MB of PSRAM, {self.flash >> 20} MB of flash{', ROMFS' if self.rom else ''}")


def examine(board: Board) -> Image:
    """The board's image, with all that Muster needs. Raises BoardError for the first thing that is missing."""
    board.doing = "its MicroPython was examined"
    values = board.ask(PROBE)
    try:
        image = Image(**values | {"version": tuple(map(int, values["version"])), "labels": tuple(values["labels"])})
        lacks = "; ".join(_lacks(image))
    except (TypeError, KeyError, ValueError):
        raise BoardError(f"{board.port}: what it says of itself is not understood: {str(values)[:120]}") from None
    if lacks:
        raise BoardError(f"{board.port}: {lacks}")
    return image


def _lacks(image: Image) -> Iterator[str]:
    """The first thing that is missing, in the order in which one would put it right."""
    version, sub_version = mpy_version()
    if "ESP32S3" not in image.machine:
        yield f"wrong chip: {image.machine}; the watch is an ESP32-S3"
    elif image.version[:2] < OLDEST:
        yield (f"MicroPython {'.'.join(map(str, image.version))} is too old, {OLDEST[0]}.{OLDEST[1]} is needed: "
               f"write {IMAGES}")
    elif (image.mpy & 0xFF, image.mpy >> 8 & 3) != (version, sub_version) or image.mpy >> 10 not in ARCHITECTURES:
        yield (f"its MicroPython loads .mpy files of version {image.mpy & 0xFF}.{image.mpy >> 8 & 3}, this mpy-cross "
               f"writes {version}.{sub_version}: write {IMAGES}")
    elif not image.camera:
        yield f"no camera module in its MicroPython: write {IMAGES}"
    elif image.psram < PSRAM_BYTES:
        yield (f"{image.psram / (1 << 20):.1f} MB of PSRAM, {PSRAM_BYTES >> 20} MB are needed: "
               "a module with octal PSRAM, and an image for it (SPIRAM_OCT)")
    elif image.flash < _flash_bytes():
        yield f"{image.flash >> 20} MB of flash, 8 MB are needed: a module with more (N8R8, N16R8)"


def _flash_bytes() -> int:
    return max(offset + size for _, _, offset, size, _, _ in table())
