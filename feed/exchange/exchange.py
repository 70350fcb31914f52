"""The local exchange: markets, accounts and sessions behind the venue's protocol, sans-IO and deterministic.

Time is an argument (epoch ns) and never goes back; the same market, options, seed and inputs give the same bytes. Not
thread-safe, one owner. ``Exchange`` is the ``Floor`` its market trades on.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from feed.exchange.accounts import CASH_PER_E16, Account, usd
from feed.exchange.channels import Channels
from feed.exchange.connection import CLOSE_GOING_AWAY, Connection
from feed.exchange.errors import Code, RequestError
from feed.exchange.execution import Execution, Trade
from feed.exchange.instruments import E8
from feed.exchange.listed import TWAP_NS, Listing, Underlying
from feed.exchange.login import Logins
from feed.exchange.market import NEVER_NS, Market
from feed.exchange.methods import METHODS
from feed.exchange.numbers import as_float, plain
from feed.exchange.options import SECOND_NS, Options
from feed.exchange.orders import Order

if TYPE_CHECKING:
    from feed.exchange.feeds import ListFeed, StateFeed

DAY_NS = 86_400 * SECOND_NS
TICK_NS = SECOND_NS
"""Interval of marks and funding (protocol section 11: about one a second)."""
CLOSE_NOTICE_NS = 10 * SECOND_NS


class Exchange:
    """One exchange over one market. Call ``start`` once, then ``advance`` whenever ``next_ns`` is due."""

    def __init__(self, market: Market, options: Options | None = None, seed: int = 0) -> None:
        self.market = market
        self.options = options or Options()
        self.number = as_float if self.options.whole_numbers_as_float else plain
        self.now_ns = 0
        self.timers: list[tuple[int, int, Callable[[int], None]]] = []
        self.timer_count = 0
        self.underlyings: dict[str, Underlying] = {}
        self.listings: dict[str, Listing] = {}
        self.expired: dict[str, int] = {}
        """Settlement price in 1e-8 USD by name of the instruments that have expired."""
        self.accounts: dict[str, Account] = {}
        self.connections: dict[int, Connection] = {}
        self.connection_count = 0
        self.crowd: dict[str, int] = {}
        self.crowd_cash = 0
        self.records: deque[tuple[int, Account, dict[str, Any] | None, dict[str, Any] | None]] = deque()
        self.banners: list[dict[str, Any]] = []
        self.banners_feed: StateFeed | None = None
        self.system_feed: ListFeed | None = None
        self.instrument_feeds: list[ListFeed] = []
        self.logins = Logins(self.options)
        self.execution = Execution(self, random.Random(seed).getrandbits(40) << 20)
        self.channels = Channels(self)
        self.methods = METHODS
        self.products: set[str] = set()
        self.gathering = False

    # --- clock ----------------------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> None:
        """List the market's instruments and let it fill the books."""
        self.now_ns = now_ns
        for spec in self.market.instruments:
            underlying = self.underlyings.setdefault(spec.underlying, Underlying(spec.underlying))
            self.listings[spec.name] = Listing(spec, underlying, self.options)
            self.products.add(spec.product)
            if spec.expiry_ns:
                self.at(spec.expiry_ns, lambda now_ns, name=spec.name: self._expire(name, now_ns))  # type: ignore[misc]
        self.at(now_ns + TICK_NS, self._tick)
        settlement_ns = now_ns - now_ns % DAY_NS + self.options.settlement_ns
        self.at(settlement_ns if settlement_ns > now_ns else settlement_ns + DAY_NS, self._settle)
        self.market.start(self, now_ns)
        for underlying in self.underlyings.values():
            underlying.previous_settlement_e8 = underlying.index_e8

    def at(self, due_ns: int, act: Callable[[int], None]) -> None:
        """Call ``act(now_ns)`` when ``due_ns`` has come; equal times in the order they were set."""
        self.timer_count += 1
        heappush(self.timers, (due_ns, self.timer_count, act))

    def next_ns(self) -> int:
        """When ``advance`` has something to do next, ``NEVER_NS`` for never."""
        timer_ns = self.timers[0][0] if self.timers else NEVER_NS
        return min(timer_ns, self.market.next_ns())

    def advance(self, now_ns: int) -> None:
        """Do everything due up to ``now_ns``, each at its own time."""
        timers, market = self.timers, self.market
        while True:
            timer_ns = timers[0][0] if timers else NEVER_NS
            market_ns = market.next_ns()
            due_ns = min(timer_ns, market_ns)
            if due_ns > now_ns:
                break
            self.now_ns = max(self.now_ns, due_ns)
            if timer_ns <= market_ns:
                heappop(timers)[2](self.now_ns)
                self.execution.commit()
            else:
                market.advance(due_ns)
        self.now_ns = max(self.now_ns, now_ns)

    # --- the market's floor ---------------------------------------------------------------------------------------

    def insert(self, instrument: str, buy: bool, price_ticks: int, lots: int, *, ioc: bool = False) -> int:
        """Insert an anonymous limit order; it matches at once where it crosses. Returns its id, 0 if nothing rests."""
        listing = self.listings[instrument]
        if not listing.active or lots <= 0 or price_ticks <= 0:
            return 0
        order = self.execution.crowd(listing, buy, price_ticks * listing.crowd_step, lots, ioc)
        if not self.gathering:
            self.execution.commit()
        return order.id if order is not None else 0

    def reduce(self, order_id: int, lots: int) -> None:
        """Lower an anonymous order's remaining amount, keeping its priority; 0 removes it. Unknown ids are ignored."""
        self.execution.crowd_reduce(order_id, lots)
        if not self.gathering:
            self.execution.commit()

    def together(self, act: Callable[[], None]) -> None:
        """Do several acts of the crowd as one event: what it changed is published once, at its end."""
        self.gathering = True
        try:
            act()
        finally:
            self.gathering = False
        self.execution.commit()

    def remaining(self, order_id: int) -> int:
        """Remaining lots of an anonymous order, 0 when it is gone."""
        entry = self.execution.crowd_orders.get(order_id)
        return entry[1].remaining if entry is not None else 0

    def best(self, instrument: str, buy: bool) -> tuple[int, int] | None:
        """Best price in ticks and total lots of a side, all orders included; None when the side is empty.

        Ticks of the crowd, which a refined tick leaves as they were: a price in between counts as the next worse one.
        """
        listing = self.listings[instrument]
        level = listing.book.best(buy)
        if level is None:
            return None
        price = level.price // listing.crowd_step if buy else -(-level.price // listing.crowd_step)
        return price, level.lots

    def set_index(self, underlying: str, price_usd: float) -> None:
        """Publish a new index price; marks and funding follow from it. Ignored unless it is positive and finite."""
        if not 0 < price_usd < float("inf"):
            return
        state = self.underlyings[underlying]
        first = not state.index_e8
        state.index_e8 = max(1, round(price_usd * E8))
        state.index_ns = self.now_ns
        if first:
            for listing in self._of(state):
                listing.first_index(self.now_ns)
        for feed in state.feeds:
            feed.changed(self.now_ns)

    # --- clients --------------------------------------------------------------------------------------------------

    def connect(
        self, send: Callable[[bytes], None], now_ns: int, close: Callable[[int, str], None] | None = None
    ) -> Connection:
        """Open a session: ``send`` gets each message, ``close`` a code and reason when the exchange ends it."""
        self.advance(now_ns)
        self.connection_count += 1
        connection = Connection(self, self.connection_count, send, close, now_ns)
        self.connections[connection.number] = connection
        return connection

    def listing(self, name: str) -> Listing:
        """The active instrument of that name. Raises RequestError 5."""
        listing = self.listings.get(name)
        if listing is None or not listing.active:
            raise RequestError(Code.UNKNOWN_INSTRUMENT)
        return listing

    def account(self, number: str) -> Account:
        """The account of that number, opened with the deposit at first use."""
        account = self.accounts.get(number)
        if account is None:
            account = self.accounts[number] = Account(number, self.options, self.now_ns)
        return account

    def recorded(self, account: Account, trade: dict[str, Any] | None, order: dict[str, Any] | None) -> None:
        """Let the history know of a fill or a closed order once the database has it."""
        due_ns = self.now_ns + self.options.database_delay_ns
        if not self.records:
            self.at(due_ns, self._store)
        self.records.append((due_ns, account, trade, order))

    def crowd_pays(self, listing: Listing, signed_e8: int, price_e8: int) -> None:
        """Book the other side of a client's fill to the anonymous crowd."""
        self.crowd[listing.name] = self.crowd.get(listing.name, 0) + signed_e8
        self.crowd_cash -= price_e8 * signed_e8 * CASH_PER_E16 + listing.funding_mark_e12 * signed_e8

    # --- operations -----------------------------------------------------------------------------------------------

    def set_banners(self, banners: list[dict[str, Any]], now_ns: int) -> None:
        """Replace the banners (id, time, severity, title, message) and publish them."""
        self.advance(now_ns)
        self.banners = banners
        if self.banners_feed is not None:
            self.banners_feed.publish(now_ns)

    def announce_close(self, now_ns: int, notice_ns: int = CLOSE_NOTICE_NS) -> None:
        """Ask clients to reconnect, and close the connections that are open now after ``notice_ns``."""
        self.advance(now_ns)
        if self.system_feed is not None:
            self.system_feed.push({"event": "reconnect"})
        doomed = list(self.connections.values())

        def close(due_ns: int) -> None:
            for connection in doomed:
                connection.end(due_ns, CLOSE_GOING_AWAY, "reconnect")

        self.at(now_ns + notice_ns, close)

    def failover(self, now_ns: int) -> None:
        """Fail over to another matching engine: non-persistent orders and protection groups are lost."""
        self.advance(now_ns)
        for connection in list(self.connections.values()):
            connection.drop_orders("failover")
        self.execution.commit()

    # --- truth, for tests and simulators --------------------------------------------------------------------------

    @property
    def trades(self) -> deque[Trade]:
        """Every trade, oldest first, up to the history limit."""
        return self.execution.trades

    def open_orders(self, account: str) -> list[Order]:
        """Live orders of an account, quotes included."""
        return list(self.account(account).orders.values())

    def position(self, account: str, instrument: str) -> float:
        """Signed position in contracts."""
        held = self.account(account).positions.get(instrument)
        return held.amount_e8 / E8 if held is not None else 0.0

    def cash_usd(self, account: str) -> float:
        """USD received minus paid since opening, on trades, fees and settled funding; the deposit is not in it."""
        return usd(self.account(account).flow())

    def equity_usd(self, account: str) -> float:
        """Deposit, cash and positions at mark."""
        return usd(self.account(account).margin())

    def fees_usd(self, account: str | None = None) -> float:
        """Fees paid since the last settlement by one account, or ever by all."""
        if account is None:
            return usd(self.execution.fees)
        return usd(sum(position.fees for position in self.account(account).positions.values()))

    def crowd_cash_usd(self) -> float:
        """The same flow as ``cash_usd``, of the crowd; clients' trades among themselves cancel out."""
        return usd(self.crowd_cash)

    # --- shown state ----------------------------------------------------------------------------------------------

    def _of(self, underlying: Underlying) -> list[Listing]:
        return [listing for listing in self.listings.values() if listing.underlying is underlying and listing.active]

    def fixing_progress(self, underlying: Underlying) -> float:
        """How much of the 30 minutes before an expiry has passed, 0 when none is being fixed."""
        for listing in self._of(underlying):
            started_ns = listing.spec.expiry_ns - TWAP_NS
            if listing.spec.expiry_ns and self.now_ns >= started_ns:
                return min(1.0, (self.now_ns - started_ns) / TWAP_NS)
        return 0.0

    def index(self, underlying: Underlying) -> Mapping[str, Any]:
        """The index as ``public/index`` and ``price_index`` show it."""
        price = self.number(underlying.index_e8)
        out: dict[str, Any] = {
            "index_name": underlying.name,
            "price": price,
            "timestamp": underlying.index_ns / SECOND_NS,
        }
        progress = self.fixing_progress(underlying)
        if progress:
            average = underlying.fixing_e8 / E8
            out["expiration_print_average"] = average
            out["expiration_progress"] = progress
            out["expected_expiration_price"] = progress * average + (1 - progress) * price
        out["previous_settlement_price"] = self.number(underlying.previous_settlement_e8)
        return out

    def statistics(self, underlying: Underlying) -> Mapping[str, Any]:
        """``underlying_statistics``: everything here is delta one."""
        listings = self._of(underlying)
        volume = sum(listing.tape.lots * listing.lot_e8 for listing in listings) / E8
        value = sum(listing.tape.value * listing.tick_e8 * listing.lot_e8 for listing in listings) / E8**2
        interest = {listing.name: listing.open_interest_lots * listing.lot_e8 / E8 for listing in listings}
        dated = [listing for listing in listings if listing.spec.expiry_ns]
        future = sum(interest[listing.name] for listing in dated)
        return {
            "trade_volume_24h": volume,
            "option_volume_24h": 0,
            "delta_one_volume_24h": volume,
            "trade_value_24h": value,
            "option_value_24h": 0,
            "delta_one_value_24h": value,
            "open_interest": {
                "expirations": [
                    {
                        "expiration_timestamp": listing.spec.expiry_ns // SECOND_NS,
                        "expiry_date": listing.expiry_date,
                        "call": 0,
                        "put": 0,
                        "option": 0,
                        "future": interest[listing.name],
                    }
                    for listing in dated
                ],
                "totals": {"call": 0, "put": 0, "option": 0, "future": future, "delta_one": sum(interest.values())},
            },
        }

    # --- timers ---------------------------------------------------------------------------------------------------

    def _tick(self, now_ns: int) -> None:
        for underlying in self.underlyings.values():
            fixing = any(s.spec.expiry_ns > 0 and now_ns > s.spec.expiry_ns - TWAP_NS for s in self._of(underlying))
            if fixing:
                underlying.fixing_sum += underlying.index_e8
                underlying.fixing_count += 1
            else:
                underlying.fixing_sum = underlying.fixing_count = 0
        for listing in self.listings.values():
            if listing.active and listing.underlying.index_e8:
                listing.tick(now_ns, TICK_NS)
                for feed in list(listing.top_feeds):
                    feed.changed(now_ns)
        for account in self.accounts.values():
            if account.portfolio_feed is not None:
                account.portfolio_feed.marked()
            if account.orders and self.options.margin_rate and account.required() > usd(account.margin()):
                self.execution.cancel_all(account.risk_increasing(), "margin_breach")
            if self.options.margin_rate and account.in_liquidation():
                self.execution.liquidate(account)
        self.at(now_ns + TICK_NS, self._tick)

    def _store(self, now_ns: int) -> None:
        """The database has caught up: publish what it has stored."""
        records = self.records
        while records and records[0][0] <= now_ns:
            _, account, trade, order = records.popleft()
            if trade is not None:
                account.trades_history.append(trade)
                if account.trades_history_feed is not None:
                    account.trades_history_feed.push([trade])
            if order is not None:
                account.orders_history.append(order)
                if account.orders_history_feed is not None:
                    account.orders_history_feed.push([order])
        if records:
            self.at(records[0][0], self._store)

    def _settle(self, now_ns: int) -> None:
        """Daily settlement: P&L and funding are paid out at the mark and start again from zero."""
        for account in self.accounts.values():
            account.settle(now_ns)
        for listing in self.listings.values():
            self.crowd_cash += listing.funding_mark_e12 * self.crowd.get(listing.name, 0)
            listing.settle()
        for underlying in self.underlyings.values():
            underlying.previous_settlement_e8 = underlying.index_e8
        self.at(now_ns + DAY_NS, self._settle)

    def refine_tick(self, name: str, parts: int) -> None:
        """Divide an instrument's price tick: every order on it is deleted, and the channel tells both instruments.

        How the venue announces such a change is not known. Raises ValueError where the tick cannot be divided so.
        """
        listing = self.listings[name]
        if parts < 2 or listing.tick_e8 % parts:
            raise ValueError(f"{name}: a tick of {listing.tick_e8}e-8 has no {parts} parts")
        before = listing.instrument()
        self._clear(listing)
        self.execution.commit()
        listing.refine(parts)
        for feed in self.instrument_feeds:
            if feed.wanted(listing):
                feed.push([{"removed": before}, {"added": listing.instrument()}])

    def expire(self, name: str) -> None:
        """End an instrument at once, as its expiry would."""
        self._expire(name, self.now_ns)

    def _clear(self, listing: Listing) -> None:
        """Delete every order on an instrument."""
        for order_id, (where, _) in list(self.execution.crowd_orders.items()):
            if where is listing:
                self.execution.crowd_reduce(order_id, 0)
        for account in self.accounts.values():
            orders = [order for order in account.orders.values() if order.listing is listing]
            self.execution.cancel_all(orders, "instrument_deactivated")

    def _expire(self, name: str, now_ns: int) -> None:
        """Expiry: orders are deleted, positions end at the average index, the instrument is gone."""
        listing = self.listings[name]
        price_e8 = listing.underlying.fixing_e8
        self._clear(listing)
        for account in self.accounts.values():
            held = account.positions.get(name)
            if held is not None and held.amount_e8:
                amount_e8 = held.amount_e8
                account.fill(held, -amount_e8, price_e8, 0)
                self.crowd_pays(listing, amount_e8, price_e8)
                if account.portfolio_feed is not None:
                    account.portfolio_feed.push([held])
        self.execution.commit()
        listing.active = False
        listing.open_interest_lots = 0
        self.expired[name] = price_e8
        for feed in self.instrument_feeds:
            if feed.wanted(listing):
                feed.push([{"removed": listing.instrument()}])
