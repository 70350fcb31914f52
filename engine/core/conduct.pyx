"""How the core behaves towards a connection and its operator: set-up, halt and stop.

None of it is on the path from a tick to a quote; ``engine.core.step`` is.
"""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

import ujson

from engine.core.backfill cimport Backfill
from engine.core.instrument cimport Instrument
from engine.core.mass_quoter cimport MassQuoter
from engine.core.order_quoter cimport OrderQuoter
from engine.core.orders cimport OrderTable
from engine.core.outlook cimport Outlook
from engine.core.reports cimport Reports
from engine.core.requests cimport REQUEST_CANCEL_SESSION, REQUEST_OPEN_ORDERS, REQUEST_QUERY, Request, RequestRing
from engine.core.risk cimport MODE_ACTIVE, MODE_HALTED, Gate
from feed.decode cimport Decoder
from feed.encode cimport Encoder
from feed.events cimport KIND_SLOW
from feed.frames cimport Sink
from feed.outbox cimport PRIORITY_CANCEL, PRIORITY_OTHER, SUBMIT_FULL, Outbox
from feed.stamps cimport Stamper

from engine.core.knobs import Knobs
from engine.core.risk import MODES
from engine.core.status import describe
from feed import session_events, venue
from feed.session import Session
from feed.session_plan import PRIVATE_CHANNELS, SessionPlan
from feed.session_results import Unexpected, open_orders
from feed.symbols import SymbolTable

ARMING = b'"private/set_mm_protection"'
MOVED = "the venue asked for a new connection"

cdef enum:
    PROTECTION_COOLDOWN_NS = 3000000000
    STOP_TRIES = 3
    HISTORY_MARGIN_S = 60            # reports of trades may have been on their way for as long; what was seen counts once
    REPORTS_NS = 1000000000          # the reports of what was answered have arrived by then


def session_plan(plan) -> SessionPlan:
    """The session's part of the core's plan: which channels, whether to arm protection, which account to expect."""
    channels = [venue.SYSTEM, venue.INSTRUMENTS]
    for name in plan.instruments:
        channels += [venue.ticker(name), venue.book(name), venue.lwt(name), venue.recent_trades(name)]
    channels += sorted({venue.price_index(venue.underlying_of(name)) for name in plan.instruments})
    return SessionPlan(
        instruments=plan.instruments,
        channels_public=tuple(channels),
        channels_private=PRIVATE_CHANNELS,
        environment=plan.environment,
        account=plan.account,
        cancel_on_disconnect_s=plan.timing.cancel_on_disconnect_s,
        mass_quote=plan.mode == "mass_quote",
        reply_timeout_ns=plan.timing.reply_ns,
    )


cdef class Conduct(Backfill):
    """The part of the core that lives as long as the process: one connection after another, and the operator's acts.

    ``knobs``: bounds that only a simulation changes.
    """

    def __init__(self, plan, addresses, knobs=Knobs()):
        self.plan = plan
        self.instruments = [
            Instrument(i, name.encode("ascii"), plan.settings, plan.volatility, Outlook(plan.signals, addresses))
            for i, name in enumerate(plan.instruments)
        ]
        for instrument in self.instruments:
            instrument.alarm.take_plan(plan.pulls, plan.limits.collar_bps * 1e-4)
            instrument.calibrator.take_plan(plan.calibration)
        self.encoder = Encoder()
        self.outbox = Outbox(Sink(), **knobs.told())
        self.table = OrderTable(len(self.instruments))
        self.gate = Gate(len(self.instruments))
        self.requests = RequestRing()
        kind = MassQuoter if plan.mode == "mass_quote" else OrderQuoter
        self.quoter = kind(plan, self.instruments, self.table, self.gate, self.requests, self.encoder, self.outbox, addresses)
        self.restraint = self.quoter.restraint
        self.reports = Reports(plan, self.instruments, self.table, self.requests, self.quoter, self.outbox, addresses)
        self.session = Session(session_plan(plan))
        self._take_times()
        self.orders_left = -1
        self._prices = {}
        self._positions = {}
        self._reported = {}
        self._rearm_after = {}
        self.decoder = self._symbols()

    def _symbols(self) -> Decoder:
        """A decoder that knows the instruments, their underlyings and the channels of both."""
        instruments, underlyings = SymbolTable(1024), SymbolTable(64)
        for i, name in enumerate(self.plan.instruments):
            instruments.add(name.encode(), i)
            underlying = venue.underlying_of(name).encode()
            if underlyings.find(underlying) < 0:
                underlyings.add(underlying, underlyings.count)
        decoder = Decoder(SymbolTable(4096), instruments, underlyings)
        for channel in (*self.session.plan.channels_public, *self.session.plan.channels_private):
            if venue.parse_channel(channel).kind != KIND_SLOW:
                decoder.add_channel(channel)
        return decoder

    def attach(self, Sink sink) -> None:
        """Where request bytes go from now on."""
        self.outbox.attach(sink)

    def stamp(self, Stamper stamper not None) -> None:
        """Who notes where the time of a tick goes, from now on; nothing of it comes back into a decision."""
        self.stamper = stamper
        self.stamps = stamper.stamps_c()
        self.quoter.stamps = self.stamps
        self.reports.stamps = self.stamps

    # ---- connection ----

    cpdef on_connected(self, int64_t now_ns):
        """A new connection: everything begins anew, and every order of the last one stays counted until proven gone."""
        self.now_ns = max(self.now_ns, now_ns)
        self.connections += 1
        self.wants_close = None
        self.close_announced = False
        self.outbox.attach(self.outbox.sink)
        self._begin_anew()
        self.session.history_since(max(self.accounted_s, self.heard_s - HISTORY_MARGIN_S) if self.accounted_s else None)
        self.quoter.overflowed = False
        self.next_audit_ns = now_ns + self.audit_ns
        self.session.connected(now_ns)
        self._pump(now_ns)

    cpdef on_disconnected(self, int64_t now_ns, str reason):
        """The connection is gone: nothing is believed live, nothing is believed gone."""
        self.now_ns = max(self.now_ns, now_ns)
        self.last_error = reason
        self._begin_anew()
        self.session.disconnected(now_ns, reason)
        self._pump(now_ns)
        if self.stopping and self.table.used == 0:
            self.stopped = True

    def _begin_anew(self) -> None:
        """Between two connections nothing is live, nothing is under way, and nothing is known of the market."""
        cdef Instrument instrument
        self.quoter.live = False
        self.requests.forget_all_c()
        self.table.doubt_all_c()
        self._rearm_after.clear()
        self._reported.clear()
        self._prices.clear()
        self.protect_late = False
        self._forget_fetch()
        self.moving = False
        self.regrids = 0
        self._position_query = 0
        self.stop_deadline_ns = 0
        self.stop_tries = 0
        self.forget_ns = 0
        for instrument in self.instruments:
            self.heard_s = max(self.heard_s, instrument.book_time_s)
            instrument.unsync()

    @property
    def wants_token(self) -> bool:
        """Whether the session waits for ``provide_token``."""
        return self.session.wants_token

    def provide_token(self, str token, int64_t now_ns) -> None:
        """A fresh login token (protocol section 4.1); it is used once and not kept."""
        self.session.provide_token(token, now_ns)
        self._pump(now_ns)

    # ---- session ----

    def _pump(self, int64_t now_ns) -> None:
        """Send what the session wants sent and take what it has found out."""
        cdef list events = [None]
        while events:
            for text in self.session.take_requests():
                self._submit(PRIORITY_OTHER, text, now_ns)
                if ARMING in text:
                    # The venue may count it by the limit of matching messages.
                    self.outbox.spend_c(now_ns)
            # Acting on an event may make the session want to send again.
            events = self.session.take_events()
            for event in events:
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

    def _on_session(self, event, int64_t now_ns) -> None:
        """Take one finding of the session."""
        if isinstance(event, session_events.MessageRate):
            self.outbox.set_message_rate(event.rate)
        elif isinstance(event, session_events.LeftoverOrders):
            self._leftovers(event.orders)
        elif isinstance(event, session_events.PositionsOfRecord):
            self._positions = dict(event.positions_e8)
        elif isinstance(event, session_events.InstrumentsKnown):
            self._take_grids(event.instruments)
        elif isinstance(event, session_events.PricesKnown):
            self._take_prices(event.prices, now_ns)
        elif isinstance(event, session_events.TradesOfRecord):
            self._take_trades(event.trades, event.any_time, now_ns)
        elif isinstance(event, session_events.Armed):
            self._arm(event.product)
        elif isinstance(event, session_events.ArmingFailed):
            self.last_error = f"protection of {event.product}: {event.message} (error {event.code})"
            self._rearm_after[event.product] = now_ns + PROTECTION_COOLDOWN_NS
        elif isinstance(event, session_events.Refetched | session_events.RefetchFailed):
            self._fetched(event)
        elif isinstance(event, session_events.Live):
            self._go_live(now_ns)
        elif isinstance(event, session_events.Failed):
            self.quoter.live = False
            self.last_error = event.reason
            self.wants_close = event.reason
            if event.fatal:
                self.fatal = event.reason
        elif isinstance(event, session_events.Answer):
            self._positions_answered(event, now_ns)
        elif isinstance(event, session_events.ReconnectRequested):
            # This one is quoted on until its owner has another: see the act ``move``.
            self.close_announced = True

    def _notice(self, message, int64_t now_ns) -> None:
        """A notification that is neither hot nor the session's."""
        if getattr(message, "channel", None) == venue.INSTRUMENTS:
            self._listed(message.payload, now_ns)
        if getattr(message, "channel", None) == venue.SESSION_MM_PROTECTION:
            for line in message.payload:
                # While this connection is emptied its groups are reset by our own doing; the next one arms its own.
                if not self.moving or line.reason == "executions":
                    self._protection(line.product, line.remaining, now_ns)

    def _go_live(self, int64_t now_ns) -> None:
        cdef Instrument instrument
        if self.stopping or self.gate.mode == MODE_HALTED:
            self._verify_empty(now_ns)
        self.quoter.live = True
        # No order of this connection has been sent yet, and what was traded before is in the position.
        self.accounted_s = max([instrument.book_time_s for instrument in self.instruments])
        for instrument in self.instruments:
            instrument.armed = not instrument.delisted and (instrument.armed or not self.quoter.mass)
            instrument.dirty = True
        self._protect_again(now_ns)
        self._plan_fetch(now_ns)

    cdef int _restrain(self, int64_t now_ns) except -1:
        """What is due of the limits of the whole account: causes, and profit realised and not, net of fees and funding."""
        cdef Instrument instrument
        cdef double equity = 0.0
        if now_ns >= self.restraint.due_ns:
            self.restraint.settle(now_ns)
        if now_ns >= self.restraint.look_ns:
            for instrument in self.instruments:
                equity += instrument.pnl_usd_c()
            self.restraint.look(equity, now_ns)
        if self.restraint.halt is not None:
            self.halt(self.restraint.halt, now_ns)
            self.restraint.forget()
        return 0

    def _traded_by_others(self, Instrument instrument, int64_t now_ns) -> None:
        """Proven: the position of record is not the sum of our fills. Halt, or begin anew from the position of record.

        A new connection asks the history for the trades, books them at their own price, and adopts that position.
        """
        text = (f"position of {instrument.name.decode()}: {instrument.position.lots} lots by fills, "
                f"{instrument.reported_lots} by the venue")
        if self.restraint.foreign(text, now_ns):
            self.wants_close = text
        else:
            self.halt(text, now_ns)

    # ---- operator ----

    def operator(self, str act, int64_t now_ns) -> None:
        """``stop``: end with nothing left in the market. ``halt``: the same, latched, staying connected. ``resume``: quote
        again, and add to positions again where the account only reduced.

        ``move``: another connection is ready; nothing is quoted on this one any more, its orders are removed, and once the venue
        has told that none is left ``wants_close`` is set. ``unwatched``: quotes come off until ``watched``.
        Raises ValueError for another act, or a ``resume`` whose cause persists.
        """
        cdef Instrument instrument
        if act == "stop":
            self.stopping = True
            self.gate.set_mode(MODE_HALTED)
            self._empty(now_ns)
        elif act == "halt":
            self.halt("operator", now_ns)
        elif act == "move":
            self._move(now_ns)
        elif act == "unwatched" or act == "watched":
            self.quoter.unwatched = act == "unwatched"
            for instrument in self.instruments:
                instrument.dirty = True
            self.quoter.revisit_c(now_ns)
        elif act == "resume":
            mismatch = False
            for instrument in self.instruments:
                mismatch = mismatch or instrument.mismatch_since_ns != 0
            if self.stopping or self.reports.halt is not None or mismatch:
                raise ValueError(f"resume refused: {'stopping' if self.stopping else self.halt_reason}")
            self.halt_reason = None
            self.stop_deadline_ns = 0
            self.stop_tries = 0
            self.gate.set_mode(MODE_ACTIVE)
            self.restraint.lift()
            for instrument in self.instruments:
                instrument.dirty = True
        else:
            raise ValueError(f"operator act {act!r}: one of stop, halt, resume, move, unwatched, watched")

    def halt(self, str reason, int64_t now_ns) -> None:
        """Latch HALTED and remove everything; survives any number of connections until ``resume``."""
        if self.halt_reason is None:
            self.halt_reason = reason
            self.gate.set_mode(MODE_HALTED)
            if not self.stopped:
                self._empty(now_ns)

    def _move(self, int64_t now_ns) -> None:
        """Leave this connection in order; before the end of its set-up there is nothing to remove."""
        if self.moving or self.stopping:
            return
        if not self.quoter.live:
            self.wants_close = MOVED
            return
        self.moving = True
        self._empty(now_ns)

    def _empty(self, int64_t now_ns) -> None:
        """Remove every order of the session, in-flight ones included (protocol section 6.5), then look."""
        self.orders_left = -1
        if not self.quoter.live:
            # Before the end of the set-up no order of this session exists; those of the last one are proven gone by the
            # next connection's set-up, or stay in doubt.
            if self.stopping and self.table.used == 0:
                self.orders_left = 0
                self.stopped = True
            return
        self._query(REQUEST_CANCEL_SESSION, PRIORITY_CANCEL, "private/cancel_session", {}, now_ns)
        self._verify_empty(now_ns)
        self.stop_deadline_ns = now_ns + STOP_TRIES * self.reply_ns

    def _verify_empty(self, int64_t now_ns) -> None:
        self._query(REQUEST_OPEN_ORDERS, PRIORITY_CANCEL, "private/open_orders", {}, now_ns)

    def _control_reply(self, reply, int32_t kind, int64_t now_ns) -> None:
        """Answer to a request of the stop."""
        cdef Instrument instrument
        if reply.error is not None:
            self.last_error = f"{reply.error.code} {reply.error.message}"
        if kind == REQUEST_CANCEL_SESSION:
            for instrument in self.instruments:
                instrument.armed = not self.quoter.mass     # protection groups are reset (protocol section 6.5)
                if self.quoter.mass:
                    self._rearm_after[instrument.product] = now_ns + PROTECTION_COOLDOWN_NS
            return
        if kind != REQUEST_OPEN_ORDERS or reply.error is not None:
            return
        if self.gate.mode != MODE_HALTED and not self.moving:
            return                  # asked by a halt that is over
        # Others may trade on the same account: their orders are not ours to remove.
        try:
            self.orders_left = len([order for order in open_orders(reply.result) if order.get("label") == self.plan.label])
        except Unexpected as error:
            self.wants_close = f"the answer to private/open_orders: {error}"
            return
        self.stop_deadline_ns = 0
        if self.orders_left == 0:
            # What they traded may be told later than this answer: until it must have been, they count.
            self.forget_before = reply.id
            self.forget_ns = now_ns + REPORTS_NS
            self.stopped = self.stopping
            if self.moving and not self.stopping:
                self.wants_close = MOVED
        elif self.stop_tries < STOP_TRIES:
            self.stop_tries += 1
            self.reports.own_cancel_ns = now_ns + self.reply_ns + REPORTS_NS
            self._query(REQUEST_QUERY, PRIORITY_CANCEL, "private/cancel_all", {}, now_ns)
            self._verify_empty(now_ns)
        else:
            self.wants_close = f"{self.orders_left} orders stay open after {STOP_TRIES} attempts"

    # ---- for people ----

    @property
    def mode(self) -> str:
        """ACTIVE, REDUCING or HALTED."""
        return MODES[self.gate.mode]

    def status(self) -> dict:
        """Everything a status line, a summary or a test wants to know."""
        return describe(self)
