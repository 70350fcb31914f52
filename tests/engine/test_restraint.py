"""Limits of the whole account: what makes it only reduce and for how long, and what halts it until a person resumes."""

from dataclasses import replace
from math import inf
from typing import Any

import orjson
import pytest

from engine.core.plan import Limits
from engine.core.restraint import Restraint
from engine.core.risk import Gate
from engine.sim.world import World
from feed.auth import throwaway_key
from feed.exchange.accounts import USD
from feed.exchange.exchange import Exchange
from feed.exchange.listing import default_instruments
from feed.exchange.options import Options
from feed.exchange.seeded import SeededMarket
from tests.engine.simulated import SECOND_NS, START_NS, plan, run, world
from tests.engine.test_step import account, truth

PERPETUAL = "BTC-PERPETUAL"
MODES = ["mass_quote", "orders"]
REDUCE_S = 5


def limited(**limits: Any) -> Limits:
    return replace(plan().limits, reduce_ns=REDUCE_S * SECOND_NS, **limits)


def alone(**limits: Any) -> tuple[Restraint, Gate]:
    gate = Gate(1)
    off = Limits(inf, inf, inf, 100.0, inf, reduce_ns=REDUCE_S * SECOND_NS)
    return Restraint([], replace(off, **limits), gate), gate


def act(w: World, what: str) -> None:
    w.core.operator(what, w.now_ns)
    w.flush()


def held(w: World) -> float:
    return w.exchange.position(account(w), PERPETUAL)


def adding(w: World) -> list[tuple[int, int, int]]:
    """Orders at the exchange that could add to the position, or flip it."""
    position = round(held(w) * 1000)
    return [line for line in truth(w) if line[0] * position >= 0 or line[2] > abs(position)]


# ---- equity ----


def test_a_fall_within_the_window_halts_and_a_slow_one_does_not() -> None:
    limits = {"max_loss_usd": 100.0, "loss_window_ns": 60 * SECOND_NS}
    restraint, _ = alone(**limits)
    for second in range(600):
        restraint.look(1000.0 - second, second * SECOND_NS)
    assert restraint.halt is None
    restraint, _ = alone(**limits)
    for second in range(600):
        restraint.look(1000.0 - 2.0 * max(second - 500, 0), second * SECOND_NS)
        if restraint.halt is not None:
            break
    assert restraint.halt == "loss of 102.00 USD within 60 s, limit 100.00 USD" and second == 551
    restraint.look(float("nan"), 601 * SECOND_NS)


def test_a_drawdown_reduces_before_it_halts_and_ends_once_it_has_been_back_for_long_enough() -> None:
    restraint, gate = alone(max_drawdown_usd=100.0, reduce_drawdown_usd=60.0, recovery=0.5)
    equity = [0.0, -59.0, -61.0, -31.0, -29.0]
    modes = []
    for second, usd in enumerate(equity + [-29.0] * REDUCE_S):
        restraint.settle(second * SECOND_NS)
        restraint.look(usd, second * SECOND_NS)
        modes.append(gate.mode)
    # The last second of -31, within the recovery, is the third; five more of calm end it.
    assert modes == [0, 0, 1, 1, 1, 1, 1, 1, 0, 0]
    assert restraint.reason is None and restraint.reductions == 1 and restraint.halt is None
    restraint.look(-101.0, 99 * SECOND_NS)
    assert restraint.halt is not None and "drawdown of 101.00 USD" in restraint.halt


@pytest.mark.parametrize("mode", MODES)
def test_an_account_that_only_reduces_never_adds_or_flips_until_a_person_resumes(mode: str) -> None:
    w = world(12, mode=mode, limits=limited(reduce_drawdown_usd=0.5))
    while w.core.mode == "ACTIVE":
        run(w, 0.02)
    status = run(w, 0.5)
    assert status["mode"] == "REDUCING" and status["reduce_reason"].startswith("drawdown of")
    before, told_why = held(w), set()
    assert before != 0
    for _ in range(3000):
        told_why.add(run(w, 0.1)["instruments"][PERPETUAL]["why"])
        assert not adding(w), f"{held(w)}: {truth(w)}"
        assert abs(held(w)) <= abs(before) and held(w) * before >= 0
        before = held(w) or before
    assert w.core.mode == "REDUCING", "what was lost does not come back by itself"
    assert f"only reduces: {status['reduce_reason']}" in told_why
    act(w, "resume")
    assert w.core.mode == "ACTIVE"
    run(w, 1)
    assert {side for side, _, _ in truth(w)} == {1, -1}


# ---- fills ----


@pytest.mark.parametrize("mode", MODES)
def test_too_many_fills_within_the_window_halt_and_a_person_may_resume(mode: str) -> None:
    w = world(2, mode=mode, limits=limited(max_fills=4, fills_window_ns=60 * SECOND_NS))
    status = run(w, 240)
    assert status["mode"] == "HALTED" and status["halt_reason"] == "fills: 4 within 60 s"
    fills = status["fills"]
    assert fills < 12 and not truth(w)
    act(w, "resume")
    status = run(w, 0.5)
    assert status["mode"] == "ACTIVE" and truth(w)
    w = world(2, mode=mode, limits=limited(max_fills=30, fills_window_ns=SECOND_NS // 1000))
    assert run(w, 240)["mode"] == "ACTIVE"


# ---- margin ----


def poor(mode: str, deposit_usd: float) -> World:
    listed = [i for i in default_instruments(START_NS) if i.name == PERPETUAL]
    exchange = Exchange(SeededMarket(listed, 3), Options(deposit_usd=deposit_usd), seed=3)
    return World(plan(mode=mode, limits=limited()), exchange, throwaway_key().token, START_NS)


@pytest.mark.parametrize("mode", MODES)
def test_a_want_of_margin_reduces_without_hammering_and_comes_back_smaller(mode: str) -> None:
    w = poor(mode, 700.0)
    sent: list[int] = []
    w.on_outbound = lambda now_ns, text: sent.append(now_ns) if b"insert" in text or b'"b":[[' in text else None
    status = run(w, 10)
    assert status["reduce_reason"] is not None and status["reduce_reason"].startswith("margin: the venue refused")
    assert status["size_share"] <= 0.5
    refused = status["counters"]["venue_errors"]
    status = run(w, 60)
    assert status["counters"]["venue_errors"] - refused < 60, "asked again and again"
    w.exchange.accounts[account(w)].balance += 1_000_000 * USD
    w.exchange.accounts[account(w)].deposit += 1_000_000 * USD
    while w.core.mode == "REDUCING":
        run(w, 0.1)
    share = w.core.status()["size_share"]
    run(w, 0.5)
    small = sum(lots for _, _, lots in truth(w))
    assert share < 1 and small > 0
    status = run(w, 6 * REDUCE_S)
    assert status["mode"] == "ACTIVE" and status["size_share"] == 1.0
    assert sum(lots for _, _, lots in truth(w)) > 1.5 * small


def test_an_order_removed_for_want_of_margin_reduces() -> None:
    w = world(3)
    run(w, 10)
    told(w, "margin_breach")
    status = run(w, 0.01)
    assert status["mode"] == "REDUCING" and PERPETUAL in status["reduce_reason"]
    status = run(w, REDUCE_S + 60)
    assert status["mode"] == "ACTIVE" and status["reduce_reason"] is None


# ---- others on the account ----


def told(w: World, delete_reason: str) -> None:
    """A report that one of our orders ended so."""
    order = w.exchange.open_orders(account(w))[0]
    line = {
        "order_id": f"{order.id:016X}",
        "instrument_name": PERPETUAL,
        "direction": "buy" if order.buy else "sell",
        "price": order.price,
        "amount": order.remaining / 1000,
        "filled_amount": 0.0,
        "remaining_amount": order.remaining / 1000,
        "status": "cancelled",
        "change_reason": "cancel",
        "delete_reason": delete_reason,
        "order_type": "limit",
        "time_in_force": "good_till_cancelled",
        "persistent": False,
        "insert_reason": "client_request",
        "create_time": w.now_ns / 1e9,
        "fills": [],
    }
    w.core.on_message(orjson.dumps({"channel_name": "session.orders", "notification": [line]}), w.now_ns, True)
    w.flush()


def given_up(w: World, seconds: float) -> None:
    """The core gives its connection up and gets another one."""
    with pytest.raises(RuntimeError, match="gives up"):
        run(w, seconds)
    w.cut("given up")
    w.reconnect()


def traded_by_hand(w: World, lots: float, direction: str = "buy") -> None:
    person = w.exchange.connect(lambda data: None, w.now_ns)
    params = {
        "direction": direction,
        "instrument_name": PERPETUAL,
        "amount": lots,
        "order_type": "market",
        "time_in_force": "immediate_or_cancel",
    }
    for method, asked in (("public/login", {"token": w.token(w.now_ns / 1e9 + 1)}), ("private/insert", params)):
        person.receive(orjson.dumps({"method": method, "params": asked, "id": 1}), w.now_ns)


def test_a_trade_of_somebody_else_reduces_from_the_position_of_record_where_the_policy_says_so() -> None:
    w = world(7, limits=limited(foreign_reduces=True))
    run(w, 5)
    traded_by_hand(w, 0.5)
    given_up(w, 6)
    assert w.core.mode == "REDUCING" and "by the venue" in w.core.status()["reduce_reason"]
    for _ in range(20):
        run(w, 0.1)
        assert not w.core.session.is_live or not adding(w)
    status = w.core.status()
    assert status["position"][PERPETUAL] == pytest.approx(held(w))
    assert status["counters"]["history_fills"] > 0 and status["counters"]["marked_lots"] == 0
    status = run(w, 60)
    assert status["mode"] == "ACTIVE" and status["halt_reason"] is None


def test_a_second_trade_of_somebody_else_soon_after_halts() -> None:
    w = world(7, limits=replace(limited(foreign_reduces=True), reduce_ns=600 * SECOND_NS))
    run(w, 5)
    traded_by_hand(w, 0.5)
    given_up(w, 6)
    run(w, 5)
    traded_by_hand(w, 0.2, "sell")
    run(w, 8)
    assert w.core.mode == "HALTED" and "by the venue" in w.core.halt_reason


@pytest.mark.parametrize("mode", MODES)
def test_a_self_trade_that_the_venue_prevented_halts_for_good(mode: str) -> None:
    """E19: own orders that meet are a fault of ours, and only a new process may quote again."""
    w = world(3, mode=mode)
    run(w, 10)
    quoted = w.core.status()["quotes_sent"]
    told(w, "self_trade_prevention")
    status = w.core.status()
    assert status["mode"] == "HALTED" and "self-trade" in status["halt_reason"]
    assert status["quotes_sent"] == quoted, "quoted in the event that proved the fault"
    run(w, 2)
    assert not truth(w)
    with pytest.raises(ValueError, match="resume refused"):
        act(w, "resume")


def test_another_account_than_the_one_given_is_never_quoted_on() -> None:
    """E25."""
    w = world(3, account="Z9")
    sent: list[bytes] = []
    w.on_outbound = lambda now_ns, text: sent.append(text)
    with pytest.raises(RuntimeError, match="gives up"):
        run(w, 5)
    assert w.core.fatal is not None and "public/login was refused" in w.core.fatal
    assert not any(b"mass_quote" in text or b"insert" in text for text in sent)
