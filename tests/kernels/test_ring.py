"""The ring against a list, and against real processes: overrun, torn reads, kill -9 of either end, leftovers."""

import gc
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernels import ring
from kernels.ring import CLOSED, EMPTY, OK, OVERRUN, RingReader, RingWriter
from kernels.segment import segments, sweep
from tests.shared import ROOT

TICK = np.dtype([("number", "i8"), ("copies", "i8", (6,))])
PREFIX = f"t{os.getpid()}"


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    gc.collect()
    assert segments(PREFIX) == []


def ticks(*numbers: int) -> np.ndarray:
    records = np.zeros(len(numbers), TICK)
    records["number"] = numbers
    records["copies"] = np.asarray(numbers)[:, None]
    return records


def numbers_of(records: np.ndarray) -> list[int]:
    return records["number"].tolist()


def test_reader_sees_what_the_writer_pushed() -> None:
    with RingWriter(PREFIX, "ticks", 8, TICK) as writer:
        reader = RingReader(writer.name, TICK)
        assert reader.read()[0] == EMPTY
        assert reader.latest() is None
        assert writer.push(ticks(1, 2, 3)) == 3
        assert reader.backlog == writer.published == 3
        late, oldest = RingReader(writer.name, TICK), RingReader(writer.name, TICK, oldest=True)
        status, records = reader.read(2)
        assert (status, numbers_of(records)) == (OK, [1, 2])
        assert (records["copies"] == records["number"][:, None]).all()
        assert late.read()[0] == EMPTY
        assert numbers_of(oldest.read()[1]) == [1, 2, 3]
        latest = reader.latest()
        assert latest is not None
        assert numbers_of(latest) == [3]
        assert numbers_of(reader.read()[1]) == [3], "latest leaves the position"
    assert reader.read()[0] == CLOSED


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 12)), max_size=40), st.sampled_from([2, 4, 8]))
def test_against_a_list(steps: list[tuple[bool, int]], capacity: int) -> None:
    """Whatever is read comes in order, each record at most once, and read + lost + backlog is all that was pushed."""
    with RingWriter(PREFIX, "model", capacity, TICK) as writer:
        reader = RingReader(writer.name, TICK)
        pushed, last, seen = 0, 0, 0
        for push, n in steps:
            if push:
                writer.push(ticks(*range(pushed + 1, pushed + n + 1)))
                pushed += n
                continue
            behind = pushed - reader.position
            status, records = reader.read(n)
            numbers = numbers_of(records)
            assert status == (EMPTY if behind == 0 else OVERRUN if behind > capacity else OK)
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else behind == 0
            if numbers:
                assert numbers[0] == last + 1 if status == OK else numbers[0] > last + 1
                last = numbers[-1]
            seen += len(numbers)
            assert seen + reader.lost + reader.backlog == pushed


def test_overrun_is_told_once_and_counted_exactly() -> None:
    with RingWriter(PREFIX, "laps", 4, TICK) as writer:
        reader = RingReader(writer.name, TICK)
        writer.push(ticks(*range(1, 5)))
        assert reader.read(4)[0] == OK
        writer.push(ticks(*range(5, 15)))
        status, records = reader.read()
        assert status == OVERRUN
        assert numbers_of(records) == [12, 13, 14]
        assert (reader.lost, reader.overruns) == (7, 1)
        writer.push(ticks(15))
        assert reader.read()[0] == OK


def test_plain_bytes_and_a_layout_of_the_same_size() -> None:
    with RingWriter(PREFIX, "bytes", 4, 16) as writer:
        reader = RingReader(writer.name, "u8,u8")
        writer.push(b"\x01" + bytes(7) + b"\x02" + bytes(7))
        assert reader.read()[1].tolist() == [(1, 2)]
        assert writer.push(memoryview(bytes(33))[1:]) == 2, "unaligned memory is copied first"
        assert writer.push(b"") == 0
        with pytest.raises(ValueError, match="not a number of records"):
            writer.push(bytes(15))


def test_wrong_arguments_are_refused() -> None:
    for capacity in (0, 1, 3, -4, 2 * ring.CAPACITY_MAX):
        with pytest.raises(ValueError, match="capacity"):
            RingWriter(PREFIX, "wrong", capacity, 8)
    for record in (0, 12, np.dtype("O")):
        with pytest.raises(ValueError, match="records of"):
            RingWriter(PREFIX, "wrong", 4, record)
    for name in ("../up", "", "UP", "a-b"):
        with pytest.raises(ValueError, match="segment name"):
            RingWriter(PREFIX, name, 4, 8)
        with pytest.raises(ValueError, match="not the name of a segment"):
            RingReader(name, 8)
    with pytest.raises(ValueError, match="limit"):
        RingWriter(PREFIX, "wrong", ring.CAPACITY_MAX, 4096)
    with pytest.raises(FileNotFoundError):
        RingReader(f"{PREFIX}-1-none", 8)


def test_attach_checks_version_size_and_layout(tmp_path: Path) -> None:
    with RingWriter(PREFIX, "checked", 4, TICK, str(tmp_path)) as writer:
        where = str(tmp_path)
        with pytest.raises(ValueError, match="records of 56 bytes, not 8"):
            RingReader(writer.name, 8, directory=where)
        other = np.dtype([("other", "i8"), ("copies", "i8", (6,))])
        with pytest.raises(ValueError, match="other members"):
            RingReader(writer.name, other, directory=where)
        path = Path(writer.path)
        whole = path.read_bytes()
        for offset, value, message in ((0, 0, "not laid out"), (8, 9, "version 9"), (24, 8, "damaged")):
            copy = tmp_path / f"{PREFIX}-{os.getpid()}-copy"
            copy.write_bytes(whole[:offset] + value.to_bytes(8, "little") + whole[offset + 8 :])
            with pytest.raises(ValueError, match=message):
                RingReader(copy.name, TICK, directory=where)
        copy.write_bytes(whole[:40])
        with pytest.raises(ValueError, match="not laid out"):
            RingReader(copy.name, TICK, directory=where)


def test_segment_is_private_unique_and_goes_with_its_object() -> None:
    writer = RingWriter(PREFIX, "private", 4, TICK)
    assert os.stat(writer.path).st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        RingWriter(PREFIX, "private", 4, TICK)
    assert segments(PREFIX) == [writer.name]
    assert sweep(PREFIX) == [], "a living writer's segment stays"
    reader = RingReader(writer.name, TICK)
    assert reader.writer_alive()
    writer.push(ticks(7))
    del writer
    gc.collect()
    assert segments(PREFIX) == []
    assert not reader.writer_alive()
    assert numbers_of(reader.read()[1]) == [7], "what was pushed can be read when the writer is gone"


def test_a_closed_writer_does_no_harm() -> None:
    writer = RingWriter(PREFIX, "closed", 4, TICK)
    reader = RingReader(writer.name, TICK)
    writer.push(ticks(1))
    writer.close()
    writer.close()
    assert not reader.writer_alive()
    assert [reader.read()[0], reader.read()[0]] == [OK, CLOSED]
    writer.push(ticks(2))
    assert numbers_of(reader.read()[1]) == [2]


WRITER = """
import sys, time
import numpy as np
from kernels.ring import RingWriter
prefix, label, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
tick = np.dtype([("number", "i8"), ("copies", "i8", (6,))])
writer = RingWriter(prefix, label, 64, tick)
print(writer.name, flush=True)
sys.stdin.readline()
batch = np.zeros(500, tick)
end, number = time.monotonic() + seconds, 0
while time.monotonic() < end:
    batch["number"] = np.arange(number, number + 500)
    batch["copies"] = batch["number"][:, None]
    number += writer.push(batch)
print(number, flush=True)
sys.stdin.readline()
"""

FORKING = """
import os, sys
from kernels.ring import RingWriter
writer = RingWriter(sys.argv[1], "forked", 4, 8)
child = os.fork()
if child == 0:
    writer.close()
    sys.exit(0)
os.waitpid(child, 0)
print(writer.path, flush=True)
sys.stdin.readline()
"""

READER = """
import sys
import numpy as np
from kernels.ring import RingReader
tick = np.dtype([("number", "i8"), ("copies", "i8", (6,))])
reader = RingReader(sys.argv[1], tick)
print("ready", flush=True)
while True:
    reader.read(16)
"""


def start(code: str, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], text=True, env=environment, **pipes)


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def has_line(process: "subprocess.Popen[str]") -> bool:
    return bool(select.select([process.stdout], [], [], 0)[0])


def test_no_torn_record_from_a_writer_in_another_process() -> None:
    """A ring of 64 under a writer that laps its reader: every record read is whole, in order and counted."""
    process = start(WRITER, PREFIX, "torn", "1.5")
    with process:
        reader = RingReader(line_of(process), TICK)
        tell(process)
        seen, last = 0, -1
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status, records = reader.read(32)
            if len(records):
                assert (records["copies"] == records["number"][:, None]).all()
                assert (np.diff(records["number"]) == 1).all()
                assert records["number"][0] > last
                last = int(records["number"][-1])
                seen += len(records)
                latest = reader.latest()
                assert latest is None or (latest["copies"] == latest["number"][:, None]).all()
            elif status == EMPTY and has_line(process) and not reader.backlog:
                break
        pushed = int(line_of(process))
        tell(process)
    assert seen + reader.lost == pushed
    assert reader.overruns > 0, "the hunt needs laps"
    assert seen > 1000


def test_a_killed_reader_leaves_the_ring_as_it_is() -> None:
    with RingWriter(PREFIX, "reader", 64, TICK) as writer, start(READER, writer.name) as process:
        assert line_of(process) == "ready"
        other = RingReader(writer.name, TICK)
        for number in range(2000):
            writer.push(ticks(number))
            if number == 1000:
                process.send_signal(signal.SIGKILL)
                assert process.wait(30) == -signal.SIGKILL
        assert os.path.exists(writer.path), "a dying reader must not unlink"
        assert numbers_of(other.read(4096)[1])[-1] == 1999
        assert numbers_of(RingReader(writer.name, TICK, oldest=True).read()[1])[-1] == 1999


def test_a_killed_writer_is_noticed_read_to_the_end_and_swept() -> None:
    with start(WRITER, PREFIX, "crash", "0.05") as process:
        name = line_of(process)
        reader = RingReader(name, TICK)
        tell(process)
        pushed = int(line_of(process))
        assert reader.writer_alive()
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert not reader.writer_alive()
    assert segments(PREFIX) == [name]
    assert sweep(PREFIX) == [name]
    assert segments(PREFIX) == sweep(PREFIX) == []
    assert numbers_of(reader.read()[1])[-1] == pushed - 1


def test_sweep_sees_through_a_reused_process_id_but_spares_the_newborn(tmp_path: Path) -> None:
    """A left-over segment whose process id now belongs to someone living is told by its lock."""
    where = str(tmp_path)
    with RingWriter(PREFIX, "lived", 4, TICK, where) as writer:
        leftover = tmp_path / f"{PREFIX}-{os.getpid()}-leftover"
        leftover.write_bytes(Path(writer.path).read_bytes())
        newborn = tmp_path / f"{PREFIX}-{os.getpid()}-newborn"
        newborn.write_bytes(bytes(64))
        other = tmp_path / f"other-{os.getpid()}-leftover"
        other.write_bytes(leftover.read_bytes())
        assert sweep(PREFIX, where) == [leftover.name]
        assert newborn.exists() and other.exists()
    assert segments(PREFIX, str(tmp_path / "nowhere")) == []


def test_a_forked_child_does_not_remove_its_parents_segment() -> None:
    # In a process of its own: a test runner has threads, which a fork does not go well with.
    with start(FORKING, PREFIX) as process:
        path = line_of(process)
        reader = RingReader(os.path.basename(path), 8)
        assert os.path.exists(path)
        assert reader.writer_alive()
        tell(process)
        assert process.wait(30) == 0
    assert not os.path.exists(path)
    assert not reader.writer_alive()
