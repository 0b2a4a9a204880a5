"""Reads the watch's journal from its flash image, by docs/SPEC.md alone: what was written, whatever became of it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from simulator.devices.flash import table

SECTOR, MAGIC = 4096, b"MJ01"
SECTOR_HEAD, FRAME_HEAD = struct.Struct("<4sII"), struct.Struct("<HBBI")
OPEN, DATA, RECEIPT = 1, 2, 4  # kinds of frames


class Frame(NamedTuple):
    """A whole frame in the journal."""

    kind: int
    mark: bytes
    body: bytes


def read(image: Path) -> list[Frame]:
    """Every whole frame still in the journal's partition, oldest first; erased ones are gone."""
    _, _, offset, size, _, _ = next(row for row in table() if row[4] == "journal")
    with image.open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    sectors = []
    for start in range(0, size, SECTOR):
        magic, sequence, check = SECTOR_HEAD.unpack_from(data, start)
        if magic == MAGIC and check == zlib.crc32(data[start:start + 8]):
            sectors.append((sequence, data[start:start + SECTOR]))
    return [frame for _, sector in sorted(sectors) for frame in _frames(sector)]


def _frames(sector: bytes) -> list[Frame]:
    frames, offset = [], SECTOR_HEAD.size
    while offset + FRAME_HEAD.size <= SECTOR:
        length, kind, mark_length, check = FRAME_HEAD.unpack_from(sector, offset)
        start = offset + FRAME_HEAD.size
        content = sector[start:start + mark_length + length]
        if len(content) < mark_length + length or check != zlib.crc32(sector[offset:offset + 4] + content):
            break
        frames.append(Frame(kind, content[:mark_length], content[mark_length:]))
        offset = start + len(content)
    return frames
