"""What the wearer sees on a board without a screen: a lamp's rhythms, one for each picture of screen.py.

docs/BOARDS.md shows them to the wearer. The rhythm alone says what is meant; a lamp that has colours adds its own.
"""

import asyncio

_WHITE, _BLUE, _GREEN = (255, 255, 255), (64, 150, 255), (0, 255, 0)
_AMBER, _RED, _DARK = (255, 120, 0), (255, 0, 0), (0, 0, 0)

# outcome, as in checkin.py: one long flash is a match; no outcome blames, and a person looks at each of the others
_OUTCOMES = ((_GREEN, (1500, 200), 1), (_AMBER, (200, 200), 3), (_AMBER, (200, 200), 3), (_BLUE, (200, 200), 5))


class Signs:
    """`lamp` has light(red, green, blue), or is None: then nothing is ever shown. It takes the part of screen.py's
    Screen; `lit`: whether a sign is shown."""

    def __init__(self, lamp):
        self._lamp = lamp
        self._task = None
        self.lit = False

    def idle(self, clock: str, date: str, battery_percent: int, waiting: int, next_upload: str, online: bool):
        """A short flash: all is sent. Two: something waits. Three: and the receiver was not reached."""
        flashes = 1 if not waiting else 2 if online else 3
        self._show(_WHITE, (80, 240), flashes)

    def prompt(self, minutes_left: int):
        """Two flashes, a pause, for as long as a press is awaited."""
        self._show(_BLUE, (150, 150, 150, 1050))

    def ask_enrol(self):
        """Even slow flashes for as long as a press is awaited."""
        self._show(_AMBER, (600, 600))

    def review(self, portraits):
        """The same: a press stores what cannot be shown, a long one does not."""
        self.ask_enrol()

    ask_frame = ask_enrol

    def picture(self):
        """There is none to see."""

    def capture(self, hint: str):
        """Steady while the camera is open; the camera's own light is on too."""
        self.off()
        self.lit = True
        self._light(_GREEN)

    def result(self, outcome: int):
        self._show(*_OUTCOMES[outcome])

    def message(self, title: str, text: str):
        self._show(_WHITE, (600, 200), 2)

    def low_battery(self, percent: int):
        """A short flash each three seconds."""
        self._show(_RED, (80, 2920))

    async def attract(self):
        """The rhythm itself draws the wearer's attention."""

    def off(self):
        if self._task:
            self._task.cancel()
            self._task = None
        self.lit = False
        self._light(_DARK)

    def _show(self, colour, rhythm_ms, times=None):
        """`rhythm_ms`: lit, dark, lit, dark...; `times` None: until another sign or off()."""
        self.off()
        self.lit = True
        self._task = asyncio.create_task(self._play(colour, rhythm_ms, times))

    def _light(self, colour):
        if self._lamp:
            self._lamp.light(*colour)

    async def _play(self, colour, rhythm_ms, times):
        while times != 0:
            for n, ms in enumerate(rhythm_ms):
                self._light(_DARK if n % 2 else colour)
                await asyncio.sleep_ms(ms)
            if times:
                times -= 1
