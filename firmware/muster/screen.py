"""What the wearer sees: pictures of 240x240 for idle, prompt, capture, result, offline, low battery."""

import framebuf
from micropython import const

_W = const(240)
_GLYPH = const(8)
_PORTRAIT = const(64)


def _colour(red, green, blue):
    """RGB565 with the high byte first, as the panel takes it, from 0..255 each."""
    value = (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3
    return (value & 255) << 8 | value >> 8


_BLACK, _WHITE, _GREY = _colour(8, 10, 16), _colour(240, 240, 240), _colour(120, 126, 138)
_BLUE, _GREEN, _AMBER, _RED = _colour(64, 150, 255), _colour(70, 200, 110), _colour(255, 176, 32), _colour(240, 84, 84)

# outcome to (words, colour): no outcome blames; a person looks at each that is not a match
_RESULTS = (
    (("Thank you", "All done"), _GREEN),
    (("Not matched", "A person will", "look at it"), _AMBER),
    (("Not answered", "A person will", "look at it"), _AMBER),
    (("Not possible", "The watch could", "not do it"), _BLUE),
)


class Screen:
    """Draws on `display` (show(pixels), blink(times), off()); holds one picture of 115,200 bytes while it is lit."""

    width = _W

    def __init__(self, display):
        self._display = display
        self.lit = False
        self._pixels = self._frame = None
        self._shows_wearer = False
        self._glyphs = bytearray(_GLYPH)
        self._glyph = framebuf.FrameBuffer(self._glyphs, _GLYPH, _GLYPH, framebuf.MONO_HLSB)

    def idle(self, clock: str, date: str, battery_percent: int, waiting: int, next_upload: str, online: bool):
        """The time, what waits to be sent and when it is due; never when the next prompt is."""
        self._blank()
        self._text(clock, 70, 6, _WHITE)
        self._text(date, 128, 2, _GREY)
        self._text("%d to send" % waiting if waiting else "All sent", 166, 2, _WHITE if waiting else _GREEN)
        words = "Next upload " + next_upload if online else "Offline: kept safe"
        self._text(words, 190, 1, _GREY if online else _AMBER)
        self._battery(battery_percent)
        self._show()

    def prompt(self, minutes_left: int):
        """The prompt, with the time left to answer it."""
        self._blank()
        self._ring(_BLUE)
        self._text("Check-in", 84, 3, _WHITE)
        self._text("Press and look", 122, 2, _WHITE)
        self._text("%d min left" % minutes_left, 148, 2, _GREY)
        self._show()

    def capture(self, hint: str):
        """The camera is open: the light is on, and what to do."""
        self._blank()
        self._ring(_GREEN)
        self._text("Camera on", 40, 2, _AMBER)
        self._text(hint, 112, 2 if len(hint) > 9 else 3, _WHITE)
        self._show()

    def result(self, outcome: int):
        words, colour = _RESULTS[outcome]
        self._blank()
        self._frame.ellipse(120, 64, 34, 34, colour, True)
        for n, line in enumerate(words):
            self._text(line, 118 + 30 * n, 2, _WHITE if n else colour)
        self._show()

    def ask_enrol(self):
        self._ask("Enrol your face?")

    def review(self, portraits):
        """What a template was made of: up to three pictures of 64x64 RGB565. A press stores it, a long one does not."""
        self._blank()
        self._ring(_AMBER)
        self._text("Store as numbers?", 48, 1, _GREY)
        for n, portrait in enumerate(portraits[:3]):
            picture = framebuf.FrameBuffer(portrait, _PORTRAIT, _PORTRAIT, framebuf.RGB565)
            self._frame.blit(picture, 20 + n * (_PORTRAIT + 4), 72)
        self._shows_wearer = True
        self._text("Press: yes", 146, 2, _WHITE)
        self._text("Long: no", 170, 2, _WHITE)
        self._text("No picture is kept", 196, 1, _GREY)
        self._show()

    def message(self, title: str, text: str):
        self._blank()
        self._text(title, 90, 3, _WHITE)
        self._text(text, 130, 2, _GREY)
        self._show()

    def low_battery(self, percent: int):
        self._blank()
        self._frame.rect(70, 80, 92, 50, _RED)
        self._frame.fill_rect(162, 94, 8, 22, _RED)
        self._frame.fill_rect(74, 84, max(2, 84 * percent // 100), 42, _RED)
        self._text("Please charge", 160, 2, _WHITE)
        self._text("%d %%" % percent, 190, 2, _GREY)
        self._show()

    async def attract(self):
        """Draw the wearer's attention to the picture."""
        await self._display.blink(3)

    def ask_frame(self):
        """Somebody at the console asks for a picture."""
        self._ask("Send a picture?")

    def picture(self):
        """RGB565 of `width` pixels a row, high byte first, or None while it is dark, or shows its wearer's face."""
        return None if self._shows_wearer else self._pixels

    def off(self):
        self.lit = False
        self._display.off()
        self._pixels = self._frame = None

    def _ask(self, question):
        self._blank()
        self._ring(_AMBER)
        self._text(question, 88, 1, _GREY)
        self._text("Press", 108, 3, _WHITE)
        self._text("if you agree", 140, 2, _WHITE)
        self._show()

    def _blank(self):
        if self._frame is None:
            self._pixels = bytearray(_W * _W * 2)
            self._frame = framebuf.FrameBuffer(self._pixels, _W, _W, framebuf.RGB565)
        self._frame.fill(_BLACK)
        self._shows_wearer = False

    def _show(self):
        self.lit = True
        self._display.show(self._pixels)

    def _ring(self, colour):
        for grow in range(4):
            self._frame.ellipse(120, 120, 114 + grow, 114 + grow, colour)

    def _battery(self, percent):
        colour = _GREEN if percent > 30 else _AMBER if percent > 10 else _RED
        self._frame.rect(196, 14, 30, 14, _GREY)
        self._frame.fill_rect(226, 18, 3, 6, _GREY)
        self._frame.fill_rect(198, 16, max(1, 26 * percent // 100), 10, colour)

    def _text(self, text, y, scale, colour):
        """Centred text of 8 x `scale` pixels a character, cut to the panel's width."""
        text = text[: _W // (_GLYPH * scale)]
        x = (_W - _GLYPH * scale * len(text)) // 2
        for character in text:
            self._glyph.fill(0)
            self._glyph.text(character, 0, 0, 1)
            for row in range(_GLYPH):
                bits = self._glyphs[row]
                column = 0
                while bits:
                    if bits & 0x80:
                        run = 1
                        while bits << run & 0x80:
                            run += 1
                        self._frame.fill_rect(x + column * scale, y + row * scale, run * scale, scale, colour)
                        bits <<= run
                        column += run
                    else:
                        bits <<= 1
                        column += 1
                    bits &= 0xFF
            x += _GLYPH * scale
