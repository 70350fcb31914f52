"""Records to another process: hand-over, throughput, and what readers that stall, die or come late do to the quoter.

The quoter writes its journal's ring as in a live run, and its ticks are timed as in ``bench_step``; the reference is
the same session without a reader, in turn. A reader that was not there during a round, because its processor was busy
with something else, does not count.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.conftest import ROUNDS, Race
from benchmarks.recorded import session
from engine.bench.figures import Rounds
from engine.bench.harness import Player
from engine.bench.in_process import journal_ring, played
from engine.bench.sharing import RECORD_BYTES, push
from feed.waterfall import Waterfall
from kernels.ring import RingWriter

CAPACITY = 4096
GAP_NS = 2_000
HAND_OVER_NS_MAX = 300
RECORDS_PER_US_MIN = 20
READER = """
import os, signal, sys, time
import numpy as np
from engine.bench.sharing import pull
from kernels.ring import RingReader

name, size, cpu, how = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
os.sched_setaffinity(0, {cpu})
attach = lambda: RingReader(name, size)
reader = None if how == "late" else attach()
print("ready", flush=True)
sys.stdin.readline()
time.sleep(0.002 if how == "late" else 0)
reader = reader or attach()
ends = how in ("dies", "stalls")
pull(reader, 500 if ends else 1, 10**9)
print(time.monotonic_ns(), flush=True)
if ends:
    os.kill(os.getpid(), signal.SIGKILL if how == "dies" else signal.SIGSTOP)
seen = pull(reader, 100_000, 10**8)
chunks = [seen[i : i + 500] for i in range(0, len(seen), 500)]
best = [min(np.percentile(chunk, p) for chunk in chunks) if chunks else 0 for p in (50, 99)]
print(len(seen) + 1, reader.lost, *best, flush=True)
"""


class Reader:
    """A reader in another process, on another processor where there is one."""

    def __init__(self, ring: RingWriter, how: str = "spins") -> None:
        cpu = max(os.sched_getaffinity(0) - {min(os.sched_getaffinity(0))} or os.sched_getaffinity(0))
        command = [sys.executable, "-c", READER, ring.name, str(ring.record_bytes), str(cpu), how]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.line() == "ready"

    def line(self) -> str:
        """What it says next; "" once it has ended."""
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()

    def go(self) -> None:
        """Read from now on."""
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()

    def state(self) -> str:
        """T: stopped; Z: dead."""
        return Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        with self._child:
            self._child.kill()


@contextmanager
def pinned() -> Iterator[None]:
    """On the first processor, which no reader uses where there is another."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def test_hand_over(race: Race) -> None:
    """From the push to the reader in another process; told with its goal."""
    n = 200 if race.smoke else 20_000
    with RingWriter("bench", "sharing", CAPACITY, RECORD_BYTES) as ring, Reader(ring) as reader, pinned():
        reader.go()
        race.once(lambda: push(ring, n, 20_000 if race.smoke else GAP_NS))
        reader.line()
        seen, lost, p50, p99 = reader.line().split()
    assert int(seen) > 0 and int(seen) + int(lost) == n, "what was lost is counted"
    race.tell(
        f"hand-over to another process, best 500 in a row: p50 {float(p50):.0f} ns, p99 {float(p99):.0f} ns "
        f"(goal {HAND_OVER_NS_MAX}), {lost} of {n} lost"
    )


def test_throughput(race: Race) -> None:
    """Pushes a second, while another process reads what it can; told with its goal."""
    n, rounds = (1_000, 1) if race.smoke else (1_000_000, 5)
    with RingWriter("bench", "sharing", CAPACITY, RECORD_BYTES) as ring, Reader(ring) as reader, pinned():
        reader.go()
        best_ns = race.once(lambda: min(push(ring, n)[0] for _ in range(rounds)))
        assert ring.published == n * rounds
    race.tell(f"pushed beside a spinning reader: {1e3 / best_ns:.0f} M records/s (goal {RECORDS_PER_US_MIN})")


@pytest.mark.parametrize("how", ["spins", "stalls", "dies", "late"])
def test_no_reader_moves_the_quoter(race: Race, how: str) -> None:
    """p50 and p99 of a tick beside a reader of the journal's ring, over those without one."""
    made = session(60 if race.smoke else 1_000)
    player, alone, beside = Player(made.tape), Rounds(), Rounds()
    player.waterfall = Waterfall()
    with journal_ring() as ring, pinned():
        for _ in range(1 if race.smoke else ROUNDS):
            _, ns, sent, _ = played(made, player, ring)
            alone.add(ns[(sent > 0) & (ns > 0)])
            with Reader(ring, how) as reader:
                reader.go()
                _, ns, sent, _ = played(made, player, ring)
                if took_part(reader, how, time.monotonic_ns()) or race.smoke:
                    beside.add(ns[(sent > 0) & (ns > 0)])
    race.once(lambda: None)
    assert beside.rounds, "no reader took part in any round: both processors are busy"
    race.tell(f"a reader that {how.replace('late', 'comes late')}: there in {len(beside.rounds)} of {ROUNDS} rounds")
    if not race.smoke:
        race.judge(f"sharing.{how}", beside, alone, "no reader")
        race.judge(f"sharing.{how}.p99", beside, alone, "no reader", percentile=99.0)


def took_part(reader: Reader, how: str, end_ns: int) -> bool:
    """Whether it read something before ``end_ns``, and then was as it should be."""
    if int(reader.line()) > end_ns:
        return False
    wanted = {"stalls": "T", "dies": "Z"}.get(how)
    deadline_s = time.monotonic() + 1.0
    while wanted and reader.state() != wanted and time.monotonic() < deadline_s:
        time.sleep(0.001)
    return wanted is None or reader.state() == wanted
