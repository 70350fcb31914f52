"""The gate: the only way to the encoder for anything that can add to exposure. Owner: the core's thread."""

cimport cython
from libc.stdint cimport int32_t, int64_t

from engine.core.orders cimport OrderTable

cdef enum GateCode:
    GATE_PASS = 0
    GATE_WORST_CASE = 1       # position plus everything that may still trade would pass the limit
    GATE_ORDER_SIZE = 2
    GATE_PRICE = 3            # not a positive price on the grid
    GATE_COLLAR = 4           # too far from mark or index
    GATE_NO_REFERENCE = 5     # neither mark nor index is known: fail closed
    GATE_SELF_CROSS = 6       # would meet an own order of the other side, live, in flight or unknown
    GATE_MODE = 7             # the mode does not allow it
    GATE_CODES = 8

cdef enum Mode:
    MODE_ACTIVE = 0
    MODE_REDUCING = 1         # only what reduces the position
    MODE_HALTED = 2           # only cancels

cdef struct GateLimits:       # of one instrument, in its ticks and lots
    int64_t max_lots          # worst-case position, both signs
    int64_t max_order_lots
    double collar             # fraction of the reference price
    double tick_usd
    bint reducing             # this instrument only reduces, whatever the mode

# Where a price may be: within reach of both centres. A reference that is not known has an infinite one.
cdef struct Collar:
    bint known                # at least one of them is: else nothing may be sent
    double mark_usd
    double mark_reach_usd
    double index_usd
    double index_reach_usd


@cython.final
cdef class Gate:
    cdef readonly int32_t mode
    cdef GateLimits* limits_
    cdef int64_t* refusals_   # [GATE_CODES]
    cdef readonly int64_t passed
    cdef readonly int64_t refused

    cdef inline int32_t verdict_c(self, int32_t code) noexcept nogil:
        """Count a decision and return it."""
        if code == GATE_PASS:
            self.passed += 1
        else:
            self.refused += 1
            self.refusals_[code] += 1
        return code

    cdef Collar collar_c(self, int32_t instrument, double mark_usd, double index_usd) noexcept nogil
    cdef int32_t side_c(self, OrderTable table, int32_t instrument, int32_t side, int64_t position_lots, int64_t exposure_lots,
                        int32_t n, const int64_t* price_ticks, const int64_t* lots, double mark_usd, double index_usd) noexcept nogil
    cdef inline int64_t room_c(self, int32_t instrument, int32_t side, int64_t position_lots) noexcept nogil:
        """Lots that a side may add before the worst case meets the limit; never negative."""
        cdef int64_t room = self.limits_[instrument].max_lots - side * position_lots
        if self.mode == MODE_HALTED:
            return 0
        if self.mode == MODE_REDUCING or self.limits_[instrument].reducing:
            # Both orders of one side trading must not flip the position.
            room = min(room, -side * position_lots)
        return room if room > 0 else 0

    cdef bint holds_c(self, OrderTable table, int32_t instrument, int64_t position_lots, double mark_usd, double index_usd) noexcept nogil
    cdef inline bint allows_c(self, int32_t instrument, int64_t position_lots) noexcept nogil:
        """Whether a position is within the limit by itself."""
        return -self.limits_[instrument].max_lots <= position_lots <= self.limits_[instrument].max_lots

    cdef void reducing_c(self, int32_t instrument, bint reducing) noexcept nogil
