"""A session after set-up, its table, and the order of set-up under any order of answers."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed import session_events as events
from feed.session import FIRST_HOT_ID, SessionError
from feed.session_table import TABLE, State, Trigger
from tests.feed.session_driver import (
    ORDER,
    PLAN,
    SECOND,
    Driver,
    answer_to,
    live,
)


def test_rearming():
    driver = live()
    driver.session.rearm("FBTCUSD", 0)
    (request,) = driver.take()
    assert request["params"] == {"product": "FBTCUSD", "trade_amount": 0.1, "quote_amount": 2.5}
    driver.answer(request)
    driver.session.rearm("FETHUSD", 0)
    driver.answer(driver.take()[0], error=(22, "no"))
    driver.session.rearm("FBTCUSD", 0)
    driver.take()
    driver.session.poll(PLAN.reply_timeout_ns)
    driver.session.rearm("FETHUSD", 0)
    driver.session.disconnected(0, "lost")
    driver.take()
    told = [event for event in driver.events if not isinstance(event, events.Disconnected)]
    assert told == [
        events.Armed("FBTCUSD"),
        events.ArmingFailed("FETHUSD", 22, "no"),
        events.ArmingFailed("FBTCUSD", 0, "no answer in time"),
        events.ArmingFailed("FETHUSD", 0, "the connection is gone"),
    ]
    assert not driver.told(events.Failed)


def test_requests_after_set_up_wait_for_it():
    driver = Driver().connect()
    for call in (
        lambda: driver.session.rearm("FBTCUSD", 0),
        lambda: driver.session.request("private/portfolio", {}, 0),
        lambda: driver.session.resubscribe(["system"], 0),
    ):
        with pytest.raises(SessionError, match="set up"):
            call()
    with pytest.raises(SessionError, match="planned"):
        live().session.rearm("OBTCUSD", 0)


def test_a_query_is_answered_refused_or_unknown():
    driver = live()
    ids = [driver.session.request("private/open_orders", {}, 0) for _ in range(4)]
    requests = driver.take()
    assert [request["id"] for request in requests] == ids
    driver.answer(requests[0], [1, 2])
    driver.answer(requests[1], error=(10, "later"))
    driver.session.poll(PLAN.reply_timeout_ns)
    driver.take()
    assert driver.events == [
        events.Answer(ids[0], [1, 2], 0, ""),
        events.Answer(ids[1], None, 10, "later"),
        events.Answer(ids[2], None, -1, "no answer in time"),
        events.Answer(ids[3], None, -1, "no answer in time"),
    ]
    assert driver.session.is_live


def test_resubscribing_leaves_first():
    driver = live()
    driver.session.resubscribe(["ticker.BTC-PERPETUAL.raw"], 0)
    (leave,) = driver.take()
    assert leave["method"] == "unsubscribe"
    driver.answer(leave)
    (join,) = driver.take()
    assert (join["method"], join["params"]) == ("public/subscribe", {"channels": ["ticker.BTC-PERPETUAL.raw"]})
    driver.answer(join)
    assert driver.events == [events.Resubscribed(("ticker.BTC-PERPETUAL.raw",))]


@pytest.mark.parametrize("how", ["error", "silence", "left out"])
def test_resubscribing_that_fails_gives_the_connection_up(how):
    driver = live()
    driver.session.resubscribe(["system"], 0)
    driver.answer(driver.take()[0])
    (join,) = driver.take()
    if how == "error":
        driver.answer(join, error=(20, "no"))
    elif how == "left out":
        driver.answer(join, [])
    else:
        driver.session.poll(PLAN.reply_timeout_ns)
        driver.take()
    assert driver.session.is_failed and not driver.session.is_fatal


def test_many_unanswered_requests_of_which_one_fails_the_connection():
    driver = live()
    driver.session.request("private/portfolio", {}, 0)
    driver.session.resubscribe(["system"], 0)
    driver.session.request("private/portfolio", {}, 0)
    driver.session.poll(PLAN.reply_timeout_ns)
    driver.take()
    assert len(driver.told(events.Answer)) == 2 and len(driver.told(events.Failed)) == 1


def test_orders_mode_has_no_protection_and_a_reader_no_login():
    driver = Driver(replace(PLAN, mass_quote=False, protection={})).connect()
    driver.run()
    assert "private/set_mm_protection" not in [request["method"] for request in driver.sent]
    driver = Driver(replace(PLAN, mass_quote=False, login=False)).connect()
    driver.run()
    assert [r["method"] for r in driver.sent] == [
        "public/system_info",
        "public/instruments",
        "public/ticker",
        "public/ticker",
        "public/subscribe",
    ]


def test_long_channel_lists_are_cut():
    names = tuple(f"ticker.X{i}.raw" for i in range(450))
    driver = Driver(replace(PLAN, channels_public=names)).connect()
    requests = driver.run(until="public/subscribe")
    assert [len(request["params"]["channels"]) for request in requests] == [200, 200, 50]
    for request in requests[:2]:
        driver.answer(request)
    assert driver.session.state is State.PUBLIC
    driver.answer(requests[2])
    assert driver.session.state is State.SYNCING


def test_ids_stay_below_the_hot_ones_for_ever():
    driver = live()
    driver.session._pending._next_id = FIRST_HOT_ID - 1
    ids = [driver.session.request("private/portfolio", {}, 0) for _ in range(3)]
    assert ids == [FIRST_HOT_ID - 1, 1, 2]


def test_a_closed_session_stays_closed():
    driver = live()
    driver.session.close()
    assert driver.session.state is State.CLOSED and driver.session.is_failed
    driver.session.disconnected(0, "closed")
    with pytest.raises(SessionError):
        driver.session.connected(0)


def test_every_state_can_be_lost_and_closed_and_every_step_can_fail():
    for state in State:
        assert Trigger.LOST in TABLE[state] and Trigger.CLOSE in TABLE[state]
        if state not in (State.DISCONNECTED, State.FAILED, State.CLOSED):
            assert TABLE[state][Trigger.FAIL] is State.FAILED
    reached, frontier = {State.DISCONNECTED}, [State.DISCONNECTED]
    while frontier:
        for following in TABLE[frontier.pop()].values():
            if following not in reached:
                reached.add(following)
                frontier.append(following)
    assert reached == set(State)
    assert [state for state in State if State.LIVE in TABLE[state].values()] == [State.SYNCING]


script = st.lists(
    st.tuples(
        st.sampled_from(["answer", "answer", "answer", "snapshot", "snapshot", "error", "stray", "poll", "drop",
                         "token", "sync", "unsync", "connect", "duplicate"]),
        st.integers(0, 5),
        st.integers(0, SECOND),
    ),
    max_size=80,
)  # fmt: skip


@given(script)
@settings(max_examples=300, deadline=None)
def test_no_request_of_a_later_step_leaves_before_the_earlier_step_is_acknowledged(steps):
    """Whatever the order of answers, silence, noise and drops."""
    driver = Driver()
    session = driver.session
    waiting: list[dict[str, Any]] = []
    acknowledged: list[str] = []
    answered: list[int] = []

    def collect() -> None:
        for request in driver.take():
            rank = ORDER.index(request["method"])
            before = {method for method in ORDER[:rank] if method != request["method"]}
            assert before <= set(acknowledged), "a step was left out"
            assert not any(ORDER.index(other["method"]) < rank for other in waiting)
            waiting.append(request)

    for what, index, pause in steps:
        driver.now += pause
        if what == "connect" and session.state is State.DISCONNECTED:
            session.connected(driver.now)
            waiting.clear()
            acknowledged.clear()
        elif what == "drop":
            session.disconnected(driver.now, "lost")
            waiting.clear()
        elif what == "token" and session.wants_token:
            session.provide_token("t", driver.now)
        elif what == "snapshot":
            session.on_snapshot(("session.orders", "account.portfolio")[index % 2], driver.now)
        elif what == "answer" and waiting:
            request = waiting.pop(index % len(waiting))
            acknowledged.append(request["method"])
            answered.append(request["id"])
            driver.answer(request)
        elif what == "error" and waiting and index == 0:
            driver.answer(waiting.pop(0), error=(20, "later"))
            waiting.clear()
        elif what == "duplicate" and answered:
            session.receive(answer_to(answered[index % len(answered)], {"environment": "x"}), driver.now)
        elif what == "stray":
            session.receive(answer_to(10_000 + index, None), driver.now)
        elif what == "poll":
            session.poll(driver.now)
        elif what == "sync":
            session.synced(driver.now)
        elif what == "unsync":
            session.unsynced(driver.now)
        if session.is_failed:
            waiting.clear()
        collect()
        if session.is_live:
            assert set(ORDER) <= set(acknowledged)
    for event in driver.events:
        assert not (isinstance(event, events.Failed) and event.fatal)


@pytest.mark.parametrize(
    "change",
    [{"instruments": ()}, {"instruments": ("A", "A")}, {"channels_public": ("",)}, {"cancel_on_disconnect_s": 0},
     {"reply_timeout_ns": 0}, {"protection": {"F": (2, 1)}}, {"protection": {"F": (0, 1)}},
     {"login": False}, {"login_attempts": 0}],
)  # fmt: skip
def test_a_senseless_plan_is_refused(change):
    with pytest.raises(ValueError):
        replace(PLAN, **change)


def test_a_plan_cannot_be_changed():
    with pytest.raises(TypeError):
        PLAN.protection["X"] = (1, 1)  # type: ignore[index]
    with pytest.raises(AttributeError):
        PLAN.account = "B"  # type: ignore[misc]


def test_amounts_are_exact_or_refused():
    plan = replace(PLAN, protection={"F": (1, 123_456_789)})
    driver = Driver(plan).connect()
    driver.run()
    params = next(r["params"] for r in driver.sent if r["method"] == "private/set_mm_protection")
    assert (params["trade_amount"], params["quote_amount"]) == (1e-8, 1.23456789)


@pytest.mark.parametrize("how", ["error", "silence", "left out", "odd", "not joined", "taken"])
def test_refetching_that_fails_costs_no_connection(how):
    driver = live()
    name = "recent_trades.BTC-PERPETUAL.single"
    driver.session.refetch([name], 0)
    (leave,) = driver.take()
    assert (leave["method"], leave["params"]) == ("unsubscribe", {"channels": [name]})
    driver.answer(leave, error=(9, "not subscribed") if how == "not joined" else None)
    (join,) = driver.take()
    assert (join["method"], join["params"]) == ("public/subscribe", {"channels": [name]})
    if how == "error":
        driver.answer(join, error=(20, "no"))
    elif how == "silence":
        driver.session.poll(PLAN.reply_timeout_ns)
        driver.take()
    elif how in ("left out", "odd"):
        driver.answer(join, [] if how == "left out" else {"a": 1})
    else:
        driver.answer(join)
    told = {"error": (20, "no"), "silence": (0, "no answer in time"), "left out": (0, f"left out {name}")}.get(how)
    if how == "odd":
        assert len(driver.told(events.RefetchFailed)) == 1
    else:
        assert driver.events == [events.RefetchFailed((name,), *told) if told else events.Refetched((name,))]
    assert driver.session.is_live
