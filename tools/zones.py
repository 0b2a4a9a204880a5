"""The IANA zones, from the pinned `tzdata` package, and the POSIX TZ text of each: a watch is set up with that text."""

from __future__ import annotations

import io
import struct
from importlib import resources
from zoneinfo import ZoneInfo

_DATA = resources.files("tzdata")


def names() -> list[str]:
    """All names of the release, aliases too."""
    return (_DATA / "zones").read_text(encoding="ascii").split()


def zone(name: str) -> ZoneInfo:
    """The zone with its whole table."""
    return ZoneInfo.from_file(io.BytesIO(_tzif(name)), key=name)


def posix(name: str) -> str:
    """The rule of a zone's future: the footer of its TZif file (RFC 8536 section 3.3)."""
    return _tzif(name).rsplit(b"\n", 2)[1].decode("ascii")


def zone_of(text: str) -> ZoneInfo:
    """A zone that is nothing but a POSIX rule: a TZif file of a footer alone, and one type that never comes to use."""
    header = struct.pack(">4sc15x6I", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    block = header + struct.pack(">iBB4s", 0, 0, 0, b"UTC\0")
    return ZoneInfo.from_file(io.BytesIO(block + block + f"\n{text}\n".encode()), key=text)


def _tzif(name: str) -> bytes:
    return (_DATA / "zoneinfo").joinpath(*name.split("/")).read_bytes()
