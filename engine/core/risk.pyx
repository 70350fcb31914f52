"""Pre-trade gate: worst-case position, order size, price collar, own crossing, mode."""

from libc.math cimport INFINITY, fabs
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free

from engine.core.orders cimport OrderTable

REASONS = {
    GATE_PASS: "pass", GATE_WORST_CASE: "worst case over the position limit", GATE_ORDER_SIZE: "order size",
    GATE_PRICE: "price", GATE_COLLAR: "price collar", GATE_NO_REFERENCE: "no mark or index", GATE_SELF_CROSS: "own orders would cross",
    GATE_MODE: "mode",
}
MODES = {MODE_ACTIVE: "ACTIVE", MODE_REDUCING: "REDUCING", MODE_HALTED: "HALTED"}


cdef bint known(double usd, double share, double* centre, double* reach) noexcept nogil:
    """A reference price and how far from it a price may be; whether it is known. One that is not bounds nothing."""
    # Comparisons are written so that a NaN fails them.
    if not (usd > 0.0):
        centre[0] = 0.0
        reach[0] = INFINITY
        return False
    centre[0] = usd
    reach[0] = share * usd
    if not (reach[0] < INFINITY):
        reach[0] = -1.0     # no distance is one
    return True


cdef inline int32_t within(const Collar* collar, int64_t price_ticks, double tick_usd) noexcept nogil:
    """Collar against mark and index, whichever are known; at least one must be."""
    cdef double price = price_ticks * tick_usd
    if price_ticks <= 0:
        return GATE_PRICE
    if not collar.known:
        return GATE_NO_REFERENCE
    if not (fabs(price - collar.mark_usd) <= collar.mark_reach_usd) or not (fabs(price - collar.index_usd) <= collar.index_reach_usd):
        return GATE_COLLAR
    return GATE_PASS


cdef class Gate:
    """One gate for all instruments. An instrument whose limits were never set has none to spare: everything is refused."""

    def __cinit__(self, int32_t instruments):
        self.limits_ = <GateLimits*>calloc(instruments, sizeof(GateLimits))
        self.refusals_ = <int64_t*>calloc(GATE_CODES, sizeof(int64_t))
        if not (self.limits_ and self.refusals_):
            raise MemoryError("gate")

    def __dealloc__(self):
        free(self.limits_)
        free(self.refusals_)

    def set_limits(self, int32_t instrument, int64_t max_lots, int64_t max_order_lots, double collar, double tick_usd) -> None:
        """Limits of one instrument in lots; ``collar`` as a fraction of mark and of index."""
        self.limits_[instrument].max_lots = max_lots
        self.limits_[instrument].max_order_lots = max_order_lots
        self.limits_[instrument].collar = collar
        self.limits_[instrument].tick_usd = tick_usd

    def set_mode(self, int32_t mode) -> None:
        """ACTIVE, REDUCING or HALTED."""
        self.mode = mode

    cdef void reducing_c(self, int32_t instrument, bint reducing) noexcept nogil:
        """Let one instrument only reduce its position, or trade as the mode allows again; its limits stay as they are."""
        self.limits_[instrument].reducing = reducing

    def set_reducing(self, int32_t instrument, bint reducing) -> None:
        """Python twin of ``reducing_c``."""
        self.reducing_c(instrument, reducing)

    cdef Collar collar_c(self, int32_t instrument, double mark_usd, double index_usd) noexcept nogil:
        """Where prices of an instrument may be: around mark and index, whichever are known."""
        cdef Collar collar
        collar.known = known(mark_usd, self.limits_[instrument].collar, &collar.mark_usd, &collar.mark_reach_usd)
        collar.known |= known(index_usd, self.limits_[instrument].collar, &collar.index_usd, &collar.index_reach_usd)
        return collar

    cdef bint holds_c(self, OrderTable table, int32_t instrument, int64_t position_lots, double mark_usd, double index_usd) noexcept nogil:
        """Whether everything that may trade of an instrument is within the limits: asked when they were made smaller."""
        cdef int32_t side, i, index
        cdef Collar collar = self.collar_c(instrument, mark_usd, index_usd)
        for side in range(1, -2, -2):
            if table.exposure_c(instrument, side) > self.room_c(instrument, side, position_lots):
                return False
            for i in range(table.count_c(instrument, side)):
                index = table.at_c(instrument, side, i)
                if (table.slot_[index].lots - table.slot_[index].filled_lots > self.limits_[instrument].max_order_lots
                        or within(&collar, table.slot_[index].price_ticks, self.limits_[instrument].tick_usd) != GATE_PASS):
                    return False
        return True

    cdef int32_t side_c(self, OrderTable table, int32_t instrument, int32_t side, int64_t position_lots, int64_t exposure_lots,
                        int32_t n, const int64_t* price_ticks, const int64_t* lots, double mark_usd, double index_usd) noexcept nogil:
        """May these n orders be added to a side on which ``exposure_lots`` may still trade beside them?

        ``exposure_lots`` holds everything live, in flight and unknown on the side that the new orders do not provably replace.
        """
        cdef GateLimits* limits = &self.limits_[instrument]
        cdef Collar collar = self.collar_c(instrument, mark_usd, index_usd)
        cdef int64_t total = exposure_lots, most = limits.max_lots - side * position_lots
        cdef int64_t opposite = side * table.best_c(instrument, -side)
        cdef int32_t i, code
        if self.mode == MODE_HALTED:
            return self.verdict_c(GATE_MODE)
        for i in range(n):
            if lots[i] <= 0 or lots[i] > limits.max_order_lots:
                return self.verdict_c(GATE_ORDER_SIZE)
            code = within(&collar, price_ticks[i], limits.tick_usd)
            if code != GATE_PASS:
                return self.verdict_c(code)
            if side * price_ticks[i] >= opposite:
                return self.verdict_c(GATE_SELF_CROSS)
            # Each order is at most max_order_lots, so the sum cannot overflow before this stops it.
            total += lots[i]
            if total > most:
                return self.verdict_c(GATE_WORST_CASE)
        if (self.mode == MODE_REDUCING or limits.reducing) and total > -side * position_lots:
            return self.verdict_c(GATE_MODE)
        return self.verdict_c(GATE_PASS)

    def check(self, OrderTable table, int32_t instrument, int32_t side, int64_t position_lots, int64_t exposure_lots, price_ticks, lots,
              double mark_usd, double index_usd) -> str:
        """Python twin of ``side_c``: the verdict in words. Raises ValueError for more than ten levels."""
        cdef int64_t prices[10]
        cdef int64_t sizes[10]
        cdef int32_t i, n = len(lots)
        if n > 10 or len(price_ticks) != n:
            raise ValueError(f"{n} sizes and {len(price_ticks)} prices: at most 10 of each, and as many")
        for i in range(n):
            prices[i] = price_ticks[i]
            sizes[i] = lots[i]
        return REASONS[self.side_c(table, instrument, side, position_lots, exposure_lots, n, prices, sizes, mark_usd, index_usd)]

    def refusals(self) -> dict:
        """Refusals counted by reason."""
        return {REASONS[code]: self.refusals_[code] for code in range(1, GATE_CODES) if self.refusals_[code]}
