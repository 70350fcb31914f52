"""Numbers on the wire ⇄ fixed point of 1e-8 (protocol section 3: the venue rounds to 8 decimals before any check)."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from feed.exchange.instruments import E8

LIMIT = 10**12
"""Largest magnitude of a number in a request; beyond it nothing is a price or an amount."""


def parse_e8(value: object) -> int:
    """Number or decimal text as an integer multiple of 1e-8, half to even. Raises ValueError when it is neither."""
    if isinstance(value, float):
        if not -LIMIT <= value <= LIMIT:
            raise ValueError("number out of range")
        return round(value * 1e8)
    if isinstance(value, int) and not isinstance(value, bool):
        if not -LIMIT <= value <= LIMIT:
            raise ValueError("number out of range")
        return value * E8
    if isinstance(value, str) and len(value) <= 40:
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise ValueError("not a number") from None
        if not number.is_finite() or not -LIMIT <= number <= LIMIT:
            raise ValueError("number out of range")
        return int(number.scaleb(8).to_integral_value(ROUND_HALF_EVEN))
    raise ValueError("not a number")


def plain(value_e8: int) -> int | float:
    """Whole numbers as integers, everything else as the nearest double; both print as the exact decimal."""
    return value_e8 // E8 if value_e8 % E8 == 0 else value_e8 / E8


def as_float(value_e8: int) -> float:
    """Every number as a double, so that whole ones print with ``.0``."""
    return value_e8 / E8
