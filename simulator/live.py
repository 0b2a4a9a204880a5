"""The live view: a page on loopback that shows a day as it is lived, and whose visitor is the wearer.

Nothing but this machine's own browser at this page may command the watch: requests for another host's name, from
another page's origin or in another form than JSON are refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config, Server

from simulator.live_commands import SPEEDS, CommandError, parse
from simulator.live_session import Session
from simulator.receiver.server import listen
from simulator.scenario import find, from_values, read_file, values_of
from simulator.session_file import Recorder

HOST, PORT = "127.0.0.1", 8800
WEB = Path(__file__).resolve().parent / "web"
FOLDER = Path(__file__).resolve().parent.parent / "build" / "live"
FILES = {"/": ("index.html", "text/html"), "/live.css": ("live.css", "text/css"),
         "/live.js": ("live.js", "text/javascript")}
PICTURES = {"/screen.png": ("screen", "image/png"), "/preview.jpg": ("preview", "image/jpeg"),
            "/frame.jpg": ("frame", "image/jpeg")}
BODY_LIMIT = 8192
COUNT_DIGITS = 12
CONNECTIONS = 32
ANSWER_S = 60  # a watch that looks at a frame is busy for some seconds of real time
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
           "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
           "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                      "connect-src 'self'; form-action 'none'; base-uri 'none'; "
                                      "frame-ancestors 'none'"}


def add(commands: Any) -> None:
    """Put `live` into the command line."""
    parser = commands.add_parser("live", help="show a day in the browser as it is lived: you are its wearer")
    parser.add_argument("scenario", nargs="?", default="day", help="a YAML file, or the name of a shipped one")
    parser.add_argument("--port", type=_port, default=PORT, help=f"on loopback, {PORT} unless given; 0: any")
    parser.add_argument("--seed", type=int, help="in the place of the file's")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="like settings.upload_s=600")
    parser.add_argument("--speed", choices=tuple(SPEEDS), default="1", help="to begin with")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the day")
    parser.set_defaults(act=_run)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:6]) < 1 << 16):
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    path = find(options.scenario)
    changes = options.set + ([] if options.seed is None else [f"seed={options.seed}"])
    values, lines = values_of(read_file(path), path, changes)
    scenario = from_values(values, lines, path)
    recording = options.out / "session.jsonl"
    session = Session(scenario, options.out, options.speed, Recorder(recording, scenario, values, path.parent))
    serve(session, options.port, lambda port: print(f"http://{HOST}:{port}/ until Ctrl-C", flush=True))
    print(f"recorded; to live it again: muster-sim replay {recording}")
    return 0


def serve(session: Session, port: int, started: Callable[[int], None]) -> None:
    """Live through the session until SIGINT or SIGTERM; `started` is called with the port.

    Raises ListenError, and what `Session.start` raises.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    listener = listen(HOST, port)
    try:
        session.start()
        started(listener.getsockname()[1])
        server(application(session)).run([listener])
    except KeyboardInterrupt:  # uvicorn passes its signals on when it has ended
        pass
    finally:
        session.close()
        listener.close()


def server(app: ASGIApp) -> Server:
    return Server(Config(app, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
                         limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=1))


def application(session: Session) -> ASGIApp:
    """The page and its requests, for `session`, which has started."""

    async def file(request: Request) -> Response:
        name, kind = FILES[request.url.path]
        return Response((WEB / name).read_bytes(), media_type=kind)

    async def setup(request: Request) -> Response:
        return JSONResponse(session.setup)

    async def state(request: Request) -> Response:
        return JSONResponse(session.state(*(_count(request, name) for name in (
            "events", "records", "track", "console"))))

    async def picture(request: Request) -> Response:
        name, kind = PICTURES[request.url.path]
        _, data = getattr(session.view, name)
        if not data:
            raise HTTPException(404, f"{name}: none yet")
        return Response(data, media_type=kind)

    async def command(request: Request) -> Response:
        try:
            values = json.loads(await _body(request), parse_constant=_no_number)
            wanted = parse(values, tuple(session.setup["buttons"]))
            await asyncio.wait_for(asyncio.wrap_future(session.do(wanted)), ANSWER_S)
        except CommandError as error:
            raise HTTPException(400, str(error)) from None
        except TimeoutError:
            raise HTTPException(503, "the watch does not answer") from None
        except (ValueError, RecursionError):
            raise HTTPException(400, "body: not JSON") from None
        return JSONResponse({})

    routes = [Route(path, file) for path in FILES] + [Route(path, picture) for path in PICTURES]
    routes += [Route("/setup", setup), Route("/state", state), Route("/command", command, methods=["POST"])]
    return _Guard(Starlette(routes=routes, exception_handlers={HTTPException: _refused}))


class _Guard:
    """Lets through what this page sends, and puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = _refusal(Request(scope))
        await (JSONResponse({"error": refusal}, 403) if refusal else self._app)(scope, receive, send_with_headers)


def _refusal(request: Request) -> str | None:
    """Why a request is none of this page's: by its host's name (DNS rebinding), its origin and its form."""
    host = request.headers.get("host", "")
    if host.rpartition(":")[0] not in (HOST, "localhost"):
        return "host: not this machine's loopback"
    if request.method in ("GET", "HEAD"):
        return None
    if request.headers.get("origin", f"http://{host}") != f"http://{host}":
        return "origin: another page's"
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return "content-type: must be application/json"
    return None


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise HTTPException(413, f"body: over {BODY_LIMIT} bytes")
    return body


def _count(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS):
        raise HTTPException(400, f"{name}: must be a whole number of at most {COUNT_DIGITS} digits")
    return int(text)


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")
