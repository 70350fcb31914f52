"""Channel names: what exists, who may have it, and which feed serves it (protocol section 8)."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from feed.exchange.accounts import Account
from feed.exchange.books import BookFeed
from feed.exchange.connection import Connection
from feed.exchange.errors import Code, RequestError
from feed.exchange.feeds import (
    Feed,
    ListFeed,
    OrdersFeed,
    PeriodicFeed,
    PortfolioFeed,
    StateFeed,
    TickersFeed,
    TradesFeed,
)
from feed.exchange.listed import Listing, Underlying
from feed.exchange.numbers import parse_e8
from feed.exchange.options import SECOND_NS

if TYPE_CHECKING:
    from feed.exchange.exchange import Exchange

DELAYS_NS = {
    "raw": 0,
    "100ms": 100_000_000,
    "200ms": 200_000_000,
    "500ms": 500_000_000,
    "1000ms": 1_000_000_000,
    "5000ms": 5_000_000_000,
    "60000ms": 60_000_000_000,
}
EMPTY_PRIVATE = {
    "account.conditional_orders": False,
    "account.bots": False,
    "account.rfqs": True,
    "account.rfq_history": False,
    "mm.rfqs": True,
    "mm.rfq_quotes": True,
    "user.inbox_notifications": False,
}
"""Private channels of things the local exchange has none of; True where the first message is a snapshot."""


def private(name: str) -> bool:
    """Whether a channel needs a logged-in session."""
    return name.startswith(("session.", "account.", "mm.", "user."))


class Channels:
    """Feeds by name and scope (public, account or session); a feed lives while it has subscribers."""

    def __init__(self, exchange: "Exchange") -> None:
        self.exchange = exchange
        self.feeds: dict[tuple[str, str], Feed] = {}
        self.scopes: dict[tuple[int, str], str] = {}
        self.public: dict[str, Callable[[str, list[str]], Feed | None]] = {
            "ticker": self._ticker,
            "lwt": self._lwt,
            "lwt_futures": self._lwt_futures,
            "lwt_options": self._lwt_nothing,
            "lwt_future_rolls": self._lwt_nothing,
            "book": self._book,
            "recent_trades": self._recent_trades,
            "price_index": self._price_index,
            "base_price": self._base_price,
            "index_components": self._index_components,
            "underlying_statistics": self._statistics,
            "instruments": self._instruments,
            "banners": self._banners,
            "system": self._system,
            "rfqs": self._rfqs,
        }

    # --- joining and leaving --------------------------------------------------------------------------------------

    def subscribe(self, connection: Connection, names: list[str], on_private: bool) -> list[str]:
        """Subscribe to what is valid of ``names``; returns it. Raises RequestError 5 or 8 where the options say so."""
        options = self.exchange.options
        accepted: list[str] = []
        for name in dict.fromkeys(names):
            if name in connection.feeds:
                if options.resubscribe == "error":
                    raise RequestError(Code.ALREADY_SUBSCRIBED, name)
                accepted.append(name)
            elif (private(name) and not on_private) or (
                on_private and not private(name) and not options.private_subscribe_public
            ):
                continue
            elif len(connection.feeds) < options.max_channels and self._join(connection, name):
                accepted.append(name)
        if names and not accepted and options.subscribe_invalid == "error":
            raise RequestError(Code.UNKNOWN_INSTRUMENT)
        return accepted

    def unsubscribe(self, connection: Connection, names: list[str]) -> list[str]:
        """Leave what is subscribed of ``names``; returns it. Raises RequestError 9 where the options say so."""
        left: list[str] = []
        for name in dict.fromkeys(names):
            if name in connection.feeds:
                self.leave(connection, name)
                left.append(name)
            elif self.exchange.options.resubscribe == "error":
                raise RequestError(Code.NOT_SUBSCRIBED, name)
        return left

    def _join(self, connection: Connection, name: str) -> bool:
        if not private(name):
            scope = ""
        elif name.startswith("session."):
            scope = f"#{connection.number}"
        else:
            scope = connection.owner().number
        feed = self.feeds.get((scope, name))
        if feed is None:
            account = connection.account
            if not private(name):
                parts = name.split(".")
                factory = self.public.get(parts[0])
                feed = factory(name, parts[1:]) if factory is not None else None
            elif account is not None:
                feed = self._session(connection, name) or self._account(account, name)
            if feed is None:
                return False
            self.feeds[scope, name] = feed
        self.scopes[connection.number, name] = scope
        feed.subscribers.append(connection)
        connection.feeds[name] = feed
        feed.first(connection)
        return True

    def leave(self, connection: Connection, name: str) -> None:
        """Leave one subscribed channel."""
        feed = connection.feeds.pop(name)
        scope = self.scopes.pop((connection.number, name))
        feed.subscribers.remove(connection)
        if not feed.subscribers:
            feed.close()
            del self.feeds[scope, name]

    # --- private channels -----------------------------------------------------------------------------------------

    def _session(self, connection: Connection, name: str) -> Feed | None:
        feed: Feed
        if name == "session.orders":
            feed = OrdersFeed(
                self.exchange, name, lambda: [o.encoded("existing", o.fills) for o in connection.orders.values()]
            )
            feed.bind(connection, "orders_feed")
        elif name == "session.mm_protection":
            feed = ListFeed(self.exchange, name)
            feed.bind(connection, "protection_feed")
        else:
            return None
        return feed

    def _account(self, account: Account, name: str) -> Feed | None:
        exchange = self.exchange
        feed: Feed
        if name in EMPTY_PRIVATE:
            return StateFeed(exchange, name, list, flagged=EMPTY_PRIVATE[name], initial=EMPTY_PRIVATE[name])
        if name == "account.orders":
            feed = OrdersFeed(exchange, name, lambda: [o.encoded("existing", o.fills) for o in account.orders.values()])
            feed.bind(account, "orders_feed")
        elif name == "account.persistent_orders":
            feed = OrdersFeed(
                exchange,
                name,
                lambda: [o.encoded("existing", o.fills) for o in account.orders.values() if o.persistent],
            )
            feed.bind(account, "persistent_feed")
        elif name == "account.portfolio":
            feed = PortfolioFeed(exchange, name, account)
            feed.bind(account, "portfolio_feed")
        elif name == "account.summary":
            feed = PeriodicFeed(exchange, name, account.summary, exchange.options.summary_period_ns, initial=True)
        elif name == "account.trade_history":
            feed = ListFeed(exchange, name)
            feed.bind(account, "trades_history_feed")
        elif name == "account.order_history":
            feed = ListFeed(exchange, name)
            feed.bind(account, "orders_history_feed")
        else:
            return None
        return feed

    # --- public channels ------------------------------------------------------------------------------------------

    def _listing(self, name: str) -> Listing | None:
        listing = self.exchange.listings.get(name)
        return listing if listing is not None and listing.active else None

    def _of(self, underlying: str) -> list[Listing]:
        return [listing for listing in self.exchange.listings.values() if listing.underlying.name == underlying]

    def _underlying(self, parts: list[str]) -> Underlying | None:
        return self.exchange.underlyings.get(parts[0]) if len(parts) == 1 else None

    def _ticker(self, name: str, parts: list[str]) -> Feed | None:
        return self._top(name, parts, "ticker")

    def _lwt(self, name: str, parts: list[str]) -> Feed | None:
        return self._top(name, parts, "lwt")

    def _top(self, name: str, parts: list[str], kind: str) -> Feed | None:
        listing = self._listing(parts[0]) if len(parts) == 2 and parts[1] in DELAYS_NS else None
        if listing is None:
            return None
        state = listing.ticker if kind == "ticker" else listing.lwt
        feed = StateFeed(self.exchange, name, state, DELAYS_NS[parts[1]])
        feed.listen(listing.top_feeds)
        return feed

    def _lwt_futures(self, name: str, parts: list[str]) -> Feed | None:
        if len(parts) != 2 or parts[0] not in self.exchange.underlyings or parts[1] not in DELAYS_NS:
            return None
        listings = self._of(parts[0])
        feed = TickersFeed(self.exchange, name, listings, DELAYS_NS[parts[1]])
        for listing in listings:
            feed.listen(listing.top_feeds)
        return feed

    def _lwt_nothing(self, name: str, parts: list[str]) -> Feed | None:
        """Options and rolls are not listed here, but their overview channels exist."""
        expiries = 1 if name.startswith("lwt_options.") else 0
        if len(parts) != 2 + expiries or parts[0] not in self.exchange.underlyings or parts[-1] not in DELAYS_NS:
            return None
        return StateFeed(self.exchange, name, lambda: {"tickers": {}})

    def _book(self, name: str, parts: list[str]) -> Feed | None:
        if len(parts) < 4 or parts[-1] not in DELAYS_NS:
            return None
        listing, depth = self._listing(parts[0]), parts[-2]
        count = None if depth == "all" else int(depth) if depth.isdecimal() and 0 < len(depth) <= 6 else 0
        if listing is None or count == 0:
            return None
        group = 1
        grouping = ".".join(parts[1:-2])
        if grouping != "none":
            try:
                step_e8 = parse_e8(grouping)
            except ValueError:
                return None
            if step_e8 <= 0 or step_e8 % listing.tick_e8:
                return None
            group = step_e8 // listing.tick_e8
        feed = BookFeed(self.exchange, name, listing, group, count, DELAYS_NS[parts[-1]])
        feed.listen(listing.book_feeds)
        return feed

    def _recent_trades(self, name: str, parts: list[str]) -> Feed | None:
        if len(parts) != 2:
            return None
        listing = self._listing(parts[0])
        if listing is not None and parts[1] == "single":
            listings = [listing]
        elif parts[0] in self.exchange.underlyings and parts[1] in ("all", "options", "future_rolls"):
            listings = self._of(parts[0]) if parts[1] == "all" else []
        else:
            return None
        feed = TradesFeed(self.exchange, name, listings)
        for member in listings:
            feed.listen(member.trade_feeds)
        return feed

    def _price_index(self, name: str, parts: list[str]) -> Feed | None:
        underlying = self._underlying(parts)
        if underlying is None:
            return None
        return self._index_feed(name, underlying, partial(self.exchange.index, underlying))

    def _index_feed(self, name: str, underlying: Underlying, state: Callable[[], object]) -> Feed:
        feed = StateFeed(self.exchange, name, state, self.exchange.options.index_period_ns)
        feed.listen(underlying.feeds)
        return feed

    def _base_price(self, name: str, parts: list[str]) -> Feed | None:
        if len(parts) != 2:
            return None
        for listing in self._of(parts[0]):
            if listing.active and listing.expiry_date == parts[1]:
                return self._index_feed(name, listing.underlying, partial(self._base, listing))
        return None

    def _base(self, listing: Listing) -> object:
        return {
            "base_name": listing.name,
            "price": listing.value(listing.mark_e8),
            "index": listing.value(listing.underlying.index_e8),
            "index_delta": 1 - self.exchange.fixing_progress(listing.underlying),
        }

    def _index_components(self, name: str, parts: list[str]) -> Feed | None:
        underlying = self._underlying(parts)
        if underlying is None:
            return None

        def state() -> object:
            price = self.exchange.number(underlying.index_e8)
            return {"index_price": price, "components": {"local": price}}

        return self._index_feed(name, underlying, state)

    def _statistics(self, name: str, parts: list[str]) -> Feed | None:
        underlying = self._underlying(parts)
        if underlying is None:
            return None
        return PeriodicFeed(self.exchange, name, partial(self.exchange.statistics, underlying), SECOND_NS)

    def _instruments(self, name: str, parts: list[str]) -> Feed | None:
        kind, underlying, expiry = "all", None, "all"
        if parts:
            if len(parts) != 3 or parts[0] not in ("all", "futures", "future_rolls", "options"):
                return None
            kind, underlying, expiry = parts
        if underlying not in (None, "all", *self.exchange.underlyings):
            return None

        def wanted(listing: Listing) -> bool:
            return (
                kind in ("all", "futures")
                and underlying in (None, "all", listing.underlying.name)
                and expiry in ("all", listing.expiry_date)
            )

        def start() -> object:
            listings = self.exchange.listings.values()
            return [{"added": listing.instrument()} for listing in listings if listing.active and wanted(listing)]

        feed = ListFeed(self.exchange, name, start)
        feed.wanted = wanted
        feed.listen(self.exchange.instrument_feeds)
        return feed

    def _banners(self, name: str, parts: list[str]) -> Feed | None:
        if parts:
            return None
        feed = StateFeed(self.exchange, name, lambda: self.exchange.banners, initial=True)
        feed.bind(self.exchange, "banners_feed")
        return feed

    def _system(self, name: str, parts: list[str]) -> Feed | None:
        if parts:
            return None
        feed = ListFeed(self.exchange, name)
        feed.bind(self.exchange, "system_feed")
        return feed

    def _rfqs(self, name: str, parts: list[str]) -> Feed | None:
        return None if parts else StateFeed(self.exchange, name, list, flagged=True, initial=True)
