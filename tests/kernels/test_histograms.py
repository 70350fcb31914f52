"""Histograms in shared memory: whole snapshots under a writer that never stops, and nothing left behind."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from kernels.histograms import HistogramReader, HistogramSet
from kernels.segment import segments, sweep

PREFIX = "quoter.test.histograms"


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    sweep(PREFIX)
    yield
    mine = [name for name in segments(PREFIX) if f"-{os.getpid()}-" in name]
    assert not mine, "a segment was left behind"


def test_a_reader_sees_names_counts_and_notes() -> None:
    with HistogramSet(PREFIX, "plain", [["decode"], ["total"]], ["ticks"]) as histograms:
        reader = HistogramReader(histograms.name)
        assert (reader.groups, reader.notes) == ((("decode",), ("total",)), ("ticks",))
        histograms.record({"decode": 100, "total": 250})
        histograms.note({"ticks": -7})
        seen = reader.snapshot()
        assert seen is not None
        assert {name: one.as_dict() for name, one in seen[0].items()} == histograms.as_dict()
        assert seen[0]["total"].sum == 250
        assert seen[1] == histograms.noted() == {"ticks": -7}
        histograms.reset()
        again = reader.snapshot()
        assert again is not None and again[0]["total"].count == 0 and again[1] == {"ticks": -7}
        assert seen[0]["total"].count == 1, "a snapshot is the reader's own"
        assert reader.writer_alive()
    assert not reader.writer_alive()
    assert reader.snapshot() is not None, "what was there can be read after the end"


WRITER = """
from kernels.histograms import HistogramSet
import sys, time
histograms = HistogramSet(sys.argv[1], "torn", [["first", "second"]], ["n"])
print(histograms.name, flush=True)
n = 0
while True:
    for _ in range(200):
        histograms.record({"first": n % 5000 + 1, "second": n % 5000 + 1})
        n += 1
    histograms.note({"n": n})
    time.sleep(0.0002)
"""


def test_no_snapshot_is_torn_and_a_killed_writer_is_swept() -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, PREFIX], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        name = child.stdout.readline().strip()
        reader = HistogramReader(name)
        whole, until, last = 0, time.monotonic() + 1.5, 0
        while time.monotonic() < until:
            seen = reader.snapshot()
            if seen is None:
                continue
            first, second = seen[0]["first"], seen[0]["second"]
            assert (first.count, first.sum, first.max) == (second.count, second.sum, second.max)
            assert last <= seen[1]["n"]
            last, whole = seen[1]["n"], whole + 1
        assert whole > 10 and last > 0
        assert sweep(PREFIX) == [], "a living writer's segment stays"
    finally:
        child.kill()
        child.wait()
    assert not reader.writer_alive()
    assert sweep(PREFIX) == [name]


def test_what_cannot_be_recorded_leaves_the_set_readable() -> None:
    with HistogramSet(PREFIX, "half", [["first"]], ["n"]) as histograms:
        reader = HistogramReader(histograms.name)
        with pytest.raises((TypeError, ValueError)):
            histograms.record({"first": "no number"})  # type: ignore[dict-item]
        with pytest.raises((TypeError, ValueError)):
            histograms.note({"other": 1})
        assert reader.snapshot() is not None


def test_private_memory_needs_no_directory() -> None:
    histograms = HistogramSet(None, "", [["first"]])
    histograms.record({"first": 3})
    assert histograms.as_dict()["first"]["n"] == 1 and histograms.name == ""
    histograms.close()


def test_what_does_not_fit_is_refused() -> None:
    numbered = [f"n{i}" for i in range(17)]
    for groups, notes in (
        ([["a", "a"]], []),
        ([["a b"]], []),
        ([], []),
        ([["a"]], numbered),
        ([[n] for n in numbered], []),
    ):
        with pytest.raises(ValueError, match=r"names|histograms"):
            HistogramSet(None, "", groups, notes)
    with pytest.raises(OSError, match="No such file"):
        HistogramSet(PREFIX, "lost", [["a"]], directory="/nonexistent")
    with pytest.raises(FileNotFoundError):
        HistogramReader(f"{PREFIX}-1-gone")
