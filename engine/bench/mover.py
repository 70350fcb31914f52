"""A market in which every tick moves the price, and nobody trades: what a quoter has to answer without pause.

On each side one order of the crowd is best, before a backdrop that stays where it is. At every step both best orders
are withdrawn and put back a few ticks away: four changes of levels, a little more than the venue's book messages hold
(protocol section 8.5 shows two). Steps are smaller than the room between the crowd and any sane quote, so nothing is
ever hit and every answer depends on the price alone.
"""

from collections.abc import Sequence
from random import Random

from feed.exchange.instruments import Instrument
from feed.exchange.market import Floor

BACKDROP_LEVELS = 20
BACKDROP_TICKS = 100
HALF_SPREAD_TICKS = 8
STEP_TICKS = (4, 7)
RANGE_TICKS = 60
"""Farthest from the start, so that levels come back to prices they had: a steady state."""


class MovingMarket:
    """One instrument around ``start_usd``, moved every ``interval_ns``; a ``feed.exchange.market.Market``."""

    def __init__(self, instrument: Instrument, start_usd: float, interval_ns: int, seed: int) -> None:
        self._instrument = instrument
        self._start_usd = start_usd
        self._interval_ns = interval_ns
        self._random = Random(seed)
        self._mid_ticks = self._start_ticks = round(start_usd / instrument.tick_usd)
        self._orders: list[int] = []
        self._floor: Floor | None = None
        self._next_ns = 0

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The one it moves."""
        return (self._instrument,)

    def start(self, floor: Floor, now_ns: int) -> None:
        """Publish the index, which stays where it is, and fill the book."""
        self._floor = floor
        floor.set_index(self._instrument.underlying, self._start_usd)
        for level in range(BACKDROP_LEVELS):
            away = BACKDROP_TICKS + level
            floor.insert(self._instrument.name, True, self._start_ticks - away, 500)
            floor.insert(self._instrument.name, False, self._start_ticks + away, 500)
        self._quote(floor)
        self._next_ns = now_ns + self._interval_ns

    def next_ns(self) -> int:
        """When the price moves next."""
        return self._next_ns

    def advance(self, now_ns: int) -> None:
        """Move by 4 to 7 ticks: away from the start or back, as the dice fall, but never beyond the range."""
        assert self._floor is not None
        while self._next_ns <= now_ns:
            step = self._random.randint(*STEP_TICKS) * self._random.choice((1, -1))
            if abs(self._mid_ticks + step - self._start_ticks) > RANGE_TICKS:
                step = -step
            self._mid_ticks += step
            for order in self._orders:
                self._floor.reduce(order, 0)
            self._quote(self._floor)
            self._next_ns += self._interval_ns

    def _quote(self, floor: Floor) -> None:
        bid, ask = self._mid_ticks - HALF_SPREAD_TICKS, self._mid_ticks + HALF_SPREAD_TICKS
        self._orders = [
            floor.insert(self._instrument.name, buy, price_ticks, self._random.randint(50, 999))
            for buy, price_ticks in ((True, bid), (False, ask))
        ]
