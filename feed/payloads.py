"""Typed payloads of channels and results of requests (protocol sections 5 to 8), from checked JSON values. Raises
``Malformed``.

Members must have the protocol's types; missing required ones are refused, unknown ones ignored. Values that cannot be
(negative amounts, a future below zero, more filled than ordered) are refused as well; words that the protocol does
not know are kept.
"""

from feed import venue
from feed.fields import (
    TIME_MAX_S,
    Members,
    Read,
    amount,
    array,
    boolean,
    count,
    double,
    exact,
    identifier,
    items,
    mark_of,
    price_of,
    side_word,
    text,
    time_s,
    uint64,
    whole_number,
    word,
)
from feed.messages import (
    Banner,
    Book,
    Cash,
    Fill,
    IndexPrice,
    Instrument,
    InstrumentChange,
    Json,
    Level,
    Lwt,
    Malformed,
    MassQuoteResult,
    OrderStatus,
    Payload,
    Position,
    Protection,
    PublicTrade,
    QuoteError,
    Summary,
    SystemEvent,
    Ticker,
)


def ticker(value: Json, path: str, instrument: str) -> Ticker:
    """A full ticker (sections 5 and 8.2)."""
    members = Members(value, path)
    price, mark = price_of(instrument), mark_of(instrument)
    return Ticker(
        mark_price=members.required("mark_price", mark),
        mark_timestamp=members.required("mark_timestamp", time_s),
        delta=members.required("delta", double),
        index=members.required("index", mark),
        best_bid_price=members.optional("best_bid_price", price),
        best_bid_amount=members.optional("best_bid_amount", amount),
        best_ask_price=members.optional("best_ask_price", price),
        best_ask_amount=members.optional("best_ask_amount", amount),
        last_price=members.optional("last_price", price),
        iv=members.optional("iv", double),
        volume_24h=members.optional("volume_24h", double),
        value_24h=members.optional("value_24h", double),
        low_price_24h=members.optional("low_price_24h", double),
        high_price_24h=members.optional("high_price_24h", double),
        change_24h=members.optional("change_24h", double),
        forward=members.optional("forward", double),
        collar_low=members.optional("collar_low", double),
        collar_high=members.optional("collar_high", double),
        open_interest=members.optional("open_interest", double),
        funding_rate=members.optional("funding_rate", double),
        funding_mark=members.optional("funding_mark", double),
        realised_funding_24h=members.optional("realised_funding_24h", double),
        average_funding_rate_24h=members.optional("average_funding_rate_24h", double),
    )


def level_of(instrument: str) -> Read[Level]:
    """Reader of ``[price, amount, outright amount]``."""
    price = price_of(instrument)

    def read(value: Json, path: str) -> Level:
        parts = array(value, path)
        if len(parts) != 3:
            raise Malformed("expected three numbers", path)
        return Level(price(parts[0], path + "[0]"), amount(parts[1], path + "[1]"), amount(parts[2], path + "[2]"))

    return read


def lwt(value: Json, path: str, instrument: str) -> Lwt:
    """A lightweight ticker (section 8.3)."""
    members = Members(value, path)
    level = level_of(instrument)
    return Lwt(
        bid=members.optional("b", level),
        ask=members.optional("a", level),
        mark_price=members.required("m", mark_of(instrument)),
        iv=members.optional("v", double),
        last_price=members.optional("l", price_of(instrument)),
    )


def trade_of(instrument: str | None) -> Read[PublicTrade]:
    """Reader of a public trade; without ``instrument`` the trade names its own."""
    arity = 6 if instrument is None else 5

    def read(value: Json, path: str) -> PublicTrade:
        parts = array(value, path)
        if len(parts) != arity:
            raise Malformed(f"expected {arity} values", path)
        name = instrument if instrument is not None else text(parts[4], path + "[4]")
        return PublicTrade(
            instrument=name,
            price=price_of(name)(parts[0], path + "[0]"),
            amount=amount(parts[1], path + "[1]"),
            side=side_word(parts[2], path + "[2]"),
            time=time_s(parts[3], path + "[3]"),
            implied=boolean(parts[-1], f"{path}[{arity - 1}]"),
        )

    return read


def book(value: Json, path: str, instrument: str) -> Book:
    """Changes of a book (section 8.5); a price is changed at most once a side."""
    members = Members(value, path)
    changes = items(level_of(instrument))
    bids = members.optional("bid_changes", changes) or ()
    asks = members.optional("ask_changes", changes) or ()
    for side, levels in (("bid", bids), ("ask", asks)):
        if len({level.price for level in levels}) != len(levels):
            raise Malformed("a price is there twice", f"{path}.{side}_changes")
    return Book(
        bid_changes=bids,
        ask_changes=asks,
        trades=members.optional("trades", items(trade_of(instrument))) or (),
        total_bid_amount=members.optional("total_bid_amount", amount),
        total_ask_amount=members.optional("total_ask_amount", amount),
        time=members.required("time", time_s),
    )


def fill_of(instrument: str | None) -> Read[Fill]:
    """Reader of a fill (section 6.6)."""

    def read(value: Json, path: str) -> Fill:
        members = Members(value, path)
        filled = members.required("amount", amount)
        if filled == 0:
            raise Malformed("a fill of nothing", f"{path}.amount")
        return Fill(
            trade_id=members.required("trade_id", identifier),
            price=members.required("price", price_of(instrument)),
            amount=filled,
            time=members.optional("time", time_s),
            maker=members.required("maker_taker", word("maker", "taker")) == "maker",
            leg_index=members.required("leg_index", count),
        )

    return read


def order(value: Json, path: str) -> OrderStatus:
    """An order (section 6.6)."""
    members = Members(value, path)
    instrument = members.optional("instrument_name", text)
    whole = members.required("amount", amount)
    filled = members.required("filled_amount", amount)
    status = members.required("status", text)
    # An order that is amended below its fills is cancelled (6.2); only then may it have filled more than its amount.
    if filled > whole and status != "cancelled_partially_filled":
        raise Malformed("more is filled than ordered", f"{path}.filled_amount")
    return OrderStatus(
        order_id=members.required("order_id", identifier),
        order_type=members.required("order_type", text),
        time_in_force=members.required("time_in_force", text),
        instrument=instrument,
        direction=members.required("direction", side_word),
        price=members.optional("price", price_of(instrument)),
        amount=whole,
        filled=filled,
        remaining=members.required("remaining_amount", amount),
        label=members.optional("label", text),
        client_order_id=members.optional("client_order_id", uint64),
        status=status,
        fills=members.required("fills", items(fill_of(instrument))),
        change_reason=members.required("change_reason", text),
        delete_reason=members.optional("delete_reason", text),
        insert_reason=members.required("insert_reason", text),
        create_time=members.required("create_time", time_s),
        close_time=members.optional("close_time", time_s),
        reduce_only=members.optional("reduce_only", boolean) or False,
        persistent=members.required("persistent", boolean),
    )


def position(value: Json, path: str) -> Position:
    """A line of the portfolio (section 8.17)."""
    members = Members(value, path)
    return Position(
        instrument=members.required("instrument_name", text),
        position=members.required("position", exact),
        mark_price=members.required("mark_price", double),
        start_price=members.optional("start_price", double),
        average_price=members.optional("average_price", double),
        unrealised_pnl=members.optional("unrealised_pnl", double),
        realised_pnl=members.optional("realised_pnl", double),
        unrealised_perpetual_funding=members.optional("unrealised_perpetual_funding", double),
    )


def index_price(value: Json, path: str, underlying: str) -> IndexPrice:
    """An index (section 8.7), which must be the channel's."""
    members = Members(value, path)
    name = members.required("index_name", text)
    if name != underlying:
        raise Malformed("the index of another channel", f"{path}.index_name")
    price = members.required("price", double)
    if price <= 0:
        raise Malformed("a price is not positive", f"{path}.price")
    return IndexPrice(
        index_name=name,
        price=price,
        timestamp=members.required("timestamp", time_s),
        previous_settlement_price=members.optional("previous_settlement_price", double),
        expiration_progress=members.optional("expiration_progress", double),
        expected_expiration_price=members.optional("expected_expiration_price", double),
    )


def leg(value: Json, path: str) -> tuple[str, int]:
    """A leg of a spread: name and signed quantity."""
    members = Members(value, path)
    quantity = members.required("quantity", exact)
    if quantity != int(quantity) or quantity == 0:
        raise Malformed("expected an integer other than 0", f"{path}.quantity")
    return members.required("instrument_name", text), int(quantity)


def instrument(value: Json, path: str) -> Instrument:
    """An instrument (section 5)."""
    members = Members(value, path)
    return Instrument(
        name=members.required("instrument_name", identifier),
        type=members.required("type", text),
        product=members.optional("product", text),
        underlying=members.optional("underlying", text),
        tick_size=members.optional("tick_size", amount),
        volume_tick_size=members.optional("volume_tick_size", amount),
        min_order_amount=members.optional("min_order_amount", amount),
        option_type=members.optional("option_type", text),
        expiry_date=members.optional("expiry_date", text),
        expiration_timestamp=members.optional("expiration_timestamp", whole_number(int(TIME_MAX_S))),
        strike_price=members.optional("strike_price", amount),
        legs=members.optional("legs", items(leg)) or (),
    )


def instrument_change(value: Json, path: str) -> InstrumentChange:
    """``{"added": …}`` or ``{"removed": …}`` (section 8.11)."""
    members = Members(value, path)
    added = members.optional("added", instrument)
    removed = members.optional("removed", instrument)
    changed = added or removed
    if changed is None or (added is not None and removed is not None):
        raise Malformed("expected added or removed", path)
    return InstrumentChange(added is not None, changed)


def protection(value: Json, path: str) -> Protection:
    """State of a protection group (section 8.16)."""
    members = Members(value, path)
    return Protection(
        product=members.required("product", identifier),
        remaining=members.required("remaining_amount", exact),
        reason=members.required("reason", text),
    )


def banner(value: Json, path: str) -> Banner:
    """A notice (section 8.12)."""
    members = Members(value, path)
    return Banner(
        id=members.optional("id", uint64),
        time=members.required("time", time_s),
        severity=members.required("severity", text),
        title=members.optional("title", text),
        message=members.required("message", text),
    )


def cash(value: Json, path: str) -> Cash:
    """One asset (section 8.18)."""
    members = Members(value, path)
    return Cash(
        currency=members.required("currency", text),
        balance=members.required("balance", double),
        collateral_factor=members.optional("collateral_factor", double),
        collateral_index_price=members.optional("collateral_index_price", double),
        transactable=members.optional("transactable", boolean),
    )


def summary(value: Json, path: str) -> Summary:
    """Margin of the account (section 8.18)."""
    members = Members(value, path)
    return Summary(
        cash=members.required("cash", items(cash)),
        unrealised_pnl=members.required("unrealised_pnl", double),
        cash_collateral=members.required("cash_collateral", double),
        margin=members.required("margin", double),
        required_margin=members.required("required_margin", double),
        remaining_margin=members.required("remaining_margin", double),
        session_realised_pnl=members.optional("session_realised_pnl", double),
    )


def quote_error(value: Json, path: str) -> QuoteError:
    """An entry of a mass quote's errors (section 7.1)."""
    members = Members(value, path)
    return QuoteError(
        code=members.required("code", count),
        message=members.required("message", text),
        side=members.optional("side", text),
        price=members.optional("price", exact),
    )


def payload(channel: venue.Channel, value: Json) -> Payload:
    """The payload of a channel, typed where a quoter uses it."""
    path = "notification"
    if channel.kind is venue.Kind.TICKER:
        return ticker(value, path, channel.target)
    if channel.kind is venue.Kind.LWT:
        return lwt(value, path, channel.target)
    if channel.kind is venue.Kind.BOOK:
        return book(value, path, channel.target)
    if channel.kind is venue.Kind.TRADES:
        return items(trade_of(None))(value, path)
    if channel.kind is venue.Kind.PORTFOLIO:
        return items(position)(value, path)
    if channel.kind is venue.Kind.INDEX:
        return index_price(value, path, channel.target)
    if channel.name in (venue.SESSION_ORDERS, venue.ACCOUNT_ORDERS, venue.ACCOUNT_PERSISTENT_ORDERS):
        return items(order)(value, path)
    if channel.name == venue.SESSION_MM_PROTECTION:
        return items(protection)(value, path)
    if channel.family == venue.INSTRUMENTS:
        return items(instrument_change)(value, path)
    if channel.name == venue.BANNERS:
        return items(banner)(value, path)
    if channel.name == venue.SYSTEM:
        return SystemEvent(Members(value, path).required("event", text))
    if channel.name == venue.ACCOUNT_SUMMARY:
        return summary(value, path)
    return value


def result_of(value: Json) -> OrderStatus | MassQuoteResult | Json:
    """The result of a reply: an order and a mass quote's counts are known by their members, the rest stays as it is."""
    if isinstance(value, dict) and "order_id" in value and "filled_amount" in value:
        return order(value, "result")
    if isinstance(value, dict) and "n_success" in value:
        members = Members(value, "result")
        return MassQuoteResult(
            n_success=members.required("n_success", count),
            n_fail=members.required("n_fail", count),
            errors=members.required("errors", items(quote_error)),
        )
    return value
