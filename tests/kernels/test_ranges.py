"""Range estimators: published formulas, known sigma, drift, and the bias that few ticks a bar bring."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import ranges
from tests.reference import ranges as reference

NAMES = ("parkinson", "garman_klass", "rogers_satchell", "yang_zhang")
SIGMA = 0.01  # per bar


def bars(count: int, ticks: int, seed: int, drift: float = 0.0, gap: float = 0.0) -> reference.Bars:
    """Bars of ``ticks`` steps each; ``drift`` and ``gap`` are relative per bar."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(drift / ticks, SIGMA / math.sqrt(ticks), (count, ticks))
    start = np.concatenate(([0.0], np.cumsum(steps.sum(axis=1) + gap * rng.normal(size=count))[:-1]))
    paths = np.concatenate((np.zeros((count, 1)), np.cumsum(steps, axis=1)), axis=1) + start[:, None]
    prices = 100.0 * np.exp(paths)
    columns = prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1]
    return tuple(np.ascontiguousarray(column) for column in columns)  # type: ignore[return-value]


@pytest.mark.parametrize("name", NAMES)
def test_the_published_formula(name: str) -> None:
    sample = bars(60, 20, 1, drift=0.002, gap=0.003)
    assert getattr(ranges, name)(*sample) == pytest.approx(getattr(reference, name)(*sample), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_known_sigma_is_recovered_with_many_ticks_a_bar(name: str) -> None:
    found = getattr(ranges, name)(*bars(1500, 4000, 2))
    assert found == pytest.approx(SIGMA**2, rel=0.08)
    assert ranges.close_to_close(bars(1500, 10, 2)[3]) == pytest.approx(SIGMA**2, rel=0.1)
    assert ranges.rate(found, 60.0) == pytest.approx(SIGMA / math.sqrt(60.0), rel=0.04)


def test_few_ticks_a_bar_bias_every_range_estimator_down_but_not_the_closes() -> None:
    few = bars(4000, 10, 3)
    for name in ("parkinson", "garman_klass", "rogers_satchell"):
        assert getattr(ranges, name)(*few) < 0.85 * SIGMA**2
    assert ranges.close_to_close(few[3]) == pytest.approx(SIGMA**2, rel=0.07)


def test_drift_misleads_some_and_not_others() -> None:
    drifting = bars(1500, 2000, 4, drift=2 * SIGMA)
    assert ranges.parkinson(*drifting) > 1.5 * SIGMA**2
    assert ranges.rogers_satchell(*drifting) == pytest.approx(SIGMA**2, rel=0.1)
    assert ranges.yang_zhang(*drifting) == pytest.approx(SIGMA**2, rel=0.1)


def test_gaps_count_in_yang_zhang_alone() -> None:
    gappy = bars(1500, 2000, 5, gap=2 * SIGMA)
    assert ranges.yang_zhang(*gappy) == pytest.approx(5 * SIGMA**2, rel=0.12)
    assert ranges.garman_klass(*gappy) == pytest.approx(SIGMA**2, rel=0.08)


@pytest.mark.parametrize("name", NAMES)
def test_price_times_ten_changes_nothing_and_a_mirror_leaves_the_symmetric_ones(name: str) -> None:
    o, h, low, c = bars(40, 50, 6)
    found = getattr(ranges, name)(o, h, low, c)
    assert getattr(ranges, name)(10 * o, 10 * h, 10 * low, 10 * c) == pytest.approx(found, rel=1e-9)
    assert getattr(ranges, name)(1 / o, 1 / low, 1 / h, 1 / c) == pytest.approx(found, rel=1e-9)


values = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=60)
@given(st.lists(st.tuples(values, values, values, values), max_size=6))
def test_any_bars_give_a_number(rows: list[tuple[float, ...]]) -> None:
    columns = [np.ascontiguousarray([row[i] for row in rows], dtype=np.float64) for i in range(4)]
    for name in NAMES:
        found = getattr(ranges, name)(*columns)
        assert math.isfinite(found) and found >= 0.0
    assert math.isfinite(ranges.close_to_close(columns[3]))


def test_what_is_no_bar_is_no_opinion() -> None:
    o, h, low, c = bars(10, 20, 7)
    for name in NAMES:
        kernel = getattr(ranges, name)
        assert kernel(o, low, h, c) == 0.0
        assert kernel(o[:1], h[:1], low[:1], c[:1]) == 0.0
        assert kernel(o, h, low, c[1:]) == 0.0
    assert ranges.yang_zhang(o[:2], h[:2], low[:2], c[:2]) == 0.0
    assert ranges.close_to_close(c[:2]) == 0.0
    assert [ranges.rate(v, s) for v, s in ((0.0, 1.0), (1.0, 0.0), (math.nan, 1.0), (1.0, math.inf))] == [0.0] * 4
