"""A running core takes another plan: whole or not at all, with no more in the market than its limits allow."""

import math
from dataclasses import replace
from typing import Any

import pytest

from engine.config import load
from engine.config_schema import Key, all_keys
from engine.core.plan import CorePlan
from engine.plan_builder import core_plan
from tests.engine.simulated import plan, run, world
from tests.engine.test_config import flags, other_value
from tests.engine.test_step import account, truth

PERP = "BTC-PERPETUAL"


def planned(**values: Any) -> CorePlan:
    given = {name.replace("__", "."): value for name, value in values.items()}
    return core_plan(load(flags=flags(**given)).config)


def with_mode(told: CorePlan, mode: Any) -> CorePlan:
    return replace(told, mode=mode)


def resting(w: Any, side: int) -> float:
    return sum(lots for way, _, lots in truth(w) if way == side) / 1000


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_new_settings_hold_from_the_next_decision_on(mode: str) -> None:
    w = world(2, mode=mode)
    run(w, 20)
    before = {price for _, price, _ in truth(w)}
    w.configure(with_mode(planned(trading_strategy__avellaneda__max_levels=1), mode))
    assert w.core.config_version == 1
    run(w, 2)
    assert sorted(side for side, _, _ in truth(w)) in ([-1, 1], [-1], [1])
    w.configure(with_mode(planned(trading_strategy__avellaneda__min_spread_bps=40.0), mode))
    status = run(w, 5)
    line = status["instruments"][PERP]
    assert (line["ask_usd"] - line["bid_usd"]) / line["fair_usd"] * 1e4 > 39
    assert before
    assert status["config_version"] == 2


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
@pytest.mark.parametrize("latency_ms", [0.2, 40])
def test_orders_beyond_a_smaller_limit_are_cancelled_at_once(mode: str, latency_ms: float) -> None:
    w = world(10, mode=mode)
    w.link = type(w.link)(int(latency_ms * 1e6), int(latency_ms * 1e6))
    for cap in (6_000.0, 3_000.0, 900.0):
        run(w, 20)
        assert truth(w)
        sent: list[bytes] = []
        w.on_outbound = lambda now_ns, text, sent=sent: sent.append(text)  # type: ignore[misc]
        position = w.core.instruments[0].position_lots / 1000
        over = max(position + resting(w, 1), resting(w, -1) - position) * 60_000 > cap
        told = planned(risk__max_position_usd=cap, trading_strategy__avellaneda__size_usd=cap / 10)
        w.configure(with_mode(told, mode))
        if over:
            assert sent, "nothing was cancelled in the event of the change"
        w.on_outbound = None
        # What was on its way at the change may still trade; from its return on the new limit holds.
        run(w, 4 * latency_ms / 1e3 + 0.05)
        limit = max(abs(w.exchange.position(account(w), PERP)), cap / 55_000)
        for _ in range(100):
            run(w, 0.1)
            held = w.exchange.position(account(w), PERP)
            assert max(held + resting(w, 1), resting(w, -1) - held) <= limit + 1e-9
            limit = max(abs(held), cap / 55_000)


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_a_position_above_a_smaller_limit_is_only_reduced(mode: str) -> None:
    w = world(2, mode=mode)
    while abs(w.core.instruments[0].position_lots) < 60:
        run(w, 1)
        assert w.now_ns < 1_795_000_000_000_000_000 + 900 * 10**9
    small = planned(risk__max_position_usd=600.0, trading_strategy__avellaneda__size_usd=300.0)
    w.configure(with_mode(small, mode))
    run(w, 0.5)
    held = w.core.instruments[0].position_lots
    assert w.core.instruments[0].why == "position limit"
    for _ in range(1200):
        run(w, 0.25)
        lots = w.core.instruments[0].position_lots
        assert 0 <= lots * math.copysign(1, held) <= abs(held), "it grew, or flipped"
        assert all(side * held < 0 for side, _, _ in truth(w)) or w.core.instruments[0].why == "quoting"
        held = lots or held
        if abs(lots) <= 9:
            break
    assert abs(w.core.instruments[0].position_lots) < 60


def test_a_plan_that_needs_a_restart_changes_nothing() -> None:
    w = world(3)
    run(w, 10)
    before = w.core.plan
    for told, name in (
        (plan(instruments=("ETH-PERPETUAL",)), "instruments"),
        (plan(mode="orders"), "mode"),
        (plan(label="other"), "label"),
        (planned(connection__cancel_on_disconnect=9), "cancel_on_disconnect_s"),
    ):
        with pytest.raises(ValueError, match=name):
            w.core.configure(told, w.now_ns)
    assert w.core.plan is before
    assert w.core.config_version == 0
    w.operator("stop")
    with pytest.raises(ValueError, match="stopping"):
        w.core.configure(plan(), w.now_ns)


def test_larger_protection_is_armed_before_larger_quotes_are_sent() -> None:
    w = world(4)
    run(w, 10)
    sent: list[bytes] = []
    w.on_outbound = lambda now_ns, text: sent.append(text)
    w.configure(planned(trading_strategy__avellaneda__size_usd=6000.0, risk__max_order_usd=30_000.0))
    run(w, 5)
    arming = next(i for i, text in enumerate(sent) if b"set_mm_protection" in text)
    quotes = [i for i, text in enumerate(sent) if (b"mass_quote" in text and b'"p":' in text) or b'"b":[[' in text]
    assert quotes
    assert arming < quotes[0]
    assert w.core.status()["counters"]["venue_errors"] == 0


@pytest.mark.parametrize("moment", range(1, 14))
def test_a_change_in_the_middle_of_the_set_up_is_taken(moment: int) -> None:
    """After so many messages of the set-up."""
    w = world(5)
    while w.core.messages < moment:
        run(w, 0.0001)
    w.configure(planned(trading_strategy__avellaneda__size_usd=6000.0, risk__max_order_usd=30_000.0))
    status = run(w, 10)
    assert status["session"] == "LIVE"
    assert status["counters"]["venue_errors"] == 0
    assert max(lots for _, _, lots in truth(w)) > 90


def test_a_halt_stays_while_the_plan_changes() -> None:
    w = world(6)
    run(w, 10)
    w.operator("halt")
    run(w, 1)
    w.configure(planned(trading_strategy__avellaneda__size_usd=2000.0))
    assert run(w, 5)["mode"] == "HALTED"
    assert not truth(w)
    w.operator("resume")
    run(w, 5)
    assert truth(w)


@pytest.mark.parametrize("leaf", all_keys().values(), ids=lambda leaf: leaf.path)
def test_the_core_takes_exactly_the_keys_that_are_said_to_change(leaf: Key) -> None:
    """Keys that only the live loop reads are beyond the core, and need a restart."""
    w = world(7)
    value, beside = other_value(leaf)
    told = core_plan(load(flags=flags(**{**beside, leaf.path: value})).config)
    if leaf.changeable:
        w.core.configure(core_plan(load(flags=flags(**beside)).config), w.now_ns)
        w.core.configure(told, w.now_ns)
        assert w.core.plan is told
    elif repr(told) != repr(core_plan(load(flags=[]).config)):
        with pytest.raises(ValueError, match="restart"):
            w.core.configure(told, w.now_ns)
