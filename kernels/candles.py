"""Volume candles: bars that close when a given volume has traded, or when the timer says that one is too old.

Volume is conserved exactly: traded lots = lots of evicted, kept and open candles at every moment. A trade that exceeds
the room of the open candle is split, as often as needed. Prices are ticks, sizes lots; buys and sells are counted
by the aggressor. State is one Candles record with arrays of CANDLES_MAX, owned by the thread that runs the core.
"""

from kernels.kernel import Record, candles_record, i4, i8, kernel
from kernels.limits import LOTS_MAX, TICKS_MAX

CANDLES_MAX = 128  # length of the record's arrays

TAKEN = 0
BAD_TRADE = 1  # side, price or size without a meaning: nothing changed


@kernel(i8(candles_record))
def kept_max(candles: Record) -> int:
    """Closed candles kept: the setting, within 1 and CANDLES_MAX."""
    return int(min(max(candles.capacity, 1), CANDLES_MAX))


@kernel(i8(candles_record))
def threshold(candles: Record) -> int:
    """Lots of a full candle: the setting, at least 1."""
    return int(max(candles.threshold_lots, 1))


@kernel(i8(candles_record))
def open_lots(candles: Record) -> int:
    """Lots in the open candle."""
    return int(candles.open_buy_lots + candles.open_sell_lots)


@kernel(i8(candles_record, i8))
def slot(candles: Record, age: int) -> int:
    """Slot of the closed candle ``age`` places before the newest (0); always inside the arrays."""
    length = kept_max(candles)
    return int((candles.head - 1 - age) % length)


@kernel(i4(candles_record, i8))
def close_open(candles: Record, end_ns: int) -> int:
    """Move the open candle, which must have volume, into the ring."""
    length = kept_max(candles)
    at = candles.head % length
    if candles.count >= length:
        candles.evicted_lots += candles.buy_lots[at] + candles.sell_lots[at]
    else:
        candles.count += 1
    candles.begin_ns[at] = candles.open_ns
    candles.end_ns[at] = end_ns
    candles.open_ticks[at] = candles.open_open_ticks
    candles.high_ticks[at] = candles.open_high_ticks
    candles.low_ticks[at] = candles.open_low_ticks
    candles.close_ticks[at] = candles.open_close_ticks
    candles.buy_lots[at] = candles.open_buy_lots
    candles.sell_lots[at] = candles.open_sell_lots
    candles.head = (at + 1) % length
    candles.closed += 1
    candles.open_buy_lots = 0
    candles.open_sell_lots = 0
    return 0


@kernel(i4(candles_record, i8, i8, i8, i8))
def add(candles: Record, aggressor: int, price_ticks: int, lots: int, t_ns: int) -> int:
    """Put lots into the open candle, which has room for them."""
    if open_lots(candles) == 0:
        candles.open_ns = t_ns
        candles.open_open_ticks = price_ticks
        candles.open_high_ticks = price_ticks
        candles.open_low_ticks = price_ticks
    candles.open_high_ticks = max(candles.open_high_ticks, price_ticks)
    candles.open_low_ticks = min(candles.open_low_ticks, price_ticks)
    candles.open_close_ticks = price_ticks
    if aggressor > 0:
        candles.open_buy_lots += lots
    else:
        candles.open_sell_lots += lots
    return 0


@kernel(i4(candles_record, i8))
def close_due(candles: Record, now_ns: int) -> int:
    """Close the open candle if it is ``max_age_ns`` old or older; returns 1 when it did. The timer's call."""
    if open_lots(candles) == 0 or now_ns - candles.open_ns < max(candles.max_age_ns, 1):
        return 0
    close_open(candles, candles.open_ns + max(candles.max_age_ns, 1))
    return 1


@kernel(i4(candles_record, i8, i8, i8, i8))
def trade(candles: Record, aggressor: int, price_ticks: int, lots: int, t_ns: int) -> int:
    """Take in one public trade: aggressor +1 (buyer took) or -1; returns TAKEN, or BAD_TRADE.

    A trade stamped before its predecessor counts at that one's time. A candle that was due is closed first. Of a
    trade that fills more candles than are kept, those that would be evicted again are counted without being written.
    """
    if (aggressor not in (1, -1)) or not (1 <= price_ticks <= TICKS_MAX) or not (1 <= lots <= LOTS_MAX):
        candles.refused += 1
        return BAD_TRADE
    if candles.traded_lots > 0 and t_ns < candles.last_ns:
        candles.late += 1
        t_ns = candles.last_ns
    close_due(candles, t_ns)
    candles.last_ns = t_ns
    candles.traded_lots += lots
    full = threshold(candles)
    room = max(full - open_lots(candles), 0)
    if lots >= room:
        if room > 0:
            add(candles, aggressor, price_ticks, room, t_ns)
        close_open(candles, t_ns)
        lots -= room
        length = kept_max(candles)
        passed = max(lots // full - length, 0)
        candles.evicted_lots += passed * full
        candles.closed += passed
        lots -= passed * full
        while lots >= full:
            add(candles, aggressor, price_ticks, full, t_ns)
            close_open(candles, t_ns)
            lots -= full
    if lots > 0:
        add(candles, aggressor, price_ticks, lots, t_ns)
    return TAKEN


@kernel(i8(candles_record))
def kept_lots(candles: Record) -> int:
    """Lots of all closed candles that are kept."""
    total = 0
    for age in range(candles.count):
        at = slot(candles, age)
        total += candles.buy_lots[at] + candles.sell_lots[at]
    return total


@kernel(i4(candles_record))
def clear(candles: Record) -> int:
    """Forget every trade and keep the settings; returns 0."""
    candles.traded_lots = 0
    candles.evicted_lots = 0
    candles.closed = 0
    candles.late = 0
    candles.refused = 0
    candles.last_ns = 0
    candles.head = 0
    candles.count = 0
    candles.open_buy_lots = 0
    candles.open_sell_lots = 0
    return 0
