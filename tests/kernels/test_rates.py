"""The regression in C against its twin in NumPy, and the coverage of its intervals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.intensity import from_quotes
from kernels.rates import fit_distance, fit_rate

CENTRES = 0.5 * (np.arange(60) + 0.5)
Z_95 = 1.96
OK, NO_TIME, FEW_DISTANCES, FEW_EVENTS, NO_MAXIMUM = range(5)


def drawn(rng: np.random.Generator, intensity: float, kappa: float, seconds: float) -> tuple[np.ndarray, ...]:
    """(exposure, hits, sums over market orders) of ladders of three levels that wander, one bp apart."""
    exposure, hits, together = np.zeros(60), np.zeros(60), np.zeros(3)
    for first in rng.integers(2, 12, 24):
        cells = first + np.array([0, 2, 4])
        span = seconds / 24
        exposure[cells] += span
        # One market order reaches as deep as an exponential does: the levels it passes are hit together.
        depths = rng.exponential(1.0 / kappa, rng.poisson(intensity * span))
        for depth in depths:
            reached = cells[CENTRES[cells] <= depth]
            hits[reached] += 1
            n, s = len(reached), CENTRES[reached].sum()
            together += (n * n, n * s, s * s)
    return exposure, hits, together


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kappa=st.floats(0.05, 2.0), intensity=st.floats(0.01, 3.0))
def test_it_agrees_with_its_twin(seed: int, kappa: float, intensity: float) -> None:
    exposure, hits, together = drawn(np.random.default_rng(seed), intensity, kappa, 1800.0)
    ours = fit_rate(CENTRES, exposure, hits, together)
    matrix = np.array([[together[0], together[1]], [together[1], together[2]]])
    twin = from_quotes(CENTRES, exposure, hits, matrix)
    assert ours["events"] == twin.events
    if math.isnan(twin.kappa):
        assert ours["code"] in (FEW_EVENTS, NO_MAXIMUM)
        return
    assert ours["code"] == OK
    assert -ours["slope"] == pytest.approx(twin.kappa, rel=1e-6)
    assert math.exp(ours["log_rate"]) == pytest.approx(twin.intensity, rel=1e-6)
    assert Z_95 * math.sqrt(ours["variance_slope"]) == pytest.approx(twin.kappa_high - twin.kappa, rel=1e-4)


def test_the_intervals_hold_the_truth_and_drift_is_found_where_there_is_some() -> None:
    """1,000 sessions of 30 minutes, true A 0.8 and k 0.4; the halves of a session differ once in a hundred at 1 %."""
    rng = np.random.default_rng(5)
    held_k = held_a = alarms = found = 0
    for _ in range(1000):
        older, newer = (drawn(rng, 0.8, 0.4, 900.0) for _ in range(2))
        fit = fit_rate(CENTRES, *(a + b for a, b in zip(older, newer, strict=True)))
        held_k += abs(-fit["slope"] - 0.4) < Z_95 * math.sqrt(fit["variance_slope"])
        held_a += abs(fit["log_rate"] - math.log(0.8)) < Z_95 * math.sqrt(fit["variance_rate"])
        one, other = (fit_rate(CENTRES, *half, 15.0) for half in (older, newer))
        alarms += fit_distance(other, one) > 9.2103
        if _ < 200:
            found += fit_distance(fit_rate(CENTRES, *drawn(rng, 1.6, 0.4, 900.0), 15.0), one) > 9.2103
    assert 930 <= held_k <= 970
    assert 930 <= held_a <= 970
    assert alarms <= 25
    assert found >= 190


def test_poor_data_have_a_code_and_no_numbers() -> None:
    none = np.zeros(3)
    exposure, hits = np.zeros(60), np.zeros(60)
    assert fit_rate(CENTRES, exposure, hits, none)["code"] == NO_TIME
    exposure[:2] = 100.0
    assert fit_rate(CENTRES, exposure, hits, none)["code"] == FEW_DISTANCES
    exposure[:] = 100.0
    hits[5] = 29.0
    assert fit_rate(CENTRES, exposure, hits, none)["code"] == FEW_EVENTS
    hits[:] = 0.0
    hits[0] = 100.0
    fit = fit_rate(CENTRES, exposure, hits, none)
    assert (fit["code"], fit["slope"]) == (NO_MAXIMUM, 0.0)
    assert fit_distance(fit, fit) == -1.0
    with pytest.raises(ValueError, match="equal number"):
        fit_rate(CENTRES, exposure[:3], hits, none)
