"""muster.segments on flash whose power fails: whole lives with cuts and errors, checked by cwt and cryptography."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Vm
from tools.journal_check import IDENTITY, SCENARIO, losses, opened

LIVES = f"""
sys.path.append({str(Path(__file__).parents[2] / "tools")!r})
import gc
from journal_lives import Flash, Inboxes, Journal, JournalFull, Keys, Life, Segments, VERSION, cut_everywhere, identity
who = identity(*{IDENTITY!r})
"""


def test_a_power_cut_at_every_flash_operation_loses_no_record_and_no_mark(vm: Vm) -> None:
    result = vm(LIVES + """
inboxes, life = cut_everywhere(who, 8, data[0], 2, data[1])
result = inboxes.result(operations=life.flash.operations, erases=life.flash.erases, refused=life.refused)
""", [SCENARIO, vm.bits])
    assert losses(result) == []
    assert len(result["lives"]) > 300
    assert result["erases"] > 16 and result["refused"] > 3  # around the ring more than twice


def test_the_check_of_lives_sees_what_is_lost_and_what_is_doubled(vm: Vm) -> None:
    result = vm(LIVES + """
inboxes, life = Inboxes(), Life(Flash(8), who)
life.boot()
for step in (20, "close", 21, 22, "all"):
    life.step(step)
inboxes.add(life)
result = inboxes.result()
""")
    assert losses(result) == []
    (numbers, kept, trying), = result["lives"]
    assert kept == [1, 2, 3]
    assert losses(result | {"lives": [[numbers[:1], kept, trying]]}) == [(0, [2, 3], [])]
    assert losses(result | {"lives": [[numbers, [1, 2, 3, 4], trying]]}) == [(0, [4], [])]
    assert losses(result | {"lives": [[numbers, [1, 2], trying]]}) == [(0, [], [3])]
    with pytest.raises(AssertionError, match="segment 1 is not next"):
        losses(result | {"lives": [[numbers[1:], kept, trying]]})


def test_a_flash_that_fails_in_any_operation_loses_nothing_that_was_promised(vm: Vm) -> None:
    result = vm(LIVES + """
inboxes = Inboxes()
first = operations = 0
while first <= operations:
    life = Life(Flash(8), who)
    note = life.branch().flash.before
    def fail(start, new):
        note(start, new)
        life.flash.is_failing = first <= life.flash.operations <= first + first % 3
        life.flash.mode = first % 5
    life.flash.before = fail
    booted = False
    for step in ("boot", 20, 901, "close", 1500, 21, "keep", 400, 2600, "send", 900, 901, "boot", 21, 20, "all", 22):
        try:
            life.step(step)
        except OSError:
            pass
    operations = life.flash.operations
    life.flash.before, life.flash.is_failing = note, False
    life.end()
    inboxes.add(life)
    first += 1
result = inboxes.result()
""")
    assert losses(result) == []
    assert len(result["lives"]) > 20


def test_a_segment_carries_what_the_specification_says(vm: Vm) -> None:
    result = vm(LIVES + """
life = Life(Flash(8), who)
life.boot()
segments = life.segments
life.uptime_ms = 70999
segments.append((8, 20000, 1, None, b"x"), 0, 0)
life.uptime_ms = 73998
life.mark = b"mark"
segments.append((7, "text", -5), 1780000000, 66, life.mark)
segments.close()
life.boot()
segments = life.segments
segments.append((0, True), 1790000000, 98)
segments.close()
result = [[b"".join(segments.message(closed)).hex(), closed.number, closed.digest.hex()] for closed in segments.closed]
""")
    ueid = b"\x01" + bytes(range(16))
    first, second = (opened(bytes.fromhex(message)) for message, _, _ in result)
    assert first[0] == {6: 0, 256: ueid, 267: 1, 271: "0.1.0", -70001: 1, -70002: bytes(32)}
    assert second[0] == {6: 1790000000, 256: ueid, 267: 2, 271: "0.1.0", -70001: 2, -70002: first[1]}
    assert first[2] == [[8, 0, 0, 20000, 1, None, b"x"], [7, 2, 66, "text", -5]]
    assert second[2] == [[0, 0, 98, True]]
    assert [(number, digest) for _, number, digest in result] == [(1, first[1].hex()), (2, second[1].hex())]


def test_a_full_journal_takes_no_more_until_there_are_receipts_and_reboots_use_none_of_it_up(vm: Vm) -> None:
    result = vm(LIVES + """
life = Life(Flash(8), who)
life.boot()
while not life.refused:
    life.append(700, True)
filled, mark = life.count - 1, life.mark
operations = []
for _ in range(20):
    life.boot()
    life.append(700, True)
    life.keep()
    operations.append(life.flash.operations)
try:
    life.segments.append((5, 0), 0, 0)
    error = ""
except JournalFull as caught:
    error = str(caught)
waiting = life.segments.waiting
life.send()
life.send()
after = life.segments.free_sectors
life.append(700, True)
life.boot()
life.all()
life.boot()
inboxes = Inboxes()
inboxes.add(life)
result = inboxes.result(filled=filled, mark=[mark.decode(), life.mark.decode()], operations=operations, error=error,
                        waiting=waiting, after=after, kept=life.kept, free=life.segments.free_sectors)
""")
    assert result["error"] == "journal: every sector is still needed"
    assert 30 < result["filled"] == len(result["kept"]) - 1
    assert len(set(result["operations"][1:])) == 1  # a second segment finds room yet; from then on nothing is written
    assert result["mark"] == [f"mark {result['filled']}", f"mark {result['kept'][-1]}"]
    assert result["waiting"] == 4 and result["after"] > 2 and result["free"] >= 5
    assert losses(result) == []


def test_track_records_leave_the_reserve_to_the_others(vm: Vm) -> None:
    result = vm(LIVES + """
life = Life(Flash(24), who)
life.boot()
while not life.refused:
    life.append(700, False, 16)
free = [life.segments.free_sectors]
for _ in range(40):
    life.append(20, False, 16)
tracks, refused, before = len(life.kept), life.refused, life.flash.operations
for _ in range(20):
    life.append(700, False, 16)
idle = life.flash.operations - before
others = 0
life.refused = 0
while not life.refused:
    life.append(700, True)
    others += 1
free.append(life.segments.free_sectors)
life.all()
inboxes = Inboxes()
inboxes.add(life)
result = inboxes.result(free=free, tracks=tracks, others=others, idle=idle)
""")
    assert result["free"] == [17, 1] and result["others"] > 5 * (16 - 1)
    assert result["idle"] == 0  # refused records do not open and close segments
    assert losses(result) == []


def test_the_newest_mark_outlives_receipts_and_the_ring(vm: Vm) -> None:
    result = vm(LIVES + """
life = Life(Flash(6), who)
life.boot()
life.keep()
seen = []
for turn in range(30):
    life.append(2600)
    life.append(1200)
    if turn % 3 == 0:
        life.boot()
    if turn % 7 == 3:
        life.append(30, True)
    life.all()
    life.boot()
    seen.append(life.segments.mark.decode() == life.mark.decode())
inboxes = Inboxes()
inboxes.add(life)
result = inboxes.result(seen=seen, erases=life.flash.erases, mark=life.mark.decode(), kept=life.kept)
""")
    assert result["seen"] == [True] * 30 and result["erases"] > 24
    assert result["mark"].startswith("mark ") and int(result["mark"][5:]) in result["kept"]
    assert losses(result) == []


def test_a_segment_is_closed_at_48_kib(vm: Vm) -> None:
    sizes, numbers = vm(LIVES + """
life = Life(Flash(64), who)
life.boot()
for _ in range(40):
    life.append(3500)
life.segments.close()
closed = life.segments.closed
result = [life.segments.message_length(each) for each in closed], [each.number for each in closed]
""")
    assert numbers == [1, 2, 3]
    assert all(49152 <= size < 57344 for size in sizes[:2])


def test_a_receipt_for_what_does_not_wait_changes_nothing(vm: Vm) -> None:
    waiting, before, after = vm(LIVES + """
life = Life(Flash(8), who)
life.boot()
for step in (20, "close", 20, "close", 20):
    life.step(step)
life.segments.receipted(1)
before = life.flash.operations
for number in (0, 1, 1):
    life.segments.receipted(number)
result = [closed.number for closed in life.segments.closed], before, life.flash.operations
""")
    assert waiting == [2] and before == after


def test_a_month_of_small_segments_fits_into_memory(vm: Vm) -> None:
    waiting, heap, numbers = vm(LIVES + """
life = Life(Flash(32), who)
life.boot()
for _ in range(60):
    life.append(20)
    life.segments.close()
life.segments = None
gc.collect()
before = gc.mem_alloc()
life.boot()
gc.collect()
result = life.segments.waiting, gc.mem_alloc() - before, [closed.number for closed in life.segments.closed]
""")
    assert waiting == 60 and numbers == list(range(1, 61))
    assert heap < 60 * 600


FULL = LIVES + """
from nor_flash import HALF, REST, PowerCut
life = Life(Flash(8), who)
life.boot()

def fill(size):
    life.refused = 0
    while not life.refused:
        life.append(size)

def cut(operation, mode, step):
    life.flash.power_on(operation, mode)
    try:
        life.step(step)
        cut = False
    except PowerCut:
        cut = True
    life.flash.power_on()
    life.boot()
    return cut
"""


def test_what_is_left_of_a_segment_whose_erasing_was_cut_is_not_sent_again(vm: Vm) -> None:
    result = vm(FULL + """
fill(2600)
fill(100)
life.close()
free = life.segments.free_sectors
life.append(1500)
cuts = [cut(0, HALF, "send"), cut(0, REST, "send")]
waiting = [closed.number for closed in life.segments.closed]
life.end()
inboxes = Inboxes()
inboxes.add(life)
result = inboxes.result(free=free, cuts=cuts, waiting=waiting)
""")
    assert result["free"] == 0 and result["cuts"] == [True, True]  # the note of the receipt, then the erasing for it
    assert result["waiting"][0] == 2
    assert losses(result) == []


def test_an_open_segment_can_be_closed_in_a_full_journal_after_any_cuts_of_receipts(vm: Vm) -> None:
    result = vm(FULL + """
for _ in range(5):
    life.append(20)
    life.close()
fill(2600)
fill(100)
try:
    while True:
        life.segments.keep(b"x", 0)
except JournalFull:
    life.mark = b"x"
free, cuts = life.segments.free_sectors, []
for operation in (2, 9, 0, 0):
    cuts.append(cut(operation, HALF, "send"))
life.close()
closed = life.segments.closed[-1].number
life.end()
inboxes = Inboxes()
inboxes.add(life)
result = inboxes.result(free=free, closed=closed)
""")
    assert result["free"] == 1 and result["closed"] > 5
    assert losses(result) == []
