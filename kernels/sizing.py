"""How many lots each level of a ladder gets, from what it wants, how far the position is, and what capacity is left.

Every function is monotone: more capacity or less exposure never makes an order smaller. Sizes are whole lots, rounded
down. Called per level by the quote kernel.
"""

import math

from kernels.kernel import f8, i8, kernel


@kernel(f8(f8, f8, i8))
def fade(position_contracts: float, max_position: float, side: int) -> float:
    """Factor in [0, 1] on the sizes of one side (+1 buys, -1 sells).

    1 on the side that brings the position towards zero; on the side that adds to it, the part of ``max_position``
    (contracts) still free, so that it falls in a straight line to nothing at the limit. Symmetric: fade(q, m, side) =
    fade(-q, m, -side).
    """
    exposure = position_contracts * side
    if not exposure > 0.0:
        return 1.0
    if not exposure < max_position:
        return 0.0
    return 1.0 - exposure / max_position


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
