"""From a reservation price and distances to a ladder of integer prices and sizes that a venue accepts.

Prices are in ticks; a best price of 0 means that side of the book is empty. Called per tick by the quote kernel.
"""

import math

from kernels.kernel import Record, f8, i8, int_pair, kernel, model_record, target_record
from kernels.sizing import level_lots

SNAP_TICKS = 1e-6  # a price nearer than this to a whole tick is that tick, so that rounding error moves no quote


@kernel(int_pair(f8, f8, i8, i8))
def round_out(bid: float, ask: float, min_ticks: int, max_ticks: int) -> tuple[int, int]:
    """Whole-tick (bid, ask) for prices in ticks, with ``min_ticks <= ask - bid <= max_ticks`` (1 <= min_ticks <=
    max_ticks).

    The maximum and then the minimum are applied about the middle. Bids round down and asks up; where that alone would
    exceed the maximum by a tick, the side that rounding moved further gives way, or on a tie both, minimum permitting
    (else the ask).
    """
    middle = 0.5 * (bid + ask)
    if ask - bid > max_ticks:
        bid = middle - 0.5 * max_ticks
        ask = middle + 0.5 * max_ticks
    if ask - bid < min_ticks:
        bid = middle - 0.5 * min_ticks
        ask = middle + 0.5 * min_ticks
    bid_ticks = math.floor(bid + SNAP_TICKS)
    ask_ticks = math.ceil(ask - SNAP_TICKS)
    if ask_ticks - bid_ticks > max_ticks:
        further = (bid - bid_ticks) - (ask_ticks - ask)
        if abs(further) <= SNAP_TICKS and max_ticks > min_ticks:
            return bid_ticks + 1, ask_ticks - 1
        if further > SNAP_TICKS:
            return bid_ticks + 1, ask_ticks
        return bid_ticks, ask_ticks - 1
    return bid_ticks, ask_ticks


@kernel(int_pair(i8, i8, f8, i8, i8, i8))
def stay_passive(
    bid: int, ask: int, reservation: float, max_ticks: int, best_bid: int, best_ask: int
) -> tuple[int, int]:
    """(bid, ask) in ticks that cannot trade on arrival: bid <= best_ask - 1 and ask >= best_bid + 1 of others'
    orders.

    Clamping widens the spread. Where it then exceeds ``max_ticks``, the other side follows, but never through the
    reservation price (in ticks): nothing is sold below it or bought above it. best_bid < best_ask unless one is 0.
    """
    if best_ask > 0 and bid >= best_ask:
        bid = best_ask - 1
        limit = max(bid + max_ticks, best_bid + 1, math.ceil(reservation - SNAP_TICKS))
        return bid, min(ask, limit)
    if best_bid > 0 and ask <= best_bid:
        ask = best_bid + 1
        limit = min(ask - max_ticks, math.floor(reservation + SNAP_TICKS))
        if best_ask > 0:
            limit = min(limit, best_ask - 1)
        return max(bid, limit), ask
    return bid, ask


@kernel(int_pair(f8, f8, f8, i8, i8, i8, i8, i8))
def best_quotes(
    reservation: float,
    half_bid: float,
    half_ask: float,
    min_ticks: int,
    max_ticks: int,
    best_bid: int,
    best_ask: int,
    post_only: int,
) -> tuple[int, int]:
    """The innermost (bid, ask) in ticks around a reservation price that already holds the skew; all inputs in ticks.

    Order: maximum spread, minimum spread, rounding (``round_out``), post-only clamp at the opposite best of others,
    maximum spread again on the unclamped side (``stay_passive``). The clamp only widens, so the minimum needs no
    second pass. What wins where they contradict: bid < ask always; then post-only; then no trade worse than the
    reservation price when following a clamp; then the minimum; then the maximum. A bid below 1 tick is possible;
    ``write_bids`` drops it.
    """
    bid, ask = round_out(reservation - half_bid, reservation + half_ask, min_ticks, max(max_ticks, min_ticks))
    if post_only != 0:
        bid, ask = stay_passive(bid, ask, reservation, max(max_ticks, min_ticks), best_bid, best_ask)
    return bid, ask


@kernel(i8(target_record, model_record, i8, f8, i8))
def write_bids(target: Record, model: Record, best: int, factor: float, capacity_lots: int) -> int:
    """Write the bids from ``best`` (ticks) downwards into the target, sized by kernels.sizing; returns and stores
    their count.

    A level without lots, or below 1 tick, is left out and keeps its place: the next one is a spacing further. 0 <=
    levels <= 10.
    """
    count = 0
    for level in range(model.levels):
        lots = level_lots(model.level_lots[level], factor, capacity_lots, model.min_lots)
        price = best - level * model.spacing_ticks
        if lots > 0 and price > 0:
            target.bid_ticks[count] = price
            target.bid_lots[count] = lots
            capacity_lots -= lots
            count += 1
    target.bid_count = count
    return count


@kernel(i8(target_record, model_record, i8, f8, i8))
def write_asks(target: Record, model: Record, best: int, factor: float, capacity_lots: int) -> int:
    """The same for the asks, upwards."""
    count = 0
    for level in range(model.levels):
        lots = level_lots(model.level_lots[level], factor, capacity_lots, model.min_lots)
        price = best + level * model.spacing_ticks
        if lots > 0 and price > 0:
            target.ask_ticks[count] = price
            target.ask_lots[count] = lots
            capacity_lots -= lots
            count += 1
    target.ask_count = count
    return count
