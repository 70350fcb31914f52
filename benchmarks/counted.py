"""The pure parts, one after another, each in a few C calls that callgrind can count: what it runs.

    python -m benchmarks.counted FILE

FILE holds a pickled ``Work``. Behind each part the clock's cost is asked for, at which callgrind writes what it has
counted. Imports are few, because under callgrind everything takes fifty times as long.
"""

import gc
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.bench.harness import CountingSink, Player, clock_cost_ns, repeat_fill, repeat_quote, repeat_volatility
from engine.core.plan import CorePlan
from engine.core.step import Core
from engine.sim.tape import Tape
from feed.decode import Decoder
from feed.encode import Encoder
from feed.frames import MessageHandler
from feed.outbox import Outbox
from feed.symbols import SymbolTable
from feed.tap import SLOT_BYTES, Tap
from kernels import kept
from kernels.addresses import Addresses
from kernels.histogram import Histogram
from kernels.records import POSITION
from kernels.ring import RingReader, RingWriter

COUNTED = (
    ("feed.decode", "Decoder", "repeat"),
    ("feed.encode", "Encoder", "repeat_mass_quote"),
    ("engine.bench.harness", "", "repeat_quote"),
    ("engine.bench.harness", "", "repeat_volatility"),
    ("engine.bench.harness", "", "repeat_fill"),
    ("engine.bench.harness", "Player", "time_messages"),
    ("feed.outbox", "Outbox", "submit"),
    ("kernels.ring", "RingWriter", "push"),
    ("kernels.ring", "RingReader", "read"),
    ("kernels.histogram", "Histogram", "record"),
    ("feed.tap", "Tap", "put"),
)
"""Module, class and name of the functions whose instructions count, with everything they call."""

DUMPED = ("engine.bench.harness", "", "clock_cost_ns")
"""Behind it callgrind writes what it has counted."""

DECODED = ("ticker", "lwt", "book", "session", "reply")
STEPS = ("ticker", "lwt", "book", "reply")
STEP_NS = 100_000_000
BUDGET_NS = 30_000_000


@dataclass(frozen=True, slots=True)
class Played:
    """A session of ``engine.bench.tapes``, and the kind of each of its inputs."""

    plan: CorePlan
    tape: Tape
    live_at: int
    kinds: tuple[str, ...]

    def begun(self, addresses: Addresses) -> tuple[Core, Player]:
        """A core that has played up to its first quotes."""
        core, player = Core(self.plan, addresses), Player(self.tape)
        core.attach(CountingSink())
        player.play(core, 0, self.live_at)
        return core, player


@dataclass(frozen=True, slots=True)
class Work:
    """What is counted: ``names`` of parts, each ``n`` times. ``sessions``: by way to quote. ``kernels``: their
    object code, for a processor that callgrind knows.
    """

    names: tuple[str, ...]
    n: int
    frames: dict[str, bytes]
    sessions: dict[str, Played]
    kernels: bytes
    slowed_quote: bytes | None = None

    def addresses(self) -> Addresses:
        """The kernels, in memory once more for each part."""
        found = kept.linked(self.kernels, kept.names())
        if self.slowed_quote is not None:
            found |= kept.linked(self.slowed_quote, ("quote",))
        return Addresses(**found)


def decode(work: Work, kind: str) -> int:
    frame, instruments = work.frames[kind], SymbolTable(64)
    instruments.add(b"BTC-PERPETUAL", 0)
    decoder = Decoder(SymbolTable(64), instruments, SymbolTable(64))
    if frame.startswith(b'{"channel_name":"'):
        decoder.add_channel(frame[17:].partition(b'"')[0].decode())
    assert decoder.repeat(frame, work.n) == work.n, "a frame was left to the slow decoder"
    return work.n


def encode(work: Work) -> int:
    assert Encoder().repeat_mass_quote(b"BTC-PERPETUAL", 60_000 * 10**8, 10**8, 4_900_000, 3, work.n) > 0
    return work.n


def step(work: Work, kind: str, mode: str) -> int:
    """One message of a kind through the whole core; a book message is answered."""
    session = work.sessions[mode]
    core, player = session.begun(work.addresses())
    found = 0
    for i, here in enumerate(session.kinds):
        if i < session.live_at:
            continue
        if here == kind:
            player.time_messages(core, i, i + 1)
            found += 1
        else:
            player.play(core, i, i + 1)
    return found


def kernel(work: Work, name: str) -> int:
    addresses = work.addresses()
    core, _ = work.sessions["mass_quote"].begun(addresses)
    records = {each: np.array([record]) for each, record in core.instruments[0].records().items()}
    at = {each: array.ctypes.data for each, array in records.items()}
    if name == "quote":
        assert repeat_quote(addresses.quote, at["market"], at["model"], at["target"], work.n) == 0
    elif name == "volatility":
        assert repeat_volatility(addresses.volatility, at["volatility"], 60_000.0, STEP_NS, work.n) > 0
    else:
        position = np.zeros(1, POSITION)
        assert repeat_fill(addresses.fill, position.ctypes.data, 5, 60_000, work.n) == 0
    return work.n


def outbox(work: Work) -> int:
    box = Outbox(CountingSink(), 50)
    for i in range(work.n):
        assert box.submit(2, b"x" * 240, i * BUDGET_NS) == 1
    return work.n


def ring(work: Work) -> int:
    records = np.zeros(100, "V64")
    with RingWriter("bench", "counted", 4096, 64) as writer:
        reader = RingReader(writer.name, 64)
        for _ in range(max(1, work.n // 100)):
            writer.push(records)
            _, got = reader.read(100)
            assert len(got) == 100
    return max(1, work.n // 100) * 100


def histogram(work: Work) -> int:
    figures = Histogram()
    for i in range(work.n):
        figures.record(100 + 37 * (i & 511))
    return work.n


def journal(work: Work) -> int:
    with RingWriter("bench", "counted", 4096, SLOT_BYTES) as made:
        tap = Tap(MessageHandler(), made)
        for i in range(work.n):
            tap.put(0, i * STEP_NS, work.frames["ticker"])
    return work.n


PARTS: dict[str, Callable[[Work], int]] = {
    **{f"decode.{kind}": lambda work, kind=kind: decode(work, kind) for kind in DECODED},
    "encode.mass_quote": encode,
    **{f"kernels.{name}": lambda work, name=name: kernel(work, name) for name in ("quote", "volatility", "fill")},
    **{f"step.{kind}": lambda work, kind=kind: step(work, kind, "mass_quote") for kind in STEPS},
    "step.orders.book": lambda work: step(work, "book", "orders"),
    "outbox.submit": outbox,
    "ring.push_read": ring,
    "histogram.record": histogram,
    "journal.tap": journal,
}
"""Each does its part about ``work.n`` times and says how often."""


def main(file: str) -> None:
    """Do the parts of a pickled ``Work``; how often each was done is printed as one line a part."""
    work: Any = pickle.loads(Path(file).read_bytes())
    gc.disable()
    for name in work.names:
        done = PARTS[name](work)
        clock_cost_ns(1)
        print(name, done)


if __name__ == "__main__":
    main(sys.argv[1])
