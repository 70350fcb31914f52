"""JSON values to Python values: readers that take a value and its path, and raise ``Malformed`` for anything else.

A reader is a function (value, path) of one type; ``Members`` reads the members of an object by name. Null is absent.
"""

from collections.abc import Callable
from decimal import Context, Decimal
from typing import TypeVar, cast

from feed import venue
from feed.messages import Json, Malformed

T = TypeVar("T")
Read = Callable[[Json, str], T]

NUMBER_TEXT_MAX = 300
"""Bytes of one number."""
TIME_MAX_S = 1e11
"""Seconds of the year 5138; a time in milliseconds is above it."""
E8_MAX = 2**63 - 1
_EXACT = Context(prec=2 * NUMBER_TEXT_MAX)


def e8(value: Decimal) -> int:
    """``value`` in units of 1e-8. Raises ValueError when it has more than 8 decimals or does not fit 64 bits."""
    if value == 0:
        return 0
    if value.adjusted() > 11:
        raise ValueError("number out of range")
    scaled = _EXACT.scaleb(value, 8)
    whole = int(scaled)
    if whole != scaled:
        raise ValueError("more than 8 decimals")
    if abs(whole) > E8_MAX:
        raise ValueError("number out of range")
    return whole


def text(value: Json, path: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise Malformed("expected a string", path)
    return value


def identifier(value: Json, path: str) -> str:
    """A string that is not empty."""
    if not text(value, path):
        raise Malformed("expected an identifier", path)
    return cast(str, value)


def boolean(value: Json, path: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Malformed("expected true or false", path)
    return value


def exact(value: Json, path: str) -> Decimal:
    """A number that fixed point of 1e-8 holds exactly."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Malformed("expected a number", path)
    number = Decimal(value)
    try:
        e8(number)
    except ValueError as error:
        raise Malformed(str(error), path) from None
    return number


def amount(value: Json, path: str) -> Decimal:
    """An exact number that is not negative."""
    number = exact(value, path)
    if number < 0:
        raise Malformed("an amount is negative", path)
    return number


def price_of(instrument: str | None) -> Read[Decimal]:
    """Reader of prices of ``instrument``: positive for perpetuals and futures, any for spreads and options."""

    def read(value: Json, path: str) -> Decimal:
        number = exact(value, path)
        if number <= 0 and instrument is not None and venue.is_outright(instrument):
            raise Malformed("a price is not positive", path)
        return number

    return read


def double(value: Json, path: str) -> float:
    """A number as the nearest double."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Malformed("expected a number", path)
    return float(value)


def mark_of(instrument: str | None) -> Read[float]:
    """Reader of marks and indices of ``instrument``: positive for perpetuals and futures."""

    def read(value: Json, path: str) -> float:
        number = double(value, path)
        if number <= 0 and instrument is not None and venue.is_outright(instrument):
            raise Malformed("a price is not positive", path)
        return number

    return read


def time_s(value: Json, path: str) -> float:
    """Seconds since 1970."""
    number = double(value, path)
    if not 0 <= number < TIME_MAX_S:
        raise Malformed("not a time in seconds", path)
    return number


def whole_number(most: int) -> Read[int]:
    """Reader of integers from 0 to ``most``; 4.0 is one."""

    def read(value: Json, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise Malformed("expected an integer", path)
        if not 0 <= value <= most or value != int(value):
            raise Malformed(f"expected an integer from 0 to {most}", path)
        return int(value)

    return read


def word(*known: str) -> Read[str]:
    """Reader of one of a closed set of words."""

    def read(value: Json, path: str) -> str:
        if value not in known or not isinstance(value, str):
            raise Malformed(f"expected one of {', '.join(known)}", path)
        return value

    return read


count = whole_number(2**31 - 1)
uint64 = whole_number(2**64 - 1)
side_word = word("buy", "sell")


def array(value: Json, path: str) -> list[Json]:
    """An array."""
    if not isinstance(value, list):
        raise Malformed("expected an array", path)
    return value


def items(read: Read[T]) -> Read[tuple[T, ...]]:
    """Reader of an array of what ``read`` reads."""

    def each(value: Json, path: str) -> tuple[T, ...]:
        return tuple(read(item, f"{path}[{i}]") for i, item in enumerate(array(value, path)))

    return each


class Members:
    """The members of an object, read by name; null is absent."""

    __slots__ = ("path", "value")

    def __init__(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise Malformed("expected an object", path)
        self.value = value
        self.path = path

    def required(self, name: str, read: Read[T]) -> T:
        """The member ``name``, which must be there."""
        member = self.value.get(name)
        if member is None:
            raise Malformed("missing", f"{self.path}.{name}")
        return read(member, f"{self.path}.{name}")

    def optional(self, name: str, read: Read[T]) -> T | None:
        """The member ``name``, or None."""
        member = self.value.get(name)
        return None if member is None else read(member, f"{self.path}.{name}")
