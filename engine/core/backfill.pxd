"""Public trades that the stream has left out, asked for again. Owner: the core's thread."""

from libc.stdint cimport int64_t

from engine.core.relisting cimport Relisting

cdef class Backfill(Relisting):
    cdef int64_t next_fetch_ns              # 0: not asked for
    cdef bint fetching                      # the last question is under way
    cdef readonly int64_t fetches           # so far
    cdef readonly int64_t fetches_failed
