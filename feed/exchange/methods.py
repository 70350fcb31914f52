"""Every request the exchange answers: method name → handler, and the ones about sessions, instruments and accounts.

A handler takes the connection and the params and returns its result as JSON; it refuses by raising RequestError.
Methods that are not here answer error 31 (protocol section 9).
"""

from collections.abc import Callable
from typing import Any

import orjson

from feed.exchange import history, margins, quotes, trading
from feed.exchange.connection import Connection
from feed.exchange.errors import Code, RequestError
from feed.exchange.listed import Listing
from feed.exchange.options import SECOND_NS
from feed.exchange.params import Params, bad, choice, need_text, seconds, text, whole, words
from feed.exchange.tape import RESOLUTIONS_MINUTES, rows

Handler = Callable[[Connection, Params], bytes]

BOOK_LEVELS = 5
INSTRUMENT_TYPES = ("futures", "options", "future_rolls")
WINDOW_SECS = 3 * 86_400


# --- session ----------------------------------------------------------------------------------------------------------


def login(session: Connection, params: Params) -> bytes:
    """public/login. A connection logs in once."""
    exchange = session.exchange
    token, wanted = need_text(params, "token"), text(params, "account")
    if session.account is not None:
        raise RequestError(Code.INVALID_STATE, "already logged in")
    number = exchange.logins.check(token, wanted, exchange.now_ns)
    account = exchange.account(number)
    if len(account.connections) >= exchange.options.max_connections:
        raise RequestError(Code.CONNECTION_LIMIT, f"at most {exchange.options.max_connections}")
    session.account = account
    account.connections[session.number] = session
    return orjson.dumps({"account_number": number})


def set_cancel_on_disconnect(session: Connection, params: Params) -> bytes:
    """private/set_cancel_on_disconnect."""
    session.owner()
    options = session.exchange.options
    timeout = whole(params, "timeout_secs", options.min_timeout_secs, options.max_timeout_secs)
    if timeout is None:
        raise bad("missing field `timeout_secs`")
    session.arm(timeout * SECOND_NS)
    return orjson.dumps({"message_rate": options.message_rate})


def public_subscribe(session: Connection, params: Params) -> bytes:
    """public/subscribe."""
    names = words(params, "channels")
    return orjson.dumps(session.exchange.channels.subscribe(session, names, on_private=False))


def private_subscribe(session: Connection, params: Params) -> bytes:
    """private/subscribe."""
    session.owner()
    names = words(params, "channels")
    return orjson.dumps(session.exchange.channels.subscribe(session, names, on_private=True))


def unsubscribe(session: Connection, params: Params) -> bytes:
    """Unsubscribe, public and private names mixed."""
    return orjson.dumps(session.exchange.channels.unsubscribe(session, words(params, "channels")))


def system_info(session: Connection, params: Params) -> bytes:
    """public/system_info."""
    exchange = session.exchange
    options = exchange.options
    return orjson.dumps(
        {
            "banners": exchange.banners,
            "environment": options.environment,
            "api_version": options.api_version,
        }
    )


# --- reference and market data ----------------------------------------------------------------------------------------


def _matches(listing: Listing, params: Params) -> bool:
    kind = choice(params, "instrument_type", INSTRUMENT_TYPES)
    expiry, underlying = text(params, "expiry_date"), text(params, "underlying")
    return (
        kind in (None, "futures")
        and underlying in (None, listing.underlying.name)
        and expiry in (None, listing.expiry_date)
    )


def instruments(session: Connection, params: Params) -> bytes:
    """public/instruments: the active ones."""
    listings = session.exchange.listings.values()
    return orjson.dumps([x.instrument() for x in listings if x.active and _matches(x, params)])


def _with_settlement(session: Connection, listing: Listing) -> dict[str, Any]:
    shown = listing.instrument()
    price_e8 = session.exchange.expired.get(listing.name)
    if price_e8 is not None:
        shown["settlement_price"] = shown["settlement_index_price"] = listing.value(price_e8)
    return shown


def all_instruments(session: Connection, params: Params) -> bytes:
    """public/all_instruments: active ones and those expired within the window."""
    now = session.exchange.now_ns / SECOND_NS
    low, high = seconds(params, "time_low"), seconds(params, "time_high")
    high = now if high is None else high
    low = high - WINDOW_SECS if low is None else low
    if not 0 <= high - low <= WINDOW_SECS:
        raise bad("`time_low`, `time_high`: the window is at most 3 days")
    chosen = [
        _with_settlement(session, listing)
        for listing in session.exchange.listings.values()
        if _matches(listing, params) and (listing.active or low <= listing.spec.expiry_ns / SECOND_NS)
    ]
    return orjson.dumps(chosen)


def instrument(session: Connection, params: Params) -> bytes:
    """public/instrument, expired ones too."""
    listing = session.exchange.listings.get(need_text(params, "instrument_name"))
    if listing is None:
        raise RequestError(Code.UNKNOWN_INSTRUMENT)
    return orjson.dumps(_with_settlement(session, listing))


def ticker(session: Connection, params: Params) -> bytes:
    """public/ticker."""
    return orjson.dumps(session.exchange.listing(need_text(params, "instrument_name")).ticker())


def index(session: Connection, params: Params) -> bytes:
    """public/index."""
    underlying = session.exchange.underlyings.get(need_text(params, "underlying"))
    if underlying is None:
        raise RequestError(Code.UNKNOWN_UNDERLYING)
    return orjson.dumps(session.exchange.index(underlying))


def book(session: Connection, params: Params) -> bytes:
    """public/book: at most 5 levels a side."""
    listing = session.exchange.listing(need_text(params, "instrument_name"))
    return orjson.dumps(
        {
            "bids": listing.depth(True, BOOK_LEVELS),
            "asks": listing.depth(False, BOOK_LEVELS),
            "last": listing.price(listing.tape.last) if listing.tape.last else None,
            "time": listing.updated_ns / SECOND_NS,
        }
    )


def _span(params: Params) -> tuple[float, float, int]:
    low, high = seconds(params, "from"), seconds(params, "to")
    resolution = choice(params, "resolution", tuple(RESOLUTIONS_MINUTES))
    if low is None or high is None or resolution is None:
        raise bad("missing field `from`, `to` or `resolution`")
    return low, high, RESOLUTIONS_MINUTES[resolution]


def mark_history(session: Connection, params: Params) -> bytes:
    """public/mark_price_historical_data."""
    listing = session.exchange.listing(need_text(params, "instrument_name"))
    low, high, minutes = _span(params)
    marks: list[list[Any]] = []
    for row in rows(listing.tape, low, high, minutes):
        shown: list[Any] = [row.start, *row.mark]
        if listing.perpetual:
            shown.append(row.funding)
        shown.append(row.top if minutes == 1 else None)
        marks.append(shown)
    out: dict[str, Any] = {"instrument_type": listing.spec.kind, "mark": marks}
    if not marks:
        out["no_data"] = True
    return orjson.dumps(out)


def index_history(session: Connection, params: Params) -> bytes:
    """public/index_price_historical_data."""
    name = need_text(params, "index_name")
    low, high, minutes = _span(params)
    listings = [x for x in session.exchange.listings.values() if x.underlying.name == name]
    if not listings:
        raise RequestError(Code.UNKNOWN_UNDERLYING)
    candles = [[row.start, *row.index] for row in rows(listings[0].tape, low, high, minutes)]
    out: dict[str, Any] = {"index": candles}
    if not candles:
        out["no_data"] = True
    return orjson.dumps(out)


# --- account ----------------------------------------------------------------------------------------------------------


def open_orders(session: Connection, params: Params) -> bytes:
    """private/open_orders."""
    live = session.owner().orders.values()
    return b"[" + b",".join([order.encoded(order.change, order.fills) for order in live]) + b"]"


def portfolio(session: Connection, params: Params) -> bytes:
    """private/portfolio."""
    return orjson.dumps(session.owner().portfolio())


def account_summary(session: Connection, params: Params) -> bytes:
    """private/account_summary."""
    return orjson.dumps(session.owner().summary())


def account_breakdown(session: Connection, params: Params) -> bytes:
    """private/account_breakdown."""
    return orjson.dumps(session.owner().breakdown())


def _empty_list(session: Connection, params: Params) -> bytes:
    """Bots, conditional orders and RFQs: a private list that is always empty, since none can be created here."""
    session.owner()
    return b"[]"


def _inbox(session: Connection, params: Params) -> bytes:
    session.owner()
    return b'{"notifications":[]}'


METHODS: dict[str, Handler] = {
    "public/login": login,
    "public/subscribe": public_subscribe,
    "public/system_info": system_info,
    "public/instruments": instruments,
    "public/all_instruments": all_instruments,
    "public/instrument": instrument,
    "public/ticker": ticker,
    "public/index": index,
    "public/book": book,
    "public/mark_price_historical_data": mark_history,
    "public/index_price_historical_data": index_history,
    "unsubscribe": unsubscribe,
    "private/subscribe": private_subscribe,
    "private/set_cancel_on_disconnect": set_cancel_on_disconnect,
    "private/cancel_session": trading.cancel_session,
    "private/insert": trading.insert,
    "private/buy": trading.buy,
    "private/sell": trading.sell,
    "private/amend": trading.amend,
    "private/cancel": trading.cancel,
    "private/cancel_all": trading.cancel_all,
    "private/mass_quote": quotes.mass_quote,
    "private/set_mm_protection": quotes.set_mm_protection,
    "private/cancel_mass_quote": quotes.cancel_mass_quote,
    "private/open_orders": open_orders,
    "private/portfolio": portfolio,
    "private/account_summary": account_summary,
    "private/account_breakdown": account_breakdown,
    "private/required_margin_breakdown": margins.required_margin_breakdown,
    "private/required_margin_for_order": margins.required_margin_for_order,
    "private/trade_history": history.trade_history,
    "private/order_history": history.order_history,
    "private/daily_mark_history": history.daily_mark_history,
    "private/transaction_history": history.transaction_history,
    "private/rfq_history": history.rfq_history,
    "private/open_rfqs": _empty_list,
    "private/mm_rfqs": _empty_list,
    "private/mm_rfq_quotes": _empty_list,
    "private/conditional_orders": _empty_list,
    "private/bots": _empty_list,
    "private/notifications_inbox": _inbox,
}
