"""Requests on single orders: insert, amend, cancel and the bulk cancels (protocol sections 6.1 to 6.5)."""

import orjson

from feed.exchange.connection import Connection
from feed.exchange.errors import Code, RequestError
from feed.exchange.instruments import E8
from feed.exchange.listed import Listing
from feed.exchange.orders import Order
from feed.exchange.params import (
    Params,
    bad,
    choice,
    client_id,
    flag,
    label,
    need_number_e8,
    need_text,
    number_e8,
    text,
)

COLLARS = ("ignore", "reject", "clamp")
STP_LEVELS = ("customer", "account", "disabled")
STP_ACTIONS = ("cancel_aggressive_partial_fill", "cancel_aggressive_no_fill")


def ticks_of(listing: Listing, price_e8: int) -> int:
    """A price in ticks. Raises RequestError 13 when it is not positive, 15 off the grid."""
    if price_e8 <= 0:
        raise RequestError(Code.INVALID_PRICE)
    if price_e8 % listing.tick_e8:
        raise RequestError(Code.PRICE_NOT_ALIGNED)
    return price_e8 // listing.tick_e8


def lots_of(listing: Listing, amount_e8: int) -> int:
    """An order's size in lots. Raises RequestError 14 off the grid or below the smallest order."""
    lots = amount_e8 // listing.lot_e8
    if amount_e8 % listing.lot_e8 or lots < listing.spec.min_lots:
        raise RequestError(Code.INVALID_AMOUNT)
    return lots


def collared(listing: Listing, buy: bool, ticks: int | None, collar: str) -> int:
    """The limit in ticks after the collar; None is a market order's infinite limit. Raises RequestError 43, 45."""
    if collar == "ignore":
        if ticks is None:
            raise RequestError(Code.UNBOUNDED_MARKET_ORDER)
        return ticks
    if buy:
        bound = listing.collar_high_e8 // listing.tick_e8
        within = ticks is not None and ticks <= bound
    else:
        bound = -(-listing.collar_low_e8 // listing.tick_e8)
        within = ticks is not None and ticks >= bound
    if within and ticks is not None:
        return ticks
    if collar == "reject":
        raise RequestError(Code.PRICE_COLLAR_BREACH)
    return bound


def stp(session: Connection, params: Params) -> tuple[bool, bool]:
    """Self trade prevention of a request: whether it is on, and whether it forbids the fills before it too."""
    level = choice(params, "stp_level", STP_LEVELS)
    action = choice(params, "stp_action", STP_ACTIONS)
    if (level or action) and not session.exchange.options.stp_override:
        raise RequestError(Code.UNAUTHORIZED, "self trade prevention may not be overridden")
    return level != "disabled", action == "cancel_aggressive_no_fill"


def target(session: Connection, params: Params) -> Listing:
    """The instrument of an order; combinations are refused, since no options are listed."""
    name, legs = text(params, "instrument_name"), params.get("legs")
    if (name is None) == (legs is None):
        raise bad("expected exactly one of `instrument_name` and `legs`")
    if name is not None:
        return session.exchange.listing(name)
    if not isinstance(legs, list) or not 2 <= len(legs) <= 4 or not all(isinstance(leg, dict) for leg in legs):
        raise bad("`legs`: expected 2 to 4 legs")
    for leg in legs:
        session.exchange.listing(need_text(leg, "instrument_name"))
    raise RequestError(Code.UNKNOWN_PRODUCT, "combinations consist of options")


def _reduced(order: Order) -> None:
    """Cut a reduce-only order to the open position. Raises RequestError 57 when there is none to reduce."""
    held = order.account.position(order.listing).amount_e8 // order.listing.lot_e8
    allowed = -held if order.buy else held
    if allowed <= 0:
        raise RequestError(Code.REDUCE_ONLY_MODE, "no position to reduce")
    order.amount = order.remaining = min(order.amount, allowed)


def check_size(order: Order, more_lots: int) -> None:
    """Open-order limits and margin for ``more_lots`` more. Raises RequestError 24, 49 or 50."""
    account, listing = order.account, order.listing
    options = account.options
    if order.id not in account.orders:
        count = (
            sum(not o.quote for o in account.orders.values()) if len(account.orders) >= options.max_open_orders else 0
        )
        if count >= options.max_open_orders:
            raise RequestError(Code.TOO_MANY_OPEN_ORDERS)
    more_e8 = more_lots * listing.lot_e8
    if options.max_open_usd:
        alike = (
            o.remaining * o.listing.lot_e8 * o.price * o.listing.tick_e8
            for o in account.orders.values()
            if not o.quote and o.buy is order.buy and o.listing.underlying is listing.underlying
        )
        total = (sum(alike) + more_e8 * order.price * listing.tick_e8) / E8**2
        if total > options.max_open_usd:
            raise RequestError(Code.TOTAL_ORDER_SIZE_TOO_LARGE)
    if more_e8 > 0 and not account.affords(listing, order.buy, more_e8):
        raise RequestError(Code.INSUFFICIENT_MARGIN)


def insert(session: Connection, params: Params) -> bytes:
    """private/insert."""
    direction = choice(params, "direction", ("buy", "sell"))
    if direction is None:
        raise bad("missing field `direction`")
    return _insert(session, params, direction == "buy")


def buy(session: Connection, params: Params) -> bytes:
    """private/buy."""
    return _insert(session, params, True)


def sell(session: Connection, params: Params) -> bytes:
    """private/sell."""
    return _insert(session, params, False)


def _insert(session: Connection, params: Params, buys: bool) -> bytes:
    session.owner()
    exchange = session.exchange
    amount_e8 = need_number_e8(params, "amount")
    price_e8 = number_e8(params, "price")
    market = choice(params, "order_type", ("limit", "market")) == "market"
    force = choice(params, "time_in_force", ("good_till_cancelled", "immediate_or_cancel"))
    collar = choice(params, "collar", COLLARS) or ("clamp" if market else "reject")
    post_only, reject_post_only = flag(params, "post_only"), flag(params, "reject_post_only")
    reduce_only, tag, client = flag(params, "reduce_only"), label(params), client_id(params)
    prevent, no_fill = stp(session, params)
    session.spend()
    listing = target(session, params)
    if (market and force == "good_till_cancelled") or (post_only and (market or force == "immediate_or_cancel")):
        raise RequestError(Code.INVALID_TIME_IN_FORCE)
    if reject_post_only and not post_only:
        raise bad("`reject_post_only` needs `post_only`")
    if client is not None and client in session.client_ids:
        raise RequestError(Code.DUPLICATE_ORDER_ID)
    ticks = None
    if not market:
        if price_e8 is None:
            raise bad("missing field `price`")
        ticks = ticks_of(listing, price_e8)
    lots = lots_of(listing, amount_e8)
    limit = collared(listing, buys, ticks, collar)
    order = Order(exchange.execution.new_id(), session, listing, buys, limit, lots, exchange.now_ns)
    order.market, order.ioc = market, market or force == "immediate_or_cancel"
    order.post_only, order.reject_post_only, order.reduce_only = post_only, reject_post_only, reduce_only
    order.label, order.client_id = tag, client
    order.stp, order.stp_no_fill = prevent, no_fill
    if reduce_only:
        _reduced(order)
    check_size(order, order.remaining)
    return exchange.execution.place(order, limit)


def amend(session: Connection, params: Params) -> bytes:
    """private/amend: a new total at or below what is filled cancels; same price and less keeps priority."""
    session.owner()
    price_e8, amount_e8 = need_number_e8(params, "price"), need_number_e8(params, "amount")
    collar = choice(params, "collar", COLLARS) or "reject"
    session.spend()
    order = session.find(params)
    listing, execution = order.listing, session.exchange.execution
    ticks = ticks_of(listing, price_e8)
    if amount_e8 <= order.filled * listing.lot_e8:
        return execution.cancel(order, "client_cancel", "amend")
    lots = lots_of(listing, amount_e8)
    ticks = collared(listing, order.buy, ticks, collar)
    if ticks == order.price and lots < order.amount:
        return execution.shrink(order, lots, "amend")
    more = lots - order.amount
    if more > 0:
        check_size(order, more)
    return execution.replace(order, ticks, lots)


def cancel(session: Connection, params: Params) -> bytes:
    """private/cancel."""
    session.owner()
    session.spend_cancel()
    return session.exchange.execution.cancel(session.find(params), "client_cancel")


def cancel_all(session: Connection, params: Params) -> bytes:
    """private/cancel_all: every order of the account; returns the count."""
    account = session.owner()
    session.spend_cancel()
    quotes_too = session.exchange.options.cancel_all_covers_quotes
    orders = [order for order in account.orders.values() if quotes_too or not order.quote]
    return orjson.dumps(session.exchange.execution.cancel_all(orders, "client_bulk_cancel"))


def cancel_session(session: Connection, params: Params) -> bytes:
    """private/cancel_session: what closing the connection would do, on a session that stays open."""
    session.owner()
    if session.persistent:
        raise RequestError(Code.PERSISTENT_SESSION)
    session.spend_cancel()
    session.drop_orders("session_end")
    return b"null"
