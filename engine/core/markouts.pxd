"""What the price did after our fills, of one instrument. Owner: the core's thread."""

from libc.stdint cimport int32_t, int64_t

from engine.core.orders cimport OrderTable

cdef enum:
    AFTERS = 6
    LEVELS = 10
    FILLS_KEPT = 1024            # within the longest time

cdef struct Made:                # one fill of a resting order
    int64_t at_ns
    double price_usd
    int32_t side
    int32_t level                # better prices of ours that stood on that side

cdef struct Sum:
    int64_t count
    double total_bps
    double square_bps

cdef class Markouts:
    cdef int64_t due_ns
    cdef int64_t made            # so far
    cdef int64_t next_[6]        # number of the next fill to be judged, for each time
    cdef readonly int64_t missed  # no price at that time, or too many fills
    cdef double order_s          # venue's time and side of the last market order that hit us, its last price and how many it took
    cdef int32_t order_side
    cdef int32_t order_levels
    cdef int64_t order_ticks
    cdef Sum sum_[2][10][6]
    cdef Made made_[1024]

    cdef void fill_c(self, OrderTable table, int32_t instrument, int32_t side, int64_t ticks, double time_s, double tick_usd,
                     double fair_usd, int64_t now_ns) noexcept nogil
    cdef void look_c(self, double fair_usd, int64_t now_ns) noexcept nogil
    cdef void count_c(self, Made* made, int32_t after, double fair_usd) noexcept nogil
    cdef void plan_c(self) noexcept nogil
