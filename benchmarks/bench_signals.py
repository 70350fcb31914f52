"""All nine signals of a tick by the compiled kernels, in one compiled loop, against plain Python over whole lists."""

from random import Random

import numpy as np
import pytest

from benchmarks.conftest import Race
from kernels import signals
from kernels.kernel import Record, candles_record, flow_record, i8, kernel, market_record
from kernels.records import MARKET
from tests.kernels.flows import SECOND, play, play_flow
from tests.reference import flow as reference

N = 200
TRADES = 300
THRESHOLD_LOTS = 40


@kernel(i8(flow_record, candles_record, market_record, i8))
def repeat_signals(flow: Record, candles: Record, market: Record, n: int) -> int:
    """Fill the signals ``n`` times, each at a later time; the sum of the codes."""
    codes = 0
    begin_ns = market.now_ns
    for i in range(n):
        market.now_ns = begin_ns + i
        codes += signals.fill(flow, candles, market)
    market.now_ns = begin_ns
    return codes


def tape() -> tuple[list[reference.Trade], list[reference.Top]]:
    random, ticks = Random(5), 10_000
    trades, tops = [], []
    for i in range(TRADES):
        ticks += random.choice((-1, 0, 1))
        trades.append((random.choice((1, -1)), ticks, random.randint(1, 30), (i + 1) * SECOND))
        tops.append((ticks - 1, random.randint(1, 50), ticks + 1, random.randint(1, 50), (i + 1) * SECOND))
    return trades, tops


def test_signals(race: Race) -> None:
    trades, tops = tape()
    flow, candles = play_flow(trades, tops), play(trades, threshold_lots=THRESHOLD_LOTS)
    market = np.zeros(1, MARKET)[0]
    market["now_ns"], market["bid_lots"], market["ask_lots"] = trades[-1][3], tops[-1][1], tops[-1][3]
    rows, _ = reference.candles(trades, THRESHOLD_LOTS, 300 * SECOND)
    rows = rows[-100:]
    n = 2 if race.smoke else N
    assert repeat_signals(flow, candles, market, 1) == 0
    assert market["signals"][signals.MOMENTUM] == pytest.approx(reference.signals(rows)["momentum"], abs=1e-9)

    def theirs() -> None:
        reference.signals(rows)
        reference.pressure(trades, 60.0, 50.0)
        reference.order_imbalance(trades, 15.0, 10)

    race("signals.fill", lambda: repeat_signals(flow, candles, market, n), theirs, "plain Python", ops=n)
