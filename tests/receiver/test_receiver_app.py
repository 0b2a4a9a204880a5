"""The application without its server: the worker's batches, and what a watch hears when the database fails."""

import asyncio
import time

import pytest

from simulator.receiver import cbor
from simulator.receiver.app import MAX_BATCH, Worker, application
from simulator.receiver.ingest import Answer
from simulator.receiver.store import StoreError


def work(accept, messages):
    """What a Worker over `accept` gives for messages submitted at once: answers and exceptions."""
    async def run():
        worker = Worker(accept)
        task = asyncio.create_task(worker.run())
        outcomes = await asyncio.gather(*map(worker.submit, messages), return_exceptions=True)
        task.cancel()
        return outcomes
    return asyncio.run(asyncio.wait_for(run(), 10))


def test_what_comes_at_once_shares_batches_of_a_bounded_size_in_order():
    batches = []

    def accept(messages):
        batches.append(len(messages))
        return [Answer(200, message) for message in messages]

    messages = [b"%d" % number for number in range(2 * MAX_BATCH + 5)]
    assert [answer.body for answer in work(accept, messages)] == messages
    assert batches == [MAX_BATCH, MAX_BATCH, 5]


def test_a_batch_that_fails_fails_alone():
    def accept(messages):
        if b"0" in messages:
            raise RuntimeError("first")
        return [Answer(200, b"")] * len(messages)

    outcomes = work(accept, [b"%d" % number for number in range(MAX_BATCH + 1)])
    assert all(isinstance(outcome, RuntimeError) for outcome in outcomes[:MAX_BATCH])
    assert outcomes[MAX_BATCH:] == [Answer(200, b"")]


def post(app, body):
    """Status and body of the answer to one request."""
    async def run():
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/segments", "raw_path": b"", "query_string": b"",
                 "headers": [(b"content-type", b"application/cose"), (b"content-length", b"%d" % len(body))]}
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)
        return sent[0]["status"], sent[1]["body"]
    return asyncio.run(asyncio.wait_for(run(), 10))


def test_a_database_that_fails_is_503_without_its_particulars(caplog):
    def accept(messages):
        raise StoreError("postgresql://host/db: disk full")

    status, body = post(application(accept, lambda: 0), b"x")
    assert (status, cbor.loads(body)) == (503, {-70005: "the segment could not be stored"})
    assert "not stored: postgresql://host/db: disk full" in caplog.text


def test_purging_goes_on_in_the_background_and_its_failure_is_logged(caplog):
    def purge():
        raise StoreError("locked")

    def accept(messages):
        deadline = time.monotonic() + 5
        while "not purged: locked" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        return [Answer(200, b"r")]

    assert post(application(accept, purge), b"x") == (200, b"r")
    assert "not purged: locked" in caplog.text


@pytest.mark.parametrize("length", [b"262145", b"99999999999999999999999"])
def test_a_body_over_the_limit_is_not_read(length):
    async def run():
        sent = []

        async def receive():
            raise AssertionError("read")

        async def send(message):
            sent.append(message)

        app = application(lambda messages: [], lambda: 0)
        scope = {"type": "http", "method": "POST", "path": "/v1/segments", "raw_path": b"", "query_string": b"",
                 "headers": [(b"content-type", b"application/cose"), (b"content-length", length)]}
        await app(scope, receive, send)
        return sent[0]["status"]
    assert asyncio.run(run()) == 413
