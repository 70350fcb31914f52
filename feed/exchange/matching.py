"""Price-time order book of one instrument (protocol section 6.7): prices in ticks, amounts in lots, no accounts.

A level is a linked list of orders in time order, a side a sorted list of prices whose best is last, so that everything
happening at the touch costs O(1).
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import NamedTuple


class Resting:
    """An order as the book sees it, all a crowd's order is. ``owner`` is what self trade prevention compares."""

    __slots__ = ("below", "buy", "id", "level", "owner", "price", "remaining", "upper")

    def __init__(self, order_id: int, buy: bool, price: int, remaining: int, owner: object = None) -> None:
        self.id = order_id
        self.buy = buy
        self.price = price
        self.remaining = remaining
        self.owner = owner
        self.level: Level | None = None
        self.upper: Resting | None = None
        self.below: Resting | None = None


class Level:
    """All orders of one price: the first to trade is ``head``; ``lots`` is their sum."""

    __slots__ = ("head", "lots", "price", "tail")

    def __init__(self, price: int) -> None:
        self.price = price
        self.lots = 0
        self.head: Resting | None = None
        self.tail: Resting | None = None


class Fill(NamedTuple):
    """One execution against a resting order, at its price."""

    maker: Resting
    price: int
    lots: int


class Book:
    """Both sides of one instrument; index the pairs by ``buy`` (False: asks, True: bids).

    ``dirty`` collects the prices whose amount changed since it was last cleared, for the channels.
    """

    __slots__ = ("dirty", "keys", "levels", "totals")

    def __init__(self) -> None:
        self.levels: tuple[dict[int, Level], dict[int, Level]] = ({}, {})
        self.keys: tuple[list[int], list[int]] = ([], [])
        self.totals = [0, 0]
        self.dirty: tuple[set[int], set[int]] = (set(), set())

    def best(self, buy: bool) -> Level | None:
        """Best level of a side, None when it is empty."""
        keys = self.keys[buy]
        if not keys:
            return None
        return self.levels[buy][keys[-1] if buy else -keys[-1]]

    def side(self, buy: bool, count: int | None = None) -> list[Level]:
        """Levels of a side, best first, at most ``count``."""
        keys = self.keys[buy]
        levels = self.levels[buy]
        chosen = keys[::-1] if count is None else keys[: -count - 1 : -1]
        return [levels[key] for key in chosen] if buy else [levels[-key] for key in chosen]

    def walk(self, buy: bool) -> Iterator[Level]:
        """Levels of a side, best first, one at a time; the book must not change meanwhile."""
        levels = self.levels[buy]
        for key in reversed(self.keys[buy]):
            yield levels[key if buy else -key]

    def crosses(self, buy: bool, price: int) -> bool:
        """Whether an order at ``price`` would trade at once."""
        keys = self.keys[not buy]
        if not keys:
            return False
        return -keys[-1] <= price if buy else keys[-1] >= price

    def post_price(self, buy: bool, price: int) -> int:
        """The price moved to one tick away from the opposite best where it would cross."""
        best = self.best(not buy)
        if best is None:
            return price
        return min(price, best.price - 1) if buy else max(price, best.price + 1)

    def rest(self, order: Resting) -> None:
        """Append an order that does not cross to the end of its level's queue."""
        buy, price = order.buy, order.price
        levels = self.levels[buy]
        level = levels.get(price)
        if level is None:
            level = levels[price] = Level(price)
            insort(self.keys[buy], price if buy else -price)
        order.level = level
        tail = level.tail
        order.upper = tail
        order.below = None
        if tail is None:
            level.head = order
        else:
            tail.below = order
        level.tail = order
        level.lots += order.remaining
        self.totals[buy] += order.remaining
        self.dirty[buy].add(price)

    def remove(self, order: Resting) -> None:
        """Take a resting order out of its queue; its ``remaining`` is left as it is."""
        level = order.level
        if level is None:
            return
        self._lower(level, order.buy, order.remaining)
        self._unlink(order, level)

    def reduce(self, order: Resting, remaining: int) -> None:
        """Lower a resting order's remaining amount to a positive value, keeping its place."""
        level = order.level
        if level is None or not 0 < remaining < order.remaining:
            return
        self._lower(level, order.buy, order.remaining - remaining)
        order.remaining = remaining

    def match(self, buy: bool, limit: int, lots: int, owner: object = None) -> tuple[list[Fill], int, bool]:
        """Take up to ``lots`` at ``limit`` or better.

        Returns the fills, the lots left, and whether an order of the same (non-None) ``owner`` stopped it.
        """
        fills: list[Fill] = []
        keys = self.keys[not buy]
        levels = self.levels[not buy]
        while lots and keys:
            price = -keys[-1] if buy else keys[-1]
            if (price > limit) if buy else (price < limit):
                break
            level = levels[price]
            maker = level.head
            while maker is not None and lots:
                if owner is not None and maker.owner is owner:
                    return fills, lots, True
                traded = min(maker.remaining, lots)
                lots -= traded
                fills.append(Fill(maker, price, traded))
                self._lower(level, not buy, traded)
                maker.remaining -= traded
                if maker.remaining == 0:
                    self._unlink(maker, level)
                maker = level.head
        return fills, lots, False

    def meets(self, buy: bool, limit: int, lots: int, owner: object) -> bool:
        """Whether taking ``lots`` at ``limit`` would reach an order of ``owner``."""
        for level in self.walk(not buy):
            if (level.price > limit) if buy else (level.price < limit):
                return False
            order = level.head
            while order is not None:
                if lots <= 0:
                    return False
                if order.owner is owner:
                    return True
                lots -= order.remaining
                order = order.below
        return False

    def average_ticks(self, buy: bool, lots: int) -> float | None:
        """Average price of taking ``lots`` from the side a buyer (seller) hits; None when it does not hold so much."""
        left = lots
        value = 0
        for level in self.walk(not buy):
            traded = min(left, level.lots)
            value += traded * level.price
            left -= traded
            if left == 0:
                return value / lots
        return None

    def _lower(self, level: Level, buy: bool, lots: int) -> None:
        level.lots -= lots
        self.totals[buy] -= lots
        self.dirty[buy].add(level.price)

    def _unlink(self, order: Resting, level: Level) -> None:
        upper, below = order.upper, order.below
        if upper is None:
            level.head = below
        else:
            upper.below = below
        if below is None:
            level.tail = upper
        else:
            below.upper = upper
        order.level = order.upper = order.below = None
        if level.head is None:
            buy = order.buy
            keys = self.keys[buy]
            key = level.price if buy else -level.price
            del keys[bisect_left(keys, key)]
            del self.levels[buy][level.price]
