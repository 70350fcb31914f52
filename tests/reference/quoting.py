"""Ladder and sizes in plain Python: rational arithmetic, the rules in the order stated."""

import math
from fractions import Fraction
from typing import NamedTuple


class Ladder(NamedTuple):
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


def best(
    bid: Fraction,
    ask: Fraction,
    least: int,
    most: int,
    best_bid: int | None,
    best_ask: int | None,
    post_only: bool,
    reservation: Fraction | None = None,
) -> tuple[int, int]:
    """Innermost prices in ticks from wanted ones: maximum, minimum, rounding outwards, passive clamp, maximum again.

    The reservation price is their middle unless given.
    """
    middle = (bid + ask) / 2
    reservation = middle if reservation is None else reservation
    width = max(min(ask - bid, Fraction(most)), Fraction(least))
    bid, ask = middle - width / 2, middle + width / 2
    low, high = math.floor(bid), math.ceil(ask)
    if high - low > most:
        moved_bid, moved_ask = bid - low, high - ask
        if moved_bid == moved_ask and most > least:
            low, high = low + 1, high - 1
        elif moved_bid > moved_ask:
            low += 1
        else:
            high -= 1
    if post_only and best_ask is not None and low >= best_ask:
        low = best_ask - 1
        high = min(high, max(low + most, math.ceil(reservation), (best_bid or 0) + 1))
    elif post_only and best_bid is not None and high <= best_bid:
        high = best_bid + 1
        follow = [high - most, math.floor(reservation)] + ([best_ask - 1] if best_ask is not None else [])
        low = max(low, min(follow))
    return low, high


def sizes(wanted: list[int], factor: Fraction, capacity: int, least: int) -> list[int]:
    """Lots per level: faded, rounded down, cut to what is left, nothing below the least."""
    out = []
    for lots in wanted:
        size = min(math.floor(lots * factor), capacity)
        out.append(size if size >= max(least, 1) else 0)
        capacity -= out[-1]
    return out


def room(limit: Fraction, age: Fraction, over: Fraction) -> Fraction:
    """What a position of this age is faded against."""
    return limit * max(Fraction(0), 1 - max(age, Fraction(0)) / over)


def share(position: Fraction, limit: Fraction) -> Fraction:
    """Share of the limit used up by ``position`` (signed towards the side in question)."""
    if position <= 0:
        return Fraction(0)
    return min(Fraction(1), position / limit) if limit > 0 else Fraction(1)


def factor(position: Fraction, limit: Fraction, full: Fraction = Fraction(1)) -> Fraction:
    """On the sizes of a side: 1 at minus the limit, ``full`` when flat, 0 at the limit, straight lines between."""
    adds, reduces = share(position, limit), share(-position, limit)
    return full * (1 - adds) + (1 - full) * reduces
