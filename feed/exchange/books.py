"""Order book channels: levels that changed, trades and totals (protocol section 8.5)."""

from typing import TYPE_CHECKING, Any

import orjson

from feed.exchange.feeds import Feed
from feed.exchange.options import SECOND_NS

if TYPE_CHECKING:
    from feed.exchange.exchange import Exchange
    from feed.exchange.listed import Listing, Print

Levels = dict[int, int]
"""Lots by price in ticks."""


class BookFeed(Feed):
    """book.<instrument>.<grouping>.<nlevels>.<delay>: only what changed, absolute amounts, totals over all levels.

    Every feed compares with what it last sent, full books only at the prices that changed; so a level that leaves a
    limited depth is reported as gone, and one that came and went unseen is not reported. A change beyond the limited
    depth alone is not worth a message, so the totals of limited books are those of their last message.
    """

    flagged = True

    def __init__(
        self, exchange: "Exchange", name: str, listing: "Listing", group_ticks: int, count: int | None, interval_ns: int
    ) -> None:
        super().__init__(exchange, name, interval_ns)
        self.listing = listing
        self.group_ticks = group_ticks
        self.count = count
        self.full = group_ticks == 1 and count is None
        self.prices: tuple[set[int], set[int]] = (set(), set())
        self.views: tuple[Levels, Levels] = ({}, {})
        self.trades: list[Print] = []

    def moved(self, now_ns: int, prints: list["Print"]) -> None:
        """The book changed, or traded; its ``dirty`` prices are still set."""
        if self.full:
            dirty = self.listing.book.dirty
            self.prices[0].update(dirty[0])
            self.prices[1].update(dirty[1])
        if prints:
            self.trades += prints
        self.changed(now_ns)

    def publish(self, now_ns: int) -> None:
        """Send trades and changes, together or apart."""
        if self.trades and not self.exchange.options.trades_with_levels:
            trades, self.trades = self.trades, []
            shown = self._totals({"trades": [[*row[:4], False] for row in trades]})
            self.send(self.head + orjson.dumps(shown) + b"}")
        super().publish(now_ns)

    def payload(self) -> object | None:
        """Trades and level changes since the last message; None if nothing remains of them."""
        out: dict[str, Any] = {"trades": [[*row[:4], False] for row in self.trades]}
        for buy, member in ((True, "bid_changes"), (False, "ask_changes")):
            changes = self._dirty_rows(buy) if self.full else self._view_rows(buy)
            if changes:
                out[member] = changes
        if len(out) == 1 and not self.trades:
            return None
        self.trades = []
        return self._totals(out)

    def snapshot(self) -> object:
        """The book as this channel last showed it, and its trades; what is pending follows for everybody."""
        listing = self.listing
        shown = list(listing.prints)[: -len(self.trades)] if self.trades else listing.prints
        out: dict[str, Any] = {"trades": [[*row[:4], False] for row in shown]}
        for buy, member in ((True, "bid_changes"), (False, "ask_changes")):
            view = self.views[buy]
            if len(self.subscribers) == 1:
                view.clear()
                view.update(self._view(buy))
            out[member] = [self._row(ticks, view[ticks]) for ticks in sorted(view, reverse=buy)]
        self._totals(out)
        if self.full:
            out["total_bid_amount"] = listing.amount(sum(self.views[True].values()))
            out["total_ask_amount"] = listing.amount(sum(self.views[False].values()))
        return out

    def _totals(self, out: dict[str, Any]) -> dict[str, Any]:
        listing = self.listing
        totals = listing.book.totals
        out["total_bid_amount"] = listing.amount(totals[True])
        out["total_ask_amount"] = listing.amount(totals[False])
        out["time"] = listing.updated_ns / SECOND_NS
        return out

    def _row(self, ticks: int, lots: int) -> list[int | float]:
        amount = self.listing.amount(lots)
        return [self.listing.price(ticks), amount, amount]

    def _dirty_rows(self, buy: bool) -> list[list[int | float]]:
        prices = self.prices[buy]
        if not prices:
            return []
        levels, view = self.listing.book.levels[buy], self.views[buy]
        rows = []
        for ticks in sorted(prices, reverse=buy) if len(prices) > 1 else prices:
            level = levels.get(ticks)
            lots = level.lots if level is not None else 0
            if lots == view.get(ticks, 0):
                continue
            if lots:
                view[ticks] = lots
            else:
                del view[ticks]
            rows.append(self._row(ticks, lots))
        prices.clear()
        return rows

    def _view(self, buy: bool) -> Levels:
        group = self.group_ticks
        view: Levels = {}
        for level in self.listing.book.walk(buy):
            ticks = level.price // group * group if buy else -(-level.price // group) * group
            if ticks not in view and len(view) == self.count:
                break
            view[ticks] = view.get(ticks, 0) + level.lots
        return view

    def _view_rows(self, buy: bool) -> list[list[int | float]]:
        sent, view = self.views[buy], self._view(buy)
        rows = [self._row(ticks, 0) for ticks in sent if ticks not in view]
        rows += [self._row(ticks, lots) for ticks, lots in view.items() if sent.get(ticks) != lots]
        sent.clear()
        sent.update(view)
        return rows
