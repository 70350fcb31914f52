"""Whether the market of one instrument is fit to be quoted in. Owner: the core's thread."""

from libc.stdint cimport int32_t, int64_t

from engine.core.orders cimport OrderTable
from kernels.book cimport Book
from kernels.records cimport Market

cdef enum:
    SLICES = 4                    # of the window of a move

cdef enum Alert:                  # what is wrong with a market; 0: nothing
    ALERT_NONE = 0
    ALERT_MOVE = 1
    ALERT_WIDE = 2
    ALERT_APART = 3

cdef class Alarm:
    cdef double move_share        # of the price
    cdef double move_sigma        # times sigma: USD
    cdef double calm
    cdef double wide_share
    cdef double apart_share
    cdef double thin_usd
    cdef int64_t slice_ns
    cdef int64_t hold_ns
    cdef int64_t ends_ns          # when the present slice of the window is over; 0: there is none
    cdef double low_usd           # of the present slice
    cdef double high_usd
    cdef double[4] lows_usd       # [SLICES] of those before
    cdef double[4] highs_usd
    cdef double floor_usd         # of all those before together
    cdef double ceiling_usd
    cdef int32_t slice
    cdef int64_t until_ns         # nothing is quoted until then, after a move; 0: there was none
    cdef double moved_usd         # the largest of the last alert, and its limit and price
    cdef double limit_usd
    cdef double price_usd
    cdef readonly int64_t moves   # alerts so far
    cdef int64_t thin_lots        # of a side, at the price of the present slice

    cdef int32_t judge_c(self, Market* market, double tick_usd, double lot_contracts, int64_t now_ns) noexcept nogil
    cdef void turn_c(self, double price_usd, double lot_contracts, int64_t now_ns) noexcept nogil
    cdef int32_t moved_c(self, double range_usd, double limit_usd, double price_usd, int64_t now_ns) noexcept nogil
    cdef bint thin_c(self, Book book, OrderTable table, int32_t instrument, int32_t side) noexcept nogil
    cdef void forget_c(self) noexcept nogil
