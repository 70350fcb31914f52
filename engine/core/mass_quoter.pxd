"""Quoting by ``private/mass_quote`` (protocol section 7)."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from engine.core.instrument cimport Instrument
from engine.core.orders cimport Slot
from engine.core.quoter cimport Quoter
from engine.core.requests cimport Request
from feed.events cimport Reply


@cython.final
cdef class MassQuoter(Quoter):
    cdef int64_t settle_ns
    cdef int32_t fit_c(self, Instrument instrument, int32_t side, int32_t change) noexcept nogil
    cdef void take_slots_c(self, Instrument instrument, int32_t side, uint64_t request, int64_t now_ns) noexcept nogil
    cdef void answered_c(self, uint64_t request, bint accepted, bint whole, int64_t now_ns) noexcept
    cdef void doubt_c(self, Instrument instrument, uint64_t request) noexcept nogil
    cdef void await_c(self, Instrument instrument) noexcept nogil
    cdef bint heard_c(self, Instrument instrument, int64_t now_ns) noexcept nogil
    cdef void settle_c(self, Instrument instrument, int64_t now_ns) noexcept nogil
    cdef bint _kept_c(self, int32_t instrument, int32_t side, Slot* asked) noexcept nogil
    cdef void clear_c(self, int64_t now_ns) noexcept
    cdef bint to_clear_c(self, Instrument instrument) noexcept nogil
    cdef bint clear_pulled_c(self, Request* request, int64_t now_ns) noexcept
    cdef void give_up_c(self, Instrument instrument, uint64_t request, int64_t now_ns) noexcept nogil
