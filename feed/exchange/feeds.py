"""Feeds: what a channel sends, once for all its subscribers (protocol section 8). Times epoch ns.

A feed is told that something changed; raw ones publish at once, the others not more often than their interval, with
everything that changed meanwhile conflated into one notification. The encoded bytes are shared among subscribers.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from feed.exchange.accounts import Account, Position
    from feed.exchange.connection import Connection
    from feed.exchange.exchange import Exchange
    from feed.exchange.listed import Listing, Print

TRADES_PERIOD_NS = 100_000_000
PORTFOLIO_MARK_MOVE = 0.01


def prefix(name: str) -> bytes:
    """The first bytes of every notification of a channel."""
    return b'{"channel_name":' + orjson.dumps(name) + b',"notification":'


class Feed:
    """One channel with its subscribers. ``interval_ns`` 0 is raw."""

    flagged = False
    """Whether the first message carries ``"snapshot":true``."""

    def __init__(self, exchange: "Exchange", name: str, interval_ns: int = 0) -> None:
        self.exchange = exchange
        self.name = name
        self.head = prefix(name)
        self.interval_ns = interval_ns
        self.subscribers: list[Connection] = []
        self.last_ns = 0
        self.scheduled = False
        self.hooks: list[list[Any]] = []
        """Lists of the exchange this feed stands in while it has subscribers."""
        self.places: list[tuple[object, str]] = []
        """Attributes that hold it meanwhile."""

    def listen(self, hooks: list[Any]) -> None:
        """Stand in ``hooks`` until the last subscriber leaves."""
        hooks.append(self)
        self.hooks.append(hooks)

    def bind(self, owner: object, attribute: str) -> None:
        """Be ``owner.attribute`` until the last subscriber leaves; the attribute is None otherwise."""
        setattr(owner, attribute, self)
        self.places.append((owner, attribute))

    def close(self) -> None:
        """Leave every list and attribute; called when the last subscriber has left."""
        for hooks in self.hooks:
            hooks.remove(self)
        self.hooks.clear()
        for owner, attribute in self.places:
            setattr(owner, attribute, None)
        self.places.clear()

    def payload(self) -> object | None:
        """What to publish now; None for nothing."""
        return None

    def snapshot(self) -> object | None:
        """What a new subscriber gets first; None for nothing."""
        return self.payload() if self.exchange.options.initial_ticker else None

    def first(self, connection: "Connection") -> None:
        """Send a new subscriber its first message."""
        payload = self.snapshot()
        if payload is None or (self.flagged and not payload and not self.exchange.options.empty_snapshots):
            return
        connection.send(self.head + orjson.dumps(payload) + (b',"snapshot":true}' if self.flagged else b"}"))

    def changed(self, now_ns: int) -> None:
        """Publish now, or when the interval has passed."""
        if self.scheduled:
            return
        due_ns = self.last_ns + self.interval_ns
        if due_ns <= now_ns:
            self.publish(now_ns)
        else:
            self.scheduled = True
            self.exchange.at(due_ns, self.due)

    def due(self, now_ns: int) -> None:
        """The interval has passed."""
        self.scheduled = False
        if self.subscribers:
            self.publish(now_ns)

    def publish(self, now_ns: int) -> None:
        """Encode once and send to every subscriber."""
        payload = self.payload()
        if payload is None:
            return
        self.last_ns = now_ns
        self.send(self.head + orjson.dumps(payload) + b"}")

    def send(self, data: bytes) -> None:
        """Send encoded bytes to every subscriber."""
        for connection in self.subscribers:
            connection.send(data)


class StateFeed(Feed):
    """A channel whose message is a function of the exchange's state: tickers, index, banners and lists."""

    def __init__(
        self,
        exchange: "Exchange",
        name: str,
        state: Callable[[], object],
        interval_ns: int = 0,
        flagged: bool = False,
        initial: bool | None = None,
    ) -> None:
        super().__init__(exchange, name, interval_ns)
        self.state = state
        self.flagged = flagged
        self.initial = exchange.options.initial_ticker if initial is None else initial

    def payload(self) -> object | None:
        """The state as it is now."""
        return self.state()

    def snapshot(self) -> object | None:
        """The state, where the first message is not left to the first change."""
        return self.state() if self.initial else None


class PeriodicFeed(StateFeed):
    """A state sent every ``interval_ns`` as long as anybody listens."""

    def first(self, connection: "Connection") -> None:
        """Send the state and start the clock."""
        super().first(connection)
        if not self.scheduled:
            self.scheduled = True
            self.exchange.at(self.exchange.now_ns + self.interval_ns, self.due)

    def publish(self, now_ns: int) -> None:
        """Send, and wait for the next time."""
        super().publish(now_ns)
        self.scheduled = True
        self.exchange.at(now_ns + self.interval_ns, self.due)


class ListFeed(Feed):
    """Rows that are pushed as they happen: protection, history, instruments, system."""

    def __init__(self, exchange: "Exchange", name: str, start: Callable[[], object] | None = None) -> None:
        super().__init__(exchange, name)
        self.start = start
        self.flagged = start is not None
        self.wanted: Callable[[Listing], bool] = lambda listing: True
        """Which instruments a filtered ``instruments`` channel is about."""

    def snapshot(self) -> object | None:
        """The rows that exist already, for channels that have an initial state."""
        return self.start() if self.start is not None else None

    def push(self, rows: object) -> None:
        """Publish rows at once."""
        self.send(self.head + orjson.dumps(rows) + b"}")


class OrdersFeed(Feed):
    """session.orders, account.orders, account.persistent_orders: encoded OrderStatus objects, joined."""

    def __init__(self, exchange: "Exchange", name: str, existing: Callable[[], list[bytes]]) -> None:
        super().__init__(exchange, name)
        self.existing = existing

    def first(self, connection: "Connection") -> None:
        """Send every open order, change reason ``existing``."""
        rows = self.existing()
        if rows or self.exchange.options.empty_snapshots:
            connection.send(self.head + b"[" + b",".join(rows) + b'],"snapshot":true}')

    def push(self, rows: Sequence[bytes]) -> None:
        """Publish encoded changes at once, in one list or one by one."""
        if not self.exchange.options.updates_in_one_list:
            for row in rows:
                self.send(self.head + b"[" + row + b"]}")
        elif rows:
            self.send(self.head + b"[" + b",".join(rows) + b"]}")


class PortfolioFeed(Feed):
    """account.portfolio: lines that changed by a trade, or whose mark moved by more than 1 %."""

    flagged = True

    def __init__(self, exchange: "Exchange", name: str, account: "Account") -> None:
        super().__init__(exchange, name)
        self.account = account
        self.marks: dict[str, int] = {}

    def snapshot(self) -> object:
        """Every position."""
        for position in self.account.positions.values():
            self.marks[position.listing.name] = position.listing.mark_e8
        return self.account.portfolio()

    def push(self, positions: Sequence["Position"]) -> None:
        """Publish these lines."""
        for position in positions:
            self.marks[position.listing.name] = position.listing.mark_e8
        self.send(self.head + orjson.dumps([position.row() for position in positions]) + b"}")

    def marked(self) -> None:
        """Publish the lines whose mark has moved enough since they were last sent."""
        moved = []
        for position in self.account.positions.values():
            mark = position.listing.mark_e8
            sent = self.marks.get(position.listing.name, 0)
            if position.amount_e8 and abs(mark - sent) > PORTFOLIO_MARK_MOVE * sent:
                moved.append(position)
        if moved:
            self.push(moved)


class TickersFeed(Feed):
    """lwt_futures: rows of the instruments that changed, all of them in the first message."""

    def __init__(self, exchange: "Exchange", name: str, listings: list["Listing"], interval_ns: int) -> None:
        super().__init__(exchange, name, interval_ns)
        self.listings = listings
        self.sent: dict[str, list[Any]] = {}

    def payload(self) -> object | None:
        """Rows that differ from those last published."""
        rows = {}
        for listing in self.listings:
            row = listing.lwt_row()
            if listing.active and self.sent.get(listing.name) != row:
                self.sent[listing.name] = rows[listing.name] = row
        return {"tickers": rows} if rows else None

    def snapshot(self) -> object:
        """Rows of all instruments."""
        rows = {listing.name: listing.lwt_row() for listing in self.listings if listing.active}
        if len(self.subscribers) == 1:
            self.sent.update(rows)
        return {"tickers": rows}


class TradesFeed(Feed):
    """recent_trades: trades of one instrument or one underlying, a little later than the book shows them."""

    flagged = True

    def __init__(self, exchange: "Exchange", name: str, listings: list["Listing"]) -> None:
        super().__init__(exchange, name, TRADES_PERIOD_NS)
        self.listings = listings
        self.pending: list[Print] = []

    def traded(self, now_ns: int, prints: list["Print"]) -> None:
        """Take new trades."""
        self.pending += prints
        self.changed(now_ns)

    def payload(self) -> object:
        """Trades since the last message."""
        rows = [[*row, False] for row in self.pending]
        self.pending = []
        return rows

    def snapshot(self) -> object:
        """Trades already published, oldest first."""
        rows = sorted((row for listing in self.listings for row in listing.prints), key=lambda row: row[3])
        return [[*row, False] for row in (rows[: -len(self.pending)] if self.pending else rows)]
