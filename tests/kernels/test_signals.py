"""The predictions: slow twin, mirror, scale, bounds, warm-up, staleness, and the signs that were once wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import signals
from kernels.records import MARKET
from tests.kernels.flows import (
    SECOND,
    fresh_candles,
    fresh_flow,
    mirrored,
    mirrored_tops,
    play,
    play_flow,
    top_lists,
    trade_lists,
)
from tests.reference import flow as reference

KERNELS = {name: getattr(signals, name) for name in ("momentum", "reversal", "exhaustion", "volatility", "toxicity")}
DIRECTED = ("momentum", "reversal", "exhaustion")


def filled(trades: list[reference.Trade], tops: list[reference.Top], now: int) -> np.ndarray:
    market = np.zeros(1, MARKET)[0]
    market["now_ns"] = now
    market["bid_lots"], market["ask_lots"] = tops[-1][1], tops[-1][3]
    state = play_flow(trades, tops)
    assert signals.fill(state, play(trades, threshold_lots=5), market) == 0
    return np.array(market["signals"])


@settings(max_examples=80)
@given(trade_lists, st.integers(1, 20), st.integers(4, 128))
def test_against_the_slow_twin(trades: list[reference.Trade], threshold: int, capacity: int) -> None:
    state = play(trades, threshold_lots=threshold, capacity=capacity)
    closed, _ = reference.candles(trades, threshold, 300 * SECOND)
    rows = closed[-capacity:]
    expected = reference.signals(rows) if len(rows) >= 4 else dict.fromkeys(KERNELS, 0.0)
    for name, kernel in KERNELS.items():
        found = kernel(state, trades[-1][3])
        assert found == pytest.approx(expected[name], abs=1e-9), name
        assert -1.0 <= found <= 1.0


@settings(max_examples=80)
@given(trade_lists, top_lists)
def test_a_mirrored_market_mirrors_every_direction(trades: list[reference.Trade], tops: list[reference.Top]) -> None:
    now = max(trades[-1][3], tops[-1][4])
    found = filled(trades, tops, now)
    other = filled(mirrored(trades), mirrored_tops(tops), now)
    assert np.all(np.abs(found) <= 1.0)
    np.testing.assert_allclose(other[: signals.DIRECTIONS], -found[: signals.DIRECTIONS], atol=1e-12)
    assert other[signals.VOLATILITY] == found[signals.VOLATILITY]


@settings(max_examples=40)
@given(trade_lists, top_lists)
def test_prices_times_ten_change_nothing(trades: list[reference.Trade], tops: list[reference.Top]) -> None:
    now = max(trades[-1][3], tops[-1][4])
    dearer = [(s, 10 * p, n, t) for s, p, n, t in trades]
    dearer_tops = [(10 * b, bl, 10 * a, al, t) for b, bl, a, al, t in tops]
    np.testing.assert_allclose(filled(dearer, dearer_tops, now), filled(trades, tops, now), atol=1e-9)


def falling(count: int = 40, step: int = 2) -> list[reference.Trade]:
    """Falling price, selling flow, one candle a trade."""
    return [(-1, 10_000 - step * i, 10, i * SECOND) for i in range(count)]


def test_mistake_1_falling_price_with_selling_flow_is_negative_momentum() -> None:
    state = play(falling())
    assert signals.momentum(state, 40 * SECOND) < -0.5
    assert signals.reversal(state, 40 * SECOND) == 0.0
    assert signals.momentum(play(mirrored(falling())), 40 * SECOND) > 0.5


def test_reversal_is_against_the_move_when_flow_turns() -> None:
    turning = [(1 if i >= 25 else -1, 10_000 - 2 * i, 10, i * SECOND) for i in range(40)]
    assert signals.reversal(play(turning), 40 * SECOND) > 0.3
    assert signals.momentum(play(turning[15:]), 40 * SECOND) == 0.0


def test_mistake_3_exhaustion_has_the_sign_against_the_move() -> None:
    slowing = [(-1, 10_000 - (4 * i if i < 20 else 80), 10, i * SECOND) for i in range(40)]
    down = signals.exhaustion(play(slowing), 40 * SECOND)
    assert down > 0.5
    assert signals.exhaustion(play(mirrored(slowing)), 40 * SECOND) == -down
    assert signals.exhaustion(play(falling()), 40 * SECOND) == pytest.approx(0.0, abs=0.06)


def test_volatility_rises_with_larger_and_with_faster_moves() -> None:
    zigzag = [(1, 10_000 + (5 if i % 2 else -5) * (1 if i < 20 else 4), 10, i * SECOND) for i in range(40)]
    assert signals.volatility(play(zigzag), 40 * SECOND) > 0.5
    hurried = [
        (1, 10_000 + (5 if i % 2 else -5), 10, int(i * SECOND if i < 20 else (18 + i / 10) * SECOND)) for i in range(40)
    ]
    assert signals.volatility(play(hurried), 40 * SECOND) > 0.5
    calm = [(1, 10_000 + (5 if i % 2 else -5), 10, i * SECOND) for i in range(41)]
    assert signals.volatility(play(calm), 40 * SECOND) == pytest.approx(0.0, abs=0.02)


def test_no_opinion_before_the_warm_up_and_when_stale() -> None:
    state = play(falling(9), min_candles=10, stale_ns=SECOND)
    now = 8 * SECOND
    assert all(kernel(state, now) == 0.0 for kernel in KERNELS.values())
    state = play(falling(10), min_candles=10, stale_ns=SECOND)
    now = 9 * SECOND
    assert signals.momentum(state, now) < 0.0
    assert signals.toxicity(state, now) == 1.0
    assert all(kernel(state, now + 2 * SECOND) == 0.0 for kernel in KERNELS.values())
    empty = np.zeros(1, MARKET)[0]
    signals.fill(fresh_flow(), fresh_candles(), empty)
    assert not np.any(empty["signals"])


def test_every_signal_has_a_name() -> None:
    assert len(signals.NAMES) == MARKET["signals"].shape[0] == 9
    assert signals.NAMES[signals.MOMENTUM] == "momentum"
    assert signals.NAMES[signals.VOLATILITY] == "volatility"
