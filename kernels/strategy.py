"""What every ladder must be before the core believes it, whoever wrote it: the guard behind a user's own strategy.

A target passes when its counts are within the arrays, prices are positive ticks in the order of a ladder, bids are
below asks, sizes are at least the minimum and within the capacity, and every number is finite. The guard runs on each
call, after the strategy; a target that does not pass becomes empty.
"""

import math

from kernels.kernel import Record, i4, kernel, market_record, model_record, target_record
from kernels.limits import LEVELS_MAX, LOTS_MAX, TICKS_MAX

OK = 0
COUNT = 1
NOT_FINITE = 2
PRICE = 3
ORDER = 4
CROSSED = 5
SIZE = 6
CAPACITY = 7
NO_PRICE = 8

FLAWS = (
    "ok",
    "a count is not within 0 and 10",
    "reservation, half-spread or skew is not finite",
    "a price is not within 1 tick and the largest price, or not within half of the fair price around it",
    "levels are not in the order of a ladder, best first",
    "a bid is not below the asks, or crosses the book of others although it must not take",
    "a size is below the minimum order or above any order",
    "a side's sizes exceed its capacity",
    "a quote without a fair price and a volatility",
)
FARTHEST = 0.5  # of the fair price: the gate's collar is far inside it


@kernel(i4(market_record, model_record, target_record))
def flaw(market: Record, model: Record, target: Record) -> int:
    """OK, or the code of the first thing that is wrong with a target that claims to be a ladder."""
    if not (0 <= target.bid_count <= LEVELS_MAX and 0 <= target.ask_count <= LEVELS_MAX):
        return COUNT
    numbers = abs(target.reservation_usd) + abs(target.half_bid_usd) + abs(target.half_ask_usd) + abs(target.skew_usd)
    if not numbers < math.inf:
        return NOT_FINITE
    if target.bid_count == 0 and target.ask_count == 0:
        return OK
    if not (0.0 < market.fair_usd < math.inf and 0.0 < market.sigma_usd < math.inf and model.tick_usd > 0.0):
        return NO_PRICE
    fair = market.fair_usd / model.tick_usd
    low = max(fair * (1.0 - FARTHEST), 1.0)
    high = min(fair * (1.0 + FARTHEST) + 1.0, TICKS_MAX)
    lots = 0
    for i in range(target.bid_count):
        if not low - 1.0 <= target.bid_ticks[i] <= high or target.bid_ticks[i] < 1:
            return PRICE
        if i > 0 and target.bid_ticks[i] >= target.bid_ticks[i - 1]:
            return ORDER
        if not max(model.min_lots, 1) <= target.bid_lots[i] <= LOTS_MAX:
            return SIZE
        lots += target.bid_lots[i]
    if lots > max(market.buy_capacity_lots, 0):
        return CAPACITY
    lots = 0
    for i in range(target.ask_count):
        if not low - 1.0 <= target.ask_ticks[i] <= high or target.ask_ticks[i] < 1:
            return PRICE
        if i > 0 and target.ask_ticks[i] <= target.ask_ticks[i - 1]:
            return ORDER
        if not max(model.min_lots, 1) <= target.ask_lots[i] <= LOTS_MAX:
            return SIZE
        lots += target.ask_lots[i]
    if lots > max(market.sell_capacity_lots, 0):
        return CAPACITY
    if target.bid_count > 0 and target.ask_count > 0 and target.bid_ticks[0] >= target.ask_ticks[0]:
        return CROSSED
    if model.post_only != 0:
        if target.bid_count > 0 and market.ask_lots > 0 and target.bid_ticks[0] >= market.ask_ticks:
            return CROSSED
        if target.ask_count > 0 and market.bid_lots > 0 and target.ask_ticks[0] <= market.bid_ticks:
            return CROSSED
    return OK
