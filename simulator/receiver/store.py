"""The receiver's database, SQLite or PostgreSQL by URL: devices, their segments with records, incidents, and acts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from simulator.receiver.segment import FIRST_PREVIOUS, key_id

_PSEUDONYM = re.compile("[0-9a-f]{32}")  # random: nothing that a person chose or that says who it is
metadata = MetaData()
devices = Table(
    "devices", metadata,
    Column("id", Integer, primary_key=True),
    Column("kid", LargeBinary(8), nullable=False, unique=True),
    Column("ueid", LargeBinary(17), nullable=False, unique=True),
    Column("public", LargeBinary(65), nullable=False),  # uncompressed point
    Column("wearer", String(32), nullable=False),  # a pseudonym: 32 random hex digits, nothing else
    Column("registered_s", BigInteger, nullable=False),
    Column("next_number", BigInteger, nullable=False),  # of the segment expected next
    Column("head", LargeBinary(32), nullable=False),  # digest of the last segment stored
)
segments = Table(
    "segments", metadata,
    Column("device_id", ForeignKey("devices.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("received_s", BigInteger, nullable=False, index=True),
    Column("message", LargeBinary, nullable=False),  # as it came; holds the ciphertext of every record
    Column("flaw", String(200)),  # why its key did not open, if it did not
)
records = Table(
    "records", metadata,
    Column("device_id", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("frame", Integer, primary_key=True, autoincrement=False),
    Column("type", BigInteger),  # null, as `plaintext`, when the frame did not open or is no record
    Column("plaintext", LargeBinary),
    Column("flaw", String(200)),
    ForeignKeyConstraint(["device_id", "number"], ["segments.device_id", "segments.number"], ondelete="CASCADE"),
)
incidents = Table(
    "incidents", metadata,
    Column("device_id", ForeignKey("devices.id"), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),  # of the segment refused
    Column("number", BigInteger, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("seen_s", BigInteger, nullable=False, index=True),
)
acts = Table(  # what was done with a wearer's data, kept when the data is gone
    "acts", metadata,
    Column("id", Integer, primary_key=True),
    Column("at_s", BigInteger, nullable=False, index=True),
    Column("act", String(20), nullable=False),
    Column("ueid", LargeBinary(17), nullable=False),
    Column("wearer", String(32), nullable=False),
    Column("segments", BigInteger, nullable=False),
    *(Column(name, String(200), nullable=False) for name in ("who", "why", "basis")),
)
DISCLOSED, ERASED = "disclosed", "erased"
DAY_S = 86_400
MAX_DAYS = 6 * 365  # that anything is kept


class StoreError(Exception):
    """The database cannot be reached, or is not the receiver's; one line."""


class Device(NamedTuple):
    """A registered watch, and the end of the chain stored for it."""

    id: int
    kid: bytes
    ueid: bytes
    public: bytes
    wearer: str
    next_number: int
    head: bytes


class Warrant(NamedTuple):
    """Who does a thing to a wearer's data or is given it, why, and on what legal basis."""

    who: str
    why: str
    basis: str


class Stored(NamedTuple):
    """A segment that is stored: its device, its bytes, and (frame, plaintext or None, flaw or None) in order."""

    device: Device
    number: int
    received_s: int
    message: bytes
    frames: list[tuple[int, bytes | None, str | None]]


class Store:
    """The database at `url`, its tables made where they are missing. Every method raises StoreError."""

    def __init__(self, url: str):
        try:
            self._engine = create_engine(url)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreError(f"database URL: {error}") from None
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        with self._transaction() as connection:
            metadata.create_all(connection)

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, reads_only: bool = False) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(reads_only=reads_only) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise StoreError(f"{self._engine.url.render_as_string()}: {_first_line(error)}") from None

    @contextmanager
    def ingest(self) -> Iterator[Ingest]:
        """A transaction that adds segments: all of them are stored when it ends, or none."""
        with self._transaction() as connection:
            ingest = Ingest(connection)
            yield ingest
            ingest.flush()

    def register(self, watches: Iterable[tuple[bytes, bytes, str]], now_s: int) -> None:
        """Adds devices that have sent nothing yet, all or none: UEID, public key (a point), wearer reference each."""
        rows = []
        for ueid, public, wearer in watches:
            if not _PSEUDONYM.fullmatch(wearer):
                raise StoreError(f"device {ueid.hex()}: wearer: not a pseudonym of 32 hex digits")
            rows.append(dict(kid=key_id(public), ueid=ueid, public=public, wearer=wearer, registered_s=now_s,
                             next_number=1, head=FIRST_PREVIOUS))
        with self._transaction() as connection:
            connection.execute(insert(devices), rows)

    def forget(self, ueid: bytes, warrant: Warrant, now_s: int) -> int:
        """Deletes a device, where it is known, and all that it sent, and notes that; the number of segments deleted."""
        with self._transaction() as connection:
            device = _device_of(connection, ueid)
            if device is None:
                return 0
            connection.execute(delete(incidents).where(incidents.c.device_id == device.id))
            deleted = connection.execute(delete(segments).where(segments.c.device_id == device.id)).rowcount
            connection.execute(delete(devices).where(devices.c.id == device.id))
            _note(connection, ERASED, device, deleted, warrant, now_s)
            return deleted

    def disclose(self, ueid: bytes, warrant: Warrant, now_s: int) -> Iterator[Stored]:
        """A device's segments, for another body; notes that first."""
        with self._transaction() as connection:
            device = _device_of(connection, ueid)
            if device is None:
                raise StoreError(f"device {ueid.hex()}: not registered")
            count = select(func.count()).where(segments.c.device_id == device.id)
            _note(connection, DISCLOSED, device, connection.execute(count).scalar_one(), warrant, now_s)
        return self.stored(ueid)

    def acts(self, ueid: bytes | None = None) -> list[dict[str, Any]]:
        """Disclosures and erasures of every device's data, or of one's, oldest first."""
        query = select(*(column for column in acts.c if column is not acts.c.id)).order_by(acts.c.id)
        if ueid is not None:
            query = query.where(acts.c.ueid == ueid)
        with self._transaction(reads_only=True) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def purge(self, now_s: int, days: int) -> int:
        """Deletes what was received before the last `days`, acts after MAX_DAYS; the number of segments deleted."""
        before_s = now_s - days * DAY_S
        with self._transaction() as connection:
            connection.execute(delete(acts).where(acts.c.at_s < now_s - MAX_DAYS * DAY_S))
            connection.execute(delete(incidents).where(incidents.c.seen_s < before_s))
            return connection.execute(delete(segments).where(segments.c.received_s < before_s)).rowcount

    def stored(self, ueid: bytes | None = None) -> Iterator[Stored]:
        """Every segment, or those of one device, by device and number."""
        with self._transaction(reads_only=True) as connection:
            wanted = select(*_device_columns()).order_by(devices.c.id)
            if ueid is not None:
                wanted = wanted.where(devices.c.ueid == ueid)
            for device in [Device(*row) for row in connection.execute(wanted)]:
                yield from _segments_of(connection, device)

    def incidents(self) -> list[tuple[bytes, int, str, int]]:
        """Segments that were refused though their device signed them: (ueid, number, reason, seen_s), oldest first."""
        columns = devices.c.ueid, incidents.c.number, incidents.c.reason, incidents.c.seen_s
        query = select(*columns).join_from(incidents, devices).order_by(incidents.c.seen_s, incidents.c.number)
        with self._transaction(reads_only=True) as connection:
            return [tuple(row) for row in connection.execute(query)]

    def counts(self) -> dict[str, int]:
        """The number of rows of each table of devices and of what they sent."""
        with self._transaction(reads_only=True) as connection:
            return {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                    for table in (devices, segments, records, incidents)}


class Ingest:
    """What one transaction has seen and will write."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._devices: dict[bytes, Device] = {}
        self._changed: dict[int, Device] = {}
        self._segments: dict[tuple[int, int], dict[str, Any]] = {}
        self._records: list[dict[str, Any]] = []
        self._incidents: dict[tuple[int, bytes], dict[str, Any]] = {}

    def load_devices(self, kids: Iterable[bytes]) -> None:
        """Reads, and locks where the database can, the devices with these key ids."""
        query = select(*_device_columns()).where(devices.c.kid.in_(sorted(kids))).order_by(devices.c.id)
        for row in self._connection.execute(query.with_for_update()):
            self._devices[row.kid] = Device(*row)

    def device(self, kid: bytes) -> Device | None:
        """The device as it stands after what was added, None for one not registered."""
        return self._devices.get(kid)

    def find(self, device: Device, number: int) -> tuple[bytes, int] | None:
        """Digest and time of receipt (UTC s) of a segment stored or just added; None for one purged."""
        added = self._segments.get((device.id, number))
        if added is not None:
            return added["digest"], added["received_s"]
        row = self._connection.execute(select(segments.c.digest, segments.c.received_s).where(
            segments.c.device_id == device.id, segments.c.number == number)).first()
        return row and (row.digest, row.received_s)

    def add(self, device: Device, digest: bytes, message: bytes, received_s: int, flaw: str | None,
            frames: list[tuple[int | None, bytes | None, str | None]]) -> None:
        """Adds the device's next segment with its frames: (type, plaintext, flaw) each."""
        number = device.next_number
        self._segments[device.id, number] = dict(device_id=device.id, number=number, digest=digest, message=message,
                                                 received_s=received_s, flaw=flaw)
        self._records += [dict(device_id=device.id, number=number, frame=index, type=kind, plaintext=plaintext,
                               flaw=frame_flaw) for index, (kind, plaintext, frame_flaw) in enumerate(frames)]
        changed = device._replace(next_number=number + 1, head=digest)
        self._devices[device.kid] = self._changed[device.id] = changed

    def add_incident(self, device: Device, digest: bytes, number: int, reason: str, now_s: int) -> None:
        """Notes a refused segment that the device signed, once however often it comes."""
        known = select(incidents.c.number).where(incidents.c.device_id == device.id, incidents.c.digest == digest)
        if self._connection.execute(known).first() is None:
            self._incidents[device.id, digest] = dict(device_id=device.id, digest=digest, number=number,
                                                      reason=reason, seen_s=now_s)

    def flush(self) -> None:
        """Writes it all: one statement for each table."""
        for table, rows in ((segments, list(self._segments.values())), (records, self._records),
                            (incidents, list(self._incidents.values()))):
            if rows:
                self._connection.execute(insert(table), rows)
        if self._changed:
            statement = update(devices).where(devices.c.id == bindparam("device")).values(
                next_number=bindparam("next"), head=bindparam("digest"))
            self._connection.execute(statement, [dict(device=device.id, next=device.next_number, digest=device.head)
                                                 for device in self._changed.values()])


def _device_columns() -> list[Column[Any]]:
    return [devices.c[name] for name in Device._fields]


def _device_of(connection: Connection, ueid: bytes) -> Device | None:
    row = connection.execute(select(*_device_columns()).where(devices.c.ueid == ueid)).first()
    return row and Device(*row)


def _note(connection: Connection, act: str, device: Device, count: int, warrant: Warrant, now_s: int) -> None:
    for name, value in warrant._asdict().items():
        if not 0 < len(value.strip()) <= 200:
            raise StoreError(f"{name}: not 1 to 200 characters")
    connection.execute(insert(acts).values(at_s=now_s, act=act, ueid=device.ueid, wearer=device.wearer, segments=count,
                                           **warrant._asdict()))


def _segments_of(connection: Connection, device: Device) -> Iterator[Stored]:
    numbers = select(segments.c.number).where(segments.c.device_id == device.id).order_by(segments.c.number)
    for number in connection.execute(numbers).scalars().all():
        received_s, message = connection.execute(select(segments.c.received_s, segments.c.message).where(
            segments.c.device_id == device.id, segments.c.number == number)).one()
        frames = connection.execute(select(records.c.frame, records.c.plaintext, records.c.flaw).where(
            records.c.device_id == device.id, records.c.number == number).order_by(records.c.frame))
        yield Stored(device, number, received_s, message, [(row[0], row[1], row[2]) for row in frames])


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """A receipt frees the watch's copy, so a commit is on the disk when it returns; what is deleted is overwritten."""
    connection.isolation_level = None  # `_begin_sqlite` begins, not the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """Writers take the lock at once: two that both read first could not both go on to write."""
    reads_only = connection.get_execution_options().get("reads_only")
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
