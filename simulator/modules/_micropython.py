"""`micropython` with the chip's `kbd_intr`: Ctrl-C comes over the emulated console, not from the VM's own terminal."""

import _link
from micropython import *  # noqa: F403


def kbd_intr(chr):
    _link.interrupt_char = chr
