"""The exchange as a whole: determinism, the floor its market trades on, and no input that breaks it."""

import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.market import NEVER_NS
from feed.exchange.methods import METHODS
from feed.exchange.options import Options
from feed.exchange.seeded import SeededMarket
from tests.exchange.scripted import FUTURE, NOW_NS, PERP, Client, ScriptedMarket, crowd, later, opened, token

CHANNELS = [f"ticker.{PERP}.raw", f"book.{PERP}.none.all.100ms", "recent_trades.BTCUSD.all", "price_index.BTCUSD"]
TOKENS: dict[str, str] = {}


def session(seed, market_seed, step_ns=None):
    """Two minutes of a quoting client on a seeded market; everything it was sent."""
    exchange = Exchange(SeededMarket(default_instruments(NOW_NS), market_seed), Options(), seed)
    exchange.start(NOW_NS)
    sent = []
    connection = exchange.connect(sent.append, NOW_NS)
    logged_in = TOKENS.setdefault("K1", token("K1", iat=NOW_NS / 1e9))
    requests = [
        ("public/login", {"token": logged_in}),
        ("private/set_cancel_on_disconnect", {"timeout_secs": 60}),
        ("private/subscribe", {"channels": ["session.orders", "account.trade_history", "account.summary", *CHANNELS]}),
        ("private/set_mm_protection", {"product": "FBTCUSD", "trade_amount": 1, "quote_amount": 1}),
    ]
    for method, params in requests:
        connection.receive(orjson.dumps({"method": method, "params": params, "id": method}), NOW_NS)
    dice = random.Random(7)
    now_ns = NOW_NS
    for number in range(240):
        due_ns = now_ns + 500_000_000
        while step_ns is not None and now_ns + step_ns < due_ns:
            now_ns += step_ns
            exchange.advance(now_ns)
        now_ns = due_ns
        index = round(exchange.underlyings["BTCUSD"].index_e8 / 1e8)
        away = dice.randint(5, 40)
        quotes = [{"i": PERP, "b": [[index - away, 0.1]], "a": [[index + away, 0.1]]}]
        params = {"quotes": quotes, "post_only": True}
        connection.receive(orjson.dumps({"method": "private/mass_quote", "params": params, "id": number}), now_ns)
    return exchange, sent


def test_same_seeds_and_inputs_give_the_same_bytes():
    first, second = session(1, 2)[1], session(1, 2)[1]
    assert len(first) > 1000
    assert first == second


def test_how_time_is_stepped_does_not_matter():
    assert session(1, 2)[1] == session(1, 2, step_ns=7_000_000)[1]


def test_other_seeds_give_other_bytes():
    assert session(1, 2)[1] != session(1, 3)[1]
    assert session(1, 2)[1] != session(2, 2)[1]


def test_a_quoter_on_the_seeded_market_trades_and_the_books_balance():
    exchange, _ = session(1, 2)
    assert any(account.trades_history for account in exchange.accounts.values())
    flows = sum(account.flow() for account in exchange.accounts.values())
    assert flows + exchange.crowd_cash + exchange.execution.fees == 0


# --- the floor --------------------------------------------------------------------------------------------------------


def test_crowd_orders_rest_shrink_trade_and_go():
    exchange = opened()
    order = exchange.insert(PERP, True, 100, 10)
    assert exchange.remaining(order) == 10
    assert exchange.best(PERP, True) == (100, 10)
    exchange.reduce(order, 4)
    assert exchange.remaining(order) == 4
    exchange.reduce(order, 9)
    assert exchange.remaining(order) == 4
    assert exchange.insert(PERP, False, 100, 3, ioc=True) == 0
    assert exchange.remaining(order) == 1
    assert exchange.insert(PERP, False, 100, 3) != 0
    assert exchange.remaining(order) == 0
    assert exchange.best(PERP, True) is None
    assert exchange.best(PERP, False) == (100, 2)
    exchange.reduce(order, 0)
    exchange.reduce(12345, 0)


def test_crowd_is_anonymous():
    """No fees, no self trade prevention, no notifications; its trades print with the aggressor's side."""
    exchange = opened()
    client = Client(exchange)
    client.call("public/subscribe", channels=[f"book.{PERP}.none.all.raw"])
    crowd(exchange, "buy", 100, 5)
    crowd(exchange, "sell", 100, 5, ioc=True)
    assert exchange.fees_usd() == 0
    assert exchange.trades[-1].taker_buys is False
    assert client.got(f"book.{PERP}.none.all.raw")[-1]["trades"][0][2] == "sell"


def test_queue_position_is_shared_with_the_crowd():
    exchange = opened()
    client = Client(exchange)
    crowd(exchange, "buy", 77_000, 100)
    client.insert("buy", 77_000, 0.1)
    crowd(exchange, "buy", 77_000, 100)
    crowd(exchange, "sell", 77_000, 100, ioc=True)
    assert exchange.position("A123456789", PERP) == 0
    crowd(exchange, "sell", 77_000, 60, ioc=True)
    assert exchange.position("A123456789", PERP) == 0.06


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_index_is_ignored(price):
    exchange = opened()
    exchange.set_index("BTCUSD", price)
    later(exchange, 3)
    assert exchange.underlyings["BTCUSD"].index_e8 == 78_000 * 10**8


def test_next_ns_is_the_earliest_of_market_and_timers():
    market = ScriptedMarket()
    exchange = Exchange(market)
    exchange.start(NOW_NS)
    assert exchange.next_ns() == NOW_NS + 10**9
    seen = []
    market.at(NOW_NS + 5, lambda floor: seen.append(exchange.now_ns))
    assert exchange.next_ns() == NOW_NS + 5
    exchange.advance(NOW_NS + 10)
    assert seen == [NOW_NS + 5]
    assert market.next_ns() == NEVER_NS
    exchange.advance(NOW_NS)
    assert exchange.now_ns == NOW_NS + 10


# --- any input --------------------------------------------------------------------------------------------------------

NASTY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", PERP, FUTURE, "BTCUSD", "buy", "sell", "FBTCUSD", "raw", "1", "-1", "1e999", "NaN", "K1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["p", "a", "i", "b"]), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = [
    "instrument_name", "amount", "price", "order_type", "time_in_force", "client_order_id", "order_id", "label",
    "post_only", "reject_post_only", "reduce_only", "collar", "stp_level", "stp_action", "direction", "legs", "quotes",
    "product", "trade_amount", "quote_amount", "channels", "timeout_secs", "token", "account", "limit", "time_low",
    "time_high", "bookmark", "sort", "instrument_names", "underlying", "from", "to", "resolution", "index_name",
    "expiry_date",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(METHODS)), st.dictionaries(st.sampled_from(NAMES), NASTY, max_size=8))
def test_any_parameters_get_one_reply(method, params):
    exchange = SHARED_EXCHANGE
    client = CLIENTS[0]
    if not client.connection.open:
        client = CLIENTS[0] = Client(exchange)
    client.clear()
    client.connection.receive(orjson.dumps({"method": method, "params": params, "id": 1}), exchange.now_ns)
    replies = [raw for raw in client.raw if raw.startswith(b'{"id":1,')]
    assert len(replies) == 1
    assert len(orjson.loads(replies[0]).keys() & {"result", "error"}) == 1


SHARED_EXCHANGE = opened(depth=5, message_rate=0, message_rate_persistent=0)
CLIENTS = [Client(SHARED_EXCHANGE)]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_get_one_error(data):
    client = CLIENTS[0]
    client.clear()
    client.connection.receive(data, SHARED_EXCHANGE.now_ns)
    assert len(client.raw) == 1


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=40),
    st.lists(st.sampled_from(["ticker", "book", "lwt", PERP, "none", "all", "raw", "0", "", "."]), max_size=6),
)
def test_any_channel_name_is_taken_or_left(name, parts):
    client = CLIENTS[0]
    client.clear()
    for attempt in (name, ".".join(parts)):
        accepted = client.call("public/subscribe", channels=[attempt])
        assert accepted in ([], [attempt])
        assert client.call("unsubscribe", channels=[attempt]) == accepted
