"""The console's commands on a running watch. None shows a template, a key, a record's content or the next prompt."""

import gc
from hashlib import sha256

from muster.cose import p256
from muster.vision.tflite import ModelError


def commands(app):
    """Name to (help, async function of the words after the name that returns lines of text)."""
    recorder, attendant = app.recorder, app.attendant

    async def status(words):
        gc.collect()
        now_s = recorder.clock.now_s()
        source, uncertainty_ms = recorder.clock.quality()
        return [
            "uptime   %d s, boot %d, %s" % (recorder.uptime_s(), app.segments.boot_count, app.board.reset_cause()),
            "clock    %s, source %d, within %d ms" % (
                "unknown" if now_s is None else "%d %s" % (now_s, attendant.local_time(now_s)), source, uncertainty_ms),
            "battery  %d mV" % app.board.battery_mv(),
            "enrolled %s" % ("no" if attendant.template is None else sha256(attendant.template).digest()[:8].hex()),
            "prompt   %s" % ("open" if attendant.prompts.open else "none open"),
            "waiting  %d segments, %d records written, %d lost" % (
                app.segments.waiting, app.segments.written, recorder.lost),
            "heap     %d free, %d used" % (gc.mem_free(), gc.mem_alloc()),
        ]

    async def log(words):
        return list(recorder.log_lines)

    async def fix(words):
        last = recorder.track.last
        if last is None:
            return ["no fix since boot"]
        return ["%s %s hdop %d.%d, %d s ago%s" % (
            _degrees(last[1]), _degrees(last[2]), last[3] // 10, last[3] % 10, recorder.uptime_s() - last[0],
            ", still" if recorder.track.still else "")]

    async def prompt(words):
        if words != ["now"]:
            return ["usage: prompt now"]
        if attendant.unfit or attendant.prompts.open:
            return [attendant.unfit or "a prompt is open"]

        async def drill():
            result = await attendant.verify()
            recorder.log("drill: outcome %d, reason %d, score %s" % (result.outcome, result.reason, result.score_e4))
            attendant.show_result(result.outcome)

        attendant.ask_press(lambda: attendant.screen.prompt(1), drill)
        return ["a drill is on the screen; nothing of it is recorded"]

    async def enrol(words):
        if attendant.unfit:
            return [attendant.unfit]
        attendant.ask_press(attendant.screen.ask_enrol, attendant.enrol)
        return ["the wearer is asked; a press agrees"]

    async def journal(words):
        closed = app.segments.closed
        return ["%d segments closed%s, %d sectors free" % (
            len(closed), " from %d" % closed[0].number if closed else "", app.segments.free_sectors)]

    async def upload(words):
        return ["sent" if await app.upload() else recorder.log_lines[-1]]

    async def selftest(words):
        return ["%-9s%s" % (name, "ok" if good else "FAILED") for name, good in _selftest(app)]

    return {
        "status": ("time, battery, prompt, records, memory", status),
        "log": ("what happened lately", log),
        "fix": ("the newest position", fix),
        "prompt": ("prompt now: a drill that is not recorded", prompt),
        "enrol": ("ask the wearer to enrol", enrol),
        "journal": ("what waits in flash", journal),
        "upload": ("send now", upload),
        "selftest": ("check the parts that need no wearer", selftest),
    }


def _selftest(app):
    """(part, whether it works); the camera is left out, for it opens at a press only."""
    key, digest = bytes(31) + b"\x01", sha256(b"muster").digest()
    yield "crypto", p256.verify(p256.public_key(key), digest, p256.sign(key, digest))
    yield "flash", app.segments.free_sectors > 0
    yield "networks", _loads(app.networks)
    yield "clock", app.recorder.clock.now_s() is not None
    yield "gnss", app.board.gnss is None or app.recorder.track.last is not None
    yield "board", not app.attendant.unfit
    yield "battery", 3000 < app.board.battery_mv() < 4400


def _loads(networks):
    try:
        networks.load()
    except (ModelError, OSError, MemoryError):
        return False
    finally:
        gc.collect()
    return True


def _degrees(e6):
    return "%s%d.%06d" % ("-" if e6 < 0 else "", abs(e6) // 1000000, abs(e6) % 1000000)
