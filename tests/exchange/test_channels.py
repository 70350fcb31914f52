"""Channels (protocol section 8): what a client that only applies messages knows is what the exchange knows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exchange.scripted import EXPIRY_NS, FUTURE, NOW_NS, PERP, Client, ScriptedMarket, crowd, later, opened


@pytest.fixture
def exchange():
    return opened(depth=5)


def subscribed(exchange, *channels):
    client = Client(exchange)
    assert client.call("public/subscribe", channels=list(channels)) == list(channels)
    return client


class Replica:
    """A book kept from notifications alone."""

    def __init__(self):
        self.sides = {"bid_changes": {}, "ask_changes": {}}
        self.totals = None
        self.trades = []

    def apply(self, message):
        for member, side in self.sides.items():
            for price, amount, outright in message.get(member, ()):
                assert amount == outright
                if amount:
                    side[price] = amount
                else:
                    assert price in side
                    del side[price]
        self.trades += message["trades"]
        self.totals = message["total_bid_amount"], message["total_ask_amount"]


ACTIONS = st.lists(
    st.tuples(st.booleans(), st.integers(77_980, 78_020), st.integers(1, 500), st.booleans(), st.integers(0, 300)),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(
    ACTIONS,
    st.sampled_from(["raw", "100ms", "500ms"]),
    st.sampled_from(["none.all", "none.3", "5.all", "10.2"]),
    st.integers(0, 40),
)
def test_book_messages_rebuild_the_book(actions, delay, shape, late):
    exchange = opened(depth=3)
    name = f"book.{PERP}.{shape}.{delay}"
    clients = [subscribed(exchange, name)]
    for number, (buy, price, lots, ioc, wait_ms) in enumerate(actions):
        if number == late:
            clients.append(subscribed(exchange, name))
        crowd(exchange, "buy" if buy else "sell", price, lots, ioc)
        later(exchange, wait_ms / 1000)
    later(exchange, 1)
    grouping, depth = shape.split(".")
    step, count = (1 if grouping == "none" else int(grouping)), (10**6 if depth == "all" else int(depth))
    for client in clients:
        replica = Replica()
        for message in client.got(name):
            replica.apply(message)
        for buy, member in ((True, "bid_changes"), (False, "ask_changes")):
            expected = {}
            for row in exchange.listings[PERP].depth(buy, None):
                price = row[0] // step * step if buy else -(-row[0] // step) * step
                expected[price] = expected.get(price, 0) + round(row[1] * 1000)
            expected = dict(list(expected.items())[:count])
            assert {price: round(amount * 1000) for price, amount in replica.sides[member].items()} == expected
        listing = exchange.listings[PERP]
        if depth == "all":
            assert replica.totals == tuple(listing.amount(listing.book.totals[side]) for side in (True, False))
    trades = [row for message in clients[0].got(name) for row in message["trades"]]
    assert [round(row[1] * 1000) for row in trades] == [trade.lots for trade in exchange.trades]


def test_raw_book_message_carries_trades_and_levels_of_one_event(exchange):
    client = subscribed(exchange, f"book.{PERP}.none.all.raw")
    crowd(exchange, "sell", 77_980, 1500, ioc=True)
    snapshot, update = client.got(f"book.{PERP}.none.all.raw")
    assert snapshot["bid_changes"][0] == [77_990, 1, 1]
    assert update["trades"] == [
        [77_990, 1, "sell", NOW_NS / 1e9, False],
        [77_980, 0.5, "sell", NOW_NS / 1e9, False],
    ]
    assert update["bid_changes"] == [[77_990, 0, 0], [77_980, 0.5, 0.5]]
    assert "ask_changes" not in update
    assert update["total_bid_amount"] == 3.5


def test_level_that_leaves_a_limited_depth_is_reported_gone(exchange):
    name = f"book.{PERP}.none.2.raw"
    client = subscribed(exchange, name)
    crowd(exchange, "buy", 77_995, 1)
    assert client.got(name)[-1]["bid_changes"] == [[77_980, 0, 0], [77_995, 0.001, 0.001]]


@pytest.mark.parametrize(("delay", "interval"), [("100ms", 0.1), ("1000ms", 1.0)])
def test_delay_is_the_minimum_interval_and_changes_are_conflated(exchange, delay, interval):
    name = f"lwt.{PERP}.{delay}"
    client = subscribed(exchange, name)
    for step in range(50):
        crowd(exchange, "buy", 77_991 + step % 3, 1)
        later(exchange, interval / 10)
    assert 5 <= len(client.got(name)) - 1 <= 7
    later(exchange, interval)
    bid = exchange.best(PERP, True)
    assert client.got(name)[-1]["b"][0] == bid[0]


@pytest.mark.parametrize("grouping", ["0", "-1", "0.5", "nan", "x", ""])
def test_bad_groupings_are_not_accepted(exchange, grouping):
    assert Client(exchange).call("public/subscribe", channels=[f"book.{PERP}.{grouping}.all.raw"]) == []


def test_decimal_grouping(exchange):
    name = "book.ETH-PERPETUAL.0.5.1.raw"
    client = subscribed(exchange, name)
    crowd(exchange, "buy", 34_996, 7, name="ETH-PERPETUAL")
    assert client.got(name)[-1]["bid_changes"][-1] == [3499.5, 0.07, 0.07]


def test_ticker_has_every_member_in_order(exchange):
    name = f"ticker.{PERP}.raw"
    client = subscribed(exchange, name)
    crowd(exchange, "buy", 78_010, 500, ioc=True)
    first, ticker = client.got(name)
    assert list(ticker) == [
        "mark_price", "mark_timestamp", "best_bid_price", "best_bid_amount", "best_ask_price", "best_ask_amount",
        "last_price", "delta", "volume_24h", "value_24h", "low_price_24h", "high_price_24h", "change_24h", "index",
        "collar_low", "collar_high", "open_interest", "funding_rate", "funding_mark", "realised_funding_24h",
        "average_funding_rate_24h",
    ]  # fmt: skip
    assert first["last_price"] is None
    assert (ticker["last_price"], ticker["best_ask_amount"], ticker["volume_24h"]) == (78_010, 0.5, 0.5)
    assert ticker["value_24h"] == pytest.approx(39_005)
    assert (ticker["collar_low"], ticker["collar_high"]) == (76_440, 79_560)


def test_empty_sides():
    null = Client(opened()).call("public/ticker", instrument_name=PERP)
    assert (null["best_bid_price"], null["best_ask_amount"]) == (None, None)
    absent = Client(opened(empty_side="absent")).call("public/ticker", instrument_name=PERP)
    assert "best_bid_price" not in absent
    exchange = opened()
    client = subscribed(exchange, f"lwt.{PERP}.raw")
    crowd(exchange, "sell", 79_000, 100)
    assert client.got(f"lwt.{PERP}.raw") == [{"m": 78_000}, {"a": [79_000, 0.1, 0.1], "m": 78_000}]


def test_recent_trades_of_an_instrument_and_of_an_underlying(exchange):
    client = subscribed(exchange, f"recent_trades.{PERP}.single", "recent_trades.BTCUSD.all")
    crowd(exchange, "sell", 77_990, 10, ioc=True)
    later(exchange, 0.01)
    crowd(exchange, "buy", 78_010, 20, ioc=True, name=FUTURE)
    later(exchange, 1)
    assert client.got(f"recent_trades.{PERP}.single") == [[], [[77_990, 0.01, "sell", NOW_NS / 1e9, PERP, False]]]
    everything = [row[4] for rows in client.got("recent_trades.BTCUSD.all") for row in rows]
    assert everything == [PERP, FUTURE]
    fresh = subscribed(exchange, "recent_trades.BTCUSD.all")
    assert [row[4] for row in fresh.got("recent_trades.BTCUSD.all")[0]] == [PERP, FUTURE]


def test_price_index_is_not_sent_more_often_than_its_period(exchange):
    client = subscribed(exchange, "price_index.BTCUSD", "index_components.BTCUSD")
    for step in range(30):
        exchange.set_index("BTCUSD", 78_000 + step)
        later(exchange, 0.1)
    later(exchange, 1)
    prices = [row["price"] for row in client.got("price_index.BTCUSD")]
    assert prices[0] == 78_000
    assert prices[-1] == 78_029
    assert 4 <= len(prices) <= 6
    assert client.got("index_components.BTCUSD")[-1] == {"index_price": 78_029, "components": {"local": 78_029}}


def test_lwt_futures_starts_with_all_and_then_sends_what_changed(exchange):
    name = "lwt_futures.BTCUSD.raw"
    client = subscribed(exchange, name)
    crowd(exchange, "buy", 77_995, 100)
    first, update = client.got(name)
    assert {name: len(row) for name, row in first["tickers"].items()} == {PERP: 8, FUTURE: 6}
    assert list(update["tickers"]) == [PERP]
    assert update["tickers"][PERP][3] == [77_995, 0.1]


def test_instruments_channel_and_its_filters(exchange):
    client = subscribed(exchange, "instruments", "instruments.futures.ETHUSD.all", "instruments.all.BTCUSD.2026-12-25")
    names = {
        channel: [row["added"]["instrument_name"] for row in client.got(channel)[0]]
        for channel in ("instruments", "instruments.futures.ETHUSD.all", "instruments.all.BTCUSD.2026-12-25")
    }
    assert list(names.values()) == [[PERP, "ETH-PERPETUAL", FUTURE], ["ETH-PERPETUAL"], [FUTURE]]


def test_statistics_and_base_price(exchange):
    client = subscribed(exchange, "underlying_statistics.BTCUSD", "base_price.BTCUSD.2026-12-25")
    assert client.call("public/subscribe", channels=["base_price.BTCUSD.2026-12-26"]) == []
    crowd(exchange, "buy", 78_010, 250, ioc=True)
    later(exchange, 1.1)
    assert client.got("underlying_statistics.BTCUSD")[-1]["trade_volume_24h"] == 0.25
    assert client.got("base_price.BTCUSD.2026-12-25")[0] == {
        "base_name": FUTURE,
        "price": 78_000,
        "index": 78_000,
        "index_delta": 1,
    }


def test_portfolio_sends_lines_that_traded_or_whose_mark_moved_a_percent(exchange):
    client = Client(exchange)
    client.call("private/subscribe", channels=["account.portfolio"])
    client.insert("buy", 78_010, 0.1)
    assert [row["position"] for rows in client.got("account.portfolio") for row in rows] == [0.1]
    later(exchange, 5)
    assert len(client.got("account.portfolio")) == 2
    exchange.set_index("BTCUSD", 79_000)
    later(exchange, 5)
    assert len(client.got("account.portfolio")) == 3
    client.insert("sell", 77_990, 0.1)
    assert client.got("account.portfolio")[-1][0]["position"] == 0


def test_summary_is_periodic(exchange):
    client = Client(exchange)
    client.call("private/subscribe", channels=["account.summary"])
    later(exchange, 10.5)
    assert len(client.got("account.summary")) == 11


def test_history_channels_come_after_the_database(exchange):
    client = Client(exchange)
    client.call("private/subscribe", channels=["account.trade_history", "account.order_history"])
    client.insert("buy", 78_010, 0.1, label="x", client_order_id=3)
    assert client.got("account.trade_history") == []
    assert client.call("private/trade_history")["trades"] == []
    later(exchange, 0.06)
    ((trade,),) = client.got("account.trade_history")
    assert (trade["position_after"], trade["fee"], trade["label"], trade["client_order_id"]) == (0.1, 3.9, "x", 3)
    ((order,),) = client.got("account.order_history")
    assert (order["status"], len(order["fills"])) == ("filled", 1)
    assert not {"remaining_amount", "change_reason", "time_in_force", "persistent"} & set(order)
    assert client.call("private/trade_history")["trades"] == [trade]


def test_unfilled_orders_a_client_cancelled_are_not_in_the_history(exchange):
    client = Client(exchange, timeout_secs=60)
    client.insert("buy", 77_900, 0.1, client_order_id=1)
    client.call("private/cancel", client_order_id=1)
    client.insert("buy", 77_900, 0.1)
    client.call("private/cancel_session")
    later(exchange, 1)
    assert [o["delete_reason"] for o in client.call("private/order_history")["orders"]] == ["session_end"]


def test_history_pages(exchange):
    client = Client(opened(depth=5, message_rate_persistent=0))
    for _ in range(7):
        client.insert("buy", 78_010, 0.001)
        later(client.exchange, 0.1)
    page = client.call("private/trade_history", limit=3, sort="ascending")
    rows, bookmark = page["trades"], page["bookmark"]
    while bookmark:
        page = client.call("private/trade_history", limit=3, sort="ascending", bookmark=bookmark)
        rows += page["trades"]
        bookmark = page["bookmark"]
    assert [row["position_after"] for row in rows] == [0.001 * n for n in range(1, 8)] or len(rows) == 7
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert client.call("private/trade_history", instrument_names="ETH-PERPETUAL")["trades"] == []
    assert len(client.call("private/trade_history", time_low=rows[5]["time"])["trades"]) == 2
    assert client.fails("private/trade_history", limit=1001) == 6
    assert client.fails("private/trade_history", bookmark="x") == 6


def test_candles(exchange):
    client = Client(exchange)
    later(exchange, 125)
    exchange.set_index("BTCUSD", 78_100)
    later(exchange, 60)
    low, high = NOW_NS / 1e9, NOW_NS / 1e9 + 600
    rows = client.call(
        "public/mark_price_historical_data", instrument_name=PERP, **{"from": low, "to": high}, resolution="1m"
    )["mark"]
    assert [row[0] - low for row in rows] == [0, 60, 120, 180]
    assert all(row[2] >= max(row[1], row[4]) and row[3] <= min(row[1], row[4]) for row in rows)
    assert rows[0][6] == [77_990, 1, 78_010, 1]
    (wide,) = client.call(
        "public/index_price_historical_data", index_name="BTCUSD", **{"from": low, "to": high}, resolution="5m"
    )["index"]
    assert wide == [low, 78_000, 78_100, 78_000, 78_100]
    empty = client.call(
        "public/index_price_historical_data", index_name="BTCUSD", **{"from": 0, "to": 60}, resolution="1m"
    )
    assert empty == {"index": [], "no_data": True}


def test_expiry_is_fixed_announced_and_removes_the_instrument():
    from feed.exchange.exchange import Exchange

    exchange = Exchange(ScriptedMarket(depth=3))
    exchange.start(EXPIRY_NS - 3600 * 10**9)
    client = Client(exchange)
    client.call("public/subscribe", channels=["instruments", "price_index.BTCUSD"])
    client.call("private/subscribe", channels=["session.orders"])
    client.insert("buy", 78_010, 0.1, instrument_name=FUTURE)
    client.insert("buy", 77_000, 0.1, instrument_name=FUTURE)
    exchange.advance(EXPIRY_NS - 900 * 10**9)
    exchange.set_index("BTCUSD", 79_000)
    index = client.call("public/index", underlying="BTCUSD")
    assert index["expiration_progress"] == 0.5
    assert index["expiration_print_average"] == pytest.approx(78_000)
    assert index["expected_expiration_price"] == pytest.approx(78_500)
    exchange.advance(EXPIRY_NS + 10**9)
    assert client.got("session.orders")[-1][0]["delete_reason"] == "instrument_deactivated"
    assert client.got("instruments")[-1][0]["removed"]["instrument_name"] == FUTURE
    assert client.fails("public/ticker", instrument_name=FUTURE) == 5
    settled = client.call("public/instrument", instrument_name=FUTURE)
    assert settled["settlement_price"] == pytest.approx(78_500, abs=1)
    assert client.call("private/portfolio") == []
    fee = 0.1 * 78_000 * 0.0005
    assert exchange.equity_usd("A123456789") == pytest.approx(1e6 + 0.1 * (settled["settlement_price"] - 78_010) - fee)
    assert crowd(exchange, "buy", 77_000, 1, name=FUTURE) == 0
