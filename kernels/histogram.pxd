"""Latency histogram: logarithmic buckets with linear sub-buckets, in memory that other processes may map."""

from libc.stdint cimport int64_t

cdef class Histogram:
    cdef int64_t* counts_       # one writer; readers in other processes see monotone counts, possibly mid-update
    cdef object memory          # what owns counts_ (a private array or a shared mapping)
    cdef void record_c(self, int64_t value_ns) noexcept nogil

# On a histogram's memory (``counts_``). Count one value.
cdef void count_c(int64_t* counts, int64_t value_ns) noexcept nogil
# Coordinated omission (G. Tene): count what a stall of value_ns kept from being measured where one value every
# expected_ns was to be seen, value_ns - expected_ns, value_ns - 2 expected_ns …, but not value_ns itself.
cdef void hidden_c(int64_t* counts, int64_t value_ns, int64_t expected_ns) noexcept nogil
# Words of a histogram's memory up to the largest value; all behind them are 0.
cdef int64_t used_words_c(const int64_t* counts) noexcept nogil
