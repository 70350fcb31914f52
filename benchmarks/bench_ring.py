"""Records through the shared-memory ring, pushed and read in batches, against a deque of the same records."""

from collections import deque

import numpy as np

from benchmarks.conftest import Race
from kernels.ring import RingReader, RingWriter

BATCH = 1_000
RECORD_BYTES = 64


def test_ring(race: Race) -> None:
    n = 10 if race.smoke else BATCH
    records = np.zeros(n, f"V{RECORD_BYTES}")
    texts = [bytes(RECORD_BYTES)] * n
    queue: deque[bytes] = deque()

    def theirs() -> None:
        for text in texts:
            queue.append(text)
        for _ in texts:
            queue.popleft()

    with RingWriter("bench", "ring", 4096, RECORD_BYTES) as writer:
        reader = RingReader(writer.name, RECORD_BYTES)

        def ours() -> None:
            writer.push(records)
            _, got = reader.read(n)
            assert len(got) == n

        race("ring.push_read", ours, theirs, "collections.deque", ops=n, their_ops=n)
