"""The quoter with its gate, order table and reports, against a venue that may do anything in any order it is allowed to.

One schedule is a random walk of decisions, executions, fills, reports, replies, timeouts and lost connections on one instrument, with
targets drawn by chance in place of a model. It ends in calm: belief is truth then, what must not rest is gone, and quoting goes on.
A schedule may also be played by hand, event by event.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.string cimport memset

from engine.core.instrument cimport BREACH_LOSSES, BREACH_NONE, PULL_LIMIT, PULL_MODE, PULL_NONE, Instrument
from engine.core.risk cimport MODE_ACTIVE, MODE_HALTED, MODE_REDUCING
from engine.sim.quote_client cimport MID, REACH, SETTLE_NS, QuoteClient, wanted
from engine.sim.small_venue cimport HELD, SmallVenue
from feed.events cimport DELETE_ADMIN_CANCEL
from feed.outbox cimport BREAKER_CLOSED
from kernels.records cimport Target

from engine.sim.quote_client import FAULTS

__all__ = ["FAULTS", "QuoteTrial"]


cdef class QuoteTrial(QuoteClient):
    """``run`` for random schedules; ``play`` and what follows it for one by hand."""

    cdef int64_t drops, halted, reduced
    cdef readonly int64_t events

    def seen(self) -> dict:
        """How often what happened."""
        cdef SmallVenue venue = self.venue
        return {
            "sent": venue.asked, "fills": venue.fills, "refused": venue.refused, "lost replies": venue.lost, "overdue": self.overdue,
            "lost connections": self.drops, "given up": self.overflows, "reduced": self.reduced, "halted": self.halted,
        } | ({"kept": venue.kept, "failed in part": venue.failed, "protection fired": venue.trips, "armed again": self.refilled}
             if self.mass else {"refused by the gate": self.gate.refused})

    def run(self, int64_t first, int64_t schedules, int32_t events) -> int:
        """So many schedules of so many events each; breaches found."""
        cdef int64_t i
        for i in range(first, first + schedules):
            self.begin(i)
            for self.at in range(events):
                self.step()
                self.judge()
            self.calm()
            self.events += events
        return self.breaches

    # ---- a schedule ----

    def begin(self, int64_t number) -> None:
        """A new schedule: an empty venue, a random limit and position; every fourth one may only reduce."""
        cdef Instrument instrument = self.instrument
        self.number = number
        # Each schedule can be repeated alone.
        self.venue.random = (<uint64_t>number + 1) * 0xD1342543DE82EF95ULL
        self.limit = 1 + self.venue.chance_c(30)
        self.venue.begin_c(self.venue.chance_c(2 * self.limit + 1) - self.limit)
        self.now_ns += 100_000_000_000
        self.gate.set_limits(0, self.limit, self.limit, 0.5, 1.0)
        self.gate.set_mode(MODE_ACTIVE)
        self.gate.set_reducing(0, False)
        instrument.breach = BREACH_NONE
        instrument.max_abs_lots = 0
        self.outbox.breaker = BREAKER_CLOSED
        self.outbox.set_message_rate(4096)
        self.outbox.attach(self.venue)
        self.quoter.min_interval_ns = 0 if self.venue.chance_c(2) else 20_000_000
        memset(&wanted, 0, sizeof(Target))
        self.think()
        self.lose()
        self.meet()
        if number % 4 == 3:
            self.conduct()

    cdef int step(self) except -1:
        """One event, some time after the last."""
        cdef int64_t what = self.venue.chance_c(64)
        self.wait(1 << self.venue.chance_c(31))
        if not self.venue.connected:
            if what < 20:
                self.venue.execute_c()
            elif what < 44:
                self.take(what < 34)
            else:
                self.meet()
        elif what < 14:
            self.think()
            self.decide()
        elif what < 26:
            self.venue.execute_c()
        elif what < 32:
            self.take(what < 30)
        elif what < 40:
            self.hear(1 + <int32_t>self.venue.chance_c(3))
        elif what < 50:
            self.answered()
        elif what < 56:
            self.timer()
        elif what < 58:
            if self.number % 4 == 2:
                self.conduct()
        elif what == 58:
            self.venue.blocked = not self.venue.blocked and self.venue.chance_c(3) == 0
        elif what == 59:
            if self.venue.chance_c(4) == 0 and self.venue.held[0].open:
                self.venue.remove_c(&self.venue.held[0], DELETE_ADMIN_CANCEL)
        elif what == 60:
            if self.venue.chance_c(4) == 0:
                self.drops += 1
                self.lose()
        else:
            self.decide()
        self.record("an event")
        if self.quoter.overflowed and self.venue.connected:
            self.overflows += 1
            self.lose()
        return 0

    cdef int think(self) except -1:
        """The market moves: some of the target changes, the rest stays and will be repeated."""
        cdef int64_t what = self.venue.chance_c(6)
        cdef int32_t side = 1 if self.venue.chance_c(2) else -1
        cdef int64_t* ticks = &wanted.bid_ticks[0] if side > 0 else &wanted.ask_ticks[0]
        cdef int64_t* lots = &wanted.bid_lots[0] if side > 0 else &wanted.ask_lots[0]
        cdef int64_t count = wanted.bid_count if side > 0 else wanted.ask_count
        cdef int64_t i
        if what < 2 or count == 0:
            count = self.venue.chance_c(4)
            ticks[0] = MID - side * (1 + self.venue.chance_c(REACH - 5))
            for i in range(count):
                ticks[i] = ticks[0] - side * i
                lots[i] = 1 + self.venue.chance_c(max(1, self.limit // 2))
        elif what == 2:
            for i in range(count):
                ticks[i] -= side
        elif what == 3:
            lots[self.venue.chance_c(count)] = 1 + self.venue.chance_c(self.limit)
        elif what == 4:
            count -= 1
        if side > 0:
            wanted.bid_count = count
        else:
            wanted.ask_count = count
        self.instrument.dirty = True
        return 0

    cdef int take(self, bint part) except -1:
        """A taker: one order, or a whole side."""
        if part:
            self.venue.trade_c(&self.venue.held[self.venue.chance_c(16)], self.venue.chance_c(3) == 0)
        else:
            self.venue.sweep_c(1 if self.venue.chance_c(2) else -1)
        return 0

    cdef int conduct(self) except -1:
        """The operator, or a limit, changes what is allowed."""
        cdef int64_t what = self.venue.chance_c(4) if self.number % 4 == 2 else self.venue.chance_c(2)
        if what == 0:
            self.gate.set_mode(MODE_REDUCING)
        elif what == 1:
            if self.instrument.breach == BREACH_NONE:
                self.quoter.monitors.begin_c(self.instrument, BREACH_LOSSES)
        elif what == 2:
            self.gate.set_mode(MODE_HALTED)
            self.halted += 1
        else:
            self.gate.set_mode(MODE_ACTIVE)
        self.instrument.dirty = True
        if self.gate.mode == MODE_REDUCING or self.instrument.breach != BREACH_NONE:
            self.reduced += 1
            if self.venue.epoch == 0:
                self.epochs += 1
                self.venue.epoch = self.epochs
        else:
            self.venue.epoch = 0
        if self.fault == 4:
            self.gate.set_mode(MODE_ACTIVE)
            self.gate.set_reducing(0, False)
        return 0

    cdef int calm(self) except -1:
        """Nothing goes wrong any more: the schedule's requests are answered, and belief has to meet truth."""
        cdef int32_t _i, side
        cdef int64_t due_ns, open_lots, believed
        cdef bint still = False
        self.venue.calm = True
        self.venue.blocked = False
        self.at = -1
        if not self.venue.connected:
            self.meet()
        for _i in range(80):
            while self.venue.wire_count or self.venue.answer_count or self.venue.note_count:
                if self.venue.wire_count and not self.venue.full_c():
                    self.venue.execute_c()
                elif self.venue.note_count:
                    self.hear(self.venue.note_count)
                else:
                    self.answered()
                self.judge()
            if self.quoter.overflowed:
                self.lose()
                self.meet()
            due_ns = min(self.quoter.revisit_ns, self.rearm_ns if self.rearm_ns else INT64_MAX)
            if self.requests.pending:
                due_ns = min(due_ns, self.requests.oldest_sent_ns_c() + self.reply_ns + 1)
            if self.instrument.chase_ns:
                due_ns = min(due_ns, self.instrument.chase_ns)
            if due_ns > self.now_ns + <int64_t>100 * SETTLE_NS:
                # The end of a cool-down is not waited for.
                if still:
                    break
                still = True
                due_ns = self.now_ns + 1_000_000
            else:
                still = False
            self.now_ns = max(self.now_ns + 1, due_ns)
            self.instrument.ticker_ns = self.now_ns
            self.timer()
            self.judge()
        if not still or self.requests.pending or self.instrument.position.lots != self.venue.position:
            self.stuck += 1
            self.breach("no rest")
            return 0
        for side in range(1, -2, -2):
            open_lots = self.venue.open_c(side)
            believed = self.table.exposure_c(0, side)
            if believed != open_lots or self.table.unsettled_c(0, side):
                self.stuck += 1
                self.breach(f"side {side}: {believed} lots believed, {open_lots} true")
            elif self.gate.mode == MODE_HALTED and open_lots:
                self.stuck += 1
                self.breach("orders left by a halt")
            elif self.venue.epoch and open_lots > max(0, -side * self.venue.position):
                self.stuck += 1
                self.breach("orders left that add or flip")
        if not (self.instrument.pull == PULL_NONE or self.instrument.pull == PULL_MODE and self.gate.mode == MODE_HALTED
                or self.instrument.pull == PULL_LIMIT and self.venue.epoch):
            self.stuck += 1
            self.breach(f"does not quote: {self.instrument.why}")
        return 0

    # ---- a schedule by hand ----

    def play(self, int64_t limit, int64_t position, *, bint same_amount=False, bint error_keeps=False) -> None:
        """A venue where nothing goes wrong by itself, and a client with a limit and a position."""
        self.begin(0)
        self.limit = limit
        self.gate.set_limits(0, limit, limit, 0.5, 1.0)
        self.venue.begin_c(position)
        self.venue.protection = INT64_MAX
        self.venue.calm = True
        self.venue.same_amount, self.venue.error_keeps = same_amount, error_keeps
        memset(&wanted, 0, sizeof(Target))
        self.meet()
        self.quoter.min_interval_ns = 0

    def want(self, bids=(), asks=()) -> None:
        """A new target, (ticks, lots) a level, and what is sent for it."""
        cdef int32_t i
        wanted.bid_count, wanted.ask_count = len(bids), len(asks)
        for i in range(wanted.bid_count):
            wanted.bid_ticks[i], wanted.bid_lots[i] = bids[i]
        for i in range(wanted.ask_count):
            wanted.ask_ticks[i], wanted.ask_lots[i] = asks[i]
        self.instrument.dirty = True
        self.decide()

    def mode(self, int32_t mode) -> None:
        """Change what is allowed, and act on it."""
        self.gate.set_mode(mode)
        if mode == MODE_REDUCING:
            self.epochs += 1
            self.venue.epoch = self.epochs
        self.instrument.dirty = True
        self.decide()

    def execute(self, int32_t refuse=0, int64_t fail_ticks=0) -> None:
        """The oldest request arrives; ``refuse``: with this error, ``fail_ticks``: but not its level at this price."""
        self.venue.refuse_next, self.venue.fail_ticks = refuse, fail_ticks
        self.venue.execute_c()
        self.venue.refuse_next = self.venue.fail_ticks = 0
        self.judge()

    def trade(self, int64_t ticks) -> None:
        """A taker takes what rests at a price."""
        cdef int32_t i
        for i in range(HELD):
            if self.venue.held[i].open and self.venue.held[i].price == ticks:
                self.venue.trade_c(&self.venue.held[i], True)
        self.judge()

    def trade_part(self, int64_t ticks, int64_t lots) -> None:
        """A taker takes so much of what rests at a price."""
        cdef int32_t i
        for i in range(HELD):
            if self.venue.held[i].open and self.venue.held[i].price == ticks:
                self.venue.fill_c(&self.venue.held[i], lots)
        self.judge()

    def overtake(self) -> None:
        """The newest reply comes before the others: an error may."""
        self.reply(self.venue.answer_count - 1)

    def rests(self) -> list:
        """Truth: signed lots and ticks of every open order."""
        return sorted((self.venue.held[i].side * (self.venue.held[i].lots - self.venue.held[i].filled), self.venue.held[i].price)
                      for i in range(HELD) if self.venue.held[i].open)

    def believed(self) -> list:
        """Belief: state, signed lots and ticks of every order that may trade."""
        return sorted((o["state"], o["side"] * (o["lots"] - o["filled_lots"]), o["price_ticks"]) for o in self.table.orders())

    @property
    def sent(self) -> int:
        """Requests so far."""
        return self.venue.asked
