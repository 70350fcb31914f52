"""History queries: trades, closed orders, daily marks and transactions, in pages (protocol section 8.22)."""

from collections import deque
from typing import Any

import orjson

from feed.exchange.connection import Connection
from feed.exchange.options import SECOND_NS
from feed.exchange.params import Params, bad, choice, seconds, text, whole

LIMIT_MAX = 1000
LIMIT_DEFAULT = 100
KEPT_SECS = 90 * 86_400

Row = dict[str, Any]


def page(session: Connection, params: Params, rows: deque[Row], member: str, time_of: str = "time") -> bytes:
    """One page of rows between ``time_low`` and ``time_high``, newest first unless sorted ascending.

    A bookmark is the number of rows of the same query already delivered.
    """
    limit = whole(params, "limit", 1, LIMIT_MAX) or LIMIT_DEFAULT
    low, high = seconds(params, "time_low"), seconds(params, "time_high")
    oldest = session.exchange.now_ns / SECOND_NS - KEPT_SECS
    low = oldest if low is None else max(low, oldest)
    bookmark = text(params, "bookmark") or "0"
    if not bookmark.isdecimal() or len(bookmark) > 9:
        raise bad("invalid bookmark")
    chosen = [row for row in rows if low <= row[time_of] and (high is None or row[time_of] < high)]
    if choice(params, "sort", ("ascending", "descending")) != "ascending":
        chosen.reverse()
    chosen = [row for row in chosen if _wanted(row, params)]
    start = int(bookmark)
    end = start + limit
    return orjson.dumps({member: chosen[start:end], "bookmark": str(end) if end < len(chosen) else None})


def _wanted(row: Row, params: Params) -> bool:
    names, order_ids = text(params, "instrument_names"), text(params, "order_ids")
    if names is not None and row.get("instrument_name") not in names.split(","):
        return False
    if order_ids is not None and row.get("order_id") not in order_ids.split(","):
        return False
    if text(params, "bot_ids"):
        return False
    return all(params.get(name) in (None, row.get(name)) for name in ("direction", "label"))


def trade_history(session: Connection, params: Params) -> bytes:
    """private/trade_history."""
    return page(session, params, session.owner().trades_history, "trades")


def order_history(session: Connection, params: Params) -> bytes:
    """private/order_history."""
    return page(session, params, session.owner().orders_history, "orders", "close_time")


def daily_mark_history(session: Connection, params: Params) -> bytes:
    """private/daily_mark_history."""
    return page(session, params, session.owner().daily_marks, "daily_marks")


def transaction_history(session: Connection, params: Params) -> bytes:
    """private/transaction_history."""
    return page(session, params, session.owner().transactions, "transactions")


def rfq_history(session: Connection, params: Params) -> bytes:
    """private/rfq_history: the local exchange has no RFQs."""
    session.owner()
    return page(session, params, deque(), "rfqs")
