"""The receiver on PostgreSQL does what it does on SQLite; where no PostgreSQL is installed this is skipped."""

import pytest

from simulator.provision import provision
from simulator.receiver.decode import decode_segment
from simulator.receiver.ingest import Receiver
from simulator.receiver.state import State
from simulator.receiver.store import Store, StoreError, Warrant
from simulator.receiver.verify import verify_store
from tests.receiver.conftest import NOW_S, author_of
from tools import postgres

RECORDS = [[5, 0, 31, "camera", "no frame"], [5, 60, 96, "gnss", "silent"]]


@pytest.mark.skipif(postgres.programs() is None, reason="no PostgreSQL with psycopg here")
def test_segments_are_stored_chained_verified_and_purged(tmp_path):
    with postgres.server() as url:
        made = provision(tmp_path / "p", seed=7, devices=2, database=url)
        assert not (made.state / "receiver.db").exists()
        state, store = State(made.state), Store(url)
        receiver = Receiver(state, store, lambda _: NOW_S * 1000)
        author, other = map(author_of, made.bundles)
        first, second, third = (author.segment(RECORDS) for _ in range(3))
        author.number = 2
        fork = author.segment([])
        batch = [first, other.segment(RECORDS), third, second, first, fork, fork, third]
        assert [answer.status for answer in receiver.accept(batch)] == [200, 200, 409, 200, 200, 400, 400, 200]
        assert store.counts() == {"devices": 2, "segments": 4, "records": 8, "incidents": 1}
        assert all(each.is_signed and each.is_chained and each.is_stored for each in verify_store(state, store))
        assert [row["part"] for stored in store.stored(author.ueid) for row in decode_segment(stored)] == [
            "camera", "gnss"] * 3
        with pytest.raises(StoreError, match="duplicate key"):
            store.register([(author.ueid, bytes(65), "0" * 32)], NOW_S)
        store.forget(other.ueid, Warrant("operator", "asked to", "Art. 17 GDPR"), NOW_S)
        assert store.counts() == {"devices": 1, "segments": 3, "records": 6, "incidents": 1}
        assert [(each["act"], each["ueid"], each["segments"]) for each in store.acts()] == [("erased", other.ueid, 1)]
        assert (store.purge(NOW_S, 0), store.purge(NOW_S + 1, 0)) == (0, 3)
        assert store.counts() == {"devices": 1, "segments": 0, "records": 0, "incidents": 0}
        store.close()
