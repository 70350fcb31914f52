"""Inputs in, request bytes out: messages, timer firings, operator acts. What is decided, and nothing of when or whereby.

The same compiled step is driven by the live loop, the simulator, a replay and the tests.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t

from engine.core.conduct cimport Conduct
from engine.core.instrument cimport PULL_NONE, Instrument
from engine.core.requests cimport FIRST_HOT_ID, REQUEST_CANCEL_SESSION, REQUEST_QUERY, Request
from feed.events cimport (
    KIND_BOOK, KIND_INDEX, KIND_LWT, KIND_ORDERS, KIND_PORTFOLIO, KIND_REPLY, KIND_SLOW, KIND_TICKER, KIND_TRADES, PositionUpdate,
)
from feed.outbox cimport PRIORITY_OTHER, PRIORITY_QUOTE, PRIORITY_REDUCE, SUBMIT_FULL
from feed.stamps cimport STAGE_BOOK, STAGE_DECODE, STAGE_FRAME, answered_c, cold_c, lap_c, told_c

from feed import decode_slow, venue
from feed.decode_slow import Malformed
from feed.messages import Reply

cdef enum:
    RESYNC_INTERVAL_NS = 1000000000
    MISMATCH_NS = 3000000000         # the position of record and the fills may disagree for this long while reports are on their way
    MISMATCH_ANSWERS = 3             # answers in a row that prove a difference
    STRAYS_MAX = 64                  # answers to nobody that a connection may bring: more, and it is not ours alone


cdef class Core(Conduct):
    """The deterministic core of one connection after another.

    ``plan``: engine.core.plan.CorePlan. ``addresses``: kernels.addresses.Addresses. Call ``attach`` with a sink before
    ``on_connected``, and ``on_timer`` whenever ``deadline_ns`` is due.
    """

    # ---- messages ----

    cdef int on_message_c(self, const char* message, Py_ssize_t size, int64_t now_ns, bint last_in_batch) except -1:
        """One text message; the decision is made once, after the last of a batch."""
        cdef int32_t kind
        lap_c(self.stamps, STAGE_FRAME)
        kind = self.decoder.decode_c(message, size)
        lap_c(self.stamps, STAGE_DECODE)
        self.now_ns = now_ns
        self.messages += 1
        self._dispatch_c(kind, message, size, now_ns)
        lap_c(self.stamps, STAGE_BOOK)
        if last_in_batch:
            self._decide_c(now_ns)
        return 0

    def on_message(self, bytes message, int64_t now_ns, bint last_in_batch) -> None:
        """Python twin of ``on_message_c``."""
        self.on_message_c(message, len(message), now_ns, last_in_batch)

    cdef int on_batch_end_c(self, int64_t now_ns) except -1:
        self._decide_c(now_ns)
        return 0

    cdef int _decide_c(self, int64_t now_ns) except -1:
        if now_ns >= self.restraint.next_ns:
            self._restrain(now_ns)
        if self.reports.halt is not None and self.halt_reason is None:
            self.halt(self.reports.halt, now_ns)
        if self.wants_close is None and not self.moving:
            if not self.quoter.live:
                self._check_synced(now_ns)
            self.quoter.decide_c(now_ns)
        else:
            # The connection is being given up: nothing new is sent on what it told.
            self.quoter.revisit_ns = INT64_MAX
        if self.regrids:
            self._regrid(now_ns)
        self.quoter.observe_c(now_ns)
        if self.quoter.overflowed and self.wants_close is None:
            self.wants_close = "a bound was reached: requests unanswered or bytes unsent"
        if self.reports.disarmed:
            self._arm_again(now_ns)
        return 0

    cdef int _dispatch_c(self, int32_t kind, const char* message, Py_ssize_t size, int64_t now_ns) except -1:
        cdef Instrument instrument
        if kind == KIND_BOOK:
            told_c(self.stamps, self.decoder.book.time_s)
            instrument = <Instrument>self.instruments[self.decoder.book.instrument]
            self.quoter.table.fetch_c(instrument.index)
            if instrument.apply_book_c(&self.decoder.book, now_ns) != 0:
                instrument.wants_resync = True
                instrument.dirty = True
                self._resync(now_ns)
        elif kind == KIND_TICKER:
            told_c(self.stamps, self.decoder.ticker.mark_timestamp_s)
            instrument = <Instrument>self.instruments[self.decoder.ticker.instrument]
            instrument.apply_ticker_c(&self.decoder.ticker, now_ns)
            if instrument.wants_resync:
                self._resync(now_ns)
        elif kind == KIND_ORDERS:
            if self.decoder.orders.snapshot:
                self.session.on_snapshot("session.orders", now_ns)
                self._pump(now_ns)
            self.reports.apply_orders_c(&self.decoder.orders, now_ns)
            self._check_positions(now_ns)
        elif kind == KIND_REPLY:
            self._reply_c(message, size, now_ns)
        elif kind == KIND_PORTFOLIO:
            self._portfolio(now_ns)
        elif kind == KIND_LWT:
            (<Instrument>self.instruments[self.decoder.lwt.instrument]).ticks += 1
        elif kind == KIND_TRADES:
            self._trades_c(now_ns)
        elif kind == KIND_INDEX:
            return 0
        else:
            self._slow(message[:size], now_ns)
        return 0

    cdef void _trades_c(self, int64_t now_ns) noexcept:
        """Public trades of an instrument: news for its signals, and so for its quotes where signals move them now."""
        cdef Instrument instrument
        if self.decoder.trades.instrument < 0:
            return
        instrument = <Instrument>self.instruments[self.decoder.trades.instrument]
        if (instrument.outlook.take_trades_c(&self.decoder.trades, &instrument.market, instrument.tick_e8, instrument.lot_e8, now_ns)
                and instrument.outlook.leans_c()):
            instrument.dirty = True

    cdef int _reply_c(self, const char* message, Py_ssize_t size, int64_t now_ns) except -1:
        cdef Request* request
        if self.decoder.reply.id < FIRST_HOT_ID:
            return self._slow(message[:size], now_ns)
        request = self.requests.find_c(self.decoder.reply.id)
        if request != NULL:
            answered_c(self.stamps, request.id, request.kind)
        if request != NULL and request.kind >= REQUEST_CANCEL_SESSION:
            self._control_reply(decode_slow.decode(message[:size]), request.kind, now_ns)
            self.requests.close_c(request)
            return 0
        if request == NULL:
            self.requests.stray_c()
            self._check_strays()
        return self.reports.apply_reply_c(&self.decoder.reply, &self.decoder.orders, now_ns)

    def _check_strays(self) -> None:
        """Answers to nobody are counted and change nothing; too many show that somebody else speaks on this connection."""
        strays = self.requests.strays + self.session.stray_replies
        if strays > STRAYS_MAX and self.wants_close is None:
            self.wants_close = f"{strays} answers to requests that were never sent"

    def _slow(self, bytes frame, int64_t now_ns) -> int:
        """Everything that the fast decoder leaves: set-up replies, rare channels, odd forms of hot ones."""
        self.slow_messages += 1
        cold_c(self.stamps)
        try:
            message = decode_slow.decode(frame)
            kind = self.decoder.load(message)
        except Malformed as error:
            # It may have held a fill or a level: only a fresh start is sure to miss nothing.
            self.malformed += 1
            self.last_error = str(error)
            self.wants_close = "malformed message"
            return 0
        if kind != KIND_SLOW and not (kind == KIND_REPLY and message.id < FIRST_HOT_ID):
            return self._dispatch_c(kind, frame, len(frame), now_ns)
        if isinstance(message, Reply):
            if not self.session.receive(message, now_ns):
                self.requests.stray_c()
            self._check_strays()
        elif not self.session.receive(message, now_ns):
            self._notice(message, now_ns)
        self._pump(now_ns)
        return 0

    def _portfolio(self, int64_t now_ns) -> None:
        cdef PositionUpdate* update
        cdef Instrument instrument
        cdef int32_t i
        if self.decoder.portfolio.snapshot:
            self.session.on_snapshot("account.portfolio", now_ns)
            self._pump(now_ns)
        for i in range(self.decoder.portfolio.count):
            update = &self.decoder.portfolio.position[i]
            if update.instrument < 0:
                continue
            instrument = <Instrument>self.instruments[update.instrument]
            self._reported[instrument.name.decode()] = update.position_e8
            if instrument.tick_e8:
                instrument.reported_lots = update.position_e8 // instrument.lot_e8
                instrument.has_reported = True
        self._check_positions(now_ns)

    def _resync(self, int64_t now_ns) -> None:
        """Ask for a new snapshot of every book that lost its consistency; at most once a second."""
        cdef Instrument instrument
        if now_ns < self.resync_after_ns or not (self.session.is_live or self.session.is_syncing):
            return
        channels = []
        for instrument in self.instruments:
            if instrument.wants_resync and not instrument.delisted and not instrument.regridding:
                instrument.wants_resync = False
                channels.append(venue.book(instrument.name.decode()))
        if channels:
            self.resyncs += 1
            self.resync_after_ns = now_ns + RESYNC_INTERVAL_NS
            self.session.resubscribe(channels, now_ns)
            self._pump(now_ns)

    def _check_synced(self, int64_t now_ns) -> None:
        """Tell the session when every instrument has a consistent book and a fresh ticker."""
        cdef Instrument instrument
        if self.session.is_live or not self.session.is_syncing:
            return
        for instrument in self.instruments:
            if instrument.delisted:
                continue
            if not instrument.book_synced or instrument.ticker_ns == 0 or now_ns - instrument.ticker_ns > self.data_stale_ns:
                return
        self.session.synced(now_ns)
        self._pump(now_ns)

    def _refill(self, int64_t now_ns) -> None:
        """Fill the protection groups again: what may trade unwatched is then an amount an audit interval, not an amount for ever."""
        cdef Instrument instrument
        if not self.quoter.live or not self.quoter.mass or self.halt_reason is not None or self.stopping:
            return
        for product in {instrument.product: None for instrument in self.instruments if instrument.armed}:
            # What the limit of messages does not allow now, the next audit does.
            if self.outbox.admits_c(PRIORITY_QUOTE, now_ns):
                self.session.rearm(product, now_ns)
                self._pump(now_ns)

    cdef int _check_positions(self, int64_t now_ns) except -1:
        """Position of record against the sum of fills; they may differ only while reports are on their way.

        The channel may lag behind fill after fill, so a difference that lasts is a question first, and only answers that differ
        one after the other are proof.
        """
        cdef Instrument instrument
        if not self.quoter.live:
            return 0
        for instrument in self.instruments:
            if instrument.delisted:
                if instrument.has_reported:
                    self._settled(instrument, instrument.reported_lots)
                continue
            if instrument.regridding or not instrument.has_reported or instrument.reported_lots == instrument.position.lots:
                instrument.mismatch_since_ns = 0
                instrument.mismatches = 0
                continue
            if instrument.mismatch_since_ns == 0:
                instrument.mismatch_since_ns = now_ns
            if now_ns - instrument.mismatch_since_ns <= MISMATCH_NS:
                self.next_audit_ns = min(self.next_audit_ns, instrument.mismatch_since_ns + MISMATCH_NS + 1)
            elif instrument.mismatches < MISMATCH_ANSWERS:
                self._ask_positions(now_ns)
            else:
                self._traded_by_others(instrument, now_ns)
        return 0

    # ---- configuration ----

    def configure(self, plan, int64_t now_ns) -> None:
        """Take another plan between two events; what exceeds smaller limits is cancelled at once.

        Raises ValueError, with nothing changed, for a plan that needs a restart, or while stopping.
        """
        self._take_plan(plan, now_ns)
        self._decide_c(now_ns)

    # ---- time ----

    @property
    def deadline_ns(self) -> int:
        """When ``on_timer`` is due next, in the clock of ``now_ns``."""
        cdef Instrument instrument
        cdef int64_t due = min(self.quoter.revisit_ns, self.next_audit_ns if self.next_audit_ns else INT64_MAX)
        cdef int64_t oldest = self.requests.oldest_sent_ns_c()
        if oldest != INT64_MAX:
            due = min(due, oldest + self.reply_ns + 1)
        if self.quoter.live:
            for instrument in self.instruments:
                if instrument.pull == PULL_NONE and instrument.ticker_ns:
                    due = min(due, instrument.ticker_ns + self.data_stale_ns + 1)
        for instrument in self.instruments:
            due = min(due, instrument.outlook.due_ns_c())
        due = min(due, self.restraint.due_ns)
        if self.stop_deadline_ns:
            due = min(due, self.stop_deadline_ns)
        if self.forget_ns:
            due = min(due, self.forget_ns)
        if self.next_fetch_ns:
            due = min(due, self.next_fetch_ns)
        if self.outbox.cancel_queue.count:
            due = min(due, self.outbox.retry_at_ns)
        elif self.outbox.other_queue.count:
            due = min(due, self.outbox.next_admission_c(PRIORITY_OTHER, self.now_ns))
        if self.quoter.live:
            for at_ns in self._rearm_after.values():
                due = min(due, at_ns)
        return min(due, self.session.deadline_ns)

    def on_timer(self, int64_t now_ns) -> None:
        """Deadlines are judged by ``now_ns``; firing early or late changes nothing else."""
        cdef Instrument instrument
        cdef Request* request
        self.now_ns = max(self.now_ns, now_ns)
        for instrument in self.instruments:
            instrument.outlook.close_due(&instrument.outlook.candles, now_ns)
        self.session.poll(now_ns)
        self._pump(now_ns)
        if self.outbox.flush_c(now_ns) == SUBMIT_FULL:
            self.wants_close = "the venue does not take our bytes"
        request = self.requests.overdue_c(now_ns - self.reply_ns)
        while request != NULL:
            if request.kind >= REQUEST_CANCEL_SESSION:
                if request.kind != REQUEST_QUERY:
                    self.wants_close = "no answer to the stop"
            else:
                self.quoter.overdue_c(request, now_ns)
            self.requests.give_up_c(request)
            request = self.requests.overdue_c(now_ns - self.reply_ns)
        if self.quoter.live:
            for product in [product for product, at_ns in self._rearm_after.items() if at_ns <= now_ns]:
                if not self.outbox.admits_c(PRIORITY_REDUCE, now_ns):
                    self._rearm_after[product] = max(self.outbox.next_admission_c(PRIORITY_REDUCE, now_ns), now_ns + 1000000)
                    continue
                del self._rearm_after[product]
                self.session.rearm(product, now_ns)
                self._pump(now_ns)
        self._resync(now_ns)
        self._check_synced(now_ns)
        if self.next_fetch_ns and now_ns >= self.next_fetch_ns:
            self._fetch(now_ns)
            self._pump(now_ns)
        if now_ns >= self.next_audit_ns:
            self.next_audit_ns = now_ns + self.audit_ns
            for instrument in self.instruments:
                # The snapshot that was asked for may never have come.
                instrument.wants_resync = instrument.wants_resync or not (
                    instrument.book_synced or instrument.regridding or instrument.delisted)
            self._resync(now_ns)
            self._check_positions(now_ns)
            self._refill(now_ns)
        if self.forget_ns and now_ns >= self.forget_ns:
            self.forget_ns = 0
            self.table.forget_before_c(self.forget_before)
        if self.stop_deadline_ns and now_ns >= self.stop_deadline_ns:
            self.stop_deadline_ns = 0
            self.wants_close = "the venue does not answer the stop"
        for instrument in self.instruments:
            instrument.dirty = True
        self._decide_c(now_ns)
