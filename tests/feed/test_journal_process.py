"""The writing process as it is: kill -9 of it and of the quoter, a full disk, an overrun, a closed ring."""

import errno
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from feed import journal_process
from feed.frames import MessageHandler
from feed.journal import Journal, Kind
from feed.journal_process import JournalOptions, JournalProcess
from feed.journal_writer import redacted
from feed.tap import Tap
from kernels import segment as rings


def wait_for(done: Callable[[], bool], seconds: float = 20.0) -> None:
    end_s = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end_s, "not in time"
        time.sleep(0.01)


def data_of(process: JournalProcess) -> list[bytes]:
    return [record.data for record in Journal(process.directory).records()]


def test_everything_handed_over_is_written(tmp_path: Path) -> None:
    process = JournalProcess(JournalOptions(tmp_path, ring_slots=4096))
    tap = Tap(MessageHandler(), process.ring)
    sent = [b"%d" % i * (i % 300) for i in range(1000)]
    for i, data in enumerate(sent):
        tap.put(Kind.MESSAGE, i, data)
    assert process.problem() is None
    assert process.close() is None
    assert data_of(process) == sent
    assert process.summary() == {"directory": str(process.directory), "records": 1000, "restarts": 0}
    assert os.stat(process.directory).st_mode & 0o077 == 0
    assert not rings.segments("quoter.journal-" + str(os.getpid()))


def test_kill_9_of_the_writer_loses_nothing(tmp_path: Path) -> None:
    process = JournalProcess(JournalOptions(tmp_path, segment_bytes=20_000, ring_slots=1 << 14))
    tap = Tap(MessageHandler(), process.ring)
    sent: list[bytes] = []
    for round_ in range(3):
        for _ in range(200):
            sent.append(b"%d" % len(sent) * 100)
            tap.put(Kind.OUTPUT, len(sent), sent[-1])
            time.sleep(0.0002)
        if round_ < 2:
            wait_for(lambda: process.written > 50)
            os.kill(process.pid, signal.SIGKILL)
            killed = process.restarts
            wait_for(lambda was=killed: process.problem() is None and process.restarts > was)  # type: ignore[misc]
    assert process.close() is None
    assert process.restarts == 2
    assert data_of(process) == sent


QUOTER = """
import sys, time
from pathlib import Path
from feed import journal_process
from feed.frames import MessageHandler
from feed.journal_process import JournalOptions, JournalProcess
from feed.tap import Tap
process = JournalProcess(JournalOptions(Path(sys.argv[1])))
tap = Tap(MessageHandler(), process.ring)
print(process.directory, process.pid, flush=True)
for i in range(1_000_000):
    tap.put(0, i, b"%d" % i)
    print(i, flush=True)
"""


def test_kill_9_of_the_quoter_loses_no_record(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", QUOTER, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    directory, writer = child.stdout.readline().decode().split()
    while (last := int(child.stdout.readline())) < 5000:
        pass
    child.kill()
    last = max([last, *(int(line) for line in child.stdout.read().split(b"\n")[:-1] if line)])
    child.wait()
    wait_for(lambda: not Path(f"/proc/{writer}").exists() or "Z" in Path(f"/proc/{writer}/stat").read_text())
    records = list(Journal(Path(directory)).records())
    assert [int(record.data) for record in records] == list(range(len(records)))
    assert len(records) > last
    assert not [name for name in rings.segments("quoter.journal") if f"-{child.pid}-" in name]


def test_a_writer_that_takes_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_process, "SILENCE_S_MAX", 0.2)
    process = JournalProcess(JournalOptions(tmp_path, ring_slots=4096))
    tap = Tap(MessageHandler(), process.ring)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(0.3)  # a start that compiles for long, or a quoter that was stopped: nobody asks
    tap.put(Kind.MESSAGE, 1, b"first")
    assert process.problem() is None, "the writer had no time for it yet"
    wait_for(lambda: process.problem() is not None)
    assert process.problem() == "journal: the writer has taken nothing for 0.2 s"
    os.kill(process.pid, signal.SIGCONT)
    wait_for(lambda: process.problem() is None)
    assert process.close() is None


def test_an_overrun_is_told(tmp_path: Path) -> None:
    process = JournalProcess(JournalOptions(tmp_path, ring_slots=16))
    tap = Tap(MessageHandler(), process.ring)
    for i in range(200):
        tap.put(Kind.MESSAGE, i, b"x")
    wait_for(lambda: "lost" in (process.problem() or ""))
    process.close()


def test_a_disk_that_fails_is_told(tmp_path: Path) -> None:
    process = JournalProcess(JournalOptions(tmp_path, ring_slots=1024))
    tap = Tap(MessageHandler(), process.ring)
    tap.put(Kind.MESSAGE, 0, b"x")
    wait_for(lambda: process.written == 1)
    # The next segment's name is taken: as good as a disk that refuses.
    os.kill(process.pid, signal.SIGKILL)
    (process.directory / "000001.journal").mkdir()
    wait_for(lambda: "journal" in (process.problem() or ""))
    process.close()


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    process = JournalProcess(JournalOptions(tmp_path, ring_slots=1024))
    tap = Tap(MessageHandler(), process.ring)
    tap.put(Kind.MESSAGE, 0, b"x")
    wait_for(lambda: process.written == 1)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    for i in range(100):
        tap.put(Kind.MESSAGE, i, b"x" * 400)
    wait_for(lambda: os.strerror(errno.EFBIG) in (process.problem() or ""))
    assert os.strerror(errno.EFBIG) in (process.close() or "")
    assert len(data_of(process)) >= 1


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("")
    with pytest.raises(OSError, match="file"):
        JournalProcess(JournalOptions(tmp_path / "file" / "journal"))


def test_a_token_that_the_venue_echoes_is_not_written() -> None:
    token = b"eyJhbGciOiJSUzUxMiJ9.eyJpYXQiOjE3OTU.c2lnbmF0dXJlCANARY"
    row = (Kind.MESSAGE, 0, 0, True, b'{"error":"bad token ' + token + b'"}')
    assert redacted(row)[4] == b'{"error":"bad token (token)"}'
    assert not re.search(rb"CANARY", redacted(row)[4])
    plain = (Kind.MESSAGE, 0, 0, True, b'{"mark_price":60000.5}')
    assert redacted(plain) is plain
