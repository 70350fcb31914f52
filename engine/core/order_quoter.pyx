"""One order a level: insert what is missing, amend what moved, cancel what is no longer wanted; one change in flight an order.

An amend is volume-safe and never both orders at once, so its worst case is the larger of the two sizes.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t

from engine.core.instrument cimport PULL_NONE, Instrument
from engine.core.orders cimport (
    SLOT_AMENDING, SLOT_CANCELLING, SLOT_ENDED, SLOT_FREE, SLOT_LIVE, SLOT_UNKNOWN, Slot,
)
from engine.core.quoter cimport CHANGE_NOTHING, CHANGE_URGENT, CHANGE_WANTED, Quoter
from engine.core.requests cimport REQUEST_AMEND, REQUEST_CANCEL, REQUEST_INSERT, Request
from engine.core.risk cimport GATE_PASS
from feed.encode cimport POST_ONLY, REJECT_POST_ONLY
from feed.outbox cimport PRIORITY_CANCEL, PRIORITY_QUOTE, PRIORITY_REDUCE
from feed.stamps cimport STAGE_RISK, lap_c

cdef enum:
    CANCEL_AGAIN_NS = 500000000      # a cancel whose order is still open this long after its answer is sent again
    REPORTS_NS = 1000000000          # the reports of what was answered have arrived by then
    FILLS_NS = 2000000000            # fills that an answer counted and no report has shown by then prove a loss


cdef class OrderQuoter(Quoter):
    """Level-by-level quoting."""

    cdef void decide_c(self, int64_t now_ns) noexcept:
        """Cancels first, over all instruments; then changes, urgent ones of every instrument before wanted ones."""
        cdef Instrument instrument
        cdef int32_t i, j, side, change
        cdef int n = len(self.instruments)
        self.revisit_ns = INT64_MAX
        for i in range(n):
            instrument = <Instrument>self.instruments[i]
            if instrument.chase_ns:
                self.chase_c(instrument, now_ns)
            if not instrument.dirty:
                continue
            if instrument.doubtful and not (
                    self.table.unsettled_c(instrument.index, 1) or self.table.unsettled_c(instrument.index, -1)):
                instrument.doubtful = False
            instrument.pull = self.evaluate_c(instrument, now_ns)
            if instrument.pull != PULL_NONE:
                instrument.pulls_[instrument.pull] += 1
                instrument.dirty = False
                for side in range(1, -2, -2):
                    for j in range(self.table.count_c(instrument.index, side)):
                        self.cancel_c(self.table.at_c(instrument.index, side, j), now_ns)
        for i in range(n):
            instrument = <Instrument>self.instruments[i]
            if not instrument.dirty:
                continue
            change = max(self.want_c(instrument, 1, now_ns), self.want_c(instrument, -1, now_ns))
            if change == CHANGE_WANTED and now_ns - instrument.last_change_ns < self.min_interval_ns:
                self.revisit_c(instrument.last_change_ns + self.min_interval_ns)
                continue
            instrument.dirty = False
            if change == CHANGE_NOTHING:
                continue
            # The side that moves away from the market goes first: its room is what the other one needs.
            side = 1 if self.table.best_c(instrument.index, 1) > self.side_ticks_[0][0] else -1
            if self.work_side_c(instrument, side, now_ns) | self.work_side_c(instrument, -side, now_ns):
                instrument.last_change_ns = now_ns

    cdef bint work_side_c(self, Instrument instrument, int32_t side, int64_t now_ns) noexcept:
        """Bring one side nearer to its target as far as the message budget goes; whether anything was sent."""
        cdef int32_t key = 0 if side > 0 else 1
        cdef int32_t change = self.change_c(instrument, side)
        cdef int32_t wanted = self.side_count_[key]
        cdef int32_t i, index
        cdef int32_t[10] holder
        cdef bint sent = False
        cdef Slot* order
        if change == CHANGE_NOTHING:
            return False
        for i in range(10):
            holder[i] = -1
        for i in range(self.table.count_c(instrument.index, side)):
            index = self.table.at_c(instrument.index, side, i)
            order = &self.table.slot_[index]
            if order.state == SLOT_ENDED:
                continue
            if order.state == SLOT_CANCELLING or order.state == SLOT_UNKNOWN:
                self.cancel_c(index, now_ns)
                continue
            if order.level < 0 or order.level >= wanted or holder[order.level] >= 0:
                self.cancel_c(index, now_ns)
                sent = True
            else:
                holder[order.level] = index
        for i in range(wanted):
            if holder[i] < 0:
                sent |= self.insert_c(instrument, side, i, PRIORITY_QUOTE, now_ns)
                continue
            order = &self.table.slot_[holder[i]]
            if order.state != SLOT_LIVE:
                continue
            if (order.price_ticks != self.side_ticks_[key][i] or (order.lots - order.filled_lots) * 2 < self.side_lots_[key][i]
                    or (order.lots - order.filled_lots) * 4 > self.side_lots_[key][i] * 5):
                sent |= self.amend_c(instrument, holder[i], i, PRIORITY_REDUCE if change == CHANGE_URGENT else PRIORITY_QUOTE, now_ns)
        return sent

    cdef void chase_c(self, Instrument instrument, int64_t now_ns) noexcept:
        """Cancel again what was to be cancelled and is still not proven gone; give up what owes its fills for too long."""
        cdef int32_t j, side, index
        cdef Slot* order
        if now_ns >= instrument.chase_ns:
            instrument.chase_ns = 0
            for side in range(1, -2, -2):
                for j in range(self.table.count_c(instrument.index, side)):
                    index = self.table.at_c(instrument.index, side, j)
                    order = &self.table.slot_[index]
                    if order.state == SLOT_CANCELLING:
                        self.cancel_c(index, now_ns)
                    elif order.state == SLOT_ENDED and now_ns - order.sent_ns >= FILLS_NS:
                        self.overflowed = True
                    elif order.state == SLOT_ENDED:
                        self.chase_at_c(instrument, order.sent_ns + FILLS_NS)
        if instrument.chase_ns:
            self.revisit_c(instrument.chase_ns)

    cdef void chase_again_c(self, Slot* order) noexcept:
        """Look at a cancelled order again in time for another cancel."""
        self.chase_at_c(<Instrument>self.instruments[order.instrument], order.sent_ns + CANCEL_AGAIN_NS)

    cdef void chase_at_c(self, Instrument instrument, int64_t at_ns) noexcept:
        """Look at an instrument's orders again at that time."""
        if instrument.chase_ns == 0 or at_ns < instrument.chase_ns:
            instrument.chase_ns = at_ns
        self.revisit_c(at_ns)

    cdef void owed_c(self, Instrument instrument, int64_t now_ns) noexcept:
        """The fills of an order that ended must come in time."""
        self.chase_at_c(instrument, now_ns + FILLS_NS)

    cdef bint admitted_c(self, int32_t priority, int64_t now_ns) noexcept:
        """Whether the outbox takes such a message now; if not, look again when it may."""
        if self.outbox.admits_c(priority, now_ns):
            return True
        self.revisit_c(self.outbox.next_admission_c(priority, now_ns))
        return False

    cdef bint insert_c(self, Instrument instrument, int32_t side, int32_t level, int32_t priority, int64_t now_ns) noexcept:
        """Insert one level, post-only with rejection: a price that would cross ends the order instead of moving it."""
        cdef int32_t key = 0 if side > 0 else 1
        cdef int64_t resting = self.table.exposure_c(instrument.index, side)
        cdef int32_t index
        cdef Request* request
        if not self.admitted_c(priority, now_ns):
            instrument.dirty = True
            return False
        if self.gate.side_c(self.table, instrument.index, side, instrument.position.lots, resting, 1, &self.side_ticks_[key][level],
                            &self.side_lots_[key][level], instrument.mark_usd, instrument.index_usd) != GATE_PASS:
            return False
        index = self.table.open_c(instrument.index, side, self.side_ticks_[key][level], self.side_lots_[key][level], now_ns)
        if index < 0:
            return False
        request = self.requests.open_c(REQUEST_INSERT, index, self.table.slot_[index].client_order_id, now_ns)
        if request == NULL:
            self.table.close_c(index)
            return False
        self.table.slot_[index].level = level
        self.table.slot_[index].request = request.id
        lap_c(self.stamps, STAGE_RISK)
        if not self.send_c(priority, request.id, self.encoder.insert_c(
                request.id, side > 0, instrument.name_, instrument.name_length, self.side_ticks_[key][level] * instrument.tick_e8,
                self.side_lots_[key][level] * instrument.lot_e8, self.table.slot_[index].client_order_id,
                self.label, len(self.label), POST_ONLY | REJECT_POST_ONLY), now_ns):
            self.requests.close_c(request)
            self.table.close_c(index)
            return False
        self.encoded += 1
        self.quotes_sent += 1
        instrument.quotes += 1
        return True

    cdef bint amend_c(self, Instrument instrument, int32_t index, int32_t level, int32_t priority, int64_t now_ns) noexcept:
        """Move one order to its target; the amount is the new total, executed part included (protocol section 6.2)."""
        cdef Slot* order = &self.table.slot_[index]
        cdef int32_t key = 0 if order.side > 0 else 1
        cdef int64_t price = self.side_ticks_[key][level], total = order.filled_lots + self.side_lots_[key][level]
        cdef int64_t worst = max(order.lots, total) - order.filled_lots + order.owed_lots
        cdef int64_t others = self.table.exposure_c(instrument.index, order.side) - self.table.exposure_of_c(index)
        cdef Request* request
        if not self.admitted_c(priority, now_ns):
            instrument.dirty = True
            return False
        if self.gate.side_c(self.table, instrument.index, order.side, instrument.position.lots, others, 1, &price, &worst,
                            instrument.mark_usd, instrument.index_usd) != GATE_PASS:
            # It may not rest where it should; where it is it may hurt.
            if order.side * (order.price_ticks - price) > 0:
                self.cancel_c(index, now_ns)
                return True
            return False
        request = self.requests.open_c(REQUEST_AMEND, index, order.client_order_id, now_ns)
        if request == NULL:
            return False
        lap_c(self.stamps, STAGE_RISK)
        if not self.send_c(priority, request.id, self.encoder.amend_c(
                request.id, order.client_order_id, price * instrument.tick_e8, total * instrument.lot_e8), now_ns):
            self.requests.close_c(request)
            return False
        order.state = SLOT_AMENDING
        order.amend_ticks = price
        order.amend_lots = total
        order.sent_ns = now_ns
        order.request = request.id
        self.encoded += 1
        self.quotes_sent += 1
        instrument.quotes += 1
        return True

    cdef void cancel_c(self, int32_t index, int64_t now_ns) noexcept:
        """Cancel an order, also one still on its way (protocol section 6.3); never delayed, never repeated before its answer."""
        cdef Slot* order = &self.table.slot_[index]
        cdef Request* request
        cdef Py_ssize_t size
        if order.state == SLOT_FREE or order.state == SLOT_ENDED or not self.live:
            return
        if order.state == SLOT_CANCELLING and now_ns - order.sent_ns < CANCEL_AGAIN_NS:
            self.chase_again_c(order)
            return
        request = self.requests.open_c(REQUEST_CANCEL, index, order.client_order_id, now_ns)
        if request == NULL:
            self.overflowed = True
            return
        lap_c(self.stamps, STAGE_RISK)
        if order.level < 0:
            size = self.encoder.cancel_by_order_id_c(request.id, order.order_id, order.order_id_length)
        else:
            size = self.encoder.cancel_c(request.id, order.client_order_id)
        if not self.send_c(PRIORITY_CANCEL, request.id, size, now_ns):
            self.requests.close_c(request)
            self.overflowed = True
            return
        order.state = SLOT_CANCELLING
        order.sent_ns = now_ns
        order.request = request.id
        self.chase_again_c(order)

    cdef void accepted_c(self, Request* request, int32_t failed, int64_t now_ns) noexcept:
        """The order's own state came with the reply and has been applied by the reports; the side may need more."""
        (<Instrument>self.instruments[self.table.slot_[request.slot].instrument]).dirty = True

    cdef int32_t index_c(self, Request* request) noexcept nogil:
        """Slot of the order that a request was about, -1 when the order is over."""
        cdef int32_t index = self.table.by_client_id_c(request.client_order_id)
        return index if index >= 0 and self.table.slot_[index].state != SLOT_ENDED else -1

    cdef void missing_c(self, Request* request, int64_t now_ns) noexcept:
        """The venue does not know the order: its end may still be on the way. What it says again, after that must have come, is proof."""
        cdef int32_t index = self.index_c(request)
        cdef Slot* order
        if index < 0:
            return
        order = &self.table.slot_[index]
        (<Instrument>self.instruments[order.instrument]).dirty = True
        if order.missed_ns == 0:
            order.missed_ns = now_ns
        elif now_ns - order.missed_ns >= REPORTS_NS:
            self.table.close_c(index)
            return
        order.state = SLOT_CANCELLING
        order.sent_ns = now_ns
        self.chase_again_c(order)

    cdef void rejected_c(self, Request* request, bint definitive, int64_t now_ns) noexcept:
        """A refused insert never existed; a refused amend or cancel leaves the order as it was, or a question."""
        cdef int32_t index = self.index_c(request)
        cdef Slot* order
        if index < 0:
            return
        order = &self.table.slot_[index]
        (<Instrument>self.instruments[order.instrument]).dirty = True
        if not definitive:
            self.overdue_c(request, now_ns)
        elif request.kind == REQUEST_INSERT:
            self.table.close_c(index)
        elif request.kind == REQUEST_AMEND:
            order.amend_lots = 0
            if order.state == SLOT_AMENDING:
                order.state = SLOT_LIVE
        elif request.kind == REQUEST_CANCEL and order.state == SLOT_CANCELLING:
            if order.order_id_length and order.amend_lots == 0:
                order.state = SLOT_LIVE
            else:
                # Nor is it known what it is: it is cancelled until it is gone.
                order.sent_ns = now_ns
                self.chase_again_c(order)

    cdef void overdue_c(self, Request* request, int64_t now_ns) noexcept:
        """Its fate is unknown and its size stays counted; a cancel that the venue has to answer settles it."""
        cdef int32_t index = self.index_c(request)
        if index < 0:
            return
        if request.kind == REQUEST_CANCEL:
            # Not even the cancel was answered: only the end of the session proves anything.
            self.overflowed = True
            return
        self.table.slot_[index].state = SLOT_UNKNOWN
        self.cancel_c(index, now_ns)
