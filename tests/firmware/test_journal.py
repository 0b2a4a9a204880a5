"""muster.journal: frames on NOR flash, byte for byte as docs/SPEC.md has them, and what power cuts leave of them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Vm

SECTOR = 4096
SETUP = f"""
sys.path.append({str(Path(__file__).parents[2] / "tools")!r})
import random
from muster.journal import Journal, JournalFull
from nor_flash import MODES, SECTOR, Flash, PowerCut

def content(journal, position=None):
    start = journal.start if position is None else position
    return [[at, kind, mark.hex(), body.hex()] for at, kind, mark, body in journal.frames(start)]
"""


def sector_head(sequence: int) -> bytes:
    head = b"MJ01" + struct.pack("<I", sequence)
    return head + struct.pack("<I", zlib.crc32(head))


def frame(kind: int, mark: bytes, body: bytes) -> bytes:
    head = struct.pack("<HBB", len(body), kind, len(mark))
    return head + struct.pack("<I", zlib.crc32(head + mark + body)) + mark + body


def ring(*sectors: bytes) -> str:
    return b"".join(sector.ljust(SECTOR, b"\xff") for sector in sectors).hex()


def test_frames_are_the_bytes_of_the_specification(vm: Vm) -> None:
    data, positions, operations = vm(SETUP + """
flash = Flash(4)
journal = Journal(flash)
positions = [journal.append(1, b"open" * 30), journal.append(2, b"", b"mark"), journal.append(254, bytes(4000))]
result = flash.data.hex(), positions, flash.operations
""")
    first = sector_head(0) + frame(1, b"", b"open" * 30) + frame(2, b"mark", b"")
    assert data == ring(first, sector_head(1) + frame(254, b"", bytes(4000)), b"", b"")
    assert positions == [12, 140, SECTOR + 12]
    assert operations == 2 + 2 + 2 + 1  # one a frame, two to begin a sector


def test_a_mount_finds_frames_oldest_first_across_the_end_of_the_ring(vm: Vm) -> None:
    frames = [frame(2, b"m%d" % number, b"body %d" % number) for number in range(8)]
    image = ring(sector_head(12) + frames[6] + frames[7], sector_head(9) + frames[0], sector_head(10) + frames[1] +
                 frames[2] + frames[3], sector_head(11) + frames[4] + frames[5])
    found, free, at = vm(SETUP + """
journal = Journal(Flash(4, bytes.fromhex(data)))
result = content(journal), journal.free_sectors, journal.append(2, b"next")
""", image)
    assert [bytes.fromhex(body).decode() for _, _, _, body in found] == [f"body {number}" for number in range(8)]
    assert [position // SECTOR for position, _, _, _ in found] == [9, 10, 10, 10, 11, 11, 12, 12]
    assert (free, at) == (0, 12 * SECTOR + 12 + len(frames[6] + frames[7]))


def test_a_mount_stops_where_the_run_of_sectors_breaks(vm: Vm) -> None:
    one = frame(2, b"", b"x")
    broken = sector_head(6)[:11] + b"\0"
    other_place = sector_head(8)  # of a ring of another size
    answers = vm(SETUP + """
result = []
for image in data:
    journal = Journal(Flash(4, bytes.fromhex(image)))
    result.append([journal.start // SECTOR, journal.free_sectors, len(content(journal))])
""", [ring(sector_head(4) + one, sector_head(5) + one, broken + one, sector_head(3) + one),
      ring(sector_head(4) + one, sector_head(5) + one, sector_head(2) + one, b"\0" * SECTOR),
      ring(sector_head(4) + one, other_place + one, b"MJ01", sector_head(3) + one),
      ring(sector_head(0) + one, b"", b"", b""), ring(b"", b"", b"", b""), ring(*[b"\0" * SECTOR] * 4)])
    assert answers == [[3, 1, 3], [4, 2, 2], [3, 2, 2], [0, 3, 1], [0, 4, 0], [0, 4, 0]]


def test_a_full_ring_refuses_and_writes_nothing_until_there_is_a_release(vm: Vm) -> None:
    refused, same, free, found, erases = vm(SETUP + """
flash = Flash(4)
journal = Journal(flash)
positions = [journal.append(2, bytes([number]) * 4000) for number in range(4)]
before, refused = bytes(flash.data), 0
for spare in (0, 1):
    try:
        journal.append(2, b"", b"", spare)
    except JournalFull as error:
        refused += 1
    try:
        journal.append(2, bytes(200), b"", spare)
    except JournalFull as error:
        refused += 1
same = bytes(flash.data) == before
journal.release(positions[1])
free = [journal.free_sectors]
journal.release(positions[3])
free.append(journal.free_sectors)
journal.release(positions[2])
free.append(journal.free_sectors)
journal.append(2, b"new" * 400, b"", 1)
result = refused, same, free, [[at, len(body)] for at, _, _, body in content(journal)], journal.erases
""")
    assert refused == 3 and not same  # with nothing to spare, a frame that fits into the last sector is taken
    assert free == [1, 3, 3] and erases == 5
    assert found == [[3 * SECTOR + 12, 8000], [3 * SECTOR + 4020, 0], [4 * SECTOR + 12, 2400]]


def test_spare_sectors_are_left_free(vm: Vm) -> None:
    left = vm(SETUP + """
result = []
for spare in range(5):
    journal = Journal(Flash(4))
    count = 0
    try:
        while True:
            journal.append(2, bytes(1000), b"", spare)
            count += 1
    except JournalFull:
        result.append([count, journal.free_sectors])
""")
    assert left == [[16, 0], [12, 1], [8, 2], [4, 3], [0, 4]]


def test_what_is_too_large_is_refused(vm: Vm) -> None:
    assert vm(SETUP + """
journal = Journal(Flash(4))
journal.append(2, bytes(4000), bytes(64))
result = []
for body, mark in ((4001, 0), (0, 65)):
    try:
        journal.append(2, bytes(body), bytes(mark))
    except ValueError as error:
        result.append(str(error))
""") == ["frame too large"] * 2


def test_a_frame_torn_at_any_byte_costs_no_other(vm: Vm) -> None:
    """The torn one is there whole, or not at all; the next goes to a place that was never programmed."""
    wrong, seen = vm(SETUP + """
flash = Flash(4)
journal = Journal(flash)
journal.append(1, b"one", b"m1")
journal.append(2, b"two")
torn = Flash(4, flash.data)
Journal(torn).append(2, b"torn" * 8, b"mark")
end = [at for at in range(SECTOR) if torn.data[at] != 0xff][-1] + 1
wrong, seen = [], set()
for cut in range(52, end + 1):
    for bits in (0xff, 0xf0, 0x5a, 0):
        again = Flash(4, torn.data)
        again.data[cut] &= 0xff
        again.data[cut:] = flash.data[cut:]
        if cut > 52:
            again.data[cut - 1] |= bits & flash.data[cut - 1]
        journal = Journal(again)
        journal.append(2, b"next")
        found = [body for _, _, _, body in content(Journal(again))]
        seen.add(len(found))
        if found not in ([b.hex() for b in (b"one", b"two", b"next")],
                         [b.hex() for b in (b"one", b"two", b"torn" * 8, b"next")]):
            wrong.append([cut, bits, found])
result = wrong, sorted(seen)
""")
    assert wrong == [] and seen == [3, 4]


def test_a_sector_that_holds_only_torn_frames_is_begun_anew(vm: Vm) -> None:
    sectors, found = vm(SETUP + """
flash = Flash(4)
Journal(flash).append(2, bytes(4000))
sectors = []
for turn in range(25):
    flash.power_on(2 if turn == 0 else None, 1 + turn % 2)
    journal = Journal(flash)
    sectors.append(journal.free_sectors)
    flash.power_on(2, 1 + turn % 2)
    try:
        journal.append(2, b"again" * 30)
    except PowerCut:
        pass
flash.power_on()
Journal(flash).append(2, b"at last")
result = sectors, [[at // SECTOR, len(body)] for at, _, _, body in content(Journal(flash))]
""")
    assert sectors == [3] + [2] * 24
    assert found == [[0, 8000], [1, 14]]


def test_a_sector_without_a_whole_frame_is_erased_again_before_it_is_used(vm: Vm) -> None:
    """Its erasing may have been cut after all else of it, and before its head, was gone."""
    one = frame(2, b"", b"x")
    before, after = vm(SETUP + """
flash = Flash(4, bytes.fromhex(data))
Journal(flash).append(2, b"y")
before = flash.erases
Journal(flash).append(2, b"z")
result = before, flash.erases
""", ring(sector_head(0) + one, sector_head(1), b"", b""))
    assert (before, after) == (1, 1)


def test_a_cut_in_any_operation_keeps_all_that_was_appended(vm: Vm) -> None:
    """Around a ring of four sectors, with releases; a cut in each operation, in every way, and a second one soon."""
    wrong, cuts = vm(SETUP + """
random.seed(1)

def live(flash, kept, steps):
    journal = Journal(flash)
    for number in range(steps):
        try:
            body = len(kept).to_bytes(2, "big") + bytes(300 + len(kept) * 97 % 900)
            kept.append([len(kept), journal.append(2, body)])
        except JournalFull:
            journal.release(kept[-3][1])

wrong, n = [], 0
while True:
    flash, kept = Flash(4), []
    flash.power_on(n, n % MODES)
    try:
        live(flash, kept, 60)
        break
    except PowerCut:
        pass
    for second in (1, 2):
        flash.power_on(second + n % 3, n // MODES % MODES)
        try:
            live(flash, kept, 2)
        except PowerCut:
            pass
    flash.power_on()
    journal = Journal(flash)
    found = [int(body[:4], 16) for _, _, _, body in content(journal)]
    wanted = [number for number, at in kept][-3:]
    if [number for number in wanted if found.count(number) < 1] or found != sorted(found):
        wrong.append([n, wanted, found])
    n += 1
result = wrong, n
""")
    assert wrong == [] and cuts > 70


def test_flash_errors_are_passed_on_and_what_failed_is_not_programmed_over(vm: Vm) -> None:
    errors, found = vm(SETUP + """
flash = Flash(8)
journal = Journal(flash)
journal.append(2, b"first")
errors = 0
for mode in range(MODES):
    for body in (bytes(4000), b"short"):
        flash.is_failing, flash.mode = True, mode
        try:
            journal.append(3, body)
        except OSError:
            errors += 1
        flash.is_failing = False
        journal.append(2, b"after")
        journal.release(journal.append(2, b"and again"))
result = errors, [bytes.fromhex(body).decode() for _, kind, _, body in content(journal)]
""")
    assert errors == 10 and found[-2:] == ["after", "and again"]


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**30), sectors=st.integers(2, 5))
def test_a_mount_bears_any_bytes(vm: Vm, seed: int, sectors: int) -> None:
    """A ring of which bits flipped, bytes are garbage and sectors are swapped: frames come out whole or not at all."""
    strange, mounted = vm(SETUP + """
seed, sectors = data
random.seed(seed)
flash = Flash(sectors)
journal = Journal(flash)
written = {}
for number in range(60):
    body = bytes([number]) * random.randrange(400)
    if not journal.free_sectors:
        journal.release(journal.start + SECTOR)
    journal.append(2, body, b"%d" % number)
    written[b"%d" % number] = body
strange, mounted = [], 0
for _ in range(80):
    other = Flash(sectors, flash.data)
    for _ in range(random.randrange(1, 5)):
        at, length = random.randrange(len(other.data)), random.choice((1, 2, 30, 3000))
        end = min(len(other.data), at + length)
        other.data[at:end] = bytes([random.getrandbits(8) for _ in range(end - at)])
    if random.getrandbits(2) == 0:
        other.data[:SECTOR], other.data[SECTOR:2 * SECTOR] = other.data[SECTOR:2 * SECTOR], other.data[:SECTOR]
    journal = Journal(other)
    mounted += 1
    for _, _, mark, body in journal.frames(journal.start):
        if written.get(mark) != body:
            strange.append([mark.decode(), body.hex()])
    journal.release(journal.start + (sectors - 1 - journal.free_sectors) * SECTOR)
    journal.append(2, b"still works")
result = strange, mounted
""", [seed, sectors])
    assert strange == [] and mounted == 80


@pytest.mark.parametrize("position", [0, 20])
def test_frames_can_be_read_while_others_are_appended(vm: Vm, position: int) -> None:
    found = vm(SETUP + """
journal = Journal(Flash(8))
positions = [journal.append(2, b"%d" % number + bytes(998)) for number in range(10)]
found = []
for at, _, _, body in journal.frames(positions[data // 10]):
    found.append(int(body.rstrip(b"\\0")))
    if len(found) < 8:
        journal.append(2, b"%d" % (50 + len(found)) + bytes(998))
result = found
""", position)
    assert found[:8] == list(range(position // 10, position // 10 + 8))
    assert found == sorted(found)
