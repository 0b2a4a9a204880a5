"""The serial debug console: one command a line, answered in text; `help` lists them."""

import asyncio

_LINE_LIMIT = 120
_BACKSPACE = (b"\x08", b"\x7f")


class Console:
    """`stdin` gives bytes, `stdout` takes text.

    `commands`: name to (help, async function of the words after the name that returns lines of text).
    """

    def __init__(self, stdin, stdout, commands):
        self._in = stdin
        self._out = stdout
        self._commands = commands

    async def run(self):
        reader = asyncio.StreamReader(self._in)
        self.write("\r\nmuster> ")
        line = ""
        while True:
            byte = await reader.read(1)
            if byte in (b"\r", b"\n"):
                self.write("\r\n")
                await self._answer(line)
                self.write("muster> ")
                line = ""
            elif byte in _BACKSPACE:
                if line:
                    line = line[:-1]
                    self.write("\x08 \x08")
            elif b" " <= byte <= b"~" and len(line) < _LINE_LIMIT:
                line += byte.decode()
                self.write(byte.decode())

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
        except Exception as error:  # a command's failure must not end the console
            self.write("%s: %s: %s\r\n" % (name, type(error).__name__, error))
