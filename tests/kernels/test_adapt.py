"""Parameters from signals: bounded, reciprocal, recomputed from the base; shifts capped and mirror-symmetric."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import adapt

unit = st.floats(-1.0, 1.0)
anything = st.floats()


def test_mistake_2_the_same_signal_a_thousand_times_gives_the_same_parameter() -> None:
    base = 0.1
    once = adapt.effective(base, 0.5, 0.4, 2.0)
    seen = {adapt.effective(base, 0.5, 0.4, 2.0) for _ in range(1000)}
    assert seen == {once}
    assert once == pytest.approx(base * math.exp(0.2))
    assert adapt.effective(base, 0.0, 0.4, 2.0) == base


@given(unit, st.floats(0.0, 1e6), st.floats(1.0, 100.0))
def test_factors_are_bounded_and_reciprocal(signal: float, strength: float, most: float) -> None:
    found = adapt.factor(signal, strength, most)
    assert 1.0 / most * (1 - 1e-12) <= found <= most * (1 + 1e-12)
    assert found * adapt.factor(-signal, strength, most) == pytest.approx(1.0)
    assert adapt.effective(10.0, signal, strength, most) == pytest.approx(10.0 * found)


@given(anything, anything, anything)
def test_any_factor_is_a_positive_number(signal: float, strength: float, most: float) -> None:
    found = adapt.factor(signal, strength, most)
    assert 0.0 < found < math.inf


@given(st.lists(st.tuples(anything, anything), max_size=8), anything)
def test_any_shift_is_within_the_cap_and_mirrors(rows: list[tuple[float, float]], cap: float) -> None:
    signals = np.array([row[0] for row in rows])
    betas = np.array([row[1] for row in rows])
    found = adapt.shift_ticks(signals, betas, cap)
    assert found == 0.0 or abs(found) <= cap
    if not np.isnan(signals).any():
        assert adapt.shift_ticks(-signals, betas, cap) == -found


def test_shift_is_the_capped_sum() -> None:
    signals, betas = np.array([0.5, -1.0, 1.0]), np.array([4.0, 1.0, 0.0])
    assert adapt.shift_ticks(signals, betas, 5.0) == pytest.approx(1.0)
    assert adapt.shift_ticks(signals, betas, 0.25) == 0.25
    assert adapt.shift_ticks(signals, 0.0 * betas, 5.0) == 0.0
