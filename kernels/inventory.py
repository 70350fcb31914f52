"""How much inventory a skewed ladder of quotes holds in the long run, and the skew that keeps a wanted share of the
time within a bound. At set-up, not per tick.

A quote at d is hit at A exp(-k d). With quotes at half +- s q around the price, buying at position q has the rate
exp(-y q) and selling exp(y q), y = k s in 1/contract, up to a factor that A and the half-spread make and that cancels.
An order that reaches the nth level trades every level before it too, and what adds to the position fades in a straight
line to nothing at the largest one. So the position is a birth and death chain with jumps: its stationary distribution
on a grid follows from the balance of flows. A single level without fading has pi(q) ~ exp(-y q^2).

Source of the intensity: Avellaneda and Stoikov 2008, section 2.3. Elimination without subtractions: Grassmann, Taksar
and Heyman, Operations Research 33(5), 1985.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CELLS = 16  # of the grid, from flat to the bound
BOUNDS_MOST = 5  # the grid ends at so many bounds, or at the largest position
SKEW_LEAST = 1e-4  # of y times the bound
SKEW_MOST = 2.4  # the same: quotes that stay passive cannot lean further from the price than the other side of the book
EXACT = 1e-5  # relative accuracy of the skew
MISSED_MOST = 0.005  # a share that no skew reaches better than this is refused


@dataclass(frozen=True, slots=True)
class Ladder:
    """One side's levels: ``contracts`` of each, and its ``reach``: k times its distance behind the first. The largest
    position is in contracts (inf: none). Raises ValueError for levels without size or out of order.
    """

    contracts: tuple[float, ...]
    reach: tuple[float, ...]
    max_position: float = math.inf

    def __post_init__(self) -> None:
        ordered = all(near <= far < math.inf for near, far in zip((0.0, *self.reach), self.reach, strict=False))
        sized = all(0.0 < contracts < math.inf for contracts in self.contracts)
        if (
            not self.contracts
            or len(self.contracts) != len(self.reach)
            or self.reach[0] != 0.0
            or not (ordered and sized)
        ):
            raise ValueError(
                "a ladder needs levels with sizes, the first at distance 0 and each as far as the one before"
            )
        if not self.max_position > 0.0:
            raise ValueError("a ladder needs room for a position")


def ladder_of(model: Any) -> Ladder:
    """The ladder of a resolved model. Raises ValueError where it quotes nothing."""
    levels = [(int(model["level_lots"][i]), i) for i in range(int(model["levels"])) if model["level_lots"][i] > 0]
    spacing = float(model["kappa"] * model["spacing_ticks"] * model["tick_usd"])
    first = levels[0][1] if levels else 0
    return Ladder(
        tuple(float(lots * model["lot_contracts"]) for lots, _ in levels),
        tuple(spacing * (level - first) for _, level in levels),
        float(model["max_position"]),
    )


def stationary(sizes: Floats, chances: Floats, max_position: float, skew: float, step: float, cells: int) -> Floats:
    """Long-run share of the time at each of the positions -cells...cells times ``step`` contracts.

    ``sizes``: contracts that an order trades in all when it ends at each level, ``chances``: that it does. A jump that
    ends between two positions is shared so that its mean is kept; one beyond the end stops there.
    """
    rows, last = np.arange(2 * cells + 1), 2 * cells
    rates = np.zeros((last + 1, last + 1))
    for side in (1.0, -1.0):
        exposure = side * (rows - cells) * step
        room = np.maximum(1.0 - np.maximum(exposure, 0.0) / max_position, 0.0)
        rate = np.where(room > 0.0, np.exp(np.clip(-skew * exposure, -300.0, 300.0)), 0.0)
        for size, chance in zip(sizes, chances, strict=True):
            to = np.clip(rows + side * size * room / step, 0.0, last)
            low = to.astype(np.int64)
            np.add.at(rates, (rows, low), rate * chance * (1.0 - to + low))
            np.add.at(rates, (rows, np.minimum(low + 1, last)), rate * chance * (to - low))
    np.fill_diagonal(rates, 0.0)
    # Take out one position after the other, the outermost of one side first, then build the shares up again.
    for gone in range(last, 0, -1):
        leaving = rates[gone, :gone].sum()
        if leaving > 0.0:
            rates[:gone, gone] /= leaving
            rates[:gone, :gone] += np.outer(rates[:gone, gone], rates[gone, :gone])
    share = np.zeros(last + 1)
    share[0] = 1.0
    for back in range(1, last + 1):
        share[back] = share[:back] @ rates[:back, back]
        if share[back] > 1e200:
            share[: back + 1] *= 1e-200
    result: Floats = share / share.sum()
    return result


def share_within(ladder: Ladder, skew: float, bound: float) -> float:
    """Long-run share of the time within ±``bound`` contracts for a skew of ``skew``/k USD per contract."""
    step = bound / (CELLS + 0.5)
    cells = max(int(min(BOUNDS_MOST * bound, ladder.max_position) / step), CELLS)
    beyond = np.exp(-np.array([*ladder.reach, math.inf]))
    sizes = np.cumsum(np.array(ladder.contracts))
    time = stationary(sizes, beyond[:-1] - beyond[1:], ladder.max_position, skew, step, cells)
    return float(time[cells - CELLS : cells + CELLS + 1].sum())


def skew_to_hold(ladder: Ladder, bound: float, share: float) -> float:
    """y = k times the skew, in 1/contract, with which ``share`` of the time is spent within ±``bound`` contracts.

    Raises ValueError where the bound is below the first level or not below the largest position, the share not between
    0 and 1, or no skew does it.
    """
    if not ladder.contracts[0] <= bound < ladder.max_position or not 0.0 < share < 1.0:
        raise ValueError(
            "the bound must hold the first level and be below the largest position, the share between 0 and 1"
        )
    low, high = math.log(SKEW_LEAST / bound), math.log(SKEW_MOST / bound)
    if share_within(ladder, math.exp(low), bound) > share:
        raise ValueError("the position stays there without any skew")
    while high - low > EXACT:
        middle = 0.5 * (low + high)
        if share_within(ladder, math.exp(middle), bound) < share:
            low = middle
        else:
            high = middle
    if share_within(ladder, math.exp(high), bound) < share - MISSED_MOST:
        raise ValueError("no skew holds the position there: the ladder is too large for it")
    return math.exp(high)


def bound_of(settings: Any, price_usd: float) -> float:
    """The bound in contracts of a ``Settings`` record that says what to hold; NaN where it does not."""
    within, usd = float(settings["hold_within"]), float(settings["hold_within_usd"])
    return usd / price_usd if math.isnan(within) else within


def hold_skew(model: Any, bound: float, share: float) -> float:
    """``Settings.hold_skew`` for a resolved ``Model``: the skew times k for each first level held.

    Raises ValueError with the reason where no skew holds the position.
    """
    return skew_to_hold(ladder_of(model), bound, share) * float(model["order_contracts"])
