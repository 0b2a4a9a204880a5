"""The independent check by `cwt` finds what is right, and what was changed in the database afterwards."""

import sqlite3

import pytest

from simulator.receiver import cbor
from simulator.receiver.verify import verify_store
from tests.receiver.conftest import author_of

RECORDS = [[1, 0, 31, "power"], [4, 60, 96, [1, 2, 3]]]


@pytest.fixture
def filled(receiver, author, provisioned):
    """Three segments of two records of the first watch, one of the second."""
    other = author_of(provisioned.bundles[1])
    answers = receiver.accept([author.segment(RECORDS) for _ in range(3)] + [other.segment(RECORDS[:1])])
    assert [answer.status for answer in answers] == [200] * 4


def change(state, statement, *values):
    with sqlite3.connect(state.folder / "receiver.db") as database:
        assert database.execute(statement, values).rowcount > 0


def marks(state, store):
    """(segment, frame, signed, chained, stored) of each record, as 0 and 1."""
    return [(each.number, each.frame, *map(int, each[3:6])) for each in verify_store(state, store)]


def test_every_record_of_an_honest_store_is_signed_chained_and_stored(filled, state, store, author, provisioned):
    found = verify_store(state, store)
    mine = [(author.ueid, number, frame) for number in (1, 2, 3) for frame in (0, 1)]
    assert [each[:3] for each in found] == [*mine, (provisioned.bundles[1].ueid, 1, 0)]
    assert all(each.is_signed and each.is_chained and each.is_stored for each in found)
    assert [each.plaintext for each in found] == [cbor.dumps(record) for record in RECORDS * 3 + RECORDS[:1]]


def test_a_record_changed_in_the_database_shows(filled, state, store):
    change(state, "UPDATE records SET plaintext = ? WHERE device_id = 1 AND number = 2 AND frame = 1",
           cbor.dumps([4, 60, 96, [1, 2, 4]]))
    assert [mark for mark in marks(state, store) if mark[2:] != (1, 1, 1)] == [(2, 1, 1, 1, 0)]


def test_a_segment_changed_in_the_database_shows(filled, state, store):
    [message] = [stored.message for stored in store.stored() if (stored.device.id, stored.number) == (1, 2)]
    changed = message[:-67] + bytes((message[-67] ^ 1,)) + message[-66:]  # the last byte of the last frame
    change(state, "UPDATE segments SET message = ? WHERE device_id = 1 AND number = 2", changed)
    assert [mark for mark in marks(state, store) if mark[2:] != (1, 1, 1)] == [
        (2, 0, 0, 1, 1), (2, 1, 0, 1, 0), (3, 0, 1, 0, 1), (3, 1, 1, 0, 1)]


def test_a_segment_taken_away_shows_in_the_one_after_it(filled, state, store):
    change(state, "DELETE FROM segments WHERE device_id = 1 AND number = 2")
    assert [mark for mark in marks(state, store) if mark[2:] != (1, 1, 1)] == [(3, 0, 1, 0, 1), (3, 1, 1, 0, 1)]


def test_what_was_purged_from_the_front_leaves_the_rest_chained(filled, state, store):
    change(state, "DELETE FROM segments WHERE device_id = 1 AND number = 1")
    assert all(mark[2:] == (1, 1, 1) for mark in marks(state, store))


def test_records_for_another_receiver_are_signed_but_not_readable(receiver, state, store, author):
    foreign = author.wrap(bytes(16))
    receiver.accept([author.segment(RECORDS, key_frame=foreign), author.segment([RECORDS[0]])])
    assert marks(state, store) == [(1, 0, 1, 1, 0), (1, 1, 1, 1, 0), (2, 0, 1, 1, 1)]
