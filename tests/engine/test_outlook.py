"""Public trades reach the signals: each once, in order, and what is wrong with them is counted."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np

from engine.core.opinion import CAUSES, NAMES, REASONS, REGIMES
from engine.sim.world import World
from kernels import forecast, regime, signals
from tests.engine.simulated import SECOND_NS, plan, run, world

NAME = "BTC-PERPETUAL"


def records(w: World) -> dict[str, Any]:
    return w.core.instruments[0].records()


def told(w: World, rows: list[tuple[float, float, str, float]], *, snapshot: bool = False) -> None:
    trades = [[price, size, side, t, NAME, False] for price, size, side, t in rows]
    message = {"channel_name": f"recent_trades.{NAME}.single", "notification": trades}
    text = json.dumps(message | ({"snapshot": True} if snapshot else {}))
    w.core.on_message(text.encode(), w.now_ns, True)


def test_every_public_trade_is_in_the_flow_and_the_candles() -> None:
    w = world(3)
    run(w, 60)
    r = records(w)
    flow, candles = r["flow"], r["candles"]
    assert flow["trades"] > 50
    kept = int((candles["buy_lots"] + candles["sell_lots"]).sum())
    opened = candles["open_buy_lots"] + candles["open_sell_lots"]
    assert candles["traded_lots"] == candles["evicted_lots"] + kept + opened
    assert r["forecast"]["samples"] > 80
    assert np.isfinite(r["market"]["signals"]).all()


def test_a_snapshot_tells_what_is_new_and_nothing_twice() -> None:
    w = world(3)
    run(w, 30)
    before = int(records(w)["flow"]["trades"])
    now_s = w.now_ns / SECOND_NS
    told(w, [(60_000, 1.0, "buy", now_s + 1), (60_001, 2.0, "sell", now_s + 2)])
    rows = [(60_002, 1.0, "buy", now_s + 3), (60_001, 2.0, "sell", now_s + 2), (60_000, 1.0, "buy", now_s + 1)]
    told(w, rows, snapshot=True)
    assert records(w)["flow"]["trades"] == before + 3
    assert w.core.instruments[0].outlook.repeated == 2
    told(w, [(60_000, 1.0, "buy", now_s - 1e6), *rows[:1]], snapshot=True)
    assert records(w)["flow"]["trades"] == before + 3


def test_history_beyond_the_look_back_is_left_out() -> None:
    p = plan()
    w = world(3, signals=replace(p.signals, lookback_ns=10 * SECOND_NS))
    run(w, 30)
    old = w.core.instruments[0].outlook.too_old
    now_s = w.now_ns / SECOND_NS
    told(w, [(60_000, 1.0, "buy", now_s + 100), (60_000, 1.0, "buy", now_s + 120)], snapshot=True)
    assert w.core.instruments[0].outlook.too_old == old + 1


def test_bad_trades_are_counted_and_change_nothing() -> None:
    w = world(3)
    run(w, 30)
    before, t = records(w)["flow"].copy(), w.now_ns / SECOND_NS
    told(w, [(60_000, 0.0, "buy", t)])
    told(w, [(60_000.5, 1.0, "buy", t)])
    after = records(w)["flow"]
    assert after["refused"] == before["refused"] + 1
    assert w.core.instruments[0].outlook.off_grid == 1
    assert after["trades"] == before["trades"]
    told(w, [(60_000, 1.0, "sell", t - 5)])
    assert records(w)["flow"]["late"] == before["late"] + 1


def test_own_fills_alone_feed_the_flow_when_the_venue_does_not() -> None:
    p = plan()
    w = world(3, signals=replace(p.signals, own_only=True))
    status = run(w, 120)
    assert records(w)["flow"]["trades"] == status["fills"] > 0
    position = records(w)["position"]
    candles = records(w)["candles"]
    buys = int(candles["buy_lots"].sum() + candles["open_buy_lots"])
    sells = int(candles["sell_lots"].sum() + candles["open_sell_lots"])
    # Our resting bids were sold into: the aggressor is the other side.
    assert candles["evicted_lots"] == 0
    assert (sells, buys) == (position["bought_lots"], position["sold_lots"])


def test_off_is_off() -> None:
    """Estimated and shown, and not a byte different."""
    p = plan()
    quiet = replace(p.signals, interval_ns=10**15, candle_ns=10**15)
    one = run(world(5, signals=quiet), 120)
    other = run(world(5), 120)
    assert one["pnl_usd"] == other["pnl_usd"]
    assert one["messages_sent"] == other["messages_sent"]


def test_on_moves_the_quotes() -> None:
    p = plan()
    credulous = replace(p.signals, enabled=True, z=0.1, min_samples=3.0)
    on = run(world(5, signals=credulous), 300)
    off = run(world(5), 300)
    assert on["pnl_usd"] != off["pnl_usd"]
    assert on["mode"] == "ACTIVE"


def test_on_without_a_weight_is_as_off() -> None:
    """What earns nothing changes nothing: a trade by itself is then no reason to decide again."""
    p = plan()
    doubting = replace(p.signals, enabled=True, min_samples=1e5)
    on, off = run(world(5, signals=doubting), 120), run(world(5), 120)
    assert (on["pnl_usd"], on["messages_sent"]) == (off["pnl_usd"], off["messages_sent"])


def test_order_imbalance_earns_a_weight_where_takers_know_the_price_and_none_where_they_do_not() -> None:
    """Its t over three markets together, 20 minutes each: signals are learnt while they are off."""
    t = {}
    for share in (0.0, 0.4):
        found = []
        for seed in range(1, 4):
            row = run(world(seed, informed=share), 1200)["instruments"][NAME]["signals"]["worth"]["order_imbalance"]
            found.append(plan().signals.z * row["ic"] / (0.5 * (row["high"] - row["low"])))
        t[share] = sum(found) / math.sqrt(len(found))
    assert abs(t[0.0]) < 3.0
    assert t[0.4] > 4.0


def test_the_status_tells_signals_parameters_and_regime() -> None:
    p = plan()
    line = run(world(5, signals=replace(p.signals, enabled=True)), 300)["instruments"][NAME]
    assert json.loads(json.dumps(line, allow_nan=False))
    for row in line["signals"]["worth"].values():
        assert -1.0 <= row["low"] <= row["ic"] <= row["high"] <= 1.0
        assert row["n"] > 15
        # A weight only where the interval does not hold zero, and the reason says which.
        assert (row["weight_bps"] == 0.0) or (not row["low"] <= 0.0 <= row["high"] and row["reason"].startswith("used"))
    assert line["effective"]["half_ask_usd"] > 0.0
    assert line["regime"]["now"] in REGIMES
    assert line["signals"]["candles"]["closed"] > 0


def test_every_code_of_the_kernels_has_its_words() -> None:
    assert REASONS[forecast.HOLDS_ZERO] == "the interval of its correlation holds zero"
    assert len(REASONS) == forecast.AGAINST_LIVE + 1
    assert (REGIMES[regime.BIDS_ONLY], REGIMES[regime.ASKS_ONLY]) == ("one-sided: bids", "one-sided: asks")
    assert len(REGIMES) == regime.PULLED + 1
    assert (CAUSES[regime.CALM], CAUSES[regime.EXPECTED_MOVE]) == ("calm again", "expected move")
    assert len(CAUSES) == regime.SWITCHED_OFF + 1
    assert (*signals.NAMES, "toxicity") == NAMES


def test_too_much_stress_pulls_everything_and_comes_back() -> None:
    p = plan()
    values = {"widen_at": 1.001, "pull_at": 1.002, "hold_ns": SECOND_NS, "calm": 1.0, "toxic_weight": 0.0}
    low = replace(p.signals, enabled=True, min_samples=3.0, **values)
    w = world(5, signals=low)
    status = run(w, 400)
    told = status["instruments"][NAME]["regime"]
    ways = {(row["from"], row["to"]) for row in told["last_changes"]}
    assert any(to == "pulled" for _, to in ways)
    assert any(start == "pulled" for start, _ in ways)
    assert status["mode"] == "ACTIVE"


def test_one_sided_quotes_leave_out_the_side_that_the_move_hurts() -> None:
    p = plan()
    w = world(
        5, signals=replace(p.signals, enabled=True, one_side_at=0.001, hold_ns=0, z=0.0, min_samples=5.0, cap_bps=0.0)
    )
    seen = set()
    for _ in range(60):
        run(w, 5)
        r = records(w)
        state, target, position = r["forecast"], r["target"], r["position"]
        if w.core.instruments[0].why == "quoting" and position["lots"] == 0:
            if state["regime"] == regime.BIDS_ONLY:
                assert target["ask_count"] == 0
            elif state["regime"] == regime.ASKS_ONLY:
                assert target["bid_count"] == 0
        seen.add(int(state["regime"]))
    assert {regime.BIDS_ONLY, regime.ASKS_ONLY} & seen


def test_another_grid_forgets_what_was_counted_on_the_old_one() -> None:
    w = world(3)
    run(w, 60)
    w.core.instruments[0].outlook.forget_grid()
    r = records(w)
    assert (r["flow"]["trades"], r["candles"]["count"], r["candles"]["traded_lots"]) == (0, 0, 0)
    assert (r["flow"]["window"], r["candles"]["threshold_lots"] > 0, r["forecast"]["samples"] > 0) == (50, True, True)
    run(w, 60)
    r = records(w)
    kept = int((r["candles"]["buy_lots"] + r["candles"]["sell_lots"])[: r["candles"]["count"]].sum())
    opened = r["candles"]["open_buy_lots"] + r["candles"]["open_sell_lots"]
    assert r["candles"]["traded_lots"] == r["candles"]["evicted_lots"] + kept + opened > 0
