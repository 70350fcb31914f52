"""Quoting by insert, amend and cancel (protocol section 6), for accounts that may not mass quote."""

cimport cython
from libc.stdint cimport int32_t, int64_t

from engine.core.instrument cimport Instrument
from engine.core.orders cimport Slot
from engine.core.quoter cimport Quoter
from engine.core.requests cimport Request


@cython.final
cdef class OrderQuoter(Quoter):
    cdef bint work_side_c(self, Instrument instrument, int32_t side, int64_t now_ns) noexcept
    cdef bint insert_c(self, Instrument instrument, int32_t side, int32_t level, int32_t priority, int64_t now_ns) noexcept
    cdef bint amend_c(self, Instrument instrument, int32_t index, int32_t level, int32_t priority, int64_t now_ns) noexcept
    cdef void cancel_c(self, int32_t index, int64_t now_ns) noexcept
    cdef void chase_c(self, Instrument instrument, int64_t now_ns) noexcept
    cdef void chase_again_c(self, Slot* order) noexcept
    cdef void chase_at_c(self, Instrument instrument, int64_t at_ns) noexcept
    cdef int32_t index_c(self, Request* request) noexcept nogil
    cdef bint admitted_c(self, int32_t priority, int64_t now_ns) noexcept
