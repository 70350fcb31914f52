"""Predictions from volume candles and flow: nine numbers in [-1, 1] for Market.signals, 0.0 where there is no opinion.

Directions (pressure, imbalances, momentum, reversal, exhaustion) change their sign when prices and sides are mirrored;
the volatility prediction and toxicity do not change. None changes when every price or every size is scaled: prices
enter relative to the root of the summed squared moves of the closes, sizes as shares. Positive is up.

With D the move over the kept candles, z = D over that root, d the mean signed share of volume:
momentum = tanh(z) max(0, sign(D) d), the flow confirms the move; reversal = -tanh(z) max(0, -sign(D) d'), d' over the
newer half, the flow turns against it; exhaustion = -tanh(z) max(0, 1 - newer/older half's progress), the move slows.
"""

import math

from kernels import flow as flow_kernels
from kernels.candles import kept_max, slot
from kernels.kernel import Record, candles_record, f8, flow_record, i4, i8, int_pair, kernel, market_record
from kernels.microprice import imbalance
from kernels.vamp import fast_pressure, has_opinion, order_imbalance, pressure, share
from kernels.vpin import vpin

PRESSURE = 0
FAST_PRESSURE = 1
BOOK_IMBALANCE = 2
FLOW_IMBALANCE = 3
MOMENTUM = 4
REVERSAL = 5
EXHAUSTION = 6
ORDER_IMBALANCE = 7
VOLATILITY = 8
NAMES = (
    "vamp_pressure",
    "vamp_fast_pressure",
    "book_imbalance",
    "order_flow_imbalance",
    "momentum",
    "reversal",
    "exhaustion",
    "order_imbalance",
    "volatility",
)
"""Names of Market.signals, in order."""
DIRECTIONS = 8  # the first ones have a sign; the last is the volatility prediction


@kernel(int_pair(candles_record, i8))
def usable(candles: Record, now_ns: int) -> tuple[int, int]:
    """(kept candles, of these the newer half); (0, 0) before the warm-up or when the last trade is stale."""
    least = max(candles.min_candles, 4)
    count = min(candles.count, kept_max(candles))
    if not has_opinion(count, least, candles.last_ns, now_ns, candles.stale_ns):
        return 0, 0
    return count, count // 2


@kernel(f8(candles_record, i8, i8))
def progress(candles: Record, old_age: int, new_age: int) -> float:
    """Close ``new_age`` places before the newest less the close ``old_age`` places before it, in ticks."""
    return float(candles.close_ticks[slot(candles, new_age)] - candles.close_ticks[slot(candles, old_age)])


@kernel(f8(candles_record, i8))
def imbalance_share(candles: Record, count: int) -> float:
    """Signed volume over volume of the newest ``count`` candles."""
    signed = 0.0
    total = 0.0
    for age in range(count):
        at = slot(candles, age)
        signed += float(candles.buy_lots[at] - candles.sell_lots[at])
        total += float(candles.buy_lots[at] + candles.sell_lots[at])
    return share(signed, total)


@kernel(f8(candles_record, i8))
def extension(candles: Record, count: int) -> float:
    """tanh of the move over the root of the summed squared moves; 0.0 where nothing moved."""
    squares = 0.0
    for age in range(count - 1):
        squares += progress(candles, age + 1, age) ** 2
    if not (squares > 0.0):
        return 0.0
    return math.tanh(progress(candles, count - 1, 0) / math.sqrt(squares))


@kernel(f8(candles_record, i8))
def momentum(candles: Record, now_ns: int) -> float:
    """Sign of the move, while the flow has the same sign."""
    count, _ = usable(candles, now_ns)
    if count == 0:
        return 0.0
    extended = extension(candles, count)
    flow = imbalance_share(candles, count)
    return extended * max(flow if extended > 0.0 else -flow, 0.0)


@kernel(f8(candles_record, i8))
def reversal(candles: Record, now_ns: int) -> float:
    """Against the move, when the newer half's flow goes against it."""
    count, newer = usable(candles, now_ns)
    if count == 0:
        return 0.0
    extended = extension(candles, count)
    flow = imbalance_share(candles, newer)
    return -extended * max(-flow if extended > 0.0 else flow, 0.0)


@kernel(f8(candles_record, i8))
def exhaustion(candles: Record, now_ns: int) -> float:
    """Against the move, when its newer half got less far than its older half."""
    count, newer = usable(candles, now_ns)
    if count == 0:
        return 0.0
    extended = extension(candles, count)
    older_move = progress(candles, count - 1, newer)
    newer_move = progress(candles, newer, 0)
    if not (older_move * extended > 0.0):
        return 0.0
    return -extended * min(max(1.0 - newer_move / older_move, 0.0), 1.0)


@kernel(f8(candles_record, i8, i8))
def variance_rate(candles: Record, old_age: int, new_age: int) -> float:
    """Squared moves of the closes over the time they took, in ticks^2/s; 0.0 where no time passed."""
    squares = 0.0
    for age in range(new_age, old_age):
        squares += progress(candles, age + 1, age) ** 2
    span_ns = candles.end_ns[slot(candles, new_age)] - candles.end_ns[slot(candles, old_age)]
    return squares / (span_ns * 1e-9) if span_ns > 0 else 0.0


@kernel(f8(candles_record, i8))
def volatility(candles: Record, now_ns: int) -> float:
    """(new - old)/(new + old) of the variance rates of the two halves; positive: rising."""
    count, newer = usable(candles, now_ns)
    if count == 0:
        return 0.0
    new = variance_rate(candles, newer, 0)
    old = variance_rate(candles, count - 1, newer)
    return share(new - old, new + old) if new > 0.0 and old > 0.0 else 0.0


@kernel(f8(candles_record, i8))
def toxicity(candles: Record, now_ns: int) -> float:
    """VPIN of the kept candles, in [0, 1]; 0.0 without an opinion."""
    count, _ = usable(candles, now_ns)
    return vpin(candles, count) if count > 0 else 0.0


@kernel(i4(flow_record, candles_record, market_record))
def fill(flow: Record, candles: Record, market: Record) -> int:
    """Write all of Market.signals at Market.now_ns from the state and the market's best sizes; returns 0."""
    now_ns = market.now_ns
    market.signals[PRESSURE] = pressure(flow, now_ns)
    market.signals[FAST_PRESSURE] = fast_pressure(flow, now_ns)
    market.signals[BOOK_IMBALANCE] = imbalance(market.bid_lots, market.ask_lots)
    market.signals[FLOW_IMBALANCE] = flow_kernels.imbalance(flow, now_ns)
    market.signals[MOMENTUM] = momentum(candles, now_ns)
    market.signals[REVERSAL] = reversal(candles, now_ns)
    market.signals[EXHAUSTION] = exhaustion(candles, now_ns)
    market.signals[ORDER_IMBALANCE] = order_imbalance(flow, now_ns)
    market.signals[VOLATILITY] = volatility(candles, now_ns)
    return 0
