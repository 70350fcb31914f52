"""Mass quoting and its protection (protocol section 7). State is kept per session, instrument and side."""

from typing import Any

import orjson

from feed.exchange.connection import Connection
from feed.exchange.errors import Code, RequestError
from feed.exchange.instruments import E8
from feed.exchange.listed import Listing
from feed.exchange.numbers import parse_e8
from feed.exchange.orders import Order
from feed.exchange.params import Params, bad, flag, label, need_text, number_e8, text
from feed.exchange.protection import Group
from feed.exchange.trading import lots_of, stp, ticks_of

QUOTES_MAX = 100
LEVELS_MAX = 10

Level = tuple[int, int]
"""Price and amount in 1e-8, as requested."""


class Outcome:
    """Counts and errors of one mass_quote call."""

    def __init__(self, names: tuple[str, str], by_side: bool) -> None:
        self.names = names
        self.by_side = by_side
        self.success = 0
        self.fail = 0
        self.errors: list[dict[str, Any]] = []

    def side(self, succeeded: int, failed: int) -> None:
        """Count one side: its levels, or itself once."""
        if self.by_side:
            succeeded, failed = (0, 1) if failed else (1, 0)
        self.success += succeeded
        self.fail += failed

    def error(self, error: RequestError, buy: bool, price_e8: int, message: str | None) -> None:
        """Note a failing level."""
        side = self.names[0] if buy else self.names[1]
        text_of = message or error.message
        self.errors.append({"code": int(error.code), "message": text_of, "side": side, "price": price_e8 / E8})


class Style:
    """What a mass_quote call says about all of its quotes."""

    def __init__(self, session: Connection, params: Params) -> None:
        self.label = label(params)
        self.post_only = flag(params, "post_only")
        self.reject_post_only = flag(params, "reject_post_only")
        self.stp, self.stp_no_fill = stp(session, params)


def _level(pair: object) -> Level:
    if not isinstance(pair, list) or len(pair) != 2:
        raise bad("a level is [price, amount]")
    try:
        return parse_e8(pair[0]), parse_e8(pair[1])
    except ValueError as error:
        raise bad(f"quote level: {error}") from None


def side_levels(entry: Params, name: str) -> list[Level] | None:
    """Levels of one side of an entry: None when it is left out, an empty list to remove it. Amount 0 is no level."""
    side = entry.get(name)
    if side is None:
        return None
    if isinstance(side, dict):
        if "p" not in side or "a" not in side:
            raise bad("missing field `p` or `a`")
        side = [[side["p"], side["a"]]]
    if not isinstance(side, list) or len(side) > LEVELS_MAX:
        raise bad(f"a side has at most {LEVELS_MAX} levels")
    levels = [_level(pair) for pair in side]
    if len({price for price, _ in levels}) != len(levels):
        raise bad("levels of a side need distinct prices")
    return [level for level in levels if level[1] != 0]


def parse(params: Params) -> list[tuple[str, list[Level] | None, list[Level] | None]]:
    """Entries of a call as (instrument, bid levels, ask levels)."""
    quotes = params.get("quotes")
    if quotes is None:
        raise bad("missing field `quotes`")
    if not isinstance(quotes, list) or len(quotes) > QUOTES_MAX:
        raise bad(f"`quotes`: expected at most {QUOTES_MAX} entries")
    entries = []
    for entry in quotes:
        if not isinstance(entry, dict):
            raise bad("`quotes`: expected objects")
        entries.append((need_text(entry, "i"), side_levels(entry, "b"), side_levels(entry, "a")))
    return entries


def mass_quote(session: Connection, params: Params) -> bytes:
    """private/mass_quote: replace the stated sides; a call with failing quotes still has a result."""
    account = session.owner()
    exchange = session.exchange
    options = exchange.options
    entries, style = parse(params), Style(session, params)
    session.spend(max(1, len(entries)) if options.throttle_counts_quotes else 1)
    if session.persistent:
        raise RequestError(Code.PERSISTENT_SESSION)
    if options.market_makers is not None and account.number not in options.market_makers:
        raise RequestError(Code.MQP_NOT_ENABLED)
    listings = [exchange.listing(name) for name, _, _ in entries]
    if options.protection_missing == "error":
        for listing, (_, bids, asks) in zip(listings, entries, strict=True):
            if bids or asks:
                _group(session, listing)
    outcome = Outcome(options.quote_side_names, options.quote_count == "side")
    for listing, (_, bids, asks) in zip(listings, entries, strict=True):
        _replace(session, listing, bids, asks, style, outcome)
    return orjson.dumps({"n_success": outcome.success, "n_fail": outcome.fail, "errors": outcome.errors})


def _group(session: Connection, listing: Listing) -> Group:
    """The armed protection group of an instrument. Raises RequestError 23 when it is not set or exhausted."""
    group = session.groups.get(listing.spec.product)
    if group is None or group.exhausted:
        raise RequestError(Code.PROT_NOT_SET)
    return group


def _replace(
    session: Connection,
    listing: Listing,
    bids: list[Level] | None,
    asks: list[Level] | None,
    style: Style,
    outcome: Outcome,
) -> None:
    """Replace one instrument's sides; all that is old leaves first, so that a session's quotes never meet."""
    exchange = session.exchange
    wanted: list[tuple[bool, list[tuple[int, int]], int, int]] = []
    for buy, levels in ((True, bids), (False, asks)):
        if levels is None:
            continue
        good: list[tuple[int, int]] = []
        failed = 0
        affordable = _affordable(session, listing, buy)
        for price_e8, amount_e8 in levels:
            try:
                good.append(_checked(session, listing, price_e8, amount_e8, affordable))
            except RequestError as error:
                failed += 1
                outcome.error(error, buy, price_e8, exchange.options.messages.get(error.code))
        if failed and exchange.options.quote_error_keeps_side:
            outcome.side(0, len(levels))
            continue
        fresh = _withdraw(session, listing, buy, good)
        wanted.append((buy, fresh, len(good), failed))
    for buy, fresh, count, failed in wanted:
        for ticks, lots in fresh:
            try:
                _group(session, listing)
            except RequestError as error:
                failed += 1
                count -= 1
                outcome.error(error, buy, ticks * listing.tick_e8, exchange.options.messages.get(error.code))
                continue
            _quote(session, listing, buy, ticks, lots, style)
        outcome.side(max(1, count) if not failed else count, failed)


def _affordable(session: Connection, listing: Listing, buy: bool) -> bool:
    """Whether the margin carries one more quote of the group's largest size on a side."""
    group = session.groups.get(listing.spec.product)
    return group is None or session.owner().affords(listing, buy, group.quote_amount_e8)


def _checked(session: Connection, listing: Listing, price_e8: int, amount_e8: int, affordable: bool) -> tuple[int, int]:
    """One level in ticks and lots. Raises RequestError for what is wrong with it."""
    ticks = ticks_of(listing, price_e8)
    lots = lots_of(listing, amount_e8)
    group = _group(session, listing)
    if amount_e8 > group.quote_amount_e8:
        raise RequestError(Code.QUOTE_EXCEEDS_PROT_GROUP)
    if not affordable:
        raise RequestError(Code.INSUFFICIENT_MARGIN)
    return ticks, lots


def _withdraw(session: Connection, listing: Listing, buy: bool, wanted: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Delete the levels of a side that are not repeated; returns what is to be inserted."""
    exchange = session.exchange
    fresh = list(wanted)
    by_amount = exchange.options.quote_identity == "amount"
    for order in list(session.quotes.get((listing, buy), ())):
        level = (order.price, order.amount if by_amount else order.remaining)
        if level in fresh:
            fresh.remove(level)
        else:
            exchange.execution.cancel(order, "replaced" if wanted else "client_cancel")
    return fresh


def _quote(session: Connection, listing: Listing, buy: bool, ticks: int, lots: int, style: Style) -> None:
    exchange = session.exchange
    order = Order(exchange.execution.new_id(), session, listing, buy, ticks, lots, exchange.now_ns)
    order.quote = True
    order.label = style.label
    order.post_only, order.reject_post_only = style.post_only, style.reject_post_only
    order.stp, order.stp_no_fill = style.stp, style.stp_no_fill
    side = session.quotes.setdefault((listing, buy), [])
    side.append(order)
    exchange.execution.place(order, ticks)


def set_mm_protection(session: Connection, params: Params) -> bytes:
    """private/set_mm_protection: configure or refill a group."""
    session.owner()
    exchange = session.exchange
    product = need_text(params, "product")
    amount_e8 = number_e8(params, "amount")
    trade_e8 = number_e8(params, "trade_amount") if amount_e8 is None else amount_e8
    quote_e8 = number_e8(params, "quote_amount") if amount_e8 is None else amount_e8
    if trade_e8 is None or quote_e8 is None:
        raise bad("missing field `trade_amount` or `quote_amount`")
    if exchange.options.throttle_counts_protection:
        session.spend()
    if product not in exchange.products:
        raise RequestError(Code.UNKNOWN_PRODUCT)
    if not 0 < trade_e8 <= quote_e8:
        raise RequestError(Code.INVALID_PROT_GROUP, "trade_amount must be positive and at most quote_amount")
    group = session.groups[product] = Group(product, trade_e8, quote_e8)
    session.protected(group, "refill")
    return b"null"


def cancel_mass_quote(session: Connection, params: Params) -> bytes:
    """private/cancel_mass_quote: the quotes of every session of the account go, and their protection with them."""
    account = session.owner()
    product = text(params, "product")
    session.spend_cancel()
    if product is not None and product not in session.exchange.products:
        raise RequestError(Code.UNKNOWN_PRODUCT)
    for other in list(account.connections.values()):
        session.exchange.execution.cancel_all(other.quotes_of(product), "client_bulk_cancel")
        other.reset_protection("client_cancel", product)
    return b"null"
