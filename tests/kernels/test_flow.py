"""Order-flow imbalance: the published cases, additivity, the slow twin, mirror, scale and any input."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import flow
from tests.kernels.flows import SECOND, fresh_flow, mirrored_tops, play_flow, top_lists
from tests.reference import flow as reference


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((100, 8, 102, 5), 3),  # more at the bid
        ((101, 4, 102, 5), 4),  # a better bid: all of it is new
        ((99, 9, 102, 5), -5),  # the bid is gone: all of it went
        ((100, 5, 102, 9), -4),  # more at the ask
        ((100, 5, 101, 7), -7),  # a better ask
        ((100, 5, 103, 7), 5),  # the ask was lifted
    ],
)
def test_the_cases_of_the_paper(after: tuple[int, int, int, int], expected: int) -> None:
    assert flow.top_change(100, 5, 102, 5, *after) == expected


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50))
def test_changes_of_size_at_one_price_add_up(a: int, b: int, c: int) -> None:
    steps = flow.top_change(100, a, 102, 5, 100, b, 102, 5) + flow.top_change(100, b, 102, 5, 100, c, 102, 5)
    assert steps == flow.top_change(100, a, 102, 5, 100, c, 102, 5)


@settings(max_examples=60)
@given(top_lists, st.floats(0.5, 1e4), st.floats(1.5, 200.0))
def test_against_the_slow_twin_and_the_mirror(tops: list[reference.Top], decay: float, window: float) -> None:
    state = play_flow([], tops, decay_s=decay, window=window)
    now = tops[-1][4]
    found = flow.imbalance(state, now)
    pushes = reference.pushes(tops)
    values, times = [e for e, _ in pushes], [t for _, t in pushes]
    expected = reference.share_of(values, times, decay, window) if pushes else 0.0
    assert -1.0 <= found <= 1.0
    assert found == pytest.approx(expected, abs=1e-9)
    assert flow.imbalance(play_flow([], mirrored_tops(tops), decay_s=decay, window=window), now) == -found
    scaled = [(10 * b, 7 * bl, 10 * a, 7 * al, t) for b, bl, a, al, t in tops]
    assert flow.imbalance(play_flow([], scaled, decay_s=decay, window=window), now) == pytest.approx(found, abs=1e-9)


def test_no_opinion_before_the_warm_up_when_stale_and_across_a_gap() -> None:
    state = fresh_flow(min_events=2, stale_ns=SECOND)
    flow.top(state, 100, 5, 102, 5, 0)
    flow.top(state, 100, 6, 102, 5, 1)
    assert flow.imbalance(state, 1) == 0.0
    flow.top(state, 100, 7, 102, 5, 2)
    assert flow.imbalance(state, 2) == 1.0
    assert flow.imbalance(state, 3 + SECOND) == 0.0
    assert flow.top(state, 0, 0, 102, 5, 3) == flow.BAD_TOP
    before = (state["ofi_lots"], state["tops"])
    flow.top(state, 50, 5, 52, 5, 4)  # half the price, but nothing was seen in between
    assert (state["ofi_lots"], state["tops"]) == before


anything = st.integers(-(2**62), 2**62)


@settings(max_examples=60)
@given(st.lists(st.tuples(anything, anything, anything, anything, anything), max_size=20), st.floats(), st.floats())
def test_any_input_is_bounded(rows: list[tuple[int, int, int, int, int]], decay: float, window: float) -> None:
    state = fresh_flow(decay_s=decay, window=window)
    for row in rows:
        flow.top(state, *row)
    assert -1.0 <= flow.imbalance(state, 0) <= 1.0
    assert math.isfinite(state["ofi_lots"]) and math.isfinite(state["ofi_total_lots"])
