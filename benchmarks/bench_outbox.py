"""A request through the outbox (priority, budget, breaker, sink), against a token bucket in plain Python."""

from benchmarks.conftest import Race
from engine.bench.harness import CountingSink
from feed.outbox import Outbox

N = 500
STEP_NS = 30_000_000
QUOTE = 2


class Bucket:
    """One budget and a count of bytes: far less than the outbox."""

    def __init__(self, rate: int) -> None:
        self.rate, self.tokens, self.last_ns, self.sent = rate, float(rate), 0, 0

    def submit(self, priority: int, text: bytes, now_ns: int) -> int:
        self.tokens = min(self.rate, self.tokens + (now_ns - self.last_ns) * 1e-9 * self.rate)
        self.last_ns = now_ns
        if priority != 0 and self.tokens < 1.0:
            return 0
        self.tokens -= 1.0
        self.sent += len(text)
        return 1


def test_outbox(race: Race) -> None:
    text, n = b"x" * 240, 5 if race.smoke else N
    outbox, bucket, clock = Outbox(CountingSink(), 50), Bucket(50), [0]

    def run(box: Outbox | Bucket) -> None:
        now_ns = clock[0]
        for _ in range(n):
            now_ns += STEP_NS
            assert box.submit(QUOTE, text, now_ns) == 1
        clock[0] = now_ns

    race("outbox.submit", lambda: run(outbox), lambda: run(bucket), "plain Python bucket", ops=n, their_ops=n)
