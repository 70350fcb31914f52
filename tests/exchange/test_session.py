"""Sessions: framing, login, cancel-on-disconnect, throttle and subscriptions (protocol sections 3, 4, 9 and 10)."""

import orjson
import pytest

from feed.exchange.login import account_number
from feed.exchange.options import SECOND_NS
from tests.exchange.scripted import NOW_NS, PERP, Client, crowd, later, opened, public_pem, token


@pytest.fixture
def exchange():
    return opened(depth=5)


def raw(client, data):
    client.clear()
    client.connection.receive(data, client.exchange.now_ns)
    return client.raw


# --- framing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_id", ["7", '"x"', "null", "1.5", "true", '{"a":[1]}', "-1", "18446744073709551615"])
def test_any_id_is_echoed_first(exchange, request_id):
    client = Client(exchange, None)
    data = b'{"id":%s,"method":"public/system_info","params":{}}' % request_id.encode()
    (reply,) = raw(client, data)
    assert reply.startswith(b'{"id":%s,"result":{"banners":[]' % request_id.encode())


def test_an_id_nested_too_deeply_is_refused_without_it(exchange):
    (reply,) = raw(Client(exchange, None), b'{"method":"x","params":{},"id":' + b"[" * 500 + b"]" * 500 + b"}")
    assert reply.startswith(b'{"id":null,"error":{"code":6')


def test_absent_id_is_null(exchange):
    assert raw(Client(exchange, None), b'{"method":"x","params":{}}') == [
        b'{"id":null,"error":{"code":31,"message":"unknown API method"}}'
    ]


def test_jsonrpc_null_account_and_unknown_members_are_tolerated(exchange):
    client = Client(exchange, None)
    request = {
        "jsonrpc": "2.0",
        "method": "public/login",
        "params": {"token": token("K1", exchange), "account": None, "x": 1},
    }
    (reply,) = raw(client, orjson.dumps(request))
    assert orjson.loads(reply)["result"] == {"account_number": "A1"}


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", b"[]", b"1", b"\xff", b'{"id":1}', b'{"id":1,"method":"public/book"}']
)
def test_what_is_no_request_is_error_6(exchange, data):
    (reply,) = raw(Client(exchange, None), data)
    assert orjson.loads(reply)["error"]["code"] == 6


def test_messages_are_compact_and_snapshot_comes_last(exchange):
    client = Client(exchange)
    client.clear()
    client.call("private/subscribe", channels=["session.orders"])
    assert client.raw[1] == b'{"channel_name":"session.orders","notification":[],"snapshot":true}'


def test_order_of_reply_and_notification_is_a_switch():
    for reply_first in (True, False):
        client = Client(opened(reply_first=reply_first))
        client.call("private/subscribe", channels=["session.orders"])
        client.clear()
        client.insert("buy", 77_900, 0.1)
        assert client.raw[0].startswith(b'{"id":') is reply_first


def test_number_formatting_is_a_switch():
    assert Client(opened()).insert("buy", 77_900, 1)["price"] == 77_900
    client = Client(opened(whole_numbers_as_float=True))
    client.insert("buy", 77_900, 1)
    assert b'"price":77900.0,"amount":1.0' in client.raw[-1]


def test_messages_texts_are_a_switch():
    client = Client(opened(messages={31: "no such method"}), None)
    assert client.send("x")["error"] == {"code": 31, "message": "no such method"}


# --- login ------------------------------------------------------------------------------------------------------------


def test_account_number_follows_the_key():
    assert account_number("K123456789") == "A123456789"
    assert account_number("my key") == account_number("my key")
    assert account_number("my key")[1:].isdecimal()


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_signed_tokens_log_in(algorithm):
    exchange = opened(public_keys={"K1": public_pem()})
    client = Client(exchange, None)
    result = client.call("public/login", token=token("K1", exchange, algorithm=algorithm))
    assert result == {"account_number": "A1"}


def test_wrong_tokens_are_refused():
    exchange = opened(public_keys={"K1": public_pem()})
    client = Client(exchange, None)
    good = token("K1", exchange)
    bad = [
        "",
        "a.b.c",
        good[:-8] + "AAAAAAAA",
        token("K2", exchange),
        token("K1", iat=NOW_NS / 1e9 - 31),
        token("K1", iat=NOW_NS / 1e9 + 31),
    ]
    for attempt in bad:
        assert client.fails("public/login", token=attempt) == 19
    assert client.fails("public/login") == 6
    assert client.call("public/login", token=good)


def test_one_public_key_may_stand_for_every_name_and_names_may_share_an_account():
    exchange = opened(public_keys={"*": public_pem()}, accounts={"K1": "A9", "K2": "A9"})
    for kid, number in (("K1", "A9"), ("K2", "A9"), ("K3", "A3")):
        result = Client(exchange, None).call("public/login", token=token(kid, exchange))
        assert result == {"account_number": number}
    assert len(exchange.account("A9").connections) == 2


def test_unsigned_algorithms_are_refused_even_in_open_mode(exchange):
    import jwt

    forged = jwt.encode({"iat": NOW_NS / 1e9}, "secret" * 8, algorithm="HS256", headers={"kid": "K1"})
    assert Client(exchange, None).fails("public/login", token=forged) == 19


def test_iat_must_increase_per_key(exchange):
    now = NOW_NS / 1e9
    Client(exchange, None).call("public/login", token=token("K1", iat=now))
    client = Client(exchange, None)
    assert client.fails("public/login", token=token("K1", iat=now)) == 19
    assert client.fails("public/login", token=token("K1", iat=now - 1)) == 19
    assert client.call("public/login", token=token("K2", iat=now - 1))
    relaxed = opened(iat_increasing=False, iat_window_ns=0)
    for iat in (now, now, 5.0):
        Client(relaxed, None).call("public/login", token=token("K1", iat=iat))


def test_a_connection_logs_in_once_and_to_its_own_account(exchange):
    client = Client(exchange, None)
    assert client.fails("public/login", token=token("K1", exchange), account="A2") == 28
    client.call("public/login", token=token("K1", exchange), account="A1")
    assert client.fails("public/login", token=token("K1", exchange)) == 37


def test_private_requests_need_a_login(exchange):
    client = Client(exchange, None)
    for method in sorted(name for name in exchange.methods if name.startswith("private/")):
        params = {"channels": [], "quotes": [], "direction": "buy", "price": 1, "amount": 1, "product": "FBTCUSD"}
        assert client.fails(method, **params) == 7, method


def test_connection_limit():
    exchange = opened(max_connections=2)
    Client(exchange)
    second = Client(exchange)
    third = Client(exchange, None)
    assert third.fails("public/login", token=token("K123456789", exchange)) == 53
    second.connection.disconnect(exchange.now_ns)
    assert third.call("public/login", token=token("K123456789", exchange))


# --- cancel on disconnect ---------------------------------------------------------------------------------------------


def test_orders_before_it_are_persistent_and_those_after_are_not(exchange):
    client, watcher = Client(exchange), Client(exchange)
    before = client.insert("buy", 77_900, 0.1)
    client.call("private/set_cancel_on_disconnect", timeout_secs=10)
    after = client.insert("buy", 77_901, 0.1)
    assert (before["persistent"], after["persistent"]) == (True, False)
    watcher.call("private/subscribe", channels=["account.orders", "account.persistent_orders"])
    client.connection.disconnect(exchange.now_ns)
    assert [o["order_id"] for o in watcher.call("private/open_orders")] == [before["order_id"]]
    (gone,) = watcher.got("account.orders")[-1]
    assert (gone["order_id"], gone["delete_reason"], gone["remaining_amount"]) == (after["order_id"], "session_end", 0)
    assert len(watcher.got("account.persistent_orders")) == 1


def test_silence_ends_the_session_at_the_timeout_and_any_frame_feeds_it(exchange):
    client = Client(exchange, timeout_secs=10)
    client.insert("buy", 77_900, 0.1)
    for secs in (9, 9):
        later(exchange, secs)
        client.connection.ping(exchange.now_ns)
    later(exchange, 9)
    assert raw(client, b"garbage")
    later(exchange, 9.9)
    assert client.closed is None
    assert len(exchange.open_orders("A123456789")) == 1
    later(exchange, 0.2)
    assert client.closed is not None
    assert exchange.open_orders("A123456789") == []
    assert raw(client, b'{"method":"public/system_info","params":{}}') == []


def test_persistent_sessions_are_not_timed(exchange):
    client = Client(exchange)
    later(exchange, 3600)
    assert client.closed is None
    assert client.call("private/open_orders") == []


def test_timeout_can_be_changed(exchange):
    client = Client(exchange, timeout_secs=60)
    client.call("private/set_cancel_on_disconnect", timeout_secs=2)
    later(exchange, 2.1)
    assert client.closed is not None
    for secs in (0, -1, 1.5, "5", 10**6):
        assert Client(exchange).fails("private/set_cancel_on_disconnect", timeout_secs=secs) == 6


# --- throttle ---------------------------------------------------------------------------------------------------------


def spam(client, count):
    errors = 0
    for _ in range(count):
        reply = client.send("private/buy", instrument_name=PERP, amount=0.1, price=77_900)
        errors += reply.get("error", {}).get("code") == 4
        client.clear()
    return errors


@pytest.mark.parametrize("window", ["bucket", "fixed"])
def test_message_rates(window):
    exchange = opened(throttle_window=window, margin_rate=0.0)
    assert spam(Client(exchange), 15) == 5
    assert spam(Client(exchange, timeout_secs=9), 60) == 10


def test_penalty_fails_everything_of_its_kind_but_not_cancels(exchange):
    client = Client(exchange)
    assert spam(client, 11) == 1
    later(exchange, 0.9)
    assert spam(client, 1) == 1
    assert client.call("private/cancel_all") == 10
    later(exchange, 0.2)
    assert spam(client, 1) == 0


def test_sustained_rate_is_the_burst_rate(exchange):
    client = Client(exchange)
    spam(client, 10)
    later(exchange, 0.5)
    assert spam(client, 5) == 0
    assert spam(client, 1) == 1


def test_cancels_have_their_own_budget(exchange):
    client = Client(exchange)
    codes = []
    for _ in range(1001):
        codes.append(client.fails("private/cancel", client_order_id=1))
        client.clear()
    assert codes == [1] * 1000 + [4]


def test_throttles_are_per_connection(exchange):
    first, second = Client(exchange), Client(exchange)
    assert spam(first, 11) == 1
    assert spam(second, 10) == 0


def test_quote_counting_is_a_switch():
    client = Client(opened(throttle_counts_quotes=True, throttle_counts_protection=False), timeout_secs=9)
    assert client.call("private/mass_quote", quotes=[{"i": PERP, "b": []}] * 50)
    assert client.fails("private/mass_quote", quotes=[{"i": PERP, "b": []}]) == 4


# --- subscriptions ----------------------------------------------------------------------------------------------------


def test_subscribe_returns_what_is_valid(exchange):
    client = Client(exchange, None)
    names = ["price_index.BTCUSD", "price_index.XXX", "session.orders", "ticker.BTC-PERPETUAL.7ms", "ticker", ""]
    assert client.call("public/subscribe", channels=names) == ["price_index.BTCUSD"]
    assert client.call("public/subscribe", channels=["nothing"]) == []
    assert client.fails("public/subscribe", channels="ticker") == 6
    assert client.fails("private/subscribe", channels=["session.orders"]) == 7
    strict = Client(opened(subscribe_invalid="error"), None)
    assert strict.fails("public/subscribe", channels=["ticker.NOT_EXISTING.raw"]) == 5


def test_private_subscribe_takes_public_names_too(exchange):
    names = ["session.orders", "system"]
    assert Client(exchange).call("private/subscribe", channels=names) == names
    assert Client(opened(private_subscribe_public=False)).call("private/subscribe", channels=names) == [
        "session.orders"
    ]


def test_resubscribing_is_a_switch(exchange):
    client = Client(exchange)
    for _ in range(2):
        assert client.call("private/subscribe", channels=["session.orders"]) == ["session.orders"]
    assert len(client.got("session.orders")) == 1
    strict = Client(opened(resubscribe="error"))
    strict.call("private/subscribe", channels=["session.orders"])
    assert strict.fails("private/subscribe", channels=["session.orders"]) == 8
    assert strict.fails("unsubscribe", channels=["system"]) == 9


def test_channels_of_a_connection_are_limited():
    names = [f"book.{PERP}.none.{n}.raw" for n in range(1, 6)]
    client = Client(opened(max_channels=3))
    assert client.call("public/subscribe", channels=names) == names[:3]
    assert client.call("unsubscribe", channels=names[:1]) == names[:1]
    assert client.call("public/subscribe", channels=names[1:]) == names[1:4]


def test_empty_snapshots_are_a_switch():
    for sent in (True, False):
        client = Client(opened(empty_snapshots=sent))
        names = ["session.orders", "account.portfolio", f"recent_trades.{PERP}.single", "mm.rfqs"]
        client.call("private/subscribe", channels=names)
        assert [client.got(name) for name in names] == [[[]] if sent else []] * 4


def test_unsubscribe_mixes_public_and_private_and_stops_the_flow(exchange):
    client = Client(exchange)
    client.call("private/subscribe", channels=["account.orders"])
    client.call("public/subscribe", channels=["instruments", f"book.{PERP}.none.all.raw"])
    names = ["account.orders", "instruments", f"book.{PERP}.none.all.raw"]
    assert client.call("unsubscribe", channels=[*names, "system"]) == names
    client.clear()
    client.insert("buy", 77_900, 0.1)
    crowd(exchange, "sell", 78_100, 1)
    assert len(client.raw) == 1
    assert exchange.channels.feeds == {}


def test_disconnecting_leaves_nothing_behind(exchange):
    client = Client(exchange, timeout_secs=5)
    client.call("private/subscribe", channels=["session.orders", "account.portfolio", "account.summary", "system"])
    client.call(
        "public/subscribe", channels=[f"ticker.{PERP}.raw", f"book.{PERP}.none.10.100ms", "lwt_futures.BTCUSD.raw"]
    )
    client.insert("buy", 77_900, 0.1)
    client.connection.disconnect(exchange.now_ns)
    client.clear()
    later(exchange, 10)
    assert client.raw == []
    assert exchange.channels.feeds == {}
    assert exchange.connections == {}
    listing = exchange.listings[PERP]
    assert not (listing.book_feeds or listing.top_feeds or listing.trade_feeds)


# --- server events ----------------------------------------------------------------------------------------------------


def test_planned_close_is_announced_ten_seconds_ahead(exchange):
    client = Client(exchange, timeout_secs=60)
    client.call("public/subscribe", channels=["system"])
    client.insert("buy", 77_900, 0.1)
    exchange.announce_close(exchange.now_ns)
    assert client.got("system") == [{"event": "reconnect"}]
    later(exchange, 9.9)
    assert client.closed is None
    fresh = Client(exchange)
    later(exchange, 0.2)
    assert client.closed == (1001, "reconnect")
    assert fresh.closed is None
    assert fresh.call("private/open_orders") == []


def test_banners(exchange):
    client = Client(exchange, None)
    client.call("public/subscribe", channels=["banners"])
    banner = {"id": 1, "time": NOW_NS / SECOND_NS, "severity": "info", "title": "t", "message": "m"}
    exchange.set_banners([banner], exchange.now_ns)
    assert client.got("banners") == [[], [banner]]
    assert client.call("public/system_info")["banners"] == [banner]
