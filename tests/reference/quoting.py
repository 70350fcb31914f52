"""Ladder and sizes in plain Python: rational arithmetic, the rules in the order stated."""

import math
from fractions import Fraction
from typing import NamedTuple


class Ladder(NamedTuple):
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


def best(
    bid: Fraction, ask: Fraction, least: int, most: int, best_bid: int | None, best_ask: int | None, post_only: bool
) -> tuple[int, int]:
    """Innermost prices in ticks from wanted ones: maximum, minimum, rounding outwards, passive clamp, maximum again."""
    middle = reservation = (bid + ask) / 2
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


def fade(position: Fraction, limit: Fraction) -> Fraction:
    """Factor for the side that would add to ``position`` (signed towards that side)."""
    return Fraction(1) if position <= 0 else max(Fraction(0), 1 - position / limit)
