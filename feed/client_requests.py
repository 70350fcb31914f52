"""One typed coroutine for every request of the venue.

Arguments and results are as on the wire (thalex protocol sections 4 to 8): amounts in contracts, prices in USD, times
in seconds since 1970. An argument that is None is not sent.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from feed.commands import Number, Quote
from feed.messages import MassQuoteResult, QuoteError
from feed.venue import Method

Object = dict[str, Any]
Direction = Literal["buy", "sell"]
Sort = Literal["ascending", "descending"]
Resolution = Literal["1m", "5m", "15m", "30m", "1h", "1d", "1w"]
InstrumentType = Literal["futures", "options", "future_rolls"]
OrderType = Literal["limit", "market"]
TimeInForce = Literal["good_till_cancelled", "immediate_or_cancel"]
Collar = Literal["ignore", "reject", "clamp"]
StpLevel = Literal["customer", "account", "disabled"]
StpAction = Literal["cancel_aggressive_partial_fill", "cancel_aggressive_no_fill"]
Legs = Sequence[Mapping[str, Any]]


class Requests(ABC):
    """The requests, over whatever sends them."""

    @abstractmethod
    async def request(self, method: str, **params: Any) -> Any:
        """Send a request of the table in ``feed.commands`` and return its result."""

    # -- session (section 4) -------------------------------------------------------------------------------------------

    async def login(self, token: str, account: str | None = None) -> Object:
        """Log in with a token that has not been used before; {"account_number"}."""
        return _object(await self.request(Method.LOGIN, token=token, account=account))

    async def set_cancel_on_disconnect(self, timeout_secs: int) -> Object:
        """Have the session's orders cancelled after this many silent seconds; {"message_rate"}."""
        return _object(await self.request(Method.SET_CANCEL_ON_DISCONNECT, timeout_secs=timeout_secs))

    async def cancel_session(self) -> None:
        """Delete all non-persistent orders of this session, those in flight included; protection must be set again."""
        await self.request(Method.CANCEL_SESSION)

    async def system_info(self) -> Object:
        """Environment, API version and banners."""
        return _object(await self.request(Method.SYSTEM_INFO))

    # -- reference and market data (section 5) -------------------------------------------------------------------------

    async def get_instruments(
        self,
        expiry_date: str | None = None,
        underlying: str | None = None,
        instrument_type: InstrumentType | None = None,
    ) -> list[Object]:
        """Active instruments, all or filtered."""
        params = {"expiry_date": expiry_date, "underlying": underlying, "instrument_type": instrument_type}
        return _objects(await self.request(Method.INSTRUMENTS, **params))

    async def all_instruments(
        self,
        time_low: Number | None = None,
        time_high: Number | None = None,
        expiry_date: str | None = None,
        underlying: str | None = None,
        instrument_type: InstrumentType | None = None,
    ) -> list[Object]:
        """Instruments of a window of at most three days, expired ones with their settlement."""
        params = {"expiry_date": expiry_date, "underlying": underlying, "instrument_type": instrument_type}
        return _objects(await self.request(Method.ALL_INSTRUMENTS, time_low=time_low, time_high=time_high, **params))

    async def instrument(self, instrument_name: str) -> Object:
        """One instrument, expired or not."""
        return _object(await self.request(Method.INSTRUMENT, instrument_name=instrument_name))

    async def ticker(self, instrument_name: str) -> Object:
        """The ticker of an instrument."""
        return _object(await self.request(Method.TICKER, instrument_name=instrument_name))

    async def index(self, underlying: str) -> Object:
        """The index of an underlying."""
        return _object(await self.request(Method.INDEX, underlying=underlying))

    async def book(self, instrument_name: str) -> Object:
        """At most five levels a side."""
        return _object(await self.request(Method.BOOK, instrument_name=instrument_name))

    async def mark_price_historical_data(
        self, instrument_name: str, from_: Number, to: Number, resolution: Resolution
    ) -> Object:
        """Candles of the mark, ``to`` excluded."""
        params = {"from": from_, "to": to, "resolution": resolution}
        return _object(await self.request(Method.MARK_PRICE_HISTORY, instrument_name=instrument_name, **params))

    async def index_price_historical_data(
        self, index_name: str, from_: Number, to: Number, resolution: Resolution
    ) -> Object:
        """Candles of an index, ``to`` excluded."""
        params = {"from": from_, "to": to, "resolution": resolution}
        return _object(await self.request(Method.INDEX_PRICE_HISTORY, index_name=index_name, **params))

    # -- trading (section 6) -------------------------------------------------------------------------------------------

    async def insert(
        self,
        direction: Direction,
        amount: Number,
        instrument_name: str | None = None,
        price: Number | None = None,
        *,
        legs: Legs | None = None,
        order_type: OrderType | None = None,
        time_in_force: TimeInForce | None = None,
        client_order_id: int | None = None,
        label: str | None = None,
        post_only: bool | None = None,
        reject_post_only: bool | None = None,
        reduce_only: bool | None = None,
        collar: Collar | None = None,
        stp_level: StpLevel | None = None,
        stp_action: StpAction | None = None,
    ) -> Object:
        """Insert an order of one instrument, or of a combination given by its legs; its OrderStatus after matching."""
        return _object(await self.request(Method.INSERT, **_given(locals())))

    async def buy(
        self,
        amount: Number,
        instrument_name: str | None = None,
        price: Number | None = None,
        *,
        legs: Legs | None = None,
        order_type: OrderType | None = None,
        time_in_force: TimeInForce | None = None,
        client_order_id: int | None = None,
        label: str | None = None,
        post_only: bool | None = None,
        reject_post_only: bool | None = None,
        reduce_only: bool | None = None,
        collar: Collar | None = None,
        stp_level: StpLevel | None = None,
        stp_action: StpAction | None = None,
    ) -> Object:
        """As ``insert`` with direction buy."""
        return _object(await self.request(Method.BUY, **_given(locals())))

    async def sell(
        self,
        amount: Number,
        instrument_name: str | None = None,
        price: Number | None = None,
        *,
        legs: Legs | None = None,
        order_type: OrderType | None = None,
        time_in_force: TimeInForce | None = None,
        client_order_id: int | None = None,
        label: str | None = None,
        post_only: bool | None = None,
        reject_post_only: bool | None = None,
        reduce_only: bool | None = None,
        collar: Collar | None = None,
        stp_level: StpLevel | None = None,
        stp_action: StpAction | None = None,
    ) -> Object:
        """As ``insert`` with direction sell."""
        return _object(await self.request(Method.SELL, **_given(locals())))

    async def amend(
        self,
        price: Number,
        amount: Number,
        *,
        order_id: str | None = None,
        client_order_id: int | None = None,
        collar: Collar | None = None,
    ) -> Object:
        """Change an order; ``amount`` is its new total, and at or below what has traded the order is cancelled."""
        return _object(await self.request(Method.AMEND, **_given(locals())))

    async def cancel(self, *, order_id: str | None = None, client_order_id: int | None = None) -> Object:
        """Cancel an order, also one whose insert is still in flight."""
        return _object(await self.request(Method.CANCEL, order_id=order_id, client_order_id=client_order_id))

    async def cancel_all(self) -> int:
        """Cancel the orders of the whole account; their count. Orders in flight may be missed: see
        ``cancel_session``."""
        return int(await self.request(Method.CANCEL_ALL))

    # -- mass quotes (section 7) ---------------------------------------------------------------------------------------

    async def mass_quote(
        self,
        quotes: Sequence[Quote | Mapping[str, Any]],
        label: str | None = None,
        post_only: bool | None = None,
        *,
        reject_post_only: bool | None = None,
        stp_level: StpLevel | None = None,
        stp_action: StpAction | None = None,
    ) -> MassQuoteResult:
        """Replace quotes; needs protection set on this session. Quotes that failed are in ``errors``, not raised."""
        result = _object(await self.request(Method.MASS_QUOTE, **_given(locals())))
        return MassQuoteResult(result["n_success"], result["n_fail"], tuple(map(_quote_error, result["errors"])))

    async def set_mm_protection(self, product: str, trade_amount: Number, quote_amount: Number) -> None:
        """Fill a protection group: ``trade_amount`` contracts may trade until its quotes are cancelled."""
        params = {"product": product, "trade_amount": trade_amount, "quote_amount": quote_amount}
        await self.request(Method.SET_MM_PROTECTION, **params)

    async def cancel_mass_quote(self, product: str | None = None) -> None:
        """Cancel the mass quotes of all sessions of the account; protection must be set again."""
        await self.request(Method.CANCEL_MASS_QUOTE, product=product)

    # -- account and history (section 8.22) ----------------------------------------------------------------------------

    async def open_orders(self) -> list[Object]:
        """The account's open orders."""
        return _objects(await self.request(Method.OPEN_ORDERS))

    async def portfolio(self) -> list[Object]:
        """The account's positions."""
        return _objects(await self.request(Method.PORTFOLIO))

    async def account_summary(self) -> Object:
        """Cash and margin."""
        return _object(await self.request(Method.ACCOUNT_SUMMARY))

    async def account_breakdown(self) -> Object:
        """Cash, margin and profit in detail."""
        return _object(await self.request(Method.ACCOUNT_BREAKDOWN))

    async def required_margin_breakdown(self) -> Object:
        """The margin by underlying and scenario."""
        return _object(await self.request(Method.REQUIRED_MARGIN_BREAKDOWN))

    async def required_margin_for_order(
        self, price: Number, amount: Number, instrument_name: str | None = None, *, legs: Legs | None = None
    ) -> Object:
        """The margin now, with such a buy order and with such a sell order."""
        return _object(await self.request(Method.REQUIRED_MARGIN_FOR_ORDER, **_given(locals())))

    async def trade_history(
        self,
        limit: int | None = None,
        time_low: Number | None = None,
        time_high: Number | None = None,
        bookmark: str | None = None,
        sort: Sort | None = None,
        *,
        instrument_names: Sequence[str] | None = None,
        bot_ids: Sequence[str] | None = None,
        order_ids: Sequence[str] | None = None,
        direction: Direction | None = None,
        label: str | None = None,
    ) -> Object:
        """Trades of the last 90 days and the bookmark of the next page."""
        return _object(await self.request(Method.TRADE_HISTORY, **_given(locals())))

    async def order_history(
        self,
        limit: int | None = None,
        time_low: Number | None = None,
        time_high: Number | None = None,
        bookmark: str | None = None,
        sort: Sort | None = None,
        *,
        instrument_names: Sequence[str] | None = None,
        bot_ids: Sequence[str] | None = None,
        order_ids: Sequence[str] | None = None,
        direction: Direction | None = None,
        label: str | None = None,
    ) -> Object:
        """Closed orders of the last 90 days and the bookmark of the next page."""
        return _object(await self.request(Method.ORDER_HISTORY, **_given(locals())))

    async def daily_mark_history(
        self,
        limit: int | None = None,
        time_low: Number | None = None,
        time_high: Number | None = None,
        bookmark: str | None = None,
        sort: Sort | None = None,
        *,
        instrument_names: Sequence[str] | None = None,
    ) -> Object:
        """Daily settlements and the bookmark of the next page."""
        return _object(await self.request(Method.DAILY_MARK_HISTORY, **_given(locals())))

    async def transaction_history(
        self,
        limit: int | None = None,
        time_low: Number | None = None,
        time_high: Number | None = None,
        bookmark: str | None = None,
        sort: Sort | None = None,
        *,
        assets: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
    ) -> Object:
        """Transactions and the bookmark of the next page."""
        return _object(await self.request(Method.TRANSACTION_HISTORY, **_given(locals())))


class UnexpectedResult(RuntimeError):
    """The venue's result is not of the form that the protocol gives."""


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name != "self"}


def _object(result: Any) -> Object:
    if not isinstance(result, dict):
        raise UnexpectedResult(f"expected an object, not {type(result).__name__}")
    return result


def _objects(result: Any) -> list[Object]:
    if not isinstance(result, list):
        raise UnexpectedResult(f"expected a list, not {type(result).__name__}")
    return [_object(row) for row in result]


def _quote_error(error: Object) -> QuoteError:
    price = error.get("price")
    return QuoteError(
        error["code"], error["message"], error.get("side"), None if price is None else Decimal(str(price))
    )
