"""The assembler against capstone, and the interpreter's instructions against the manuals at their edges."""

import inspect
import random

import capstone
import numpy as np
import pytest

from tools import vector_mpy
from tools.vector_kernels import KERNELS
from tools.xtensa import BRANCH_CONSTANTS, ENCODERS, Assembler, AssemblyError, size_of
from tools.xtensa_interpreter import CODE, READ, WRITE, Fault, Instruction, Kernel, Memory, disassemble

LOW, HIGH = -(1 << 39), (1 << 39) - 1


def operands(mnemonic, rng):
    """Random ones that fit."""
    names = list(inspect.signature(ENCODERS[mnemonic]).parameters)
    unit = next((unit for part, unit in ((".accx.ip", 8), (".64.ip", 8), (".32.ip", 4)) if part in mnemonic), 16)
    values = {
        "value": rng.randrange(-2048, 2048) if mnemonic == "movi" else rng.randrange(-128, 128), "zero": 0,
        "constant": rng.choice(BRANCH_CONSTANTS), "step": 16 * rng.randrange(-32, 32),
        "offset": 4 * rng.randrange(0, 256) if mnemonic in ("l32i", "s32i") else unit * rng.randrange(-128, 128),
        "distance": rng.randrange(0, 128),
    }
    return [values.get(name, rng.randrange(0, 8 if name.startswith("q") else 16)) for name in names]


@pytest.mark.parametrize("mnemonic", ENCODERS)
def test_a_disassembler_reads_what_the_assembler_writes(mnemonic):
    engine = capstone.Cs(capstone.CS_ARCH_XTENSA, capstone.CS_MODE_XTENSA_ESP32S3)
    rng = random.Random(mnemonic)
    for _ in range(50):
        given = operands(mnemonic, rng)
        data = ENCODERS[mnemonic](*given).to_bytes(size_of(mnemonic), "little")
        (found,) = engine.disasm(data, 64)
        read = Instruction(found)
        values = [int(text.lstrip("aq"), 0) for text in read.operands if not text.startswith(".")]
        if mnemonic == "mov":  # is OR of one register with itself
            assert (read.mnemonic, values) == ("or", [*given, given[1]])
        elif read.target >= 0:
            assert (read.mnemonic, values, read.target - 68) == (mnemonic, given[:-1], given[-1])
        else:
            assert (read.mnemonic, values) == (mnemonic, given)
        assert read.size == len(data)


@pytest.mark.parametrize("mnemonic, wrong", [
    ("add", (1, 2, 16)), ("ee.zero.q", (8,)), ("movi", (3, 2048)), ("l32i", (3, 4, 2)), ("ee.vld.128.ip", (0, 2, 8)),
    ("ee.vld.128.ip", (0, 2, 2048)), ("ee.vmulas.s8.accx.ld.ip", (0, 2, 512, 1, 1)), ("ee.srcmb.s16.qacc", (0, 2, 1)),
])
def test_an_operand_that_does_not_fit_is_refused(mnemonic, wrong):
    with pytest.raises(AssemblyError):
        ENCODERS[mnemonic](*wrong)


@pytest.mark.parametrize("first", ["ee.vld.128.ip", "ee.vmulas.s16.qacc.ld.ip"])
@pytest.mark.parametrize("start", range(4))
def test_a_loop_begins_within_one_fetch(first, start):
    a = Assembler(start)
    a.loop(3, "end", first)
    assert a.at % 4 + size_of(first) <= 4


def test_the_kernels_in_the_file_are_what_the_assembler_was_given():
    for program, code in zip(KERNELS.values(), vector_mpy.functions(vector_mpy.build()), strict=True):
        a = Assembler()
        program(a)
        given = ["or" if mnemonic == "mov" else mnemonic for _, mnemonic, _ in a.lines if mnemonic != "nop"]
        read = [i.mnemonic for i in disassemble(code) if i.mnemonic != "nop"]
        at = len(read) - 5 - len(given)  # behind it: the function table, None, a jump, and the return
        assert read[at : at + len(given)] == given
        assert read[0] == "entry" and read[-5:] == ["l32i", "l32i.n", "j", "l32i.n", "retw.n"]
        assert {i.mnemonic for i in disassemble(code)} <= {*CODE, "j", "beqz", "bnez", "bne", "bnei", "loop", "l32r",
                                                          "retw.n"}


# One instruction at a time: q1 and q2 come from x, QACC or ACCX too, and what it made goes to the output.
def executed(program, x=b"", size=16, x_rights=READ):
    """The output, of `size` bytes, that a program made of x; a2 = x, a8 = out, a9..a13 free."""
    kernel = Kernel(vector_mpy.functions(vector_mpy.build({"only": program}))[0])
    memory = Memory(1 << 16)
    places = [memory.place(bytes(128), READ | WRITE), memory.place(bytes(size), READ | WRITE),
              memory.place(bytes(x), x_rights), *[memory.place(bytes(16), READ) for _ in range(2)],
              memory.place(bytes(64), READ | WRITE)]
    kernel(memory, places)
    return bytes(memory.data[places[1] : places[1] + size])


def lines(*instructions):
    return lambda a: [a.emit(*line) for line in instructions]


LOAD = (("ee.vld.128.ip", 1, 2, 16), ("ee.vld.128.ip", 2, 2, 16))
STORE = ("ee.vst.128.ip", 0, 8, 16)


def pair(kind, x, y):
    return np.array(x, kind).tobytes() + np.array(y, kind).tobytes()


def test_eight_bit_products_add_up_and_saturate_at_40_bits():
    def total(start, x, y):
        data = start.to_bytes(8, "little", signed=True) + bytes(8) + pair(np.int8, x, y) + bytes(16)
        out = executed(lines(("ee.ld.accx.ip", 2, 16), *LOAD, ("ee.vmulas.s8.accx.ld.ip", 3, 2, 16, 1, 2),
                             ("ee.st.accx.ip", 8, 8)), data, 8)
        assert out[5:] == bytes(3)  # 40 bits, then noughts
        return int.from_bytes(out[:5], "little", signed=True)

    x, y = np.arange(-8, 8) * 16, np.arange(16) * 8 - 64
    assert total(-5, x, y) == int((x * y).sum()) - 5
    assert total(0, [-128] * 16, [-128] * 16) == 16 * 16384
    assert total(0, [-128] * 16, [127] * 16) == -16 * 16256
    assert total(HIGH - 16 * 16384, [-128] * 16, [-128] * 16) == HIGH
    assert total(HIGH - 1, [-128] * 16, [-128] * 16) == HIGH
    assert total(LOW + 1, [-128] * 16, [127] * 16) == LOW
    # The sum saturates, not each product
    assert total(HIGH - 1, [127] + [-128] * 15, [127] + [127] * 15) == HIGH - 1 + 127 * 127 - 15 * 16256


def qacc_bytes(lanes):
    data = [b"".join((v & (1 << 40) - 1).to_bytes(5, "little") for v in lanes[i : i + 4]) for i in (0, 4)]
    return data[0].ljust(32, b"\0") + data[1].ljust(32, b"\0")


LOAD_QACC = (("ee.ld.qacc_l.l.128.ip", 2, 16), ("ee.ld.qacc_l.h.32.ip", 2, 16), ("ee.ld.qacc_h.l.128.ip", 2, 16),
             ("ee.ld.qacc_h.h.32.ip", 2, 16))
STORE_QACC = (("ee.st.qacc_l.l.128.ip", 8, 16), ("ee.st.qacc_l.h.32.ip", 8, 16), ("ee.st.qacc_h.l.128.ip", 8, 16),
              ("ee.st.qacc_h.h.32.ip", 8, 16))
LANES = [0, 1, -1, HIGH, LOW, 0x1234567890, -0x1234567890, -(1 << 20)]


@pytest.mark.parametrize("mnemonic, kind", [("s16", np.int16), ("u16", np.uint16)])
def test_sixteen_bit_products_saturate_each_lane_at_40_bits(mnemonic, kind):
    x = [-32768, -32768, 32767, -1, -1, 12345, -12345, 0]
    y = [-32768, 32767, 32767, -1, 1, -54, -54, 9]
    data = qacc_bytes(LANES) + np.array(x).astype(kind).tobytes() + np.array(y).astype(kind).tobytes() + bytes(16)
    out = executed(lines(*LOAD_QACC, *LOAD, (f"ee.vmulas.{mnemonic}.qacc.ld.ip", 3, 2, 0, 1, 2), *STORE_QACC), data, 64)
    products = [int(a) * int(b) for a, b in zip(np.array(x).astype(kind), np.array(y).astype(kind), strict=True)]
    assert out == qacc_bytes([min(max(q + p, LOW), HIGH) for q, p in zip(LANES, products, strict=True)])


@pytest.mark.parametrize("shift", [0, 1, 15, 39, 40, 63, 64, 79])
def test_qacc_is_shifted_down_as_a_whole_and_given_saturated(shift):
    data = qacc_bytes(LANES)
    out = executed(lines(*LOAD_QACC, ("movi", 9, shift), ("ee.srcmb.s16.qacc", 0, 9, 0), *STORE_QACC, STORE), data, 80)
    shifted = [lane >> (shift & 63) for lane in LANES]
    assert out[:64] == qacc_bytes(shifted)  # not saturated
    assert out[64:] == np.clip(shifted, -32768, 32767).astype(np.int16).tobytes()


def test_a_load_into_qacc_keeps_the_sign():
    values = np.array([0, 1, -1, 32767, -32768, 255, -256, 12], np.int16)
    out = executed(lines(("ee.ldqa.s16.128.ip", 2, 16), *STORE_QACC), values.tobytes(), 64)
    assert out == qacc_bytes([int(v) for v in values])


def test_a_fused_load_multiplies_what_was_there_before():
    data = pair(np.int8, [3] * 16, [5] * 16) + bytes([7] * 16)
    out = executed(lines(("ee.ld.accx.ip", 4, 0), *LOAD, ("ee.vmulas.s8.accx.ld.ip", 2, 2, -32, 1, 2),
                         ("ee.st.accx.ip", 8, 16), ("ee.vst.128.ip", 2, 8, 16), ("ee.vld.128.ip", 0, 2, 0), STORE),
                   data, 48)
    assert int.from_bytes(out[:8], "little") == 16 * 15
    assert out[16:32] == bytes([7] * 16) and out[32:] == bytes([3] * 16)  # and a2 went back by 32


COMPARISONS = {
    "ee.vcmp.lt.s8": (np.int8, lambda x, y: -(x < y).astype(np.int8)), "ee.vmax.s8": (np.int8, np.maximum),
    "ee.vcmp.lt.s16": (np.int16, lambda x, y: -(x < y).astype(np.int16)), "ee.vmin.s8": (np.int8, np.minimum),
    "ee.vmax.s16": (np.int16, np.maximum), "ee.vmin.s16": (np.int16, np.minimum),
    "ee.vsubs.s16": (np.int16, lambda x, y: np.clip(np.int32(x) - y, -32768, 32767).astype(np.int16)),
}


@pytest.mark.parametrize("mnemonic", COMPARISONS)
def test_lanes_are_compared_and_subtracted_with_their_sign(mnemonic):
    kind, expected = COMPARISONS[mnemonic]
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    x = np.resize(np.array([low, low, high, high, 0, -1, 1, 5, -7, low], kind), 16 // kind().itemsize)
    y = np.resize(np.array([high, low, low, high, 0, 0, -1, 6, -7], kind), 16 // kind().itemsize)
    out = executed(lines(*LOAD, (mnemonic, 0, 1, 2), STORE), x.tobytes() + y.tobytes())
    assert out == expected(x, y).tobytes()


@pytest.mark.parametrize("mnemonic, size", [("ee.vunzip.8", 1), ("ee.vunzip.16", 2), ("ee.vunzip.32", 4),
                                            ("ee.vzip.8", -1)])
def test_registers_are_zipped_and_unzipped(mnemonic, size):
    data = bytes(range(32))
    out = executed(lines(*LOAD, (mnemonic, 1, 2), ("ee.vst.128.ip", 1, 8, 16), ("ee.vst.128.ip", 2, 8, 16)), data, 32)
    parts = np.frombuffer(data, np.uint8).reshape(-1, abs(size))
    if size > 0:
        assert out == parts[::2].tobytes() + parts[1::2].tobytes()
    else:
        assert out == np.stack([parts[:16], parts[16:]], 1).tobytes()


@pytest.mark.parametrize("offset", range(16))
def test_sixteen_bytes_from_anywhere(offset):
    data = bytes(range(100, 148))
    out = executed(lines(("addi", 2, 2, offset), ("ee.ld.128.usar.ip", 0, 2, 16), ("ee.vld.128.ip", 1, 2, 16),
                         ("ee.src.q", 0, 0, 1), STORE, ("ee.vst.128.ip", 1, 8, 16)), data, 32)
    assert out[:16] == data[offset : offset + 16]
    assert out[16:] == data[16:32]  # the low four bits of an address count for nothing


@pytest.mark.parametrize("mnemonic, kept", [("ee.vld.128.ip", 15), ("ee.vld.l.64.ip", 7)])
def test_low_bits_of_an_address_are_ignored(mnemonic, kept):
    data = bytes(range(48))
    out = executed(lines(("addi", 2, 2, 13), ("ee.zero.q", 0), (mnemonic, 0, 2, 16), STORE), data)
    assert out == data[13 & ~kept :][: kept + 1].ljust(16, b"\0")
    out = executed(lines(*LOAD, ("addi", 8, 8, 13), ("ee.vst.128.ip", 1, 8, 0)), data)
    assert out == data[:16]


def test_half_a_register_and_one_value_for_all():
    data = bytes(range(200, 232))
    out = executed(lines(*LOAD, ("ee.vst.l.64.ip", 1, 8, 8), ("movi", 9, 8), ("ee.vst.l.64.xp", 2, 8, 9)), data)
    assert out == data[:8] + data[16:24]
    assert executed(lines(("ee.vldbc.8", 0, 2), STORE), data) == data[:1] * 16
    assert executed(lines(("ee.vldbc.16", 0, 2), STORE), data) == data[:2] * 8
    assert executed(lines(*LOAD, ("ee.zero.q", 1), ("ee.vst.128.ip", 1, 8, 0)), data) == bytes(16)


@pytest.mark.parametrize("program, reason", [
    (lines(("addi", 2, 2, 32), *LOAD), "16 bytes read"),
    (lines(("addi", 2, 2, -16), *LOAD), "16 bytes read"),
    (lines(*LOAD, ("ee.vst.128.ip", 1, 2, 0)), "16 bytes written"),
    (lines(("addi", 8, 8, 16), ("ee.vst.l.64.ip", 1, 8, 0)), "8 bytes written"),
    (lines(("addi", 2, 2, 2), ("l32i", 9, 2, 0)), "a load of 4 bytes"),
    (lines(("movi", 9, 0), ("s32i", 9, 9, 0)), "4 bytes written"),
    (lambda a: (a.emit("movi", 9, 0), a.loop(9, "x", "nop"), a.emit("nop"), a.label("x")), "a loop of nought turns"),
    (lines(("movi", 7, 0), ("s32i", 7, 1, 8)), "read at|returned"),
])
def test_what_a_kernel_must_not_do_is_a_fault(program, reason):
    with pytest.raises(Fault, match=reason):
        executed(program, bytes(32))
