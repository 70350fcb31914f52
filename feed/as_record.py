"""A slow-decoded message as the record that the fast decoder fills, in plain Python: the meaning of
``feed/events.pxd``, spelled out.

The fast decoder is compared with this, and cold frames of hot channels are loaded into the C records through it.
Fixed point is in units of 1e-8; a member that is absent leaves 0 (an instrument -1), and its ``has`` bit is not set.
"""

from decimal import Decimal
from enum import IntEnum, IntFlag
from typing import Any, Protocol

from feed import venue
from feed.fields import e8
from feed.messages import (
    Book,
    Fill,
    IndexPrice,
    Level,
    Lwt,
    MassQuoteResult,
    Notification,
    OrderStatus,
    Payload,
    Position,
    PublicTrade,
    Reply,
    Ticker,
)

Record = dict[str, Any]


class Symbols(Protocol):
    """A table of names (``feed.symbols.SymbolTable``)."""

    def find(self, name: bytes, /) -> int:
        """The value of ``name``, or -1."""
        ...


class TickerHas(IntFlag):
    """Optional parts of a ticker."""

    BEST_BID = 1
    BEST_ASK = 2
    LAST = 4
    COLLAR_LOW = 8
    COLLAR_HIGH = 16
    FUNDING_RATE = 32
    FUNDING_MARK = 64
    OPEN_INTEREST = 128
    VOLUME = 256
    LOW_HIGH = 512
    CHANGE = 1024
    REALISED_FUNDING = 2048
    AVERAGE_FUNDING = 4096
    IV = 8192
    FORWARD = 16384


class LwtHas(IntFlag):
    """Optional parts of a lightweight ticker."""

    BID = 1
    ASK = 2
    LAST = 4
    IV = 8


class OrderHas(IntFlag):
    """Optional parts and properties of an order."""

    PRICE = 1
    CLIENT_ID = 2
    LABEL = 4
    REDUCE_ONLY = 8
    PERSISTENT = 16
    CLOSE_TIME = 32
    MARKET = 64
    IOC = 128


class ReplyKind(IntEnum):
    """Forms of a reply."""

    RESULT = 1
    ORDER = 2
    MASS_QUOTE = 3
    ERROR = 4


def fixed(value: Decimal | None) -> int:
    """Units of 1e-8; 0 for None."""
    return 0 if value is None else e8(value)


def real(value: float | None) -> float:
    """The double; 0 for None."""
    return 0.0 if value is None else value


def find(table: Symbols, name: str | None) -> int:
    """The index of a name, or -1."""
    return -1 if name is None or not name.isascii() else table.find(name.encode())


def flags(*parts: tuple[int, bool]) -> int:
    """The sum of the bits that are true."""
    return sum(int(bit) for bit, present in parts if present)


def ticker_record(ticker: Ticker, instrument: int) -> Record:
    """``events.Ticker``."""
    has = TickerHas
    return {
        "instrument": instrument,
        "has": flags(
            (has.BEST_BID, ticker.best_bid_price is not None and ticker.best_bid_amount is not None),
            (has.BEST_ASK, ticker.best_ask_price is not None and ticker.best_ask_amount is not None),
            (has.LAST, ticker.last_price is not None),
            (has.COLLAR_LOW, ticker.collar_low is not None),
            (has.COLLAR_HIGH, ticker.collar_high is not None),
            (has.FUNDING_RATE, ticker.funding_rate is not None),
            (has.FUNDING_MARK, ticker.funding_mark is not None),
            (has.OPEN_INTEREST, ticker.open_interest is not None),
            (has.VOLUME, ticker.volume_24h is not None and ticker.value_24h is not None),
            (has.LOW_HIGH, ticker.low_price_24h is not None and ticker.high_price_24h is not None),
            (has.CHANGE, ticker.change_24h is not None),
            (has.REALISED_FUNDING, ticker.realised_funding_24h is not None),
            (has.AVERAGE_FUNDING, ticker.average_funding_rate_24h is not None),
            (has.IV, ticker.iv is not None),
            (has.FORWARD, ticker.forward is not None),
        ),
        "mark_price": ticker.mark_price,
        "mark_timestamp_s": ticker.mark_timestamp,
        "index": ticker.index,
        "delta": ticker.delta,
        "best_bid_e8": fixed(ticker.best_bid_price),
        "best_bid_amount_e8": fixed(ticker.best_bid_amount),
        "best_ask_e8": fixed(ticker.best_ask_price),
        "best_ask_amount_e8": fixed(ticker.best_ask_amount),
        "last_e8": fixed(ticker.last_price),
        "collar_low": real(ticker.collar_low),
        "collar_high": real(ticker.collar_high),
        "funding_rate": real(ticker.funding_rate),
        "funding_mark": real(ticker.funding_mark),
        "realised_funding_24h": real(ticker.realised_funding_24h),
        "average_funding_rate_24h": real(ticker.average_funding_rate_24h),
        "volume_24h": real(ticker.volume_24h),
        "value_24h": real(ticker.value_24h),
        "low_24h": real(ticker.low_price_24h),
        "high_24h": real(ticker.high_price_24h),
        "change_24h": real(ticker.change_24h),
        "open_interest": real(ticker.open_interest),
        "iv": real(ticker.iv),
        "forward": real(ticker.forward),
    }


def lwt_record(lwt: Lwt, instrument: int) -> Record:
    """``events.Lwt``."""

    def side(name: str, level: Level | None) -> Record:
        return {
            f"{name}_e8": fixed(level.price if level else None),
            f"{name}_amount_e8": fixed(level.amount if level else None),
            f"{name}_outright_e8": fixed(level.outright if level else None),
        }

    return {
        "instrument": instrument,
        "has": flags(
            (LwtHas.BID, lwt.bid is not None),
            (LwtHas.ASK, lwt.ask is not None),
            (LwtHas.LAST, lwt.last_price is not None),
            (LwtHas.IV, lwt.iv is not None),
        ),
        **side("bid", lwt.bid),
        **side("ask", lwt.ask),
        "mark_price": lwt.mark_price,
        "iv": real(lwt.iv),
        "last_e8": fixed(lwt.last_price),
    }


def level_record(level: Level) -> Record:
    """``events.LevelChange``."""
    return {"price_e8": e8(level.price), "amount_e8": e8(level.amount), "outright_e8": e8(level.outright)}


def trade_record(trade: PublicTrade, instrument: int) -> Record:
    """``events.PublicTrade``."""
    return {
        "instrument": instrument,
        "side": venue.SIDES[trade.side],
        "price_e8": e8(trade.price),
        "amount_e8": e8(trade.amount),
        "time_s": trade.time,
        "implied": int(trade.implied),
    }


def book_record(book: Book, instrument: int, snapshot: bool) -> Record:
    """``events.BookUpdate``."""
    return {
        "instrument": instrument,
        "snapshot": int(snapshot),
        "has_totals": int(book.total_bid_amount is not None and book.total_ask_amount is not None),
        "total_bid_e8": fixed(book.total_bid_amount),
        "total_ask_e8": fixed(book.total_ask_amount),
        "time_s": book.time,
        "bid": [level_record(level) for level in book.bid_changes],
        "ask": [level_record(level) for level in book.ask_changes],
        "trade": [trade_record(trade, instrument) for trade in book.trades],
    }


def fill_record(fill: Fill) -> Record:
    """``events.Fill``."""
    return {
        "price_e8": e8(fill.price),
        "amount_e8": e8(fill.amount),
        "time_s": real(fill.time),
        "maker": int(fill.maker),
        "leg_index": fill.leg_index,
        "trade_id": fill.trade_id,
    }


def order_record(order: OrderStatus, instruments: Symbols) -> Record:
    """``events.OrderUpdate`` with its fills."""
    has = OrderHas
    return {
        "instrument": find(instruments, order.instrument),
        "side": venue.SIDES[order.direction],
        "has": flags(
            (has.PRICE, order.price is not None),
            (has.CLIENT_ID, order.client_order_id is not None),
            (has.LABEL, order.label is not None),
            (has.REDUCE_ONLY, order.reduce_only),
            (has.PERSISTENT, order.persistent),
            (has.CLOSE_TIME, order.close_time is not None),
            (has.MARKET, order.order_type == "market"),
            (has.IOC, order.time_in_force == "immediate_or_cancel"),
        ),
        "status": venue.STATUSES.get(order.status, venue.UNKNOWN_STATUS),
        "change_reason": venue.CHANGE_REASONS.get(order.change_reason, venue.UNKNOWN_CHANGE_REASON),
        "delete_reason": venue.NO_DELETE_REASON
        if order.delete_reason is None
        else venue.DELETE_REASONS.get(order.delete_reason, venue.UNKNOWN_DELETE_REASON),
        "insert_reason": venue.INSERT_REASONS.get(order.insert_reason, venue.UNKNOWN_INSERT_REASON),
        "price_e8": fixed(order.price),
        "amount_e8": e8(order.amount),
        "filled_e8": e8(order.filled),
        "remaining_e8": e8(order.remaining),
        "client_order_id": order.client_order_id or 0,
        "create_time_s": order.create_time,
        "close_time_s": real(order.close_time),
        "order_id": order.order_id,
        "fills": [fill_record(fill) for fill in order.fills],
    }


def position_record(position: Position, instruments: Symbols) -> Record:
    """``events.PositionUpdate``."""
    return {
        "instrument": find(instruments, position.instrument),
        "position_e8": e8(position.position),
        "mark_price": position.mark_price,
        "start_price": real(position.start_price),
        "average_price": real(position.average_price),
        "unrealised_pnl": real(position.unrealised_pnl),
        "realised_pnl": real(position.realised_pnl),
        "unrealised_perpetual_funding": real(position.unrealised_perpetual_funding),
    }


def reply_record(reply: Reply, instruments: Symbols) -> Record:
    """``events.Reply``, with the order of an order's reply."""
    record: Record = {
        "id": reply.id,
        "kind": int(ReplyKind.RESULT),
        "error_code": 0,
        "n_success": 0,
        "n_fail": 0,
        "order": None,
    }
    if reply.error is not None:
        record |= {"kind": int(ReplyKind.ERROR), "error_code": reply.error.code}
    elif isinstance(reply.result, OrderStatus):
        record |= {"kind": int(ReplyKind.ORDER), "order": order_record(reply.result, instruments)}
    elif isinstance(reply.result, MassQuoteResult):
        result = reply.result
        record |= {"kind": int(ReplyKind.MASS_QUOTE), "n_success": result.n_success, "n_fail": result.n_fail}
        record["error_code"] = result.errors[0].code if result.errors else 0
    return record


def as_record(
    message: Reply | Notification, channels: Symbols, instruments: Symbols, underlyings: Symbols
) -> tuple[int, Record]:
    """Kind and record of ``message``; (0, {}) when it is of no hot channel in ``channels``, or a reply without an
    integer id of ours.
    """
    if isinstance(message, Reply):
        if isinstance(message.id, bool) or not isinstance(message.id, int) or not 0 <= message.id < 2**64:
            return int(venue.Kind.SLOW), {}
        return int(venue.Kind.REPLY), reply_record(message, instruments)
    value = find(channels, message.channel)
    if value < 0:
        return int(venue.Kind.SLOW), {}
    kind, index = venue.Kind(value >> 16), value & 0xFFFF
    return int(kind), payload_record(kind, index, message.payload, message.snapshot, instruments)


def payload_record(kind: venue.Kind, index: int, payload: Payload, snapshot: bool, instruments: Symbols) -> Record:
    """The record of a hot channel's payload. Raises TypeError for a payload of another channel."""
    if isinstance(payload, Ticker):
        return ticker_record(payload, index)
    if isinstance(payload, Lwt):
        return lwt_record(payload, index)
    if isinstance(payload, Book):
        return book_record(payload, index, snapshot)
    if isinstance(payload, IndexPrice):
        return {"underlying": index, "price": payload.price, "timestamp_s": payload.timestamp}
    if not isinstance(payload, tuple):
        raise TypeError(f"not the payload of a hot channel: {type(payload).__name__}")
    record: Record = {"snapshot": int(snapshot)}
    if kind is venue.Kind.TRADES:
        trades = [item for item in payload if isinstance(item, PublicTrade)]
        record["instrument"] = -1 if index == 0xFFFF else index
        record["trade"] = [trade_record(trade, find(instruments, trade.instrument)) for trade in trades]
    elif kind is venue.Kind.ORDERS:
        record["order"] = [order_record(item, instruments) for item in payload if isinstance(item, OrderStatus)]
    else:
        record["position"] = [position_record(item, instruments) for item in payload if isinstance(item, Position)]
    return record
