"""A recorded book as anonymous orders on the floor, so that a client's order has a place in the queue.

The amount recorded at a price is what the crowd shows there; it rests as a list of orders in time order. When the
amount grows, a new order joins the queue at the back; when it shrinks without a trade, orders are cancelled, the
newest first (a client moves up only when nobody behind it is left to cancel: the cautious assumption) or each by the
same share. A recorded trade is an order of its aggressor, which the matching engine fills in price and time order: a
client's order trades when its turn comes.

What a client can be filled by, and by nothing else:

- a recorded trade at its price, after the crowd's orders ahead of it are used up;
- a recorded trade through its price (the aggressor would have met the client first);
- the recorded opposite side arriving at or beyond its price: an exchange never shows that book, the newcomer would have
  traded. It does so with its whole amount once, then only with recorded growth: the same seller does not sell twice.

A trade by the other side's aggressor at a client's price, or its own side's best arriving there, fills nobody.
"""

from collections.abc import Iterable
from typing import Literal

from feed.exchange.market import Floor

Cancels = Literal["newest", "pro_rata"]
"""Who leaves when a level shrinks without a trade."""

_MAX_ORDERS = 32  # a level: more are merged at the back, so that flicker cannot make the queue long


class _Level:
    """The crowd at one price: the last recorded amount, and its orders in time order."""

    __slots__ = ("orders", "recorded_lots")

    def __init__(self) -> None:
        self.recorded_lots = 0
        self.orders: list[int] = []


class RecordedDepth:
    """The crowd's side of one instrument's book. Prices in ticks, amounts in lots.

    Levels that a later row proves wrong (a trade beyond them, an opposite order across them) are taken off the floor
    and return with the next message, unless that says otherwise.
    """

    def __init__(self, floor: Floor, instrument: str, cancels: Cancels = "newest") -> None:
        self._floor = floor
        self._name = instrument
        self._newest_first = cancels == "newest"
        self._sides: dict[bool, dict[int, _Level]] = {True: {}, False: {}}
        self._suspended: set[tuple[bool, int]] = set()

    def replace(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """The whole book is ``rows``: (buy, price, lots)."""
        target = {(bool(buy), price): lots for buy, price, lots in rows}
        gone = [(buy, price, 0) for buy, side in self._sides.items() for price in side if (buy, price) not in target]
        self.apply([*gone, *((buy, price, lots) for (buy, price), lots in target.items())])

    def apply(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """One message of absolute amounts: (buy, price, lots), 0 lots for a level that is gone.

        The last row of a price counts. Amounts shrink before any grows, so that a book that moves does not trade with
        what it leaves behind.
        """
        growing: list[tuple[bool, int, int]] = []
        suspended = self._suspended
        for buy_flag, price, lots in rows:
            buy = bool(buy_flag)
            side = self._sides[buy]
            level = side.get(price)
            if level is None:
                if not lots:
                    continue
                level = side[price] = _Level()
            elif suspended:
                suspended.discard((buy, price))
            growth = lots - level.recorded_lots
            level.recorded_lots = lots
            surplus = self._resting_lots(level) - lots
            if surplus > 0:
                self._cancel(level, surplus)
            elif surplus < 0:
                growing.append((buy, price, growth))
            if not lots:
                del side[price]
        if growing:
            self._grow(growing)
        if suspended:
            self._restore()

    def trade(self, buy: bool, price: int, lots: int) -> None:
        """A recorded trade; ``buy`` when the buyer was the aggressor.

        The crowd's better levels are gone by then. Where less is known to rest at the price than was traded, the
        difference was hidden or too new to be recorded: it stands in at the very back of the queue, if no bid (offer)
        is in the way.
        """
        floor, name = self._floor, self._name
        self._suspend_beyond(not buy, price - 1 if buy else price + 1)
        level = self._sides[not buy].get(price)
        missing = lots
        if level is not None:
            missing -= self._resting_lots(level)
            level.recorded_lots = max(0, level.recorded_lots - lots)
        stand_in = 0
        if missing > 0:
            self._suspend_beyond(buy, price)
            own_best = floor.best(name, buy)
            if own_best is None or (own_best[0] < price if buy else own_best[0] > price):
                stand_in = floor.insert(name, not buy, price, missing)
        floor.insert(name, buy, price, lots, ioc=True)
        if stand_in:
            floor.reduce(stand_in, 0)

    def _grow(self, growing: list[tuple[bool, int, int]]) -> None:
        floor, name = self._floor, self._name
        opposite = {True: floor.best(name, False), False: floor.best(name, True)}
        for buy, price, growth in growing:
            level = self._sides[buy].get(price)
            if level is None or level.recorded_lots == 0:
                continue
            missing = level.recorded_lots - self._resting_lots(level)
            if missing <= 0:
                continue
            best = opposite[buy]
            crosses = best is not None and (best[0] <= price if buy else best[0] >= price)
            if crosses:
                self._suspend_beyond(not buy, price)
                best = floor.best(name, not buy)
                if best is not None and (best[0] <= price if buy else best[0] >= price):
                    missing = min(missing, max(0, growth))
            if missing:
                self._join(level, buy, price, missing)
                self._suspended.discard((buy, price))
            if crosses:
                opposite[buy] = floor.best(name, not buy)
            opposite[not buy] = _better(buy, opposite[not buy], price)

    def _join(self, level: _Level, buy: bool, price: int, lots: int) -> None:
        orders = level.orders
        if len(orders) >= _MAX_ORDERS:
            newest = orders.pop()
            lots += self._floor.remaining(newest)
            self._floor.reduce(newest, 0)
        order_id = self._floor.insert(self._name, buy, price, lots)
        if order_id:
            orders.append(order_id)

    def _resting_lots(self, level: _Level) -> int:
        """What is left of the level's orders; those used up are forgotten (they are the oldest)."""
        orders, remaining = level.orders, self._floor.remaining
        total = 0
        used_up = 0
        for order_id in orders:
            lots = remaining(order_id)
            if lots:
                total += lots
            else:
                used_up += 1
        if used_up:
            del orders[:used_up]
        return total

    def _cancel(self, level: _Level, lots: int) -> None:
        """Take ``lots`` off the level's orders, all of which rest."""
        floor, orders = self._floor, level.orders
        if self._newest_first:
            while lots and orders:
                resting = floor.remaining(orders[-1])
                cut = min(resting, lots)
                floor.reduce(orders[-1], resting - cut)
                lots -= cut
                if cut == resting:
                    orders.pop()
            return
        resting_lots = [floor.remaining(order_id) for order_id in orders]
        before = sum(resting_lots)
        after = before - lots
        # Shares of the running total, so that the parts add up to the whole.
        seen = kept = 0
        for order_id, resting in zip(tuple(orders), resting_lots, strict=True):
            seen += resting
            keep = seen * after // before - kept
            kept += keep
            if keep != resting:
                floor.reduce(order_id, keep)
            if not keep:
                orders.remove(order_id)

    def _suspend_beyond(self, buy: bool, limit: int) -> None:
        """Take the crowd's levels of a side at ``limit`` or better off the floor."""
        best = self._floor.best(self._name, buy)
        if best is None or (best[0] < limit if buy else best[0] > limit):
            return
        side = self._sides[buy]
        span = range(limit, best[0] + 1) if buy else range(best[0], limit + 1)
        if len(span) > len(side):
            prices = [price for price in side if price in span]
        else:
            prices = [price for price in span if price in side]
        for price in prices:
            level = side[price]
            for order_id in level.orders:
                self._floor.reduce(order_id, 0)
            level.orders.clear()
            self._suspended.add((buy, price))

    def _restore(self) -> None:
        """Put back the suspended levels that the last message left as they were, where nothing is in their way."""
        floor, name = self._floor, self._name
        for buy, price in sorted(self._suspended):
            level = self._sides[buy].get(price)
            if level is not None and level.recorded_lots:
                best = floor.best(name, not buy)
                if best is not None and (best[0] <= price if buy else best[0] >= price):
                    continue
                self._join(level, buy, price, level.recorded_lots)
            self._suspended.discard((buy, price))


def _better(buy: bool, best: tuple[int, int] | None, price: int) -> tuple[int, int]:
    """Best of ``best`` and a new order at ``price`` on the ``buy`` side; its lots do not matter here."""
    if best is None:
        return price, 0
    return (max(best[0], price) if buy else min(best[0], price)), best[1]
