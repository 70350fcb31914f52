"""Volume candles: exact conservation, splits, the timer, the ring, and the slow twin that counts lot by lot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import candles
from tests.kernels.flows import SECOND, fresh_candles, play, trade_lists
from tests.reference import flow as reference

COLUMNS = ("begin_ns", "end_ns", "open_ticks", "high_ticks", "low_ticks", "close_ticks", "buy_lots", "sell_lots")


def closed_rows(state: np.void) -> list[tuple[int, ...]]:
    """Oldest first."""
    slots = [candles.slot(state, age) for age in range(int(state["count"]) - 1, -1, -1)]
    return [tuple(int(state[name][at]) for name in COLUMNS) for at in slots]


def conserved(state: np.void) -> bool:
    kept = candles.kept_lots(state) + candles.open_lots(state)
    return bool(state["traded_lots"] == state["evicted_lots"] + kept)


@settings(max_examples=80)
@given(trade_lists, st.integers(1, 30), st.integers(1, 200), st.sampled_from([1, SECOND, 60 * SECOND, 10**15]))
def test_against_the_slow_twin(trades: list[reference.Trade], threshold: int, capacity: int, age: int) -> None:
    state = play(trades, threshold_lots=threshold, capacity=capacity, max_age_ns=age)
    closed, now = reference.candles(trades, threshold, age)
    kept = min(capacity, candles.CANDLES_MAX)
    assert state["closed"] == len(closed)
    assert closed_rows(state) == [candle.row() for candle in closed[-kept:]]
    assert candles.open_lots(state) == (now.buys + now.sells if now else 0)
    assert conserved(state)
    assert state["traded_lots"] == sum(row[2] for row in trades)


def test_mistake_14_what_is_said_of_the_ring_is_worked_out_from_the_ring() -> None:
    """After every trade, long after the ring has gone round: sums and extremes against NumPy over the rows kept."""
    rng = np.random.default_rng(4)
    state = fresh_candles(threshold_lots=7, capacity=9)
    for i in range(400):
        candles.trade(state, int(rng.choice([-1, 1])), int(rng.integers(90, 110)), int(rng.integers(1, 20)), i)
        rows = np.array(closed_rows(state)).reshape(-1, 8)
        assert candles.kept_lots(state) == rows[:, 6:].sum()
        assert len(rows) == min(int(state["closed"]), 9)
        if len(rows):
            slots = [candles.slot(state, age) for age in range(len(rows))]
            assert sorted(slots) == list(range(len(rows)))
            assert state["high_ticks"][slots].max() == rows[:, 3].max()
            assert state["low_ticks"][slots].min() == rows[:, 4].min()


def test_a_large_trade_is_split_and_conserved() -> None:
    state = play([(1, 100, 7, 0), (-1, 101, 25, 1)], threshold_lots=10)
    assert [row[-2:] for row in closed_rows(state)] == [(7, 3), (0, 10), (0, 10)]
    assert candles.open_lots(state) == 2
    assert conserved(state)


def test_a_trade_larger_than_the_ring_is_counted_at_once() -> None:
    state = fresh_candles(threshold_lots=1, capacity=4)
    candles.trade(state, 1, 100, 2**31, 0)
    assert (state["closed"], state["count"], state["evicted_lots"]) == (2**31, 4, 2**31 - 4)
    assert conserved(state)


def test_the_timer_closes_a_slow_candle_once() -> None:
    state = fresh_candles(max_age_ns=5 * SECOND)
    candles.trade(state, 1, 100, 3, SECOND)
    assert candles.close_due(state, 6 * SECOND - 1) == 0
    assert candles.close_due(state, 6 * SECOND) == 1
    assert candles.close_due(state, 600 * SECOND) == 0
    assert closed_rows(state) == [(SECOND, 6 * SECOND, 100, 100, 100, 100, 3, 0)]
    assert conserved(state)


def test_own_and_public_trades_together_are_counted_once_each_by_replay() -> None:
    """The same tape gives the same bytes: whoever removes duplicates needs nothing else."""
    tape = [(1, 100 + i, 3 + i, i) for i in range(50)]
    assert play(tape).tobytes() == play(tape).tobytes()


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(-2, 2),
            st.one_of(st.integers(1, 1000), st.integers(-(2**62), 2**62)),
            st.one_of(st.integers(-3, 100), st.integers(-(2**62), 2**62)),
            st.integers(-(2**61), 2**61),
        ),
        max_size=30,
    ),
    st.integers(-5, 50),
    st.integers(-5, 200),
)
def test_any_input_is_counted_and_conserved(rows: list[tuple[int, ...]], threshold: int, capacity: int) -> None:
    state = fresh_candles(threshold_lots=threshold, capacity=capacity)
    taken = sum(row[2] for row in rows if candles.trade(state, *row) == candles.TAKEN)
    assert taken == state["traded_lots"]
    assert conserved(state)
    assert 0 <= state["count"] <= candles.CANDLES_MAX


def test_late_trades_are_counted_in_the_open_candle() -> None:
    state = play([(1, 100, 3, 10 * SECOND)])
    assert candles.trade(state, -1, 99, 4, SECOND) == candles.TAKEN
    assert (state["late"], candles.open_lots(state), state["last_ns"]) == (1, 7, 10 * SECOND)


@pytest.mark.parametrize("bad", [(0, 100, 5), (1, 0, 5), (1, 100, 0), (-1, 100, -1), (3, 100, 5)])
def test_a_trade_without_meaning_is_refused(bad: tuple[int, int, int]) -> None:
    state = fresh_candles()
    assert candles.trade(state, *bad, 0) == candles.BAD_TRADE
    assert (state["traded_lots"], state["refused"]) == (0, 1)


def test_clear_keeps_the_settings() -> None:
    state = play([(1, 100, 25, 0)])
    candles.clear(state)
    assert state["threshold_lots"] == 10
    assert (state["traded_lots"], state["count"], candles.open_lots(state)) == (0, 0, 0)
    candles.trade(state, 1, 100, 25, 0)
    assert closed_rows(state) == closed_rows(play([(1, 100, 25, 0)]))
