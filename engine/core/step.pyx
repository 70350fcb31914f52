"""Inputs in, request bytes out: messages, timer firings, operator acts. What is decided, and nothing of when or whereby.

The same compiled step is driven by the live loop, the simulator, a replay and the tests.
"""

from libc.math cimport INFINITY, isfinite
from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memcpy

import ujson

from engine.core.instrument cimport Instrument
from engine.core.mass_quoter cimport MassQuoter
from engine.core.order_quoter cimport OrderQuoter
from engine.core.orders cimport OrderTable
from engine.core.reports cimport Reports
from engine.core.requests cimport (
    FIRST_HOT_ID, REQUEST_CANCEL_SESSION, REQUEST_OPEN_ORDERS, REQUEST_QUERY, Request, RequestRing,
)
from engine.core.risk cimport MODE_ACTIVE, MODE_HALTED, MODE_REDUCING, Gate
from feed.decode cimport Decoder
from feed.encode cimport Encoder
from feed.events cimport (
    KIND_BOOK, KIND_INDEX, KIND_LWT, KIND_ORDERS, KIND_PORTFOLIO, KIND_REPLY, KIND_SLOW, KIND_TICKER, KIND_TRADES, PositionUpdate,
)
from feed.frames cimport MessageHandler, Sink
from feed.outbox cimport PRIORITY_CANCEL, PRIORITY_OTHER, SUBMIT_FULL, Outbox

from engine.core.risk import MODES
from feed import decode_slow, venue
from feed.decode_slow import Malformed
from feed.session import Session

cdef enum:
    RESYNC_INTERVAL_NS = 1000000000
    MISMATCH_NS = 3000000000         # the position of record and the fills may disagree for this long while reports are on their way
    STOP_TRIES = 3


cdef class Core(MessageHandler):
    """The deterministic core of one connection after another.

    ``plan``: engine.core.plan.CorePlan. ``addresses``: kernels.compiled.Addresses. Call ``attach`` with a sink before
    ``on_connected``, and ``on_timer`` whenever ``deadline_ns`` is due.
    """

    def __init__(self, plan, addresses):
        self.plan = plan
        self.instruments = [
            Instrument(i, name.encode("ascii"), plan.settings, plan.volatility) for i, name in enumerate(plan.instruments)
        ]
        self.decoder = Decoder()
        self.encoder = Encoder()
        self.outbox = Outbox(Sink())
        self.table = OrderTable(len(self.instruments))
        self.gate = Gate(len(self.instruments))
        self.requests = RequestRing()
        kind = MassQuoter if plan.mode == "mass_quote" else OrderQuoter
        self.quoter = kind(plan, self.instruments, self.table, self.gate, self.requests, self.encoder, self.outbox, addresses)
        self.reports = Reports(plan, self.instruments, self.table, self.requests, self.quoter, self.outbox, addresses)
        self.session = Session(session_plan(plan))
        self.data_stale_ns = plan.timing.data_stale_ns
        self.reply_ns = plan.timing.reply_ns
        self.audit_ns = plan.timing.audit_ns
        self.equity_peak_usd = -INFINITY
        self.orders_left = -1
        self._name_channels()

    def _name_channels(self) -> None:
        underlyings = {}
        for i, name in enumerate(self.plan.instruments):
            self.decoder.instruments.add(name.encode(), i)
            underlying = venue.underlying_of(name)
            if underlying not in underlyings:
                underlyings[underlying] = len(underlyings)
                self.decoder.underlyings.add(underlying.encode(), underlyings[underlying])
                self.decoder.channels.add(venue.price_index(underlying).encode(), KIND_INDEX << 16 | underlyings[underlying])
            for kind, channel in (
                (KIND_TICKER, venue.ticker(name, "raw")), (KIND_BOOK, venue.book(name, "none", "all", "raw")),
                (KIND_LWT, venue.lwt(name, "raw")), (KIND_TRADES, venue.recent_trades(name, "single")),
            ):
                self.decoder.channels.add(channel.encode(), kind << 16 | i)
        self.decoder.channels.add(b"session.orders", KIND_ORDERS << 16)
        self.decoder.channels.add(b"account.portfolio", KIND_PORTFOLIO << 16)

    def attach(self, Sink sink) -> None:
        """Where request bytes go from now on."""
        self.outbox.attach(sink)

    # ---- connection ----

    cpdef on_connected(self, int64_t now_ns):
        """A new connection: everything begins anew, and every order of the last one stays counted until proven gone."""
        cdef Instrument instrument
        self.now_ns = max(self.now_ns, now_ns)
        self.connections += 1
        self.wants_close = None
        self.requests.forget_all_c()
        self.table.doubt_all_c()
        self.quoter.live = False
        self.quoter.overflowed = False
        self.next_audit_ns = now_ns + self.audit_ns
        for instrument in self.instruments:
            instrument.unsync()
        self.session.connected(now_ns)
        self._pump(now_ns)

    cpdef on_disconnected(self, int64_t now_ns, str reason):
        """The connection is gone: nothing is believed live, nothing is believed gone."""
        cdef Instrument instrument
        self.now_ns = max(self.now_ns, now_ns)
        self.last_error = reason
        self.quoter.live = False
        self.requests.forget_all_c()
        self.table.doubt_all_c()
        for instrument in self.instruments:
            instrument.unsync()
        self.session.disconnected(now_ns, reason)
        self._pump(now_ns)
        if self.stopping:
            self.stopped = True

    @property
    def wants_token(self) -> bool:
        """Whether the session waits for ``provide_token``."""
        return self.session.wants_token

    def provide_token(self, str token, int64_t now_ns) -> None:
        """A fresh login token (protocol section 4.1); it is used once and not kept."""
        self.session.provide_token(token, now_ns)
        self._pump(now_ns)

    # ---- messages ----

    cdef int on_message_c(self, const char* message, Py_ssize_t size, int64_t now_ns, bint last_in_batch) except -1:
        """One text message; the decision is made once, after the last of a batch."""
        cdef int32_t kind = self.decoder.decode_c(message, size)
        self.now_ns = now_ns
        self.messages += 1
        self._dispatch_c(kind, message, size, now_ns)
        if last_in_batch:
            self._decide_c(now_ns)
        return 0

    cdef int on_batch_end_c(self, int64_t now_ns) except -1:
        self._decide_c(now_ns)
        return 0

    cdef int _decide_c(self, int64_t now_ns) except -1:
        self.quoter.decide_c(now_ns)
        if self.quoter.overflowed and self.wants_close is None:
            self.wants_close = "a bound was reached: requests unanswered or bytes unsent"
        if self.reports.halt is not None and self.halt_reason is None:
            self.halt(self.reports.halt, now_ns)
        return 0

    cdef int _dispatch_c(self, int32_t kind, const char* message, Py_ssize_t size, int64_t now_ns) except -1:
        cdef Instrument instrument
        if kind == KIND_BOOK:
            instrument = <Instrument>self.instruments[self.decoder.book.instrument]
            if instrument.apply_book_c(&self.decoder.book, now_ns) != 0:
                instrument.wants_resync = True
                instrument.dirty = True
                self._resync(now_ns)
        elif kind == KIND_TICKER:
            (<Instrument>self.instruments[self.decoder.ticker.instrument]).apply_ticker_c(&self.decoder.ticker, now_ns)
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
        elif kind == KIND_INDEX or kind == KIND_TRADES:
            return 0
        else:
            self._slow(message[:size], now_ns)
        return 0

    cdef int _reply_c(self, const char* message, Py_ssize_t size, int64_t now_ns) except -1:
        cdef Request* request
        if self.decoder.reply.id < FIRST_HOT_ID:
            return self._slow(message[:size], now_ns)
        request = self.requests.find_c(self.decoder.reply.id)
        if request != NULL and request.kind >= REQUEST_CANCEL_SESSION:
            self._control_reply(decode_slow.decode(message[:size]), request.kind, now_ns)
            self.requests.close_c(request)
            return 0
        return self.reports.apply_reply_c(&self.decoder.reply, &self.decoder.orders, now_ns)

    def _slow(self, bytes frame, int64_t now_ns) -> int:
        """Everything that the fast decoder leaves: set-up replies, rare channels, odd forms of hot ones."""
        self.slow_messages += 1
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
        self.session.receive(message, now_ns)
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
            if instrument.tick_e8 and self.quoter.live:
                instrument.reported_lots = update.position_e8 // instrument.lot_e8
                instrument.has_reported = True
        self._check_positions(now_ns)

    # ---- session ----

    def _pump(self, int64_t now_ns) -> None:
        """Send what the session wants sent and take what it has found out."""
        for text in self.session.take_requests():
            self._submit(PRIORITY_OTHER, text, now_ns)
        for event in self.session.take_events():
            self._on_session(event, now_ns)

    cdef int _submit(self, int32_t priority, bytes text, int64_t now_ns) except -1:
        cdef Py_ssize_t size = len(text)
        cdef const char* source = text
        if size > self.encoder.capacity:
            raise ValueError(f"request of {size} bytes: at most {self.encoder.capacity}")
        memcpy(self.encoder.text_c(), source, size)
        if self.outbox.submit_c(priority, self.encoder.text_c(), size, now_ns) == SUBMIT_FULL:
            self.wants_close = "the venue does not take our bytes"
        self.quoter.messages_sent += 1
        return 0

    def _query(self, int32_t kind, int32_t priority, str method, dict params, int64_t now_ns) -> None:
        """A request of the core's own that is not about one order."""
        cdef Request* request = self.requests.open_c(kind, -1, 0, now_ns)
        if request == NULL:
            self.wants_close = "too many requests without an answer"
            return
        text = ujson.dumps({"method": method, "params": params, "id": request.id}, allow_nan=False, escape_forward_slashes=False)
        self._submit(priority, text.encode(), now_ns)

    def _resync(self, int64_t now_ns) -> None:
        """Ask for a new snapshot of every book that lost its consistency; at most once a second."""
        cdef Instrument instrument
        if now_ns < self.resync_after_ns:
            return
        channels = []
        for instrument in self.instruments:
            if instrument.wants_resync:
                instrument.wants_resync = False
                channels.append(venue.book(instrument.name.decode(), "none", "all", "raw"))
        if channels:
            self.resyncs += 1
            self.resync_after_ns = now_ns + RESYNC_INTERVAL_NS
            self._query(REQUEST_QUERY, PRIORITY_OTHER, "unsubscribe", {"channels": channels}, now_ns)
            self._query(REQUEST_QUERY, PRIORITY_OTHER, "public/subscribe", {"channels": channels}, now_ns)
