"""State of one instrument: book, references, model records, position."""

from libc.math cimport NAN, floor, isfinite
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

import numpy as np

from engine.core.alarm cimport Alarm
from engine.core.calibrator cimport Calibrator
from engine.core.markouts cimport Markouts
from engine.core.orders cimport OrderTable, Standing
from engine.core.outlook cimport Outlook
from feed.events cimport (
    TICKER_BEST_ASK, TICKER_BEST_BID, TICKER_FUNDING_MARK, BookUpdate, Ticker,
)
from kernels.book cimport BOOK_OK, Book
from kernels.records cimport Market, Position, Settings, Volatility, volatility_fn

from engine.core.opinion import effective_told, regime_told, signals_told
from kernels.records import MARKET, MODEL, POSITION, SETTINGS, TARGET, VOLATILITY

PULLS = {
    PULL_NONE: "quoting", PULL_NOT_READY: "not ready", PULL_NO_BOOK: "no consistent book", PULL_STALE: "stale data",
    PULL_CROSSED: "crossed book", PULL_ONE_SIDED: "one-sided book", PULL_NO_REFERENCE: "no mark or index", PULL_MODEL: "model refuses",
    PULL_MODE: "mode", PULL_UNPROTECTED: "protection not armed", PULL_UNKNOWN_ORDERS: "orders of unknown fate", PULL_COOLDOWN: "cool-down",
    PULL_LIMIT: "limit", PULL_NOT_LISTED: "not listed any more", PULL_GRID: "its grid changes", PULL_REGIME: "regime",
    PULL_UNWATCHED: "no supervisor",
    PULL_MOVE: "the price moves", PULL_WIDE: "the others' spread is too wide", PULL_APART: "the book is too far from mark or index",
    PULL_THIN: "too little of others in the book", PULL_CANCELLED: "held: somebody else cancelled orders",
}
BREACHES = {BREACH_STOP_LOSS: "stop loss", BREACH_TAKE_PROFIT: "take profit", BREACH_LOSSES: "losses", BREACH_POSITION: "position limit"}

cdef enum:
    SETTLEMENT_S = 28800         # daily settlement 08:00 UTC: funding_mark starts again from zero (protocol section 11)
    DAY_S = 86400
    FROZEN_NS = 1000000000       # tickers come once a second or more often


cdef class Instrument:
    """One quoted instrument. ``settings`` and ``volatility``: the plan's records, copied; ``outlook``: its own."""

    def __cinit__(self, int32_t index, bytes name, settings, volatility, Outlook outlook not None):
        self.outlook = outlook
        self.alarm = Alarm()
        self.calibrator = Calibrator()
        self.markouts = Markouts()
        self.index = index
        self.name = name
        self.product = ""
        self.refusal = ""
        self.name_ = name
        self.name_length = len(name)
        self.book = Book(16384)
        self.mark_usd = NAN
        self.index_usd = NAN
        self.funding_mark = NAN
        self.pull = PULL_NOT_READY
        cdef const unsigned char[::1] raw = np.ascontiguousarray(settings).view(np.uint8).reshape(-1)
        memcpy(&self.settings, &raw[0], sizeof(Settings))
        self.calibrator.take_base_c(&self.settings)
        raw = np.ascontiguousarray(volatility).view(np.uint8).reshape(-1)
        memcpy(&self.volatility, &raw[0], sizeof(Volatility))

    def configure(self, int64_t tick_e8, int64_t lot_e8, int64_t min_lots, str product) -> None:
        """Take the grid that the venue told. Raises ValueError for a grid that is none."""
        if tick_e8 <= 0 or lot_e8 <= 0 or min_lots <= 0:
            raise ValueError(f"{self.name.decode()}: tick {tick_e8}e-8, lot {lot_e8}e-8, minimum {min_lots} lots must be positive")
        if self.tick_e8 and (tick_e8 != self.tick_e8 or lot_e8 != self.lot_e8):
            self._recount(tick_e8, lot_e8)
            self.outlook.forget_grid()
        self.tick_e8 = tick_e8
        self.lot_e8 = lot_e8
        self.ticks_an_e8 = 1.0 / tick_e8
        self.lots_an_e8 = 1.0 / lot_e8
        self.product = product
        self.settings.tick_usd = tick_e8 / 1e8
        self.settings.lot_contracts = lot_e8 / 1e8
        self.settings.min_lots = min_lots
        self.model.resolved_at_usd = 0.0
        self.outlook.configure_c(self.settings.lot_contracts)

    def _recount(self, int64_t tick_e8, int64_t lot_e8) -> None:
        """Count the position in other ticks and lots: profit goes on where it stood, the entry price is the average of before."""
        cdef double unit = self.settings.tick_usd * self.settings.lot_contracts
        cdef double cost_usd = (self.position.realised_ticklots - self.position.cash_ticklots) * unit
        cdef double held = self.position.lots * self.settings.lot_contracts
        cdef double fees_usd = self.position.fees_usd, funding_usd = self.position.funding_usd
        cdef double carried_usd = self.realised_usd_c()
        cdef int64_t fills = self.position.fills
        cdef int64_t lots = self.position.lots * self.lot_e8 // lot_e8
        cdef int64_t bought = self.position.bought_lots * self.lot_e8 // lot_e8
        cdef int64_t sold = self.position.sold_lots * self.lot_e8 // lot_e8
        if self.position.lots * self.lot_e8 % lot_e8:
            raise ValueError(f"{self.name.decode()}: {self.position.lots} lots of {self.lot_e8}e-8 are no whole lots of {lot_e8}e-8")
        self.settings.tick_usd = tick_e8 / 1e8
        self.settings.lot_contracts = lot_e8 / 1e8
        self.rebase(lots, cost_usd / held if lots else 0.0)
        self.position.fees_usd = fees_usd
        self.position.funding_usd = funding_usd
        self.position.fills = fills
        self.position.bought_lots = bought
        self.position.sold_lots = sold
        # What rounding the entry price to the new tick has moved is profit or loss already made.
        unit = self.settings.tick_usd * self.settings.lot_contracts
        self.carried_usd = carried_usd - (cost_usd + self.position.cash_ticklots * unit)
        self.max_abs_lots = self.max_abs_lots * self.lot_e8 // lot_e8

    def begin_regrid(self, tuple grid) -> None:
        """Another grid was told: nothing is quoted and no book is kept until ``end_regrid``."""
        self.coming_grid = grid
        self.regridding = True
        self.book.clear_c()
        self.book_synced = False
        self.dirty = True

    def end_regrid(self) -> None:
        """No order is left: take the grid."""
        tick_e8, lot_e8, min_lots, product = self.coming_grid
        self.coming_grid = None
        self.regridding = False
        self.configure(tick_e8, lot_e8, min_lots, product)
        self.wants_resync = True
        self.dirty = True

    def list_again(self, bint listed) -> None:
        """Whether the venue lists it."""
        self.delisted = not listed
        self.armed = self.armed and listed
        self.dirty = True

    def take_settings(self, settings, volatility, signals) -> None:
        """Take changed records of the plan; what the venue told of the instrument and the estimate of volatility stay.

        A window of another length begins the estimate anew.
        """
        cdef Settings known = self.settings
        cdef Volatility asked
        cdef const unsigned char[::1] raw = np.ascontiguousarray(settings).view(np.uint8).reshape(-1)
        memcpy(&self.settings, &raw[0], sizeof(Settings))
        self.calibrator.take_base_c(&self.settings)
        self.calibrator.act_c(&self.settings)
        self.settings.tick_usd = known.tick_usd
        self.settings.lot_contracts = known.lot_contracts
        self.settings.min_lots = known.min_lots
        raw = np.ascontiguousarray(volatility).view(np.uint8).reshape(-1)
        memcpy(&asked, &raw[0], sizeof(Volatility))
        if asked.window != self.volatility.window:
            self.volatility = asked
        else:
            self.volatility.default_rate = asked.default_rate
            self.volatility.floor_rate = asked.floor_rate
            self.volatility.ceiling_rate = asked.ceiling_rate
            self.volatility.ewma_span = asked.ewma_span
            self.volatility.min_samples = asked.min_samples
            self.volatility.min_interval_ns = asked.min_interval_ns
        self.outlook.take_plan(signals)
        if self.tick_e8:
            self.outlook.size_candles_c(self.settings.lot_contracts, self.market.fair_usd)
        if not signals.enabled:
            self.market.alpha_usd = self.market.toxic_bid_usd = self.market.toxic_ask_usd = 0.0
            self.market.widen = self.market.size_factor = 1.0
        self.model.resolved_at_usd = 0.0
        self.dirty = True

    def unsync(self) -> None:
        """Forget the book and the references: a new connection begins with none."""
        self.book.clear_c()
        self.outlook.forget_top_c()
        self.alarm.forget_c()
        self.odd_ns = 0
        self.odd_bid_e8 = 0
        self.book_synced = False
        self.wants_resync = False
        self.book_time_s = 0.0
        self.book_ns = 0
        self.ticker_ns = 0
        self.armed = False
        self.coming_grid = None
        self.regridding = False
        self.doubtful = False
        self.in_flight = 0
        self.settles_ns = 0
        self.chase_ns = 0
        self.cleared = True
        self.pull = PULL_NOT_READY

    cdef int32_t apply_book_c(self, BookUpdate* update, int64_t now_ns) noexcept nogil:
        """Apply one message; 0, or 1 when the book is no longer consistent and must be asked for anew.

        Totals over all levels are the only checksum the venue gives (protocol section 8.5).
        """
        cdef int32_t i, code = BOOK_OK
        if self.tick_e8 == 0 or self.regridding or self.delisted:
            return 0
        if update.snapshot:
            if self.book_synced and update.time_s < self.book_time_s:
                # Not one that was asked for, and older than what is known: nothing tells which of the two is the book.
                self.book_synced = False
                return 1
            self.book.clear_c()
            self.book_synced = True
            self.wants_resync = False
        elif not self.book_synced:
            return 0
        elif update.time_s < self.book_time_s:
            self.book_synced = False
            return 1
        self.book_time_s = update.time_s
        self.outlook.heard_c(update.time_s)
        for i in range(update.bids):
            code |= self.level_c(True, &update.bid[i])
        for i in range(update.asks):
            code |= self.level_c(False, &update.ask[i])
        if code == BOOK_OK and update.has_totals:
            if (self.book.total_bid_lots * self.lot_e8 != update.total_bid_e8
                    or self.book.total_ask_lots * self.lot_e8 != update.total_ask_e8):
                code = 1
        if code != BOOK_OK:
            self.book_synced = False
            return 1
        self.book_ns = now_ns
        self.ticks += 1
        self.dirty = True
        return 0

    cdef void apply_ticker_c(self, Ticker* ticker, int64_t now_ns) noexcept nogil:
        """Mark, index and funding. Funding accrues as the change of ``funding_mark`` on the position held (protocol section 11)."""
        cdef double day
        self.mark_usd = ticker.mark_price
        self.index_usd = ticker.index
        if ticker.has & TICKER_FUNDING_MARK:
            day = floor((ticker.mark_timestamp_s - SETTLEMENT_S) / DAY_S)
            if isfinite(self.funding_mark) and self.tick_e8:
                if day != self.funding_day:
                    self.funding_mark = 0.0
                self.position.funding_usd += (
                    (ticker.funding_mark - self.funding_mark) * self.position.lots * self.settings.lot_contracts)
            self.funding_mark = ticker.funding_mark
            self.funding_day = day
        if self.book_synced and self.frozen_c(ticker, now_ns):
            self.book_synced = False
            self.wants_resync = True
        self.ticker_ns = now_ns
        self.ticks += 1
        self.dirty = True

    cdef bint frozen_c(self, Ticker* ticker, int64_t now_ns) noexcept nogil:
        """Whether the book has been silent while the ticker tells other best prices, for so long that one of them is wrong.

        Channels of one venue may overtake each other, but not for ``FROZEN_NS``. A new book that is as odd as the last settles that
        the two channels differ, and is believed.
        """
        cdef int64_t bid = 0, ask = 0, lots = 0
        if not (ticker.has & TICKER_BEST_BID and ticker.has & TICKER_BEST_ASK):
            return False
        self.book.best_c(True, &bid, &lots)
        self.book.best_c(False, &ask, &lots)
        if bid * self.tick_e8 == ticker.best_bid_e8 and ask * self.tick_e8 == ticker.best_ask_e8:
            self.odd_ns = 0
            return False
        if self.odd_ns == 0 or self.odd_book_ns != self.book_ns:
            self.odd_ns = now_ns
            self.odd_book_ns = self.book_ns
            return False
        if now_ns - self.odd_ns < FROZEN_NS or (ticker.best_bid_e8 == self.odd_bid_e8 and ticker.best_ask_e8 == self.odd_ask_e8):
            return False
        self.odd_bid_e8 = ticker.best_bid_e8
        self.odd_ask_e8 = ticker.best_ask_e8
        self.odd_ns = 0
        return True

    cdef int32_t look_c(self, OrderTable table, int64_t now_ns, int64_t stale_ns) noexcept nogil:
        """Fill ``market`` with the book of others, and what stands of our own; PULL_NONE, or why there is nothing to quote on."""
        cdef int32_t side
        cdef int64_t ticks, lots
        cdef Standing* standing
        cdef Market* market = &self.market
        market.now_ns = now_ns
        market.fair_usd = NAN
        if self.tick_e8 == 0:
            return PULL_NOT_READY
        if not self.book_synced:
            return PULL_NO_BOOK
        if self.ticker_ns == 0 or now_ns - self.ticker_ns > stale_ns:
            return PULL_STALE
        for side in range(1, -2, -2):
            standing = &self.standing_[0 if side > 0 else 1]
            table.survey_c(self.index, side, standing, self.own_ticks_, self.own_lots_)
            if not self.book.best_of_others_c(side > 0, self.own_ticks_, self.own_lots_, standing.count, &ticks, &lots):
                ticks = 0
                lots = 0
            if side > 0:
                market.bid_ticks = ticks
                market.bid_lots = lots
            else:
                market.ask_ticks = ticks
                market.ask_lots = lots
        market.position_lots = self.position.lots
        side = (self.position.lots > 0) - (self.position.lots < 0)
        if side != self.held_side:
            self.held_side = side
            self.held_since_ns = now_ns
        market.position_age_s = 1e-9 * (now_ns - self.held_since_ns) if side != 0 else 0.0
        market.mark_usd = self.mark_usd
        market.index_usd = self.index_usd
        if market.bid_lots == 0 or market.ask_lots == 0:
            return PULL_ONE_SIDED
        if market.bid_ticks >= market.ask_ticks:
            return PULL_CROSSED
        market.fair_usd = 0.5 * (market.bid_ticks + market.ask_ticks) * self.settings.tick_usd
        return PULL_NONE

    cdef void observe_c(self, volatility_fn volatility, int64_t now_ns) noexcept nogil:
        """Feed the volatility estimator and the signals with the book just seen."""
        self.unobserved = False
        if isfinite(self.market.fair_usd):
            self.market.sigma_usd = volatility(&self.volatility, self.market.fair_usd, now_ns)
        if self.outlook.refresh(&self.outlook.flow, &self.outlook.candles, &self.outlook.forecast, &self.market):
            # A regime that changed is acted upon now, not at the next event.
            self.dirty = self.dirty or self.outlook.regime_changed_c()
        if self.outlook.forecast.enabled:
            self.market.sigma_usd *= self.outlook.forecast.sigma_factor

    cdef void recall_c(self, OrderTable table, bint live, int64_t now_ns) noexcept nogil:
        """What the decision just made says of quotes and fills of before. ``live``: quotes may stand."""
        if now_ns >= self.markouts.due_ns:
            self.markouts.look_c(self.market.fair_usd, now_ns)
        if (now_ns >= self.calibrator.due_ns
                and self.calibrator.look_c(table, self.index, self.market.fair_usd, self.settings.tick_usd, live, now_ns)):
            self.calibrator.act_c(&self.settings)
            self.model.resolved_at_usd = 0.0
            self.dirty = True

    cdef void filled_c(self, OrderTable table, int32_t side, int64_t ticks, double time_s, int64_t now_ns) noexcept nogil:
        """A resting order of ours was hit; the price before is that of the last decision."""
        self.calibrator.fill_c(side, ticks, time_s, self.market.fair_usd, self.settings.tick_usd)
        self.markouts.fill_c(table, self.index, side, ticks, time_s, self.settings.tick_usd, self.market.fair_usd, now_ns)

    cdef double pnl_usd_c(self) noexcept nogil:
        """Realised and unrealised at the fair price (mark when there is none), less fees, plus funding."""
        cdef double price = self.market.fair_usd
        cdef double unit = self.settings.tick_usd * self.settings.lot_contracts
        if not isfinite(price):
            price = self.mark_usd
        if not isfinite(price) or self.tick_e8 == 0:
            price = 0.0 if self.position.lots == 0 else NAN
        return (self.carried_usd + self.position.cash_ticklots * unit + self.position.lots * self.settings.lot_contracts * price
                - self.position.fees_usd + self.position.funding_usd)

    cdef double realised_usd_c(self) noexcept nogil:
        """Realised by closing trades, before fees and funding."""
        if self.tick_e8 == 0:
            return 0.0
        return self.carried_usd + self.position.realised_ticklots * self.settings.tick_usd * self.settings.lot_contracts

    @property
    def position_lots(self) -> int:
        """Position in lots, by fills and by the position of record at connection."""
        return self.position.lots

    @property
    def why(self) -> str:
        """Why it is not quoted, or only reduces, in words; ``quoting`` when neither."""
        if self.breach != BREACH_NONE and (self.pull == PULL_NONE or self.pull == PULL_LIMIT):
            return BREACHES[self.breach]
        if self.restraint is not None and (self.pull == PULL_NONE or self.pull == PULL_LIMIT):
            return f"only reduces: {self.restraint}"
        if self.pull == PULL_MOVE:
            return self.alarm.told()
        if self.pull == PULL_MODEL and self.refusal:
            return f"{PULLS[self.pull]}: {self.refusal}"
        return PULLS[self.pull]

    def last_usd(self) -> float:
        """The last price that was heard: the mark, else the fair price; NaN where there was neither."""
        return self.mark_usd if isfinite(self.mark_usd) else self.market.fair_usd

    def rebase(self, int64_t lots, double price_usd) -> None:
        """Start from a position held before: booked at ``price_usd``, with no profit."""
        cdef int64_t ticks = <int64_t>(price_usd / self.settings.tick_usd + 0.5)
        memset(&self.position, 0, sizeof(Position))
        self.based = True
        self.position.lots = lots
        self.position.cash_ticklots = -lots * ticks
        if lots:
            self.position.count = 1
            self.position.head = 0
            self.position.fifo_lots[0] = abs(lots)
            self.position.fifo_ticks[0] = ticks

    def records(self) -> dict:
        """Copies of the model's records, by name, as NumPy structured scalars: what a quote was made of."""
        result = {}
        for name, dtype, address in (
            ("settings", SETTINGS, <size_t>&self.settings), ("model", MODEL, <size_t>&self.model),
            ("market", MARKET, <size_t>&self.market), ("target", TARGET, <size_t>&self.target),
            ("volatility", VOLATILITY, <size_t>&self.volatility), ("position", POSITION, <size_t>&self.position),
        ):
            result[name] = np.frombuffer((<char*><size_t>address)[:dtype.itemsize], dtype=dtype)[0]
        return result | self.outlook.records()

    def status(self) -> dict:
        """Numbers for people: prices in USD, sizes in contracts."""
        records = self.records()
        cdef double lot = self.settings.lot_contracts if self.tick_e8 else 0.0
        return {
            "position": self.position.lots * lot,
            "max_abs_position": self.max_abs_lots * lot,
            "pnl_usd": self.pnl_usd_c(),
            "realised_usd": self.realised_usd_c(),
            "fees_usd": self.position.fees_usd,
            "funding_usd": self.position.funding_usd,
            "fair_usd": self.market.fair_usd if isfinite(self.market.fair_usd) else None,
            "mark_usd": self.mark_usd if isfinite(self.mark_usd) else None,
            "sigma_usd": self.market.sigma_usd,
            "gamma": self.model.gamma,
            "reservation_usd": self.target.reservation_usd,
            "bid_usd": self.target.bid_ticks[0] * self.settings.tick_usd if self.target.bid_count else None,
            "ask_usd": self.target.ask_ticks[0] * self.settings.tick_usd if self.target.ask_count else None,
            "why": self.why,
            "breaches": self.breaches,
            "losses_in_a_row": self.losses,
            "ticks": self.ticks,
            "fills": self.fills,
            "quotes": self.quotes,
            "volume": (self.position.bought_lots + self.position.sold_lots) * lot,
            "signals": signals_told(records, self.outlook),
            "effective": effective_told(records),
            "calibration": self.calibrator.told(),
            "markouts": self.markouts.told(),
            "regime": regime_told(records["forecast"], self.why, quoted=self.pull == PULL_NONE),
        }
