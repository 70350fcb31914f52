"""Whether the market of one instrument is fit to be quoted in: a price that runs, a book too wide, too thin or off its mark.

A move is the range of the others' mid over a window, which is kept in slices: at least the window and at most a quarter more
of it is looked at. It alarms at a share of the price or at a multiple of what its volatility lets expect, whichever is less,
and goes on until the range has been below ``calm`` times that limit for ``hold``. Everything is decided on the tick that shows it.
"""

from libc.math cimport INFINITY, ceil, fabs, sqrt
from libc.stdint cimport INT64_MAX, int32_t, int64_t

from engine.core.orders cimport OrderTable, Slot
from kernels.book cimport Book
from kernels.records cimport Market


cdef class Alarm:
    """Silent until ``take_plan``."""

    def __cinit__(self):
        self.move_share = self.move_sigma = self.wide_share = self.apart_share = INFINITY
        self.slice_ns = INT64_MAX >> 2

    def take_plan(self, pulls, double apart_share) -> None:
        """Judge by an engine.core.plan.Pulls from now on; ``apart_share``: how far from mark or index a price may be."""
        self.move_share = pulls.move_bps * 1e-4
        self.move_sigma = pulls.move_sigmas * sqrt(pulls.window_ns * 1e-9)
        self.calm = pulls.calm
        self.wide_share = pulls.wide_bps * 1e-4
        self.apart_share = apart_share
        self.thin_usd = pulls.thin_usd
        self.slice_ns = max(pulls.window_ns // SLICES, 1)
        self.hold_ns = pulls.hold_ns
        self.forget_c()

    cdef void forget_c(self) noexcept nogil:
        """No price is known from before: no move is made up across a gap. An alert goes on."""
        self.ends_ns = 0

    cdef int32_t judge_c(self, Market* market, double tick_usd, double lot_contracts, int64_t now_ns) noexcept nogil:
        """Take the price of this tick; what is wrong, ALERT_NONE: nothing. Prices and sigma of ``market`` are known."""
        cdef double price = market.fair_usd
        cdef double limit = min(self.move_share * price, self.move_sigma * market.sigma_usd)
        cdef double range_usd
        if now_ns >= self.ends_ns:
            self.turn_c(price, lot_contracts, now_ns)
        if price > self.high_usd:
            self.high_usd = price
        if price < self.low_usd:
            self.low_usd = price
        self.price_usd = price
        range_usd = max(self.high_usd, self.ceiling_usd) - min(self.low_usd, self.floor_usd)
        if (self.until_ns or not range_usd < limit) and self.moved_c(range_usd, limit, price, now_ns):
            return ALERT_MOVE
        if (market.ask_ticks - market.bid_ticks) * tick_usd > self.wide_share * price:
            return ALERT_WIDE
        # What is not known, NaN or not positive, is not compared; without either the gate refuses everything.
        if market.mark_usd > 0.0 and fabs(price - market.mark_usd) > self.apart_share * market.mark_usd:
            return ALERT_APART
        if market.index_usd > 0.0 and fabs(price - market.index_usd) > self.apart_share * market.index_usd:
            return ALERT_APART
        return ALERT_NONE

    cdef void turn_c(self, double price_usd, double lot_contracts, int64_t now_ns) noexcept nogil:
        """Begin another slice. A price stands until the next is seen: in the slices without a tick it was the last one."""
        cdef int32_t i
        cdef int64_t gone = SLICES
        if self.ends_ns == 0:
            self.low_usd = self.high_usd = self.price_usd = price_usd
        else:
            gone = min((now_ns - self.ends_ns) // self.slice_ns, SLICES)
        self.lows_usd[self.slice] = self.low_usd
        self.highs_usd[self.slice] = self.high_usd
        self.slice = (self.slice + 1) % SLICES
        for _ in range(gone):
            self.lows_usd[self.slice] = self.highs_usd[self.slice] = self.price_usd
            self.slice = (self.slice + 1) % SLICES
        self.low_usd = self.high_usd = self.floor_usd = self.ceiling_usd = price_usd
        for i in range(SLICES):
            self.floor_usd = min(self.floor_usd, self.lows_usd[i])
            self.ceiling_usd = max(self.ceiling_usd, self.highs_usd[i])
        self.ends_ns = now_ns + self.slice_ns
        self.thin_lots = <int64_t>ceil(self.thin_usd / (price_usd * lot_contracts))

    cdef int32_t moved_c(self, double range_usd, double limit_usd, double price_usd, int64_t now_ns) noexcept nogil:
        """A move that alarms, or one that has: whether it still does."""
        if not range_usd < limit_usd:
            if self.until_ns == 0:
                self.moves += 1
                self.moved_usd = 0.0
                self.limit_usd = limit_usd
            self.moved_usd = max(self.moved_usd, range_usd)
            self.until_ns = now_ns + self.hold_ns
        elif not range_usd < self.calm * self.limit_usd:
            self.until_ns = now_ns + self.hold_ns
        elif now_ns >= self.until_ns:
            self.until_ns = 0
            return False
        return True

    cdef bint thin_c(self, Book book, OrderTable table, int32_t instrument, int32_t side) noexcept nogil:
        """Whether others show less than the least on a side; own orders count only as far as the book shows them.

        While reports may still be on their way one order may stand in two slots: of a price no more is ours than there is.
        """
        cdef int64_t others = book.total_bid_lots if side > 0 else book.total_ask_lots
        cdef int64_t shown
        cdef int32_t i, j
        cdef Slot* order
        cdef Slot* before
        for i in range(table.count_c(instrument, side)):
            order = &table.slot_[table.at_c(instrument, side, i)]
            shown = book.lots_at_c(side > 0, order.price_ticks)
            for j in range(i):
                before = &table.slot_[table.at_c(instrument, side, j)]
                if before.price_ticks == order.price_ticks:
                    shown -= before.lots - before.filled_lots
            others -= max(min(order.lots - order.filled_lots, shown), 0)
        return others < self.thin_lots

    def told(self) -> str:
        """The last move that alarmed, with its numbers."""
        return (f"the price moved {1e4 * self.moved_usd / self.price_usd:.3g} bps within "
                f"{SLICES * self.slice_ns * 1e-9:g} s, limit {1e4 * self.limit_usd / self.price_usd:.3g} bps")
