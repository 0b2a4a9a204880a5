"""The emulated modules have the names, parameters and numbers of the real ones, as the micropython-esp32 stubs give
them; those of `camera`, which has no stubs, are written here after micropython-camera-API."""

from __future__ import annotations

import ast
import inspect
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.vm import MODULES

STUBS = Path(sysconfig.get_paths()["purelib"])
PATHS = {"machine": "machine.pyi", "network": "network.pyi", "esp32": "esp32.pyi", "time": "time.pyi",
         "socket": "socket.pyi", "select": "select.pyi", "esp": "esp.pyi", "os": "stdlib/os/__init__.pyi"}
CAMERA = """
class PixelFormat:
    RGB565 = 0; YUV422 = 1; YUV420 = 2; GRAYSCALE = 3; JPEG = 4; RGB888 = 5
class FrameSize:
    R96X96 = 0; QQVGA = 1; R128x128 = 2; QCIF = 3; HQVGA = 4; R240X240 = 5; QVGA = 6; R320X320 = 7; CIF = 8; HVGA = 9
    VGA = 10
class GrabMode:
    WHEN_EMPTY = 0; LATEST = 1
class Camera:
    def __init__(self, *, data_pins, pclk_pin, vsync_pin, href_pin, sda_pin, scl_pin, xclk_pin, xclk_freq=20000000,
                 powerdown_pin=-1, reset_pin=-1, pixel_format=0, frame_size=1, jpeg_quality=85, fb_count=2, grab_mode=0,
                 init=True): ...
    def init(self): ...
    def deinit(self): ...
    def capture(self): ...
"""
# where the emulation differs on purpose: the stubs are made from the general documentation, on an ESP32
GAPS = {
    "machine": {"Pin.__init__": ["parameter hold"], "Pin.init": ["parameter hold"],  # the ESP32 port's own
                "UART.ioctl": ["is not there"],  # streams in Python are polled by it, those in C by a table of theirs
                "UART.__init__": ["refuses a call with 0 arguments"],  # the port asks for an id
                # without pins it has those of another board
                "I2C.__init__": ["refuses a call with 1 arguments", "refuses a call with 0 arguments"]},
    "esp32": {"mcu_temperature": ["is not there"]},  # an ESP32-S3 has it in the place of raw_temperature
}

Api = dict[str, "list[ast.FunctionDef | ast.expr | None]"]


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If):
            yield from statements(node.body + node.orelse)
        else:
            yield node


def api(body: list[ast.stmt], prefix: str = "") -> Api:
    """Public names, dotted, to what defines them: functions (each overload), values, None for a class."""
    found: Api = {}

    def add(name: str, what: ast.FunctionDef | ast.expr | None) -> None:
        if not name.startswith("_") or name in ("__init__", "__call__"):
            found.setdefault(prefix + name, []).append(what)

    for node in statements(body):
        if isinstance(node, ast.FunctionDef):
            add(node.name, node)
        elif isinstance(node, ast.ClassDef):
            add(node.name, None)
            for name, definitions in api(node.body, f"{prefix}{node.name}.").items():
                found.setdefault(name, []).extend(definitions)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            add(node.target.id, node.value or node.annotation)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    for name, value in zip(target.elts, node.value.elts, strict=True):
                        add(name.id, value)
                elif isinstance(target, ast.Name):
                    add(target.id, node.value)
    return found


def signature(function: ast.FunctionDef, is_method: bool) -> inspect.Signature:
    """With 0 as each default."""
    a, p = function.args, inspect.Parameter
    required = len(a.posonlyargs) + len(a.args) - len(a.defaults)
    ordered = [p(arg.arg, p.POSITIONAL_ONLY if n < len(a.posonlyargs) else p.POSITIONAL_OR_KEYWORD,
                 default=p.empty if n < required else 0) for n, arg in enumerate(a.posonlyargs + a.args)]
    if a.vararg:
        ordered.append(p(a.vararg.arg, p.VAR_POSITIONAL))
    ordered += [p(arg.arg, p.KEYWORD_ONLY, default=p.empty if default is None else 0)
                for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    if a.kwarg:
        ordered.append(p(a.kwarg.arg, p.VAR_KEYWORD))
    is_static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list)
    return inspect.Signature(ordered[1 if is_method and not is_static else 0:])


def takes(callee: inspect.Signature, positional: int, keywords: list[str]) -> bool:
    try:
        callee.bind(*[0] * positional, **dict.fromkeys(keywords, 0))
    except TypeError:
        return False
    return True


def fewest(of: inspect.Signature) -> tuple[int, list[str]]:
    """The call with no argument too many: how many by position, and which by name."""
    required = [p for p in of.parameters.values() if p.default is p.empty]
    return (sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in required),
            [p.name for p in required if p.kind == p.KEYWORD_ONLY])


def drifts(ours: inspect.Signature, real: list[inspect.Signature]) -> Iterator[str]:
    """What a caller could do with the one and not with the other."""
    if not any(takes(one, *fewest(ours)) for one in real):
        yield "takes fewer arguments"
    for one in real:
        if not takes(ours, *fewest(one)):
            yield f"refuses a call with {fewest(one)[0]} arguments"
    count = 0
    for parameter in ours.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.kind != parameter.KEYWORD_ONLY:
            count += 1
            if not any(_has(one, count - 1, parameter.name) for one in real):
                yield f"parameter {count} is {parameter.name}"
        elif not any(_named(one, parameter.name) for one in real):
            yield f"parameter {parameter.name}"


def _has(one: inspect.Signature, index: int, name: str) -> bool:
    """Whether a positional parameter is there, of that name unless it has none to call it by."""
    if index < len(one.parameters):
        parameter = list(one.parameters.values())[index]
        if parameter.kind == parameter.POSITIONAL_ONLY:
            return True
        if parameter.kind == parameter.POSITIONAL_OR_KEYWORD:
            return parameter.name == name
    return any(p.kind == p.VAR_POSITIONAL for p in one.parameters.values())


def _named(one: inspect.Signature, name: str) -> bool:
    return any(p.kind == p.VAR_KEYWORD or (p.name == name and p.kind != p.POSITIONAL_ONLY)
               for p in one.parameters.values())


def compare(ours: Api, real: Api) -> dict[str, list[str]]:
    """Each of our names that the real API has not, or has otherwise, and how."""
    found: dict[str, list[str]] = {}
    for name, (what, *_) in ours.items():
        if name not in real:
            if not name.endswith(".__init__") or isinstance(what, ast.FunctionDef) and what.args.args[1:]:
                found[name] = ["is not there"]
            continue
        functions = [node for node in real[name] if isinstance(node, ast.FunctionDef)]
        if isinstance(what, ast.FunctionDef) and functions:
            found[name] = list(drifts(signature(what, "." in name), [signature(f, "." in name) for f in functions]))
        elif isinstance(what, ast.Constant):
            values = [node.value for node in real[name] if isinstance(node, ast.Constant)]
            found[name] = [f"is {what.value}, not {value}" for value in values if value != what.value]
    return {name: how for name, how in found.items() if how}


def emulated(module: str) -> Api:
    return api(ast.parse((MODULES / f"{module}.py").read_text()).body)


@pytest.mark.parametrize("module", [*PATHS, "camera"])
def test_what_is_emulated_is_there_on_the_chip_with_the_same_parameters_and_numbers(module):
    real = CAMERA if module == "camera" else (STUBS / PATHS[module]).read_text()
    assert compare(emulated(module), api(ast.parse(real).body)) == GAPS.get(module, {})


@pytest.mark.parametrize(("ours", "real", "drift"), [
    ("def f(a, b=1): ...", "def f(x, /, b=0, *, c=0): ...", []),
    ("def f(): ...", "def g(): ...", ["is not there"]),
    ("def f(a): ...", "def f(b): ...", ["parameter 1 is a"]),
    ("def f(a, b): ...", "def f(a, b=0): ...", ["refuses a call with 1 arguments"]),
    ("def f(a=0): ...", "def f(a): ...", ["takes fewer arguments"]),
    ("def f(a, b=0): ...", "def f(a, *, b=0): ...", ["parameter 2 is b"]),
    ("def f(*, b=0): ...", "def f(*, c=0): ...", ["parameter b"]),
    ("def f(x=None): ...", "@overload\ndef f(): ...\n@overload\ndef f(value, /): ...", []),
    ("def f(): ...", "@overload\ndef f(): ...\n@overload\ndef f(value, /): ...", ["refuses a call with 1 arguments"]),
    ("f, _g = 3, 4", "f: Final[int] = 2", ["is 3, not 2"]),
])
def test_a_drift_is_found(ours, real, drift):
    found = compare(api(ast.parse(ours).body), api(ast.parse(real).body))
    assert found == ({"f": drift} if drift else {})
