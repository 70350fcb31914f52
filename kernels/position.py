"""First-in-first-out accounting of one instrument, in exact integers.

Money inside is ticks times lots; with C the cost of the open lots, realised = cash + C, hence at every price
``realised + unrealised == cash + lots * price`` to the last integer. Fees (paid) and funding (received) are USD
beside it. The position's 512 open lots are a ring; when it is full the two oldest become one whose cost keeps its
remainder, so the identity survives. The owner is the thread that runs the core.
"""

import math

from kernels.kernel import Record, f8, i4, i8, kernel, position_record

FIFO_MAX = 512  # length of the record's arrays

# Bounds that keep every sum and product below 2^63; a fill beyond them is refused, nothing wraps.
LOTS_MAX = 2**31
TICKS_MAX = 2**29
CASH_MAX = 2**61
VOLUME_MAX = 2**62
UNKNOWN_TICKLOTS = -(2**63)

OK = 0
NO_LOTS = 1
BAD_PRICE = 2
TOO_MANY_LOTS = 3
TOO_MUCH_CASH = 4
BAD_MONEY = 5  # a fee or funding payment that is not finite
CORRUPT = 6  # head or count outside the ring


@kernel(i8(position_record, i8))
def _close(position: Record, lots: int) -> int:
    """Take ``lots`` (1 <= lots <= sum of the open lots) from the oldest on; returns their cost, unsigned."""
    cost = 0
    while lots > 0 and position.count > 0:
        head = position.head
        held = position.fifo_lots[head]
        taken = min(lots, held)
        remainder = position.head_remainder_ticklots
        if taken < held:
            remainder = remainder * taken // held
        cost += taken * position.fifo_ticks[head] + remainder
        position.head_remainder_ticklots -= remainder
        position.fifo_lots[head] = held - taken
        if taken == held:
            position.head = (head + 1) % FIFO_MAX
            position.count -= 1
        lots -= taken
    return cost


@kernel(i8(position_record))
def _merge_oldest(position: Record) -> int:
    """Make one lot of the two oldest (count >= 2), of the same lots and the same cost; returns the new count."""
    head = position.head
    following = (head + 1) % FIFO_MAX
    lots = position.fifo_lots[head] + position.fifo_lots[following]
    cost = (
        position.fifo_lots[head] * position.fifo_ticks[head]
        + position.head_remainder_ticklots
        + position.fifo_lots[following] * position.fifo_ticks[following]
    )
    position.fifo_lots[following] = lots
    position.fifo_ticks[following] = cost // lots
    position.head_remainder_ticklots = cost % lots
    position.head = following
    position.count -= 1
    return int(position.count)


@kernel(i8(position_record, i8, i8))
def _open(position: Record, lots: int, price_ticks: int) -> int:
    """Append ``lots`` > 0 at a price, to the newest lot where the price is the same; returns the count."""
    if position.count > 0:
        newest = (position.head + position.count - 1) % FIFO_MAX
        whole = position.count > 1 or position.head_remainder_ticklots == 0
        if whole and position.fifo_ticks[newest] == price_ticks:
            position.fifo_lots[newest] += lots
            return int(position.count)
    if position.count == FIFO_MAX:
        _merge_oldest(position)
    slot = (position.head + position.count) % FIFO_MAX
    position.fifo_lots[slot] = lots
    position.fifo_ticks[slot] = price_ticks
    position.count += 1
    return int(position.count)


@kernel(i4(position_record, i8, i8, f8))
def refusal(position: Record, signed_lots: int, price_ticks: int, fee_usd: float) -> int:
    """The code with which ``fill`` would refuse this fill, or OK."""
    if signed_lots == 0:
        return NO_LOTS
    if price_ticks < 1 or price_ticks > TICKS_MAX:
        return BAD_PRICE
    if not (-math.inf < fee_usd < math.inf):
        return BAD_MONEY
    if signed_lots < -LOTS_MAX or signed_lots > LOTS_MAX:
        return TOO_MANY_LOTS
    if abs(position.lots + signed_lots) > LOTS_MAX:
        return TOO_MANY_LOTS
    if max(position.bought_lots, position.sold_lots) > VOLUME_MAX - LOTS_MAX:
        return TOO_MANY_LOTS
    if abs(position.cash_ticklots - signed_lots * price_ticks) > CASH_MAX:
        return TOO_MUCH_CASH
    if position.head < 0 or position.head >= FIFO_MAX or position.count < 0 or position.count > FIFO_MAX:
        return CORRUPT
    return OK


@kernel(i4(position_record, i8, i8, f8))
def fill(position: Record, signed_lots: int, price_ticks: int, fee_usd: float) -> int:
    """Book one fill: lots signed (+ bought), price in ticks, fee in USD (positive: paid). Returns OK, or a code and
    changes nothing.

    Lots against the position close the oldest first; what is left over opens the other way at this price.
    """
    code = refusal(position, signed_lots, price_ticks, fee_usd)
    if code != OK:
        return code
    side = 1 if signed_lots > 0 else -1
    lots = signed_lots * side
    held = -position.lots * side
    closing = min(lots, held) if held > 0 else 0
    if closing > 0:
        position.realised_ticklots += (_close(position, closing) - closing * price_ticks) * side
    if lots > closing:
        _open(position, lots - closing, price_ticks)
    position.lots += signed_lots
    position.cash_ticklots -= signed_lots * price_ticks
    if side > 0:
        position.bought_lots += lots
    else:
        position.sold_lots += lots
    position.fills += 1
    position.fees_usd += fee_usd
    return OK


@kernel(i4(position_record, f8))
def add_funding(position: Record, received_usd: float) -> int:
    """Book a funding payment in USD (positive: received). Returns OK, or BAD_MONEY and changes nothing."""
    if not (-math.inf < received_usd < math.inf):
        return BAD_MONEY
    position.funding_usd += received_usd
    return OK


@kernel(i8(position_record, i8))
def unrealised_ticklots(position: Record, price_ticks: int) -> int:
    """Gain of closing everything at a price of 0 to TICKS_MAX ticks, in ticks times lots; UNKNOWN_TICKLOTS at any
    other price.
    """
    if price_ticks < 0 or price_ticks > TICKS_MAX:
        return UNKNOWN_TICKLOTS
    return int(position.cash_ticklots + position.lots * price_ticks - position.realised_ticklots)


@kernel(f8(position_record, i8, f8, f8))
def equity_usd(position: Record, price_ticks: int, tick_usd: float, lot_contracts: float) -> float:
    """Realised + unrealised - fees + funding in USD, with the position valued at ``price_ticks``; NaN at a price out
    of range.
    """
    if price_ticks < 0 or price_ticks > TICKS_MAX:
        return math.nan
    total = position.cash_ticklots + position.lots * price_ticks
    return float(total * tick_usd * lot_contracts - position.fees_usd + position.funding_usd)
