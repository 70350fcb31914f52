"""A strategy of one's own: the shipped quotes, withdrawn a little on the side that the book leans against.

    quoter run --strategy examples.custom_strategy:quote --for 20s

It is compiled by Numba, tried on a grid of markets, and then called by the core for every decision, at the same speed.
"""

from kernels.microprice import imbalance
from kernels.quote import quote as shipped

LEAN_TICKS = 2.0


def quote(market, model, target):  # type: ignore[no-untyped-def]
    """Write the ladder into the target; 0, or why there is none (kernels.quote.REASONS)."""
    code = shipped(market, model, target)
    if code == 0:
        move = round(LEAN_TICKS * imbalance(market.bid_lots, market.ask_lots))
        for i in range(target.bid_count):
            target.bid_ticks[i] += min(move, 0)
        for i in range(target.ask_count):
            target.ask_ticks[i] += max(move, 0)
    return code
