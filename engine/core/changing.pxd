"""A plan that changes while the core runs. Owner: the core's thread."""

from libc.stdint cimport int64_t

from engine.core.account cimport Account

cdef class Changing(Account):
    cdef int64_t data_stale_ns
    cdef int64_t reply_ns
    cdef int64_t audit_ns
    cdef readonly int64_t config_version    # plans taken since the start
    cdef bint protect_late                  # protection changed while the set-up was past it: filled anew once live
