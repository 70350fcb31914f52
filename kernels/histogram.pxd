"""Latency histogram: logarithmic buckets with linear sub-buckets, in memory that other processes may map."""

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef extern from *:
    """
    #define QUOTER_HISTOGRAM_NS 100000000000LL
    """
    int clz "__builtin_clzll"(unsigned long long) noexcept nogil
    const int64_t LIMIT_NS "QUOTER_HISTOGRAM_NS"

cdef enum:
    SUB_BITS = 7
    MAGIC_WORD = 0
    MAX_WORD = 1
    BELOW_WORD = 2
    ABOVE_WORD = 3
    SUM_WORD = 4
    HEADER_WORDS = 8
    BUCKETS = 3899                     # index of 100 s, plus one
    WORDS = HEADER_WORDS + BUCKETS

cdef class Histogram:
    cdef int64_t* counts_       # one writer; readers in other processes see monotone counts, possibly mid-update
    cdef object memory          # what owns counts_ (a private array or a shared mapping)
    cdef void record_c(self, int64_t value_ns) noexcept nogil

# On a histogram's memory (``counts_``). Coordinated omission (G. Tene): count what a stall of value_ns kept from being
# measured where one value every expected_ns was to be seen, value_ns - expected_ns, value_ns - 2 expected_ns …, but not
# value_ns itself.
cdef void hidden_c(int64_t* counts, int64_t value_ns, int64_t expected_ns) noexcept nogil
# Words of a histogram's memory up to the largest value; all behind them are 0.
cdef int64_t used_words_c(const int64_t* counts) noexcept nogil


cdef inline int32_t bucket_of(int64_t value_ns) noexcept nogil:
    """Bucket of a value in 1 to LIMIT_NS."""
    cdef int32_t shift = 63 - clz(<uint64_t>value_ns) - SUB_BITS
    if shift <= 0:
        return <int32_t>value_ns
    return (shift << SUB_BITS) + <int32_t>(value_ns >> shift)


cdef inline void count_c(int64_t* counts, int64_t value_ns) noexcept nogil:
    """Count one value, on a histogram's memory."""
    if value_ns < 1:
        counts[BELOW_WORD] += 1
        return
    if value_ns > counts[MAX_WORD]:
        counts[MAX_WORD] = value_ns
    if value_ns > LIMIT_NS:
        counts[ABOVE_WORD] += 1
        (<double*>counts)[SUM_WORD] += value_ns - LIMIT_NS
        value_ns = LIMIT_NS
    (<double*>counts)[SUM_WORD] += value_ns
    counts[HEADER_WORDS + bucket_of(value_ns)] += 1
