"""P rows of the fault catalogue: messages and frames that a venue must not send, in the middle of quoting."""

from collections.abc import Callable

from tests.faults.background import wait_until
from tests.faults.conftest import World
from tests.faults.rows import row
from tests.faults.venue import Quoter, quoting
from tests.feed.raw_server import PONG, frame

AGAIN_S = 15.0
TICKER = b'"channel_name":"ticker.'

MESSAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda message: message[: len(message) // 2],
    "trailing": lambda message: message + b"}",
    "empty": lambda message: b"",
    "not-an-object": lambda message: b"[" + message + b"]",
    "invalid-utf8": lambda message: message.replace(b"ticker", b"tick\xffr", 1),
    "nul": lambda message: message[:20] + b"\0" + message[20:],
    "text-for-a-number": lambda message: message.replace(b'"mark_price":', b'"mark_price":"', 1),
    "deep-nesting": lambda message: b"[" * 100_000 + b"]" * 100_000,
    "huge": lambda message: b'{"channel_name":"' + b"x" * 1_100_000 + b'"}',
    "endless-number": lambda message: message.replace(b'"mark_price":', b'"mark_price":1' + b"0" * 400, 1),
    "infinite-number": lambda message: message.replace(b'"mark_price":', b'"mark_price":1e999,"x":', 1),
}
"""What is made of one ticker."""

FRAMES = {
    "reserved-bit": frame(b"{}", rsv=4),
    "unknown-opcode": frame(b"{}", opcode=3),
    "masked": frame(b"{}", mask=b"abcd"),
    "continuation-of-nothing": frame(b"{}", opcode=0),
    "text-inside-a-message": frame(b'{"a":', fin=False) + frame(b"{}"),
    "fragmented-ping": frame(b"", opcode=9, fin=False),
    "bad-close-code": frame(b"\x03\xec", opcode=8),
}
"""Frames that break a rule, put between two of the venue's."""


def lines(quoter: Quoter, event: str) -> list[dict[str, object]]:
    """Lines of the log."""
    return [line for line in quoter.events() if line["event"] == event]


def replaced(world: World, quoter: Quoter, before: int) -> None:
    """The connection was given up, once, and its successor quotes."""
    wait_until(lambda: world.venue.connections() > before, 10, "a new connection")
    quoting(world.venue, AGAIN_S, before)
    report = quoter.stop()
    assert (report["connections"], report["mode"], report["orders_left"]) == (2, "ACTIVE", 0)


@row(
    "P1-truncated",
    slow=[
        "P2-invalid-utf8",
        "P3-text-for-a-number",
        "P1-trailing",
        "P1-empty",
        "P1-not-an-object",
        "P2-nul",
        "P5-deep-nesting",
        "P5-huge",
        "P7-endless-number",
        "P7-infinite-number",
    ],
)
def test_a_broken_message_costs_the_connection_and_nothing_else(world: World, row: str) -> None:
    quoter = world.quoting()
    before, broken = world.venue.connections(), 0

    def breaking(message: bytes) -> bytes:
        nonlocal broken
        if TICKER in message and not broken:
            changed = MESSAGES[row](message)
            broken = changed != message
            return changed
        return message

    world.venue.exchange.filter = breaking
    wait_until(lambda: broken, 10, "a broken message was sent")
    replaced(world, quoter, before)


@row("P3-members-unknown-and-reordered", slow=["P4-unknown-channel"])
def test_what_is_new_but_well_formed_is_let_pass(world: World, row: str) -> None:
    changed = 0

    def changing(message: bytes) -> bytes:
        nonlocal changed
        if TICKER in message and row == "unknown-channel":
            changed += 1
            return (
                b'{"channel_name":"weather.BTC","notification":{"rain":[1,2,{"a":null}]}}' if changed % 3 else message
            )
        if TICKER in message:
            changed += 1
            return b'{"new_member":[1,{"x":null}],' + message[1:]
        return message

    world.venue.exchange.filter = changing
    quoter = world.quoting()
    wait_until(lambda: changed > 5, 10, "changed messages were sent")
    report = quoter.stop()
    assert (report["connections"], report["counters"]["malformed"]) == (1, 0)
    assert report["quotes_sent"] > 0


@row(slow=[f"P6-{name}" for name in FRAMES])
def test_a_frame_against_the_rules_ends_the_connection(world: World, row: str) -> None:
    quoter = world.quoting()
    before, put = world.venue.connections(), 0

    def putting(data: bytes) -> bytes:
        nonlocal put
        # A whole message of the venue in one read: what follows it is a frame's beginning.
        if put or data[:1] != b"\x81" or not data.endswith(b"}"):
            return data
        put += 1
        return data + FRAMES[row]

    world.proxy.down.change = putting
    wait_until(lambda: put, 10, "the frame was put in")
    replaced(world, quoter, before)


@row(slow=["P6-unasked-pongs"])
def test_pongs_that_nobody_asked_for_change_nothing(world: World, row: str) -> None:
    quoter = world.quoting()
    world.proxy.down.change = lambda data: data + frame(b"hello", opcode=PONG) if data.endswith(b"}") else data
    wait_until(lambda: len(world.venue.sent(0)) > 5, 20, "quotes")
    assert quoter.stop()["connections"] == 1
