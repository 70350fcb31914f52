"""Limits that act on what a position has become. Owner: the core's thread."""

from libc.stdint cimport int32_t, int64_t

from engine.core.instrument cimport Instrument
from engine.core.risk cimport Gate

cdef struct Watch:                # of one instrument
    int32_t losses                # losing round trips in a row
    double booked_usd             # realised, less fees, plus funding, when the present round trip began
    int64_t recovered_ns          # since when nothing is left to reduce or the measure is back; 0: it is not

cdef class Monitors:
    cdef Gate gate
    cdef Watch* watch_
    cdef double stop_loss
    cdef double take_profit
    cdef double recovery
    cdef double closing_rate
    cdef int32_t max_losses
    cdef int64_t cooldown_ns

    cdef void watch_c(self, Instrument instrument, int64_t now_ns) noexcept nogil
    cdef void traded_c(self, Instrument instrument, int64_t before_lots) noexcept nogil
    cdef int64_t release_ns_c(self, Instrument instrument) noexcept nogil
    cdef double return_c(self, Instrument instrument) noexcept nogil
    cdef void begin_c(self, Instrument instrument, int32_t breach) noexcept nogil
    cdef bint recovered_c(self, Instrument instrument) noexcept nogil
