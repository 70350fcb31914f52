"""Every request of the venue in one table: its parameters, who may send it, and how urgent it is.

``build`` checks a request against the table before anything leaves the process: a name that the venue would not know,
a missing or superfluous parameter, a price that is no number. Amounts are contracts, prices USD, times seconds since
1970, as on the wire.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Any

from feed import venue
from feed.venue import Method

Number = int | float | Decimal


class Priority(IntEnum):
    """Order of leaving, the values of ``feed/outbox.pxd``."""

    CANCEL = 0
    REDUCE = 1
    QUOTE = 2
    OTHER = 3


class BadRequest(ValueError):
    """A request that the protocol does not allow; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter and the check that gives its wire form; the check raises ``BadRequest``."""

    name: str
    check: Callable[[Any], Any]
    required: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A request: its method, its parameters in wire order, and groups of which exactly one member must be given."""

    method: str
    parameters: tuple[Parameter, ...] = ()
    priority: Priority = Priority.OTHER
    one_of: tuple[tuple[str, ...], ...] = ()

    @property
    def private(self) -> bool:
        """Does it need a login?"""
        return self.method.startswith("private/")


# -- checks of values --------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise BadRequest(f"expected a text, not {value!r}")
    return value


def number(value: Any) -> int | float:
    """A finite number as a JSON number that says exactly it."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        raise BadRequest(f"expected a finite number, not {value!r}")
    if isinstance(value, Decimal):
        plain = int(value) if value == value.to_integral_value() else float(value)
        if Decimal(repr(plain)) != value:
            raise BadRequest(f"{value} has too many digits for a JSON number")
        return plain
    return value


def positive(value: Any) -> int | float:
    """A positive number."""
    checked = number(value)
    if checked <= 0:
        raise BadRequest(f"expected a positive number, not {value!r}")
    return checked


def integer(value: Any) -> int:
    """An integer from 0 to 2^64 - 1."""
    if type(value) is not int or not 0 <= value <= venue.CLIENT_ORDER_ID_MAX:
        raise BadRequest(f"expected an integer of at most 64 bits, not {value!r}")
    return value


def boolean(value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise BadRequest(f"expected True or False, not {value!r}")
    return value


def label(value: Any) -> str:
    """A label of the letters that the venue takes."""
    if not isinstance(value, str) or not venue.LABEL_PATTERN.match(value):
        raise BadRequest(f"a label is 1 to {venue.LABEL_MAX} characters of A-Z a-z 0-9 < > | _ -, not {value!r}")
    return value


def word(*known: str) -> Callable[[Any], str]:
    """One of these words."""

    def check(value: Any) -> str:
        if value not in known:
            raise BadRequest(f"expected one of {', '.join(known)}, not {value!r}")
        return str(value)

    return check


def names(value: Any) -> list[str]:
    """A list of texts, not empty."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise BadRequest(f"expected a list of names, not {value!r}")
    return [text(name) for name in value]


def comma_list(value: Any) -> str:
    """Several names, given as a list or already joined."""
    return text(value) if isinstance(value, str) else ",".join(names(value))


def legs(value: Any) -> list[dict[str, Any]]:
    """Two to four legs of a combination: {"instrument_name", "quantity"}, the quantity a whole number other than 0."""
    if not isinstance(value, Sequence) or not 2 <= len(value) <= 4:
        raise BadRequest("a combination has 2 to 4 legs")
    checked = []
    for leg in value:
        if not isinstance(leg, Mapping) or set(leg) != {"instrument_name", "quantity"}:
            raise BadRequest("a leg holds instrument_name and quantity")
        if type(leg["quantity"]) is not int or leg["quantity"] == 0:
            raise BadRequest("the quantity of a leg is a whole number other than 0")
        checked.append({"instrument_name": text(leg["instrument_name"]), "quantity": leg["quantity"]})
    return checked


@dataclass(frozen=True, slots=True)
class Quote:
    """What to quote in one instrument: levels of (price, amount) a side. None leaves a side as it is, () clears it."""

    instrument_name: str
    bids: Sequence[tuple[Number, Number]] | None = None
    asks: Sequence[tuple[Number, Number]] | None = None


def quotes(value: Any) -> list[dict[str, Any]]:
    """Up to 100 ``Quote`` objects, or entries as on the wire: {"i": name, "b": side, "a": side}."""
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence) or not value:
        raise BadRequest("expected a list of quotes")
    if len(value) > venue.MASS_QUOTE_INSTRUMENTS_MAX:
        raise BadRequest(f"at most {venue.MASS_QUOTE_INSTRUMENTS_MAX} instruments fit into one mass quote")
    return [_quote(entry) for entry in value]


def _quote(entry: Any) -> dict[str, Any]:
    if isinstance(entry, Quote):
        sides = {"b": entry.bids, "a": entry.asks}
        entry = {"i": entry.instrument_name, **{key: side for key, side in sides.items() if side is not None}}
    if not isinstance(entry, Mapping) or not {"i"} < set(entry) <= {"i", "b", "a"}:
        raise BadRequest('a quote holds "i" and "b" or "a"')
    return {"i": text(entry["i"]), **{key: _side(entry[key]) for key in ("b", "a") if key in entry}}


def _side(side: Any) -> Any:
    if isinstance(side, Mapping):
        if set(side) != {"p", "a"}:
            raise BadRequest('a single level holds "p" and "a"')
        return {"p": number(side["p"]), "a": number(side["a"])}
    if not isinstance(side, Sequence) or len(side) > venue.MASS_QUOTE_LEVELS_MAX:
        raise BadRequest(f"a side is a list of at most {venue.MASS_QUOTE_LEVELS_MAX} levels")
    if any(isinstance(level, str) or not isinstance(level, Sequence) or len(level) != 2 for level in side):
        raise BadRequest("a level is a price and an amount")
    levels = [[number(price), positive(amount)] for price, amount in side]
    if len({price for price, _ in levels}) != len(levels):
        raise BadRequest("a side names a price twice")
    return levels


# -- the table ---------------------------------------------------------------------------------------------------------


def _needs(check: Callable[[Any], Any], *wire_names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, check, True) for name in wire_names)


def _may(check: Callable[[Any], Any], *wire_names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, check, False) for name in wire_names)


_INSTRUMENT = _needs(text, "instrument_name")
_STP = (
    *_may(word("customer", "account", "disabled"), "stp_level"),
    *_may(word("cancel_aggressive_partial_fill", "cancel_aggressive_no_fill"), "stp_action"),
)
_COLLAR = _may(word("ignore", "reject", "clamp"), "collar")
_ORDER = (
    *_may(text, "instrument_name"),
    *_may(legs, "legs"),
    *_needs(positive, "amount"),
    *_may(number, "price"),
    *_may(word(*venue.ORDER_TYPES), "order_type"),
    *_may(word(*venue.TIMES_IN_FORCE), "time_in_force"),
    *_may(integer, "client_order_id"),
    *_may(label, "label"),
    *_may(boolean, "post_only", "reject_post_only", "reduce_only"),
    *_COLLAR,
    *_STP,
)
_EXACTLY_ONE_INSTRUMENT = (("instrument_name", "legs"),)
_ORDER_ID = (*_may(text, "order_id"), *_may(integer, "client_order_id"))
_EXACTLY_ONE_ID = (("order_id", "client_order_id"),)
_FILTER = (
    *_may(text, "expiry_date", "underlying"),
    *_may(word("futures", "options", "future_rolls"), "instrument_type"),
)
_SPAN = (
    *_needs(number, "from", "to"),
    *_needs(word("1m", "5m", "15m", "30m", "1h", "1d", "1w"), "resolution"),
)
_PAGE = (
    *_may(integer, "limit"),
    *_may(number, "time_low", "time_high"),
    *_may(text, "bookmark"),
    *_may(word("ascending", "descending"), "sort"),
)
_TRADE_FILTER = (
    *_may(comma_list, "instrument_names", "bot_ids", "order_ids"),
    *_may(word("buy", "sell"), "direction"),
    *_may(label, "label"),
)
_CHANNELS = _needs(names, "channels")

COMMANDS: dict[str, Command] = {
    command.method: command
    for command in (
        Command(Method.LOGIN, (*_needs(text, "token"), *_may(text, "account"))),
        Command(Method.SET_CANCEL_ON_DISCONNECT, _needs(integer, "timeout_secs")),
        Command(Method.CANCEL_SESSION, priority=Priority.CANCEL),
        Command(Method.PUBLIC_SUBSCRIBE, _CHANNELS),
        Command(Method.PRIVATE_SUBSCRIBE, _CHANNELS),
        Command(Method.UNSUBSCRIBE, _CHANNELS),
        Command(Method.SYSTEM_INFO),
        Command(Method.INSTRUMENTS, _FILTER),
        Command(Method.ALL_INSTRUMENTS, (*_may(number, "time_low", "time_high"), *_FILTER)),
        Command(Method.INSTRUMENT, _INSTRUMENT),
        Command(Method.TICKER, _INSTRUMENT),
        Command(Method.INDEX, _needs(text, "underlying")),
        Command(Method.BOOK, _INSTRUMENT),
        Command(Method.MARK_PRICE_HISTORY, (*_INSTRUMENT, *_SPAN)),
        Command(Method.INDEX_PRICE_HISTORY, (*_needs(text, "index_name"), *_SPAN)),
        Command(
            Method.INSERT,
            (*_needs(word("buy", "sell"), "direction"), *_ORDER),
            Priority.QUOTE,
            _EXACTLY_ONE_INSTRUMENT,
        ),
        Command(Method.BUY, _ORDER, Priority.QUOTE, _EXACTLY_ONE_INSTRUMENT),
        Command(Method.SELL, _ORDER, Priority.QUOTE, _EXACTLY_ONE_INSTRUMENT),
        Command(
            Method.AMEND,
            (*_ORDER_ID, *_needs(number, "price", "amount"), *_COLLAR),
            Priority.QUOTE,
            _EXACTLY_ONE_ID,
        ),
        Command(Method.CANCEL, _ORDER_ID, Priority.CANCEL, _EXACTLY_ONE_ID),
        Command(Method.CANCEL_ALL, priority=Priority.CANCEL),
        Command(
            Method.MASS_QUOTE,
            (*_needs(quotes, "quotes"), *_may(label, "label"), *_may(boolean, "post_only", "reject_post_only"), *_STP),
            Priority.QUOTE,
        ),
        Command(
            Method.SET_MM_PROTECTION, (*_needs(text, "product"), *_needs(positive, "trade_amount", "quote_amount"))
        ),
        Command(Method.CANCEL_MASS_QUOTE, _may(text, "product"), Priority.CANCEL),
        Command(Method.OPEN_ORDERS),
        Command(Method.PORTFOLIO),
        Command(Method.ACCOUNT_SUMMARY),
        Command(Method.ACCOUNT_BREAKDOWN),
        Command(Method.REQUIRED_MARGIN_BREAKDOWN),
        Command(
            Method.REQUIRED_MARGIN_FOR_ORDER,
            (
                *_may(text, "instrument_name"),
                *_may(legs, "legs"),
                *_needs(number, "price"),
                *_needs(positive, "amount"),
            ),
            one_of=_EXACTLY_ONE_INSTRUMENT,
        ),
        Command(Method.TRADE_HISTORY, (*_PAGE, *_TRADE_FILTER)),
        Command(Method.ORDER_HISTORY, (*_PAGE, *_TRADE_FILTER)),
        Command(Method.DAILY_MARK_HISTORY, (*_PAGE, *_may(comma_list, "instrument_names"))),
        Command(Method.TRANSACTION_HISTORY, (*_PAGE, *_may(comma_list, "assets", "types"))),
    )
}


def build(method: str, params: Mapping[str, Any]) -> tuple[Command, dict[str, Any]]:
    """The command of ``method`` and its parameters in wire form; those that are None are left out. Raises
    ``BadRequest``."""
    command = COMMANDS.get(method)
    if command is None:
        raise BadRequest(f"the venue has no request {method!r}")
    given = {name: value for name, value in params.items() if value is not None}
    wire = {}
    for parameter in command.parameters:
        if parameter.name in given:
            try:
                wire[parameter.name] = parameter.check(given.pop(parameter.name))
            except BadRequest as error:
                raise BadRequest(f"{method}: {parameter.name}: {error}") from None
        elif parameter.required:
            raise BadRequest(f"{method}: {parameter.name} is missing")
    if given:
        raise BadRequest(f"{method} takes no {', '.join(given)}")
    for group in command.one_of:
        if sum(name in wire for name in group) != 1:
            raise BadRequest(f"{method} takes exactly one of {' and '.join(group)}")
    return command, wire


def priority_of(command: Command, wire: Mapping[str, Any]) -> Priority:
    """The priority of one request: an order that can only reduce the position goes before new quotes."""
    return Priority.REDUCE if wire.get("reduce_only") else command.priority
