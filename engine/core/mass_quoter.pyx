"""Both sides of every instrument that needs it in one message, one message in flight an instrument, and proof of what became of it.

A side that is sent replaces the whole previous side at the venue. Its old orders keep counting until the venue reports their end,
and the new ones from before the first byte leaves. The venue does not say which level an answer is about, and does not report a
level that was repeated and kept: when the reports of an answered message must have arrived (``settle_ns``), what was not reported is
either such a level, or proven gone, or unknown – and then the instrument is cleared before it is quoted again.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint32_t, uint64_t

from engine.core.instrument cimport PULL_COOLDOWN, PULL_NONE, Instrument
from engine.core.orders cimport SLOT_CANCELLING, SLOT_LIVE, SLOT_PENDING, SLOT_UNKNOWN, Slot
from engine.core.quoter cimport CHANGE_NOTHING, CHANGE_URGENT, CHANGE_WANTED, Quoter
from engine.core.requests cimport REQUEST_CLEAR, REQUEST_MASS_QUOTE, Request
from engine.core.risk cimport GATE_PASS
from feed.encode cimport POST_ONLY, REJECT_POST_ONLY
from feed.outbox cimport PRIORITY_CANCEL, PRIORITY_CLEAR, PRIORITY_QUOTE, PRIORITY_REDUCE
from feed.stamps cimport STAGE_ENCODE, STAGE_RISK, lap_c

cdef enum:
    INSTRUMENTS_A_MESSAGE = 100      # protocol section 7.1
    RETRY_NS = 250000000             # pause after a message that failed in part, or before what is overdue is asked about again
    CAUGHT_UP_NS = 250000000         # within it a connection that had stalled has delivered what it held back


cdef class MassQuoter(Quoter):
    """One-message quoting of all instruments."""

    def __cinit__(self, *args):
        self.settle_ns = 1_000_000_000

    cdef void decide_c(self, int64_t now_ns) noexcept:
        """Evaluate what changed; first remove what must not rest, then send what is worth a message."""
        cdef Instrument instrument
        cdef Request* request = NULL
        cdef int32_t need, key
        cdef int32_t[2] changes
        cdef int32_t entries = 0, priority = PRIORITY_QUOTE
        cdef bint to_clear = False
        cdef int i
        self.revisit_ns = INT64_MAX
        for i in range(len(self.instruments)):
            instrument = <Instrument>self.instruments[i]
            while instrument.settles_ns and now_ns >= instrument.settles_ns and self.heard_c(instrument, now_ns):
                self.settle_c(instrument, now_ns)
            if instrument.settles_ns:
                # Overdue: nothing was received, and the next message asks again.
                self.revisit_c(now_ns + RETRY_NS if now_ns >= instrument.settles_ns else instrument.settles_ns)
            if not instrument.dirty:
                continue
            instrument.pull = self.evaluate_c(instrument, now_ns)
            if instrument.pull != PULL_NONE:
                instrument.pulls_[instrument.pull] += 1
                instrument.dirty = False
                # Of an instrument that is gone the venue removes the orders itself, and refuses every message about it.
                if not instrument.cleared and not (instrument.delisted and self.table.count_c(instrument.index, 1) == 0
                                                   and self.table.count_c(instrument.index, -1) == 0):
                    if now_ns >= instrument.clear_after_ns:
                        to_clear = True
                    else:
                        self.revisit_c(instrument.clear_after_ns)
                        instrument.dirty = True
        if to_clear:
            self.clear_c(now_ns)
        for i in range(len(self.instruments)):
            instrument = <Instrument>self.instruments[i]
            if not instrument.dirty or instrument.pull != PULL_NONE or instrument.in_flight or entries >= INSTRUMENTS_A_MESSAGE:
                continue
            changes[0] = self.want_c(instrument, 1, now_ns)
            changes[1] = self.want_c(instrument, -1, now_ns)
            need = max(changes[0], changes[1])
            if need == CHANGE_NOTHING:
                instrument.dirty = False
                continue
            if need == CHANGE_WANTED and now_ns - instrument.last_change_ns < self.min_interval_ns:
                self.revisit_c(instrument.last_change_ns + self.min_interval_ns)
                continue
            if not self.outbox.admits_c(PRIORITY_REDUCE if need == CHANGE_URGENT else PRIORITY_QUOTE, now_ns):
                self.revisit_c(self.outbox.next_admission_c(PRIORITY_REDUCE if need == CHANGE_URGENT else PRIORITY_QUOTE, now_ns))
                continue
            changes[0] = self.fit_c(instrument, 1, changes[0])
            changes[1] = self.fit_c(instrument, -1, changes[1])
            need = max(changes[0], changes[1])
            if need == CHANGE_NOTHING:
                instrument.dirty = False
                continue
            if need == CHANGE_URGENT:
                priority = PRIORITY_REDUCE
            lap_c(self.stamps, STAGE_RISK)
            if request == NULL:
                request = self.requests.open_c(REQUEST_MASS_QUOTE, -1, 0, now_ns)
                if request == NULL:
                    return
                self.encoder.quote_begin_c()
            self.encoder.quote_instrument_c(instrument.name_, instrument.name_length)
            for key in range(2):
                if changes[key] != CHANGE_NOTHING:
                    self.take_slots_c(instrument, 1 if key == 0 else -1, request.id, now_ns)
            instrument.in_flight = request.id
            instrument.overtook = False
            instrument.last_change_ns = now_ns
            instrument.cleared = False
            instrument.dirty = False
            entries += 1
            lap_c(self.stamps, STAGE_ENCODE)
        if request == NULL:
            return
        if not self.send_c(priority, request.id, self.encoder.quote_end_c(
                request.id, self.label, len(self.label), POST_ONLY | REJECT_POST_ONLY), now_ns):
            self.answered_c(request.id, False, True, now_ns)
            self.requests.close_c(request)

    cdef int32_t fit_c(self, Instrument instrument, int32_t side, int32_t change) noexcept nogil:
        """Cut a wanted side to the room there is and pass it through the gate; what is left of the change."""
        cdef int32_t key = 0 if side > 0 else 1
        cdef int32_t i, wanted = self.side_count_[key], n = wanted
        cdef int64_t total = 0, resting = instrument.standing_[key].exposure_lots
        # The old side may trade before the new one replaces it: both must fit. The far levels give way first.
        cdef int64_t room = self.gate.room_c(instrument.index, side, instrument.position.lots) - resting
        cdef int64_t passing = resting - instrument.standing_[key].firm_lots
        if change == CHANGE_NOTHING:
            return change
        for i in range(wanted):
            total += self.side_lots_[key][i]
        while n > 0 and total > room:
            n -= 1
            total -= self.side_lots_[key][n]
        if 0 < n < wanted:
            if change == CHANGE_WANTED and passing > 0 and n < instrument.standing_[key].alive:
                # What rests is more than what there is room for until the last change is settled.
                return CHANGE_NOTHING
            # What is left of the target may be what rests.
            self.side_count_[key] = n
            change = self.change_c(instrument, side)
            if change == CHANGE_NOTHING:
                return change
        if n > 0 and self.gate.side_c(self.table, instrument.index, side, instrument.position.lots, resting, n, self.side_ticks_[key],
                                      self.side_lots_[key], instrument.mark_usd, instrument.index_usd) != GATE_PASS:
            n = 0
        if n == 0 and (resting == 0 or change == CHANGE_WANTED and wanted > 0 and passing > 0):
            # Nothing may be added yet, and what rests does no harm where it is. Once settled it makes room by going first.
            return CHANGE_NOTHING
        self.side_count_[key] = n
        return change

    cdef void take_slots_c(self, Instrument instrument, int32_t side, uint64_t request, int64_t now_ns) noexcept nogil:
        """Write one side into the message and take its slots; the orders it replaces become CANCELLING."""
        cdef int32_t key = 0 if side > 0 else 1
        cdef int32_t i, j, slot, index = instrument.index, n = self.side_count_[key]
        cdef const int64_t* ticks = self.side_ticks_[key]
        cdef const int64_t* lots = self.side_lots_[key]
        cdef int64_t tick_e8 = instrument.tick_e8, lot_e8 = instrument.lot_e8
        # An order that is not even near a level is none of them: of a ladder that has moved as a whole there is nothing to compare.
        cdef bint near = self.side_near_[key], stays
        cdef uint32_t kept = 0
        cdef const int32_t* slots = self.table.slots_c(index, side)
        cdef Slot* order
        for j in range(self.table.count_c(index, side)):
            slot = slots[j]
            order = &self.table.slot_[slot]
            if order.state == SLOT_CANCELLING:
                continue
            order.request = request
            stays = False
            if near and (order.state == SLOT_LIVE or order.state == SLOT_PENDING) and order.filled_lots == 0:
                for i in range(n):
                    if (order.price_ticks == ticks[i] and order.lots == lots[i]
                            and not kept & <uint32_t>1 << i and self.table.repeat_c(slot, request)):
                        # An identical level stays as it is, reported or not; if it trades on the way there, it is put back whole.
                        kept |= <uint32_t>1 << i
                        stays = True
                        break
            if not stays and order.state != SLOT_UNKNOWN:
                order.state = SLOT_CANCELLING
        for i in range(n):
            self.price_e8_[i] = ticks[i] * tick_e8
            self.amount_e8_[i] = lots[i] * lot_e8
            if kept & <uint32_t>1 << i:
                continue
            slot = self.table.open_c(index, side, ticks[i], lots[i], now_ns)
            if slot < 0:
                n = i
                break
            order = &self.table.slot_[slot]
            order.quote = 1
            order.placed = request
            order.request = request
        self.encoder.quote_side_c(side > 0, self.price_e8_, self.amount_e8_, n)
        self.quotes_sent += n
        instrument.quotes += n
        if n:
            self.encoded += 1

    cdef void clear_c(self, int64_t now_ns) noexcept:
        """Remove both sides of every pulled instrument, at once and before anything else.

        The venue counts this message as any mass quote. When its rate, its patience or the socket has no room for it, the session is
        cancelled instead, which is not counted and never waits, and takes every other quote and the protection along.
        """
        cdef Instrument instrument
        cdef Request* request
        cdef int32_t i, pulled = 0
        for i in range(<int32_t>len(self.instruments)):
            pulled += self.to_clear_c(<Instrument>self.instruments[i])
        if pulled == 0:
            return
        request = self.requests.open_c(REQUEST_MASS_QUOTE, -1, 0, now_ns)
        if request == NULL:
            self.overflowed = True
            return
        lap_c(self.stamps, STAGE_RISK)
        if self.outbox.admits_c(PRIORITY_CLEAR, now_ns) and self.clear_pulled_c(request, now_ns):
            return
        request.kind = REQUEST_CLEAR
        for i in range(<int32_t>len(self.instruments)):
            instrument = <Instrument>self.instruments[i]
            self.give_up_c(instrument, request.id, now_ns)
            instrument.armed = False
            instrument.dirty = True
        if not self.send_c(PRIORITY_CANCEL, request.id, self.encoder.simple_c(request.id, b"private/cancel_session", 22), now_ns):
            self.overflowed = True

    cdef bint to_clear_c(self, Instrument instrument) noexcept nogil:
        """Whether a pulled instrument may have something resting."""
        return self.live and instrument.pull != PULL_NONE and not instrument.cleared and instrument.tick_e8 != 0

    cdef bint clear_pulled_c(self, Request* request, int64_t now_ns) noexcept:
        """Replace every side of the pulled instruments by nothing; whether that was sent."""
        cdef Instrument instrument
        cdef int32_t i
        self.encoder.quote_begin_c()
        for i in range(<int32_t>len(self.instruments)):
            instrument = <Instrument>self.instruments[i]
            if self.to_clear_c(instrument):
                self.encoder.quote_instrument_c(instrument.name_, instrument.name_length)
                self.encoder.quote_side_c(True, self.price_e8_, self.amount_e8_, 0)
                self.encoder.quote_side_c(False, self.price_e8_, self.amount_e8_, 0)
                self.give_up_c(instrument, request.id, now_ns)
        return self.send_c(PRIORITY_CLEAR, request.id, self.encoder.quote_end_c(
            request.id, self.label, len(self.label), POST_ONLY | REJECT_POST_ONLY), now_ns)

    cdef void give_up_c(self, Instrument instrument, uint64_t request, int64_t now_ns) noexcept nogil:
        """A request removes all orders of an instrument."""
        cdef int32_t j, side
        cdef Slot* order
        for side in range(1, -2, -2):
            for j in range(self.table.count_c(instrument.index, side)):
                order = &self.table.slot_[self.table.at_c(instrument.index, side, j)]
                if order.state == SLOT_CANCELLING:
                    continue
                order.request = request
                if order.state != SLOT_UNKNOWN:
                    order.state = SLOT_CANCELLING
        instrument.overtook = instrument.in_flight != 0
        instrument.in_flight = request
        instrument.cleared = True
        instrument.last_change_ns = now_ns

    cdef void accepted_c(self, Request* request, int32_t failed, int64_t now_ns) noexcept:
        """Executed, in part at least; errors do not name the instrument (protocol section 7.1), so reports decide what failed."""
        self.answered_c(request.id, True, failed == 0, now_ns)

    cdef void rejected_c(self, Request* request, bint definitive, int64_t now_ns) noexcept:
        """Refused as a whole; an error that proves nothing is treated as no answer."""
        if definitive:
            self.answered_c(request.id, False, True, now_ns)
        else:
            self.overdue_c(request, now_ns)

    cdef void answered_c(self, uint64_t request, bint accepted, bint whole, int64_t now_ns) noexcept:
        """The venue answered a mass quote, or it never left (``accepted`` and ``whole`` False and True).

        ``accepted``: it was executed. ``whole``: no part of it failed – or, when not accepted, nothing of it happened.
        """
        cdef Instrument instrument
        cdef Slot* order
        cdef int32_t i, j, side, index
        for i in range(<int32_t>len(self.instruments)):
            instrument = <Instrument>self.instruments[i]
            if instrument.in_flight != request:
                continue
            instrument.in_flight = 0
            instrument.dirty = True
            if not accepted and instrument.overtook:
                # A clear that came to nothing, behind a quote whose own answer is lost in it.
                self.doubt_c(instrument, request)
                instrument.clear_after_ns = now_ns + RETRY_NS
                continue
            for side in range(1, -2, -2):
                j = 0
                while j < self.table.count_c(instrument.index, side):
                    index = self.table.at_c(instrument.index, side, j)
                    order = &self.table.slot_[index]
                    j += 1
                    if order.request != request or accepted:
                        continue
                    if order.placed == request:
                        if order.state == SLOT_PENDING:
                            self.table.close_c(index)
                            j -= 1
                        continue
                    # It was to be kept or replaced, and is what the message before made it.
                    self.table.unrepeat_c(index, request)
                    order.request = instrument.answered
                    if order.state == SLOT_CANCELLING:
                        order.state = SLOT_LIVE if order.order_id_length else SLOT_PENDING
            if accepted:
                instrument.answered = request
                instrument.answered_ns = now_ns
            else:
                # A clear that the venue refused has removed nothing.
                instrument.cleared = False
                instrument.clear_after_ns = now_ns + RETRY_NS
            if instrument.settles_ns == 0:
                # Also behind a refusal: what it touched is to be judged as what it was before.
                self.await_c(instrument)
            if not whole:
                instrument.hold_c(now_ns + RETRY_NS, PULL_COOLDOWN)
                self.revisit_c(instrument.hold_until_ns)

    cdef void overdue_c(self, Request* request, int64_t now_ns) noexcept:
        """No answer in time: nothing about it is known. What it may have placed is cleared before anything new."""
        cdef Instrument instrument
        cdef int32_t i
        for i in range(<int32_t>len(self.instruments)):
            instrument = <Instrument>self.instruments[i]
            if instrument.in_flight != request.id:
                continue
            instrument.in_flight = 0
            instrument.dirty = True
            if instrument.cleared:
                # Even the clear was not answered: only the end of the session proves anything.
                self.overflowed = True
            self.doubt_c(instrument, request.id)

    cdef void doubt_c(self, Instrument instrument, uint64_t request) noexcept nogil:
        """What a message touched is unknown, until a clear that is answered has removed it."""
        cdef Slot* order
        cdef int32_t j, side
        instrument.doubtful = True
        instrument.cleared = False
        for side in range(1, -2, -2):
            for j in range(self.table.count_c(instrument.index, side)):
                order = &self.table.slot_[self.table.at_c(instrument.index, side, j)]
                if order.request == request:
                    order.state = SLOT_UNKNOWN

    cdef void await_c(self, Instrument instrument) noexcept nogil:
        """The reports of the last answered message are on their way; later answers wait for their turn, or none ever came."""
        instrument.settling = instrument.answered
        instrument.settles_heard = False
        instrument.settles_ns = instrument.answered_ns + self.settle_ns
        self.revisit_c(instrument.settles_ns)

    cdef bint heard_c(self, Instrument instrument, int64_t now_ns) noexcept nogil:
        """Whether reports that are due cannot be held back by a silent connection.

        It has to deliver something after they were due, and then have had the time to deliver all that it held back. An instrument
        that is not listed any more has no data, and its orders end with it.
        """
        if instrument.settles_heard or instrument.delisted:
            return True
        if max(instrument.ticker_ns, instrument.book_ns) >= instrument.settles_ns:
            instrument.settles_heard = True
            instrument.settles_ns = now_ns + CAUGHT_UP_NS
        return False

    cdef void settle_c(self, Instrument instrument, int64_t now_ns) noexcept nogil:
        """The reports of an answered message must have arrived: what is still open is explained, or doubtful."""
        cdef Slot* order
        cdef int32_t j, side, index
        cdef bint gone = instrument.cleared and instrument.answered == instrument.settling and not instrument.in_flight
        instrument.settles_ns = 0
        self.table.explain_c(instrument.index, instrument.settling + 1)
        for side in range(1, -2, -2):
            for j in range(self.table.count_c(instrument.index, side)):
                order = &self.table.slot_[self.table.at_c(instrument.index, side, j)]
                if (order.state == SLOT_CANCELLING and order.request <= instrument.settling and order.order_id_length
                        and not instrument.cleared):
                    # Its end was not reported: its side failed and was left alone, or it was kept for an equal level.
                    if instrument.in_flight:
                        order.request = instrument.in_flight
                    else:
                        order.state = SLOT_LIVE
                        instrument.dirty = True
            j = 0
            while j < self.table.count_c(instrument.index, side):
                index = self.table.at_c(instrument.index, side, j)
                order = &self.table.slot_[index]
                if order.request > instrument.settling or order.state == SLOT_LIVE:
                    j += 1
                elif gone or order.state == SLOT_CANCELLING and not instrument.cleared:
                    # An answered message has removed it, or it never came to be.
                    self.table.close_c(index)
                elif order.state == SLOT_CANCELLING:
                    # It is behind a clear that is still in flight.
                    j += 1
                elif order.state == SLOT_PENDING and (order.put_back or self._kept_c(instrument.index, side, order)):
                    self.table.close_c(index)
                else:
                    order.state = SLOT_UNKNOWN
                    instrument.doubtful = True
                    instrument.dirty = True
                    instrument.cleared = False
                    j += 1
        if gone and instrument.doubtful:
            instrument.doubtful = False
            instrument.dirty = True
        if instrument.answered > instrument.settling:
            self.await_c(instrument)

    cdef bint _kept_c(self, int32_t instrument, int32_t side, Slot* asked) noexcept nogil:
        """Whether a live order rests at this price: then the venue took the new level for the old one."""
        cdef int32_t j
        cdef Slot* order
        for j in range(self.table.count_c(instrument, side)):
            order = &self.table.slot_[self.table.at_c(instrument, side, j)]
            if order.state == SLOT_LIVE and order.price_ticks == asked.price_ticks:
                order.stays = order.lots == asked.lots
                return True
        return False
