"""Latency histogram: logarithmic buckets with linear sub-buckets, in memory that other processes may map."""

from libc.stdint cimport int64_t

cdef class Histogram:
    cdef int64_t* counts_       # one writer; readers in other processes see monotone counts, possibly mid-update
    cdef object memory          # what owns counts_ (a private array or a shared mapping)
    cdef void record_c(self, int64_t value_ns) noexcept nogil
