"""What the public flow of one instrument says of its next move. Owner: the core's thread."""

from libc.stdint cimport int32_t, int64_t

from feed.events cimport PublicTrade, TradeBatch
from kernels.records cimport Candles, Flow, Forecast, Market, close_due_fn, forecast_fn, refresh_fn, trade_fn

cdef enum Regime:                      # kernels.regime
    REGIME_NORMAL = 0
    REGIME_WIDENED = 1
    REGIME_BIDS_ONLY = 2
    REGIME_ASKS_ONLY = 3
    REGIME_PULLED = 4

cdef enum:
    DIRECTIONS = 8                    # kernels.signals: the first of the signals, which have a direction
    TOLD = 1024                        # trades that are remembered at least, to be known again in a snapshot

cdef struct Told:                      # one public trade, as it was told
    double time_s
    int64_t price_e8
    int64_t amount_e8
    int32_t side
    int32_t snapshot                   # number of the last one that told it again

cdef class Outlook:
    cdef Flow flow
    cdef Candles candles
    cdef Forecast forecast
    cdef trade_fn trade
    cdef refresh_fn refresh
    cdef forecast_fn expect
    cdef close_due_fn close_due
    cdef double candle_contracts
    cdef double candle_usd
    cdef bint own_only
    cdef int64_t lookback_ns
    cdef double heard_s                # newest time that the venue has stamped on anything public
    cdef double trade_s                # newest trade taken in; 0: none
    cdef int32_t side                  # its aggressor
    cdef readonly int64_t repeated     # trades of a snapshot that had been told before
    cdef readonly int64_t missed       # trades that only a later snapshot told, among them
    cdef readonly int64_t late         # those older than one that had been told
    cdef readonly int64_t too_old      # trades of a snapshot beyond the look-back
    cdef readonly int64_t off_grid
    cdef double known_s                # trades stamped until then cannot be told apart from those told
    cdef int32_t snapshots
    cdef int32_t told_count
    cdef Told told[2048]               # by time; twice TOLD, so that making room is seldom

    cdef void configure_c(self, double lot_contracts) noexcept nogil
    cdef void size_candles_c(self, double lot_contracts, double price_usd) noexcept nogil
    cdef void heard_c(self, double time_s) noexcept nogil
    cdef bint take_trades_c(self, TradeBatch* batch, Market* market, int64_t tick_e8, int64_t lot_e8, int64_t now_ns) noexcept nogil
    cdef bint take_c(self, PublicTrade* trade, bint snapshot, Market* market, int64_t tick_e8, int64_t lot_e8,
                     int64_t now_ns) noexcept nogil
    cdef bint repeat_c(self, PublicTrade* trade, Market* market, int64_t tick_e8, int64_t lot_e8, int64_t now_ns) noexcept nogil
    cdef int64_t age_ns_c(self, PublicTrade* trade) noexcept nogil
    cdef void remember_c(self, PublicTrade* trade) noexcept nogil
    cdef bint known_c(self, PublicTrade* trade) noexcept nogil
    cdef int32_t begin_c(self, double time_s) noexcept nogil
    cdef void own_fill_c(self, int32_t side, bint maker, int64_t ticks, int64_t lots, Market* market, int64_t now_ns) noexcept nogil
    cdef int64_t due_ns_c(self) noexcept nogil
    cdef inline bint leans_c(self) noexcept nogil:
        """Whether any signal with a direction moves the quotes: without one, a trade alone is no reason to decide again."""
        cdef int32_t i
        if self.forecast.enabled:
            for i in range(DIRECTIONS):
                if self.forecast.weight[i] != 0.0:
                    return True
        return False

    cdef inline bint regime_changed_c(self) noexcept nogil:
        """Whether the last sample changed the regime."""
        return self.forecast.changes > 0 and self.forecast.regime_ns == self.forecast.last_ns

    cdef inline void one_side_c(self, Market* market) noexcept nogil:
        """Leave out the side that the expected move hurts, unless it reduces the position."""
        if self.forecast.regime == REGIME_BIDS_ONLY and market.position_lots <= 0:
            market.sell_capacity_lots = 0
        elif self.forecast.regime == REGIME_ASKS_ONLY and market.position_lots >= 0:
            market.buy_capacity_lots = 0

    cdef void forget_top_c(self) noexcept nogil
