"""The slow decoder: a frame to a typed message, or ``Malformed``. It decides what the fast one leaves, and is its
oracle.

Strict where JSON libraries are not: UTF-8, no duplicate members, no NaN, no number that a double cannot hold, no lone
surrogates, bounded size and depth.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import NoReturn, cast

from feed import venue
from feed.fields import NUMBER_TEXT_MAX, Members, boolean, count, text
from feed.messages import Json, Malformed, Notification, Reply, VenueError
from feed.payloads import payload, result_of

DEPTH_MAX = 64
"""Containers inside one another."""
EXCERPT_MAX = 120
"""Bytes of the frame in an error."""


def _number(digits: str) -> Decimal:
    if len(digits) > NUMBER_TEXT_MAX:
        raise Malformed("a number is too long")
    try:
        value = Decimal(digits)
    except InvalidOperation:
        raise Malformed("a number is out of range") from None
    if value and not 0 < abs(float(value)) < float("inf"):
        raise Malformed("a number is out of range")
    return value


def _integer(digits: str) -> int:
    if len(digits) > NUMBER_TEXT_MAX:
        raise Malformed("a number is too long")
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("a member is there twice")
    return members


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_int=_integer, parse_constant=_constant, strict=True
)


def _check(value: Json) -> None:
    """Bound the depth, and refuse text that has no UTF-8 form."""
    layer: list[Json] = [value]
    for _ in range(DEPTH_MAX + 1):
        inner: list[Json] = []
        for item in layer:
            if isinstance(item, str):
                if not item.isascii():
                    _encodable(item)
            elif isinstance(item, dict):
                inner.extend(item)
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        if not inner:
            return
        layer = inner
    raise Malformed(f"more than {DEPTH_MAX} levels deep")


def _encodable(item: str) -> None:
    try:
        item.encode()
    except UnicodeEncodeError:
        raise Malformed("half of a surrogate pair") from None


def parse(frame: bytes, size_max: int = venue.MESSAGE_SIZE_MAX) -> Json:
    """The JSON value of ``frame``. Raises ``Malformed``."""
    if len(frame) > size_max:
        raise Malformed(f"{len(frame)} bytes, more than {size_max}")
    try:
        characters = frame.decode("utf-8")
        value, end = _DECODER.raw_decode(characters, len(characters) - len(characters.lstrip(" \t\r\n")))
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON at character {error.pos}: {error.msg}") from None
    except RecursionError:
        raise Malformed(f"more than {DEPTH_MAX} levels deep") from None
    if characters[end:].strip(" \t\r\n"):
        raise Malformed(f"more text behind the message at character {end}")
    _check(value)
    return cast(Json, value)


def decode(frame: bytes, size_max: int = venue.MESSAGE_SIZE_MAX) -> Reply | Notification:
    """The message in ``frame``. Raises ``Malformed`` and nothing else, whatever the bytes are."""
    try:
        message = Members(parse(frame, size_max), "message")
        if "channel_name" in message.value:
            name = message.required("channel_name", text)
            if "notification" not in message.value:
                raise Malformed("missing", "message.notification")
            return Notification(
                name,
                payload(venue.parse_channel(name), message.value["notification"]),
                message.optional("snapshot", boolean) or False,
            )
        return reply(message)
    except Malformed as error:
        excerpt = ascii(frame[:EXCERPT_MAX])
        raise Malformed(error.reason, error.path, excerpt) from None


def reply(message: Members) -> Reply:
    """The reply in ``message`` (section 3): an id and exactly one of result and error."""
    value = message.value
    if "id" not in value:
        raise Malformed("neither a reply nor a notification", "message")
    if ("result" in value) == ("error" in value):
        raise Malformed("expected exactly one of result and error", "message")
    if "result" in value:
        return Reply(value["id"], result_of(value["result"]), None)
    error = Members(value["error"], "error")
    return Reply(value["id"], None, VenueError(error.required("code", count), error.required("message", text)))
