"""What both ways to quote share: evaluate the model, compare it with what is believed to rest, send."""

cimport cython
from libc.math cimport fabs
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t

from engine.core.alarm cimport ALERT_MOVE, ALERT_NONE, ALERT_WIDE
from engine.core.coarse cimport coarsen_c, units_c
from engine.core.instrument cimport (
    BREACH_NONE, PULL_APART, PULL_CROSSED, PULL_GRID, PULL_LIMIT, PULL_MODE, PULL_MODEL, PULL_MOVE, PULL_NO_REFERENCE,
    PULL_NONE, PULL_NOT_LISTED, PULL_NOT_READY, PULL_ONE_SIDED, PULL_REGIME, PULL_THIN, PULL_UNKNOWN_ORDERS, PULL_UNPROTECTED,
    PULL_UNWATCHED, PULL_WIDE, Instrument,
)
from engine.core.monitors cimport Monitors
from engine.core.outlook cimport REGIME_PULLED
from engine.core.orders cimport SLOT_LIVE, SLOT_PENDING, OrderTable, Slot
from engine.core.requests cimport Request, RequestRing
from engine.core.restraint cimport Restraint
from engine.core.risk cimport MODE_HALTED, MODE_REDUCING, Gate
from feed.encode cimport Encoder
from feed.outbox cimport SUBMIT_FULL, SUBMIT_QUEUED, SUBMIT_SENT, Outbox
from feed.stamps cimport STAGE_ENCODE, STAGE_MODEL, STAGE_SIGNALS, lap_c, sent_c
from kernels.records cimport Target, hold_fn, quote_fn, resolve_fn, volatility_fn

cdef double HOLD_AGAIN = 0.02          # gamma follows a volatility that has moved by more than this fraction
cdef double RESOLVE_AGAIN = 0.002      # scale-free settings are resolved anew when the price has moved by more than this fraction


cdef inline int64_t capacity(Quoter self, Instrument instrument, int64_t room, int64_t resting) noexcept nogil:
    """Lots that a side's ladder may hold.

    A mass quote is not volume-safe: until it is answered both the old and the new side may trade in full. A ladder of at most
    half the room can always be replaced; below the venue's minimum the room is used whole, and replaced by clearing first.
    """
    cdef int64_t half = room // 2
    if self.restraint.halvings:
        room = min(room, self.cut_c(instrument))
        half = min(half, room)
    if not self.mass:
        return room
    if half < instrument.model.min_lots:
        return room if resting == 0 else min(room, resting)
    return half


cdef inline int32_t change(Quoter self, Instrument instrument, int32_t side) noexcept nogil:
    """Compare a side of the target with what is believed to rest: is it worth a message?

    A quote that is better for others than its target (a bid above, an ask below) may hurt and is given half the tolerance of
    one that is worse; a size may have traded down to half, or exceed its target by a quarter. While reports may still be on their
    way, one order may stand in two slots – as it was and as it was asked for again: that alone is worth no message, which would
    only ask once more.
    """
    cdef int32_t key = 0 if side > 0 else 1
    cdef int32_t wanted = self.side_count_[key], count = self.table.count_c(instrument.index, side)
    cdef int32_t i, j, matched = 0, alive = 0, needed = CHANGE_NOTHING
    cdef int64_t tolerance = instrument.tolerance_ticks, span = tolerance + (tolerance >> 1), lowest, remaining, target
    cdef int64_t below = tolerance >> 1 if side > 0 else tolerance
    cdef const int64_t* ticks = self.side_ticks_[key]
    cdef const int64_t* lots = self.side_lots_[key]
    cdef const int32_t* slots = self.table.slots_c(instrument.index, side)
    cdef uint64_t covered = 0
    cdef Slot* order
    cdef bint found
    self.side_near_[key] = False
    for i in range(count):
        order = &self.table.slot_[slots[i]]
        if order.state != SLOT_LIVE and order.state != SLOT_PENDING:
            continue
        alive += 1
        remaining = order.lots - order.filled_lots
        lowest = order.price_ticks - below
        found = False
        for j in range(wanted):
            # Targets that this order will do for. One comparison of unsigned numbers is both bounds.
            if <uint64_t>(ticks[j] - lowest) > <uint64_t>span:
                continue
            self.side_near_[key] = True
            target = lots[j]
            if (remaining * 4 <= target * 5
                    and (remaining * 2 >= target or order.stays and ticks[j] == order.price_ticks and order.lots == target)):
                found = True
                covered |= <uint64_t>1 << j
                break
        if found:
            matched += 1
        elif wanted == 0 or side * (order.price_ticks - ticks[0]) * 2 > tolerance:
            needed = CHANGE_URGENT
    if needed == CHANGE_NOTHING and (matched != alive or matched != wanted) and not (
            instrument.settles_ns and matched == alive and covered == (<uint64_t>1 << wanted) - 1):
        needed = CHANGE_WANTED
    return needed


cdef class Quoter:
    """Base of ``MassQuoter`` and ``OrderQuoter``. Built once; ``plan`` is an ``engine.core.plan.CorePlan``."""

    def __cinit__(self, plan, list instruments, OrderTable table, Gate gate, RequestRing requests, Encoder encoder, Outbox outbox,
                  addresses):
        self.table = table
        self.gate = gate
        self.monitors = Monitors(len(instruments), plan.limits, plan.maker_fee_rate, gate)
        self.restraint = Restraint(instruments, plan.limits, gate)
        self.requests = requests
        self.encoder = encoder
        self.outbox = outbox
        self.instruments = instruments
        self.resolve = <resolve_fn><size_t>addresses.resolve
        self.hold = <hold_fn><size_t>addresses.hold
        self.quote = <quote_fn><size_t>addresses.quote
        self.volatility = <volatility_fn><size_t>addresses.volatility
        self.mass = plan.mode == "mass_quote"
        self.label = plan.label.encode("ascii")
        self._take_numbers(plan)
        self.revisit_ns = INT64_MAX

    def take_plan(self, plan) -> None:
        """Quote by the changeable part of another plan from now on."""
        self._take_numbers(plan)
        self.monitors.take_limits(plan.limits, plan.maker_fee_rate)
        self.restraint.take_limits(plan.limits)

    def _take_numbers(self, plan) -> None:
        self.requote_ticks = plan.requote_ticks
        self.requote_bps = plan.requote_bps
        self.coarse_price_e8 = plan.coarse_price_e8
        self.coarse_size_e8 = plan.coarse_size_e8
        self.min_interval_ns = plan.timing.min_interval_ns
        self.max_lifetime_ns = plan.timing.max_lifetime_ns
        self.data_stale_ns = plan.timing.data_stale_ns

    cdef void decide_c(self, int64_t now_ns) noexcept:
        """Decide for every instrument whose inputs changed. Overridden."""

    cdef void accepted_c(self, Request* request, int32_t failed, int64_t now_ns) noexcept:
        """The venue executed a request; ``failed`` of its parts did not succeed. Overridden."""

    cdef void rejected_c(self, Request* request, bint definitive, int64_t now_ns) noexcept:
        """The venue answered with an error; ``definitive``: nothing of the request happened. Overridden."""

    cdef void missing_c(self, Request* request, int64_t now_ns) noexcept:
        """The venue does not know the order that a request was about. Overridden where requests name orders."""

    cdef void overdue_c(self, Request* request, int64_t now_ns) noexcept:
        """No answer in time: unknown, not refused. Overridden."""

    cdef void owed_c(self, Instrument instrument, int64_t now_ns) noexcept:
        """An order ended whose fills have not all been told. Overridden where answers tell of orders."""

    @cython.final
    cdef void revisit_c(self, int64_t at_ns) noexcept nogil:
        """Something was held back: look again at that time."""
        if at_ns < self.revisit_ns:
            self.revisit_ns = at_ns

    @cython.final
    cdef int32_t evaluate_c(self, Instrument instrument, int64_t now_ns) noexcept:
        """Fill the instrument's target; PULL_NONE, or why it must not be quoted."""
        cdef int32_t why = instrument.look_c(self.table, now_ns, self.data_stale_ns)
        cdef double fair = instrument.market.fair_usd
        cdef double sigma
        cdef int32_t alert = ALERT_NONE
        cdef int64_t room, resting
        if why == PULL_NONE or why == PULL_ONE_SIDED or why == PULL_CROSSED:
            # A sample costs as much as a decision, and every few dozen ten times that: it waits until the requests are on
            # their way, and counts from the next decision on. Without any estimate there is nothing to decide with.
            instrument.unobserved = True
            if why == PULL_NONE and not instrument.market.sigma_usd > 0.0:
                instrument.observe_c(self.volatility, now_ns)
        if why == PULL_NONE:
            alert = instrument.alarm.judge_c(&instrument.market, instrument.settings.tick_usd, instrument.settings.lot_contracts, now_ns)
        if not self.live:
            return PULL_NOT_READY
        if self.gate.mode == MODE_HALTED:
            return PULL_MODE
        if self.unwatched:
            return PULL_UNWATCHED
        if instrument.delisted:
            return PULL_NOT_LISTED
        if instrument.regridding:
            return PULL_GRID
        if now_ns < instrument.hold_until_ns:
            self.revisit_c(instrument.hold_until_ns)
            return instrument.hold_why
        if instrument.doubtful:
            return PULL_UNKNOWN_ORDERS
        if not instrument.armed:
            return PULL_UNPROTECTED
        if why != PULL_NONE:
            return why
        if not (instrument.mark_usd > 0.0) and not (instrument.index_usd > 0.0):
            return PULL_NO_REFERENCE
        self.decisions += 1
        if instrument.shrunk:
            if not self.gate.holds_c(self.table, instrument.index, instrument.position.lots, instrument.mark_usd,
                                     instrument.index_usd):
                return PULL_LIMIT
            instrument.shrunk = False
        if instrument.breach != BREACH_NONE or instrument.position.lots != 0:
            self.monitors.watch_c(instrument, now_ns)
        if (instrument.breach != BREACH_NONE or self.gate.mode == MODE_REDUCING) and self.cornered_c(instrument, now_ns):
            return PULL_LIMIT
        # To be rid of a position that must be reduced is worth more than a better market.
        if alert != ALERT_NONE and instrument.breach == BREACH_NONE:
            return self.alerted_c(instrument, alert)
        lap_c(self.stamps, STAGE_SIGNALS)
        sigma = instrument.market.sigma_usd
        if not (fabs(fair - instrument.model.resolved_at_usd) <= RESOLVE_AGAIN * instrument.model.resolved_at_usd):
            if self.resolve(&instrument.settings, fair, &instrument.model) != 0:
                instrument.model.resolved_at_usd = 0.0
                return PULL_MODEL
        if instrument.model.hold_skew > 0.0 and not (
                fabs(sigma - instrument.model.held_sigma_usd) <= HOLD_AGAIN * instrument.model.held_sigma_usd):
            if self.hold(&instrument.model, sigma) != 0:
                instrument.model.resolved_at_usd = 0.0
                return PULL_MODEL
        room = self.gate.room_c(instrument.index, 1, instrument.position.lots)
        resting = instrument.standing_[0].exposure_lots
        instrument.market.buy_capacity_lots = capacity(self, instrument, room, resting)
        if (instrument.book.total_bid_lots - resting < instrument.alarm.thin_lots and instrument.breach == BREACH_NONE
                and instrument.alarm.thin_c(instrument.book, self.table, instrument.index, 1)):
            return PULL_THIN
        room = self.gate.room_c(instrument.index, -1, instrument.position.lots)
        resting = instrument.standing_[1].exposure_lots
        instrument.market.sell_capacity_lots = capacity(self, instrument, room, resting)
        if (instrument.book.total_ask_lots - resting < instrument.alarm.thin_lots and instrument.breach == BREACH_NONE
                and instrument.alarm.thin_c(instrument.book, self.table, instrument.index, -1)):
            return PULL_THIN
        if instrument.outlook.forecast.enabled:
            if instrument.outlook.forecast.regime == REGIME_PULLED and instrument.breach == BREACH_NONE:
                return PULL_REGIME
            instrument.outlook.expect(&instrument.outlook.forecast, &instrument.market, instrument.settings.tick_usd)
            instrument.outlook.one_side_c(&instrument.market)
        if self.quote(&instrument.market, &instrument.model, &instrument.target) != 0:
            return PULL_MODEL
        instrument.outlook.forecast.half_usd = 0.5 * (instrument.target.half_bid_usd + instrument.target.half_ask_usd)
        if instrument.breach != BREACH_NONE:
            self.to_touch_c(instrument)
        instrument.tolerance_ticks = self.tolerance_c(instrument, now_ns)
        lap_c(self.stamps, STAGE_MODEL)
        return PULL_NONE

    @cython.final
    cdef int32_t alerted_c(self, Instrument instrument, int32_t alert) noexcept nogil:
        """The pull that an alert of the market's is."""
        if alert == ALERT_MOVE:
            self.revisit_c(instrument.alarm.until_ns)
            return PULL_MOVE
        return PULL_WIDE if alert == ALERT_WIDE else PULL_APART

    @cython.final
    cdef bint cornered_c(self, Instrument instrument, int64_t now_ns) noexcept nogil:
        """Whether what only reduces has nothing to quote: it has no position to reduce, or more rests than may trade."""
        cdef int64_t release_ns = self.monitors.release_ns_c(instrument)
        cdef int64_t room
        cdef int32_t side
        if release_ns:
            self.revisit_c(release_ns)
        if not instrument.reducible_c():
            return True
        for side in range(1, -2, -2):
            room = self.gate.room_c(instrument.index, side, instrument.position.lots)
            if self.mass and not instrument.in_flight and not instrument.settles_ns and room // 2 >= instrument.settings.min_lots:
                # What rests and what replaces it must both fit: a side of before the breach may stand too far off to be left.
                room //= 2
            if self.table.exposure_c(instrument.index, side) > room:
                return True
        return False

    @cython.final
    cdef void to_touch_c(self, Instrument instrument) noexcept nogil:
        """Move the reducing side up to the best price of others: to be rid of the position is worth more than its edge."""
        cdef Target* target = &instrument.target
        cdef int64_t step
        cdef int i
        if instrument.position.lots > 0 and target.ask_count:
            step = max(target.ask_ticks[0] - instrument.market.ask_ticks, 0)
            for i in range(target.ask_count):
                target.ask_ticks[i] -= step
        elif instrument.position.lots < 0 and target.bid_count:
            step = max(instrument.market.bid_ticks - target.bid_ticks[0], 0)
            for i in range(target.bid_count):
                target.bid_ticks[i] += step

    @cython.final
    cdef void observe_c(self, int64_t now_ns) noexcept:
        """After a decision: give the volatility estimators the prices that were decided on."""
        cdef int i
        for i in range(len(self.instruments)):
            if (<Instrument>self.instruments[i]).unobserved:
                (<Instrument>self.instruments[i]).observe_c(self.volatility, now_ns)
                (<Instrument>self.instruments[i]).recall_c(self.table, self.live, now_ns)

    @cython.final
    cdef int64_t cut_c(self, Instrument instrument) noexcept nogil:
        """Lots of a side after the venue has wanted more margin than there is: halved once each time."""
        cdef int64_t total = 0
        cdef int i
        for i in range(instrument.model.levels):
            total += instrument.model.level_lots[i]
        return max(total >> self.restraint.halvings, instrument.model.min_lots)

    @cython.final
    cdef int32_t want_c(self, Instrument instrument, int32_t side, int64_t now_ns) noexcept nogil:
        """Copy a side of the target into ``side_*`` and say what it needs."""
        cdef int32_t key = 0 if side > 0 else 1
        cdef int32_t i, n = <int32_t>(instrument.target.bid_count if side > 0 else instrument.target.ask_count)
        cdef const int64_t* ticks = &instrument.target.bid_ticks[0] if side > 0 else &instrument.target.ask_ticks[0]
        cdef const int64_t* lots = &instrument.target.bid_lots[0] if side > 0 else &instrument.target.ask_lots[0]
        cdef bint reduces
        for i in range(n):
            self.side_ticks_[key][i] = ticks[i]
            self.side_lots_[key][i] = lots[i]
        if self.coarse_price_e8 or self.coarse_size_e8:
            # What only reduces may have to be rid of less than a coarse size.
            reduces = instrument.breach != BREACH_NONE or self.gate.mode == MODE_REDUCING
            n = coarsen_c(side, n, self.side_ticks_[key], self.side_lots_[key], units_c(instrument.tick_e8, self.coarse_price_e8),
                          1 if reduces else units_c(instrument.lot_e8, self.coarse_size_e8), instrument.settings.min_lots)
        self.side_count_[key] = n
        return change(self, instrument, side)

    @cython.final
    cdef int64_t tolerance_c(self, Instrument instrument, int64_t now_ns) noexcept nogil:
        """Ticks that a resting order may be off its target; none once the side is too old."""
        cdef int64_t relative = <int64_t>(self.requote_bps * 1e-4 * instrument.market.fair_usd / instrument.settings.tick_usd)
        if now_ns - instrument.last_change_ns > self.max_lifetime_ns:
            return 0
        return max(relative, self.requote_ticks)

    @cython.final
    cdef int32_t change_c(self, Instrument instrument, int32_t side) noexcept nogil:
        """What a side needs after the decision itself has cut its target."""
        return change(self, instrument, side)

    @cython.final
    cdef int32_t send_c(self, int32_t priority, uint64_t request, Py_ssize_t size, int64_t now_ns) noexcept:
        """Hand the encoder's text of a request to the outbox: 1 when it is on its way, 0 when nothing was sent."""
        cdef int32_t code
        lap_c(self.stamps, STAGE_ENCODE)
        if size < 0:
            return 0
        code = self.outbox.submit_c(priority, self.encoder.text_c(), size, now_ns)
        if code == SUBMIT_SENT or code == SUBMIT_QUEUED:
            self.messages_sent += 1
            if code == SUBMIT_SENT:
                sent_c(self.stamps, request)
            return 1
        if code == SUBMIT_FULL:
            self.overflowed = True
        return 0
