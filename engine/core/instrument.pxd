"""What the core knows of one instrument. Owner: the core's thread."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from engine.core.alarm cimport Alarm
from engine.core.calibrator cimport Calibrator
from engine.core.markouts cimport Markouts
from engine.core.orders cimport OrderTable, Standing
from engine.core.outlook cimport Outlook
from feed.events cimport BookUpdate, LevelChange, Ticker
from kernels.book cimport Book
from kernels.number cimport whole_units
from kernels.records cimport Market, Model, Position, Settings, Target, Volatility, volatility_fn

cdef enum Pull:                  # why an instrument is not quoted; 0: it is
    PULL_NONE = 0
    PULL_NOT_READY = 1           # ticks and lots not known yet, or the session is not live
    PULL_NO_BOOK = 2             # no snapshot yet, or the book lost its consistency
    PULL_STALE = 3
    PULL_CROSSED = 4
    PULL_ONE_SIDED = 5
    PULL_NO_REFERENCE = 6        # neither mark nor index
    PULL_MODEL = 7               # the model has no answer
    PULL_MODE = 8
    PULL_UNPROTECTED = 9         # market-maker protection is not armed
    PULL_UNKNOWN_ORDERS = 10     # orders whose fate is unknown are being cleared up
    PULL_COOLDOWN = 11           # after protection fired
    PULL_LIMIT = 12              # a breach: nothing left to reduce, or what rests must go first
    PULL_NOT_LISTED = 13         # expired, or taken off the venue's list
    PULL_GRID = 14               # its ticks or lots have changed: orders on the old grid must go first
    PULL_REGIME = 15             # too much stress: the regime is pulled
    PULL_UNWATCHED = 16          # no supervisor watches
    PULL_MOVE = 17               # the price runs: the alarm says how far
    PULL_WIDE = 18               # the others' spread is too wide
    PULL_APART = 19              # the book is too far from mark or index
    PULL_THIN = 20               # a side holds too little of others
    PULL_CANCELLED = 21          # somebody else cancelled orders of ours: held for a while
    PULL_CODES = 22

cdef enum Breach:                # why an instrument only reduces; 0: it does not
    BREACH_NONE = 0
    BREACH_STOP_LOSS = 1
    BREACH_TAKE_PROFIT = 2
    BREACH_LOSSES = 3
    BREACH_POSITION = 4          # the position itself is over its limit


@cython.final
cdef class Instrument:
    cdef readonly int32_t index
    cdef readonly bytes name
    cdef readonly str product
    cdef str refusal                       # why the model cannot be solved, for status; empty: it can
    cdef const char* name_
    cdef int32_t name_length
    cdef readonly int64_t tick_e8          # 0: not known yet
    cdef readonly int64_t lot_e8
    cdef double ticks_an_e8                # 1 / tick_e8
    cdef double lots_an_e8
    cdef readonly Book book
    cdef readonly bint book_synced
    cdef readonly bint wants_resync
    cdef double book_time_s
    cdef int64_t book_ns                   # receive times; 0: never
    cdef int64_t ticker_ns
    cdef double mark_usd                   # NaN: not known
    cdef double index_usd
    cdef double funding_mark               # of the last ticker, NaN: not known
    cdef double funding_day
    cdef Settings settings
    cdef Model model
    cdef Market market
    cdef Target target
    cdef Volatility volatility
    cdef readonly Outlook outlook
    cdef readonly Alarm alarm
    cdef int64_t odd_ns                    # since when the ticker's best prices are others than those of a silent book; 0: they agree
    cdef int64_t odd_book_ns               # of that book
    cdef int64_t odd_bid_e8                # the ticker's prices for which a book was asked for: not again for the same
    cdef int64_t odd_ask_e8
    cdef Position position
    cdef int64_t reported_lots             # position of record, as the venue last told it
    cdef int64_t mismatch_since_ns         # 0: position of record and fills agree
    cdef int32_t mismatches                # answers in a row that differed from the fills
    cdef bint has_reported
    cdef bint based                        # the position began from the position of record
    cdef bint dirty
    cdef bint unobserved                   # the last price looked at has not reached the volatility estimator
    cdef int32_t pull
    cdef readonly int32_t breach           # set by the monitors alone
    cdef readonly str restraint            # why the whole account only reduces, set by the restraint alone; None: it does not
    cdef readonly int64_t breaches         # so far
    cdef readonly int32_t losses           # losing round trips in a row
    cdef bint armed                        # market-maker protection stands (always, when quoting by orders)
    cdef readonly bint delisted            # not on the venue's list any more
    cdef readonly tuple coming_grid        # (tick_e8, lot_e8, min_lots, product) to be taken once no order is left; None: none
    cdef bint regridding                   # there is one
    cdef double carried_usd                # realised before the grid changed
    cdef bint shrunk                       # limits were made smaller: what rests may exceed them, and then goes first
    cdef bint doubtful                     # an order's fate is unknown: cleared up before anything new is quoted
    cdef uint64_t in_flight                # id of the mass quote in flight, 0: none
    cdef bint overtook                     # it is a clear, sent while another was in flight
    cdef uint64_t answered                 # id of the last mass quote that the venue answered
    cdef int64_t answered_ns               # when
    cdef uint64_t settling                 # id of the one whose reports must have arrived at ``settles_ns``
    cdef int64_t settles_ns                # 0: settled
    cdef bint settles_heard                # something was received since it was due
    cdef int64_t clear_after_ns            # a clear was refused: not again before
    cdef bint cleared                      # the last message sent removed everything
    cdef int64_t last_change_ns
    cdef int64_t chase_ns                  # when a cancel is to be repeated unless its order has ended; 0: none
    cdef int64_t hold_until_ns             # cool-down
    cdef int32_t hold_why                  # the pull that it is
    cdef readonly int64_t ticks
    cdef readonly int64_t fills
    cdef readonly int64_t quotes
    cdef int64_t own_ticks_[64]
    cdef int64_t own_lots_[64]
    cdef Standing standing_[2]             # bids, asks: as the decision that is being made found them
    cdef int64_t tolerance_ticks           # that a resting price may be off its target, in that decision
    cdef int64_t pulls_[22]
    cdef int64_t max_abs_lots
    cdef int32_t held_side                 # sign of the position when last looked at
    cdef int64_t held_since_ns             # when it became that
    cdef readonly Calibrator calibrator
    cdef readonly Markouts markouts

    cdef inline void hold_c(self, int64_t until_ns, int32_t why) noexcept nogil:
        """Quote nothing before that time; a hold that lasts longer stands."""
        if until_ns > self.hold_until_ns:
            self.hold_until_ns = until_ns
            self.hold_why = why

    cdef inline bint reducible_c(self) noexcept nogil:
        """Whether an order can reduce the position: below the venue's minimum none can."""
        return self.position.lots != 0 and (
            self.position.lots >= self.settings.min_lots or -self.position.lots >= self.settings.min_lots)

    cdef inline int32_t level_c(self, bint bid, const LevelChange* change) noexcept nogil:
        """Put one change, which is not negative, into the book; 0, or not 0 when it is off the grid or the book refuses it."""
        cdef int64_t ticks = whole_units(change.price_e8, self.tick_e8, self.ticks_an_e8)
        cdef int64_t lots = whole_units(change.amount_e8, self.lot_e8, self.lots_an_e8)
        if ticks < 0 or lots < 0:
            return 1
        return self.book.apply_c(bid, ticks, lots)

    cdef int32_t apply_book_c(self, BookUpdate* update, int64_t now_ns) noexcept nogil
    cdef void apply_ticker_c(self, Ticker* ticker, int64_t now_ns) noexcept nogil
    cdef void observe_c(self, volatility_fn volatility, int64_t now_ns) noexcept nogil
    cdef void recall_c(self, OrderTable table, bint live, int64_t now_ns) noexcept nogil
    cdef void filled_c(self, OrderTable table, int32_t side, int64_t ticks, double time_s, int64_t now_ns) noexcept nogil
    cdef int32_t look_c(self, OrderTable table, int64_t now_ns, int64_t stale_ns) noexcept nogil
    cdef bint frozen_c(self, Ticker* ticker, int64_t now_ns) noexcept nogil
    cdef double pnl_usd_c(self) noexcept nogil
    cdef double realised_usd_c(self) noexcept nogil
