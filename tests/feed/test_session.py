"""The set-up order cannot be left: every wrong or missing answer is told."""

import json
from dataclasses import replace

import pytest

from feed import session_events as events
from feed.decode_slow import decode
from feed.session import FIRST_HOT_ID, NEVER_NS, SessionError
from feed.session_table import State
from tests.feed.session_driver import (
    ORDER,
    PLAN,
    POSITION,
    Driver,
    answer_to,
    good_result,
    notification,
)


def test_the_walk_to_live():
    driver = Driver().connect()
    driver.run()
    assert [request["method"] for request in driver.sent] == ORDER
    assert driver.session.state is State.SYNCING and not driver.session.is_live
    driver.session.synced(driver.now)
    driver.take()
    assert driver.session.is_live and driver.session.deadline_ns == NEVER_NS
    assert [type(event).__name__ for event in driver.events] == [
        "LoggedIn", "MessageRate", "PositionsOfRecord", "InstrumentsKnown", "PricesKnown", "Armed", "Armed", "Syncing",
        "Live",
    ]  # fmt: skip
    assert driver.told(events.MessageRate) == [events.MessageRate(50)]
    assert driver.told(events.PositionsOfRecord)[0].positions_e8 == {"BTC-PERPETUAL": -25_000_000}
    assert driver.told(events.Live) == [events.Live(1)]


def test_the_requests_say_what_the_plan_says():
    driver = Driver().connect()
    driver.run()
    params = {request["method"]: request["params"] for request in driver.sent}
    assert params["public/login"] == {"token": "header.payload.signature", "account": "A123"}
    assert params["private/set_cancel_on_disconnect"] == {"timeout_secs": 6}
    assert params["private/subscribe"]["channels"] == list(PLAN.channels_private)
    assert params["public/subscribe"]["channels"] == list(PLAN.channels_public)
    protection = [r["params"] for r in driver.sent if r["method"] == "private/set_mm_protection"]
    assert protection == [
        {"product": "FBTCUSD", "trade_amount": 0.1, "quote_amount": 2.5},
        {"product": "FETHUSD", "trade_amount": 1, "quote_amount": 1},
    ]
    ids = [request["id"] for request in driver.sent]
    assert len(set(ids)) == len(ids) and all(0 < i < FIRST_HOT_ID for i in ids)


@pytest.mark.parametrize("method", sorted(set(ORDER)))
def test_a_missing_reply_times_out_and_names_what_is_missing(method):
    driver = Driver().connect()
    driver.run(until=method)
    deadline = driver.session.deadline_ns
    assert deadline == PLAN.reply_timeout_ns
    driver.session.poll(deadline - 1)
    assert not driver.session.is_failed
    driver.session.poll(deadline)
    driver.take()
    (failed,) = driver.told(events.Failed)
    assert driver.session.is_failed and not failed.fatal
    assert method in failed.reason


@pytest.mark.parametrize("method", sorted(set(ORDER)))
@pytest.mark.parametrize(("code", "fatal"), [(20, False), (4, False), (53, False), (28, True), (31, True), (999, True)])
def test_an_error_at_any_step_fails_the_connection(method, code, fatal):
    driver = Driver().connect()
    asked = next(request for request in driver.run(until=method) if request["method"] == method)
    driver.answer(asked, error=(code, "no"))
    (failed,) = driver.told(events.Failed)
    assert failed.fatal is fatal and driver.session.is_fatal is fatal
    assert method in failed.reason and str(code) in failed.reason
    assert driver.take() == []
    driver.session.disconnected(driver.now, "closed")
    assert driver.session.state is (State.CLOSED if fatal else State.DISCONNECTED)


@pytest.mark.parametrize(
    ("method", "result", "fatal", "words"),
    [
        ("public/login", {"account_number": "A999"}, True, "account A999, not to A123"),
        ("public/login", {}, False, "account_number"),
        ("public/login", None, False, "account_number"),
        ("public/system_info", {"environment": "production"}, True, "production"),
        ("public/system_info", {"environment": None}, True, "None"),
        ("private/set_cancel_on_disconnect", {"message_rate": None}, False, "message_rate"),
        ("private/set_cancel_on_disconnect", {"message_rate": 0}, False, "message_rate"),
        ("private/set_cancel_on_disconnect", {"message_rate": True}, False, "message_rate"),
        ("private/subscribe", ["session.orders"], False, "account.portfolio"),
        ("private/subscribe", [], False, "session.orders"),
        ("private/subscribe", None, False, "channels"),
        ("private/open_orders", None, False, "orders"),
        ("private/portfolio", {}, False, "positions"),
        ("private/portfolio", [{"instrument_name": "X", "position": None}], False, "None"),
        ("private/portfolio", [{"instrument_name": "X", "position": float("nan")}], False, "nan"),
        ("private/portfolio", [{"instrument_name": "X", "position": 1e-9}], False, "1e-09"),
        ("private/portfolio", [POSITION, POSITION], False, "two positions"),
        ("public/instruments", [{"instrument_name": "BTC-PERPETUAL"}, {"instrument_name": "ETH-PERPETUALS"}], True,
         "no instrument ETH-PERPETUAL; the nearest are ETH-PERPETUALS"),
        ("public/instruments", [], True, "no instrument"),
        ("public/instruments", None, False, "instruments"),
        ("public/ticker", {}, False, "mark_price"),
        ("public/ticker", {"mark_price": None}, False, "None"),
        ("public/ticker", {"mark_price": "60000"}, False, "60000"),
        ("public/ticker", {"mark_price": 0}, False, "mark_price"),
        ("public/ticker", {"mark_price": float("inf")}, False, "inf"),
        ("public/subscribe", ["system"], False, "ticker.BTC-PERPETUAL.raw"),
    ],
)  # fmt: skip
def test_a_wrong_result_fails_the_connection(method, result, fatal, words):
    driver = Driver().connect()
    requests = driver.run(until=method)
    driver.answer(requests[0], result)
    (failed,) = driver.told(events.Failed)
    assert words in failed.reason and failed.fatal is fatal
    assert driver.take() == [] and driver.session.deadline_ns == NEVER_NS


def test_three_refused_logins_are_the_end():
    driver = Driver()
    for attempt in range(3):
        driver.connect()
        (login,) = driver.run(until="public/login")
        driver.answer(login, error=(19, "authentication failed"))
        assert driver.session.is_fatal is (attempt == 2)
        driver.session.disconnected(driver.now, "closed by us")
    assert driver.session.state is State.CLOSED
    with pytest.raises(SessionError):
        driver.connect()


def test_a_good_login_forgets_the_refused_ones():
    driver = Driver()
    for refused in (True, True, False, True, True, False):
        driver.connect()
        (login,) = driver.run(until="public/login")
        driver.answer(login, error=(19, "no") if refused else None)
        assert not driver.session.is_fatal
        driver.session.disconnected(driver.now, "lost")


def test_a_token_is_wanted_once_a_connection_and_in_time():
    driver = Driver().connect()
    assert driver.session.wants_token
    driver.session.provide_token("t", 0)
    assert not driver.session.wants_token
    with pytest.raises(SessionError):
        driver.session.provide_token("t", 0)
    driver = Driver().connect()
    driver.session.poll(PLAN.reply_timeout_ns)
    driver.take()
    assert "token" in driver.told(events.Failed)[0].reason


@pytest.mark.parametrize("snapshot_first", [True, False])
def test_snapshots_may_come_before_or_after_the_reply(snapshot_first):
    driver = Driver().connect()
    (subscribe,) = driver.run(until="private/subscribe")
    if snapshot_first:
        driver.session.on_snapshot("session.orders", 1)
        driver.session.on_snapshot("account.portfolio", 1)
        driver.session.on_snapshot("account.orders", 1)
        assert driver.take() == []
        driver.answer(subscribe)
    else:
        driver.answer(subscribe)
        driver.session.on_snapshot("session.orders", 1)
        driver.session.on_snapshot("account.orders", 1)
        assert driver.take() == []
        driver.session.on_snapshot("account.portfolio", 1)
    assert [request["method"] for request in driver.take()] == ["private/open_orders"]


def test_an_empty_snapshot_that_never_comes_is_replaced_by_the_queries():
    driver = Driver()
    driver.snapshots = False
    driver.connect().run()
    assert driver.session.state is State.PRIVATE
    driver.session.on_snapshot("session.orders", 0)
    driver.session.on_snapshot("account.orders", 0)
    driver.session.poll(PLAN.snapshot_timeout_ns)
    driver.run()
    assert driver.told(events.SnapshotMissing) == [events.SnapshotMissing(("account.portfolio",))]
    assert [request["method"] for request in driver.sent] == ORDER


def test_or_it_is_required():
    driver = Driver(replace(PLAN, snapshots_required=True))
    driver.snapshots = False
    driver.connect().run()
    driver.session.poll(PLAN.snapshot_timeout_ns)
    driver.take()
    assert "account.portfolio" in driver.told(events.Failed)[0].reason


def test_the_snapshots_of_an_old_connection_do_not_count():
    driver = Driver().connect()
    driver.run()
    driver.session.disconnected(driver.now, "reset")
    driver.snapshots = False
    driver.connect().run()
    assert driver.session.state is State.PRIVATE


def test_leftover_orders_are_told():
    driver = Driver().connect()
    (query,) = driver.run(until="private/open_orders")
    order = {"order_id": "AB", "instrument_name": "BTC-PERPETUAL"}
    driver.answer(query, [order])
    assert driver.told(events.LeftoverOrders) == [events.LeftoverOrders((order,))]


def order_told(**changes):
    order = {"order_id": "AB", "order_type": "limit", "time_in_force": "good_till_cancelled", "label": "as"}
    order |= {"instrument_name": "BTC-PERPETUAL", "direction": "buy", "price": 1, "amount": 1, "filled_amount": 0}
    order |= {"remaining_amount": 1, "status": "open", "fills": [], "change_reason": "existing", "create_time": 1.0}
    return order | {"insert_reason": "client_request", "persistent": False} | changes


def test_an_order_that_the_query_denies_is_told_by_the_channel():
    driver = Driver().connect()
    driver.session.receive(notification("account.orders", [order_told(), order_told(order_id="CD")], snapshot=True), 0)
    over = order_told(order_id="CD", status="cancelled", delete_reason="session_end", change_reason="cancel")
    driver.session.receive(notification("account.orders", [over]), 0)
    (query,) = driver.run(until="private/open_orders")
    driver.answer(query, [])
    told = {"order_id": "AB", "label": "as", "persistent": False}
    assert driver.told(events.LeftoverOrders) == [events.LeftoverOrders((told,))]
    assert driver.take()[1]["params"] == {"channels": ["account.orders"]}, "left before the first order"


def test_an_order_that_both_tell_counts_once_and_the_next_connection_asks_both_again():
    driver = Driver().connect()
    driver.session.receive(notification("account.orders", [order_told()], snapshot=True), 0)
    (query,) = driver.run(until="private/open_orders")
    driver.answer(query, [order_told()])
    assert driver.told(events.LeftoverOrders) == [events.LeftoverOrders((order_told(),))]
    driver.session.disconnected(driver.now, "lost")
    driver.events.clear()
    driver.connect().run()
    assert driver.told(events.LeftoverOrders) == []


def test_the_channel_of_open_orders_may_not_be_silent_alone():
    driver = Driver()
    driver.snapshots = False
    driver.connect().run()
    driver.session.on_snapshot("session.orders", 0)
    driver.session.on_snapshot("account.portfolio", 0)
    driver.session.poll(PLAN.snapshot_timeout_ns)
    driver.take()
    assert driver.told(events.Failed) == [
        events.Failed("account.orders tells nothing of open orders", False, "PRIVATE")
    ]


def test_every_connection_walks_the_whole_table_again():
    driver = Driver()
    for generation in (1, 2, 3):
        driver.sent.clear()
        driver.connect().run()
        driver.session.synced(driver.now)
        driver.take()
        assert [request["method"] for request in driver.sent] == ORDER
        assert driver.session.generation == generation
        driver.session.disconnected(driver.now, "reset by peer")
        driver.take()
        assert driver.told(events.Disconnected)[-1] == events.Disconnected(generation, "reset by peer", True)
        assert not driver.session.is_live


def test_replies_of_an_old_connection_change_nothing():
    driver = Driver().connect()
    (old,) = driver.run(until="private/cancel_session")
    driver.session.disconnected(driver.now, "lost")
    driver.connect()
    before = driver.session.state
    assert driver.session.receive(answer_to(old["id"], None), driver.now)
    assert driver.session.state is before
    assert driver.session.stray_replies == 1


def test_what_is_not_the_sessions_is_left_to_others():
    driver = Driver().connect()
    for reply_id in (FIRST_HOT_ID, 0, -1, "1", None, 1.0, True):
        assert not driver.session.receive(answer_to(reply_id, None), 0)
    assert not driver.session.receive(notification("banners", []), 0)


def test_the_system_channel_asks_to_reconnect():
    driver = Driver().connect()
    driver.run()
    assert driver.session.receive(notification("system", {"event": "reconnect"}), 0)
    assert not driver.session.receive(notification("system", {"event": "something new"}), 0)
    driver.take()
    assert len(driver.told(events.ReconnectRequested)) == 1


def test_syncing_has_a_deadline_and_can_be_lost_again():
    driver = Driver().connect()
    driver.run()
    assert driver.session.deadline_ns == PLAN.sync_timeout_ns
    driver.session.synced(1)
    driver.session.unsynced(2)
    assert not driver.session.is_live
    assert driver.session.deadline_ns == 2 + PLAN.sync_timeout_ns
    driver.session.poll(driver.session.deadline_ns)
    driver.take()
    assert "market data" in driver.told(events.Failed)[0].reason


def test_real_bytes_walk_through_too():
    """The same walk with every answer as text, through the decoder."""
    driver = Driver().connect()
    session = driver.session
    session.provide_token("t", 0)
    for _ in range(20):
        for request in driver.take():
            text = json.dumps({"id": request["id"], "result": good_result(request)}).encode()
            assert session.receive(decode(text), 0)
            if request["method"] == "private/subscribe":
                session.on_snapshot("session.orders", 0)
                session.on_snapshot("account.portfolio", 0)
                session.on_snapshot("account.orders", 0)
    assert session.state is State.SYNCING
    assert driver.told(events.PositionsOfRecord)[0].positions_e8 == {"BTC-PERPETUAL": -25_000_000}
