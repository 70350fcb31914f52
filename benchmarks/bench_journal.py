"""A message through the journal's tap into shared memory, against packing and keeping the same in plain Python."""

from collections import deque
from struct import Struct
from zlib import crc32

from benchmarks.conftest import Race
from benchmarks.recorded import frame
from feed.frames import MessageHandler
from feed.tap import SLOT_BYTES, Tap
from kernels.ring import RingWriter

N = 500
START_NS = 1_795_000_000_000_000_000
MESSAGE = 0


def test_journal(race: Race) -> None:
    data, n = frame("ticker"), 5 if race.smoke else N
    head, kept = Struct("<IBBBBQq"), deque[bytes](maxlen=4096)

    def theirs() -> None:
        for i in range(n):
            kept.append(head.pack(crc32(data), MESSAGE, 1, 0, 0, i, START_NS) + data)

    with RingWriter("bench", "journal", 4096, SLOT_BYTES) as ring:
        tap = Tap(MessageHandler(), ring)

        def ours() -> None:
            for _ in range(n):
                tap.put(MESSAGE, START_NS, data)

        race("journal.tap", ours, theirs, "crc32 + pack + deque", ops=n, their_ops=n)
        assert tap.sequence > 0 and tap.sequence % n == 0 and ring.published >= tap.sequence
