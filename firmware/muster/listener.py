"""Hears the GNSS receiver, lets it rest, and tells when it is quiet so that the chip may sleep."""

import asyncio

from micropython import const

from muster.track import ON, RESTING

_BYTE_US = const(1042)  # on the wire
_BEGIN_MS = const(50)  # from the start of a second to its first sentence
_SECOND_MS = const(1000)  # between its sentences: the receivers' default
_GUARD_MS = const(40)  # the chip listens so long before a sentence is expected
_PATIENCE_S = const(60)  # without a sentence; that a receiver is silent need not be known sooner
_FOREVER_MS = const(1 << 62)
_SPARE_MS = const(2000)  # by which a rest is longer than wanted, should the receiver not be woken


class Listener:
    """`gnss`: the stream of a receiver at 9600 baud, or None; `standby` lets it rest, or is None; `duty`: when."""

    def __init__(self, gnss, standby, duty, recorder, uptime_ms):
        self._gnss = gnss
        self._standby = standby
        self._duty = duty
        self._recorder = recorder
        self._uptime_ms = uptime_ms
        self._bytes = 0  # of the epoch so far
        self._quiet_until_ms = 0

    def quiet_ms(self) -> int:
        """For how long from now the receiver says nothing, as far as is known."""
        return max(0, self._quiet_until_ms - self._uptime_ms())

    async def run(self):
        if self._gnss is None:
            self._quiet_until_ms = _FOREVER_MS
            return
        reader = asyncio.StreamReader(self._gnss)
        while True:
            if self._standby:
                self._standby.wake()  # also after a boot: the receiver may rest since before it
            self._duty.begin(self._recorder.uptime_s())
            rest_s = 0
            while not rest_s:
                try:
                    rest_s = await asyncio.wait_for(self._hear(reader), _PATIENCE_S)
                except asyncio.TimeoutError:
                    rest_s = self._duty.rest_s(self._recorder.uptime_s(), False, False)
            if self._standby:
                await self._rest(rest_s * 1000)

    async def _hear(self, reader) -> int:
        """Take what the receiver says until it may rest, and return for how many seconds."""
        recorder, track, duty = self._recorder, self._recorder.track, self._duty
        rest_s = 0
        while not rest_s:
            data = await reader.read(1024)
            self._bytes += len(data)
            wire_ms = self._bytes * _BYTE_US // 1000 + 1
            if recorder.hear(data, _BEGIN_MS + wire_ms):
                self._bytes = 0
                now_ms = self._uptime_ms()
                self._quiet_until_ms = now_ms + _SECOND_MS - wire_ms - _GUARD_MS
                now_s = now_ms // 1000
                rest_s = duty.rest_s(now_s, bool(track.last and track.last[0] == now_s), track.settled)
        return rest_s

    async def _rest(self, for_ms):
        self._recorder.receiver = RESTING
        self._standby.rest(for_ms + _SPARE_MS)
        self._quiet_until_ms = self._uptime_ms() + for_ms
        await asyncio.sleep_ms(for_ms)
        self._recorder.tick()
        self._recorder.receiver = ON
        self._bytes = 0
