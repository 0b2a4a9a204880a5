"""The REPL that the chip falls to when main.py has ended: friendly, paste, raw and raw-paste mode.

Source: MicroPython's reference, "The MicroPython Interactive Interpreter Mode (aka REPL)".
"""

import builtins
import io
import sys as _real

import _link
import _system
import machine

_A, _B, _C, _D, _E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_CTRL_C, _NEVER = 3, -1
_WINDOW = 2048  # bytes of raw-paste mode that the host may send ahead
_COMPOUND = ("@", "if ", "while ", "for ", "try:", "with ", "def ", "class ", "async ")

_in, _write = _system.stdin.buffer, _system.stdout.buffer.write
_globals = {"__name__": "__main__"}


def run(raw):
    """Serve the console until a reset."""
    builtins.__repl_print__ = _show
    _link.interrupt_char = _NEVER
    while True:
        _link.is_raw = raw
        raw = _raw() if raw else _friendly()


def _raw():
    """Commands of a program, each up to Ctrl-D; answered by `OK`, output, Ctrl-D, traceback, Ctrl-D, `>`."""
    _write(b"raw REPL; CTRL-B to exit\r\n>")
    while True:
        line, end = _command()
        if end == _A and line == b"\x05A":
            _paste_raw()
        elif end == _A and line[:1] == _E:
            _write(b"R\x00")
        elif end == _A:
            return True
        elif end == _B:
            _write(b"\r\n")
            return False
        elif end == _D:
            _write(b"OK")
            if not line:
                _write(b"\r\n")
                machine.soft_reset()
            _answer(line)
        _write(b">" if end != _C else b"")


def _command():
    """Bytes up to Ctrl-A, B, C or D, and which it was."""
    line = b""
    while True:
        line += _in.until(b"\x01\x02\x03\x04", 1 << 30)
        if line[-1] < 5:
            return line[:-1], line[-1:]


def _paste_raw():
    """Raw-paste mode: the source comes in windows, each granted by 0x01."""
    _write(b"R\x01" + _WINDOW.to_bytes(2, "little") + b"\x01")
    source, left = b"", _WINDOW
    while True:
        part = _in.until(b"\x03\x04", left)
        source += part
        if part[-1:] in (_C, _D):
            break
        left -= len(part)
        if not left:
            left = _WINDOW
            _write(b"\x01")
    _write(_D)
    _answer(source[:-1] if source[-1:] == _D else b"raise KeyboardInterrupt")


def _answer(source):
    error = _execute(source, "exec")
    _write(_D)
    _system.stdout.write(error)
    _write(_D)


def _execute(source, mode):
    """The traceback, or nothing."""
    _link.interrupt_char = _CTRL_C
    try:
        exec(compile(source, "<stdin>", mode), _globals)
    except SystemExit:
        machine.soft_reset()
    except BaseException as error:
        text = io.StringIO()
        _real.print_exception(error, text)
        return "".join(line + "\n" for line in text.getvalue().split("\n") if line and __file__ not in line)
    finally:
        _link.interrupt_char = _NEVER
    return ""


def _show(value):
    if value is not None:
        _globals["_"] = value
        _system.print(repr(value))


def _friendly():
    """A person's lines, with prompts."""
    _system.stdout.write('MicroPython v%s; %s\nType "help()" for more information.\n' % (
        ".".join(str(part) for part in _system.implementation.version[:3]), _system.implementation._machine))
    source = ""
    while True:
        _write(b"... " if source else b">>> ")
        line, end = _line()
        _write(b"\r\n")
        if end == _C:
            source = ""
        elif end == _D and not (line or source):
            machine.soft_reset()
        elif end == _A:
            return True
        elif end == _B:
            return False
        elif end == _E:
            _paste()
        else:
            source += line + "\n"
            if line and _goes_on(source):
                continue
            if source.strip():
                _system.stdout.write(_execute(source, "single"))
            source = ""


def _line():
    """A line with its echo, and the byte that ended it; Ctrl-A, B, D and E end an empty one only."""
    line = b""
    while True:
        byte = _in.read(1)
        if byte in b"\r\n\x03" or (byte in b"\x01\x02\x04\x05" and not line):
            return line.decode(), byte
        if byte in b"\x08\x7f":
            if line:
                line = line[:-1]
                _write(b"\x08 \x08")
        elif b" " <= byte <= b"~" or byte == b"\t":
            line += byte
            _write(byte)


def _goes_on(source):
    """Whether more lines belong to it: open brackets, and what a colon begins, which an empty line ends."""
    depth, quote = 0, ""
    for character in source:
        if quote:
            quote = "" if character in (quote, "\n") else quote
        elif character in "'\"#":
            quote = "\n" if character == "#" else character
        else:
            depth += (character in "([{") - (character in ")]}")
    return depth > 0 or source.startswith(_COMPOUND)


def _paste():
    """Paste mode: Ctrl-D runs it all."""
    _write(b"paste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
    source = b""
    while True:
        byte = _in.read(1)
        if byte in b"\x03\x04":
            break
        source += b"\n" if byte == b"\r" else byte
        _write(b"\r\n=== " if byte == b"\r" else byte)
    _write(b"\r\n")
    if byte == _D:
        _system.stdout.write(_execute(source, "exec"))
