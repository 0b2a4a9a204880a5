"""The recording in docs/BENCH.md is what the tools print today, numbers aside."""

from tools.recording import MARK, PAGE, masked, record


def test_the_recording_in_the_docs_is_what_happens():
    recorded = PAGE.read_text().partition(MARK)[2].strip().removeprefix("```console\n").removesuffix("\n```")
    assert masked(record().rstrip()) == masked(recorded), "make recording"


def test_what_changes_by_itself_is_masked_and_nothing_else():
    assert masked("82 %   models/embedder.tflite, 958,336 bytes") == "0 %   models/embedder.tflite, 0 bytes"
    assert masked("clock not yet, gnss ok") == "clock ok, gnss ok" == masked("clock    ok, gnss ok")
    assert masked("enrolled 0123456789abcdef") == "enrolled 0" and masked("enrolled no") == "enrolled no"
