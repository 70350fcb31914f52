"""VPIN, the volume-synchronised probability of informed trading, from volume candles.

Easley, Lopez de Prado and O'Hara (Review of Financial Studies 25(5), 2012): the mean of |buys - sells|/volume over
volume buckets, in [0, 1]. The aggressor is known here; the bulk classification of the paper, which guesses it from the
price, is beside it for tapes without one. Candles that the timer closed are smaller and weigh as much as they hold.
"""

import math

from kernels.candles import kept_max, slot
from kernels.kernel import Record, candles_record, f8, i8, kernel


@kernel(f8(candles_record, i8))
def vpin(candles: Record, buckets: int) -> float:
    """VPIN over the newest ``buckets`` closed candles (as many as there are); 0.0 without any."""
    count = min(buckets, candles.count, kept_max(candles))
    apart = 0.0
    total = 0.0
    for age in range(count):
        at = slot(candles, age)
        apart += abs(float(candles.buy_lots[at] - candles.sell_lots[at]))
        total += float(candles.buy_lots[at] + candles.sell_lots[at])
    return apart / total if total > 0.0 else 0.0


@kernel(f8(f8))
def normal_share(x: float) -> float:
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@kernel(f8(candles_record, i8))
def vpin_bulk(candles: Record, buckets: int) -> float:
    """VPIN with the buys of a candle taken as its volume times Phi(move/standard deviation of moves); 0.0 where no
    close moved, or with less than 2 candles.
    """
    count = min(buckets, candles.count, kept_max(candles)) - 1
    squares = 0.0
    for age in range(count):
        move = float(candles.close_ticks[slot(candles, age)] - candles.close_ticks[slot(candles, age + 1)])
        squares += move * move
    if not (squares > 0.0):
        return 0.0
    deviation = math.sqrt(squares / count)
    apart = 0.0
    total = 0.0
    for age in range(count):
        at = slot(candles, age)
        move = float(candles.close_ticks[at] - candles.close_ticks[slot(candles, age + 1)])
        volume = float(candles.buy_lots[at] + candles.sell_lots[at])
        apart += volume * abs(2.0 * normal_share(move / deviation) - 1.0)
        total += volume
    return apart / total if total > 0.0 else 0.0
