"""States and random tapes for the tests of the signals."""

import numpy as np
from hypothesis import strategies as st

from kernels import candles, flow, vamp
from kernels.records import CANDLES, FLOW
from tests.reference.flow import Top, Trade

SECOND = 1_000_000_000
MIRROR = 20_000  # prices p become MIRROR - p


def fresh_flow(**values: float) -> np.void:
    state = np.zeros(1, FLOW)[0]
    defaults = {"decay_s": 60.0, "order_decay_s": 15.0, "window": 50.0, "fast_window": 20.0, "impact_window": 30.0}
    for name, value in {**defaults, "min_events": 1, "stale_ns": 10**15, **values}.items():
        state[name] = value
    return state


def fresh_candles(**values: int) -> np.void:
    state = np.zeros(1, CANDLES)[0]
    defaults = {"threshold_lots": 10, "max_age_ns": 300 * SECOND, "capacity": 100, "min_candles": 4}
    for name, value in {**defaults, "stale_ns": 10**15, **values}.items():
        state[name] = value
    return state


def spread_out(gaps: list[int]) -> list[int]:
    return np.cumsum(gaps).tolist() if gaps else []


trade_lists = st.lists(
    st.tuples(st.sampled_from([1, -1]), st.integers(9_900, 10_100), st.integers(1, 35), st.integers(0, 90 * SECOND)),
    min_size=1,
    max_size=60,
).map(lambda rows: [(s, p, n, t) for (s, p, n, _), t in zip(rows, spread_out([r[3] for r in rows]), strict=True)])

top_lists = st.lists(
    st.tuples(
        st.integers(9_900, 10_000), st.integers(1, 50), st.integers(1, 50), st.integers(1, 50), st.integers(0, SECOND)
    ),
    min_size=2,
    max_size=50,
).map(
    lambda rows: [
        (b, bl, b + gap, al, t) for (b, bl, gap, al, _), t in zip(rows, spread_out([r[4] for r in rows]), strict=True)
    ]
)


def mirrored(trades: list[Trade]) -> list[Trade]:
    return [(-side, MIRROR - ticks, lots, t) for side, ticks, lots, t in trades]


def mirrored_tops(tops: list[Top]) -> list[Top]:
    return [(MIRROR - a, al, MIRROR - b, bl, t) for b, bl, a, al, t in tops]


def play(trades: list[Trade], **values: int) -> np.void:
    state = fresh_candles(**values)
    for row in trades:
        assert candles.trade(state, *row) == candles.TAKEN
    return state


def play_flow(trades: list[Trade], tops: list[Top] = (), **values: float) -> np.void:  # type: ignore[assignment]
    state = fresh_flow(**values)
    for row in trades:
        assert vamp.trade(state, *row) == vamp.TAKEN
    for top in tops:
        assert flow.top(state, *top) == flow.TAKEN
    return state
