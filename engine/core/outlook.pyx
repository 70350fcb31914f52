"""Public trades and tops of one instrument, made into signals, and these into an opinion on the next move.

A public trade has no id (protocol section 8.6), and a fill of our own resting order is one of the public trades, with the taker as
aggressor. So there is one source: the public trades, each told once, with our fills among them; or, when the venue's data are not to
be used, our own fills, each once by its id. What is told again is a snapshot: of it, trades stamped later than the newest taken in
are news. An older one has been told if the memory of the last trades holds an equal one, each of which answers for one; else the
stream has left it out, and its volume is added to the candles where they are now: the flow of its own time is over. Two equal trades
in the stream are two trades: nothing could tell them from one told twice.
"""

from libc.math cimport NAN, isfinite
from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memmove, memset

import numpy as np

from feed.events cimport PublicTrade, TradeBatch
from kernels.records cimport FEATURES, Candles, Flow, Forecast, Market, close_due_fn, forecast_fn, refresh_fn, trade_fn

from kernels.records import CANDLES, FLOW, FORECAST

cdef enum:
    OLDEST_S = 604800                  # a trade stamped longer ago than this before the newest counts as this old
    CANDLE_LOTS_MAX = 1000000000000
    CANDLES_LEAST = 8                  # fewer candles are no opinion


cdef class Outlook:
    """One instrument's flow, candles and forecast. ``plan``: engine.core.plan.Signals."""

    def __cinit__(self, plan, addresses):
        self.trade = <trade_fn><size_t>addresses.trade
        self.refresh = <refresh_fn><size_t>addresses.refresh
        self.expect = <forecast_fn><size_t>addresses.forecast
        self.close_due = <close_due_fn><size_t>addresses.close_due
        self.forecast.sigma_factor = self.forecast.size_factor = 1.0
        self.take_plan(plan)

    def take_plan(self, plan) -> None:
        """Take the parameters. What was learnt stays, unless it was learnt over another horizon; so do the candles, unless another
        number of them is kept.
        """
        cdef int i
        if plan.interval_ns != self.forecast.interval_ns or plan.steps != self.forecast.steps:
            memset(&self.forecast, 0, sizeof(Forecast))
            self.forecast.sigma_factor = self.forecast.size_factor = 1.0
        if plan.candles != self.candles.capacity:
            memset(&self.candles, 0, sizeof(Candles))
        self.candle_contracts = plan.candle_contracts
        self.candle_usd = plan.candle_usd
        self.own_only = plan.own_only
        self.lookback_ns = plan.lookback_ns
        self.flow.decay_s = plan.decay_s
        self.flow.order_decay_s = plan.order_decay_s
        self.flow.window = plan.window
        self.flow.fast_window = plan.fast_window
        self.flow.impact_window = plan.impact_window
        self.flow.min_events = plan.min_events
        self.flow.stale_ns = plan.stale_ns
        self.candles.max_age_ns = plan.candle_ns
        self.candles.capacity = plan.candles
        self.candles.min_candles = min(plan.candles, CANDLES_LEAST)
        # A candle may take its whole life to close: the last trade is not stale before.
        self.candles.stale_ns = max(plan.stale_ns, plan.candle_ns)
        self.forecast.enabled = plan.enabled
        self.forecast.interval_ns = plan.interval_ns
        self.forecast.steps = plan.steps
        self.forecast.update_ns = plan.update_ns
        self.forecast.span = plan.span
        self.forecast.z = plan.z
        self.forecast.min_samples = plan.min_samples
        self.forecast.prior = plan.prior
        self.forecast.cap_ticks = plan.cap_ticks
        self.forecast.cap_bps = plan.cap_bps
        self.forecast.toxic_weight = plan.toxic_weight
        self.forecast.toxic_cap_bps = plan.toxic_cap_bps
        self.forecast.adjust_most = plan.adjust_most
        self.forecast.widen_at = plan.widen_at
        self.forecast.widen_by = plan.widen_by
        self.forecast.pull_at = plan.pull_at
        self.forecast.one_side_at = plan.one_side_at
        self.forecast.calm = plan.calm
        self.forecast.hold_ns = plan.hold_ns
        for i in range(FEATURES):
            self.forecast.given_bps[i] = NAN
        for i, given in enumerate(plan.given_bps):
            self.forecast.given_bps[i] = NAN if given is None else given
        self.forecast.due_ns = 0

    cdef void configure_c(self, double lot_contracts) noexcept nogil:
        """The lot is known: size the candles, as far as that needs no price."""
        self.size_candles_c(lot_contracts, 0.0)

    cdef void size_candles_c(self, double lot_contracts, double price_usd) noexcept nogil:
        """Volume of a candle in lots; a notional needs a price, and keeps its first."""
        cdef double contracts = self.candle_contracts
        if not isfinite(contracts) and price_usd > 0.0 and lot_contracts > 0.0:
            contracts = self.candle_usd / price_usd
            self.candle_contracts = contracts
        if isfinite(contracts) and lot_contracts > 0.0:
            self.candles.threshold_lots = max(<int64_t>min(contracts / lot_contracts + 0.5, <double>CANDLE_LOTS_MAX), 1)

    def forget_grid(self) -> None:
        """Other ticks and lots: what was counted in the old ones is forgotten, what was learnt of the signals stays."""
        cdef Flow old = self.flow
        memset(&self.flow, 0, sizeof(Flow))
        self.flow.decay_s = old.decay_s
        self.flow.order_decay_s = old.order_decay_s
        self.flow.window = old.window
        self.flow.fast_window = old.fast_window
        self.flow.impact_window = old.impact_window
        self.flow.min_events = old.min_events
        self.flow.stale_ns = old.stale_ns
        self.candles.traded_lots = self.candles.evicted_lots = self.candles.closed = 0
        self.candles.head = self.candles.count = 0
        self.candles.open_buy_lots = self.candles.open_sell_lots = 0

    cdef void heard_c(self, double time_s) noexcept nogil:
        """The venue stamped something with this time."""
        if time_s > self.heard_s:
            self.heard_s = time_s

    cdef bint take_trades_c(self, TradeBatch* batch, Market* market, int64_t tick_e8, int64_t lot_e8, int64_t now_ns) noexcept nogil:
        """One ``recent_trades`` message, oldest trade first however it is sorted; whether any of it was news."""
        cdef int32_t i, n = batch.count
        cdef bint backwards = n > 1 and batch.trade[0].time_s > batch.trade[n - 1].time_s
        cdef bint news = False, anew
        cdef double newest_s = self.trade_s
        cdef PublicTrade* trade
        if self.own_only or tick_e8 == 0:
            return False
        self.snapshots += batch.snapshot != 0
        for i in range(n):
            self.heard_c(batch.trade[i].time_s)
        for i in range(n):
            trade = &batch.trade[n - 1 - i if backwards else i]
            if batch.snapshot and trade.time_s <= newest_s:
                anew = self.repeat_c(trade, market, tick_e8, lot_e8, now_ns)
            else:
                anew = self.take_c(trade, batch.snapshot != 0, market, tick_e8, lot_e8, now_ns)
                if anew and batch.snapshot and newest_s > 0.0:
                    self.missed += 1
            news = news or anew
        return news

    cdef int64_t age_ns_c(self, PublicTrade* trade) noexcept nogil:
        """By the venue's clock, within 0 and ``OLDEST_S``."""
        cdef double age_s = self.heard_s - trade.time_s
        if not age_s <= OLDEST_S:
            age_s = OLDEST_S
        return <int64_t>(max(age_s, 0.0) * 1e9)

    cdef bint repeat_c(self, PublicTrade* trade, Market* market, int64_t tick_e8, int64_t lot_e8, int64_t now_ns) noexcept nogil:
        """A trade of a snapshot that is not newer than what has been told; whether it was left out."""
        cdef Flow flow
        cdef Forecast forecast
        cdef Market seen
        if not trade.time_s > self.known_s or self.known_c(trade):
            self.repeated += 1
            return False
        if self.age_ns_c(trade) > self.lookback_ns:
            self.too_old += 1
            return False
        self.remember_c(trade)
        if trade.price_e8 % tick_e8 or trade.amount_e8 % lot_e8:
            self.off_grid += 1
            return False
        memset(&flow, 0, sizeof(Flow))
        memset(&forecast, 0, sizeof(Forecast))
        memset(&seen, 0, sizeof(Market))
        if self.trade(&flow, &self.candles, &forecast, &seen, trade.side, trade.price_e8 // tick_e8, trade.amount_e8 // lot_e8,
                      now_ns - self.age_ns_c(trade), 0) != 0:
            self.flow.refused += flow.refused
            return False
        self.missed += 1
        self.late += 1
        return True

    cdef int32_t begin_c(self, double time_s) noexcept nogil:
        """Place of the first remembered trade that is not older."""
        cdef int32_t low = 0, high = self.told_count, middle
        while low < high:
            middle = (low + high) // 2
            if self.told[middle].time_s < time_s:
                low = middle + 1
            else:
                high = middle
        return low

    cdef bint known_c(self, PublicTrade* trade) noexcept nogil:
        """Whether an equal trade has been told that this snapshot has not told again yet; it is told again herewith."""
        cdef int32_t at
        cdef Told* told
        for at in range(self.begin_c(trade.time_s), self.told_count):
            told = &self.told[at]
            if told.time_s != trade.time_s:
                return False
            if (told.snapshot != self.snapshots and told.side == trade.side and told.price_e8 == trade.price_e8
                    and told.amount_e8 == trade.amount_e8):
                told.snapshot = self.snapshots
                return True
        return False

    cdef void remember_c(self, PublicTrade* trade) noexcept nogil:
        """Keep a trade in its place by time. Of the oldest half, when there is no more room, only the time is kept."""
        cdef int32_t at
        if not isfinite(trade.time_s):
            return
        if self.told_count == 2 * TOLD:
            self.known_s = self.told[TOLD - 1].time_s
            memmove(&self.told[0], &self.told[TOLD], TOLD * sizeof(Told))
            self.told_count = TOLD
        at = self.told_count
        while at > 0 and self.told[at - 1].time_s > trade.time_s:
            at -= 1
        memmove(&self.told[at + 1], &self.told[at], (self.told_count - at) * sizeof(Told))
        self.told_count += 1
        self.told[at].time_s = trade.time_s
        self.told[at].price_e8 = trade.price_e8
        self.told[at].amount_e8 = trade.amount_e8
        self.told[at].side = trade.side
        self.told[at].snapshot = self.snapshots

    cdef bint take_c(self, PublicTrade* trade, bint snapshot, Market* market, int64_t tick_e8, int64_t lot_e8,
                     int64_t now_ns) noexcept nogil:
        """One public trade of the stream, or one of a snapshot that is newer than all that were told; whether it was news."""
        cdef int64_t age_ns = self.age_ns_c(trade)
        cdef bint begins
        if snapshot and age_ns > self.lookback_ns:
            self.too_old += 1
            return False
        self.remember_c(trade)
        if trade.price_e8 % tick_e8 or trade.amount_e8 % lot_e8:
            self.off_grid += 1
            return False
        begins = not snapshot and (trade.time_s != self.trade_s or trade.side != self.side)
        if self.trade(&self.flow, &self.candles, &self.forecast, market, trade.side, trade.price_e8 // tick_e8,
                      trade.amount_e8 // lot_e8, now_ns - age_ns, begins) != 0:
            return False
        self.side = trade.side
        if trade.time_s > self.trade_s:
            self.trade_s = trade.time_s
        return True

    cdef void own_fill_c(self, int32_t side, bint maker, int64_t ticks, int64_t lots, Market* market, int64_t now_ns) noexcept nogil:
        """A fill of ours, told once: what it cost is learnt, and where it is the only source it is a trade as well."""
        if maker:
            self.forecast.counted[2 if side > 0 else 3] += 1.0
        if self.own_only:
            self.trade(&self.flow, &self.candles, &self.forecast, market, -side if maker else side, ticks, lots, now_ns, 1)

    cdef int64_t due_ns_c(self) noexcept nogil:
        """When the open candle is closed by time; INT64_MAX: there is none."""
        if self.candles.open_buy_lots + self.candles.open_sell_lots == 0:
            return INT64_MAX
        return self.candles.open_ns + max(self.candles.max_age_ns, 1)

    cdef void forget_top_c(self) noexcept nogil:
        """The book is not known any more: no change is made up across the gap."""
        self.flow.bid_lots = 0
        self.flow.ask_lots = 0

    def records(self) -> dict:
        """Copies of the records by name."""
        result = {}
        for name, dtype, address in (("flow", FLOW, <size_t>&self.flow), ("candles", CANDLES, <size_t>&self.candles),
                                     ("forecast", FORECAST, <size_t>&self.forecast)):
            result[name] = np.frombuffer((<char*><size_t>address)[:dtype.itemsize], dtype=dtype)[0]
        return result
