"""The core against the real exchange, in one simulated world."""

import hashlib
import math
from dataclasses import replace

import pytest

from engine.sim.world import Link, World
from feed.exchange.listing import default_instruments
from tests.engine.simulated import SECOND_NS, START_NS, plan, run, world


def account(w: World) -> str:
    (number,) = w.exchange.accounts
    return number


def believed(w: World) -> set[tuple[int, int, int]]:
    """Every order that may rest: an amend in flight is both its old and its new self."""
    orders = w.core.table.orders()
    old = {(o["side"], o["price_ticks"], o["lots"] - o["filled_lots"]) for o in orders}
    return old | {(o["side"], o["amend_ticks"], o["amend_lots"] - o["filled_lots"]) for o in orders if o["amend_lots"]}


def truth(w: World) -> set[tuple[int, int, int]]:
    return {(1 if o.buy else -1, o.price, o.remaining) for o in w.exchange.open_orders(account(w))}


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_it_quotes_trades_and_knows_what_it_has(mode: str) -> None:
    w = world(2, mode=mode)
    status = run(w, 120)
    assert status["session"] == "LIVE" and status["mode"] == "ACTIVE"
    assert status["fills"] > 3
    assert status["counters"]["venue_errors"] == status["counters"]["malformed"] == status["counters"]["resyncs"] == 0
    run(w, 1)
    assert believed(w) >= truth(w)
    assert status["position"]["BTC-PERPETUAL"] == pytest.approx(w.exchange.position(account(w), "BTC-PERPETUAL"))
    assert w.core.quoter.encoded == w.core.gate.passed


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_stop_leaves_nothing(mode: str) -> None:
    w = world(3, mode=mode)
    run(w, 20)
    assert truth(w)
    w.core.operator("stop", w.now_ns)
    w.flush()
    run(w, 1)
    assert w.core.stopped and w.core.orders_left == 0
    assert not truth(w) and w.core.table.used == 0


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_an_announced_close_is_quoted_on_until_the_core_is_told_to_move(mode: str) -> None:
    w = world(3, mode=mode)
    run(w, 20)
    w.exchange.announce_close(w.now_ns, 60 * SECOND_NS)
    run(w, 5)
    assert w.core.close_announced
    assert truth(w), "nothing is given up before there is another connection"
    sent: list[bytes] = []
    w.on_outbound = lambda now_ns, text: sent.append(text)
    w.operator("move")
    w.operator("move")
    assert [b"cancel_session" in sent[0], b"open_orders" in sent[1], len(sent)] == [True, True, 2]
    with pytest.raises(RuntimeError, match="the venue asked for a new connection"):
        run(w, 5)
    assert not truth(w)
    assert w.core.orders_left == 0
    assert len(sent) == 2, "nothing was quoted between the cancel and the end"
    w.cut("moved")
    w.on_outbound = None
    w.reconnect()
    run(w, 5)
    assert w.core.session.is_live
    w.core.operator("stop", w.now_ns)
    w.core.operator("move", w.now_ns)
    assert not w.core.moving, "a stop is not delayed by a move"


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_nothing_is_quoted_while_nobody_watches(mode: str) -> None:
    w = world(3, mode=mode)
    run(w, 20)
    assert truth(w)
    w.operator("unwatched")
    run(w, 1)
    assert not truth(w)
    w.cut("lost")
    w.reconnect()
    status = run(w, 10)
    assert (status["session"], status["mode"]) == ("LIVE", "ACTIVE")
    assert {line["why"] for line in status["instruments"].values()} == {"no supervisor"}
    assert not truth(w)
    w.operator("watched")
    run(w, 5)
    assert truth(w)


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_halt_is_latched_and_resume_quotes_again(mode: str) -> None:
    w = world(4, mode=mode)
    run(w, 20)
    w.core.operator("halt", w.now_ns)
    w.flush()
    status = run(w, 10)
    assert status["mode"] == "HALTED" and not truth(w)
    w.core.operator("resume", w.now_ns)
    status = run(w, 10)
    assert status["mode"] == "ACTIVE" and truth(w)
    with pytest.raises(ValueError, match="operator act"):
        w.core.operator("panic", w.now_ns)


def test_several_instruments_of_both_kinds() -> None:
    names = tuple(i.name for i in default_instruments(START_NS))
    assert len(names) == 4
    w = world(5, instruments=names)
    status = run(w, 60)
    assert all(
        line["why"] in ("quoting", "cool-down") and line["quotes"] > 100 for line in status["instruments"].values()
    )


def test_a_price_a_thousandth_of_bitcoin_is_quoted_with_the_same_settings() -> None:
    bitcoin = default_instruments(START_NS)[0]
    small = replace(bitcoin, name="XRP-PERPETUAL", underlying="XRPUSD", tick_e8=10_000, lot_e8=100_000_000, min_lots=1)
    w = world(6, listed=(small,), instruments=("XRP-PERPETUAL",))
    status = run(w, 60)
    line = status["instruments"]["XRP-PERPETUAL"]
    assert line["why"] == "quoting" and status["fills"] > 0
    spread_bps = (line["ask_usd"] - line["bid_usd"]) / line["fair_usd"] * 1e4
    assert 2 < spread_bps < 60


def digest(seed: int) -> str:
    hashed = hashlib.sha256()
    w = world(seed)
    w.on_outbound = lambda now_ns, text: hashed.update(b"%d " % now_ns + text) if b"login" not in text else None
    run(w, 30)
    return hashed.hexdigest()


def test_the_same_seed_sends_the_same_bytes() -> None:
    assert digest(7) == digest(7) != digest(8)


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_after_a_lost_connection_everything_is_doubted_then_reconciled(mode: str) -> None:
    w = world(9, mode=mode)
    run(w, 30)
    while not w.core.table.used:
        run(w, 1)
    w.cut("test")
    assert {o["state"] for o in w.core.table.orders()} <= {"unknown"}
    assert w.core.table.used > 0 and not w.core.wants_token
    w.reconnect()
    status = run(w, 20)
    assert status["session"] == "LIVE" and status["connections"] == 2
    assert truth(w) and believed(w) >= truth(w)
    assert status["position"]["BTC-PERPETUAL"] == pytest.approx(w.exchange.position(account(w), "BTC-PERPETUAL"))


def test_a_stop_while_disconnected_is_done_when_the_next_connection_has_shown_it() -> None:
    w = world(15)
    run(w, 20)
    w.cut("test")
    w.core.operator("stop", w.now_ns)
    assert not w.core.stopped and w.core.table.used > 0
    w.reconnect()
    run(w, 2)
    assert w.core.stopped and w.core.orders_left == 0 and not truth(w)


@pytest.mark.parametrize("latency_ms", [0.05, 5, 80])
def test_worst_case_holds_on_the_exchange_at_any_latency(latency_ms: float) -> None:
    told = plan()
    w = world(
        10,
        link=Link(int(latency_ms * 1e6), int(latency_ms * 1e6)),
        limits=replace(told.limits, max_position=0.12, max_position_usd=math.inf),
    )
    for _ in range(600):
        run(w, 0.1)
        if not w.exchange.accounts:
            continue
        position = w.exchange.position(account(w), "BTC-PERPETUAL")
        for side in (1, -1):
            resting = sum(o[2] for o in truth(w) if o[0] == side) / 1000
            assert side * position + resting <= 0.12 + 1e-9
    assert w.core.status()["fills"] > 0


def test_stale_data_pulls_the_quotes() -> None:
    w = world(11)
    run(w, 20)
    w.mute = True
    run(w, 4)
    assert not truth(w)
    why = w.core.status()["instruments"]["BTC-PERPETUAL"]["why"]
    assert why in ("stale data", "not ready", "orders of unknown fate")


def test_a_drawdown_beyond_the_limit_halts() -> None:
    told = plan()
    w = world(12, limits=replace(told.limits, max_drawdown_usd=0.5))
    status = run(w, 300)
    assert status["mode"] == "HALTED" and "drawdown" in status["halt_reason"]
    run(w, 1)
    assert not truth(w)


def test_a_malformed_message_gives_the_connection_up() -> None:
    w = world(13)
    run(w, 10)
    w.core.on_message(b'{"channel_name":"session.orders","notification":[{"order_id":NaN}]}', w.now_ns, True)
    assert w.core.malformed == 1 and w.core.wants_close == "malformed message"


def test_numbers_in_status_are_finite_before_anything_is_known() -> None:
    w = world(14)
    status = w.core.status()
    assert all(math.isfinite(v) for v in status["position"].values())
    w.run(w.now_ns + SECOND_NS // 1000)


def test_every_price_decided_on_reaches_the_volatility_estimator() -> None:
    """It is taken in once the requests are out, and counts from the next decision on."""
    w = world(2)
    run(w, 60)
    records = w.core.instruments[0].records()
    state, market = records["volatility"], records["market"]
    assert state["samples"] > 100
    assert market["sigma_usd"] == pytest.approx(state["sigma_rate"] * state["last_usd"])
    assert state["last_usd"] == pytest.approx(market["fair_usd"], rel=1e-3)
