"""The ASGI application: POST /v1/segments, size and time limited, and the one worker that stores what came."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.receiver.ingest import Answer, refusal
from simulator.receiver.segment import MAX_BYTES
from simulator.receiver.store import StoreError

SEGMENT_TYPE, ERROR_TYPE = "application/cose", "application/cbor"
MAX_BATCH = 64  # segments a transaction
PURGE_EVERY_S = 3600
logger = logging.getLogger(__name__)


class Worker:
    """Hands segments to `accept` from one thread at a time; what came while it was busy shares a transaction."""

    def __init__(self, accept: Callable[[list[bytes]], list[Answer]]):
        self._accept = accept
        self._waiting: asyncio.Queue[tuple[bytes, asyncio.Future[Answer]]] = asyncio.Queue()

    async def submit(self, message: bytes) -> Answer:
        """The answer to one segment. Raises what `accept` raises."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((message, answer))
        return await answer

    async def run(self) -> None:
        """Works until it is cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < MAX_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            outcomes: Sequence[Answer | Exception]
            try:
                outcomes = await asyncio.to_thread(self._accept, [message for message, _ in batch])
            except Exception as error:  # each request of the batch raises it: the worker goes on
                outcomes = [error] * len(batch)
            for (_, answer), outcome in zip(batch, outcomes, strict=True):
                if answer.done():
                    continue
                if isinstance(outcome, Exception):
                    answer.set_exception(outcome)
                else:
                    answer.set_result(outcome)


def application(accept: Callable[[list[bytes]], list[Answer]], purge: Callable[[], int]) -> Starlette:
    """The application over `accept`, which answers a batch, and `purge`, which deletes what is too old."""
    worker = Worker(accept)

    async def segments(request: Request) -> Response:
        try:
            answer = await worker.submit(await _body(request))
        except StoreError as error:
            logger.error("not stored: %s", error)
            answer = refusal(503, "the segment could not be stored")
        except ClientDisconnect:
            answer = refusal(400, "the request was cut short")
        return _response(answer)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(worker.run()), asyncio.create_task(_purge_for_ever(purge))]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    return Starlette(routes=[Route("/v1/segments", segments, methods=["POST"])], lifespan=lifespan,
                     exception_handlers={HTTPException: _refused})


async def _body(request: Request) -> bytes:
    """The body of a request that says its length. Raises HTTPException."""
    if request.headers.get("content-type") != SEGMENT_TYPE:
        raise HTTPException(415, f"content type: not {SEGMENT_TYPE}")
    length = request.headers.get("content-length")
    if length is None:
        raise HTTPException(411, "content length: missing")
    if int(length) > MAX_BYTES:  # the server has checked that it is a number, and that the body keeps to it
        raise HTTPException(413, f"segment: {length} bytes, at most {MAX_BYTES}")
    return await request.body()


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _response(refusal(error.status_code, error.detail))


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type=SEGMENT_TYPE if answer.status == 200 else ERROR_TYPE)


async def _purge_for_ever(purge: Callable[[], int]) -> None:
    while True:
        try:
            deleted = await asyncio.to_thread(purge)
            if deleted:
                logger.info("%d segments were past their retention and are deleted", deleted)
        except StoreError as error:
            logger.error("not purged: %s", error)
        await asyncio.sleep(PURGE_EVERY_S)
