"""The journal of a simulated process: the real tap, ring, records and segments, on a disk that dies in every way.

The disk is a directory in memory. What a crash leaves of a file that was not synced is drawn by chance, byte by byte.
"""

import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from engine.core.step import Core
from engine.journal.replay import replay
from engine.live.recorded import RecordedCore
from engine.sim.violation import Violation
from feed.journal import Journal, JournalDamaged, Kind, segment_files
from feed.journal_segments import SegmentWriter
from feed.tap import SLOT_BYTES, Joiner, Tap
from kernels.ring import RingReader, RingWriter
from kernels.segment import DIRECTORY

Row = tuple[int, int, int, bool, bytes]
RING_SLOTS = 2048
WRITER_DIES = 0.01
SYNCS = 0.05
COMPRESSES = 0.05
_made = 0


def _label() -> str:
    """A name for a ring that no other one of this process has."""
    global _made  # noqa: PLW0603 - counts within the process, whoever makes rings
    _made += 1
    return f"trial{_made}"


def _state(core: Core) -> tuple[str, list[bytes]]:
    """Everything a core believes and counts but the bytes it sent: a replay has no tokens."""
    told = core.status()
    del told["outbox"]["bytes_out"]
    text = json.dumps(told, sort_keys=True)
    return text, [record.tobytes() for instrument in core.instruments for record in instrument.records().values()]


class Recorder:
    """Invariants 20 to 23 of one process. ``driven``: what its surroundings call; ``tap``: gets its messages.

    ``failed``: the disk takes nothing any more.
    """

    def __init__(self, core: Core, rng: Random, marks: Counter[str], now_ns: int) -> None:
        self.failed = False
        self._core = core
        self._rng = rng
        self._marks = marks
        self._place = tempfile.TemporaryDirectory(prefix="quoter-sim-", dir=DIRECTORY)
        self.directory = Path(self._place.name)
        self._segment_bytes = rng.choice((512, 4096, 1 << 20))
        self._segments = SegmentWriter(self.directory, self._segment_bytes)
        self._ring = RingWriter("quoter.sim", _label(), RING_SLOTS, SLOT_BYTES)
        self._attach()
        self._synced: tuple[Path | None, int] = (None, 0)
        self._before: list[int] = []
        self._outputs = 0
        self.tap = Tap(core, self._ring)
        self.driven = RecordedCore(core, self.tap, now_ns, {})

    def _attach(self) -> None:
        """A writing process begins, behind what is on the disk."""
        self._reader = RingReader(self._ring.name, SLOT_BYTES, oldest=True)
        self._joiner = Joiner(self._segments.sequence)

    # --- while it runs ----------------------------------------------------------------------------------------------

    def giving(self, sent: int) -> None:
        """A message is about to be given to the core, which has sent so many requests in all."""
        self._before.append(sent)

    def take(self, sent: int) -> None:
        """The core was called, and has sent so many requests in all: write, and judge what came into the ring."""
        rows = self._rows()
        self._ordered(rows, sent)
        if self.failed:
            return
        self._segments.append(rows)
        draw = self._rng.random()
        if draw < WRITER_DIES:
            self._writer_dies()
        elif draw < WRITER_DIES + SYNCS:
            self._segments.sync()
            files = segment_files(self.directory)
            self._synced = (files[-1], files[-1].stat().st_size)
        elif draw < WRITER_DIES + SYNCS + COMPRESSES:
            self._segments.tidy()

    def _rows(self) -> list[Row]:
        """What came into the ring."""
        _, slots = self._reader.read(RING_SLOTS)
        rows: list[Row] = self._joiner.join(slots.view("u1"))
        if self._joiner.lost:
            raise Violation(21, f"{self._joiner.lost} records were lost in a ring that holds them")
        return rows

    def _ordered(self, rows: list[Row], sent: int) -> None:
        """Each message stands before every request that was sent with knowledge of it, and each request is there."""
        messages = 0
        for kind, sequence, *_ in rows:
            if kind == Kind.OUTPUT:
                self._outputs += 1
            elif kind == Kind.REFUSED:
                self._outputs -= 1
            elif kind == Kind.MESSAGE:
                if messages >= len(self._before) or self._outputs != self._before[messages]:
                    raise Violation(20, f"record {sequence}: a request stands before the message that it depends on")
                messages += 1
        if messages != len(self._before):
            raise Violation(20, f"{len(self._before) - messages} messages of a read are not in the journal")
        if self._outputs != sent:
            raise Violation(20, f"{sent} requests were sent, the journal has {self._outputs}")
        self._before.clear()

    def _writer_dies(self) -> None:
        """Kill -9 of the writing process in the midst of a write; the next one goes on."""
        self._marks["journal: writer killed"] += 1
        self._segments.close()
        self._tear()
        self._segments = SegmentWriter(self.directory, self._segment_bytes)
        self._attach()
        self._segments.append(self._rows())
        if self._segments.sequence != self.tap.sequence:
            raise Violation(21, f"record {self._segments.sequence} was lost with the writing process")

    def _tear(self, *, zeros: bool = False) -> None:
        """Leave any beginning of the last segment that holds what was synced; ``zeros``: perhaps zeros for the rest."""
        files = segment_files(self.directory)
        if not files or files[-1].suffix == ".gz":
            return
        path, size = files[-1], files[-1].stat().st_size
        synced = self._synced[1] if self._synced[0] == path else 0
        kept = self._rng.randint(min(synced, size), size)
        os.truncate(path, kept)
        self._marks["journal: torn tail"] += kept < size
        if zeros and self._rng.random() < 0.5:
            os.truncate(path, size)
            self._marks["journal: zeros for data"] += kept < size

    # --- the end of the process -------------------------------------------------------------------------------------

    def crash(self) -> None:
        """The process dies: alone, so that the writer loses nothing, or with the machine. What is left is replayed."""
        power = not self.failed and self._rng.random() < 0.5
        if not self.failed:
            self._segments.append(self._rows())
        self._segments.close()
        if power:
            self._marks["journal: power lost"] += 1
            self._tear(zeros=True)
        self.verify(whole=not power and not self.failed)
        self.close()

    def close(self) -> None:
        """Take ring and disk away."""
        self._ring.close()
        self._place.cleanup()

    def verify(self, *, whole: bool) -> None:
        """What is on the disk is a beginning of what happened, and drives a fresh core to the same requests."""
        journal = Journal(self.directory)
        try:
            count = sum(1 for _ in journal.records())
        except JournalDamaged as damage:
            raise Violation(23, f"a crash has left more than a torn tail: {damage}") from None
        if whole and count != self.tap.sequence:
            raise Violation(21, f"{self.tap.sequence - count} of {self.tap.sequence} records are lost")
        if count == 0:
            return
        replayed = replay(self.directory)
        self._marks["journal: replayed"] += 1
        if not replayed.identical:
            event = replayed.difference.event.input if replayed.difference is not None else None
            raise Violation(22, f"a replay sends something else after {event}")
        if whole and _state(replayed.core) != _state(self._core):
            raise Violation(22, "a replay ends in another state")
