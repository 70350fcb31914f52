"""Public trades that the stream leaves out are asked for again, and no candle misses or doubles any."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import load
from engine.plan_builder import core_plan
from engine.sim.world import World
from tests.engine.simulated import SECOND_NS, START_NS, plan, run, world
from tests.engine.test_config import flags
from tests.engine.test_step import truth

NAME = "BTC-PERPETUAL"
TRADES = f'{{"channel_name":"recent_trades.{NAME}'.encode()


def deaf_to(w: World, lost: Callable[[bytes], bool]) -> list[bytes]:
    """The core does not get what ``lost`` picks; that is returned."""
    missed: list[bytes] = []

    def reads(messages: list[bytes]) -> list[list[bytes]]:
        left = [text for text in messages if not (lost(text) and not missed.append(text))]
        return [left] if left else []

    w.reads = reads
    return missed


def streamed(text: bytes) -> bool:
    return text.startswith(TRADES) and b'"snapshot":true' not in text


def traded(w: World) -> int:
    """Lots on the exchange's own tape, up to what it has published."""
    return int(w.exchange.listings[NAME].tape.lots)


def told_lots(w: World) -> int:
    """Lots that were taken in; all of them are in a candle."""
    c = w.core.instruments[0].records()["candles"]
    kept = int((c["buy_lots"] + c["sell_lots"])[: c["count"]].sum())
    assert c["traded_lots"] == c["evicted_lots"] + kept + c["open_buy_lots"] + c["open_sell_lots"]
    return int(c["traded_lots"])


def caught_up(w: World) -> bool:
    """Whether everything that was ever traded has been taken in, once; what is on its way has a second."""
    for _ in range(50):
        if told_lots(w) == traded(w):
            return True
        run(w, 0.02)
    return False


def outlook(w: World) -> Any:
    return w.core.instruments[0].outlook


def tell(w: World, rows: list[tuple[float, float, str, float]], *, snapshot: bool = False) -> None:
    trades = [[price, size, side, t, NAME, False] for price, size, side, t in rows]
    message = {"channel_name": f"recent_trades.{NAME}.single", "notification": trades}
    w.core.on_message(json.dumps(message | ({"snapshot": True} if snapshot else {})).encode(), w.now_ns, True)


def often(seconds: float = 10, **more: Any) -> Any:
    return replace(plan().signals, fetch_ns=int(seconds * SECOND_NS), **more)


@pytest.mark.parametrize("mode", ["mass_quote", "orders"])
def test_a_silent_channel_costs_no_candle_its_volume(mode: str) -> None:
    """Half of all notifications are lost, whole seconds and single ones; what comes after them is not."""
    w = world(3, mode=mode, signals=often())
    dice = random.Random(1)
    missed = deaf_to(
        w, lambda text: streamed(text) and (20 < (w.now_ns - START_NS) / SECOND_NS < 35 or dice.random() < 0.5)
    )
    run(w, 95)
    deaf_to(w, lambda text: False)
    status = run(w, 20)
    assert len(missed) > 20
    assert outlook(w).missed >= len(missed) // 2
    assert outlook(w).late > 0
    assert outlook(w).repeated > 0
    assert caught_up(w)
    assert status["counters"]["trade_fetches"] == 11
    assert status["counters"]["trade_fetches_failed"] == 0
    assert status["session"] == "LIVE"
    assert truth(w)


def test_without_a_gap_nothing_is_taken_twice() -> None:
    w, once = world(4, signals=often(1)), world(4, signals=often(0))
    status, other = run(w, 60), run(once, 60)
    assert status["counters"]["trade_fetches"] == 59
    assert other["counters"]["trade_fetches"] == 0
    assert outlook(w).repeated > 1000
    # What is traded between leaving and joining comes with the snapshot, in order.
    assert outlook(w).late == 0
    assert told_lots(w) == told_lots(once)
    assert status["pnl_usd"] == other["pnl_usd"]


@pytest.mark.parametrize("how", ["refused", "left out", "silent"])
def test_a_venue_that_refuses_costs_signals_and_no_connection(how: str) -> None:
    w = world(5, signals=often())
    run(w, 9)
    answer = {
        "refused": b'"error":{"code":20,"message":"temporary failure"}}',
        "left out": b'"result":[]}',
    }.get(how)

    def reads(messages: list[bytes]) -> list[list[bytes]]:
        kept = []
        for text in messages:
            if b'"result":["recent_trades' in text[:60]:
                if answer is not None:
                    kept.append(text[: text.index(b'"result"')] + answer)
            elif not text.startswith(TRADES):
                kept.append(text)
        return [kept] if kept else []

    w.reads = reads
    status = run(w, 35)
    assert status["session"] == "LIVE"
    assert status["connections"] == 1
    assert status["counters"]["trade_fetches"] == 4
    assert status["counters"]["trade_fetches_failed"] == 4
    assert truth(w)
    w.reads = lambda messages: [messages]
    run(w, 10)
    assert caught_up(w)


@pytest.mark.parametrize("use", [False, True])
def test_only_the_venues_trades_are_asked_for_again(use: bool) -> None:
    told = core_plan(load(flags=flags(**{"trading_strategy.volume_candle.use_exchange_data": use})).config)
    w = world(6, signals=told.signals)
    assert run(w, 65)["counters"]["trade_fetches"] == int(use)


def test_the_interval_follows_the_configuration_while_running() -> None:
    w = world(6)
    run(w, 30)
    w.configure(plan(signals=often(5)))
    assert run(w, 11)["counters"]["trade_fetches"] == 2
    w.configure(plan(signals=often(0)))
    assert run(w, 65)["counters"]["trade_fetches"] == 2


def test_a_new_connection_tells_what_was_missed_between_the_two() -> None:
    w = world(7)
    run(w, 30)
    w.cut("lost")
    run(w, 40)
    w.reconnect()
    run(w, 10)
    assert outlook(w).missed > 0
    assert caught_up(w)


def test_trades_of_one_time_and_equal_trades_of_a_snapshot_are_all_taken() -> None:
    """One market order that sweeps three levels, two of them alike."""
    w = quiet()
    t = w.now_ns / SECOND_NS
    sweep = [(60_000, 1.0, "buy", t), (60_000, 1.0, "buy", t), (60_001, 2.0, "buy", t)]
    tell(w, sweep, snapshot=True)
    assert (told_lots(w), outlook(w).missed) == (4000, 0)
    tell(w, sweep, snapshot=True)
    assert (told_lots(w), outlook(w).repeated) == (4000, 3)


NEAR = st.lists(
    st.tuples(
        st.sampled_from([60_000.0, 60_001.0]),
        st.sampled_from([0.5, 1.0]),
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 12),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(rows=NEAR, data=st.data())
def test_any_stream_with_holes_and_any_snapshots_count_each_trade_once(rows: list[Any], data: st.DataObject) -> None:
    """Behind the first known trade, a snapshot of everything leaves nothing out and doubles nothing."""
    w = quiet()
    t = w.now_ns / SECOND_NS - 100
    trades = sorted(((price, size, side, t + at) for price, size, side, at in rows), key=lambda row: row[3])
    trades = [(60_000.0, 1.0, "buy", t), *trades]
    tell(w, trades[:1])
    done = 1
    while done < len(trades):
        n = data.draw(st.integers(1, len(trades) - done))
        for row in trades[done : done + n]:
            if data.draw(st.booleans()):
                tell(w, [row])
        done += n
        if data.draw(st.booleans()):
            shown = trades[:done]
            # What is told by the stream while the snapshot is on its way never comes: it is news of the next one.
            tell(w, shown[::-1] if data.draw(st.booleans()) else shown, snapshot=True)
    tell(w, trades, snapshot=True)
    assert told_lots(w) == round(sum(row[1] for row in trades) * 1000)
    before = outlook(w).repeated
    tell(w, trades, snapshot=True)
    assert outlook(w).repeated == before + len(trades)
    assert told_lots(w) == round(sum(row[1] for row in trades) * 1000)


def quiet(**changes: Any) -> World:
    """A core whose venue has told no trade yet."""
    w = world(8, **changes)
    deaf_to(w, lambda text: text.startswith(TRADES))
    run(w, 2)
    assert told_lots(w) == 0
    return w


def test_beyond_its_memory_a_snapshot_is_not_believed() -> None:
    """5,000 trades later nobody knows whether the first was told: it counts as told, and the newest is known."""
    w = quiet()
    t = w.now_ns / SECOND_NS - 5000
    for i in range(0, 5000, 500):
        tell(w, [(60_000, 0.001, "buy", t + j) for j in range(i, i + 500)])
    assert told_lots(w) == 5000
    tell(
        w,
        [(61_000, 0.001, "buy", t + 1.5), (60_000, 0.001, "buy", t + 4998), (61_000, 0.001, "sell", t + 4998)],
        snapshot=True,
    )
    assert (told_lots(w), outlook(w).late, outlook(w).repeated) == (5001, 1, 2)


@pytest.mark.parametrize("snapshot", [False, True])
def test_bad_trades_of_a_back_fill_are_counted_and_change_nothing(snapshot: bool) -> None:
    w = quiet()
    t = w.now_ns / SECOND_NS
    tell(w, [(60_000, 1.0, "buy", t - 50), (60_000, 1.0, "sell", t)])
    before = told_lots(w)
    for price, size in ((60_000, 0.0), (60_000.5, 1.0)):
        tell(w, [(price, size, "buy", t - 1)], snapshot=snapshot)
    trades = w.core.status()["instruments"][NAME]["signals"]["trades"]
    assert told_lots(w) == before
    assert (trades["refused"], trades["off_grid"], trades["books_refused"]) == (1, 1, 0)
    tell(w, [(60_000, 1.0, "buy", t - 4 * 3600)], snapshot=True)
    assert told_lots(w) == before
    assert run(w, 5)["mode"] == "ACTIVE"
