"""A small hostile market: jumps, holes, sweeps, and otherwise a few levels around a price that walks.

A ``feed.exchange.market.Market``. Cheap, because thousands of runs a minute are to be had; it makes no claim to look
like a real market, only to do whatever a market may do.
"""

from collections.abc import Callable, Sequence
from random import Random

from engine.sim.options import MS, PRICES_USD, SECOND_NS
from feed.exchange.instruments import Instrument
from feed.exchange.market import Floor

LEVELS = 2
CALM_STEP_NS = 150 * MS
FAR = 0.015
"""How far through the book a sweep reaches, as a fraction of the price: less than the exchange's collar."""


class _Contract:
    """One instrument's crowd: its price in ticks and the orders that stand for it."""

    __slots__ = ("asks", "bids", "hole_side", "hole_until_ns", "instrument", "ticks")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.ticks = round(PRICES_USD[instrument.underlying] / instrument.tick_usd)
        self.bids: list[int] = []
        self.asks: list[int] = []
        self.hole_until_ns = 0
        self.hole_side = 0


class HostileMarket:
    """Acts every ``step_ns``, in calm at most every ``CALM_STEP_NS``; ``whole``: levels are replaced in one event.

    While ``calm`` it only walks a little; while ``still`` it does nothing but be there.
    """

    def __init__(self, instruments: Sequence[Instrument], rng: Random, step_ns: int, whole: bool) -> None:
        self.instruments = tuple(instruments)
        self.calm = False
        self.still = False
        self._rng = rng
        self._step_ns = step_ns
        self._whole = whole
        self._contracts = [_Contract(instrument) for instrument in self.instruments]
        self._next_ns = 0
        self._index_ns = 0
        self._floor: Floor | None = None

    def start(self, floor: Floor, now_ns: int) -> None:
        """Publish the index and fill the books."""
        self._floor = floor
        for contract in self._contracts:
            self._index(contract)
            self._quote(contract, now_ns)
        self._next_ns = now_ns + self._step_ns

    def next_ns(self) -> int:
        """The next step."""
        return self._next_ns

    def advance(self, now_ns: int) -> None:
        """One step: a walk of every price, sometimes a taker."""
        self._next_ns = now_ns + self._step_ns
        if self.still:
            return
        rng = self._rng
        for contract in self._contracts:
            draw, side, size = rng.random(), rng.random() < 0.5, rng.choice((1, 1, 2, 3, 5))
            if draw < 0.7:
                contract.ticks += round(rng.gauss(0.0, 0.0001) * contract.ticks)
                self._quote(contract, now_ns)
            elif not self.calm:
                self.take(contract.instrument.name, side, size)
        if now_ns - self._index_ns >= SECOND_NS:
            self._index_ns = now_ns
            for contract in self._contracts:
                self._index(contract)

    def take(self, name: str, buy: bool, lots: int) -> None:
        """A taker for so many lots, through any price that is still near."""
        contract = self._of(name)
        limit = contract.ticks * (1 + FAR if buy else 1 - FAR)
        self._on_floor().insert(name, buy, round(limit), lots, ioc=True)

    def meet(self, price_usd: float) -> Callable[[], None]:
        """Take everything up to a near price and stand there, so that an order on its way meets it; returns its end."""
        floor = self._on_floor()
        for contract in self._contracts:
            ticks = round(price_usd / contract.instrument.tick_usd)
            if abs(ticks - contract.ticks) < FAR * contract.ticks:
                order_id = floor.insert(contract.instrument.name, ticks > contract.ticks, ticks, 1000)
                return lambda: floor.reduce(order_id, 0)
        return lambda: None

    def sweep(self, rng: Random) -> None:
        """Take everything of one side, ours included."""
        contract = rng.choice(self._contracts)
        self.take(contract.instrument.name, rng.random() < 0.5, 1000)

    def jump(self, rng: Random) -> None:
        """Move a price at once, by up to a fifth; the index goes along now, or only at its next publication."""
        contract = rng.choice(self._contracts)
        size = rng.choice((0.001, 0.005, 0.02, 0.2)) * rng.choice((-1, 1))
        low, high = (
            round(PRICES_USD[contract.instrument.underlying] * x / contract.instrument.tick_usd) for x in (0.5, 2)
        )
        contract.ticks = min(max(round(contract.ticks * (1 + size)), low), high)
        if rng.random() < 0.5:
            self._index(contract)
        self._quote(contract, 0)

    def hole(self, rng: Random, now_ns: int) -> None:
        """Leave one side, or both, empty of the crowd for a while."""
        contract = rng.choice(self._contracts)
        contract.hole_side = rng.choice((1, -1, 0))
        contract.hole_until_ns = now_ns + round(rng.uniform(0.1, 3.0) * SECOND_NS)
        self._quote(contract, now_ns)

    def heal(self, now_ns: int) -> None:
        """Both sides of every book, and an index that agrees with them."""
        self.calm = True
        self._step_ns = max(self._step_ns, CALM_STEP_NS)
        for contract in self._contracts:
            contract.hole_until_ns = 0
            self._index(contract)
            self._quote(contract, now_ns)

    def _on_floor(self) -> Floor:
        if self._floor is None:
            raise RuntimeError("the market was not started")
        return self._floor

    def _of(self, name: str) -> _Contract:
        return next(contract for contract in self._contracts if contract.instrument.name == name)

    def _index(self, contract: _Contract) -> None:
        instrument = contract.instrument
        self._on_floor().set_index(instrument.underlying, contract.ticks * instrument.tick_usd)

    def _quote(self, contract: _Contract, now_ns: int) -> None:
        """Replace the crowd's levels by new ones around the price, as one event or one by one."""
        if self._whole:
            self._on_floor().together(lambda: self._replace(contract, now_ns))
        else:
            self._replace(contract, now_ns)

    def _replace(self, contract: _Contract, now_ns: int) -> None:
        floor, rng = self._on_floor(), self._rng
        place: Callable[..., int] = floor.insert
        for order_id in (*contract.bids, *contract.asks):
            floor.reduce(order_id, 0)
        contract.bids.clear()
        contract.asks.clear()
        empty = now_ns < contract.hole_until_ns
        away = max(1, round(contract.ticks * 0.0001))
        for level in range(LEVELS):
            step, lots = away * (level + 1), rng.choice((1, 3, 10))
            if not (empty and contract.hole_side >= 0):
                contract.bids.append(place(contract.instrument.name, True, contract.ticks - step, lots))
            if not (empty and contract.hole_side <= 0):
                contract.asks.append(place(contract.instrument.name, False, contract.ticks + step, lots))
