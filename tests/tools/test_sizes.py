"""`make sizes`: what is on the chip and what is live, and the change since main."""

import pytest

from simulator.day import firmware_files
from tools import sizes


def test_the_table_has_each_folder_and_each_file_that_changed():
    now = {"main.py": 10, "muster/app.py": 1200, "muster/new.py": 5, "muster/vision/face.py": 7}
    before = {"main.py": 10, "muster/app.py": 1000, "muster/gone.py": 30, "muster/vision/face.py": 7}
    assert [line.split() for line in sizes.table(now, before)] == [
        [".", "10", "="], ["muster", "1,205", "+175"], ["muster/app.py", "1,200", "+200"],
        ["muster/gone.py", "0", "-30"], ["muster/new.py", "5", "+5"], ["muster/vision", "7", "="],
        ["flash,", "all", "1,222", "+175"]]


def test_a_revision_flashes_what_its_tree_holds():
    files = sizes.firmware_of("HEAD")
    assert {path for path in files if not path.endswith(".py")} == {
        path for path in firmware_files() if not path.endswith(".py")}
    assert b"app.run()" in files["main.py"]
    with pytest.raises(sizes.SizesError, match="nowhere"):
        sizes.firmware_of("nowhere")


def test_a_file_that_does_not_compile_is_one_line():
    with pytest.raises(sizes.SizesError, match=r"^bad.py: SyntaxError"):
        sizes.flash({"muster/bad.py": b"def"})


def test_a_check_in_holds_both_networks_and_more_than_the_watch_at_rest():
    files = firmware_files()
    at_rest, in_checkin = sizes.heap(files)
    networks = sum(len(data) for path, data in files.items() if path.endswith(".tflite"))
    assert 50_000 < at_rest and at_rest + networks < in_checkin < 4_000_000


def test_a_firmware_that_does_not_start_cannot_be_measured():
    with pytest.raises(sizes.SizesError):
        sizes.heap(firmware_files() | {"main.py": b"raise SystemExit"})
