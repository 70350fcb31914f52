"""Markouts: the mean of (fair price later - price of the fill) in our direction after each fill of a resting order, in bps of its
price, before fees, for each side and level.

The one at time 0 is the edge; what a later one is below it is adverse selection. A price is that of the first look at or after its
time; where none is known until much later, the fill is missed for that time. Levels count from the best price of ours that stood.
"""

from libc.math cimport sqrt
from libc.stdint cimport INT64_MAX, int32_t, int64_t

from engine.core.orders cimport SLOT_AMENDING, SLOT_LIVE, OrderTable

AFTER_S = (0.0, 0.1, 1.0, 10.0, 60.0, 300.0)

cdef int64_t[6] AFTER_NS = [0, 100000000, 1000000000, 10000000000, 60000000000, 300000000000]
cdef enum:
    LATE_NS = 1000000000         # a price that comes later than this, or than a tenth of the time, is another one


cdef class Markouts:
    """One instrument's."""

    def __cinit__(self):
        self.due_ns = INT64_MAX

    cdef void fill_c(self, OrderTable table, int32_t instrument, int32_t side, int64_t ticks, double time_s, double tick_usd,
                     double fair_usd, int64_t now_ns) noexcept nogil:
        """A fill of a resting order, at a time when ``fair_usd`` was the price."""
        cdef int32_t i, j, slot, state, level
        cdef int64_t price
        cdef bint seen
        cdef Made* made
        if time_s != self.order_s or side != self.order_side:
            self.order_s = time_s
            self.order_side = side
            self.order_levels = 0
        elif ticks != self.order_ticks:
            # What the same market order took before stood in front, and is gone.
            self.order_levels += 1
        self.order_ticks = ticks
        level = self.order_levels
        if not fair_usd > 0.0:
            self.missed += 1
            return
        for i in range(table.count_c(instrument, side)):
            slot = table.at_c(instrument, side, i)
            state, price = table.slot_[slot].state, table.slot_[slot].price_ticks
            if (state != SLOT_LIVE and state != SLOT_AMENDING) or side * (price - ticks) <= 0:
                continue
            seen = False
            for j in range(i):
                seen = seen or table.slot_[table.at_c(instrument, side, j)].price_ticks == price
            level += not seen
        for i in range(1, AFTERS):
            if self.made - self.next_[i] == FILLS_KEPT:
                self.next_[i] += 1
                self.missed += 1
        made = &self.made_[self.made % FILLS_KEPT]
        made.at_ns = now_ns
        made.price_usd = ticks * tick_usd
        made.side = side
        made.level = min(level, LEVELS - 1)
        self.made += 1
        self.count_c(made, 0, fair_usd)
        self.plan_c()

    cdef void count_c(self, Made* made, int32_t after, double fair_usd) noexcept nogil:
        cdef double bps = made.side * (fair_usd / made.price_usd - 1.0) * 1e4
        cdef Sum* total = &self.sum_[0 if made.side > 0 else 1][made.level][after]
        total.count += 1
        total.total_bps += bps
        total.square_bps += bps * bps

    cdef void plan_c(self) noexcept nogil:
        """When the next price is wanted."""
        cdef int32_t i
        self.due_ns = INT64_MAX
        for i in range(1, AFTERS):
            if self.next_[i] < self.made:
                self.due_ns = min(self.due_ns, self.made_[self.next_[i] % FILLS_KEPT].at_ns + AFTER_NS[i])

    cdef void look_c(self, double fair_usd, int64_t now_ns) noexcept nogil:
        """Count every fill whose time has come; without a price they wait."""
        cdef int64_t due_ns
        cdef int32_t i
        cdef Made* made
        if not fair_usd > 0.0:
            return
        for i in range(1, AFTERS):
            while self.next_[i] < self.made:
                made = &self.made_[self.next_[i] % FILLS_KEPT]
                due_ns = made.at_ns + AFTER_NS[i]
                if due_ns > now_ns:
                    break
                self.next_[i] += 1
                if now_ns - due_ns > max(<int64_t>LATE_NS, AFTER_NS[i] // 10):
                    self.missed += 1
                else:
                    self.count_c(made, i, fair_usd)
        self.plan_c()

    def told(self) -> dict:
        """By side and level, 'all' being all levels: counts, means in bps and half-widths of their 95 % intervals, for each of
        ``after_s``; None where there are fewer than two fills.
        """
        return {"after_s": list(AFTER_S), "missed": self.missed, "bid": self._side(0), "ask": self._side(1)}

    def _side(self, int32_t key) -> dict:
        rows = [[self.sum_[key][level][i] for i in range(AFTERS)] for level in range(LEVELS)]
        together = [{name: sum(row[i][name] for row in rows) for name in rows[0][i]} for i in range(AFTERS)]
        told = {"all": _row(together)}
        for level, row in enumerate(rows):
            if row[0]["count"]:
                told[str(level)] = _row(row)
        return told


def _row(list sums) -> dict:
    return {
        "fills": [row["count"] for row in sums],
        "mean_bps": [round(row["total_bps"] / row["count"], 4) if row["count"] else None for row in sums],
        "error_bps": [_error(row) for row in sums],
    }


def _error(dict row):
    n = row["count"]
    if n < 2:
        return None
    variance = max(row["square_bps"] - row["total_bps"] * row["total_bps"] / n, 0.0) / (n - 1)
    return round(1.96 * sqrt(variance / n), 4)
