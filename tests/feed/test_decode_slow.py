"""The slow decoder: types and meaning of every message, and ``Malformed`` for everything else."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed import messages
from feed.decode_slow import DEPTH_MAX, decode
from feed.fields import e8
from feed.messages import Malformed, Notification, Reply
from tests.feed.generate import damage, damaged, frames
from tests.shared import SAMPLES, needs_samples


def only(frame: bytes) -> object:
    """The payload of a notification, or its only item."""
    message = decode(frame)
    assert isinstance(message, Notification)
    return message.payload[0] if isinstance(message.payload, tuple) else message.payload


def notification(channel: str, payload: object, snapshot: bool = False) -> bytes:
    message: dict[str, object] = {"channel_name": channel, "notification": payload}
    return json.dumps(message | ({"snapshot": True} if snapshot else {})).encode()


FILL = {"trade_id": "T1", "price": 78001, "amount": 0.04, "time": 12.5, "maker_taker": "taker", "leg_index": 0}
ORDER = {
    "order_id": "001BF14D00000003", "order_type": "limit", "time_in_force": "good_till_cancelled", "direction": "sell",
    "instrument_name": "BTC-PERPETUAL", "price": 78001, "amount": 0.1, "filled_amount": 0.04, "remaining_amount": 0.06,
    "label": "mm", "client_order_id": 2**64 - 1, "status": "partially_filled", "change_reason": "fill",
    "fills": [FILL],
    "insert_reason": "client_request", "create_time": 10.25, "persistent": False,
}  # fmt: skip


def samples(*prefixes: str) -> list[str]:
    return (
        sorted(path.name for path in SAMPLES.glob("*.json") if path.name.startswith(prefixes))
        if SAMPLES.is_dir()
        else []
    )


@needs_samples
@pytest.mark.parametrize("name", samples("ntf_", "reply_", "error_"))
def test_samples_keep_every_value(name: str) -> None:
    frame = (SAMPLES / name).read_bytes()
    message = decode(frame)
    raw = json.loads(frame, parse_float=Decimal)
    if isinstance(message, Notification):
        assert (message.channel, message.snapshot) == (raw["channel_name"], raw.get("snapshot", False))
    else:
        assert message.id == raw["id"]
        assert (message.error is None) == ("result" in raw)


@needs_samples
@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("ntf_ticker_perpetual", messages.Ticker),
        ("ntf_lwt_option", messages.Lwt),
        ("ntf_book_snapshot", messages.Book),
        ("ntf_recent_trades_update", messages.PublicTrade),
        ("ntf_session_orders_filled", messages.OrderStatus),
        ("ntf_account_orders_snapshot", messages.OrderStatus),
        ("ntf_account_persistent_orders", messages.OrderStatus),
        ("ntf_account_portfolio_update", messages.Position),
        ("ntf_price_index_expiring", messages.IndexPrice),
        ("ntf_instruments_update", messages.InstrumentChange),
        ("ntf_session_mm_protection_exhausted", messages.Protection),
        ("ntf_banners", messages.Banner),
        ("ntf_account_summary", messages.Summary),
        ("ntf_system_reconnect", messages.SystemEvent),
        ("ntf_rfqs_traded", dict),
    ],
)
def test_payloads_are_typed(name: str, type_: type) -> None:
    payload = only((SAMPLES / f"{name}.json").read_bytes())
    assert isinstance(payload[0] if isinstance(payload, list) else payload, type_)


def test_an_order() -> None:
    message = decode(notification("session.orders", [ORDER], snapshot=True))
    assert isinstance(message, Notification) and message.snapshot
    (order,) = message.payload  # type: ignore[misc]
    assert isinstance(order, messages.OrderStatus)
    assert (order.price, order.amount, order.filled, order.remaining) == tuple(
        map(Decimal, ("78001", "0.1", "0.04", "0.06"))
    )
    assert (order.client_order_id, order.create_time, order.close_time) == (2**64 - 1, 10.25, None)
    assert order.fills == (messages.Fill("T1", Decimal(78001), Decimal("0.04"), 12.5, False, 0),)
    assert (order.delete_reason, order.reduce_only, order.persistent) == (None, False, False)


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        ({"price": -1}, "price", "not positive"),
        ({"price": 0}, "price", "not positive"),
        ({"amount": -0.1}, "amount", "negative"),
        ({"filled_amount": 0.2}, "filled_amount", "more is filled"),
        ({"amount": None}, "amount", "missing"),
        ({"amount": "0.1"}, "amount", "expected a number"),
        ({"amount": True}, "amount", "expected a number"),
        ({"amount": 0.123456789}, "amount", "8 decimals"),
        ({"amount": 1e12}, "amount", "out of range"),
        ({"direction": "hold"}, "direction", "one of buy, sell"),
        ({"order_id": ""}, "order_id", "identifier"),
        ({"order_id": 7}, "order_id", "expected a string"),
        ({"client_order_id": 2**64}, "client_order_id", "integer from 0"),
        ({"client_order_id": -1}, "client_order_id", "integer from 0"),
        ({"client_order_id": 1.5}, "client_order_id", "integer from 0"),
        ({"create_time": 1783423200000}, "create_time", "seconds"),
        ({"create_time": -1}, "create_time", "seconds"),
        ({"persistent": 1}, "persistent", "true or false"),
        ({"fills": {}}, "fills", "an array"),
        ({"fills": [{}]}, "fills[0].amount", "missing"),
        ({"fills": [FILL | {"amount": 0}]}, "fills[0].amount", "of nothing"),
        ({"fills": [FILL | {"maker_taker": "both"}]}, "fills[0].maker_taker", "one of"),
    ],
)
def test_an_order_that_cannot_be(change: dict[str, object], path: str, reason: str) -> None:
    with pytest.raises(Malformed, match=reason) as caught:
        decode(notification("session.orders", [ORDER | change]))
    assert caught.value.path == f"notification[0].{path}"
    assert caught.value.excerpt.startswith('b\'{"channel_name"')


def test_an_order_amended_below_its_fills_may_have_filled_more() -> None:
    closed = ORDER | {"amount": 0.01, "status": "cancelled_partially_filled", "remaining_amount": 0}
    assert isinstance(only(notification("session.orders", [closed])), messages.OrderStatus)


def test_unknown_words_are_kept() -> None:
    order = only(
        notification("session.orders", [ORDER | {"status": "resting", "delete_reason": "moon", "change_reason": "x"}])
    )
    assert isinstance(order, messages.OrderStatus)
    assert (order.status, order.delete_reason, order.change_reason) == ("resting", "moon", "x")


@pytest.mark.parametrize(
    ("channel", "payload", "reason"),
    [
        ("lwt.BTC-PERPETUAL.raw", {"b": [1, 1], "m": 1}, "three numbers"),
        ("lwt.BTC-PERPETUAL.raw", {"b": [1, -1, 1], "m": 1}, "negative"),
        ("lwt.BTC-PERPETUAL.raw", {"m": 0}, "not positive"),
        ("lwt.BTC-PERPETUAL.raw", {}, "missing"),
        ("lwt.BTC-PERPETUAL.raw", [], "an object"),
        ("book.BTC-PERPETUAL.none.all.raw", {"time": 1, "bid_changes": [[1, 1, 1], [1.0, 2, 2]]}, "twice"),
        ("book.BTC-PERPETUAL.none.all.raw", {"time": 1, "trades": [[1, 1, "buy", 1]]}, "5 values"),
        ("recent_trades.BTCUSD.all", [[1, 1, "up", 1, "X", False]], "one of buy, sell"),
        ("recent_trades.BTCUSD.all", [[1, 1, "buy", 1, "BTC-PERPETUAL", 0]], "true or false"),
        ("price_index.BTCUSD", {"index_name": "ETHUSD", "price": 1, "timestamp": 1}, "another channel"),
        ("price_index.BTCUSD", {"index_name": "BTCUSD", "price": 0, "timestamp": 1}, "not positive"),
        (
            "instruments",
            [{"added": {"instrument_name": "A", "type": "future"}, "removed": {"instrument_name": "A", "type": "x"}}],
            "added",
        ),
        ("instruments", [{}], "added or removed"),
        ("account.portfolio", [{"instrument_name": "A", "mark_price": 1}], "missing"),
        ("session.mm_protection", [{"product": "F", "reason": "refill"}], "missing"),
        ("system", {"event": 1}, "a string"),
    ],
)
def test_payloads_that_cannot_be(channel: str, payload: object, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        decode(notification(channel, payload))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"id":1,"result":null}x', "more text"),
        (b'{"id":1,"result":null}{}', "more text"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"id":1,"result":"\xff"}', "not UTF-8 at byte 18"),
        ('{"id":1,"result":null}'.encode("utf-16"), "not UTF-8"),
        (b'{"id":1,"result":"\\ud800"}', "surrogate"),
        (b'{"\\ud800":1,"id":1,"result":1}', "surrogate"),
        (b'{"id":1,"result":"\n"}', "not JSON"),
        (b'{"id":1,"result":NaN}', "NaN"),
        (b'{"id":1,"result":-Infinity}', "Infinity"),
        (b'{"id":1,"result":1e999}', "out of range"),
        (b'{"id":1,"result":1e-999}', "out of range"),
        (b'{"id":1,"result":1e99999999999999999999}', "out of range"),
        (b'{"id":1,"result":' + b"9" * 400 + b"}", "too long"),
        (b'{"id":1,"result":' + b"9" * 5000 + b"}", "too long"),
        (b'{"id":1,"result":{"a":1,"a":1}}', "twice"),
        (b'{"id":1,"id":1,"result":1}', "twice"),
        (b'{"id":1,"result":' + b"[" * 100 + b"]" * 100 + b"}", "levels deep"),
        (b"[" * 100_000, "levels deep"),
        (b'{"id":1}', "exactly one"),
        (b'{"id":1,"result":1,"error":{"code":1,"message":""}}', "exactly one"),
        (b'{"id":1,"error":null}', "an object"),
        (b'{"id":1,"error":{"code":"1","message":""}}', "an integer"),
        (b'{"result":1}', "neither a reply"),
        (b"{}", "neither a reply"),
        (b"[]", "an object"),
        (b"null", "an object"),
        (b'{"channel_name":"system"}', "missing"),
        (b'{"channel_name":7,"notification":1}', "a string"),
        (b'{"channel_name":"x","notification":1,"snapshot":1}', "true or false"),
        (b" " * (1 << 20) + b"{}", "more than 1048576"),
    ],
    ids=range(33),
)
def test_frames_that_are_no_message(frame: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason) as caught:
        decode(frame)
    assert len(str(caught.value)) < 1000


def test_depth_is_allowed_up_to_its_bound() -> None:
    inside = DEPTH_MAX - 1
    decode(b'{"id":1,"result":' + b"[" * inside + b"]" * inside + b"}")
    with pytest.raises(Malformed, match="levels deep"):
        decode(b'{"id":1,"result":' + b"[" * (inside + 1) + b"1" + b"]" * (inside + 1) + b"}")


def test_the_size_bound_is_an_argument() -> None:
    frame = b'{"id":1,"result":null}'
    assert decode(frame, size_max=len(frame)) == Reply(1, None, None)
    with pytest.raises(Malformed, match="more than 21"):
        decode(frame, size_max=len(frame) - 1)


def test_white_space_and_member_order_do_not_matter() -> None:
    assert decode(b' \r\n\t{ "result" : 4.0 , "id" : "x" } ') == Reply("x", Decimal("4.0"), None)


def test_errors_and_mass_quotes() -> None:
    assert decode(b'{"id":3,"error":{"code":4,"message":"throttle exceeded"}}') == Reply(
        3, None, messages.VenueError(4, "throttle exceeded")
    )
    reply = decode(b'{"id":3,"result":{"n_success":1,"n_fail":1.0,"errors":[{"code":15,"message":"m","price":0.5}]}}')
    assert isinstance(reply, Reply)
    assert reply.result == messages.MassQuoteResult(1, 1, (messages.QuoteError(15, "m", None, Decimal("0.5")),))


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_fixed_point_is_exact_or_refused(value: Decimal) -> None:
    try:
        assert Decimal(e8(value)).scaleb(-8) == value
    except ValueError:
        scaled = value.as_tuple()
        assert abs(value) > Decimal("92233720368.54775807") or int(scaled.exponent) < -8


@given(st.one_of(st.binary(max_size=200), frames(odd=True)))
def test_any_bytes_are_a_message_or_malformed(frame: bytes) -> None:
    try:
        assert isinstance(decode(frame), (Reply, Notification))
    except Malformed as error:
        assert error.reason


@given(damaged)
def test_damaged_frames_are_a_message_or_malformed(case: tuple[bytes, list[tuple[int, int, int]]]) -> None:
    frame, damages = case
    for kind, at, byte in damages:
        frame = damage(frame, kind, at, byte)
    try:
        assert isinstance(decode(frame), (Reply, Notification))
    except Malformed as error:
        assert error.reason
