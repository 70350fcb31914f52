"""A venue of one instrument that does anything protocol sections 3, 6 and 7 allow, at any moment a trial picks.

Requests are executed in the order sent. What follows from one – notifications of ``session.orders`` and its reply – is queued, each
in its order, for the trial to deliver in any order relative to each other. A mass quote replaces the stated sides, keeps identical
levels without a word, may fail in part, and its sum of fills may trip the protection. A tick and a lot are one.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.string cimport memset

from engine.sim.ask cimport ASKED_AMEND, ASKED_CANCEL, ASKED_INSERT, ASKED_MASS_QUOTE, ASKED_REFILL, ASKED_SESSION, LEVELS, Ask, parse_c
from engine.sim.chance cimport below
from feed.events cimport (
    CHANGE_AMEND, CHANGE_CANCEL, CHANGE_FILL, CHANGE_INSERT, DELETE_CLIENT_CANCEL, DELETE_FILLED,
    DELETE_IMMEDIATE_CANCEL, DELETE_MM_PROTECTION, DELETE_NONE, DELETE_REPLACED, DELETE_SESSION_END, ORDER_CLIENT_ID, ORDER_PRICE,
    REPLY_ERROR, REPLY_MASS_QUOTE, REPLY_ORDER, REPLY_RESULT, STATUS_CANCELLED, STATUS_CANCELLED_PARTIALLY_FILLED, STATUS_FILLED,
    STATUS_OPEN, STATUS_PARTIALLY_FILLED, Fill, OrderUpdate,
)
from feed.frames cimport Sink

cdef enum:
    BAD_ORDER = 1            # venue error codes (protocol section 9)
    THROTTLED = 4
    TEMPORARY = 20
    UNPROTECTED = 23
    TOO_MANY = 49


cdef inline int32_t name_c(char* out, uint64_t number) noexcept nogil:
    """An id as 16 hexadecimal digits."""
    cdef int32_t i
    for i in range(16):
        out[15 - i] = b"0123456789ABCDEF"[number >> (4 * i) & 15]
    return 16


cdef class SmallVenue(Sink):
    """The venue's side of one connection after another; ``seed`` of all that it decides by chance."""

    def __cinit__(self, uint64_t seed):
        self.random = seed

    def describe(self) -> str:
        """What is under way and what rests, for people."""
        held = " ".join(f"{self.held[i].side * (self.held[i].lots - self.held[i].filled)}@{self.held[i].price}"
                        for i in range(HELD) if self.held[i].open)
        return (f"{'' if self.connected else 'lost, '}position {self.position}, orders {held or 'none'}, under way {self.wire_count} "
                f"requests, {self.note_count} reports, {self.answer_count} replies")

    cdef int64_t chance_c(self, int64_t bound) noexcept nogil:
        return below(&self.random, bound)

    cdef bint unlucky_c(self, int64_t one_in) noexcept nogil:
        """Whether something goes wrong that may."""
        return not self.calm and below(&self.random, one_in) == 0

    cdef void begin_c(self, int64_t position) noexcept nogil:
        """An empty venue with a position of record, and new habits."""
        memset(self.held, 0, sizeof(self.held))
        self.wire_count = self.note_count = self.answer_count = 0
        self.position = position
        self.connected = True
        self.blocked = self.calm = False
        self.epoch = 0
        self.same_amount = self.chance_c(2)
        self.error_keeps = self.chance_c(2)
        self.error_whole = self.chance_c(2)
        self.refill_c()

    cdef void refill_c(self) noexcept nogil:
        """Protection for what a few fills trade, or for ever."""
        self.armed = True
        self.protection = 1 + self.chance_c(40) if self.chance_c(2) else INT64_MAX

    cdef int64_t open_c(self, int32_t side) noexcept nogil:
        """Lots that may still trade on a side."""
        cdef int64_t total = 0
        cdef int32_t i
        for i in range(HELD):
            if self.held[i].open and self.held[i].side == side:
                total += self.held[i].lots - self.held[i].filled
        return total

    cdef int64_t best_c(self, int32_t side) noexcept nogil:
        """Highest bid (0: none) or lowest ask (INT64_MAX: none)."""
        cdef int64_t best = 0 if side > 0 else INT64_MAX
        cdef int32_t i
        for i in range(HELD):
            if self.held[i].open and self.held[i].side == side:
                best = max(best, self.held[i].price) if side > 0 else min(best, self.held[i].price)
        return best

    cdef bint full_c(self) noexcept nogil:
        """Whether the queues may not hold what one more event can say."""
        return self.note_count > WIRE - 2 * HELD or self.answer_count >= WIRE - 1

    # ---- requests ----

    cdef Ask* post_c(self, int32_t kind) noexcept nogil:
        cdef Ask* ask = &self.wire[(self.wire_head + self.wire_count) % WIRE]
        memset(ask, 0, sizeof(Ask))
        ask.kind = kind
        ask.epoch = self.epoch
        self.wire_count += 1
        self.asked += 1
        return ask

    cdef int write_c(self, char* text, Py_ssize_t size) noexcept:
        """A request is sent: it arrives when ``execute_c`` says so."""
        cdef Ask* ask
        if self.blocked or not self.connected or self.wire_count >= WIRE - 1:
            return -1
        ask = self.post_c(ASKED_CANCEL)
        parse_c(text, size, ask)
        return 0

    cdef void execute_c(self) noexcept nogil:
        """The oldest request arrives."""
        cdef Ask* ask = &self.wire[self.wire_head]
        if self.wire_count == 0 or self.full_c():
            return
        self.wire_head = (self.wire_head + 1) % WIRE
        self.wire_count -= 1
        self.executed += 1
        if ask.kind == ASKED_REFILL:
            self.refill_c()
            self.answer_c(ask, REPLY_RESULT)
        elif self.refuse_next:
            self.refuse_c(ask, self.refuse_next)
        elif self.unlucky_c(25):
            self.refuse_c(ask, THROTTLED)
        elif self.unlucky_c(25):
            # It says that it failed; whether it did is another matter.
            if self.chance_c(2):
                self.calm = True
                self.perform_c(ask)
                self.calm = False
                if self.answer_count:
                    self.answer_count -= 1
            self.refuse_c(ask, TEMPORARY)
        else:
            self.perform_c(ask)

    cdef void perform_c(self, Ask* ask) noexcept nogil:
        if ask.kind == ASKED_MASS_QUOTE:
            self.quote_c(ask)
        elif ask.kind == ASKED_INSERT:
            self.insert_c(ask)
        elif ask.kind == ASKED_AMEND:
            self.amend_c(ask)
        elif ask.kind == ASKED_SESSION:
            self.end_session_c(ask)
        else:
            self.cancel_c(ask)

    cdef void end_session_c(self, Ask* ask) noexcept nogil:
        """Every order of the session goes, and the protection with them (protocol section 6.5)."""
        cdef int32_t i
        for i in range(HELD):
            if self.held[i].open:
                self.remove_c(&self.held[i], DELETE_SESSION_END)
        self.armed = False
        self.answer_c(ask, REPLY_RESULT)

    cdef void quote_c(self, Ask* ask) noexcept nogil:
        """Replace the stated sides (protocol section 7.1); everything old leaves before anything new comes."""
        cdef bint[20] good
        cdef int32_t[2] failed
        cdef int32_t side, i, j
        cdef int64_t levels = 0, lots
        cdef Held* order
        cdef Answer* answer
        if not self.armed and self.error_whole and (ask.count[0] > 0 or ask.count[1] > 0):
            self.refuse_c(ask, UNPROTECTED)
            return
        for side in range(2):
            failed[side] = 0
            for i in range(ask.count[side]):
                good[side * LEVELS + i] = self.armed and not self.unlucky_c(30) and ask.price[side * LEVELS + i] != self.fail_ticks
                failed[side] += not good[side * LEVELS + i]
                levels += 1
        for side in range(2):
            if ask.count[side] < 0 or (failed[side] and self.error_keeps):
                continue
            for j in range(HELD):
                order = &self.held[j]
                if not order.open or not order.quote or order.side != (1 if side == 0 else -1):
                    continue
                lots = order.lots if self.same_amount else order.lots - order.filled
                for i in range(side * LEVELS, side * LEVELS + ask.count[side]):
                    if good[i] and order.price == ask.price[i] and lots == ask.lots[i]:
                        good[i] = False
                        order.epoch = ask.epoch
                        self.kept += 1
                        break
                else:
                    self.remove_c(order, DELETE_REPLACED if ask.count[side] else DELETE_CLIENT_CANCEL)
        for side in range(2):
            if ask.count[side] < 0 or (failed[side] and self.error_keeps):
                continue
            for i in range(side * LEVELS, side * LEVELS + ask.count[side]):
                if good[i]:
                    self.hold_c(ask, 1 if side == 0 else -1, ask.price[i], ask.lots[i])
        self.failed += failed[0] + failed[1]
        answer = self.answer_c(ask, REPLY_MASS_QUOTE)
        if answer != NULL:
            answer.reply.n_fail = failed[0] + failed[1]
            answer.reply.n_success = <int32_t>levels - answer.reply.n_fail
            if answer.reply.n_fail:
                answer.reply.error_code = TOO_MANY if self.armed else UNPROTECTED

    cdef void insert_c(self, Ask* ask) noexcept nogil:
        cdef int32_t side = 1 if ask.count[0] else -1
        cdef Held* order
        cdef Answer* answer
        if self.unlucky_c(12):
            self.refuse_c(ask, TOO_MANY)
            return
        order = self.hold_c(ask, side, ask.price[0], ask.lots[0])
        if order == NULL:
            self.refuse_c(ask, TOO_MANY)
            return
        answer = self.answer_c(ask, REPLY_ORDER)
        if answer != NULL:
            # The notification just made tells the same.
            answer.update = self.notes[(self.note_head + self.note_count - 1) % WIRE].update

    cdef void amend_c(self, Ask* ask) noexcept nogil:
        """A new price and total size (protocol section 6.2); at or below what is executed, the order ends."""
        cdef Held* order = self.find_c(ask)
        cdef Answer* answer
        if order == NULL:
            self.refuse_c(ask, BAD_ORDER)
            return
        if self.unlucky_c(12):
            self.refuse_c(ask, TOO_MANY)
            return
        if ask.lots[0] <= order.filled:
            self.remove_c(order, DELETE_CLIENT_CANCEL)
        elif self.unlucky_c(20):
            # The price would cross.
            self.remove_c(order, DELETE_IMMEDIATE_CANCEL)
        else:
            order.price, order.lots, order.epoch = ask.price[0], ask.lots[0], ask.epoch
            self.tell_c(order, STATUS_PARTIALLY_FILLED if order.filled else STATUS_OPEN, CHANGE_AMEND, DELETE_NONE)
        answer = self.answer_c(ask, REPLY_ORDER)
        if answer != NULL:
            answer.update = self.notes[(self.note_head + self.note_count - 1) % WIRE].update
            answer.update.change_reason = CHANGE_AMEND

    cdef void cancel_c(self, Ask* ask) noexcept nogil:
        cdef Held* order = self.find_c(ask)
        cdef Answer* answer
        if order == NULL:
            self.refuse_c(ask, BAD_ORDER)
            return
        if self.unlucky_c(20):
            self.refuse_c(ask, TOO_MANY)
            return
        self.remove_c(order, DELETE_CLIENT_CANCEL)
        answer = self.answer_c(ask, REPLY_ORDER)
        if answer != NULL:
            answer.update = self.notes[(self.note_head + self.note_count - 1) % WIRE].update

    # ---- orders ----

    cdef Held* hold_c(self, Ask* ask, int32_t side, int64_t price, int64_t lots) noexcept nogil:
        """A new order, or one that is rejected for crossing and never rests; NULL when there is no place."""
        cdef Held* order
        cdef int32_t i
        for i in range(HELD):
            order = &self.held[i]
            if not order.open:
                self.next_id += 1
                order[0] = Held(True, ask.kind == ASKED_MASS_QUOTE, side, price, lots, 0, ask.client_id, self.next_id, ask.epoch)
                if self.unlucky_c(25):
                    order.open = False
                    self.tell_c(order, STATUS_CANCELLED, CHANGE_INSERT, DELETE_IMMEDIATE_CANCEL)
                else:
                    self.tell_c(order, STATUS_OPEN, CHANGE_INSERT, DELETE_NONE)
                return order
        return NULL

    cdef Held* find_c(self, Ask* ask) noexcept nogil:
        """The open order that a request names, or NULL."""
        cdef int32_t i
        for i in range(HELD):
            if self.held[i].open and (self.held[i].client_id == ask.client_id if ask.client_id else self.held[i].id == ask.order_id):
                return &self.held[i]
        return NULL

    cdef void remove_c(self, Held* order, int32_t reason) noexcept nogil:
        order.open = False
        self.tell_c(order, STATUS_CANCELLED_PARTIALLY_FILLED if order.filled else STATUS_CANCELLED, CHANGE_CANCEL, reason)

    cdef void trade_c(self, Held* order, bint whole) noexcept nogil:
        """Somebody trades with an order, in part or in full."""
        cdef int64_t lots
        if not order.open or self.full_c():
            return
        lots = order.lots - order.filled
        self.fill_c(order, lots if whole else 1 + self.chance_c(lots))

    cdef void fill_c(self, Held* order, int64_t lots) noexcept nogil:
        """So many lots of an order trade; the protection may fire."""
        cdef Note* note
        cdef int32_t i
        order.filled += lots
        order.open = order.filled < order.lots
        if order.epoch and order.epoch == self.epoch and not 0 < lots <= -order.side * self.position:
            self.flips += 1
        self.position += order.side * lots
        self.fills += 1
        note = self.tell_c(order, STATUS_PARTIALLY_FILLED if order.open else STATUS_FILLED, CHANGE_FILL,
                           DELETE_NONE if order.open else DELETE_FILLED)
        if note != NULL:
            self.next_trade += 1
            note.update.fills = 1
            memset(&note.fill, 0, sizeof(Fill))
            note.fill.price_e8 = order.price * GRID_E8
            note.fill.amount_e8 = lots * GRID_E8
            note.fill.maker = 1
            note.fill.trade_id_length = name_c(note.fill.trade_id, self.next_trade)
        if order.quote and self.protection != INT64_MAX:
            self.protection -= lots
            if self.protection <= 0 and self.armed:
                self.armed = False
                self.trips += 1
                for i in range(HELD):
                    if self.held[i].open and self.held[i].quote:
                        self.remove_c(&self.held[i], DELETE_MM_PROTECTION)

    cdef void sweep_c(self, int32_t side) noexcept nogil:
        """A taker goes through a whole side."""
        cdef int32_t i
        for i in range(HELD):
            if self.held[i].side == side:
                self.trade_c(&self.held[i], True)

    # ---- what it says ----

    cdef Note* tell_c(self, Held* order, int32_t status, int32_t change, int32_t reason) noexcept nogil:
        """Queue one order's change; NULL when nobody listens."""
        cdef Note* note = &self.notes[(self.note_head + self.note_count) % WIRE]
        cdef OrderUpdate* update = &note.update
        if not self.connected:
            return NULL
        memset(update, 0, sizeof(OrderUpdate))
        update.side = order.side
        update.has = ORDER_PRICE
        if order.client_id:
            update.has |= ORDER_CLIENT_ID
            update.client_order_id = order.client_id
        update.status = status
        update.change_reason = change
        update.delete_reason = reason
        update.price_e8 = order.price * GRID_E8
        update.amount_e8 = order.lots * GRID_E8
        update.filled_e8 = order.filled * GRID_E8
        update.remaining_e8 = (order.lots - order.filled) * GRID_E8 if order.open else 0
        update.order_id_length = name_c(update.order_id, order.id)
        note.due_ns = INT64_MAX
        self.note_count += 1
        self.told += 1
        return note

    cdef Answer* answer_c(self, Ask* ask, int32_t kind) noexcept nogil:
        """Queue a reply; NULL when it is lost or nobody listens."""
        cdef Answer* answer = &self.answers[self.answer_count]
        if not self.connected:
            return NULL
        if ask.kind != ASKED_REFILL and self.unlucky_c(30):
            self.lost += 1
            return NULL
        memset(answer, 0, sizeof(Answer))
        answer.reply.id = ask.id
        answer.reply.kind = kind
        answer.told = self.told
        self.answer_count += 1
        return answer

    cdef void refuse_c(self, Ask* ask, int32_t code) noexcept nogil:
        cdef Answer* answer = self.answer_c(ask, REPLY_ERROR)
        self.refused += 1
        if answer != NULL:
            answer.reply.error_code = code

    cdef void take_note_c(self, Note* note) noexcept nogil:
        """The oldest notification is delivered."""
        note[0] = self.notes[self.note_head]
        self.note_head = (self.note_head + 1) % WIRE
        self.note_count -= 1

    cdef void take_answer_c(self, int32_t i, Answer* answer) noexcept nogil:
        """A reply is delivered: the oldest, or an error that overtakes (protocol section 3)."""
        cdef int32_t j
        answer[0] = self.answers[i]
        for j in range(i, self.answer_count - 1):
            self.answers[j] = self.answers[j + 1]
        self.answer_count -= 1

    cdef void settled_by_c(self, int64_t told, int64_t due_ns) noexcept nogil:
        """What was told up to there has to be delivered in time."""
        cdef int64_t first = self.told - self.note_count
        cdef int32_t i
        for i in range(self.note_count):
            if first + i >= told:
                break
            self.notes[(self.note_head + i) % WIRE].due_ns = min(self.notes[(self.note_head + i) % WIRE].due_ns, due_ns)

    cdef void drop_c(self) noexcept nogil:
        """The connection is lost with all that comes back on it; what was sent may still arrive, in part."""
        self.connected = False
        self.note_count = self.answer_count = 0
        self.wire_count = <int32_t>self.chance_c(self.wire_count + 1)
