"""Reading the results of set-up requests.

Anything that is not of the form the protocol gives raises ``Unexpected``.
"""

from decimal import Decimal
from math import inf
from typing import Any

E8 = 100_000_000


class Unexpected(ValueError):
    """A result that is not of the form the protocol gives."""


def member(row: Any, name: str) -> Any:
    """A member of a JSON object."""
    if not isinstance(row, dict) or name not in row:
        raise Unexpected(f"{name} is missing")
    return row[name]


def rows(result: Any, what: str) -> tuple[Any, ...]:
    """A list, as a tuple."""
    if not isinstance(result, list):
        raise Unexpected(f"no list of {what}")
    return tuple(result)


def open_orders(result: Any) -> tuple[dict[str, Any], ...]:
    """The orders of ``private/open_orders``."""
    orders = rows(result, "orders")
    if not all(isinstance(order, dict) for order in orders):
        raise Unexpected("an order that is no object")
    return orders


def message_rate(result: Any) -> int:
    """Matching messages a second, of ``private/set_cancel_on_disconnect``."""
    rate = member(result, "message_rate")
    if type(rate) is not int or rate < 1:
        raise Unexpected(f"message_rate {rate!r}")
    return rate


def mark_price_usd(result: Any) -> float:
    """The mark of ``public/ticker``, positive and finite."""
    price = member(result, "mark_price")
    if type(price) not in (int, float, Decimal) or not 0 < price < inf:
        raise Unexpected(f"mark_price {price!r}")
    return float(price)


def positions_e8(result: Any) -> dict[str, int]:
    """Signed positions by instrument, in units of 1e-8 contracts, of ``private/portfolio``."""
    positions: dict[str, int] = {}
    for row in rows(result, "positions"):
        name = member(row, "instrument_name")
        if name in positions:
            raise Unexpected(f"two positions in {name}")
        positions[name] = _e8(member(row, "position"))
    return positions


def json_number(value_e8: int) -> int | float:
    """An amount in units of 1e-8 as the JSON number that says exactly it; ``ValueError`` if no double does."""
    if value_e8 % E8 == 0:
        return value_e8 // E8
    number = value_e8 / E8
    if Decimal(repr(number)) * E8 != value_e8:
        raise ValueError(f"{value_e8}e-8 has too many digits for a JSON number")
    return number


def _e8(value: Any) -> int:
    if type(value) not in (int, float, Decimal):
        raise Unexpected(f"position {value!r}")
    scaled = Decimal(str(value)) * E8
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise Unexpected(f"position {value!r}")
    return int(scaled)
