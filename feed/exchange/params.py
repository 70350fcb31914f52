"""Access to request parameters, and the venue's way of refusing them: error 6, worded like its parser (protocol 9)."""

import re
from collections.abc import Mapping
from typing import Any

from feed.exchange.errors import Code, RequestError
from feed.exchange.numbers import parse_e8

Params = Mapping[str, Any]

LABEL = re.compile(r"[A-Za-z0-9<>|_-]{0,64}\Z")
CLIENT_ID_MAX = 2**64 - 1


def bad(detail: str) -> RequestError:
    """Error 6."""
    return RequestError(Code.INVALID_REQUEST, detail)


def text(params: Params, name: str) -> str | None:
    """An optional string; null counts as absent."""
    value = params.get(name)
    if value is None or isinstance(value, str):
        return value
    raise bad(f"invalid type for `{name}`, expected a string")


def need_text(params: Params, name: str) -> str:
    """A required string."""
    value = text(params, name)
    if value is None:
        raise bad(f"missing field `{name}`")
    return value


def flag(params: Params, name: str) -> bool:
    """An optional boolean, false when absent."""
    value = params.get(name)
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    raise bad(f"invalid type for `{name}`, expected a boolean")


def number_e8(params: Params, name: str) -> int | None:
    """An optional number or decimal text in units of 1e-8."""
    value = params.get(name)
    if value is None:
        return None
    try:
        return parse_e8(value)
    except ValueError as error:
        raise bad(f"`{name}`: {error}") from None


def need_number_e8(params: Params, name: str) -> int:
    """A required number in units of 1e-8."""
    value = number_e8(params, name)
    if value is None:
        raise bad(f"missing field `{name}`")
    return value


def seconds(params: Params, name: str) -> float | None:
    """An optional time in seconds of the epoch."""
    value = number_e8(params, name)
    return None if value is None else value / 1e8


def whole(params: Params, name: str, low: int, high: int) -> int | None:
    """An optional integer within bounds."""
    value = params.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise bad(f"`{name}`: expected an integer from {low} to {high}")
    return value


def choice(params: Params, name: str, allowed: tuple[str, ...]) -> str | None:
    """An optional word out of a list."""
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or value not in allowed:
        words = ", ".join(f"`{word}`" for word in allowed)
        raise bad(f"unknown variant `{value}`, expected one of {words}")
    return value


def label(params: Params) -> str:
    """The label, empty when absent: at most 64 of the allowed characters."""
    value = text(params, "label") or ""
    if not LABEL.match(value):
        raise bad("invalid label")
    return value


def client_id(params: Params) -> int | None:
    """The client order id, 0 to 2^64-1."""
    return whole(params, "client_order_id", 0, CLIENT_ID_MAX)


def words(params: Params, name: str) -> list[str]:
    """A required list of strings."""
    value = params.get(name)
    if value is None:
        raise bad(f"missing field `{name}`")
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise bad(f"invalid type for `{name}`, expected a sequence of strings")
    return value
