"""The sans-IO session: from a fresh connection to the moment at which quotes may be sent, as a table of states.

Bytes and time come in as arguments, requests and events are taken out. The order of set-up is the venue's (thalex
protocol section 12): every step is acknowledged before a request of the next one leaves, and every step has a
deadline. Its owner writes ``take_requests`` to the connection, in order, acts on ``take_events``, calls ``poll`` no
later than ``deadline_ns``, and closes the connection when ``is_failed`` says so. Single thread; no clock, no I/O, no
random.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from feed import session_events as events
from feed.messages import Notification, Reply, SystemEvent
from feed.session_answers import Answers, refetched
from feed.session_plan import SNAPSHOT_CHANNELS, SessionPlan
from feed.session_requests import FIRST_HOT_ID, NEVER_NS, Pending, Refetch, Requests
from feed.session_results import Unexpected, json_number
from feed.session_table import AFTER_SET_UP, PRELUDE_STEPS, TABLE, State, Trigger
from feed.venue import ACCOUNT_ORDERS, RECONNECT_EVENT, SESSION_ORDERS, Method


class SessionError(RuntimeError):
    """The owner asked for something that this state does not allow."""


class Session(Answers):
    """One account's session over many connections; ``generation`` counts them."""

    def __init__(self, plan: SessionPlan) -> None:
        super().__init__(plan)
        self.state = State.DISCONNECTED
        self.generation = 0
        self.is_fatal = False
        self.stray_replies = 0
        self._deadline_ns = NEVER_NS
        self._prepared: tuple[events.LoggedIn, events.MessageRate] | None = None
        self._pending = Requests()
        self._snapshots: set[str] = set()
        self._subscribed = False
        self._protection: dict[str, tuple[int, int]] = dict(plan.protection)
        self._enter: dict[State, Callable[[int], None]] = {
            State.LOGIN: lambda now_ns: None,
            State.SYSTEM_INFO: lambda now_ns: self._step(Method.SYSTEM_INFO, {}),
            State.CANCEL_ON_DISCONNECT: lambda now_ns: self._step(
                Method.SET_CANCEL_ON_DISCONNECT, {"timeout_secs": self.plan.cancel_on_disconnect_s}
            ),
            State.CANCEL_SESSION: lambda now_ns: self._step(Method.CANCEL_SESSION, {}),
            State.PRIVATE: lambda now_ns: self._subscribe(Method.PRIVATE_SUBSCRIBE, self.plan.channels_private),
            State.OPEN_ORDERS: lambda now_ns: self._step(Method.OPEN_ORDERS, {}),
            State.PORTFOLIO: self._enter_portfolio,
            State.INSTRUMENTS: lambda now_ns: self._step(Method.INSTRUMENTS, {}),
            State.PRICES: self._enter_prices,
            State.HISTORY: lambda now_ns: self._step(Method.TRADE_HISTORY, self._history.params(self.plan.instruments)),
            State.PROTECTION: self._enter_protection,
            State.PUBLIC: lambda now_ns: self._subscribe(Method.PUBLIC_SUBSCRIBE, self.plan.channels_public),
            State.SYNCING: self._enter_syncing,
        }
        self._results: dict[str, Callable[[Pending, Any], None]] = {
            Method.LOGIN: self._on_login,
            Method.SYSTEM_INFO: self._on_system_info,
            Method.SET_CANCEL_ON_DISCONNECT: self._on_cancel_on_disconnect,
            Method.CANCEL_SESSION: lambda pending, result: None,
            Method.PRIVATE_SUBSCRIBE: self._on_subscribed,
            Method.PUBLIC_SUBSCRIBE: self._on_subscribed,
            Method.UNSUBSCRIBE: lambda pending, result: None,
            Method.OPEN_ORDERS: self._on_open_orders,
            Method.PORTFOLIO: self._on_portfolio,
            Method.INSTRUMENTS: self._on_instruments,
            Method.TICKER: self._on_ticker,
            Method.TRADE_HISTORY: self._on_trade_history,
            Method.SET_MM_PROTECTION: self._on_armed,
        }

    # -- what the owner reads ------------------------------------------------------------------------------------------

    @property
    def is_live(self) -> bool:
        """May quotes be sent?"""
        return self.state is State.LIVE

    @property
    def is_syncing(self) -> bool:
        """Does the session wait for ``synced``?"""
        return self.state is State.SYNCING

    @property
    def is_failed(self) -> bool:
        """Is the connection of no use, so that it must be closed?"""
        return self.state in (State.FAILED, State.CLOSED)

    @property
    def wants_token(self) -> bool:
        """Does the session wait for ``provide_token``?"""
        return self.state is State.LOGIN and not self._pending.waiting

    @property
    def deadline_ns(self) -> int:
        """When ``poll`` must be called at the latest; ``NEVER_NS`` when nothing is awaited."""
        again_ns = self._history.again_ns
        return min(self._deadline_ns, self._pending.deadline_ns, NEVER_NS if again_ns is None else again_ns)

    def take_requests(self) -> list[bytes]:
        """The requests to write now, in order. They are not given twice."""
        return self._pending.take()

    def take_events(self) -> list[events.Event]:
        """What has happened since the last call, in order."""
        taken, self._events = self._events, []
        return taken

    # -- what the owner tells ------------------------------------------------------------------------------------------

    def prepared(self, account: str, message_rate: int) -> None:
        """The next connection has been through ``PRELUDE_STEPS`` already (``feed.prelude``), with these answers."""
        self._prepared = (events.LoggedIn(account), events.MessageRate(message_rate))

    def connected(self, now_ns: int) -> None:
        """A new connection is up."""
        self._move(Trigger.CONNECTED)
        self.generation += 1
        self.stray_replies = 0
        self._subscribed = False
        self._snapshots.clear()
        self._told_open.clear()
        self._history.begin()
        self.plan = self._whole_plan
        self._protection = dict(self.plan.protection)
        if self._prepared is not None:
            self._events += self._prepared
            self._prepared = None
            while self.state in PRELUDE_STEPS:
                self._move(Trigger.DONE)
        self._begin(now_ns)

    def disconnected(self, now_ns: int, reason: str) -> None:
        """The connection is gone. After a fatal failure the session is then closed."""
        was_live = self.is_live
        was_up = self.state not in (State.DISCONNECTED, State.CLOSED)
        self._lose_side_requests("the connection is gone")
        self._clear()
        self._move(Trigger.CLOSE if self.is_fatal else Trigger.LOST)
        if was_up:
            self._events.append(events.Disconnected(self.generation, reason, was_live))

    def close(self) -> None:
        """No further connection is wanted."""
        self._clear()
        self._move(Trigger.CLOSE)

    def provide_token(self, token: str, now_ns: int) -> None:
        """The login token that ``wants_token`` asks for; used once and not kept."""
        if not self.wants_token:
            raise SessionError(f"no token is wanted in state {self.state.name}")
        params = {"token": token}
        if self.plan.account is not None:
            params["account"] = self.plan.account
        self._step(Method.LOGIN, params)
        self._deadline_ns = now_ns + self.plan.reply_timeout_ns

    def history_since(self, time_s: float | None) -> None:
        """Ask at the next set-up for the trades from then on (venue's clock); None: do not ask."""
        self._history.since_s = time_s

    @property
    def asks_history(self) -> bool:
        """Does the set-up ask for trades?"""
        return self._history.since_s is not None

    def history_taken(self, now_ns: int, *, complete: bool) -> bool:
        """What to do after ``TradesOfRecord``: go on, or ask again where trades are missing; False: often enough."""
        if not complete and self._history.ask_again(now_ns):
            self._deadline_ns = now_ns + self.plan.reply_timeout_ns
            return True
        self._history.taken = complete
        if complete and self.state is State.HISTORY:
            self._finish_step(now_ns)
        return complete

    def set_reply_timeout(self, reply_timeout_ns: int) -> None:
        """Another deadline for the answers to come."""
        self.plan = replace(self.plan, reply_timeout_ns=reply_timeout_ns)
        self._whole_plan = replace(self._whole_plan, reply_timeout_ns=reply_timeout_ns)

    def set_protection(self, protection: Mapping[str, tuple[int, int]], now_ns: int) -> None:
        """(trade_amount_e8, quote_amount_e8) of each product, once prices are known; arms them if that step waits.

        Raises ValueError for an amount that the venue would refuse.
        """
        waiting = self.state is State.PROTECTION and not self._protection
        self.change_protection(protection)
        if waiting:
            self._enter_protection(now_ns)

    def change_protection(self, protection: Mapping[str, tuple[int, int]]) -> bool:
        """Other amounts for ``rearm`` and for set-ups to come; whether they differ. Raises ValueError as above."""
        for product, (trade_e8, quote_e8) in protection.items():
            if not 0 < trade_e8 <= quote_e8:
                raise ValueError(f"protection of {product}: trade amount {trade_e8} must be in (0, {quote_e8}]")
        differs = self._protection != dict(protection)
        self._protection = dict(protection)
        return differs

    def on_snapshot(self, channel: str, now_ns: int) -> None:
        """The first state of a private channel has arrived (before or after the reply to its subscription)."""
        self._snapshots.add(channel)
        if self.state is State.PRIVATE:
            self._finish_step(now_ns)

    def synced(self, now_ns: int) -> None:
        """Books and prices are complete and fresh."""
        if self.state is State.SYNCING:
            self._move(Trigger.SYNCED)
            self._deadline_ns = NEVER_NS
            self._events.append(events.Live(self.generation))

    def unsynced(self, now_ns: int) -> None:
        """Books or prices are not to be trusted any more; quotes must wait for ``synced`` again."""
        if self.state is State.LIVE:
            self._move(Trigger.UNSYNCED)
            self._enter_syncing(now_ns)

    def receive(self, message: Reply | Notification, now_ns: int) -> bool:
        """A message of ``feed.decode_slow``. True if it was an answer to the session or its business."""
        if isinstance(message, Reply):
            return self._receive_reply(message, now_ns)
        if isinstance(message.payload, SystemEvent) and message.payload.event == RECONNECT_EVENT:
            self._events.append(events.ReconnectRequested())
            return True
        if message.channel == ACCOUNT_ORDERS:
            self._on_account_orders(message)
            if message.snapshot:
                self.on_snapshot(ACCOUNT_ORDERS, now_ns)
            return True
        return False

    def poll(self, now_ns: int) -> None:
        """Time has passed: fail what was not answered by its deadline."""
        for request_id in self._pending.overdue(now_ns):
            pending = self._pending.close(request_id)
            if pending is not None:
                self._unanswered(pending, request_id, "no answer in time")
        if self._history.again_ns is not None and now_ns >= self._history.again_ns and self.state is State.HISTORY:
            self._begin(now_ns)
        if now_ns < self._deadline_ns:
            return
        if self.state is State.PRIVATE and self._subscribed and not self.plan.snapshots_required:
            missing = self._missing_snapshots()
            if ACCOUNT_ORDERS in missing and SESSION_ORDERS not in missing:
                self._fail("account.orders tells nothing of open orders")
                return
            self._events.append(events.SnapshotMissing(tuple(sorted(missing))))
            self._done(now_ns)
        elif self.state is State.HISTORY and self._pending.waiting:
            self._pending.clear()
            self._deadline_ns = now_ns + self.plan.reply_timeout_ns
            self._events.append(events.TradesOfRecord(self._history.trades, self._history.any_time))
        elif self.state is State.SYNCING:
            self._fail("market data did not become complete in time")
        elif self.wants_token:
            self._fail("no login token was provided in time")
        else:
            waiting = self._pending.methods or self._missing_snapshots()
            self._fail(f"nothing came in time from {', '.join(sorted(waiting))}")

    # -- requests after set-up -----------------------------------------------------------------------------------------

    def rearm(self, product: str, now_ns: int) -> None:
        """Fill a product's protection group again; answered by ``Armed`` or ``ArmingFailed``."""
        if product not in self._protection:
            raise SessionError(f"no protection is planned for {product}")
        self._side(Method.SET_MM_PROTECTION, self._protection_params(product), product, now_ns)

    def resubscribe(self, channels: Iterable[str], now_ns: int) -> None:
        """Leave and join public channels, for new snapshots; answered by ``Resubscribed``, or the connection fails."""
        names = tuple(channels)
        self._side(Method.UNSUBSCRIBE, {"channels": list(names)}, names, now_ns)

    def refetch(self, channels: Iterable[str], now_ns: int) -> None:
        """The same for channels that can be missed; answered by ``Refetched`` or ``RefetchFailed``."""
        names = tuple(channels)
        self._side(Method.UNSUBSCRIBE, {"channels": list(names)}, Refetch(names), now_ns)

    def request(self, method: str, params: dict[str, Any], now_ns: int) -> int:
        """Any other query; returns its id, answered by ``Answer``."""
        return self._side(method, params, None, now_ns)

    def _side(self, method: str, params: dict[str, Any], argument: Any, now_ns: int) -> int:
        if self.state not in AFTER_SET_UP:
            raise SessionError(f"{method} must wait until the session is set up, it is in state {self.state.name}")
        return self._send(method, params, argument, now_ns + self.plan.reply_timeout_ns)

    # -- the walk through the steps ------------------------------------------------------------------------------------

    def _move(self, trigger: Trigger) -> None:
        try:
            self.state = TABLE[self.state][trigger]
        except KeyError:
            raise SessionError(f"{trigger.name} is not allowed in state {self.state.name}") from None

    def _begin(self, now_ns: int) -> None:
        """Enter the current step, or the next one that the plan wants."""
        while not self.plan.wants(self.state) or (self.state is State.HISTORY and not self.asks_history):
            self._move(Trigger.DONE)
        self._deadline_ns = now_ns + self.plan.reply_timeout_ns
        self._enter[self.state](now_ns)

    def _done(self, now_ns: int) -> None:
        self._move(Trigger.DONE)
        self._begin(now_ns)

    def _finish_step(self, now_ns: int) -> None:
        """Go on if every request of this step is answered, and what else it waits for is there."""
        if self._pending.waiting or self.state is State.FAILED:
            return
        if self.state is State.PROTECTION and not self._protection:
            return
        if self.state is State.HISTORY and not self._history.taken:
            return
        if self.state is State.PRIVATE:
            if not self._subscribed:
                self._subscribed = True
                self._deadline_ns = now_ns + self.plan.snapshot_timeout_ns
            if self._missing_snapshots():
                return
        self._done(now_ns)

    def _missing_snapshots(self) -> set[str]:
        return set(SNAPSHOT_CHANNELS.intersection(self.plan.channels_private)) - self._snapshots

    def _fail(self, reason: str, *, fatal: bool = False) -> None:
        state = self.state
        self._lose_side_requests("the session failed")
        self._clear()
        self.is_fatal = fatal
        self._move(Trigger.FAIL)
        self._events.append(events.Failed(reason, fatal, state.name))

    def _clear(self) -> None:
        self._history.begin()
        self._pending.clear()
        self._deadline_ns = NEVER_NS

    def _step(self, method: str, params: dict[str, Any], argument: Any = None) -> None:
        self._send(method, params, argument, NEVER_NS)

    def _send(self, method: str, params: dict[str, Any], argument: Any, deadline_ns: int) -> int:
        return self._pending.open(method, params, argument, deadline_ns)

    # -- entering a step -----------------------------------------------------------------------------------------------

    def _enter_prices(self, now_ns: int) -> None:
        self._prices.clear()
        for name in self.plan.instruments:
            self._step(Method.TICKER, {"instrument_name": name}, name)

    def _enter_portfolio(self, now_ns: int) -> None:
        """The second witness of open orders has been heard; from here on it would tell every order of ours again."""
        self._step(Method.PORTFOLIO, {})
        if ACCOUNT_ORDERS in self.plan.channels_private:
            self._step(Method.UNSUBSCRIBE, {"channels": [ACCOUNT_ORDERS]})

    def _enter_protection(self, now_ns: int) -> None:
        """Amounts that depend on the price come from the owner: ``set_protection``."""
        for product in self._protection:
            self._step(Method.SET_MM_PROTECTION, self._protection_params(product), product)

    def _enter_syncing(self, now_ns: int) -> None:
        self._deadline_ns = now_ns + self.plan.sync_timeout_ns
        self._events.append(events.Syncing(self.generation))

    def _subscribe(self, method: str, channels: tuple[str, ...]) -> None:
        for start in range(0, len(channels), self.plan.channels_a_request):
            part = channels[start : start + self.plan.channels_a_request]
            self._step(method, {"channels": list(part)}, part)

    def _protection_params(self, product: str) -> dict[str, Any]:
        trade_e8, quote_e8 = self._protection[product]
        return {"product": product, "trade_amount": json_number(trade_e8), "quote_amount": json_number(quote_e8)}

    # -- answers -------------------------------------------------------------------------------------------------------

    def _receive_reply(self, reply: Reply, now_ns: int) -> bool:
        request_id = reply.id
        if type(request_id) is not int or not 0 < request_id < FIRST_HOT_ID:
            return False
        pending = self._pending.close(request_id)
        if pending is None:
            self.stray_replies += 1
            return True
        side = not pending.is_step
        if reply.error is not None:
            if side:
                self._side_error(pending, request_id, reply.error.code, reply.error.message, now_ns)
            else:
                self._step_error(pending, reply.error.code, reply.error.message)
            return True
        try:
            if side:
                self._side_result(pending, request_id, reply.result, now_ns)
                return True
            self._results[pending.method](pending, reply.result)
        except Unexpected as error:
            self._fail(f"{pending.method} was answered with something unexpected: {error}")
        if self.state is not State.FAILED:
            self._finish_step(now_ns)
        return True

    def _side_result(self, pending: Pending, request_id: int, result: Any, now_ns: int) -> None:
        if pending.argument is None:
            self._events.append(events.Answer(request_id, result, 0, ""))
        elif pending.method == Method.UNSUBSCRIBE:
            self._join_again(pending.argument, now_ns)
        elif isinstance(pending.argument, Refetch):
            self._events.append(refetched(pending.argument, result))
        else:
            self._results[pending.method](pending, result)
            if pending.method == Method.PUBLIC_SUBSCRIBE and self.state is not State.FAILED:
                self._events.append(events.Resubscribed(pending.argument))

    def _join_again(self, argument: tuple[str, ...] | Refetch, now_ns: int) -> None:
        names = argument.channels if isinstance(argument, Refetch) else argument
        self._side(Method.PUBLIC_SUBSCRIBE, {"channels": list(names)}, argument, now_ns)

    def _unanswered(self, pending: Pending, request_id: int, message: str) -> None:
        if pending.method == Method.SET_MM_PROTECTION:
            self._events.append(events.ArmingFailed(pending.argument, 0, message))
        elif isinstance(pending.argument, Refetch):
            self._events.append(events.RefetchFailed(pending.argument.channels, 0, message))
        elif pending.argument is None:
            self._events.append(events.Answer(request_id, None, -1, message))
        elif self.state is not State.FAILED:
            self._fail(f"{message} to {pending.method}")

    def _lose_side_requests(self, message: str) -> None:
        for request_id, pending in self._pending.under_way():
            if not pending.is_step and (pending.argument is None or pending.method == Method.SET_MM_PROTECTION):
                self._unanswered(pending, request_id, message)
