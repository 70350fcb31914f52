"""Execution reports: order states, fills and replies, in whatever order they come.

Replies and ``session.orders`` tell the same things and may overtake each other (protocol section 3), so applying a report twice
changes nothing: a fill counts once by its trade id, the filled amount never falls, and an order that ended stays ended.
"""

from collections import deque

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from engine.core.instrument cimport PULL_COOLDOWN, Instrument
from engine.core.orders cimport (
    SLOT_AMENDING, SLOT_CANCELLING, SLOT_ENDED, SLOT_LIVE, SLOT_PENDING, SLOT_UNKNOWN, OrderTable, Slot,
)
from engine.core.quoter cimport Quoter
from engine.core.requests cimport REQUEST_CLEAR, REQUEST_MASS_QUOTE, Request, RequestRing
from feed.events cimport (
    CHANGE_AMEND, CHANGE_EXISTING, DELETE_ADMIN_CANCEL, DELETE_CLIENT_BULK_CANCEL, DELETE_CLIENT_CANCEL, DELETE_MARGIN_BREACH,
    DELETE_MM_PROTECTION, DELETE_NONE, DELETE_REPLACED, DELETE_SELF_TRADE_PREVENTION, ORDER_CLIENT_ID, REPLY_ERROR,
    REPLY_MASS_QUOTE, REPLY_ORDER, STATUS_OPEN, STATUS_PARTIALLY_FILLED, STATUS_UNKNOWN, Fill, OrderBatch, OrderUpdate, Reply,
)
from feed.outbox cimport Outbox
from feed.stamps cimport created_c
from kernels.records cimport fill_fn

cdef enum:
    TRADE_IDS_MAX = 200000           # remembered; older ones cannot come again within a session or its history queries
    PROTECTION_COOLDOWN_NS = 3000000000

# Venue error codes (protocol section 9).
cdef enum VenueError:
    ERROR_ORDER_NOT_FOUND = 1
    ERROR_THROTTLE = 4
    ERROR_PARTITION_UNAVAILABLE = 10
    ERROR_TEMPORARY_FAILURE = 20
    ERROR_INVALID_PROT_GROUP = 22
    ERROR_PROT_NOT_SET = 23
    ERROR_INSUFFICIENT_MARGIN = 24
    ERROR_INSUFFICIENT_FUNDS = 27
    ERROR_INSUFFICIENT_FEE_FUNDS = 48
    ERROR_REDUCE_ONLY = 57


cdef class Reports:
    """Applies reports to the order table, the positions and the requests in flight."""

    def __cinit__(self, plan, list instruments, OrderTable table, RequestRing requests, Quoter quoter, Outbox outbox, addresses):
        self.table = table
        self.requests = requests
        self.quoter = quoter
        self.outbox = outbox
        self.instruments = instruments
        self.fill = <fill_fn><size_t>addresses.fill
        self.take_fees(plan.maker_fee_rate, plan.taker_fee_rate)
        self.trade_ids = set()
        self.trade_order = deque()
        self.halt = None

    def take_fees(self, double maker_fee_rate, double taker_fee_rate) -> None:
        """Fees of fills from now on, as fractions of the index notional."""
        self.maker_fee_rate = maker_fee_rate
        self.taker_fee_rate = taker_fee_rate

    cdef int apply_orders_c(self, OrderBatch* batch, int64_t now_ns) except -1:
        """One ``session.orders`` message."""
        cdef int32_t i
        for i in range(batch.count):
            self._order(batch, &batch.order[i], 0, now_ns)
        return 0

    cdef int apply_reply_c(self, Reply* reply, OrderBatch* batch, int64_t now_ns) except -1:
        """The reply to a request of the quoter's."""
        cdef Request* request = self.requests.find_c(reply.id)
        cdef bint definitive
        if request == NULL:
            self.unknown_replies += 1
            return 0
        if request.kind == REQUEST_CLEAR:
            self.disarmed = True        # protection groups are reset with the session (protocol section 6.5)
        if reply.kind == REPLY_ERROR:
            self.errors += 1
            self._failed(reply.error_code, now_ns)
            if reply.error_code == ERROR_THROTTLE:
                self.outbox.on_throttled_c(now_ns)
            else:
                self.outbox.on_rejected_c(now_ns)
            if reply.error_code == ERROR_PROT_NOT_SET or reply.error_code == ERROR_INVALID_PROT_GROUP:
                self._disarm(request)
            if reply.error_code == ERROR_ORDER_NOT_FOUND and request.kind < REQUEST_MASS_QUOTE:
                self.quoter.missing_c(request, now_ns)
            else:
                definitive = reply.error_code != ERROR_TEMPORARY_FAILURE and reply.error_code != ERROR_PARTITION_UNAVAILABLE
                self.quoter.rejected_c(request, definitive, now_ns)
        else:
            if reply.kind == REPLY_ORDER:
                self._order(batch, &batch.order[0], request.id, now_ns)
            if reply.kind == REPLY_MASS_QUOTE and reply.n_fail:
                self._failed(reply.error_code, now_ns)
                self.outbox.on_rejected_c(now_ns)
                if reply.error_code == ERROR_PROT_NOT_SET or reply.error_code == ERROR_INVALID_PROT_GROUP:
                    self._disarm(request)
            else:
                self.outbox.on_accepted_c(now_ns)
            self.quoter.accepted_c(request, reply.n_fail if reply.kind == REPLY_MASS_QUOTE else 0, now_ns)
        self.requests.close_c(request)
        return 0

    cdef int _failed(self, int64_t code, int64_t now_ns) except -1:
        """The venue refused something."""
        self.last_error = code
        if code in (ERROR_INSUFFICIENT_MARGIN, ERROR_INSUFFICIENT_FUNDS, ERROR_INSUFFICIENT_FEE_FUNDS, ERROR_REDUCE_ONLY):
            self.quoter.restraint.margin_c(f"margin: the venue refused an order, error {code}", now_ns)
        return 0

    cdef int _disarm(self, Request* request) except -1:
        cdef Instrument instrument
        for instrument in self.instruments:
            if instrument.in_flight == request.id:
                instrument.armed = False
                self.disarmed = True
        return 0

    cdef int _order(self, OrderBatch* batch, OrderUpdate* update, uint64_t request, int64_t now_ns) except -1:
        """One order's state; ``request``: the one it came in answer to, 0 for a notification."""
        cdef Instrument instrument
        cdef int64_t price_ticks, lots, filled
        cdef int32_t index
        cdef Slot* order
        cdef int64_t booked = 0
        cdef bint ended, current
        if update.instrument < 0:
            self.foreign += 1
            return 0
        instrument = <Instrument>self.instruments[update.instrument]
        if instrument.tick_e8 == 0:
            # Before the grid is known there is no order of this session; the position of record covers everything earlier.
            return 0
        if update.change_reason != CHANGE_EXISTING:
            booked = self._fills(instrument, batch, update, now_ns)
        if update.price_e8 % instrument.tick_e8 or update.amount_e8 % instrument.lot_e8 or update.filled_e8 % instrument.lot_e8:
            # One that ended on the grid of before may be told again.
            if not self.table.closed_lately_c(update.order_id, update.order_id_length):
                self.halt = (f"{instrument.name.decode()}: an order is off the grid of tick {instrument.tick_e8}e-8, "
                             f"lot {instrument.lot_e8}e-8")
            return 0
        price_ticks = update.price_e8 // instrument.tick_e8
        lots = update.amount_e8 // instrument.lot_e8
        filled = update.filled_e8 // instrument.lot_e8
        ended = update.status != STATUS_OPEN and update.status != STATUS_PARTIALLY_FILLED and update.status != STATUS_UNKNOWN
        index = self._slot_c(instrument, update, price_ticks, lots)
        instrument.dirty = True
        if update.delete_reason == DELETE_MM_PROTECTION:
            instrument.armed = False
            self.disarmed = True
            instrument.hold_c(now_ns + PROTECTION_COOLDOWN_NS, PULL_COOLDOWN)
        elif update.delete_reason == DELETE_MARGIN_BREACH:
            self.quoter.restraint.margin_c(f"margin: the venue removed an order of {instrument.name.decode()}", now_ns)
        elif update.delete_reason == DELETE_SELF_TRADE_PREVENTION:
            self.halt = f"{instrument.name.decode()}: the venue prevented a self-trade; own orders must never meet"
        if index >= 0:
            order = &self.table.slot_[index]
            if order.state != SLOT_ENDED and update.delete_reason != DELETE_NONE:
                self._removed(instrument, order, update.delete_reason, now_ns)
            order.owed_lots = max(order.owed_lots + max(filled - order.filled_lots, 0) - booked, 0)
            order.filled_lots = max(filled, order.filled_lots)
            ended = ended or order.state == SLOT_ENDED
            if (update.delete_reason == DELETE_REPLACED and order.state == SLOT_CANCELLING and order.repeats == 0
                    and not instrument.overtook):
                # Only the mass quote that left it out ends it so: that one has been executed, and reports come in order.
                self.table.explain_c(instrument.index, order.request)
            if ended:
                self._end_c(instrument, index, now_ns)
        if ended:
            self.table.note_closed_c(update.order_id, update.order_id_length)
            return 0
        if index < 0:
            if self.table.closed_lately_c(update.order_id, update.order_id_length):
                self.table.late += 1
                return 0
            index = self.table.open_c(instrument.index, update.side, price_ticks, lots, now_ns)
            if index < 0:
                self.halt = f"{instrument.name.decode()}: more open orders than the table holds"
                return 0
            self.table.adopted += 1
            self.table.slot_[index].quote = 0 if update.has & ORDER_CLIENT_ID else 1
            self.table.slot_[index].level = -1
        order = &self.table.slot_[index]
        if order.state == SLOT_PENDING:
            created_c(self.stamps, order.request, update.create_time_s)
        current = self._current_c(order, update, request)
        if filled < order.filled_lots and not current:
            # Older than what is known.
            self.table.late += 1
            return 0
        order.filled_lots = max(order.filled_lots, filled)
        if order.order_id_length == 0:
            memcpy(order.order_id, update.order_id, update.order_id_length)
            order.order_id_length = update.order_id_length
        if update.status == STATUS_UNKNOWN:
            order.state = SLOT_UNKNOWN
            instrument.doubtful = True
        elif order.state == SLOT_PENDING or order.state == SLOT_AMENDING and current and update.change_reason == CHANGE_AMEND:
            order.state = SLOT_LIVE
            order.put_back = 0
        if current:
            # The venue's word stands: a post-only price may have been moved, an amount cut.
            order.price_ticks = price_ticks
            order.lots = lots
            if update.change_reason == CHANGE_AMEND:
                order.amend_lots = 0
        return 0

    cdef int _removed(self, Instrument instrument, Slot* order, int32_t reason, int64_t now_ns) except -1:
        """An order has ended: was it somebody else who cancelled it? Then it is not put back at once (O6).

        Cancelling everything is an act on the account (protocol section 6.4) that the core sends only to stop. The end of a single
        order is somebody else's doing where no request of ours that is under way touches it.
        """
        if reason == DELETE_CLIENT_BULK_CANCEL:
            # What a clear of ours removes may bear any word: the protocol gives none for an empty side.
            if now_ns >= self.own_cancel_ns and not (order.quote and order.state == SLOT_CANCELLING and instrument.cleared):
                self.quoter.restraint.cancelled(None, "somebody else cancelled all orders of the account", now_ns)
        elif reason == DELETE_ADMIN_CANCEL:
            self.quoter.restraint.cancelled(instrument, "the venue's staff cancelled orders", now_ns)
        elif reason == DELETE_CLIENT_CANCEL and order.state == SLOT_LIVE and order.repeats == 0:
            self.quoter.restraint.cancelled(instrument, "somebody else cancelled orders", now_ns)
        return 0

    cdef bint _current_c(self, Slot* order, OrderUpdate* update, uint64_t request) noexcept nogil:
        """Whether a report's price and size are the newest known: each amend is told twice, by its reply and by a notification.

        Both tell of amends in the order of their execution, and either may be several amends behind.
        """
        if request:
            if update.change_reason == CHANGE_AMEND:
                order.amends_answered += 1
                return order.amends_answered > order.amends_told
            return order.amends_answered == 0 and order.amends_told == 0
        if update.change_reason == CHANGE_AMEND:
            order.amends_told += 1
            return order.amends_told > order.amends_answered
        return order.amends_told >= order.amends_answered

    cdef int _slot_c(self, Instrument instrument, OrderUpdate* update, int64_t price_ticks, int64_t lots) noexcept nogil:
        """The slot a report is about, or -1."""
        cdef int32_t index
        if update.has & ORDER_CLIENT_ID:
            index = self.table.by_client_id_c(update.client_order_id)
            if index >= 0 and self.table.slot_[index].instrument == update.instrument and self.table.slot_[index].side == update.side:
                return index
        index = self.table.by_order_id_c(update.instrument, update.side, update.order_id, update.order_id_length)
        if index < 0 and not update.has & ORDER_CLIENT_ID and not self.table.closed_lately_c(update.order_id, update.order_id_length):
            index = self.table.pending_at_c(update.instrument, update.side, price_ticks, lots)
        return index

    cdef void _end_c(self, Instrument instrument, int32_t index, int64_t now_ns) noexcept:
        """An order is over: it goes, unless fills of it are still to come."""
        cdef Slot* order = &self.table.slot_[index]
        if order.owed_lots == 0:
            self.table.end_c(index)
        elif order.state != SLOT_ENDED:
            self.table.owe_c(index, now_ns)
            self.quoter.owed_c(instrument, now_ns)

    cdef int64_t _fills(self, Instrument instrument, OrderBatch* batch, OrderUpdate* update, int64_t now_ns) except -1:
        """Book the fills of a report; the lots of those that were not booked before."""
        cdef int32_t i
        cdef int64_t lots = 0
        for i in range(update.fills):
            lots += self._fill(instrument, update, &batch.fill[update.fill_index + i], now_ns)
        return lots

    cdef int64_t _fill(self, Instrument instrument, OrderUpdate* update, Fill* fill, int64_t now_ns) except -1:
        """Book a fill once; its lots, 0 when that was done before."""
        cdef bytes trade_id = fill.trade_id[:fill.trade_id_length]
        cdef int64_t lots, ticks, before = instrument.position.lots
        cdef double basis, rate
        if trade_id in self.trade_ids:
            self.duplicates += 1
            return 0
        self._remember(trade_id)
        if fill.price_e8 % instrument.tick_e8 or fill.amount_e8 % instrument.lot_e8:
            self.halt = f"{instrument.name.decode()}: fill {trade_id.decode('ascii', 'replace')} is off the grid"
            return 0
        ticks = fill.price_e8 // instrument.tick_e8
        lots = fill.amount_e8 // instrument.lot_e8
        # Delta-1 fees are on the index (protocol section 11); the price stands in while no index has come.
        basis = instrument.index_usd if instrument.index_usd > 0.0 else ticks * instrument.settings.tick_usd
        rate = self.maker_fee_rate if fill.maker else self.taker_fee_rate
        if self.fill(&instrument.position, update.side * lots, ticks, rate * basis * lots * instrument.settings.lot_contracts) != 0:
            what = f"fill {trade_id.decode('ascii', 'replace')} of {lots} lots at {ticks} ticks"
            self.halt = f"{instrument.name.decode()}: {what} cannot be booked"
            return 0
        self.quoter.monitors.traded_c(instrument, before)
        self.quoter.restraint.traded_c(now_ns)
        if fill.maker:
            instrument.filled_c(self.table, update.side, ticks, fill.time_s, now_ns)
        instrument.outlook.own_fill_c(update.side, fill.maker, ticks, lots, &instrument.market, now_ns)
        instrument.fills += 1
        instrument.max_abs_lots = max(instrument.max_abs_lots, abs(instrument.position.lots))
        return lots

    def _remember(self, bytes trade_id) -> None:
        self.trade_ids.add(trade_id)
        self.trade_order.append(trade_id)
        if len(self.trade_order) > TRADE_IDS_MAX:
            self.trade_ids.discard(self.trade_order.popleft())

    def seen(self, str trade_id) -> bool:
        """Whether a trade has been booked."""
        return trade_id.encode() in self.trade_ids

    def book_trade(self, Instrument instrument, str trade_id, int64_t lots, int64_t ticks, fee_usd) -> bool:
        """Book a trade of the account's history once; a fee that is not told is the maker's. False: it cannot be booked."""
        cdef int64_t before = instrument.position.lots
        cdef double price_usd = ticks * instrument.settings.tick_usd
        cdef double fee = self.maker_fee_rate * price_usd * abs(lots) * instrument.settings.lot_contracts
        if fee_usd is not None:
            fee = fee_usd
        if self.fill(&instrument.position, lots, ticks, fee) != 0:
            return False
        self._remember(trade_id.encode())
        self.quoter.monitors.traded_c(instrument, before)
        instrument.fills += 1
        instrument.max_abs_lots = max(instrument.max_abs_lots, abs(instrument.position.lots))
        return True

    def book_missed(self, Instrument instrument, int64_t lots, double price_usd) -> None:
        """Book lots that were traded unseen, at a price that stands in for theirs, with the maker fee on it."""
        cdef int64_t ticks = <int64_t>(price_usd / instrument.settings.tick_usd + 0.5)
        cdef int64_t before = instrument.position.lots
        cdef double fee = self.maker_fee_rate * price_usd * abs(lots) * instrument.settings.lot_contracts
        if self.fill(&instrument.position, lots, ticks, fee) != 0:
            self.halt = f"{instrument.name.decode()}: {lots} lots found at reconnection cannot be booked"
            return
        self.quoter.monitors.traded_c(instrument, before)
