"""The serial console, byte by byte: echo, editing, answers, and that no bytes and no command can end it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# The stream gives one byte at a time, and stops the console when there are no more.
SCRIPT = """
import asyncio, io
from muster.console import Console

class Stdin(io.IOBase):
    def __init__(self, data):
        self.data = data

    def ioctl(self, request, flags):
        return 1 if request == 3 else 0

    def read(self, n):
        if not self.data:
            raise EOFError
        head, self.data = self.data[:n], self.data[n:]
        return head

class Stdout:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

calls = []

async def hello(words):
    calls.append(words)
    return ["hello"] + words

async def broken(words):
    await asyncio.sleep_ms(1)
    return {}["nothing"]

async def unable(words):
    raise OSError("flash: no partition")

async def silent(words):
    return []

def typed(data):
    calls.clear()
    out = Stdout()
    console = Console(Stdin(bytes.fromhex(data)), out, {"hello": ("greets", hello), "broken": ("raises", broken),
                      "unable": ("raises too", unable), "silent": ("says nothing", silent)})
    try:
        asyncio.run(console.run())
    except EOFError:
        pass
    return [out.text, list(calls)]

result = [typed(one) for one in data]
"""
PROMPT = "muster> "


@pytest.fixture
def typed(vm):
    """What the console prints after its first prompt, and the words each call of `hello` got, for each text typed."""
    def run(*texts):
        answers = vm(SCRIPT, [(text if isinstance(text, bytes) else text.encode()).hex() for text in texts])
        assert all(printed.startswith("\r\n" + PROMPT) for printed, _ in answers)
        return [(printed.removeprefix("\r\n" + PROMPT), calls) for printed, calls in answers]
    return run


def test_a_command_is_echoed_and_answered_line_by_line(typed):
    answer, = typed("hello  you there\r")
    assert answer == ("hello  you there\r\nhello\r\nyou\r\nthere\r\n" + PROMPT, [["you", "there"]])


def test_an_empty_line_gives_another_prompt_and_either_end_of_line_will_do(typed):
    assert typed("\r", "  \n", "silent\n") == [
        ("\r\n" + PROMPT, []), ("  \r\n" + PROMPT, []), ("silent\r\n" + PROMPT, [])]


@pytest.mark.parametrize("erase", ["\x08", "\x7f"])
def test_backspace_takes_the_last_character_back_and_never_the_prompt(typed, erase):
    (printed, calls), = typed(f"{erase}hellp{erase}o x{erase}{erase}\r")
    assert printed == "hellp\x08 \x08o x\x08 \x08\x08 \x08\r\nhello\r\n" + PROMPT
    assert calls == [[]]


def test_help_lists_the_commands_in_order(typed):
    (printed, _), = typed("help\r")
    assert printed == ("help\r\nbroken      raises\r\nhello       greets\r\nsilent      says nothing\r\n"
                       "unable      raises too\r\n" + PROMPT)


def test_an_unknown_command_is_named(typed):
    (printed, _), = typed("Hello\r")
    assert printed == "Hello\r\nHello: no such command; try help\r\n" + PROMPT


def test_a_command_that_raises_is_one_line_and_the_next_one_works(typed):
    (printed, calls), = typed("broken\runable\rhello\r")
    assert printed == (f"broken\r\nbroken: KeyError: nothing\r\n{PROMPT}unable\r\nunable: OSError: flash: no partition"
                       f"\r\n{PROMPT}hello\r\nhello\r\n{PROMPT}")
    assert calls == [[]]


def test_an_overlong_line_is_cut_where_the_echo_ends(typed):
    (printed, calls), = typed("hello " + "x" * 500 + "\r")
    assert printed.split("\r\n")[0] == "hello " + "x" * 114
    assert calls == [["x" * 114]]


def test_bytes_that_are_no_text_are_passed_over(typed):
    (printed, calls), = typed(b"\xff\xc3he\x00\x1bllo\xe2\x82\r")
    assert (printed, calls) == ("hello\r\nhello\r\n" + PROMPT, [[]])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.lists(st.binary(max_size=300), min_size=1, max_size=25))
def test_no_bytes_end_the_console_or_make_it_print_what_is_no_text(typed, noise):
    for printed, calls in typed(*[data + b"\rhello\r" for data in noise]):
        assert printed.endswith("hello\r\nhello\r\n" + PROMPT) and calls[-1] == []
        assert set(printed) <= set(map(chr, range(32, 127))) | set("\r\n\x08")
