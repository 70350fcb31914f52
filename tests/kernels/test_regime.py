"""The regimes: the table holds, strict at once and mild after a calm, and every change is told."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import regime
from kernels.records import MARKET
from tests.kernels.flows import SECOND
from tests.kernels.test_forecast import fresh

LIMITS = {"widen_at": 2.0, "pull_at": 5.0, "widen_by": 1.5, "one_side_at": 2.0, "calm": 0.7, "hold_ns": 10 * SECOND}


def at(state: object, *, vol: float = 1.0, toxic: float = 1.0, lean: float = 0.0, seconds: int = 0) -> int:
    state["vol_stress"], state["toxic_stress"], state["lean_halves"] = vol, toxic, lean  # type: ignore[index]
    regime.step(state, seconds * SECOND)
    return int(state["regime"])  # type: ignore[index]


@pytest.mark.parametrize(
    ("measures", "expected", "reason"),
    [
        ({"vol": 2.0}, regime.WIDENED, regime.VOLATILITY),
        ({"toxic": 2.5}, regime.WIDENED, regime.TOXICITY),
        ({"vol": 5.0}, regime.PULLED, regime.VOLATILITY),
        ({"lean": 2.0}, regime.BIDS_ONLY, regime.EXPECTED_MOVE),
        ({"lean": -2.0}, regime.ASKS_ONLY, regime.EXPECTED_MOVE),
        ({"vol": 2.5, "lean": -3.0}, regime.ASKS_ONLY, regime.EXPECTED_MOVE),
        ({"vol": 9.0, "lean": -3.0}, regime.PULLED, regime.VOLATILITY),
    ],
)
def test_each_row_of_the_table(measures: dict[str, float], expected: int, reason: int) -> None:
    state = fresh(**LIMITS)
    assert at(state, seconds=1) == regime.NORMAL
    assert at(state, **measures, seconds=2) == expected  # type: ignore[arg-type]
    assert (state["changes"], state["change_to"][0], state["change_reason"][0]) == (1, expected, reason)
    assert state["change_ns"][0] == 2 * SECOND


def test_a_milder_regime_needs_a_calm_that_lasts() -> None:
    state = fresh(**LIMITS)
    assert at(state, vol=6.0, seconds=1) == regime.PULLED
    assert at(state, vol=3.6, seconds=2) == regime.PULLED  # between calm * limit and the limit: no calm
    assert at(state, vol=3.0, seconds=30) == regime.PULLED
    assert at(state, vol=4.0, seconds=35) == regime.PULLED  # interrupted: it begins anew
    assert at(state, vol=3.0, seconds=36) == regime.PULLED
    assert at(state, vol=3.0, seconds=45) == regime.PULLED
    assert at(state, vol=3.0, seconds=46) == regime.WIDENED
    assert at(state, vol=1.0, seconds=47) == regime.WIDENED
    assert at(state, vol=1.0, seconds=57) == regime.NORMAL
    assert [int(to) for to in state["change_to"][:3]] == [regime.PULLED, regime.WIDENED, regime.NORMAL]


def test_a_move_that_turns_changes_the_side_at_once() -> None:
    state = fresh(**LIMITS)
    assert at(state, lean=3.0, seconds=1) == regime.BIDS_ONLY
    assert at(state, lean=-3.0, seconds=2) == regime.ASKS_ONLY


def stress_after(sigmas: list[float]) -> float:
    """Stress by volatility at the last of these sigmas, a sample each."""
    state, market = fresh(span=1e4), np.zeros(1, MARKET)[0]
    for n, sigma in enumerate(sigmas, 1):
        state["samples"], market["sigma_usd"] = n, sigma
        regime.measure(state, market, 1)
    return float(state["vol_stress"])


def test_a_market_with_wild_hours_is_not_stressed_by_one_more() -> None:
    """What has been seen is in the spread, the skew and the sizes; what never was is stress, the rarer the more."""
    hours = ([1.0] * 300 + [5.0] * 100) * 4
    assert stress_after([*hours, 5.0]) < 1.0
    assert stress_after([*hours, 30.0]) > 2.5
    assert stress_after([1.0] * 1600 + [5.0]) > 2.5


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=200))
def test_stress_by_volatility_knows_no_currency(sigmas: list[float]) -> None:
    here = stress_after(sigmas)
    assert 0.0 < here < math.inf
    assert stress_after([7.0 * sigma for sigma in sigmas]) == pytest.approx(here, rel=1e-6)


def test_switching_the_signals_off_ends_every_regime() -> None:
    state = fresh(**LIMITS)
    at(state, vol=9.0, seconds=1)
    state["enabled"] = 0
    assert at(state, vol=9.0, seconds=2) == regime.NORMAL
    assert state["change_reason"][1] == regime.SWITCHED_OFF


@given(st.lists(st.tuples(st.floats(1, 10), st.floats(1, 10), st.floats(-5, 5)), max_size=60))
def test_a_mirrored_market_mirrors_the_sides(rows: list[tuple[float, float, float]]) -> None:
    mirror = {regime.BIDS_ONLY: regime.ASKS_ONLY, regime.ASKS_ONLY: regime.BIDS_ONLY}
    one, other = fresh(**LIMITS), fresh(**LIMITS)
    for second, (vol, toxic, lean) in enumerate(rows, 1):
        found = at(one, vol=vol, toxic=toxic, lean=lean, seconds=second)
        assert at(other, vol=vol, toxic=toxic, lean=-lean, seconds=second) == mirror.get(found, found)
        # Never milder than what the measures ask for.
        assert found >= regime.wanted(one) or {found, int(regime.wanted(one))} == set(mirror)
