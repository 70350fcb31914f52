"""Trades and books as they should not be, told to the whole core with signals on: defined results, counted, never NaN,
never a quote on them. For candles, signals and back-fill alike.
"""

import json
import math
import random
from dataclasses import replace
from typing import Any

import pytest

from engine.sim.world import World
from feed.exchange.crowd import Takers
from tests.engine.simulated import SECOND_NS, plan, run, world
from tests.engine.test_backfill import NAME, caught_up, outlook, quiet, tell, told_lots
from tests.engine.test_step import truth


def acting() -> Any:
    """Signals that act as soon as they may, on the least proof."""
    return replace(plan().signals, enabled=True, z=0.1, min_samples=3.0)


def sane(w: World) -> dict[str, Any]:
    """Every number is one, every signal within its bounds, the candles hold what was told; returns the signals."""
    records = w.core.instruments[0].records()
    for name in ("flow", "candles", "forecast"):
        for member in records[name].dtype.names:
            if member not in ("given_bps", "cap_ticks", "decay_s", "order_decay_s"):
                assert all(math.isfinite(x) for x in records[name][member].ravel().tolist()), (name, member)
    assert all(-1.0 <= x <= 1.0 for x in records["market"]["signals"].tolist())
    assert 0.0 <= records["forecast"]["toxicity"] <= 1.0
    told_lots(w)
    line = w.core.status()["instruments"][NAME]
    for part in ("signals", "effective", "regime", "calibration", "markouts"):
        assert json.dumps(line[part], allow_nan=False)
    return dict(line["signals"])


def test_trades_out_of_order_count_once_each_at_the_time_they_come() -> None:
    w = quiet(signals=acting())
    dice, t = random.Random(1), w.now_ns / SECOND_NS
    rows = [(60_000 + dice.randrange(9), 0.1, dice.choice(["buy", "sell"]), t + i / 10) for i in range(200)]
    mixed = rows[:]
    dice.shuffle(mixed)
    for i in range(0, 200, 5):
        tell(w, mixed[i : i + 5])
        run(w, 0.5)
        signals = sane(w)
    assert told_lots(w) == 20_000
    assert signals["trades"]["late"] > 50
    tell(w, mixed, snapshot=True)
    assert (told_lots(w), outlook(w).repeated) == (20_000, 200)


def test_duplicates_are_known_in_a_snapshot_and_are_trades_in_the_stream() -> None:
    """The venue gives public trades no id: of two equal ones in the stream both may have happened."""
    w = quiet(signals=acting())
    t = w.now_ns / SECOND_NS
    row = (60_000, 1.0, "buy", t)
    tell(w, [row, row])
    assert told_lots(w) == 2000
    tell(w, [row, row, row], snapshot=True)
    assert (told_lots(w), outlook(w).repeated, outlook(w).late) == (3000, 2, 1)
    sane(w)


def test_a_size_of_zero_is_refused_and_a_negative_one_ends_the_connection() -> None:
    w = quiet(signals=acting())
    t = w.now_ns / SECOND_NS
    for snapshot in (False, True):
        tell(w, [(60_000, 0.0, "sell", t), (60_000, 0.5, "buy", t + 1)], snapshot=snapshot)
    assert (told_lots(w), sane(w)["trades"]["refused"]) == (500, 1)
    tell(w, [(60_000, -0.5, "sell", t + 2)])
    assert w.core.wants_close == "malformed message"
    assert (told_lots(w), w.core.malformed) == (500, 1)
    assert json.dumps(w.core.status()["counters"])


def test_a_gap_of_hours_is_filled_as_far_as_the_look_back_and_learnt_nothing_across() -> None:
    w = world(3, signals=acting())
    run(w, 120)
    before, lots = sane(w), told_lots(w)
    w.mute = True
    sent = run(w, 60)["quotes_sent"]
    # What the signals said last is not acted upon: nothing is.
    assert run(w, 2 * 3600)["quotes_sent"] == sent
    sane(w)
    assert w.core.instruments[0].records()["candles"]["open_buy_lots"] == 0
    w.mute = False
    w.cut("after hours")
    w.reconnect()
    run(w, 30)
    after = sane(w)
    assert w.core.status()["session"] == "LIVE"
    assert truth(w)
    # Of the two hours the venue shows the last trades, and of those what is within the look-back.
    assert after["trades"]["back_filled"] > 0
    assert told_lots(w) > lots
    assert after["samples"]["gaps"] > before["samples"]["gaps"]
    tell(w, [(60_000, 1.0, "buy", w.now_ns / SECOND_NS - 2 * 3600)], snapshot=True)
    assert sane(w)["trades"]["too_old"] > after["trades"]["too_old"]


@pytest.mark.parametrize("buy", [False, True])
def test_flow_of_one_side_only_is_at_the_bound_and_no_further(monkeypatch: pytest.MonkeyPatch, buy: bool) -> None:
    before = Takers.draw
    monkeypatch.setattr(Takers, "draw", lambda self, coming: replace(before(self, coming), buy=buy))
    w = world(5, signals=acting())
    for _ in range(10):
        run(w, 20)
        worth = sane(w)["worth"]
    assert (worth["order_imbalance"]["value"] > 0.0) == buy
    assert abs(worth["vamp_pressure"]["value"]) > 0.5
    assert caught_up(w)
    assert w.core.mode in ("ACTIVE", "REDUCING", "HALTED")


@pytest.mark.parametrize("side", ["bids", "asks"])
def test_a_book_without_a_side_is_neither_quoted_on_nor_learnt_from(side: str) -> None:
    w = world(6, signals=acting())
    run(w, 60)
    assert truth(w)
    book = f'{{"channel_name":"book.{NAME}'.encode()

    def reads(messages: list[bytes]) -> list[list[bytes]]:
        """From here on the book is one level on one side."""
        left = [text for text in messages if not text.startswith(book)]
        t = w.now_ns / SECOND_NS
        level = [[59_900, 5, 5]] if side == "asks" else [[60_100, 5, 5]]
        content: dict[str, Any] = {"bids": [], "asks": [], "trades": [], "time": t}
        content["bids" if side == "asks" else "asks"] = level
        row = {"channel_name": f"book.{NAME}.none.all.raw", "notification": content, "snapshot": True}
        return [[*left, json.dumps(row).encode()]]

    before = sane(w)["samples"]["taken"]
    w.reads = reads
    for _ in range(10):
        run(w, 2)
        sane(w)
        assert not truth(w)
    assert w.core.instruments[0].why == "one-sided book"
    assert sane(w)["samples"]["taken"] <= before + 1
    assert outlook(w).off_grid == 0
