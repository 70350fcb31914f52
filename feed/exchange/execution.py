"""Execution: placing, matching, cancelling and amending orders, and what follows from a fill (protocol 6.7 and 7.2).

One object owns the books. Each event ends with ``commit``: order changes go to the private channels first, then
protection, positions and market data, each encoded once.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from feed.exchange.accounts import PPM, Account, Position, fee_cash, usd
from feed.exchange.connection import Connection
from feed.exchange.instruments import E8
from feed.exchange.matching import Fill, Resting
from feed.exchange.options import SECOND_NS
from feed.exchange.orders import Order
from feed.exchange.trading import collared

if TYPE_CHECKING:
    from feed.exchange.exchange import Exchange
    from feed.exchange.listed import Listing, Print
    from feed.exchange.protection import Group


class Trade(NamedTuple):
    """One trade as the exchange knows it. Order ids of the crowd are anonymous to clients, here they are true."""

    time_ns: int
    instrument: str
    price_ticks: int
    lots: int
    taker_buys: bool
    maker_id: int
    taker_id: int
    trade_id: str


class Execution:
    """The matching side of the exchange. Every public method belongs to one event that ends with ``commit``."""

    def __init__(self, exchange: "Exchange", first_id: int) -> None:
        self.exchange = exchange
        self.options = exchange.options
        self.next_id = first_id
        self.trade_base = first_id
        self.trade_count = 0
        self.trades: deque[Trade] = deque(maxlen=exchange.options.history_limit)
        self.maker_ppm = round(exchange.options.maker_fee * PPM)
        self.taker_ppm = round(exchange.options.taker_fee * PPM)
        self.liquidation_ppm = round(exchange.options.liquidation_fee * PPM)
        self.fees = 0
        self.moves = 0
        """Prices moved because their orders were post-only."""
        self.crowd_orders: dict[int, tuple[Listing, Resting]] = {}
        self.touched: list[Listing] = []
        self.prints: dict[str, list[Print]] = {}
        self.sessions: list[Connection] = []
        self.moved: list[tuple[Account, Position]] = []
        self.hit: list[tuple[Connection, Group]] = []

    def new_id(self) -> int:
        """The next order id; never 0."""
        self.next_id += 1
        return self.next_id

    # --- placing --------------------------------------------------------------------------------------------------

    def crowd(self, listing: "Listing", buy: bool, price: int, lots: int, ioc: bool) -> Resting | None:
        """Match an anonymous order and rest what is left of it; returns it when it rests."""
        order = Resting(self.new_id(), buy, price, lots)
        self._touch(listing)
        if listing.book.crosses(buy, price):
            fills, left, _ = listing.book.match(buy, price, lots)
            self._settle(listing, order, fills)
            order.remaining = left
        rests = order.remaining > 0 and not ioc
        if rests:
            listing.book.rest(order)
            self.crowd_orders[order.id] = (listing, order)
        self._evaluate()
        return order if rests else None

    def place(self, order: Order, limit: int, change: str = "insert") -> bytes:
        """Match a checked order of a client at ``limit`` or better and rest the remainder; returns its OrderStatus.

        Post-only orders move or die here. The order must not be in the book.
        """
        listing = order.listing
        book = listing.book
        self._touch(listing)
        fills: list[dict[str, Any]] = []
        if book.crosses(order.buy, limit):
            if order.post_only:
                if order.reject_post_only:
                    return self._close(order, "immediate_cancel", change, fills)
                limit = order.price = book.post_price(order.buy, limit)
                self.moves += 1
                if limit <= 0:
                    return self._close(order, "immediate_cancel", change, fills)
            else:
                owner = order.account if order.stp else None
                if owner is not None and order.stp_no_fill and book.meets(order.buy, limit, order.remaining, owner):
                    return self._close(order, "self_trade_prevention", change, fills)
                matched, order.remaining, stopped = book.match(order.buy, limit, order.remaining, owner)
                fills = self._settle(listing, order, matched)
                if stopped:
                    raw = self._close(order, "self_trade_prevention", change, fills)
                elif order.remaining == 0:
                    raw = self._close(order, "filled", change, fills)
                elif order.ioc:
                    raw = self._close(order, "immediate_cancel", change, fills)
                else:
                    raw = self._rest(order, change, fills)
                self._evaluate()
                return raw
        if order.ioc:
            return self._close(order, "immediate_cancel", change, fills)
        return self._rest(order, change, fills)

    def _rest(self, order: Order, change: str, fills: list[dict[str, Any]]) -> bytes:
        order.listing.book.rest(order)
        self._expose(order, order.remaining)
        order.account.orders[order.id] = order
        order.session.opened(order)
        return self.report(order, change, fills)

    # --- removing -------------------------------------------------------------------------------------------------

    def cancel(self, order: Order, reason: str, change: str = "cancel") -> bytes:
        """Delete a live order; returns its last OrderStatus."""
        self._touch(order.listing)
        order.listing.book.remove(order)
        self._expose(order, -order.remaining)
        return self._close(order, reason, change, [])

    def cancel_all(self, orders: list[Order], reason: str) -> int:
        """Delete live orders; returns how many."""
        for order in orders:
            self.cancel(order, reason)
        return len(orders)

    def shrink(self, order: Order, amount: int, change: str) -> bytes:
        """Lower a live order's total amount to above what is filled, keeping its priority."""
        remaining = amount - order.filled
        self._touch(order.listing)
        self._expose(order, remaining - order.remaining)
        order.listing.book.reduce(order, remaining)
        order.amount = amount
        return self.report(order, change, [])

    def replace(self, order: Order, price: int, amount: int) -> bytes:
        """Amend a live order to a new price or larger amount: it leaves its place and is matched anew."""
        self._touch(order.listing)
        order.listing.book.remove(order)
        self._expose(order, -order.remaining)
        order.price = price
        order.amount = amount
        order.remaining = amount - order.filled
        keeps = self.options.amend_keeps_post_only
        post_only, order.post_only = order.post_only, order.post_only and keeps
        reject = order.reject_post_only
        order.reject_post_only = reject and self.options.amend_keeps_reject
        quote, order.quote = order.quote, False
        try:
            return self.place(order, price, "amend")
        finally:
            order.post_only = post_only
            order.reject_post_only = reject
            order.quote = quote

    def _close(self, order: Order, reason: str, change: str, fills: list[dict[str, Any]]) -> bytes:
        now_ns = self.exchange.now_ns
        order.delete_reason = reason
        order.close_ns = now_ns
        order.account.orders.pop(order.id, None)
        order.session.closed_order(order)
        if (
            order.filled
            or order.persistent
            or (not order.quote and reason not in ("client_cancel", "client_bulk_cancel"))
        ):
            self.exchange.recorded(order.account, None, order.closed())
        return self.report(order, change, fills)

    def _expose(self, order: Order, lots: int) -> None:
        position = order.account.position(order.listing)
        if order.buy:
            position.open_buy_e8 += lots * order.listing.lot_e8
        else:
            position.open_sell_e8 += lots * order.listing.lot_e8

    # --- fills ----------------------------------------------------------------------------------------------------

    def _settle(self, listing: "Listing", taker: Resting, fills: list[Fill]) -> list[dict[str, Any]]:
        """Book every fill of one aggressor; reports the makers, returns the taker's fills as shown."""
        now_ns = self.exchange.now_ns
        time = now_ns / SECOND_NS
        named = taker.buy if self.options.trade_side == "aggressor" else not taker.buy
        direction = "buy" if named else "sell"
        shown: list[dict[str, Any]] = []
        prints = self.prints.setdefault(listing.name, [])
        client = taker if isinstance(taker, Order) else None
        for maker, price, lots in fills:
            self.trade_count += 1
            trade_id = f"{self.trade_base:016X}{self.trade_count:016X}"
            row: Print = (listing.price(price), listing.amount(lots), direction, time, listing.name)
            prints.append(row)
            listing.prints.append(row)
            listing.tape.trade(now_ns, price, lots)
            self.trades.append(Trade(now_ns, listing.name, price, lots, taker.buy, maker.id, taker.id, trade_id))
            if client is not None:
                shown.append(self._fill(client, price, lots, trade_id, False))
            if isinstance(maker, Order):
                self._expose(maker, -lots)
                fill = self._fill(maker, price, lots, trade_id, True)
                if maker.remaining == 0:
                    self._close(maker, "filled", "fill", [fill])
                else:
                    self.report(maker, "fill", [fill])
            elif maker.remaining == 0:
                del self.crowd_orders[maker.id]
        return shown

    def crowd_reduce(self, order_id: int, lots: int) -> None:
        """Lower an anonymous order to ``lots``, or remove it; unknown ids have traded already."""
        entry = self.crowd_orders.get(order_id)
        if entry is None:
            return
        listing, order = entry
        self._touch(listing)
        if lots <= 0:
            listing.book.remove(order)
            del self.crowd_orders[order_id]
        else:
            listing.book.reduce(order, lots)

    def _fill(self, order: Order, price: int, lots: int, trade_id: str, maker: bool) -> dict[str, Any]:
        listing, account = order.listing, order.account
        now_ns = self.exchange.now_ns
        order.filled += lots
        amount_e8 = lots * listing.lot_e8
        index_e8 = listing.underlying.index_e8
        ppm = self.maker_ppm if maker else self.taker_ppm
        liquidation = order.insert_reason == "liquidation"
        extra = fee_cash(index_e8, amount_e8, self.liquidation_ppm) if liquidation else 0
        fee = fee_cash(index_e8, amount_e8, ppm) + extra
        self.fees += fee
        position = account.position(listing)
        signed_e8 = amount_e8 if order.buy else -amount_e8
        listing.open_interest_lots += (
            max(0, position.amount_e8 + signed_e8) - max(0, position.amount_e8)
        ) // listing.lot_e8
        if liquidation:
            position.liquidated_e8 += amount_e8
        pnl, carry = account.fill(position, signed_e8, price * listing.tick_e8, fee)
        self.exchange.crowd_pays(listing, -signed_e8, price * listing.tick_e8)
        moved = (account, position)
        if moved not in self.moved:
            self.moved.append(moved)
        fill: dict[str, Any] = {
            "trade_id": trade_id,
            "price": listing.price(price),
            "amount": listing.amount(lots),
            "time": now_ns / SECOND_NS,
            "maker_taker": "maker" if maker else "taker",
            "leg_index": 0,
        }
        order.fills.append(fill)
        row: dict[str, Any] = {
            "trade_type": "liquidation" if liquidation else "normal",
            "trade_id": trade_id,
            "order_id": f"{order.id:016X}",
            "instrument_name": listing.name,
            "direction": "buy" if order.buy else "sell",
            "price": fill["price"],
            "amount": fill["amount"],
            "label": order.label,
            "time": fill["time"],
            "position_after": listing.value(position.amount_e8),
            "session_realised_after": usd(account.realised),
        }
        if pnl:
            row["position_pnl"] = usd(pnl)
        if carry:
            row["perpetual_funding_pnl"] = usd(carry)
        row |= {"fee": usd(fee - extra), "index": index_e8 / E8, "fee_rate": ppm / PPM, "fee_basis": index_e8 / E8}
        if listing.perpetual:
            row["funding_mark"] = listing.funding_mark
        if liquidation:
            row["liquidation_fee"] = usd(extra)
        row["maker_taker"] = fill["maker_taker"]
        if order.client_id is not None:
            row["client_order_id"] = order.client_id
        row["leg_index"] = 0
        self.exchange.recorded(account, row, None)
        if order.quote:
            group = order.session.groups.get(listing.spec.product)
            if group is not None:
                group.remaining_e8 -= amount_e8
                if all(hit is not group for _, hit in self.hit):
                    self.hit.append((order.session, group))
        return fill

    def _evaluate(self) -> None:
        """Protection, once per aggressor: groups that executed are reported, exhausted ones lose their quotes."""
        if self.hit:
            hit, self.hit = self.hit, []
            for session, group in hit:
                session.protected(group, "executions")
                if group.exhausted:
                    self.cancel_all(session.quotes_of(group.product), "mm_protection")
        if self.moved:
            for account, position in self.moved:
                self._watch_reduce_only(account, position)

    def _watch_reduce_only(self, account: Account, position: Position) -> None:
        listing = position.listing
        held = position.amount_e8 // listing.lot_e8
        for order in [o for o in account.orders.values() if o.reduce_only and o.listing is listing]:
            allowed = max(0, -held if order.buy else held)
            if allowed == 0:
                self.cancel(order, "immediate_cancel")
            elif allowed < order.remaining:
                self.shrink(order, order.filled + allowed, "amend")

    def liquidate(self, account: Account) -> None:
        """Close positions at the market, within the collar; what finds no taker is tried again at the next mark."""
        now_ns = self.exchange.now_ns
        house = Connection(self.exchange, 0, lambda data: None, None, now_ns)
        house.account = account
        for position in list(account.positions.values()):
            listing = position.listing
            lots = abs(position.amount_e8) // listing.lot_e8
            if not lots or not listing.active:
                continue
            buy = position.amount_e8 < 0
            limit = collared(listing, buy, None, "clamp")
            order = Order(self.new_id(), house, listing, buy, limit, lots, now_ns)
            order.market = order.ioc = True
            order.stp = False
            order.insert_reason = "liquidation"
            self.place(order, limit)

    # --- reporting ------------------------------------------------------------------------------------------------

    def report(self, order: Order, change: str, fills: list[dict[str, Any]]) -> bytes:
        """Encode an order's change once, for its session and its account; returns the bytes."""
        order.change = change
        raw = order.encoded(change, fills)
        session = order.session
        if not session.updates:
            self.queue(session)
        session.updates.append((order, raw))
        return raw

    def queue(self, session: "Connection") -> None:
        """Let ``commit`` look at a session."""
        if session not in self.sessions:
            self.sessions.append(session)

    def _touch(self, listing: "Listing") -> None:
        if listing not in self.touched:
            self.touched.append(listing)

    def commit(self) -> None:
        """End of an event: send what it changed."""
        if self.sessions:
            sessions, self.sessions = self.sessions, []
            for session in sessions:
                session.flush()
        if self.moved:
            moved, self.moved = self.moved, []
            for account, position in moved:
                if account.portfolio_feed is not None:
                    account.portfolio_feed.push([position])
        if self.touched:
            now_ns = self.exchange.now_ns
            touched, self.touched = self.touched, []
            for listing in touched:
                self._publish(listing, now_ns)

    def _publish(self, listing: "Listing", now_ns: int) -> None:
        asks, bids = listing.book.dirty
        prints = self.prints.pop(listing.name, [])
        if not (asks or bids or prints):
            return
        listing.updated_ns = now_ns
        for feed in listing.book_feeds:
            feed.moved(now_ns, prints)
        asks.clear()
        bids.clear()
        if listing.top_feeds and self.options.ticker_on_book:
            top = listing.touch()
            if top != listing.top:
                listing.top = top
                for ticker in listing.top_feeds:
                    ticker.changed(now_ns)
        if prints:
            for trades in listing.trade_feeds:
                trades.traded(now_ns, prints)
