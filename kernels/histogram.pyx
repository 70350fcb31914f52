"""Latency histogram: logarithmic buckets with linear sub-buckets, in memory that other processes may map.

Values are nanoseconds. Those below 256 are kept exactly; above, every power of two is cut into 128 equal buckets, so
that a value read back is at most 1/128 (0.8 %) above the one recorded, and never below it (the scheme of HdrHistogram,
http://hdrhistogram.org). Recording costs one index computation and one increment, and allocates nothing.

One writer. Readers may be other threads or processes: every word is aligned, written by plain stores and only grows
between resets, so what a reader sees is never torn; a sum over buckets may miss a record in progress.

Layout, 8-byte words::

    0      magic and version
    1      largest value, ns
    2      values below 1 ns, counted here only
    3      values above RANGE_NS, counted here and in the last bucket
    4      sum of the values, ns, as a double (exact below 2^53 ns)
    5..7   reserved, 0
    8..    BUCKETS counts
"""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

cdef int64_t MAGIC = 0x32305453494851    # "QHIST02", little-endian

RANGE_NS = LIMIT_NS
SIZE_BYTES = WORDS * sizeof(int64_t)


cdef inline int64_t lowest_of(int32_t bucket) noexcept nogil:
    """The smallest value that falls into a bucket; that of the next one, less 1, is the largest."""
    if bucket < 2 << SUB_BITS:
        return bucket
    cdef int32_t shift = (bucket >> SUB_BITS) - 1
    return <int64_t>((bucket & ((1 << SUB_BITS) - 1)) | (1 << SUB_BITS)) << shift


cdef int64_t used_words_c(const int64_t* counts) noexcept nogil:
    cdef int64_t largest = min(counts[MAX_WORD], LIMIT_NS)
    return HEADER_WORDS + (bucket_of(largest) + 1 if largest > 0 else 0)


cdef void hidden_c(int64_t* counts, int64_t value_ns, int64_t expected_ns) noexcept nogil:
    cdef int64_t value = min(value_ns, LIMIT_NS)
    cdef int64_t missing = value // expected_ns - 1 if value > 0 and expected_ns > 0 else 0
    cdef int64_t low, high, first, last
    cdef int32_t bucket
    if missing < 1:
        return
    # Bucket by bucket: a long stall costs no more than the number of buckets.
    for bucket in range(bucket_of(expected_ns), bucket_of(value) + 1):
        low = lowest_of(bucket)
        high = lowest_of(bucket + 1) - 1
        last = min((value - low) // expected_ns, missing) if value >= low else 0
        first = (value - high + expected_ns - 1) // expected_ns if value > high else 1
        if last >= first:
            counts[HEADER_WORDS + bucket] += last - max(first, <int64_t>1) + 1
    (<double*>counts)[SUM_WORD] += missing * (<double>value - 0.5 * expected_ns * (missing + 1.0))
    if value - expected_ns > counts[MAX_WORD]:
        counts[MAX_WORD] = value - expected_ns


cdef class Histogram:
    """Counts of latencies from 1 ns to 100 s.

    memory: a writable buffer of at least ``SIZE_BYTES``, 8-byte aligned; the histogram keeps it alive. All zeros are an
    empty histogram, one written before is carried on. Without it the memory is private.
    """

    def __cinit__(self, memory=None):
        cdef int64_t[::1] words
        view = memoryview(bytearray(SIZE_BYTES) if memory is None else memory).cast("B")
        if view.readonly or view.nbytes < SIZE_BYTES:
            raise ValueError(f"histogram memory: {SIZE_BYTES} writable bytes are needed, {view.nbytes} were given")
        self.memory = view[:SIZE_BYTES].cast("q")
        words = self.memory
        self.counts_ = &words[0]
        if <size_t>self.counts_ % sizeof(int64_t):
            raise ValueError("histogram memory is not aligned to 8 bytes")
        if self.counts_[MAGIC_WORD] == 0:
            self.counts_[MAGIC_WORD] = MAGIC
        elif self.counts_[MAGIC_WORD] != MAGIC:
            raise ValueError("histogram memory holds something else, or another version of the layout")

    cdef void record_c(self, int64_t value_ns) noexcept nogil:
        count_c(self.counts_, value_ns)

    def record(self, int64_t value_ns) -> None:
        """Count one value: below 1 ns only in ``below``, above ``RANGE_NS`` in the last bucket and in ``above``."""
        self.record_c(value_ns)

    def record_corrected(self, int64_t value_ns, int64_t expected_interval_ns) -> None:
        """Count a value and those that a stall this long kept from being measured (coordinated omission, G. Tene).

        Where one value every ``expected_interval_ns`` was to be seen, a value of n intervals hides others of n - 1,
        n - 2 … 1 intervals. They are added too.
        """
        if expected_interval_ns < 1:
            raise ValueError(f"expected interval {expected_interval_ns} ns: give at least 1")
        count_c(self.counts_, value_ns)
        hidden_c(self.counts_, value_ns, expected_interval_ns)

    @property
    def count(self) -> int:
        """Values recorded, those above the range included."""
        cdef int64_t total = 0
        cdef int32_t bucket
        for bucket in range(BUCKETS):
            total += self.counts_[HEADER_WORDS + bucket]
        return total

    @property
    def max(self) -> int:
        """The largest value recorded, ns, exactly, also beyond the range; 0 when empty."""
        return self.counts_[MAX_WORD]

    @property
    def below(self) -> int:
        """Values below 1 ns: a clock that stood still or went back."""
        return self.counts_[BELOW_WORD]

    @property
    def above(self) -> int:
        """Values above ``RANGE_NS``."""
        return self.counts_[ABOVE_WORD]

    @property
    def sum(self) -> float:
        """Sum of the values from 1 ns on, those beyond the range included; exact below 2^53 ns."""
        return (<double*>self.counts_)[SUM_WORD]

    @property
    def mean(self) -> float:
        """Mean of the values from 1 ns on; 0.0 when empty."""
        total = self.count
        return self.sum / total if total else 0.0

    def percentile(self, double p) -> int:
        """The value in ns that p percent of the values do not exceed: at most 1/128 above it; 0 when empty.

        p: 0 to 100; 0 is the smallest value, 100 the largest.
        """
        cdef int64_t seen = 0
        cdef int64_t wanted
        cdef int32_t bucket
        if not 0.0 <= p <= 100.0:
            raise ValueError(f"percentile {p}: give 0 to 100")
        total = self.count
        # Rounded up: the smallest rank that covers p percent.
        wanted = max(-int(-p * total // 100.0), 1)
        for bucket in range(BUCKETS):
            seen += self.counts_[HEADER_WORDS + bucket]
            if seen >= wanted:
                # Only the last bucket holds values beyond its own edge, and only the maximum tells how far.
                if bucket == BUCKETS - 1:
                    return self.counts_[MAX_WORD]
                return min(lowest_of(bucket + 1) - 1, self.counts_[MAX_WORD])
        return 0

    def merge(self, Histogram other not None) -> None:
        """Add another histogram's counts to this one."""
        cdef int32_t bucket
        for bucket in range(BUCKETS):
            self.counts_[HEADER_WORDS + bucket] += other.counts_[HEADER_WORDS + bucket]
        self.counts_[BELOW_WORD] += other.counts_[BELOW_WORD]
        self.counts_[ABOVE_WORD] += other.counts_[ABOVE_WORD]
        (<double*>self.counts_)[SUM_WORD] += (<double*>other.counts_)[SUM_WORD]
        self.counts_[MAX_WORD] = max(self.counts_[MAX_WORD], other.counts_[MAX_WORD])

    def reset(self) -> None:
        """Back to empty. Only the writer may call it."""
        memset(self.counts_ + 1, 0, (WORDS - 1) * sizeof(int64_t))

    def as_dict(self) -> dict[str, int]:
        """``p50``, ``p99``, ``p999``, ``max`` and ``mean`` (rounded) in ns, and ``n``, the number of values."""
        return {
            "p50": self.percentile(50.0),
            "p99": self.percentile(99.0),
            "p999": self.percentile(99.9),
            "max": self.max,
            "mean": round(self.mean),
            "n": self.count,
        }
