"""What the VM runs first: link to the host, emulated modules, flash mounted at `/`, then boot.py, main.py and the REPL
as the chip runs them. Arguments: file descriptors of the pipes to and from the host, and of the flash image."""

import sys

sys.path[:] = ["", ".frozen"]

import builtins  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402

import _link  # noqa: E402
import vfs  # noqa: E402

_to_host, _from_host, _image = [int(fd) for fd in sys.argv[1:]]
_boot = json.loads(_link.connect(_to_host, _from_host))

import os  # noqa: E402
import select  # noqa: E402, F401
import socket  # noqa: E402, F401
import time  # noqa: E402

import _loop  # noqa: E402
import _micropython  # noqa: E402
import _repl  # noqa: E402
import _system  # noqa: E402
import _vfs  # noqa: E402
import camera  # noqa: E402, F401
import esp  # noqa: E402
import esp32  # noqa: E402
import machine  # noqa: E402
import network  # noqa: E402, F401


def emulate():
    """Set the modules up from the host's greeting."""
    os._start(bytes.fromhex(_boot["seed"]))
    random.seed(int(_boot["seed"][:7], 16))
    time._rtc_offset_us = _boot["rtc_offset_us"]
    machine._cause = _boot["reset_cause"]
    machine._wake_reason = _boot["wake_reason"]
    machine._unique_id = bytes.fromhex(_boot["unique_id"])
    esp32._flash = open("/dev/fd/%d" % _image, "r+b")
    esp32._table = tuple(tuple(row) for row in _boot["partitions"])
    esp32._nvs.update(_boot["nvs"])
    _link.cut_in = _boot["cut_in"]
    _link.levels.update(_boot["levels"])
    sys.modules["sys"] = _system
    sys.modules["micropython"] = _micropython
    _system.implementation = type(_system.implementation)(*_system.implementation[:2], _boot["machine"],
                                                          _system.implementation._mpy, _boot["build"])
    esp._flash_bytes = _boot["flash_bytes"]
    esp32._psram_bytes = _boot["psram_bytes"]
    if _boot["romfs"]:
        sys.modules["vfs"] = _vfs
    if not _boot["camera"]:
        del sys.modules["camera"]
    builtins.print = _system.print
    _loop.install()


def run_chip():
    """Mount the file system, and run boot.py and main.py until the firmware ends."""
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(esp32.Partition("vfs"), mtime=False), "/")
    sys.path[:] = ["", ".frozen", "/lib"]
    if _boot["romfs"]:
        _vfs.mount_rom()
        sys.path += ["/rom", "/rom/lib"]
    for name in ("boot.py",) if _boot["raw_repl"] else ("boot.py", "main.py"):
        try:
            with open(name) as file:
                source = file.read()
        except OSError:
            continue
        exec(compile(source, name, "exec"), {"__name__": "__main__"})


emulate()
try:
    run_chip()
except BaseException as error:  # what the chip would print before it falls to the REPL
    _text = io.StringIO()
    sys.print_exception(error, _text)
    _system.stdout.write(_text.getvalue())
if not _boot["raw_repl"]:
    from protocol import EXIT, STOPPED

    _link.call(EXIT, STOPPED)  # answered where somebody may talk to the REPL
_repl.run(_boot["raw_repl"])
