"""Records to another process: hand-over, throughput, and what readers that stall, die or come late do to the writer.

The reference is the same ring without a reader: a push must cost the same whoever reads.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from benchmarks.conftest import ROUNDS, Race
from engine.bench.figures import Rounds
from engine.bench.sharing import RECORD_BYTES, push
from kernels.ring import RingWriter

CAPACITY = 4096
GAP_NS = 2_000
SPINNING = """
import sys
import numpy as np
from engine.bench.sharing import RECORD_BYTES, pull
from kernels.ring import RingReader
reader = RingReader(sys.argv[1], RECORD_BYTES)
print("ready", flush=True)
found = pull(reader, int(sys.argv[2]), 20 * 10**9)
chunks = [found[i : i + 500] for i in range(0, len(found), 500)]
best = [min(np.percentile(chunk, p) for chunk in chunks) if chunks else 0 for p in (50, 99)]
print(len(found), reader.lost, *best, flush=True)
"""
READERS = {
    "spins": SPINNING,
    "stalls": SPINNING.replace("found = pull", "import time; time.sleep(60); found = pull"),
}


@contextmanager
def reader(code: str, name: str, n: int) -> Iterator["subprocess.Popen[str]"]:
    child = subprocess.Popen([sys.executable, "-c", code, name, str(n)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.kill()
        child.wait()


def test_hand_over(race: Race) -> None:
    """From the push to the reader in another process; told, and judged where there is a processor for each."""
    n = 200 if race.smoke else 200_000
    with RingWriter("bench", "sharing", CAPACITY, RECORD_BYTES) as ring, reader(SPINNING, ring.name, n + 1) as child:
        race.once(lambda: push(ring, n, 20_000 if race.smoke else GAP_NS))
        ring.close()
        assert child.stdout is not None
        seen, lost, p50, p99 = child.stdout.readline().split()
        assert int(seen) > 0 and int(seen) + int(lost) == n, "what was lost is counted"
        print(f"hand-over, best of rounds of 500: p50 {float(p50):.0f} ns, p99 {float(p99):.0f} ns, {lost} lost")


def test_throughput(race: Race) -> None:
    """Pushes a second, while another process reads what it can."""
    n = 1_000 if race.smoke else 5_000_000
    with RingWriter("bench", "sharing", CAPACITY, RECORD_BYTES) as ring, reader(SPINNING, ring.name, n):
        (mean_ns,) = race.once(lambda: push(ring, n))
        print(f"throughput: {1e3 / max(mean_ns, 1):.0f} M records/s")
        assert ring.published == n


@pytest.mark.parametrize("how", ["spins", "stalls", "dies", "comes late"])
def test_no_reader_moves_the_writer(race: Race, how: str) -> None:
    """p50 of a push beside a reader, over p50 without one; p99 is told."""
    n = 100 if race.smoke else 20_000
    alone, beside = Rounds(), Rounds()
    with RingWriter("bench", "sharing", CAPACITY, RECORD_BYTES) as ring:
        for _ in range(1 if race.smoke else ROUNDS):
            alone.add(push(ring, n, GAP_NS))
            if how == "comes late":
                child = subprocess.Popen([sys.executable, "-c", SPINNING, ring.name, str(n)], stdout=subprocess.DEVNULL)
                beside.add(push(ring, n, GAP_NS))
                child.kill()
                child.wait()
                continue
            with reader(READERS.get(how, SPINNING), ring.name, 10 * n) as child:
                if how == "dies":
                    os.kill(child.pid, signal.SIGKILL)
                elif how == "stalls":
                    os.kill(child.pid, signal.SIGSTOP)
                    time.sleep(0.01)
                beside.add(push(ring, n, GAP_NS))
    race.once(lambda: None)
    print(f"{how}: p99 of a push {beside.best(99):.0f} ns, alone {alone.best(99):.0f} ns")
    assert np.isfinite(beside.best(50))
    if not race.smoke:
        race.judge(f"sharing.{how.replace(' ', '_')}", beside, alone, "no reader")
