"""Requests are the protocol's JSON, exact, or refused."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.encode import Encoder
from tests.shared import SAMPLES, needs_samples

E8 = 10**8
POST_ONLY, REJECT_POST_ONLY, REDUCE_ONLY, IOC, MARKET = 1, 2, 4, 8, 16
MESSAGE = "cannot be written"

encoder = Encoder()

positive = st.integers(1, 2**63 - 1)
uint64 = st.integers(0, 2**64 - 1)
labels = st.text("ABCxyz019<>|_-", max_size=32).map(str.encode)
names = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1, max_size=96
)
levels = st.lists(st.tuples(positive, positive), max_size=10, unique_by=lambda level: level[0])


def parsed(text: bytes) -> dict[str, object]:
    value = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    assert isinstance(value, dict)
    # Compact, and in the venue's order.
    assert list(value) == ["method", "params", "id"]
    assert b", " not in text
    return value


def number(value_e8: int) -> Decimal:
    return Decimal(value_e8).scaleb(-8)


@needs_samples
@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (
            "insert_limit_post_only",
            lambda: encoder.insert(15, True, b"BTC-PERPETUAL", 78002 * E8, E8 // 10, 1001, b"mm", POST_ONLY),
        ),
        ("amend_by_client_order_id", lambda: encoder.amend(20, 1001, 78001 * E8, E8 // 10)),
        ("cancel_by_client_order_id", lambda: encoder.cancel(22, 1001)),
        ("cancel_by_order_id", lambda: encoder.cancel_by_order_id(23, b"1728379719872")),
        ("cancel_all", lambda: encoder.simple(24, b"private/cancel_all")),
        ("cancel_session", lambda: encoder.simple(25, b"private/cancel_session")),
        ("open_orders", lambda: encoder.simple(26, b"private/open_orders")),
        (
            "mass_quote_multi_level",
            lambda: encoder.mass_quote(
                29,
                [
                    (
                        b"BTC-PERPETUAL",
                        [(78000 * E8, E8 // 10), (77995 * E8, E8 // 5)],
                        [(78006 * E8, E8 // 10), (78011 * E8, E8 // 5)],
                    ),
                    (b"BTC-25DEC26", None, [(79690 * E8, E8 // 10)]),
                ],
                b"mm",
                POST_ONLY | REJECT_POST_ONLY,
            ),
        ),
        ("mass_quote_clear_side", lambda: encoder.mass_quote(31, [(b"BTC-PERPETUAL", [], [])])),
    ],
)
def test_equals_the_sample_byte_for_byte(sample: str, text) -> None:
    assert text() == (SAMPLES / f"req_private_{sample}.json").read_bytes().strip()


@given(uint64, st.booleans(), names, positive, positive, uint64, labels, st.integers(0, 31))
def test_insert(
    request_id: int, buy: bool, name: str, price_e8: int, amount_e8: int, order_id: int, label: bytes, flags: int
) -> None:
    immediate = bool(flags & (IOC | MARKET))
    resting = bool(flags & (POST_ONLY | REJECT_POST_ONLY))
    arguments = (request_id, buy, name.encode(), price_e8, amount_e8, order_id, label, flags)
    if (immediate and resting) or (flags & REJECT_POST_ONLY and not flags & POST_ONLY):
        with pytest.raises(ValueError, match=MESSAGE):
            encoder.insert(*arguments)
        return
    message = parsed(encoder.insert(*arguments))
    expected: dict[str, object] = {
        "direction": "buy" if buy else "sell",
        "instrument_name": name,
        "amount": number(amount_e8),
        "client_order_id": order_id,
        "order_type": "market" if flags & MARKET else "limit",
        "time_in_force": "immediate_or_cancel" if immediate else "good_till_cancelled",
    }
    if not flags & MARKET:
        expected["price"] = number(price_e8)
    if label:
        expected["label"] = label.decode()
    for bit, member in ((POST_ONLY, "post_only"), (REJECT_POST_ONLY, "reject_post_only"), (REDUCE_ONLY, "reduce_only")):
        if flags & bit:
            expected[member] = True
    assert message == {"method": "private/insert", "params": expected, "id": request_id}


@given(uint64, uint64, positive, positive)
def test_amend_and_cancel(request_id: int, order_id: int, price_e8: int, amount_e8: int) -> None:
    message = parsed(encoder.amend(request_id, order_id, price_e8, amount_e8))
    assert message["params"] == {"amount": number(amount_e8), "price": number(price_e8), "client_order_id": order_id}
    assert parsed(encoder.cancel(request_id, order_id)) == {
        "method": "private/cancel",
        "params": {"client_order_id": order_id},
        "id": request_id,
    }


@given(
    uint64,
    st.lists(
        st.tuples(names, st.none() | levels, st.none() | levels).filter(lambda entry: entry[1:] != (None, None)),
        min_size=1,
        max_size=8,
    ),
    labels,
    st.sampled_from([0, POST_ONLY, POST_ONLY | REJECT_POST_ONLY]),
)
def test_mass_quote(request_id: int, quotes: list, label: bytes, flags: int) -> None:
    message = parsed(
        encoder.mass_quote(request_id, [(name.encode(), bids, asks) for name, bids, asks in quotes], label, flags)
    )
    expected = []
    for name, bids, asks in quotes:
        entry: dict[str, object] = {"i": name}
        for member, side in (("b", bids), ("a", asks)):
            if side is not None:
                entry[member] = [[number(price), number(amount)] for price, amount in side]
        expected.append(entry)
    params = message["params"]
    assert isinstance(params, dict)
    assert params["quotes"] == expected
    assert params.get("label", "") == label.decode()
    assert params.get("post_only", False) == bool(flags & POST_ONLY)
    assert params.get("reject_post_only", False) == bool(flags & REJECT_POST_ONLY)


def test_amounts_of_the_quote_before_are_not_taken_for_those_of_this_one() -> None:
    used = Encoder()
    for bid, ask in ((E8, E8 // 8), (E8, E8 // 4), (E8 // 4, E8), (E8, E8 // 4), (123_456_789_012, 1)):
        quotes = [(BTC, [(9 * E8, bid), (8 * E8, ask)], [(10 * E8, ask), (11 * E8, bid)])]
        assert used.mass_quote(1, quotes) == Encoder().mass_quote(1, quotes)
        with pytest.raises(ValueError, match=MESSAGE):
            used.mass_quote(1, [(BTC, [(9 * E8, 0)], None)])


def test_the_largest_mass_quote_fits() -> None:
    side = [(2**63 - 1 - i, 2**63 - 1) for i in range(10)]
    quotes = [(b"N" * 96, side, side)] * 100
    assert len(parsed(encoder.mass_quote(2**64 - 1, quotes, b"L" * 32, 3))["params"]["quotes"]) == 100  # type: ignore[index]


BTC = b"BTC-PERPETUAL"


@pytest.mark.parametrize(
    "request_",
    [
        lambda e: e.insert(1, True, BTC, 0, E8, 1),
        lambda e: e.insert(1, True, BTC, -E8, E8, 1),
        lambda e: e.insert(1, True, BTC, E8, 0, 1),
        lambda e: e.insert(1, True, BTC, E8, -1, 1),
        lambda e: e.insert(1, True, b"", E8, E8, 1),
        lambda e: e.insert(1, True, b'BTC","amount":99,"x":"', E8, E8, 1),
        lambda e: e.insert(1, True, b"BTC\\", E8, E8, 1),
        lambda e: e.insert(1, True, b"BTC\n", E8, E8, 1),
        lambda e: e.insert(1, True, b"BTC\x00", E8, E8, 1),
        lambda e: e.insert(1, True, "BTC-Ü".encode(), E8, E8, 1),
        lambda e: e.insert(1, True, b"N" * 97, E8, E8, 1),
        lambda e: e.insert(1, True, BTC, E8, E8, 1, b"L" * 33),
        lambda e: e.insert(1, True, BTC, E8, E8, 1, b"two words"),
        lambda e: e.insert(1, True, BTC, E8, E8, 1, b'"'),
        lambda e: e.amend(1, 1, 0, E8),
        lambda e: e.amend(1, 1, E8, 0),
        lambda e: e.cancel_by_order_id(1, b'1"'),
        lambda e: e.cancel_by_order_id(1, b""),
        lambda e: e.simple(1, b'private/cancel_all","params":{"a":"'),
        lambda e: e.mass_quote(1, []),
        lambda e: e.mass_quote(1, [(BTC, None, None)]),
        lambda e: e.mass_quote(1, [(BTC, None, None), (BTC, [], None)]),
        lambda e: e.mass_quote(1, [(BTC, [(E8, 0)], None)]),
        lambda e: e.mass_quote(1, [(BTC, [(-E8, E8)], None)]),
        lambda e: e.mass_quote(1, [(BTC, [(E8, E8), (2 * E8, E8), (E8, E8)], None)]),
        lambda e: e.mass_quote(1, [(BTC, [(E8 + i, E8) for i in range(11)], None)]),
        lambda e: e.mass_quote(1, [(BTC, [], None)] * 101),
        lambda e: e.mass_quote(1, [(BTC, [], None)], b"", REJECT_POST_ONLY),
        lambda e: e.mass_quote(1, [(BTC, [], None)], b"", REDUCE_ONLY),
        lambda e: Encoder(512).mass_quote(1, [(BTC, [(E8 + i, E8) for i in range(10)], None)] * 5),
    ],
)
def test_refuses(request_) -> None:
    with pytest.raises(ValueError, match=MESSAGE):
        request_(encoder)
    # The refused request leaves nothing behind.
    assert encoder.cancel(1, 2) == b'{"method":"private/cancel","params":{"client_order_id":2},"id":1}'


def test_every_order_request_fits_into_the_smallest_buffer() -> None:
    small, most, name, label = Encoder(512), 2**64 - 1, b"n" * 96, b"l" * 32
    price = 2**63 - 1

    def requests(by: Encoder) -> list[bytes]:
        return [
            by.insert(most, False, name, price, price, most, label, POST_ONLY | REJECT_POST_ONLY | REDUCE_ONLY),
            by.insert(most, False, name, price, price, most, label, IOC | REDUCE_ONLY),
            by.amend(most, most, price, price),
            by.cancel(most, most),
            by.cancel_by_order_id(most, name),
            by.simple(most, name),
        ]

    written = requests(small)
    # Nothing looks at the room for these, and a name is written eight bytes at a time.
    assert max(map(len, written)) + 8 <= 512
    assert written == requests(Encoder())


@pytest.mark.parametrize("capacity", [0, 511, (1 << 20) + 1, -1])
def test_the_buffer_is_bounded(capacity: int) -> None:
    with pytest.raises(ValueError):
        Encoder(capacity)
