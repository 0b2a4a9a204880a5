"""What came of each watch of a fleet: a line of JSON each, on the disk before the next watch begins, and their sums.

A fleet that was killed goes on from its ledger: a line that was cut short is taken away, its watch lives again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulator.receiver.decode import OUTCOMES
from simulator.schema import FieldError, check

LINE_LIMIT = 1 << 20
_COUNT = {"type": "integer", "minimum": 0, "maximum": 1 << 53}
_TIMES = {"type": "array", "maxItems": 100_000, "items": {"type": "integer", "minimum": -(1 << 40), "maximum": 1 << 40}}
COUNTS = ("written", "received", "lost", "twice", "missing", "segments", "bytes", "sent_bytes", "boots",
          "firmware_faults", "dropped")
ROW = {"type": "object", "additionalProperties": False,
       "required": ["watch", "outcomes", "answered_after_s", "received_after_s", *COUNTS, "image", "cpu_s", "error"],
       "properties": dict.fromkeys(COUNTS, _COUNT) | {
           "watch": _COUNT, "answered_after_s": _TIMES, "received_after_s": _TIMES,
           "outcomes": {"type": "object", "additionalProperties": False,
                        "properties": dict.fromkeys(OUTCOMES, _COUNT)},
           "image": {"type": "string", "pattern": "[0-9a-f]{64}", "description": "64 hex digits"},
           "cpu_s": {"type": "number", "minimum": 0, "maximum": 1e9},
           "error": {"type": "string", "maxLength": 10_000}}}


class LedgerError(ValueError):
    """The file is not this fleet's ledger; one line with file, line and reason."""


class Ledger:
    """`path` is begun with `fleet`, which says what the fleet is, or must begin with the same. Raises LedgerError."""

    def __init__(self, path: Path, fleet: dict[str, Any]):
        self._path = path
        self.tally = Tally()
        self._lived = bytearray()  # by watch; a byte each is all that grows with their number
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LedgerError(f"{path}: this fleet is under way in another process") from None
        whole = 0
        for number, line in enumerate(self._lines(), 1):
            if not line.endswith(b"\n"):
                if len(line) == LINE_LIMIT:
                    raise LedgerError(f"{path}: line {number}: longer than {LINE_LIMIT} bytes")
                break  # the end of one that was killed
            whole += len(line)
            self._read(number, line, fleet)
        self._file.truncate(whole)
        if not whole:
            self._write({"fleet": fleet})

    def has(self, watch: int) -> bool:
        """Whether it has lived."""
        return watch < len(self._lived) and bool(self._lived[watch])

    def add(self, row: dict[str, Any]) -> None:
        """As ROW says; on the disk when this returns."""
        self._write(row)
        self._count(row)

    def close(self) -> None:
        self._file.close()

    def _lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while line := file.readline(LINE_LIMIT):
                yield line

    def _read(self, number: int, line: bytes, fleet: dict[str, Any]) -> None:
        where = f"{self._path}: line {number}"
        try:
            row = json.loads(line)
            if number == 1:
                if not isinstance(row, dict) or row.get("fleet") != fleet:
                    raise LedgerError(f"{where}: of another fleet ({_difference(row, fleet)}); give another --out, "
                                      "or delete it")
                return
            check(row, ROW, ROW)
        except FieldError as error:
            raise LedgerError(f"{where}: {error}") from None
        except (ValueError, RecursionError) as error:
            if isinstance(error, LedgerError):
                raise
            raise LedgerError(f"{where}: not JSON") from None
        if self.has(row["watch"]):
            raise LedgerError(f"{where}: watch {row['watch']} is there twice")
        self._count(row)

    def _count(self, row: dict[str, Any]) -> None:
        self._lived.extend(bytes(max(0, row["watch"] + 1 - len(self._lived))))
        self._lived[row["watch"]] = 1
        self.tally.add(row)

    def _write(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row).encode() + b"\n")
        os.fsync(self._file.fileno())


def _difference(row: Any, fleet: dict[str, Any]) -> str:
    theirs = row.get("fleet") if isinstance(row, dict) else None
    if not isinstance(theirs, dict):
        return "it does not say which"
    return ", ".join(f"its {name} is {str(theirs.get(name))[:40]}" for name in fleet if theirs.get(name) != fleet[name])


class Tally:
    """Sums over the rows; takes no more room for more of them."""

    def __init__(self) -> None:
        self.watches = 0
        self.counts: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.answered_after_s: Counter[int] = Counter()
        self.received_after_s: Counter[int] = Counter()
        self.cpu_s = 0.0
        self.errors: list[str] = []  # the first few

    def add(self, row: dict[str, Any]) -> None:
        self.watches += 1
        self.counts.update({name: row[name] for name in COUNTS})
        self.outcomes.update(row["outcomes"])
        self.answered_after_s.update(row["answered_after_s"])
        self.received_after_s.update(row["received_after_s"])
        self.cpu_s += row["cpu_s"]
        if row["error"]:
            self.counts["ended"] += 1
            if len(self.errors) < 10:
                self.errors.append(f"watch {row['watch']}: {row['error']}")

    def values(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        return {"watches": self.watches, "prompts": self.outcomes.total(),
                "outcomes": {name: self.outcomes[name] for name in OUTCOMES},
                "answered_after_s": _quantiles(self.answered_after_s),
                "received_after_s": _quantiles(self.received_after_s),
                **{name: self.counts[name] for name in (*COUNTS, "incidents", "ended")},
                "cpu_s": round(self.cpu_s, 1), "errors": self.errors}


def _quantiles(counts: Counter[int]) -> dict[str, int | None]:
    """The least value that the share of all does not exceed."""
    found: dict[str, int | None] = {"p50": None, "p95": None, "max": max(counts, default=None)}
    seen, total = 0, counts.total()
    for value in sorted(counts):
        seen += counts[value]
        for name, share in (("p50", 0.5), ("p95", 0.95)):
            if found[name] is None and seen >= share * total:
                found[name] = value
    return found
