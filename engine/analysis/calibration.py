"""sigma, A and k of a recorded market, with 95 % intervals, and whether the data suffice for them.

One market order is all trades of one side at one time; its depth is the distance of its deepest fill from the mid
before it. A and k come from ``kernels.intensity.from_tape``; sigma from the mid on a grid, its interval from the
variance between blocks of time, which holds whether or not volatility changes. Units: USD, contracts, seconds.
"""

import math
from dataclasses import dataclass

import numpy as np

from engine.analysis.bars import by_range_usd
from engine.analysis.history import Floats, History
from kernels.intensity import DISPERSION_MOST, Z_95, Fit, from_tape, gamma_for
from kernels.volatility import SECONDS_PER_YEAR

GRIDS_S = (1.0, 10.0, 60.0)
"""Spacings at which the mid is sampled for sigma: bounce shows as a sigma that falls with the spacing."""
GRID_S = 10.0
BLOCKS = 20
RETURNS_LEAST = 60  # fewer moves than this do not determine sigma
SIGMA_ERROR_MOST = 0.5
CELLS_LEAST, CELLS_MOST = 3, 12
FARTHEST_SHARE = 0.99  # of the market orders; the deepest ones are rare and far away


@dataclass(frozen=True, slots=True)
class Sigma:
    """Volatility in USD per root of a second with its interval; NaN where there is none.

    ``by_grid_usd``: by spacing of the samples. ``by_range_usd``: by the ranges of one-minute bars, 0.0 with too few.
    """

    usd: float
    low_usd: float
    high_usd: float
    annual: float
    by_grid_usd: tuple[float, ...]
    by_range_usd: dict[str, float]
    returns: int
    sufficient: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Side:
    """A and k of what hits one side: ``both``, ``bid`` (sellers took) or ``ask`` (buyers took)."""

    side: str
    orders: int
    nearest_usd: float
    farthest_usd: float
    fit: Fit

    @property
    def verdict(self) -> str:
        """Whether the data suffice, in words."""
        if not self.fit.sufficient:
            return f"the data do not suffice: {self.fit.reason}"
        if self.fit.dispersion > DISPERSION_MOST:
            return "the data suffice for means over the range; the decay is not exponential"
        return "the data suffice"


@dataclass(frozen=True, slots=True)
class Calibration:
    """All of it. ``price_usd``: median mid. ``half_spread_usd``: median, in time. Each side of two sees half of A."""

    instrument: str
    span_s: float
    trades: int
    tops: int
    price_usd: float
    half_spread_usd: float
    sigma: Sigma
    sides: tuple[Side, ...]

    @property
    def sufficient(self) -> bool:
        """Whether everything that the model needs is known."""
        return self.sigma.sufficient and self.sides[0].fit.sufficient

    @property
    def kappa_per_bp(self) -> float:
        """k as the configuration's scale-free key."""
        return self.sides[0].fit.kappa * self.price_usd * 1e-4

    @property
    def intensity_per_side(self) -> float:
        """A as one of the two sides sees it: the key order_flow_intensity."""
        return 0.5 * self.sides[0].fit.intensity

    def gamma_to_hold(self, contracts: float, order_contracts: float, share: float) -> float:
        """The risk aversion that keeps the position within ±contracts for the share of the time.

        Raises ValueError where the calibration is not sufficient, or no aversion does it.
        """
        if not self.sufficient:
            raise ValueError("sigma, A or k is not known well enough")
        bound = int(contracts / order_contracts + 1e-9)
        fit, sigma = self.sides[0].fit, self.sigma.usd
        return gamma_for(fit.kappa, self.intensity_per_side, sigma, bound, share=share, order_contracts=order_contracts)


def calibrate(history: History) -> Calibration:
    """Estimate everything from one recording."""
    depths, taker = market_order_depths(history)
    spread = (history.ask_ticks - history.bid_ticks).astype(np.float64)
    half_spread = time_median(spread * (0.5 * history.tick_usd), history)
    chosen = (("both", depths), ("bid", depths[taker < 0]), ("ask", depths[taker > 0]))
    return Calibration(
        history.name,
        history.span_s,
        len(history.trade_ns),
        len(history.top_ns),
        time_median(history.mid_usd, history),
        half_spread,
        sigma_of(history),
        tuple(side_of(name, values, history.span_s, half_spread, history.tick_usd) for name, values in chosen),
    )


def time_median(values: Floats, history: History) -> float:
    """Median of a value of the tops, each weighted by the time it stood."""
    lasted = np.diff(np.append(history.top_ns, int(history.span_s * 1e9) + 1)).clip(min=0)
    order = np.argsort(values, kind="stable")
    through = np.cumsum(lasted[order])
    return float(values[order][min(np.searchsorted(through, 0.5 * through[-1]), values.size - 1)])


def market_order_depths(history: History) -> tuple[Floats, Floats]:
    """(distance of the deepest fill from the mid before in USD, aggressor's side) of every market order."""
    known = history.trade_top >= 0
    at, side, top = history.trade_ns[known], history.trade_side[known], history.trade_top[known]
    if not at.size:
        return np.empty(0), np.empty(0)
    first = np.flatnonzero(np.concatenate(([True], (np.diff(at) != 0) | (np.diff(side) != 0))))
    price = history.trade_ticks[known] * history.tick_usd
    away = (price - history.mid_usd[np.repeat(top[first], np.diff(np.append(first, at.size)))]) * side
    return np.maximum.reduceat(away, first), side[first].astype(np.float64)


def side_of(name: str, depths: Floats, span_s: float, half_spread_usd: float, tick_usd: float) -> Side:
    """Fit one side between the usual half-spread and the depth that all but few market orders stay within.

    Depths lie on the price grid, so cells are whole ticks wide, at least three, and hold equally many of its prices.
    """
    nearest = half_spread_usd
    deepest = float(np.quantile(depths, FARTHEST_SHARE)) if depths.size else nearest
    ticks = max(int((deepest - nearest) / tick_usd + 1e-6) + 1, CELLS_LEAST)
    width = -(-ticks // CELLS_MOST)
    cells = max(-(-ticks // width), CELLS_LEAST)
    farthest = nearest + cells * width * tick_usd
    # A price on the edge belongs to the cell that begins there, whatever the rounding.
    fit = from_tape(depths + 0.25 * tick_usd, span_s, nearest_usd=nearest, farthest_usd=farthest, cells=cells)
    return Side(name, depths.size, nearest, farthest, fit)


def sigma_of(history: History) -> Sigma:
    """Root of the mean squared move on a grid of GRID_S, per root of a second."""
    by_grid = tuple(math.sqrt(float(np.mean(squares))) if squares.size else math.nan for squares in _grids(history))
    by_range = by_range_usd(history)
    rates = _squares(history, GRID_S)
    if rates.size < RETURNS_LEAST:
        # The finest grid is better than nothing; its bounce is in by_grid_usd for all to see.
        rates = _squares(history, GRIDS_S[0])
    nan = math.nan
    if rates.size < RETURNS_LEAST:
        few = f"{rates.size} moves, {RETURNS_LEAST} are needed"
        return Sigma(nan, nan, nan, nan, by_grid, by_range, rates.size, False, few)
    blocks = np.array([float(np.mean(block)) for block in np.array_split(rates, min(BLOCKS, rates.size // 3))])
    variance, error = float(np.mean(rates)), float(np.std(blocks, ddof=1) / math.sqrt(blocks.size))
    usd = math.sqrt(variance)
    low, high = math.sqrt(max(variance - Z_95 * error, 0.0)), math.sqrt(variance + Z_95 * error)
    reason = ""
    if not usd > 0.0:
        reason = "the mid never moved"
    elif high - low > 2.0 * SIGMA_ERROR_MOST * usd:
        reason = "volatility changed so much that its mean is not known to within half of it"
    annual = usd / float(np.median(history.mid_usd)) * math.sqrt(SECONDS_PER_YEAR)
    return Sigma(usd, low, high, annual, by_grid, by_range, rates.size, not reason, reason)


def _grids(history: History) -> list[Floats]:
    return [_squares(history, grid_s) for grid_s in GRIDS_S]


def _squares(history: History, grid_s: float) -> Floats:
    """Squared moves of the mid over the grid, per second."""
    first = int(history.top_ns[0])
    at = np.arange(first, int(history.span_s * 1e9) + 1, int(grid_s * 1e9), dtype=np.int64)
    result: Floats = np.diff(history.mid_at(at)) ** 2 / grid_s
    return result
