"""Public trades reach the signals: each once, in order, and what is wrong with them is counted."""

import json
from dataclasses import replace
from typing import Any

import numpy as np

from engine.sim.world import World
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
    on = run(world(5, signals=replace(p.signals, enabled=True)), 300)
    off = run(world(5), 300)
    assert on["pnl_usd"] != off["pnl_usd"]
    assert on["mode"] == "ACTIVE"
