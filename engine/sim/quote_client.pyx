"""The client of a trial: a quoter with gate, order table and reports, and what the core does around them, judged on every event.

After every event the venue's truth is compared with the position limit (no fill of all that is open may pass it), with the belief
(the worst case believed is never below the true one) and with the mode (nothing that adds to a position leaves while it may only be
reduced, nothing but removals while halted).

One promise of the venue is taken for granted, as the quoters do: what a request did is reported at most ``SETTLE_NS`` after its
reply. Everything else – reports before replies, replies that never come, several seconds in between – happens.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from engine.core.instrument cimport Instrument
from engine.core.mass_quoter cimport MassQuoter
from engine.core.order_quoter cimport OrderQuoter
from engine.core.orders cimport SLOT_AMENDING, SLOT_CANCELLING, SLOT_PENDING, OrderTable, Slot
from engine.core.outlook cimport Outlook
from engine.core.reports cimport Reports
from engine.core.requests cimport Request, RequestRing
from engine.core.risk cimport MODE_ACTIVE, MODE_HALTED, Gate
from engine.sim.ask cimport ASKED_AMEND, ASKED_CANCEL, ASKED_REFILL, ASKED_SESSION, Ask
from engine.sim.small_venue cimport GRID_E8, WIRE, Answer, Note, SmallVenue
from feed.encode cimport Encoder
from feed.events cimport REPLY_ERROR, Fill, OrderUpdate
from feed.outbox cimport SUBMIT_FULL, Outbox
from kernels.records cimport Market, Model, Settings, Target, Volatility


cdef int32_t resolve_c(Settings* settings, double fair_usd, Model* model) noexcept nogil:
    model.resolved_at_usd = fair_usd
    return 0


cdef double volatility_c(Volatility* volatility, double price_usd, int64_t now_ns) noexcept nogil:
    return 1.0


cdef int64_t cut_c(int64_t count, const int64_t* lots, int64_t room) noexcept nogil:
    """How many levels fit into the room."""
    cdef int64_t i
    for i in range(count):
        room -= lots[i]
        if room < 0:
            return i
    return count


cdef int32_t quote_c(Market* market, Model* model, Target* target) noexcept nogil:
    """The drawn target, within the capacity that the quoter found."""
    target[0] = wanted
    target.bid_count = cut_c(wanted.bid_count, wanted.bid_lots, market.buy_capacity_lots)
    target.ask_count = cut_c(wanted.ask_count, wanted.ask_lots, market.sell_capacity_lots)
    return 0


FAULTS = {
    "none": 0, "forgets orders in flight": 1, "forgets the old end": 2, "takes a timeout for a refusal": 3, "ignores reducing": 4,
    "ignores a halt": 5, "trusts what is kept": 6, "settles at once": 7,
}
"""Ways to be broken; the last two are of the mass quoter alone."""


cdef class QuoteClient:
    """``plan``: an ``engine.core.plan.CorePlan``, whose mode decides how is quoted. ``fault``: a name in ``FAULTS``."""

    def __init__(self, plan, addresses, uint64_t seed, str fault="none"):
        self.instrument = Instrument(0, b"X", plan.settings, plan.volatility, Outlook(plan.signals, addresses))
        self.instrument.configure(GRID_E8, GRID_E8, 1, "P")
        self.table = OrderTable(1)
        self.gate = Gate(1)
        self.requests = RequestRing()
        self.venue = SmallVenue(seed)
        self.outbox = Outbox(self.venue, 4096, rejects_to_open=64, open_ns=1, open_max_ns=1)
        self.mass = plan.mode == "mass_quote"
        kind = MassQuoter if self.mass else OrderQuoter
        self.quoter = kind(plan, [self.instrument], self.table, self.gate, self.requests, Encoder(4096), self.outbox, addresses)
        self.quoter.resolve, self.quoter.quote, self.quoter.volatility = resolve_c, quote_c, volatility_c
        self.reports = Reports(plan, [self.instrument], self.table, self.requests, self.quoter, self.outbox, addresses)
        self.reply_ns = plan.timing.reply_ns
        self.now_ns = 1_000_000_000_000
        self.fault = FAULTS[fault]
        if self.fault == 7 and self.mass:
            (<MassQuoter>self.quoter).settle_ns = 0
        self.batch.order = <OrderUpdate*>calloc(1, sizeof(OrderUpdate))
        self.batch.fill = <Fill*>calloc(1, sizeof(Fill))
        if not (self.batch.order and self.batch.fill):
            raise MemoryError("quote trial")

    def __dealloc__(self):
        free(self.batch.order)
        free(self.batch.fill)

    @property
    def flips(self) -> int:
        """Fills of orders asked for while reducing that did not reduce."""
        return self.venue.flips

    @property
    def breaches(self) -> int:
        """All of them; ``trouble`` tells the first."""
        return self.overs + self.unders + self.crosses + self.leaks + self.stuck + self.venue.flips

    cdef int record(self, str what) except -1:
        """A line for the tape: what happened, what the venue holds, what is believed (a star for every unexplained repeat)."""
        if self.tape is not None:
            believed = " ".join(f"{o['state']}{'*' * o['repeats']} {o['side'] * (o['lots'] - o['filled_lots'])}@{o['price_ticks']}"
                                for o in self.table.orders())
            self.tape.append(f"{self.at} {self.now_ns} {what}: {self.venue.describe()} | position {self.instrument.position.lots}, "
                             f"{self.instrument.why}: {believed}")
        return 0

    cpdef int wait(self, int64_t span_ns) except -1:
        """Time passes; what has to be told before is told as late as may be."""
        while self.venue.note_count and self.venue.notes[self.venue.note_head].due_ns <= self.now_ns + span_ns:
            self.now_ns = max(self.now_ns, self.venue.notes[self.venue.note_head].due_ns - 1)
            self.hear(1)
        self.now_ns += span_ns
        self.instrument.ticker_ns = self.now_ns
        return 0

    cpdef int decide(self) except -1:
        cdef int32_t mode = self.gate.mode
        cdef int32_t before = self.venue.wire_count
        if not self.venue.connected:
            return 0
        if self.fault == 5 and mode == MODE_HALTED:
            self.gate.mode = MODE_ACTIVE
        self.quoter.decide_c(self.now_ns)
        self.gate.mode = mode
        self.record("decided")
        self.inspect(before)
        if self.fault:
            self.spoil()
        if self.reports.disarmed:
            self.reports.disarmed = False
            if self.rearm_ns == 0:
                self.rearm_ns = self.now_ns + <int64_t>3 * SETTLE_NS
        return 0

    cpdef int timer(self) except -1:
        """Deadlines are judged by the clock, and everything is looked at again."""
        cdef Request* request
        if not self.venue.connected:
            return 0
        if self.outbox.flush_c(self.now_ns) == SUBMIT_FULL:
            self.quoter.overflowed = True
        request = self.requests.overdue_c(self.now_ns - self.reply_ns)
        while request != NULL:
            self.overdue += 1
            if self.fault == 3:
                self.quoter.rejected_c(request, True, self.now_ns)
            else:
                self.quoter.overdue_c(request, self.now_ns)
            self.requests.close_c(request)
            request = self.requests.overdue_c(self.now_ns - self.reply_ns)
        if self.rearm_ns and self.now_ns >= self.rearm_ns and not self.venue.blocked and self.venue.wire_count < WIRE - 1:
            self.rearm_ns = 0
            self.venue.post_c(ASKED_REFILL)
        self.instrument.dirty = True
        return self.decide()

    cpdef int hear(self, int32_t count) except -1:
        """So many notifications in one read, then a decision."""
        cdef Note note
        cdef int32_t _i
        for _i in range(min(count, self.venue.note_count)):
            self.venue.take_note_c(&note)
            self.batch.count = 1
            self.batch.fills = note.update.fills
            self.batch.order[0] = note.update
            self.batch.fill[0] = note.fill
            self.record("a report")
            self.reports.apply_orders_c(&self.batch, self.now_ns)
        return self.decide()

    cpdef int answered(self) except -1:
        """A reply: the oldest, or an error that overtakes it."""
        cdef int32_t i = 0
        if self.venue.answer_count == 0:
            return 0
        if not self.venue.calm and self.venue.chance_c(4) == 0:
            i = <int32_t>self.venue.chance_c(self.venue.answer_count)
            if self.venue.answers[i].reply.kind != REPLY_ERROR:
                i = 0
        return self.reply(i)

    cdef int reply(self, int32_t i) except -1:
        """The i-th reply under way is delivered."""
        cdef Answer answer
        self.venue.take_answer_c(i, &answer)
        self.record("a reply")
        if answer.reply.id == 0:
            self.refilled += 1
            self.instrument.armed = True
            self.instrument.dirty = True
        else:
            self.batch.count = 1
            self.batch.fills = 0
            self.batch.order[0] = answer.update
            self.venue.settled_by_c(answer.told, self.now_ns + SETTLE_NS)
            self.reports.apply_reply_c(&answer.reply, &self.batch, self.now_ns)
        return self.decide()

    cpdef int lose(self) except -1:
        """The connection is lost: nothing is believed live, nothing is believed gone."""
        self.venue.drop_c()
        self.quoter.live = False
        self.quoter.overflowed = False
        self.requests.forget_all_c()
        self.table.doubt_all_c()
        self.instrument.unsync()
        self.rearm_ns = 0
        return 0

    cpdef int meet(self) except -1:
        """A new connection at the end of its set-up: the venue has shown that nothing is left, and the position of record."""
        cdef Instrument instrument = self.instrument
        memset(self.venue.held, 0, sizeof(self.venue.held))
        self.venue.wire_count = 0
        self.venue.connected = True
        self.venue.blocked = False
        self.venue.refill_c()
        self.forget()
        instrument.rebase(self.venue.position, <double>MID)
        self.outbox.attach(self.venue)
        instrument.book_synced = True
        instrument.book.clear_c()
        instrument.book.apply_c(True, MID - 2 * REACH, 1)
        instrument.book.apply_c(False, MID + 2 * REACH, 1)
        instrument.ticker_ns = self.now_ns
        instrument.mark_usd = instrument.index_usd = MID
        instrument.armed = True
        instrument.hold_until_ns = instrument.clear_after_ns = 0
        instrument.dirty = True
        self.quoter.live = True
        self.reports.disarmed = False
        return 0

    cdef int forget(self) except -1:
        cdef int32_t side
        for side in range(1, -2, -2):
            while self.table.count_c(0, side):
                self.table.close_c(self.table.at_c(0, side, 0))
        return 0

    cdef int spoil(self) except -1:
        """What a broken client would have forgotten."""
        cdef int32_t side, j
        cdef Slot* slot
        for side in range(1, -2, -2):
            j = self.table.count_c(0, side) - 1
            while j >= 0:
                slot = &self.table.slot_[self.table.at_c(0, side, j)]
                if self.fault == 1 and slot.state == SLOT_PENDING or self.fault == 2 and slot.state == SLOT_CANCELLING:
                    self.table.close_c(self.table.at_c(0, side, j))
                elif self.fault == 2 and slot.state == SLOT_AMENDING:
                    slot.price_ticks, slot.lots = slot.amend_ticks, slot.amend_lots
                elif self.fault == 6:
                    slot.repeats = 0
                j -= 1
        return 0

    # ---- judgement ----

    cdef int breach(self, str kind) except -1:
        if self.trouble is None:
            self.trouble = f"schedule {self.number}, event {self.at}: {kind}"
            self.record(kind)
        return 0

    cpdef int judge(self) except -1:
        """Truth against the limit, the belief, and itself."""
        cdef int32_t side
        cdef int64_t open_lots
        for side in range(1, -2, -2):
            open_lots = self.venue.open_c(side)
            if open_lots and side * self.venue.position + open_lots > self.limit:
                self.overs += 1
                self.breach("over the limit")
            if self.venue.connected and (side * self.instrument.position.lots + self.table.exposure_c(0, side)
                                         < side * self.venue.position + open_lots):
                self.unders += 1
                self.breach("more possible than believed")
        if self.venue.best_c(1) >= self.venue.best_c(-1):
            self.crosses += 1
            self.breach("own orders cross")
        if self.venue.flips and self.trouble is None:
            self.breach("a closing order did not close")
        return 0

    cdef int inspect(self, int32_t before) except -1:
        """What has just left, against what is allowed."""
        cdef Ask* ask
        cdef int32_t i, side
        cdef int64_t lots = self.instrument.position.lots
        for i in range(before, self.venue.wire_count):
            ask = &self.venue.wire[(self.venue.wire_head + i) % WIRE]
            if ask.kind == ASKED_CANCEL or ask.kind == ASKED_REFILL or ask.kind == ASKED_SESSION:
                continue
            for side in range(2):
                if ask.count[side] <= 0:
                    continue
                if self.gate.mode == MODE_HALTED:
                    self.leaks += 1
                    self.breach("sent while halted")
                elif self.venue.epoch and ask.kind != ASKED_AMEND and (lots >= 0 if side == 0 else lots <= 0):
                    # An amend does not tell its side: the fills of what it made are judged instead.
                    self.leaks += 1
                    self.breach("sent an order that adds while reducing")
        return 0
