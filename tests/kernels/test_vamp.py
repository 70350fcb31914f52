"""Both meanings of VAMP: bounds, mirror, scale, the slow twin, warm-up and staleness, and any input at all."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import vamp
from tests.kernels.flows import SECOND, fresh_flow, mirrored, play_flow, trade_lists
from tests.reference import flow as reference

lots = st.integers(1, 10**9)


@given(st.integers(1, 10**6), st.integers(1, 1000), lots, lots)
def test_the_mid_lies_between_the_best_prices_and_leans_to_the_thin_side(bid: int, gap: int, q: int, p: int) -> None:
    ask = bid + gap
    found = vamp.vamp_mid(bid, q, ask, p)
    assert bid <= found <= ask
    assert found == pytest.approx((bid * p + ask * q) / (p + q))
    assert (found - (bid + ask) / 2) * (q - p) >= -1e-6
    assert vamp.vamp_mid(10 * bid, q, 10 * ask, p) == pytest.approx(10 * found)
    levels = [np.array([value], np.int64) for value in (bid, q, ask, p)]
    assert vamp.vamp_mid_levels(*levels) == pytest.approx(found)


def test_equal_sizes_give_the_mid_and_a_heavy_bid_the_ask() -> None:
    assert vamp.vamp_mid(99, 7, 101, 7) == 100.0
    assert vamp.vamp_mid(99, 10**12, 101, 1) == pytest.approx(101.0)


def test_levels_are_cross_multiplied() -> None:
    bid, bid_lots = np.array([99, 98], np.int64), np.array([5, 10], np.int64)
    ask, ask_lots = np.array([101, 102], np.int64), np.array([1, 2], np.int64)
    expected = (99 * 1 + 101 * 5 + 98 * 2 + 102 * 10) / 18
    assert vamp.vamp_mid_levels(bid, bid_lots, ask, ask_lots) == pytest.approx(expected)


@pytest.mark.parametrize("book", [(99, 0, 101, 5), (99, 5, 101, 0), (101, 5, 101, 5), (0, 5, 9, 5), (99, -1, 101, 5)])
def test_no_mid_without_a_book_of_two_sides(book: tuple[int, int, int, int]) -> None:
    assert vamp.vamp_mid(*book) == 0.0
    assert vamp.vamp_mid_levels(*(np.array([value], np.int64) for value in book)) == 0.0
    assert vamp.vamp_mid_levels(*(np.empty(0, np.int64) for _ in book)) == 0.0


@settings(max_examples=60)
@given(trade_lists, st.floats(0.5, 1e4), st.integers(1, 20), st.integers(1, 9))
def test_order_imbalance_against_the_slow_twin_its_mirror_and_any_scale(
    trades: list[reference.Trade], decay: float, least: int, scale: int
) -> None:
    state = play_flow(trades, order_decay_s=decay, min_events=least)
    now = trades[-1][3]
    found = vamp.order_imbalance(state, now)
    assert -1.0 <= found <= 1.0
    warm = len(trades) >= least
    assert found == pytest.approx(reference.order_imbalance(trades, decay, least) if warm else 0.0, abs=1e-9)
    other = play_flow(mirrored(trades), order_decay_s=decay, min_events=least)
    assert vamp.order_imbalance(other, now) == -found
    larger = [(side, ticks * scale, lots * scale, t) for side, ticks, lots, t in trades]
    assert vamp.order_imbalance(play_flow(larger, order_decay_s=decay, min_events=least), now) == found
    assert abs(vamp.order_imbalance(state, now + 10 * SECOND)) <= abs(found)


def test_a_market_order_counts_once_however_many_it_hits_and_silence_ends_the_opinion() -> None:
    one = [(1, 100, 5, 0), (1, 101, 9, 0), (1, 102, 70, 0)]
    state = play_flow([*one, (-1, 100, 1, SECOND), (1, 100, 1, SECOND), (1, 100, 1, SECOND)], order_decay_s=1e12)
    assert (state["buy_orders"], state["sell_orders"]) == pytest.approx((2.0, 1.0))
    state = play_flow(one, order_decay_s=5.0, stale_ns=60 * SECOND)
    assert vamp.order_imbalance(state, 0) == pytest.approx(math.tanh(1 / math.sqrt(2)))
    assert vamp.order_imbalance(state, 61 * SECOND) == 0.0
    assert vamp.order_imbalance(play_flow(one, min_events=4), 0) == 0.0


@settings(max_examples=60)
@given(trade_lists, st.floats(0.5, 1e4), st.floats(1.5, 200.0))
def test_pressure_against_the_slow_twin_and_its_mirror(
    trades: list[reference.Trade], decay: float, window: float
) -> None:
    state = play_flow(trades, decay_s=decay, window=window)
    now = trades[-1][3]
    found = vamp.pressure(state, now)
    assert -1.0 <= found <= 1.0
    assert found == pytest.approx(reference.pressure(trades, decay, window), abs=1e-9)
    assert vamp.fast_pressure(state, now) == pytest.approx(reference.pressure(trades, decay, 20.0), abs=1e-9)
    other = play_flow(mirrored(trades), decay_s=decay, window=window)
    assert vamp.pressure(other, now) == -found
    assert vamp.fast_pressure(other, now) == -vamp.fast_pressure(state, now)
    assert vamp.impact_ticks_per_lot(other, now) == pytest.approx(vamp.impact_ticks_per_lot(state, now), abs=1e-9)
    scaled = play_flow([(s, 10 * p, 10 * n, t) for s, p, n, t in trades], decay_s=decay, window=window)
    assert vamp.pressure(scaled, now) == pytest.approx(found, abs=1e-9)


def test_one_sided_flow_is_the_bound() -> None:
    state = play_flow([(1, 100, 5, i) for i in range(10)])
    assert vamp.pressure(state, 9) == vamp.fast_pressure(state, 9) == 1.0


def test_mistake_12_a_fill_of_our_bid_is_a_seller() -> None:
    """Our resting bid is hit: the aggressor sold, the pressure is down, whatever side we were on."""
    state = fresh_flow()
    own_side = 1
    vamp.trade(state, -own_side, 100, 5, 0)
    assert vamp.pressure(state, 0) == -1.0


def test_the_newest_trades_count_most() -> None:
    early = play_flow([(1, 100, 5, 0), (-1, 100, 5, 100 * SECOND)], decay_s=10.0)
    assert vamp.pressure(early, 100 * SECOND) < -0.99


def test_impact_recovers_a_linear_impact() -> None:
    rng = np.random.default_rng(3)
    state = fresh_flow(decay_s=math.inf, impact_window=400.0)
    price = 10_000
    for i in range(2000):
        signed = int(rng.choice([-1, 1]) * rng.integers(1, 20))
        price += 3 * signed
        vamp.trade(state, 1 if signed > 0 else -1, price, abs(signed), i)
    assert vamp.impact_ticks_per_lot(state, 2000) == pytest.approx(3.0)


def test_no_opinion_before_the_warm_up_and_when_stale() -> None:
    state = fresh_flow(min_events=3, stale_ns=SECOND)
    for i in range(2):
        vamp.trade(state, 1, 100, 5, i)
        assert vamp.pressure(state, i) == vamp.fast_pressure(state, i) == vamp.impact_ticks_per_lot(state, i) == 0.0
    vamp.trade(state, 1, 100, 5, 2)
    assert vamp.pressure(state, 2) == 1.0
    assert vamp.pressure(state, 2 + SECOND) == 1.0
    assert vamp.pressure(state, 3 + SECOND) == 0.0


anything = st.integers(-(2**62), 2**62)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(-2, 2), anything, anything, st.integers(-(2**61), 2**61)), max_size=20),
    st.floats(),
    st.floats(),
)
def test_any_input_is_counted_and_bounded(rows: list[tuple[int, int, int, int]], decay: float, window: float) -> None:
    state = fresh_flow(decay_s=decay, window=window, fast_window=window, impact_window=window)
    for row in rows:
        vamp.trade(state, *row)
    assert state["trades"] + state["refused"] == len(rows)
    for kernel in (vamp.pressure, vamp.fast_pressure):
        assert -1.0 <= kernel(state, 0) <= 1.0
    assert math.isfinite(vamp.impact_ticks_per_lot(state, 0))
    assert all(math.isfinite(state[name]) for name in ("signed_lots", "total_lots", "impact_cross", "impact_square"))


@pytest.mark.parametrize("bad", [(0, 100, 5), (2, 100, 5), (1, 0, 5), (1, -3, 5), (1, 100, 0), (-1, 100, -4)])
def test_a_trade_without_meaning_changes_nothing_but_its_count(bad: tuple[int, int, int]) -> None:
    state = play_flow([(1, 100, 5, 0), (-1, 101, 2, 1)])
    before = {name: state[name] for name in state.dtype.names}
    assert vamp.trade(state, *bad, 2) == vamp.BAD_TRADE
    assert {name for name in before if state[name] != before[name]} == {"refused"}


def test_a_late_trade_counts_at_the_last_time() -> None:
    state = play_flow([(1, 100, 5, 10 * SECOND)])
    vamp.trade(state, -1, 100, 5, SECOND)
    assert (state["late"], state["trade_ns"]) == (1, 10 * SECOND)
    assert vamp.pressure(state, 10 * SECOND) < 0.0
