"""The serial debug console: one command a line, answered in text; `help` lists them."""

import asyncio

_LINE_LIMIT = 120
_PROMPT = "muster> "
_BACKSPACE = (b"\x08", b"\x7f")


class Console:
    """`stdin` gives bytes, `stdout` takes text.

    `commands`: name to (help, async function of the words after the name that gives lines of text).
    """

    def __init__(self, stdin, stdout, commands):
        self._in = stdin
        self._out = stdout
        self._commands = commands
        self._line = ""  # what is typed and not yet ended
        self._answering = False

    async def run(self):
        reader = asyncio.StreamReader(self._in)
        self.write("\r\n" + _PROMPT)
        while True:
            byte = await reader.read(1)
            if byte in (b"\r", b"\n"):
                line, self._line, self._answering = self._line, "", True
                self.write("\r\n")
                await self._answer(line)
                self.write(_PROMPT)
                self._answering = False
            elif byte in _BACKSPACE:
                if self._line:
                    self._line = self._line[:-1]
                    self.write("\x08 \x08")
            elif b" " <= byte <= b"~" and len(self._line) < _LINE_LIMIT:
                self._line += byte.decode()
                self.write(byte.decode())

    def note(self, text: str):
        """A line that nobody asked for: above what is being typed."""
        if not self._answering:  # a text in the middle of an answer would spoil what a program reads
            self.write("\r%s\r\n%s%s" % (text, _PROMPT, self._line))

    def write(self, text: str):
        self._out.write(text)

    async def _answer(self, line):
        words = line.split()
        if not words:
            return
        name, arguments = words[0], words[1:]
        if name == "help":
            for known in sorted(self._commands):
                self.write("%-12s%s\r\n" % (known, self._commands[known][0]))
            return
        if name not in self._commands:
            self.write("%s: no such command; try help\r\n" % name)
            return
        try:
            for text in await self._commands[name][1](arguments):
                self.write(text + "\r\n")
                await asyncio.sleep_ms(0)  # a long answer must not keep the rest of the watch waiting
        except Exception as error:  # a command's failure must not end the console
            self.write("%s: %s: %s\r\n" % (name, type(error).__name__, error))
