"""A latency recorded, against counting in a dict of the same buckets."""

from benchmarks.conftest import Race
from kernels.histogram import Histogram

N = 500


def test_histogram(race: Race) -> None:
    values = [100 + 37 * i for i in range(5 if race.smoke else N)]
    n, histogram, counts = len(values), Histogram(), dict[int, int]()

    def ours() -> None:
        for value in values:
            histogram.record(value)

    def theirs() -> None:
        for value in values:
            shift = max(value.bit_length() - 8, 0)
            bucket = (shift << 7) + (value >> shift)
            counts[bucket] = counts.get(bucket, 0) + 1

    race("histogram.record", ours, theirs, "dict of buckets", ops=n, their_ops=n)
    assert histogram.count > 0 and histogram.count % n == 0 and sum(counts.values()) % n == 0
