"""How many lots each level of a ladder gets, from what it wants, how far the position is and how old, how
wild the market is, and what capacity is left.

Every function is monotone: more capacity, less exposure or less volatility never makes an order of the adding side
smaller. Sizes are whole lots, rounded
down. Called per level by the quote kernel.
"""

import math

from kernels.kernel import f8, i8, kernel


@kernel(f8(f8, f8, f8))
def room(max_position: float, age_s: float, fade_time_s: float) -> float:
    """The limit, in contracts, that a position of this age is faded against.

    Falls in a straight line from ``max_position`` to nothing over ``fade_time_s``: what was held that long without
    ever being flat is only reduced. Ages and times that are not positive numbers: the whole, and none.
    """
    if not age_s > 0.0:
        return max_position
    if not age_s < fade_time_s:
        return 0.0
    return max_position * (1.0 - age_s / fade_time_s)


@kernel(f8(f8, f8, i8))
def exposure_share(position_contracts: float, limit: float, side: int) -> float:
    """Share in [0, 1] of the limit (contracts) that a side (+1 buys, -1 sells) has used up: 0 where it reduces.

    Symmetric: exposure_share(q, m, side) = exposure_share(-q, m, -side).
    """
    exposure = position_contracts * side
    if not exposure > 0.0:
        return 0.0
    if not exposure < limit:
        return 1.0
    return exposure / limit


@kernel(f8(f8, f8))
def calm(sigma: float, calm_sigma: float) -> float:
    """Factor in (0, 1] on sizes: 1 up to ``calm_sigma``, beyond it inverse to sigma, so that a fill's risk stays."""
    return 1.0 if sigma <= calm_sigma else calm_sigma / sigma


@kernel(f8(f8, f8))
def edge_share(half: float, cost: float) -> float:
    """Factor in (0, 1] on sizes for a side whose fills cost so much beyond the model: 1 while that is at most half of
    the half-spread, then half/(2 cost).

    Both in the same unit. The side is wider by the cost already: smaller as well, it would lose what the fills that are
    worth having bring in.
    """
    return 0.5 * half / cost if cost > 0.5 * half else 1.0


@kernel(f8(f8, f8, i8, f8))
def size_factor(position_contracts: float, limit: float, side: int, full: float) -> float:
    """Factor in [0, 1] on the sizes of one side.

    ``full`` when flat. On the side that adds to the position it falls in a straight line to nothing at the limit; on
    the other it rises in one to 1, because getting rid of a large position is what a wild market calls for. Continuous
    and monotone in the position; symmetric: size_factor(q, m, side, f) = size_factor(-q, m, -side, f).
    """
    adds = exposure_share(position_contracts, limit, side)
    reduces = exposure_share(position_contracts, limit, -side)
    return full * (1.0 - adds) + (1.0 - full) * reduces


@kernel(i8(i8, f8, i8, i8))
def level_lots(wanted_lots: int, factor: float, remaining_lots: int, min_lots: int) -> int:
    """Lots for one level: wanted * factor rounded down, at most what remains of the side's capacity, 0 below
    ``min_lots``.

    The caller subtracts the result from ``remaining_lots`` for the next level, so the levels together never exceed
    the capacity. The factor is within [0, 1]; anything else (NaN too) gives 0.
    """
    if not (0.0 < factor <= 1.0):
        return 0
    lots = wanted_lots if factor == 1.0 else math.floor(wanted_lots * factor)
    lots = min(lots, remaining_lots)
    return lots if lots >= max(min_lots, 1) else 0
