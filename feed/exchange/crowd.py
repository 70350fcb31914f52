"""The anonymous participants of a seeded market: makers who keep ladders of real orders, and takers who sweep them.

All distances are in basis points of the fair price and all sizes in USD, so the crowd is the same at any price and
tick.
"""

import math
from dataclasses import dataclass
from random import Random

from feed.exchange.instruments import Instrument
from feed.exchange.market import Floor
from feed.exchange.path import BPS


@dataclass(frozen=True, slots=True)
class MakerProfile:
    """How one maker quotes.

    ``half_spread_bps`` is the distance of its first level, ``gap_bps`` that between levels, ``notional_usd`` the size
    of the first level (each further one is ``growth`` times as large), ``refresh_s`` the mean time between its looks
    at the market, ``lag_steps`` how many grid points old the price is that it sees, ``noise_bps`` the standard
    deviation of its opinion around the fair price.
    """

    half_spread_bps: float
    gap_bps: float
    notional_usd: float
    refresh_s: float
    lag_steps: int
    levels: int = 4
    growth: float = 1.3
    noise_bps: float = 0.3


DEFAULT_MAKERS = (
    MakerProfile(half_spread_bps=1.9, gap_bps=1.6, notional_usd=6_000, refresh_s=0.8, lag_steps=0),
    MakerProfile(half_spread_bps=2.5, gap_bps=2.0, notional_usd=15_000, refresh_s=1.2, lag_steps=1),
    MakerProfile(half_spread_bps=3.3, gap_bps=2.6, notional_usd=30_000, refresh_s=1.8, lag_steps=1),
    MakerProfile(half_spread_bps=5.0, gap_bps=4.0, notional_usd=60_000, refresh_s=3.0, lag_steps=2),
)
"""A fast small maker at the touch, two in the middle, a slow large one behind."""

_OPINION_MEMORY = 0.8  # share of a maker's opinion that lasts to its next look
_TOLERANCE = 0.25  # an order stays while it is within this share of its distance from where it should be


def lots_of(instrument: Instrument, notional_usd: float, price_usd: float) -> int:
    """``notional_usd`` in whole lots at ``price_usd``, at least the smallest order."""
    return max(instrument.min_lots, round(notional_usd / (price_usd * instrument.lot_contracts)))


class _Resting:
    """One level of a maker's ladder: its order on the floor, if any."""

    __slots__ = ("lots", "order_id", "price_ticks")

    def __init__(self) -> None:
        self.order_id = 0
        self.price_ticks = 0
        self.lots = 0


class Maker:
    """One maker on one instrument. It never takes: its prices stay behind the opposite best."""

    __slots__ = ("_asks", "_bids", "_instrument", "_opinion", "_rng", "profile")

    def __init__(self, instrument: Instrument, profile: MakerProfile, rng: Random) -> None:
        self.profile = profile
        self._instrument = instrument
        self._rng = rng
        self._opinion = 0.0
        self._bids = [_Resting() for _ in range(profile.levels)]
        self._asks = [_Resting() for _ in range(profile.levels)]

    def next_look_s(self) -> float:
        """Seconds until it looks at the market again."""
        return self.profile.refresh_s * self._rng.uniform(0.5, 1.5)

    def refresh(self, floor: Floor, seen_usd: float, spread: float) -> None:
        """Bring both ladders to where they should be around ``seen_usd``, distances multiplied by ``spread``."""
        noise = self.profile.noise_bps * math.sqrt(1 - _OPINION_MEMORY**2)
        self._opinion = self._opinion * _OPINION_MEMORY + noise * self._rng.gauss(0.0, 1.0)
        notional_usd = self.profile.notional_usd * self._rng.uniform(0.6, 1.4)
        centre_usd = seen_usd * (1 + self._opinion * BPS)
        bids = self._misplaced(floor, self._bids, True, centre_usd, spread, notional_usd)
        asks = self._misplaced(floor, self._asks, False, centre_usd, spread, notional_usd)
        # Every order that moves is gone before the first new one is placed: nothing of its own is in its way.
        self._place(floor, bids, True)
        self._place(floor, asks, False)

    def withdraw(self, floor: Floor) -> None:
        """Cancel everything."""
        for level in (*self._bids, *self._asks):
            floor.reduce(level.order_id, 0)
            level.order_id = 0

    def depth_lots(self, floor: Floor, buy: bool, limit_ticks: int) -> int:
        """Lots it has resting on a side at ``limit_ticks`` or better."""
        total = 0
        for level in self._bids if buy else self._asks:
            inside = level.price_ticks >= limit_ticks if buy else level.price_ticks <= limit_ticks
            if inside and level.order_id:
                total += floor.remaining(level.order_id)
        return total

    def _misplaced(
        self, floor: Floor, ladder: list[_Resting], buy: bool, centre_usd: float, spread: float, notional_usd: float
    ) -> list[_Resting]:
        """Cancel the levels that are too far off or half eaten and set their new price and lots; return them."""
        profile, tick_usd = self.profile, self._instrument.tick_usd
        distance_bps = profile.half_spread_bps * spread
        moved: list[_Resting] = []
        for level in ladder:
            distance_usd = centre_usd * distance_bps * BPS
            if buy:
                price_ticks = max(1, math.floor((centre_usd - distance_usd) / tick_usd))
            else:
                price_ticks = max(2, math.ceil((centre_usd + distance_usd) / tick_usd))
            off_ticks = abs(price_ticks - level.price_ticks)
            stays = (
                level.order_id != 0
                and off_ticks * tick_usd <= _TOLERANCE * distance_usd
                and 2 * floor.remaining(level.order_id) >= level.lots
            )
            if not stays:
                if level.order_id:
                    floor.reduce(level.order_id, 0)
                level.order_id = 0
                level.price_ticks = price_ticks
                level.lots = lots_of(self._instrument, notional_usd, centre_usd)
                moved.append(level)
            distance_bps += profile.gap_bps * spread
            notional_usd *= profile.growth
        return moved

    def _place(self, floor: Floor, levels: list[_Resting], buy: bool) -> None:
        if not levels:
            return
        name = self._instrument.name
        opposite = floor.best(name, not buy)
        for level in levels:
            if opposite is not None:
                limit = opposite[0] - 1 if buy else opposite[0] + 1
                level.price_ticks = min(level.price_ticks, limit) if buy else max(level.price_ticks, limit)
            if level.price_ticks >= 1:
                level.order_id = floor.insert(name, buy, level.price_ticks, level.lots)


@dataclass(frozen=True, slots=True)
class Sweep:
    """One taker's order: side, reach from the fair price in bps, and own size in USD."""

    buy: bool
    reach_bps: float
    notional_usd: float


@dataclass(frozen=True, slots=True)
class TakerOptions:
    """The flow of market orders on one instrument.

    ``rate_per_s`` is A, arrivals per second **and side**; ``decay_per_bp`` is k in 1/bp. ``size_usd`` is the smallest
    size and ``size_tail`` the exponent α of the Pareto law that sizes follow, ``size_max_usd`` its cut.
    ``informed_share`` (0…1) of the takers know which way the price will have moved at the end of the known future and
    trade that way.
    """

    rate_per_s: float = 0.8
    decay_per_bp: float = 0.4
    size_usd: float = 800.0
    size_tail: float = 1.5
    size_max_usd: float = 250_000.0
    informed_share: float = 0.3


DEFAULT_TAKERS = TakerOptions()
"""By the law, hits a minute on a lone pair of quotes in the normal regime: 19 at 4 bps from the fair price, 4 at 8."""


class Takers:
    """Poisson sweeps whose reach D from the fair price is exponential with rate k, so that P(D ≥ δ) = e^{−kδ}.

    A quote at distance δ is therefore hit at the rate λ(δ) = A·e^{−kδ} (Avellaneda & Stoikov 2008, section 3.2). As
    there, the reach follows from a heavy-tailed size: x = x₀·e^{kD/α} has P(X > x) = (x/x₀)^{−α}, and ln x grows in
    proportion to D.
    """

    __slots__ = ("_options", "_rng")

    def __init__(self, options: TakerOptions, rng: Random) -> None:
        self._options = options
        self._rng = rng

    def next_arrival_s(self, activity: float) -> float:
        """Seconds until the next taker of either side."""
        return self._rng.expovariate(2 * self._options.rate_per_s * activity)

    def draw(self, coming_log: float) -> Sweep:
        """The next taker's order; ``coming_log`` is the log return that the informed know of."""
        options, rng = self._options, self._rng
        informed = rng.random() < options.informed_share
        coin = rng.random() < 0.5
        reach = rng.expovariate(1.0)
        size_usd = min(options.size_max_usd, options.size_usd * math.exp(min(reach / options.size_tail, 50.0)))
        buy = coming_log > 0 if informed and coming_log else coin
        return Sweep(buy, reach / options.decay_per_bp, size_usd)
