"""The console's commands on a running watch. None shows a template, a key, a record's content or the next prompt."""

import gc
from hashlib import sha256

from muster import exports
from muster.clock import RTC
from muster.cose import p256
from muster.levels import LEVELS
from muster.vision.tflite import ModelError

_TYPED_UNCERTAINTY_MS = 60000  # of a time that a person set


def commands(app):
    """Name to (help, async function of the words after the name that gives lines of text)."""
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
        if not words:
            return list(recorder.log_lines)
        if len(words) > 1 or words[0] not in LEVELS + ("quiet",):
            return ["usage: log [%s|quiet]" % "|".join(LEVELS)]
        recorder.log_level = LEVELS.index("info" if words[0] == "quiet" else words[0])
        recorder.on_log = None if words[0] == "quiet" else app.console.note
        return []

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

    async def frame(words):
        if attendant.unfit or attendant.prompts.open:
            return [attendant.unfit or "a prompt is open"]
        pixels = await attendant.frame()
        if pixels is None:
            return ["the wearer has not agreed, or the camera fails: nothing was sent"]
        return exports.framed("frame", "%d rgb565" % app.board.lens.width, exports.pieces(pixels))

    async def screen(words):
        pixels = attendant.screen.picture()
        if pixels is None:
            return ["the screen is dark, or shows its wearer"]
        return exports.framed("screen", "%d runs" % attendant.screen.width,
                              exports.runs(pixels, 2 * attendant.screen.width))

    async def time(words):
        if len(words) == 2 and words[0] == "set" and words[1].isdigit() and len(words[1]) < 11:
            unix_s = int(words[1])
            recorder.set_clock(unix_s * 1000, RTC, _TYPED_UNCERTAINTY_MS)
            if recorder.clock.quality() == (RTC, _TYPED_UNCERTAINTY_MS):
                app.board.keep_rtc(unix_s)
                return ["set"]
            return ["kept: it is no time, or a better source has given one"]
        return ["usage: time set UNIX_SECONDS"]

    async def journal(words):
        closed = app.segments.closed
        if words == ["dump"]:
            return _dump(app.segments)
        return ["%d segments closed%s, %d sectors free" % (
            len(closed), " from %d" % closed[0].number if closed else "", app.segments.free_sectors)]

    async def upload(words):
        return ["sent" if await app.upload() else recorder.log_lines[-1]]

    async def selftest(words):
        return ["%-9s%s" % part for part in _selftest(app)]

    return {
        "status": ("time, battery, prompt, records, memory", status),
        "log": ("what happened lately; log LEVEL: as it happens", log),
        "fix": ("the newest position", fix),
        "prompt": ("prompt now: a drill that is not recorded", prompt),
        "enrol": ("ask the wearer to enrol", enrol),
        "frame": ("a picture from the camera, when the wearer agrees", frame),
        "screen": ("what is on the screen", screen),
        "time": ("time set UNIX_SECONDS: until a better source speaks", time),
        "journal": ("what waits in flash; journal dump: its segments, encrypted as they are", journal),
        "upload": ("send now", upload),
        "selftest": ("check the parts that need no wearer", selftest),
    }


def _dump(segments):
    """Each closed segment as it would be uploaded; one that has its receipt meanwhile is left out."""
    for closed in list(segments.closed):
        if closed in segments.closed:
            message = b"".join(segments.message(closed))
            for line in exports.framed("segment", str(closed.number), exports.pieces(message)):
                yield line


def _selftest(app):
    """(part, verdict); the camera is left out, for it opens at a press only. A clock waits for the sky or a network."""
    key, digest = bytes(31) + b"\x01", sha256(b"muster").digest()
    yield "crypto", _verdict(p256.verify(p256.public_key(key), digest, p256.sign(key, digest)))
    yield "flash", _verdict(app.segments.free_sectors > 0)
    yield "networks", _verdict(_loads(app.networks))
    yield "clock", "not yet" if app.recorder.clock.now_s() is None else "ok"
    yield "gnss", _verdict(app.board.gnss is None or app.recorder.hears_gnss)
    yield "board", _verdict(not app.attendant.unfit)
    yield "battery", _verdict(3000 < app.board.battery_mv() < 4400)


def _verdict(works):
    return "ok" if works else "FAILED"


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
