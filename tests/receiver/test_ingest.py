"""What is taken in, what is refused and what is kept: sequence, chain, forks, duplicates, undecryptable records."""

import logging
import os
import sqlite3

import cwt
import pytest

from simulator.receiver import cbor
from simulator.receiver.ingest import Receiver
from simulator.receiver.receipt import Receipt, Signer
from simulator.receiver.segment import key_id, parse
from simulator.receiver.state import State, public_point
from simulator.receiver.store import DAY_S, MAX_DAYS, Store, StoreError, Warrant, metadata
from tests.receiver.conftest import NOW_S, author_of
from tools.author import Author

RECORDS = [[1, 0, 31, "power"], [4, 60, 96, [1, 2, 3]]]
WARRANT = Warrant("case officer 12", "the wearer asked", "Art. 17 GDPR")


def one(receiver, message):
    [answer] = receiver.accept([message])
    return answer.status, cbor.loads(answer.body)


def refused(receiver, message):
    status, body = one(receiver, message)
    assert body.keys() == {-70005}
    return status, body[-70005]


def receipt_of(state, tagged):
    """The claims of a receipt that `cwt` verified with the receiver's key."""
    point = public_point(state.signing_key.public_key())
    key = cwt.COSEKey.new({1: 2, 2: key_id(point), 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
    return cbor.loads(cwt.COSE.new().decode(cbor.dumps(tagged), key))


def test_a_stored_segment_earns_a_receipt_that_cwt_verifies(receiver, store, state, author):
    status, body = one(receiver, author.segment(RECORDS))
    assert status == 200
    assert receipt_of(state, body) == {6: NOW_S, 256: author.ueid, -70001: 1, -70003: author.previous, -70004: 0}
    [stored] = store.stored()
    assert (stored.number, stored.received_s, stored.device.next_number, stored.device.head) == (
        1, NOW_S, 2, author.previous)
    assert stored.frames == [(index, cbor.dumps(record), None) for index, record in enumerate(RECORDS)]


def test_a_duplicate_is_stored_once_and_gets_the_first_time_and_digest_again(receiver, store, state, author):
    first, second = author.segment(RECORDS), author.segment([])
    one(receiver, first)
    one(receiver, second)
    later = Receiver(state, store, lambda _: (NOW_S + 500) * 1000)
    expected = {6: NOW_S, 256: author.ueid, -70001: 1, -70003: parse(first).digest, -70004: 1}
    status, body = one(later, first)
    assert (status, receipt_of(state, body)) == (200, expected)
    assert later.accept([first]) == later.accept([first])
    assert store.counts() == {"devices": 2, "segments": 2, "records": 2, "incidents": 0}


def test_a_duplicate_with_another_valid_signature_is_the_same_segment(receiver, store, author):
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    message = author.segment(RECORDS)
    one(receiver, message)
    mirrored = message[:-32] + (order - int.from_bytes(message[-32:], "big")).to_bytes(32, "big")
    assert one(receiver, mirrored)[0] == 200
    assert store.counts()["segments"] == 1


def test_a_gap_is_answered_with_the_number_expected_and_stores_nothing(receiver, store, author):
    messages = [author.segment(RECORDS) for _ in range(3)]
    assert one(receiver, messages[1]) == (409, {-70001: 1})
    assert one(receiver, messages[0])[0] == 200
    assert one(receiver, messages[2]) == (409, {-70001: 2})
    assert [one(receiver, message)[0] for message in messages] == [200, 200, 200]
    assert [stored.number for stored in store.stored()] == [1, 2, 3]


def test_a_fork_is_refused_logged_once_and_leaves_what_is_stored(receiver, store, author, caplog):
    kept = author.segment(RECORDS)
    one(receiver, kept)
    author.number, author.previous = 1, bytes(32)
    fork = author.segment([[1, 0, 31, "another story"]])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert refused(receiver, fork) == (400, "segment 1: another one has this number (a fork)")
    assert f"device {author.kid.hex()}: segment 1 refused: segment 1: another one" in caplog.text
    assert store.incidents() == [(author.ueid, 1, "segment 1: another one has this number (a fork)", NOW_S)]
    assert [stored.message for stored in store.stored()] == [kept]


def test_a_segment_that_does_not_follow_the_last_is_refused_and_noted(receiver, store, author):
    one(receiver, author.segment(RECORDS))
    author.previous = bytes(32)
    wrong = author.segment(RECORDS)
    assert refused(receiver, wrong) == (400, "segment 2: does not follow the one before it")
    assert [row[1:3] for row in store.incidents()] == [(2, "segment 2: does not follow the one before it")]
    assert store.counts()["segments"] == 1


def test_only_a_registered_device_with_its_own_ueid_and_key_is_heard(receiver, provisioned, author):
    stranger = Author(b"\x01" + os.urandom(16), os.urandom(32), author.recipient)
    thief = Author(author.ueid, os.urandom(32), author.recipient)
    twin = author_of(provisioned.bundles[1])
    twin.ueid = author.ueid
    forger = author_of(provisioned.bundles[1])
    forger.kid = author.kid
    forger.ueid = author.ueid
    for each in (stranger, thief, twin):
        assert refused(receiver, each.segment(RECORDS)) == (403, "device: not registered with this key")
    assert refused(receiver, forger.segment(RECORDS)) == (400, "signature: not by the device's key")


def test_what_does_not_parse_is_refused_with_its_reason(receiver, store):
    assert refused(receiver, b"") == (400, "segment: cut short")
    assert refused(receiver, b"\x00") == (400, "segment: not a COSE_Sign1 of four parts")
    assert store.counts()["incidents"] == 0


def test_a_record_that_does_not_decrypt_is_flagged_and_its_ciphertext_kept(receiver, store, author):
    foreign = author.wrap(bytes(16))  # a key that the frames were not made with
    message = author.segment(RECORDS, key_frame=foreign)
    assert one(receiver, message)[0] == 200
    [stored] = store.stored()
    assert stored.frames == [(0, None, "frame: does not decrypt"), (1, None, "frame: does not decrypt")]
    assert stored.message == message


def test_a_segment_for_another_receiver_is_kept_whole_and_flagged(receiver, store, author, caplog):
    author.recipient = public_point(author.private.public_key())
    message = author.segment(RECORDS)
    with caplog.at_level(logging.WARNING):
        assert one(receiver, message)[0] == 200
    assert "segment 1: key frame: for another receiver's key" in caplog.text
    [stored] = store.stored()
    assert (stored.message, stored.frames) == (message, [(0, None, "no key"), (1, None, "no key")])


def test_a_plaintext_that_is_no_record_is_kept_and_flagged_beside_good_ones(receiver, store, author):
    assert one(receiver, author.segment([RECORDS[0], b"\xff", RECORDS[1]]))[0] == 200
    [stored] = store.stored()
    assert [frame[1] for frame in stored.frames] == [cbor.dumps(RECORDS[0]), b"\xff", cbor.dumps(RECORDS[1])]
    assert [bool(frame[2]) for frame in stored.frames] == [False, True, False]
    assert stored.frames[1][2].startswith("record: ")


def test_a_batch_is_judged_in_order_each_by_what_came_before(receiver, store, provisioned, author):
    other = author_of(provisioned.bundles[1])
    mine = [author.segment(RECORDS) for _ in range(3)]
    author.number = 3
    fork = author.segment([])
    batch = [mine[0], other.segment([]), mine[0], mine[2], mine[1], mine[2], b"x", fork, fork]
    assert [answer.status for answer in receiver.accept(batch)] == [200, 200, 200, 409, 200, 200, 400, 400, 400]
    assert store.counts() == {"devices": 2, "segments": 4, "records": 6, "incidents": 1}


def test_nothing_of_a_batch_is_stored_when_the_database_fails(receiver, store, state, author):
    message = author.segment(RECORDS)
    with sqlite3.connect(state.folder / "receiver.db") as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON records BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(StoreError, match="receiver.db: disk full"):
        receiver.accept([message])
    assert store.counts()["segments"] == 0
    with sqlite3.connect(state.folder / "receiver.db") as database:
        database.execute("DROP TRIGGER full")
    assert one(receiver, message)[0] == 200


def test_receipts_are_the_same_bytes_each_time(state):
    receipt = Receipt(NOW_S, b"\x01" + bytes(16), 5, bytes(32), 0)
    assert Signer(state.signing_key).sign(receipt) == Signer(State(state.folder).signing_key).sign(receipt)


def test_a_device_that_is_forgotten_leaves_nothing_and_may_come_again(receiver, store, author, provisioned):
    first, second = author.segment(RECORDS), author.segment(RECORDS)
    author.number -= 1
    for message in (first, second, author.segment([])):
        one(receiver, message)
    point = next(store.stored()).device.public
    for _ in range(2):
        store.forget(author.ueid, WARRANT, NOW_S + 5)
        assert store.counts() == {"devices": 1, "segments": 0, "records": 0, "incidents": 0}
    assert one(receiver, first)[0] == 403
    store.register([(author.ueid, point, provisioned.bundle.wearer)], NOW_S)
    assert [one(receiver, message)[0] for message in (first, second)] == [200, 200]


def test_who_erased_what_and_why_outlives_it_for_six_years(receiver, store, author, provisioned):
    one(receiver, author.segment(RECORDS))
    assert store.forget(author.ueid, WARRANT, NOW_S + 5) == 1
    act = {"at_s": NOW_S + 5, "act": "erased", "ueid": author.ueid, "wearer": provisioned.bundle.wearer, "segments": 1,
           "who": "case officer 12", "why": "the wearer asked", "basis": "Art. 17 GDPR"}
    assert store.acts() == store.acts(author.ueid) == [act]
    assert store.acts(provisioned.bundles[1].ueid) == []
    for now_s, left in ((NOW_S + 5 + MAX_DAYS * DAY_S, [act]), (NOW_S + 6 + MAX_DAYS * DAY_S, [])):
        store.purge(now_s, 90)
        assert store.acts() == left


def test_a_device_that_is_not_known_is_not_erased_and_not_disclosed(store):
    assert store.forget(bytes(17), WARRANT, NOW_S) == 0
    with pytest.raises(StoreError, match="device 0+: not registered"):
        store.disclose(bytes(17), WARRANT, NOW_S)
    assert store.acts() == []


@pytest.mark.parametrize("name", Warrant._fields)
def test_nothing_is_erased_or_disclosed_without_who_why_and_basis(receiver, store, author, name):
    one(receiver, author.segment(RECORDS))
    for said in (" ", "x" * 201):
        for act in (store.forget, store.disclose):
            with pytest.raises(StoreError, match=f"^{name}: not 1 to 200 characters$"):
                act(author.ueid, WARRANT._replace(**{name: said}), NOW_S)
    assert store.counts()["segments"] == 1
    assert store.acts() == []


def test_purge_deletes_what_is_older_and_the_chain_goes_on(receiver, store, state, author):
    old, new = author.segment(RECORDS), author.segment(RECORDS)
    author.number -= 1
    fork = author.segment([])
    one(receiver, old)
    later = Receiver(state, store, lambda _: (NOW_S + 100) * 1000)
    one(later, new)
    one(later, fork)
    assert store.purge(NOW_S, 0) == 0
    assert store.purge(NOW_S + 1, 0) == 1
    assert store.counts() == {"devices": 2, "segments": 1, "records": 2, "incidents": 1}
    assert one(later, old) == (409, {-70001: 3})
    assert store.purge(NOW_S + 101, 0) == 1
    assert store.counts() == {"devices": 2, "segments": 0, "records": 0, "incidents": 0}
    author.number, author.previous = 3, parse(new).digest
    assert one(later, author.segment(RECORDS))[0] == 200


def test_what_is_purged_is_no_longer_in_the_database_files(receiver, store, state, author):
    secret = b"a word that must not stay on the disk"
    one(receiver, author.segment([[9, 0, 0, secret]]))
    store.purge(NOW_S + 1, 0)
    store.close()
    assert all(secret not in path.read_bytes() for path in state.folder.glob("receiver.db*"))


def test_two_stores_of_one_database_take_turns(receiver, store, state, author):
    other = Store(state.database)
    messages = [author.segment(RECORDS) for _ in range(2)]
    assert one(receiver, messages[0])[0] == 200
    assert one(Receiver(state, other, lambda _: NOW_S * 1000), messages[1])[0] == 200
    assert one(receiver, messages[1])[0] == 200
    assert store.counts()["segments"] == 2
    other.close()


@pytest.mark.parametrize(("url", "reason"), [
    ("nonsense", "database URL: "), ("sqlite:////no/such/folder/x.db", "unable to open database file"),
    ("oracle+none://x", "database URL: "), ("postgresql+nothing://x", "database URL: "),
])
def test_a_wrong_database_url_is_one_line(url, reason):
    with pytest.raises(StoreError, match=reason) as error:
        Store(url)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path):
    (tmp_path / "receiver.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="receiver.db: file is not a database"):
        Store(f"sqlite:///{tmp_path}/receiver.db")


def test_a_device_is_registered_once(store, author):
    point = public_point(author.private.public_key())
    new, newer = b"\x01" + bytes(16), b"\x01" + bytes(15) + b"\x01"
    for row, reason in (((newer, point), "devices.kid"), ((author.ueid, bytes(65)), "devices.ueid")):
        with pytest.raises(StoreError, match=f"UNIQUE constraint failed: {reason}"):
            store.register([(new, bytes(64), "0" * 32), (*row, "1" * 32)], NOW_S)
    assert store.counts()["devices"] == 2


@pytest.mark.parametrize("wearer", ["Jane Doe", "1990-01-01", "", "0" * 31, "0" * 33, "A" * 32, "0" * 31 + "\n"])
def test_a_wearer_is_known_by_a_random_pseudonym_only(store, wearer):
    with pytest.raises(StoreError, match="wearer: not a pseudonym of 32 hex digits"):
        store.register([(b"\x01" + bytes(16), bytes(65), wearer)], NOW_S)


def test_the_database_has_no_field_for_who_the_wearer_is():
    assert {table.name: set(table.c.keys()) for table in metadata.sorted_tables} == {
        "devices": {"id", "kid", "ueid", "public", "wearer", "registered_s", "next_number", "head"},
        "segments": {"device_id", "number", "digest", "received_s", "message", "flaw"},
        "records": {"device_id", "number", "frame", "type", "plaintext", "flaw"},
        "incidents": {"device_id", "digest", "number", "reason", "seen_s"},
        "acts": {"id", "at_s", "act", "ueid", "wearer", "segments", "who", "why", "basis"}}  # who acts
