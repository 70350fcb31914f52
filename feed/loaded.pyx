"""The fast decoder's records as plain Python, and plain Python into the records: for cold frames of hot channels,
tests and tools.

Shapes are those of ``feed.as_record``. Owner: the decoder's thread.
"""

from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from feed.decode cimport Decoder
from feed.events cimport *

from feed.messages import Malformed


# -- records to Python -------------------------------------------------------------------------------------------------

cdef dict plain(object record):
    """A converted struct without its padding."""
    cdef dict result = record
    result.pop("padding", None)
    return result


cdef dict order_of(Decoder self, int number):
    cdef OrderUpdate* order = &self.orders.order[number]
    cdef Fill* fill
    cdef int i
    fills = []
    for i in range(order.fill_index, order.fill_index + order.fills):
        fill = &self.orders.fill[i]
        fills.append({
            "price_e8": fill.price_e8, "amount_e8": fill.amount_e8, "time_s": fill.time_s, "maker": fill.maker,
            "leg_index": fill.leg_index, "trade_id": fill.trade_id[:fill.trade_id_length].decode("utf-8"),
        })
    return {
        "instrument": order.instrument,
        "side": order.side,
        "has": order.has,
        "status": order.status,
        "change_reason": order.change_reason,
        "delete_reason": order.delete_reason,
        "insert_reason": order.insert_reason,
        "price_e8": order.price_e8,
        "amount_e8": order.amount_e8,
        "filled_e8": order.filled_e8,
        "remaining_e8": order.remaining_e8,
        "client_order_id": order.client_order_id,
        "create_time_s": order.create_time_s,
        "close_time_s": order.close_time_s,
        "order_id": order.order_id[:order.order_id_length].decode("utf-8"),
        "fills": fills,
    }


def record(Decoder self, int kind):
    """The record of ``kind`` as it is now. Raises ValueError for a kind that has none."""
    cdef int i
    if kind == KIND_TICKER:
        return <dict> self.ticker
    if kind == KIND_LWT:
        return <dict> self.lwt
    if kind == KIND_INDEX:
        return plain(self.index)
    if kind == KIND_BOOK:
        return {
            "instrument": self.book.instrument, "snapshot": self.book.snapshot, "has_totals": self.book.has_totals,
            "total_bid_e8": self.book.total_bid_e8, "total_ask_e8": self.book.total_ask_e8, "time_s": self.book.time_s,
            "bid": [<dict> self.book.bid[i] for i in range(self.book.bids)],
            "ask": [<dict> self.book.ask[i] for i in range(self.book.asks)],
            "trade": [plain(self.book.trade[i]) for i in range(self.book.trades)],
        }
    if kind == KIND_TRADES:
        return {
            "instrument": self.trades.instrument, "snapshot": self.trades.snapshot,
            "trade": [plain(self.trades.trade[i]) for i in range(self.trades.count)],
        }
    if kind == KIND_ORDERS:
        return {"snapshot": self.orders.snapshot, "order": [order_of(self, i) for i in range(self.orders.count)]}
    if kind == KIND_PORTFOLIO:
        return {
            "snapshot": self.portfolio.snapshot,
            "position": [plain(self.portfolio.position[i]) for i in range(self.portfolio.count)],
        }
    if kind == KIND_REPLY:
        shown = <dict> self.reply
        shown["order"] = order_of(self, 0) if self.reply.kind == REPLY_ORDER else None
        return shown
    raise ValueError(f"there is no record of kind {kind}")


# -- Python to records -------------------------------------------------------------------------------------------------

cdef int room(str what, Py_ssize_t size, Py_ssize_t most) except -1:
    """Raise ``Malformed`` when ``size`` is above the bound of the record."""
    if size > most:
        raise Malformed(f"{size} {what}, more than the bound of {most}")
    return <int> size


cdef int32_t put_id(char* target, str identifier) except -1:
    cdef bytes text = identifier.encode("utf-8")
    cdef const char* start = text
    room("bytes of an identifier", len(text), ID_MAX)
    memcpy(target, start, len(text))
    return <int32_t> len(text)


cdef int put_trade(PublicTrade* target, dict trade) except -1:
    target[0] = dict(trade, padding=0)
    return 0


cdef int put_order(Decoder self, dict source) except -1:
    """Append an order and its fills to the batch."""
    cdef OrderUpdate* order = &self.orders.order[self.orders.count]
    cdef Fill* fill
    memset(order, 0, sizeof(OrderUpdate))
    order.instrument = source["instrument"]
    order.side = source["side"]
    order.has = source["has"]
    order.status = source["status"]
    order.change_reason = source["change_reason"]
    order.delete_reason = source["delete_reason"]
    order.insert_reason = source["insert_reason"]
    order.price_e8 = source["price_e8"]
    order.amount_e8 = source["amount_e8"]
    order.filled_e8 = source["filled_e8"]
    order.remaining_e8 = source["remaining_e8"]
    order.client_order_id = source["client_order_id"]
    order.create_time_s = source["create_time_s"]
    order.close_time_s = source["close_time_s"]
    order.order_id_length = put_id(order.order_id, source["order_id"])
    order.fill_index = self.orders.fills
    order.fills = len(source["fills"])
    room("fills", self.orders.fills + order.fills, FILLS_MAX)
    for item in source["fills"]:
        fill = &self.orders.fill[self.orders.fills]
        memset(fill, 0, sizeof(Fill))
        fill.price_e8 = item["price_e8"]
        fill.amount_e8 = item["amount_e8"]
        fill.time_s = item["time_s"]
        fill.maker = item["maker"]
        fill.leg_index = item["leg_index"]
        fill.trade_id_length = put_id(fill.trade_id, item["trade_id"])
        self.orders.fills += 1
    self.orders.count += 1
    return 0


cdef int put_orders(Decoder self, list orders, int snapshot) except -1:
    room("orders", len(orders), ORDERS_MAX)
    self.orders.snapshot = snapshot
    self.orders.count = 0
    self.orders.fills = 0
    for order in orders:
        put_order(self, order)
    return 0


cdef int put_book(Decoder self, dict source) except -1:
    cdef int i
    self.book.instrument = source["instrument"]
    self.book.snapshot = source["snapshot"]
    self.book.has_totals = source["has_totals"]
    self.book.total_bid_e8 = source["total_bid_e8"]
    self.book.total_ask_e8 = source["total_ask_e8"]
    self.book.time_s = source["time_s"]
    self.book.bids = room("bid changes", len(source["bid"]), BOOK_CHANGES_MAX)
    self.book.asks = room("ask changes", len(source["ask"]), BOOK_CHANGES_MAX)
    self.book.trades = room("trades", len(source["trade"]), BOOK_TRADES_MAX)
    for i in range(self.book.bids):
        self.book.bid[i] = source["bid"][i]
    for i in range(self.book.asks):
        self.book.ask[i] = source["ask"][i]
    for i in range(self.book.trades):
        put_trade(&self.book.trade[i], source["trade"][i])
    return 0


def fill(Decoder self, int kind, dict source):
    """Fill the record of ``kind`` from ``source``.

    Raises ``Malformed`` beyond a capacity, and ValueError for a kind without record.
    """
    cdef int i
    if kind == KIND_TICKER:
        self.ticker = source
    elif kind == KIND_LWT:
        self.lwt = source
    elif kind == KIND_INDEX:
        self.index = dict(source, padding=0)
    elif kind == KIND_BOOK:
        put_book(self, source)
    elif kind == KIND_TRADES:
        self.trades.instrument = source["instrument"]
        self.trades.snapshot = source["snapshot"]
        self.trades.count = room("trades", len(source["trade"]), TRADES_MAX)
        for i in range(self.trades.count):
            put_trade(&self.trades.trade[i], source["trade"][i])
    elif kind == KIND_ORDERS:
        put_orders(self, source["order"], source["snapshot"])
    elif kind == KIND_PORTFOLIO:
        self.portfolio.snapshot = source["snapshot"]
        self.portfolio.count = room("positions", len(source["position"]), POSITIONS_MAX)
        for i in range(self.portfolio.count):
            self.portfolio.position[i] = dict(source["position"][i], padding=0)
    elif kind == KIND_REPLY:
        if source["order"] is not None:
            put_orders(self, [source["order"]], 0)
        source = dict(source)
        del source["order"]
        self.reply = source
    else:
        raise ValueError(f"there is no record of kind {kind}")
