"""A plain price-time order book behind the ``Floor`` protocol, and a client's orders beside the crowd's."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field


@dataclass(slots=True)
class Order:
    order_id: int
    instrument: str
    buy: bool
    price_ticks: int
    lots: int
    client: bool


@dataclass(slots=True)
class Trade:
    instrument: str
    price_ticks: int
    lots: int
    taker_buys: bool
    maker_id: int
    maker_is_client: bool
    taker_is_client: bool


@dataclass(slots=True)
class Side:
    """Price → orders in time order; ``keys`` sorted so that the best is first (bids negated)."""

    keys: list[int] = field(default_factory=list)
    levels: dict[int, dict[int, Order]] = field(default_factory=dict)


class BookFloor:
    """No clients, marks or fees: just matching. ``trades`` records everything unless ``keep_trades`` is off."""

    def __init__(self, keep_trades: bool = True) -> None:
        self.sides: dict[tuple[str, bool], Side] = {}
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self.index_usd: dict[str, float] = {}
        self.index_count = 0
        self.calls = 0
        self.keep_trades = keep_trades
        self.inserted_lots = self.traded_lots = self.removed_lots = 0
        self._last_id = 0

    def insert(self, instrument: str, buy: bool, price_ticks: int, lots: int, *, ioc: bool = False) -> int:
        return self._insert(instrument, buy, price_ticks, lots, ioc, client=False)

    def client_insert(self, instrument: str, buy: bool, price_ticks: int, lots: int) -> int:
        return self._insert(instrument, buy, price_ticks, lots, False, client=True)

    def reduce(self, order_id: int, lots: int) -> None:
        self.calls += 1
        order = self.orders.get(order_id)
        if order is None:
            return
        assert 0 <= lots <= order.lots, "reduce never raises an order"
        self.removed_lots += order.lots - lots
        order.lots = lots
        if lots == 0:
            self._remove(order)

    def remaining(self, order_id: int) -> int:
        order = self.orders.get(order_id)
        return 0 if order is None else order.lots

    def best(self, instrument: str, buy: bool) -> tuple[int, int] | None:
        side = self.sides.get((instrument, buy))
        if side is None or not side.keys:
            return None
        key = side.keys[0]
        return (-key if buy else key), sum(o.lots for o in side.levels[key].values())

    def set_index(self, underlying: str, price_usd: float) -> None:
        assert price_usd > 0
        self.index_usd[underlying] = price_usd
        self.index_count += 1

    def depth(self, instrument: str, buy: bool) -> dict[int, int]:
        """Crowd and clients: price → lots, best first."""
        side = self.sides.get((instrument, buy), Side())
        return {(-k if buy else k): sum(o.lots for o in side.levels[k].values()) for k in side.keys}

    def crowd_depth(self, instrument: str, buy: bool) -> dict[int, int]:
        side = self.sides.get((instrument, buy), Side())
        sums = {(-k if buy else k): sum(o.lots for o in side.levels[k].values() if not o.client) for k in side.keys}
        return {price: lots for price, lots in sums.items() if lots}

    def ahead_lots(self, order_id: int) -> int:
        """Lots before ``order_id`` in its own level's queue."""
        order = self.orders[order_id]
        total = 0
        for other in self.sides[order.instrument, order.buy].levels[self._key(order)].values():
            if other is order:
                break
            total += other.lots
        return total

    def client_fills(self) -> list[Trade]:
        return [t for t in self.trades if t.maker_is_client]

    def _insert(self, instrument: str, buy: bool, price_ticks: int, lots: int, ioc: bool, client: bool) -> int:
        self.calls += 1
        assert lots > 0 and price_ticks > 0
        self.inserted_lots += lots
        opposite = self.sides.get((instrument, not buy))
        left = lots
        while opposite is not None and left and opposite.keys:
            key = opposite.keys[0]
            price = key if buy else -key
            if (price > price_ticks) if buy else (price < price_ticks):
                break
            left = self._match(opposite.levels[key], left, buy, client)
        if not left:
            return 0
        if ioc:
            self.removed_lots += left
            return 0
        self._last_id += 1
        order = Order(self._last_id, instrument, buy, price_ticks, left, client)
        self.orders[order.order_id] = order
        side = self.sides.setdefault((instrument, buy), Side())
        key = self._key(order)
        if key not in side.levels:
            side.levels[key] = {}
            insort(side.keys, key)
        side.levels[key][order.order_id] = order
        return order.order_id

    def _match(self, queue: dict[int, Order], left: int, taker_buys: bool, client: bool) -> int:
        for maker in list(queue.values()):
            lots = min(left, maker.lots)
            maker.lots -= lots
            left -= lots
            self.traded_lots += lots
            if self.keep_trades:
                self.trades.append(
                    Trade(maker.instrument, maker.price_ticks, lots, taker_buys, maker.order_id, maker.client, client)
                )
            if not maker.lots:
                self._remove(maker)
            if not left:
                break
        return left

    @staticmethod
    def _key(order: Order) -> int:
        return -order.price_ticks if order.buy else order.price_ticks

    def _remove(self, order: Order) -> None:
        del self.orders[order.order_id]
        side = self.sides[order.instrument, order.buy]
        key = self._key(order)
        queue = side.levels[key]
        del queue[order.order_id]
        if not queue:
            del side.levels[key]
            del side.keys[bisect_left(side.keys, key)]
