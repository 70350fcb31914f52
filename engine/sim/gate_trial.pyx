"""The gate and the order table alone, against an exchange that may do anything in any order it is allowed to.

One schedule is a random walk of sends, executions, fills, reports and lost connections on one instrument. Requests reach the exchange
in order, replies and notifications come back in order each and in any order to each other, orders trade whenever the exchange holds
them, whole sides of them just before a cancel arrives. After every event of the exchange the truth is compared with
the position limit (no fill of all that is open may pass it) and with the belief (the worst case believed is never below the true one).
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memset

from engine.core.orders cimport (
    SLOT_AMENDING, SLOT_CANCELLING, SLOT_LIVE, SLOT_PENDING, OrderTable, Slot,
)
from engine.core.risk cimport GATE_PASS, Gate
from engine.sim.chance cimport below

cdef enum:
    HELD = 64                # orders the exchange can hold
    WIRE = 512               # messages one way
    MID = 100                # ticks; bids below, asks above

cdef enum Sent:
    SENT_INSERT = 0
    SENT_AMEND = 1
    SENT_CANCEL = 2

cdef struct Held:            # an order at the exchange
    bint open
    int32_t side
    int64_t price
    int64_t lots
    int64_t filled
    uint64_t client_id
    uint64_t id

cdef struct Message:
    int32_t kind
    uint64_t request
    uint64_t client_id
    int32_t side
    int64_t price
    int64_t lots

cdef struct Report:
    uint64_t request         # of a reply
    int32_t kind
    bint accepted
    uint64_t client_id
    uint64_t id
    int32_t side
    int64_t price
    int64_t lots
    int64_t filled
    int64_t fill
    bint ended
    bint amended


cdef class GateTrial:
    """Single orders: inserted, amended, cancelled. ``fault``: 1 ignores what rests, 2 forgets what it cancels."""

    cdef OrderTable table
    cdef Gate gate
    cdef int32_t fault
    cdef uint64_t random_
    cdef int64_t limit
    cdef bint reducing
    cdef int64_t begun_lots
    cdef int64_t believed     # position by reports
    cdef int64_t position     # at the exchange
    cdef bint connected
    cdef int64_t now_ns
    cdef uint64_t request
    cdef uint64_t next_id
    cdef Held[64] held_
    cdef Message[512] out_
    cdef Report[512] notes_
    cdef Report[512] replies_
    cdef int32_t out_head, out_count, note_head, note_count, reply_head, reply_count
    cdef readonly int64_t events, sent, refused, fills, rejected, drops, overs, unders, flips

    def __cinit__(self, uint64_t seed, int32_t fault=0):
        self.table = OrderTable(1)
        self.gate = Gate(1)
        self.fault = fault
        self.random_ = seed

    def run(self, int64_t schedules, int32_t events) -> int:
        """So many schedules of so many events each; breaches found. Their kinds, and what happened, are in the members."""
        cdef int64_t i
        cdef int32_t _j
        for i in range(schedules):
            self.begin(i)
            for _j in range(events):
                self.step_c()
                self.judge_c()
            self.events += events
        return self.overs + self.unders + self.flips

    def begin(self, int64_t number) -> None:
        """A new schedule: an empty exchange, a random limit, and every third one only reduces a random position."""
        self.table.forget_all_c()
        memset(self.held_, 0, sizeof(self.held_))
        self.out_count = self.note_count = self.reply_count = 0
        self.connected = True
        self.limit = 1 + self.below_c(30)
        self.reducing = number % 3 == 2
        self.position = self.below_c(2 * self.limit + 1) - self.limit
        self.believed = self.begun_lots = self.position
        self.gate.set_limits(0, self.limit, self.limit, 0.5, 1.0)
        self.gate.set_reducing(0, self.reducing)

    cdef int64_t below_c(self, int64_t bound) noexcept nogil:
        return below(&self.random_, bound)

    cdef void step_c(self) noexcept nogil:
        cdef int64_t what = self.below_c(40)
        self.now_ns += 2
        if what < 10:
            if self.connected and self.out_count < WIRE - 1:
                self.order_c()
        elif what < 20:
            if self.out_count:
                self.execute_c()
        elif what < 24:
            self.trade_c(&self.held_[self.below_c(HELD)], False)
        elif what < 26:
            self.sweep_c(1 if self.below_c(2) else -1)
        elif what < 32:
            if self.note_count:
                self.note_c()
        elif what < 39:
            if self.reply_count:
                self.reply_c()
        elif self.connected:
            if self.below_c(4) == 0:
                self.drop_c()
        else:
            self.reconcile_c()

    cdef void judge_c(self) noexcept nogil:
        """Truth against the limit and against the belief."""
        cdef int64_t[2] open_lots
        cdef int32_t i, side
        open_lots[0] = open_lots[1] = 0
        for i in range(HELD):
            if self.held_[i].open:
                open_lots[0 if self.held_[i].side > 0 else 1] += self.held_[i].lots - self.held_[i].filled
        for side in range(1, -2, -2):
            i = 0 if side > 0 else 1
            if open_lots[i] and side * self.position + open_lots[i] > self.limit:
                self.overs += 1
            if self.connected and (side * self.believed + self.table.exposure_c(0, side)
                                   < side * self.position + open_lots[i]):
                self.unders += 1
            if self.reducing and open_lots[i] > 0 and open_lots[i] > -side * self.position:
                self.flips += 1
        if self.reducing and (self.position * self.begun_lots < 0 or abs_c(self.position) > abs_c(self.begun_lots)):
            self.flips += 1

    # ---- the client ----

    cdef int64_t exposure_c(self, int32_t side) noexcept nogil:
        return 0 if self.fault == 1 else self.table.exposure_c(0, side)

    cdef Message* post_c(self, int32_t kind) noexcept nogil:
        """A new message at the end of the wire."""
        cdef Message* message = &self.out_[(self.out_head + self.out_count) % WIRE]
        memset(message, 0, sizeof(Message))
        self.request += 1
        message.kind = kind
        message.request = self.request
        self.out_count += 1
        self.sent += 1
        return message

    cdef void order_c(self) noexcept nogil:
        """Insert, amend or cancel, as the gate allows; a cancel may be raced by a sweep."""
        cdef int32_t side = 1 if self.below_c(2) else -1
        cdef int64_t price = MID - side * (1 + self.below_c(9)), lots = 1 + self.below_c(self.limit), worst, others
        cdef int32_t count = self.table.count_c(0, side), index
        cdef int64_t choice = self.below_c(3)
        cdef Message* message
        cdef Slot* slot
        if choice == 0 or count == 0:
            if count >= 8 or not self.allowed_c(side, self.exposure_c(side), 1, &price, &lots):
                return
            index = self.table.open_c(0, side, price, lots, self.now_ns)
            message = self.post_c(SENT_INSERT)
        else:
            index = self.table.at_c(0, side, <int32_t>self.below_c(count))
            slot = &self.table.slot_[index]
            if choice == 1:
                worst = max(slot.lots - slot.filled_lots, lots)
                others = self.exposure_c(side) - (slot.lots - slot.filled_lots)
                if slot.state != SLOT_LIVE or not self.allowed_c(side, others, 1, &price, &worst):
                    return
                message = self.post_c(SENT_AMEND)
                slot.state = SLOT_AMENDING
                slot.amend_ticks = price
                slot.amend_lots = lots = slot.filled_lots + lots
            else:
                message = self.post_c(SENT_CANCEL)
                slot.state = SLOT_CANCELLING
        slot = &self.table.slot_[index]
        slot.request = message.request
        message.client_id, message.side, message.price, message.lots = slot.client_order_id, side, price, lots
        if message.kind == SENT_CANCEL:
            if self.fault == 2:
                self.table.close_c(index)
            if self.below_c(2):
                self.sweep_c(side)

    cdef bint allowed_c(self, int32_t side, int64_t exposure, int32_t n, int64_t* prices, int64_t* lots) noexcept nogil:
        if self.gate.side_c(self.table, 0, side, self.believed, exposure, n, prices, lots, MID, MID) == GATE_PASS:
            return True
        self.refused += 1
        return False

    cdef void note_c(self) noexcept nogil:
        """A notification: its fill counts, then the order's state, as the reports apply them."""
        cdef Report* note = &self.notes_[self.note_head]
        cdef int32_t index
        cdef Slot* slot
        self.note_head = (self.note_head + 1) % WIRE
        self.note_count -= 1
        self.believed += note.side * note.fill
        index = self.table.by_client_id_c(note.client_id)
        if note.ended:
            if index >= 0:
                self.table.end_c(index)
            self.table.note_closed_c(<char*>&note.id, sizeof(uint64_t))
            return
        if index < 0:
            return
        slot = &self.table.slot_[index]
        if note.filled < slot.filled_lots:
            return
        slot.filled_lots = note.filled
        if slot.order_id_length == 0:
            memcpy(slot.order_id, &note.id, sizeof(uint64_t))
            slot.order_id_length = sizeof(uint64_t)
        if slot.state == SLOT_PENDING or (slot.state == SLOT_AMENDING and note.amended
                                          and (note.price != slot.price_ticks or note.lots != slot.lots)):
            slot.state = SLOT_LIVE
        if slot.state == SLOT_LIVE:
            slot.price_ticks = note.price
            slot.lots = note.lots
            slot.amend_lots = 0

    cdef void reply_c(self) noexcept nogil:
        """A reply: what was refused never happened, what was executed has been or will be reported."""
        cdef Report* reply = &self.replies_[self.reply_head]
        cdef int32_t index
        cdef Slot* slot
        self.reply_head = (self.reply_head + 1) % WIRE
        self.reply_count -= 1
        index = self.table.by_client_id_c(reply.client_id)
        if index < 0 or reply.accepted or self.table.slot_[index].request != reply.request:
            return
        slot = &self.table.slot_[index]
        if reply.kind == SENT_INSERT:
            self.table.close_c(index)
        elif slot.state == SLOT_AMENDING:
            slot.state = SLOT_LIVE
            slot.amend_lots = 0

    # ---- the exchange ----

    cdef void tell_c(self, Held* order, int64_t fill, bint ended, bint amended) noexcept nogil:
        cdef Report* note = &self.notes_[(self.note_head + self.note_count) % WIRE]
        if not self.connected:
            return
        note.client_id, note.id, note.side, note.price = order.client_id, order.id, order.side, order.price
        note.lots, note.filled, note.fill, note.ended, note.amended = order.lots, order.filled, fill, ended, amended
        self.note_count += 1

    cdef void answer_c(self, Message* message, bint accepted) noexcept nogil:
        cdef Report* reply = &self.replies_[(self.reply_head + self.reply_count) % WIRE]
        self.rejected += not accepted
        if not self.connected:
            return
        reply.request, reply.kind, reply.client_id, reply.accepted = message.request, message.kind, message.client_id, accepted
        self.reply_count += 1

    cdef void trade_c(self, Held* order, bint whole) noexcept nogil:
        """Somebody trades with an order, in part or in full."""
        cdef int64_t lots
        if not order.open or self.note_count >= WIRE - HELD:
            return
        lots = order.lots - order.filled
        if not whole:
            lots = 1 + self.below_c(lots)
        order.filled += lots
        order.open = order.filled < order.lots
        self.position += order.side * lots
        self.fills += 1
        self.tell_c(order, lots, not order.open, False)

    cdef void sweep_c(self, int32_t side) noexcept nogil:
        cdef int32_t i
        for i in range(HELD):
            if self.held_[i].side == side:
                self.trade_c(&self.held_[i], True)

    cdef bint hold_c(self, uint64_t client_id, int32_t side, int64_t price, int64_t lots) noexcept nogil:
        cdef int32_t i
        for i in range(HELD):
            if not self.held_[i].open:
                self.next_id += 1
                self.held_[i] = Held(True, side, price, lots, 0, client_id, self.next_id)
                self.tell_c(&self.held_[i], 0, False, False)
                return True
        return False

    cdef void execute_c(self) noexcept nogil:
        """The oldest request arrives."""
        cdef Message* message = &self.out_[self.out_head]
        cdef Held* order = NULL
        cdef int32_t i
        if self.note_count >= WIRE - HELD or self.reply_count >= WIRE - 1:
            return
        self.out_head = (self.out_head + 1) % WIRE
        self.out_count -= 1
        for i in range(HELD):
            if self.held_[i].open and self.held_[i].client_id == message.client_id:
                order = &self.held_[i]
        if message.kind == SENT_INSERT:
            self.answer_c(message, self.below_c(6) != 0 and self.hold_c(message.client_id, message.side, message.price, message.lots))
        elif order == NULL or (message.kind == SENT_AMEND and (message.lots <= order.filled or self.below_c(6) == 0)):
            self.answer_c(message, False)
        elif message.kind == SENT_AMEND:
            order.price, order.lots = message.price, message.lots
            self.tell_c(order, 0, False, True)
            self.answer_c(message, True)
        else:
            order.open = False
            self.tell_c(order, 0, True, False)
            self.answer_c(message, True)

    cdef void drop_c(self) noexcept nogil:
        """The connection is lost with all that comes back on it; what was sent may still arrive, in part."""
        self.connected = False
        self.drops += 1
        self.note_count = self.reply_count = 0
        self.out_count = <int32_t>self.below_c(self.out_count + 1)
        self.table.doubt_all_c()

    cdef void reconcile_c(self) noexcept nogil:
        """The exchange has removed what was left; the client starts from the position of record."""
        memset(self.held_, 0, sizeof(self.held_))
        self.out_count = 0
        self.connected = True
        self.table.forget_all_c()
        self.believed = self.position


cdef inline int64_t abs_c(int64_t value) noexcept nogil:
    return value if value >= 0 else -value
