"""Order-flow imbalance: what came and went at the best prices, decayed, in [-1, 1].

Cont, Kukanov and Stoikov (Journal of Financial Econometrics 12(1), 2014): each change of the top of the book adds
e = [bid not lower] bid_lots - [old bid not higher] old_bid_lots - [ask not higher] ask_lots + [old ask not lower]
old_ask_lots, the net number of lots that pushed the price up. The signal is the decayed sum of e over that of |e|.

State is the tops' part of one Flow record, owned by the thread that runs the core. Own orders are taken out of the
book before it gets here.
"""

from kernels.kernel import Record, f8, flow_record, i4, i8, kernel
from kernels.limits import TICKS_MAX
from kernels.vamp import has_opinion, share, span_factor, time_factor

TAKEN = 0
TOP_LOTS_MAX = 2**60  # sums of four such sizes still fit an integer
BAD_TOP = 1  # a side is missing, or they cross: the last top is forgotten, so that no change is made up across the gap


@kernel(i8(i8, i8, i8, i8, i8, i8, i8, i8))
def top_change(
    old_bid_ticks: int,
    old_bid_lots: int,
    old_ask_ticks: int,
    old_ask_lots: int,
    bid_ticks: int,
    bid_lots: int,
    ask_ticks: int,
    ask_lots: int,
) -> int:
    """e of one change of the top, in lots: positive pushes up."""
    e = 0
    if bid_ticks >= old_bid_ticks:
        e += bid_lots
    if bid_ticks <= old_bid_ticks:
        e -= old_bid_lots
    if ask_ticks <= old_ask_ticks:
        e -= ask_lots
    if ask_ticks >= old_ask_ticks:
        e += old_ask_lots
    return e


@kernel(i4(flow_record, i8, i8, i8, i8, i8))
def top(flow: Record, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int, t_ns: int) -> int:
    """Take in a top of the book; returns TAKEN, or BAD_TOP. One that equals the last changes nothing."""
    sizes = 0 < bid_lots <= TOP_LOTS_MAX and 0 < ask_lots <= TOP_LOTS_MAX
    if not sizes or not (0 < bid_ticks < ask_ticks <= TICKS_MAX):
        flow.refused += 1
        flow.bid_lots = 0
        flow.ask_lots = 0
        return BAD_TOP
    if flow.bid_lots > 0 and flow.ask_lots > 0:
        e = top_change(
            flow.bid_ticks, flow.bid_lots, flow.ask_ticks, flow.ask_lots, bid_ticks, bid_lots, ask_ticks, ask_lots
        )
        if e != 0:
            keep = span_factor(flow.window) * time_factor(flow.decay_s, t_ns - flow.top_ns)
            flow.ofi_lots = keep * flow.ofi_lots + e
            flow.ofi_total_lots = keep * flow.ofi_total_lots + abs(e)
            flow.tops += 1
            flow.top_ns = max(t_ns, flow.top_ns)
    else:
        flow.top_ns = max(t_ns, flow.top_ns)
    flow.bid_ticks = bid_ticks
    flow.bid_lots = bid_lots
    flow.ask_ticks = ask_ticks
    flow.ask_lots = ask_lots
    return TAKEN


@kernel(f8(flow_record, i8))
def imbalance(flow: Record, now_ns: int) -> float:
    """Order-flow imbalance in [-1, 1]; 0.0 before the warm-up or when stale."""
    if not has_opinion(flow.tops, flow.min_events, flow.top_ns, now_ns, flow.stale_ns):
        return 0.0
    return share(flow.ofi_lots, flow.ofi_total_lots)
