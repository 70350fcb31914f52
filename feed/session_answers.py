"""What the answers to set-up requests mean: events for the owner, or the end of the connection."""

from difflib import get_close_matches
from typing import Any

from feed import session_events as events
from feed.session_plan import SessionPlan
from feed.session_requests import Pending, Refetch
from feed.session_results import Unexpected, mark_price_usd, member, message_rate, positions_e8, rows
from feed.trade_history import HistoryStep
from feed.venue import Method


def refetched(asked: Refetch, result: Any) -> events.Event:
    """What the answer to the last request of ``Session.refetch`` says."""
    try:
        refused = [channel for channel in asked.channels if channel not in rows(result, "channels")]
    except Unexpected as error:
        return events.RefetchFailed(asked.channels, 0, str(error))
    if refused:
        return events.RefetchFailed(asked.channels, 0, f"left out {', '.join(refused)}")
    return events.Refetched(asked.channels)


class Answers:
    """Base of ``feed.session.Session``. A reader raises ``Unexpected`` for a form that the protocol does not give."""

    def __init__(self, plan: SessionPlan) -> None:
        self.plan = self._whole_plan = plan
        self._was_listed = False
        self._events: list[events.Event] = []
        self._history = HistoryStep()
        self._login_failures = 0
        self._prices: dict[str, float] = {}

    def _fail(self, reason: str, *, fatal: bool = False) -> None:
        """The connection is of no use."""
        raise NotImplementedError

    def _step(self, method: str, params: dict[str, Any], argument: Any = None) -> None:
        """One more request of this step."""
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
        if orders:
            self._events.append(events.LeftoverOrders(orders))

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
        self._events.append(events.TradesOfRecord(self._history.trades))

    def _on_armed(self, pending: Pending, result: Any) -> None:
        self._events.append(events.Armed(pending.argument))
