"""The firmware compiles for the chip, and a file that does not is named with the reason."""

from tests.conftest import ROOT
from tools import cross, firmware, vector_mpy


def test_every_firmware_file_compiles_for_the_chip(tmp_path):
    sizes = cross.compile_all(out=tmp_path)
    assert set(sizes) == set((ROOT / "firmware").rglob("*.py")) and len(sizes) > 30
    assert {path: why for path, why in sizes.items() if isinstance(why, str)} == {}
    assert all(0 < size < 20_000 for size in sizes.values())
    assert (tmp_path / "muster" / "app.mpy").read_bytes()[:2] == b"M\x06"  # .mpy version 6


def test_what_the_chip_cannot_run_is_said_in_one_line(tmp_path):
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "bad.py").write_text("import micropython\n@micropython.viper\ndef f(x: ptr64): pass\n")
    (tmp_path / "firmware" / "good.py").write_text("x = 1\n")
    bad, good = cross.compile_all(tmp_path / "firmware", tmp_path / "out").values()
    assert bad.startswith("ViperTypeError") and "\n" not in bad
    assert isinstance(good, int)


def test_the_vector_kernels_are_flashed_to_chips_of_their_kind_only():
    kernels = "muster/vision/kernels_vector.mpy"
    assert firmware.build("esp32_s3_eye", "xtensawin")[kernels] == vector_mpy.build()
    assert kernels not in firmware.build("esp32_s3_eye", "armv7m")
