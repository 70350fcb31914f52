"""The process that writes the journal: takes records out of the quoter's ring and puts them on the disk.

``python -m feed.journal_writer RING DIRECTORY SEGMENT_BYTES RETAIN_BYTES``. It outlives the quoter long enough to
write everything that was handed over, and it can be killed and started again: it goes on behind the last complete
record. It tells its progress in a small ring of its own (``STATUS``). An error of the disk ends it: the quoter sees
it in the status and stops quoting.
"""

import os
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np

from feed.journal import JournalDamaged
from feed.journal_segments import SegmentWriter, retain
from feed.tap import SLOT_BYTES, Joiner
from kernels.ring import CLOSED, OVERRUN, RingReader, RingWriter
from kernels.segment import DIRECTORY

RING_PREFIX = "quoter.journal"
STATUS = np.dtype([("sequence", "u8"), ("slots", "u8"), ("lost", "u8"), ("error", "i8"), ("cut_bytes", "u8")])
"""Progress: records written, slots taken, records lost to an overrun, errno of a failed disk, bytes of a torn tail."""

READ_SLOTS_MAX = 4096
IDLE_S = 0.01
SYNC_S = 1.0
ALIVE_S = 0.2
DAMAGED = 1_000
"""In place of an errno: what is on the disk cannot be continued."""

_TOKEN = re.compile(rb"\b[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")
_Row = tuple[int, int, int, bool, bytes]


def redacted(row: _Row) -> _Row:
    """A record without anything shaped like a token: a last resort, should the venue echo one."""
    if b"eyJ" not in row[4]:
        return row
    return (*row[:4], _TOKEN.sub(b"(token)", row[4]))


class JournalWriter:
    """Moves records from a ring to segments until the ring is closed or its writer is gone."""

    def __init__(self, ring: str, segments: SegmentWriter, retain_bytes: int) -> None:
        self._reader = RingReader(ring, SLOT_BYTES, oldest=True)
        self._segments = segments
        self._joiner = Joiner(segments.sequence)
        self._retain_bytes = retain_bytes
        self._status = RingWriter(RING_PREFIX, "status", 4, STATUS)
        self._synced_s = self._looked_s = time.monotonic()
        self._dirty = False
        self.tell()

    def tell(self, error: int = 0) -> None:
        """Publish the progress."""
        record = np.zeros(1, STATUS)
        record["sequence"] = self._segments.sequence
        record["slots"] = self._reader.position
        record["lost"] = self._joiner.lost
        record["error"] = error
        record["cut_bytes"] = self._segments.cut_bytes
        self._status.push(record)

    def run(self) -> None:
        """Until the end. Raises ``OSError`` when the disk fails."""
        number = -1
        while self._step():
            if number != self._segments.number and not self._segments.compressing:
                number = self._segments.number
                retain(self._segments.directory, self._retain_bytes)
            self._sync_now_and_then()
        self._segments.sync()
        self._segments.close()
        self.tell()

    def _step(self) -> bool:
        """Write what is there; wait a little when there is nothing. False at the end of the ring."""
        code, slots = self._reader.read(READ_SLOTS_MAX)
        if len(slots):
            rows = self._joiner.join(slots.view(np.uint8))
            self._segments.append([redacted(row) for row in rows])
            self._dirty = True
            self.tell()
            return True
        if code == OVERRUN:
            return True
        if code == CLOSED:
            return False
        now_s = time.monotonic()
        if now_s - self._looked_s > ALIVE_S:
            self._looked_s = now_s
            # Read once more after it was seen dead: what it pushed last may have come after the read above.
            if not self._reader.writer_alive() and self._reader.backlog == 0:
                return False
        if not self._segments.tidy():
            time.sleep(IDLE_S)
        return True

    def _sync_now_and_then(self) -> None:
        now_s = time.monotonic()
        if self._dirty and now_s - self._synced_s > SYNC_S:
            self._segments.sync()
            self._synced_s, self._dirty = now_s, False

    def close(self) -> None:
        """Remove the status ring."""
        self._status.close()


def main(ring: str, directory: str, segment_bytes: str, retain_bytes: str) -> int:
    """Entry of the process; 0 when everything was written."""
    # The operator's Ctrl-C is meant for the quoter: this process ends when the ring does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)
    _ordinary()
    try:
        segments = SegmentWriter(Path(directory), int(segment_bytes))
    except (JournalDamaged, OSError) as refused:
        print(f"journal: {refused}", file=sys.stderr)
        return 1
    writer = JournalWriter(ring, segments, int(retain_bytes))
    try:
        writer.run()
    except OSError as error:
        writer.tell(error.errno or DAMAGED)
        print(f"journal: {error}", file=sys.stderr)
        time.sleep(ALIVE_S)  # the last status is read before its ring goes
        return 1
    finally:
        writer.close()
    _remove(ring)
    return 0


def _ordinary() -> None:
    """Leave the quoter's processor and priority, which a child inherits."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setaffinity(0, range(os.cpu_count() or 1))


def _remove(ring: str) -> None:
    """Take the ring of a dead quoter away; one that closed it has done so itself."""
    try:
        os.unlink(os.path.join(DIRECTORY, ring))
    except FileNotFoundError:
        return


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
