"""What the answers to set-up requests mean: events for the owner, or the end of the connection.

Whether orders of an earlier connection are open is asked twice, because one answer may be old (a query may lag behind
the matching engine): the channel ``account.orders`` and ``private/open_orders`` must both tell of none.
"""

from difflib import get_close_matches
from typing import Any

from feed import session_events as events
from feed.messages import Notification, OrderStatus
from feed.session_plan import SessionPlan
from feed.session_requests import Pending, Refetch
from feed.session_results import Unexpected, mark_price_usd, member, message_rate, positions_e8, rows
from feed.trade_history import HistoryStep
from feed.venue import Action, ErrorCode, Method, action


def refetched(asked: Refetch, result: Any) -> events.Event:
    """What the answer to the last request of ``Session.refetch`` says."""
    try:
        refused = [channel for channel in asked.channels if channel not in rows(result, "channels")]
    except Unexpected as error:
        return events.RefetchFailed(asked.channels, 0, str(error))
    if refused:
        return events.RefetchFailed(asked.channels, 0, f"left out {', '.join(refused)}")
    return events.Refetched(asked.channels)


ENDED = frozenset(("cancelled", "cancelled_partially_filled", "filled"))
"""Statuses of orders that are over (thalex protocol section 6.6)."""


class Answers:
    """Base of ``feed.session.Session``. A reader raises ``Unexpected`` for a form that the protocol does not give."""

    def __init__(self, plan: SessionPlan) -> None:
        self.plan = self._whole_plan = plan
        self._was_listed = False
        self._events: list[events.Event] = []
        self._history = HistoryStep()
        self._login_failures = 0
        self._prices: dict[str, float] = {}
        self._told_open: dict[str, OrderStatus] = {}

    def _fail(self, reason: str, *, fatal: bool = False) -> None:
        """The connection is of no use."""
        raise NotImplementedError

    def _step(self, method: str, params: dict[str, Any], argument: Any = None) -> None:
        """One more request of this step."""
        raise NotImplementedError

    def _join_again(self, refetch: Refetch, now_ns: int) -> None:
        """Join channels that were left, for their first messages."""
        raise NotImplementedError

    def _on_login(self, pending: Pending, result: Any) -> None:
        account = member(result, "account_number")
        if self.plan.account is not None and account != self.plan.account:
            self._fail(f"logged in to account {account}, not to {self.plan.account}", fatal=True)
            return
        self._login_failures = 0
        self._events.append(events.LoggedIn(account))

    def _on_system_info(self, pending: Pending, result: Any) -> None:
        environment = member(result, "environment")
        if self.plan.environment is not None and environment != self.plan.environment:
            self._fail(f"this is the {environment} environment, not {self.plan.environment}", fatal=True)

    def _on_cancel_on_disconnect(self, pending: Pending, result: Any) -> None:
        self._events.append(events.MessageRate(message_rate(result)))

    def _on_subscribed(self, pending: Pending, result: Any) -> None:
        joined = rows(result, "channels")
        refused = [channel for channel in pending.argument if channel not in joined]
        if refused:
            self._fail(f"{pending.method} left out {', '.join(refused)}")

    def _on_open_orders(self, pending: Pending, result: Any) -> None:
        orders = rows(result, "orders")
        named = {str(order.get("order_id")) for order in orders if isinstance(order, dict)}
        orders += tuple(
            {"order_id": number, "label": order.label, "persistent": order.persistent}
            for number, order in self._told_open.items()
            if number not in named
        )
        if orders:
            self._events.append(events.LeftoverOrders(orders))

    def _on_account_orders(self, message: Notification) -> None:
        """The second witness: orders of the account that are open. A status that is not known does not end one."""
        if message.snapshot:
            self._told_open.clear()
        orders = message.payload if isinstance(message.payload, tuple) else ()
        for order in orders:
            if not isinstance(order, OrderStatus):
                continue
            if order.status in ENDED:
                self._told_open.pop(order.order_id, None)
            else:
                self._told_open[order.order_id] = order

    def _on_portfolio(self, pending: Pending, result: Any) -> None:
        self._events.append(events.PositionsOfRecord(positions_e8(result)))

    def _on_instruments(self, pending: Pending, result: Any) -> None:
        instruments = rows(result, "instruments")
        names = [member(row, "instrument_name") for row in instruments]
        gone = [wanted for wanted in self.plan.instruments if wanted not in names]
        if gone and (not self._was_listed or len(gone) == len(self.plan.instruments)):
            near = get_close_matches(gone[0], names, n=3, cutoff=0.0)
            self._fail(f"the venue has no instrument {gone[0]}; the nearest are {', '.join(near)}", fatal=True)
            return
        if gone:
            # Expired since the start: the others go on.
            self.plan = self.plan.without(gone)
        self._was_listed = True
        self._events.append(events.InstrumentsKnown(instruments))

    def _on_ticker(self, pending: Pending, result: Any) -> None:
        self._prices[pending.argument] = mark_price_usd(result)
        if len(self._prices) == len(self.plan.instruments):
            self._events.append(events.PricesKnown(dict(self._prices)))

    def _on_trade_history(self, pending: Pending, result: Any) -> None:
        try:
            bookmark = self._history.take(result)
        except Unexpected:
            # As good as none: the position of record is known without it.
            bookmark = None
        if bookmark is not None:
            self._step(Method.TRADE_HISTORY, self._history.params(self.plan.instruments, bookmark))
            return
        self._events.append(events.TradesOfRecord(self._history.trades, self._history.any_time))

    def _on_armed(self, pending: Pending, result: Any) -> None:
        self._events.append(events.Armed(pending.argument))

    def _step_error(self, pending: Pending, code: int, message: str) -> None:
        if pending.method == Method.TRADE_HISTORY:
            # The position of record is known without it.
            self._events.append(events.TradesOfRecord(self._history.trades, self._history.any_time))
            return
        fatal = action(code) is Action.HALT and code != ErrorCode.API_CONNECTION_LIMIT_REACHED
        if pending.method == Method.LOGIN and code == ErrorCode.AUTHENTICATION_FAILED:
            # More attempts would lock the key out.
            self._login_failures += 1
            fatal = self._login_failures >= self.plan.login_attempts
        self._fail(f"{pending.method} was refused: {message} (error {code})", fatal=fatal)

    def _side_error(self, pending: Pending, request_id: int, code: int, message: str, now_ns: int) -> None:
        if pending.method == Method.SET_MM_PROTECTION:
            self._events.append(events.ArmingFailed(pending.argument, code, message))
        elif isinstance(pending.argument, Refetch) and pending.method == Method.UNSUBSCRIBE:
            # They were not joined: the last attempt got no further.
            self._join_again(pending.argument, now_ns)
        elif isinstance(pending.argument, Refetch):
            self._events.append(events.RefetchFailed(pending.argument.channels, code, message))
        elif pending.argument is None:
            self._events.append(events.Answer(request_id, None, code, message))
        else:
            self._fail(f"{pending.method} was refused: {message} (error {code})")
