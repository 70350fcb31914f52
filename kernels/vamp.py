"""What aggressors do, and both meanings of VAMP: volume-adjusted market pressure (flow) and mid price (the book).

Pressure is a ratio of decayed sums of traded lots, signed by the aggressor: in [-1, 1], +1 when every recent trade was
a buyer's. The mid price weighs each side's price with the other side's size, and lies between them. Both are free of
units: scaling every price or every size changes neither the pressure nor the mid relative to the book.

Order imbalance counts market orders instead of volume. Who knows the price shows in how many orders come from one side
(Easley, Kiefer, O'Hara and Paperman, J. Finance 51(4), 1996: the numbers of buys and of sells are all that the flow
says of it; Chordia, Roll and Subrahmanyam, J. Financial Economics 65(1), 2002); heavy-tailed sizes only add noise.

State is the trades' part of one Flow record, owned by the thread that runs the core. Trades are public ones; a fill of
our own resting order is one of them, with the taker as aggressor, and is counted once, from the public stream.
"""

import math

from kernels.kernel import Record, f8, flow_record, i4, i8, kernel
from kernels.limits import LOTS_MAX, TICKS_MAX

TAKEN = 0
BAD_TRADE = 1  # side, price or size without a meaning: nothing changed
LEVELS_DEPTH_MAX = 64  # levels a side that the mid price over a book looks at


@kernel(f8(i8, i8, i8, i8))
def vamp_mid(bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int) -> float:
    """(bid ask_lots + ask bid_lots)/(bid_lots + ask_lots) in ticks; 0.0 unless there are two sides, uncrossed."""
    if bid_lots <= 0 or ask_lots <= 0 or bid_ticks <= 0 or bid_ticks >= ask_ticks:
        return 0.0
    share = bid_lots / (float(bid_lots) + float(ask_lots))
    return bid_ticks + (ask_ticks - bid_ticks) * share


@kernel(f8(i8[::1], i8[::1], i8[::1], i8[::1]))
def vamp_mid_levels(bid_ticks: Record, bid_lots: Record, ask_ticks: Record, ask_lots: Record) -> float:
    """The same over the first levels of both sides, best first, paired by rank: sum(bid ask_lots + ask bid_lots) over
    all lots, in ticks.

    Uses as many levels as every array has, at most LEVELS_DEPTH_MAX. Lots of 0 or less end the book; 0.0 where the
    first level is none, or the best prices cross.
    """
    count = min(bid_ticks.size, bid_lots.size, ask_ticks.size, ask_lots.size, LEVELS_DEPTH_MAX)
    value = 0.0
    weight = 0.0
    for i in range(count):
        if bid_lots[i] <= 0 or ask_lots[i] <= 0 or bid_ticks[i] <= 0 or bid_ticks[i] >= ask_ticks[i]:
            break
        value += float(bid_ticks[i]) * ask_lots[i] + float(ask_ticks[i]) * bid_lots[i]
        weight += float(bid_lots[i]) + float(ask_lots[i])
    return value / weight if weight > 0.0 else 0.0


@kernel(f8(f8))
def span_factor(span: float) -> float:
    """What one event leaves of the weight of those before: 1 - 2/(span + 1), the usual exponential average; 0 for a
    span below 1 or NaN.
    """
    return 1.0 - 2.0 / (span + 1.0) if span > 1.0 else 0.0


@kernel(f8(f8, i8))
def time_factor(decay_s: float, span_ns: int) -> float:
    """exp(-span/decay); 1 where time does not count (decay inf, span 0 or less), 0 for a decay of 0 or NaN."""
    if span_ns <= 0:
        return 1.0
    return math.exp(-span_ns * 1e-9 / decay_s) if decay_s > 0.0 else 0.0


@kernel(i4(flow_record, i8, i8, i8, i8))
def trade(flow: Record, aggressor: int, price_ticks: int, lots: int, t_ns: int) -> int:
    """Take in one public trade: aggressor +1 (buyer took) or -1; returns TAKEN, or BAD_TRADE.

    A trade stamped before its predecessor counts at that one's time. Trades of one side and time are one market order.
    The impact sums regress the move since the trade before on this trade's signed size.
    """
    if (aggressor not in (1, -1)) or not (1 <= price_ticks <= TICKS_MAX) or not (1 <= lots <= LOTS_MAX):
        flow.refused += 1
        return BAD_TRADE
    elapsed = 0
    if flow.trades > 0:
        if t_ns < flow.trade_ns:
            flow.late += 1
            t_ns = flow.trade_ns
        elapsed = t_ns - flow.trade_ns
    faded = time_factor(flow.decay_s, elapsed)
    signed = float(aggressor * lots)
    slow = faded * span_factor(flow.window)
    fast = faded * span_factor(flow.fast_window)
    flow.signed_lots = slow * flow.signed_lots + signed
    flow.total_lots = slow * flow.total_lots + lots
    flow.fast_signed_lots = fast * flow.fast_signed_lots + signed
    flow.fast_total_lots = fast * flow.fast_total_lots + lots
    if flow.trades > 0:
        keep = faded * span_factor(flow.impact_window)
        flow.impact_cross = keep * flow.impact_cross + signed * (price_ticks - flow.trade_ticks)
        flow.impact_square = keep * flow.impact_square + float(lots) * lots
    ordered = time_factor(flow.order_decay_s, elapsed)
    flow.buy_orders *= ordered
    flow.sell_orders *= ordered
    if elapsed > 0 or aggressor != flow.side:
        if aggressor > 0:
            flow.buy_orders += 1.0
        else:
            flow.sell_orders += 1.0
    flow.side = aggressor
    flow.trade_ticks = price_ticks
    flow.trade_ns = t_ns
    flow.trades += 1
    return TAKEN


@kernel(f8(f8, f8))
def share(signed: float, total: float) -> float:
    """signed/total within -1 and 1; 0.0 where the total is nothing."""
    if not (total > 0.0):
        return 0.0
    return min(max(signed / total, -1.0), 1.0)


@kernel(i4(i8, i8, i8, i8, i8))
def has_opinion(events: int, least: int, last_ns: int, now_ns: int, stale_ns: int) -> int:
    """1 after the warm-up and while the last event is not stale, else 0."""
    return 1 if events >= max(least, 1) and now_ns - last_ns <= stale_ns else 0


@kernel(f8(flow_record, i8))
def pressure(flow: Record, now_ns: int) -> float:
    """Volume-adjusted market pressure over ``window`` trades, in [-1, 1]; 0.0 before the warm-up or when stale."""
    if not has_opinion(flow.trades, flow.min_events, flow.trade_ns, now_ns, flow.stale_ns):
        return 0.0
    return share(flow.signed_lots, flow.total_lots)


@kernel(f8(flow_record, i8))
def fast_pressure(flow: Record, now_ns: int) -> float:
    """The same over ``fast_window`` trades."""
    if not has_opinion(flow.trades, flow.min_events, flow.trade_ns, now_ns, flow.stale_ns):
        return 0.0
    return share(flow.fast_signed_lots, flow.fast_total_lots)


@kernel(f8(flow_record, i8))
def order_imbalance(flow: Record, now_ns: int) -> float:
    """tanh((buys - sells)/sqrt(buys + sells + min_events)) of the decayed counts of market orders, in [-1, 1].

    How far the imbalance is from that of fair coins, as if ``min_events`` orders without a side had come before: few
    orders say little. 0.0 before the warm-up or when stale.
    """
    if not has_opinion(flow.trades, flow.min_events, flow.trade_ns, now_ns, flow.stale_ns):
        return 0.0
    left = time_factor(flow.order_decay_s, now_ns - flow.trade_ns)
    orders = left * (flow.buy_orders + flow.sell_orders) + max(flow.min_events, 1)
    return math.tanh(left * (flow.buy_orders - flow.sell_orders) / math.sqrt(orders))


@kernel(f8(flow_record, i8))
def impact_ticks_per_lot(flow: Record, now_ns: int) -> float:
    """Least-squares slope (through the origin) of the move in ticks on signed lots; 0.0 without an opinion.

    The same in a mirrored market: a cost of trading, not a direction.
    """
    if not has_opinion(flow.trades, flow.min_events, flow.trade_ns, now_ns, flow.stale_ns):
        return 0.0
    return flow.impact_cross / flow.impact_square if flow.impact_square > 0.0 else 0.0
