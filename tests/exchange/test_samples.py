"""Every sample request is answered; replies and notifications have the members of their samples."""

import orjson
import pytest

from tests.exchange.scripted import FUTURE, NOW_NS, PERP, Client, crowd, later, opened
from tests.shared import SAMPLES, needs_samples

pytestmark = needs_samples

STATELESS_PRIVATE = {
    "req_private_amend_by_order_id.json": 1,
    "req_private_cancel_by_order_id.json": 1,
}
"""Requests about an order id that lives only in the sample: error 1 is the right answer."""


OMITTED = {"perpetual_funding_entry_value"}
"""Members the venue leaves out when they are zero."""


def sample(name):
    return orjson.loads((SAMPLES / name).read_bytes())


def requests():
    names = sorted(path.name for path in SAMPLES.glob("req_*.json")) if SAMPLES.is_dir() else []
    return [name for name in names if "login" not in name and "historical" not in name]


def prepared():
    """The state the samples speak of: an armed market maker with an order 1001 and a position to reduce."""
    exchange = opened(depth=5, message_rate=0)
    client = Client(exchange, timeout_secs=60)
    client.call("private/set_mm_protection", product="FBTCUSD", trade_amount=2, quote_amount=2)
    client.insert("buy", 3_510.0, 2, instrument_name="ETH-PERPETUAL")
    later(exchange, 1)
    return exchange, client


@pytest.mark.parametrize("name", requests())
def test_sample_request_is_answered(name):
    exchange, client = prepared()
    if "by_client_order_id" in name:
        client.insert("buy", 77_900, 0.2, client_order_id=1001)
    request = sample(name)
    if name == "req_private_buy.json":
        request["params"]["collar"] = "ignore"
    client.clear()
    client.connection.receive(orjson.dumps(request), exchange.now_ns)
    reply = orjson.loads(client.raw[0])
    assert reply["id"] == request["id"]
    if name in STATELESS_PRIVATE:
        assert reply["error"]["code"] == STATELESS_PRIVATE[name]
    else:
        assert "result" in reply, reply


def same_members(ours, theirs, path=""):
    """Every member of the sample is in our message, of the same JSON type where both are set; lists by first item."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), path
        missing = set(theirs) - set(ours) - OMITTED
        assert not missing, (path, missing)
        for name in set(theirs) & set(ours):
            value = theirs[name]
            same_members(ours[name], value, f"{path}.{name}")
    elif isinstance(theirs, list):
        assert isinstance(ours, list), path
        if theirs and ours and isinstance(theirs[0], dict | list):
            same_members(ours[0], theirs[0], f"{path}[0]")
    elif isinstance(theirs, bool) or theirs is None or ours is None:
        assert ours is None or theirs is None or isinstance(ours, bool), path
    elif isinstance(theirs, int | float):
        assert isinstance(ours, int | float), path
    else:
        assert isinstance(ours, str), path


REPLIES = {
    "reply_public_system_info.json": ("public/system_info", {}),
    "reply_public_instrument.json": ("public/instrument", {"instrument_name": PERP}),
    "reply_public_instruments.json": ("public/instruments", {}),
    "reply_public_ticker.json": ("public/ticker", {"instrument_name": PERP}),
    "reply_public_index.json": ("public/index", {"underlying": "BTCUSD"}),
    "reply_public_book.json": ("public/book", {"instrument_name": PERP}),
    "reply_public_mark_price_historical_data_perpetual.json": (
        "public/mark_price_historical_data",
        {"instrument_name": PERP, "from": NOW_NS / 1e9 - 60, "to": NOW_NS / 1e9 + 600, "resolution": "1m"},
    ),
    "reply_public_mark_price_historical_data_future.json": (
        "public/mark_price_historical_data",
        {"instrument_name": FUTURE, "from": NOW_NS / 1e9 - 60, "to": NOW_NS / 1e9 + 600, "resolution": "1m"},
    ),
    "reply_public_index_price_historical_data.json": (
        "public/index_price_historical_data",
        {"index_name": "BTCUSD", "from": NOW_NS / 1e9 - 60, "to": NOW_NS / 1e9 + 600, "resolution": "1m"},
    ),
    "reply_private_open_orders.json": ("private/open_orders", {}),
    "reply_private_portfolio.json": ("private/portfolio", {}),
    "reply_private_account_summary.json": ("private/account_summary", {}),
    "reply_private_account_breakdown.json": ("private/account_breakdown", {}),
    "reply_private_required_margin_breakdown.json": ("private/required_margin_breakdown", {}),
    "reply_private_required_margin_for_order.json": (
        "private/required_margin_for_order",
        {"instrument_name": PERP, "price": 78_000, "amount": 0.1},
    ),
    "reply_private_trade_history.json": ("private/trade_history", {}),
    "reply_private_order_history.json": ("private/order_history", {}),
    "reply_private_insert_ioc_filled.json": (
        "private/insert",
        {"direction": "sell", "instrument_name": PERP, "amount": 0.05, "order_type": "market"},
    ),
    "reply_private_insert_book_or_cancel_killed.json": (
        "private/insert",
        {
            "direction": "buy",
            "instrument_name": PERP,
            "amount": 0.1,
            "price": 78_010,
            "post_only": True,
            "reject_post_only": True,
            "client_order_id": 1002,
        },
    ),
    "reply_private_amend.json": ("private/amend", {"client_order_id": 1001, "price": 77_901, "amount": 0.1}),
    "reply_private_cancel.json": ("private/cancel", {"client_order_id": 1001}),
    "reply_private_mass_quote_partial_fail.json": (
        "private/mass_quote",
        {"quotes": [{"i": PERP, "b": [[77_000.5, 0.1]], "a": [[79_000, 0.1]]}]},
    ),
}


@pytest.mark.parametrize("name", sorted(REPLIES))
def test_reply_has_the_members_of_its_sample(name):
    method, params = REPLIES[name]
    _, client = trading()
    result = client.call(method, **params)
    theirs = sample(name)["result"]
    if isinstance(theirs, list) and isinstance(result, list):
        assert result
    same_members(result, theirs)


def trading():
    """An account with everything to show: a position, a fill of a labelled order, funding, an open order 1001."""
    exchange, client = prepared()
    exchange.set_index("BTCUSD", 77_700)
    later(exchange, 40)
    client.call("private/set_cancel_on_disconnect", timeout_secs=3600)
    client.insert("buy", 77_995, 0.1, label="mm", client_order_id=1000)
    crowd(exchange, "sell", 77_995, 100, ioc=True)
    client.insert("buy", 77_900, 0.1, label="mm", client_order_id=1001)
    later(exchange, 40)
    return exchange, client


CHANNELS = {
    "ntf_ticker_perpetual.json": f"ticker.{PERP}.raw",
    "ntf_lwt_perpetual.json": f"lwt.{PERP}.1000ms",
    "ntf_lwt_futures.json": "lwt_futures.BTCUSD.1000ms",
    "ntf_book_snapshot.json": f"book.{PERP}.none.all.raw",
    "ntf_recent_trades_snapshot.json": f"recent_trades.{PERP}.single",
    "ntf_price_index_live.json": "price_index.BTCUSD",
    "ntf_index_components.json": "index_components.BTCUSD",
    "ntf_underlying_statistics.json": "underlying_statistics.BTCUSD",
    "ntf_instruments_snapshot.json": "instruments",
    "ntf_base_price.json": "base_price.BTCUSD.2026-12-25",
    "ntf_session_orders_snapshot.json": "session.orders",
    "ntf_account_orders_snapshot.json": "account.orders",
    "ntf_account_portfolio_snapshot.json": "account.portfolio",
    "ntf_account_summary.json": "account.summary",
}


@pytest.mark.parametrize("name", sorted(CHANNELS))
def test_first_notification_has_the_members_of_its_sample(name):
    _, client = trading()
    channel = CHANNELS[name]
    assert client.call("private/subscribe", channels=[channel]) == [channel]
    ours = next(orjson.loads(raw) for raw in client.raw if raw.startswith(b'{"channel_name":"%s"' % channel.encode()))
    theirs = sample(name)
    assert list(ours) == list(theirs)
    theirs_body = theirs["notification"]
    if name == "ntf_index_components.json":
        theirs_body = {**theirs_body, "components": {}}
    if name == "ntf_lwt_futures.json":
        theirs_body = {"tickers": {FUTURE: theirs_body["tickers"][FUTURE], PERP: theirs_body["tickers"][PERP]}}
        assert {key: len(row) for key, row in ours["notification"]["tickers"].items()} == {FUTURE: 6, PERP: 8}
    same_members(ours["notification"], theirs_body)


UPDATES = {
    "ntf_session_orders_insert.json": "session.orders",
    "ntf_session_orders_amend.json": "session.orders",
    "ntf_session_orders_partial_fill.json": "session.orders",
    "ntf_session_orders_filled.json": "session.orders",
    "ntf_session_orders_cancelled.json": "session.orders",
    "ntf_session_orders_mm_protection.json": "session.orders",
    "ntf_session_orders_quote_replaced.json": "session.orders",
    "ntf_account_orders_session_end.json": "session.orders",
    "ntf_session_mm_protection_refill.json": "session.mm_protection",
    "ntf_session_mm_protection_executions.json": "session.mm_protection",
    "ntf_session_mm_protection_exhausted.json": "session.mm_protection",
    "ntf_session_mm_protection_client_cancel.json": "session.mm_protection",
    "ntf_account_trade_history.json": "account.trade_history",
    "ntf_account_order_history.json": "account.order_history",
}


@pytest.fixture(scope="module")
def session():
    """A session that has lived through everything the sampled updates tell of."""
    exchange, client = prepared()
    channels = ["session.orders", "session.mm_protection", "account.trade_history", "account.order_history"]
    client.call("private/subscribe", channels=channels)
    client.insert("buy", 77_995, 0.1, label="mm", client_order_id=1001)
    client.call("private/amend", client_order_id=1001, price=77_996, amount=0.1)
    crowd(exchange, "sell", 77_996, 40, ioc=True)
    crowd(exchange, "sell", 77_996, 60, ioc=True)
    client.insert("buy", 77_900, 0.1, label="mm", client_order_id=1001)
    client.call("private/cancel", client_order_id=1001)
    client.call("private/set_mm_protection", product="FBTCUSD", trade_amount=0.3, quote_amount=2)
    client.quote([[77_994, 0.2]], [[78_006, 0.1]], label="mm")
    client.quote([[77_995, 0.2]], [[78_006, 0.1]], label="mm")
    crowd(exchange, "sell", 77_995, 150, ioc=True)
    client.quote([[77_995, 0.2]], [[78_006, 0.1]], label="mm")
    crowd(exchange, "sell", 77_995, 200, ioc=True)
    client.call("private/set_mm_protection", product="FBTCUSD", trade_amount=0.3, quote_amount=2)
    client.call("private/cancel_mass_quote")
    client.insert("buy", 77_900, 0.1, label="mm", client_order_id=1001)
    client.call("private/cancel_session")
    later(exchange, 1)
    return client


@pytest.mark.parametrize("name", sorted(UPDATES))
def test_update_like_the_sample_occurs(session, name):
    """Some update of ours has the sample's members and its telling values, in every row."""
    telling = ("status", "change_reason", "delete_reason", "reason", "product")
    theirs = sample(name)["notification"]
    seen = []
    for ours in session.got(UPDATES[name]):
        facts = [[row.get(key) for key in telling] for row in ours]
        seen.append(facts)
        wanted = [[row.get(key) for key in telling] for row in theirs]
        if name == "ntf_account_orders_session_end.json":
            wanted[0][0] = "cancelled"
        if all(row in facts for row in wanted):
            match = next(row for row in ours if [row.get(key) for key in telling] == wanted[0])
            same_members(match, theirs[0])
            return
    raise AssertionError(seen)


ERRORS = {
    "error_unknown_method.json": ("nothing", {}),
    "error_order_not_found.json": ("private/cancel", {"client_order_id": 9}),
    "error_unknown_instrument.json": ("public/ticker", {"instrument_name": "X"}),
    "error_invalid_amount.json": (
        "private/buy",
        {"instrument_name": PERP, "amount": 0.0001, "price": 77_000},
    ),
    "error_price_not_aligned.json": ("private/buy", {"instrument_name": PERP, "amount": 0.1, "price": 77_000.5}),
    "error_price_collar_breach.json": ("private/buy", {"instrument_name": PERP, "amount": 0.1, "price": 99_000}),
    "error_insufficient_margin.json": ("private/buy", {"instrument_name": PERP, "amount": 900, "price": 77_000}),
    "error_prot_not_set.json": ("private/mass_quote", {"quotes": [{"i": "ETH-PERPETUAL", "b": [[3000, 1]]}]}),
}


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_error_equals_its_sample(name):
    method, params = ERRORS[name]
    _, client = prepared()
    assert client.send(method, **params)["error"] == sample(name)["error"]


def test_remaining_error_samples():
    assert Client(opened(), None).send("private/portfolio")["error"] == sample("error_not_logged_in.json")["error"]
    client = Client(opened(message_rate_persistent=1))
    client.insert("buy", 77_900, 0.1)
    reply = client.send("private/buy", instrument_name=PERP, amount=0.1, price=77_900)
    assert reply["error"] == sample("error_throttle_exceeded.json")["error"]
