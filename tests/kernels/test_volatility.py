"""Known sigma recovered, with and without bounce; the slow twin; and every input that must not poison the state."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import volatility
from kernels.records import VOLATILITY
from tests.reference import volatility as reference

SECOND = 1_000_000_000


def fresh(**values: float) -> np.void:
    state = np.zeros(1, VOLATILITY)[0]
    defaults = {"default_rate": 2e-5, "ceiling_rate": 1.0, "ewma_span": 30.0, "min_samples": 5, "window": 200}
    for name, value in {**defaults, **values}.items():
        state[name] = value
    return state


def walk(rate: float, spans_s: np.ndarray, noise: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=spans_s.size) * rate * np.sqrt(spans_s)
    return 60_000.0 * np.exp(np.cumsum(steps) + noise * rng.choice([-1.0, 1.0], spans_s.size))


def mean_variance(state: np.void, prices: np.ndarray, times_ns: np.ndarray) -> float:
    """Mean squared rate after the window is full."""
    rates = [volatility.update(state, p, t) / p for p, t in zip(prices.tolist(), times_ns.tolist(), strict=True)]
    return float(np.mean(np.square(rates[400:])))


@pytest.mark.parametrize("window", [75, 200, 256])
@pytest.mark.parametrize("irregular", [False, True])
def test_known_sigma_is_recovered(window: int, irregular: bool) -> None:
    rng = np.random.default_rng(5)
    spans = rng.exponential(2.0, 40_000) + 0.05 if irregular else np.full(40_000, 0.5)
    times = (np.cumsum(spans) * 1e9).astype(np.int64)
    state = fresh(window=window, ewma_span=60.0)
    found = mean_variance(state, walk(1.3e-5, spans, 0.0, 1), times)
    assert found == pytest.approx(1.3e-5**2, rel=0.06)
    assert state["sigma_rate"] != state["default_rate"]


def test_mistake_13_a_window_longer_than_its_buffer_still_estimates() -> None:
    """The default must not be used for ever because the window can never be filled."""
    times = (np.arange(1, 20_001) * SECOND).astype(np.int64)
    state = fresh(window=10_000, ewma_span=60.0, default_rate=9e-4)
    found = mean_variance(state, walk(1.3e-5, np.ones(20_000), 0.0, 6), times)
    assert found == pytest.approx(1.3e-5**2, rel=0.08)


def test_bounce_misleads_the_plain_estimator_but_not_this_one() -> None:
    spans = np.full(40_000, 1.0)
    times = (np.cumsum(spans) * 1e9).astype(np.int64)
    for noise in (1e-5, 2e-5):
        prices = walk(1e-5, spans, noise, 2)
        plain = float(np.mean(np.diff(np.log(prices)) ** 2))
        assert plain == pytest.approx(1e-10 + 2 * noise**2, rel=0.05)
        found = mean_variance(fresh(window=256, ewma_span=60.0), prices, times)
        assert found == pytest.approx(1e-10, rel=0.25)


def test_it_follows_a_change_of_regime_within_a_few_spans() -> None:
    state = fresh(window=75, ewma_span=15.0)
    for i, price in enumerate(walk(1e-5, np.ones(500), 0.0, 3).tolist()):
        volatility.update(state, price, (i + 1) * SECOND)
    calm, last = state["sigma_rate"], state["last_usd"]
    for i, change in enumerate(walk(8e-5, np.ones(60), 0.0, 4).tolist()):
        volatility.update(state, last * change / 60_000.0, (501 + i) * SECOND)
    assert state["sigma_rate"] > 3 * calm


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(2, 256),
    st.floats(1.0, 100.0),
    st.integers(0, 20),
    st.sampled_from([0, SECOND, 3 * SECOND]),
)
def test_against_the_slow_twin(seed: int, window: int, span: float, least: int, minimum_ns: int) -> None:
    rng = np.random.default_rng(seed)
    state = fresh(window=window, ewma_span=span, min_samples=least, floor_rate=1e-6, min_interval_ns=minimum_ns)
    twin = reference.Estimator(default=2e-5, floor=1e-6, ceiling=1.0, span=span, least=least, window=window)
    twin.minimum_ns = minimum_ns
    t_ns, price = 0, 100.0
    for _ in range(int(rng.integers(10, 400))):
        t_ns += int(rng.choice([0, -5, SECOND // 10, SECOND, 40 * SECOND]))
        price *= math.exp(rng.normal() * 1e-4)
        seen = float(rng.choice([price, price, price, math.nan, -1.0, math.inf, 0.0]))
        assert volatility.update(state, seen, t_ns) == pytest.approx(twin.update(seen, t_ns), rel=1e-7)
    count = min(len(twin.returns), window)
    if count >= 2:
        assert volatility.realised_kernel(state, count) == pytest.approx(
            reference.realised_kernel(twin.returns[-count:]), rel=1e-6, abs=1e-20
        )


@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(), st.sampled_from([1e-300, 1e300, 60_000.0])),
            st.integers(-(2**62), 2**62),
        ),
        max_size=40,
    ),
    st.integers(-3, 300),
    st.floats(-10, 100),
)
def test_nothing_makes_it_nan_or_leave_its_bounds(ticks: list[tuple[float, int]], window: int, span: float) -> None:
    state = fresh(window=window, ewma_span=span, floor_rate=1e-6, ceiling_rate=1e-3, min_samples=1)
    for price, t_ns in ticks:
        sigma = volatility.update(state, price, t_ns)
        assert math.isfinite(sigma)
        if sigma != 0.0:
            assert 0.999e-6 <= sigma / state["last_usd"] <= 1.001e-3
        assert 0.0 <= state["noise_ratio"] < math.inf
        assert 0.0 <= state["ewma_variance"] < math.inf


def test_ignored_inputs_change_nothing() -> None:
    state = fresh()
    for i in range(50):
        volatility.update(state, 100.0 + (i % 7) * 0.01, (i + 1) * SECOND)
    before, sigma = state.tobytes(), state["sigma_rate"] * state["last_usd"]
    for price, t_ns in [(math.nan, 60), (-1.0, 60), (0.0, 60), (math.inf, 60), (101.0, 50), (101.0, 49), (99.0, -1)]:
        assert volatility.update(state, price, t_ns * SECOND) == sigma
        assert state.tobytes() == before


def test_default_until_enough_samples_then_floor_and_ceiling() -> None:
    state = fresh(min_samples=5, floor_rate=1e-5, ceiling_rate=1e-3)
    assert volatility.update(state, math.nan, 0) == 0.0
    answers = [volatility.update(state, 100.0, (i + 1) * SECOND) for i in range(7)]
    assert answers[:5] == [pytest.approx(2e-3)] * 5
    assert answers[5:] == [pytest.approx(1e-3)] * 2
    assert volatility.update(state, 150.0, 8 * SECOND) == pytest.approx(150.0 * 1e-3)


def test_short_spans_are_folded_into_the_next_return() -> None:
    folded, plain = fresh(min_interval_ns=SECOND), fresh()
    for i, price in enumerate([100.0, 100.5, 99.0, 101.0, 100.0]):
        volatility.update(folded, price + 1.0, i * SECOND + SECOND // 2)
        volatility.update(folded, price, (i + 1) * SECOND + SECOND // 2)
        volatility.update(plain, price, (i + 1) * SECOND)
    assert folded["samples"] == 5
    assert folded["last_usd"] == plain["last_usd"]


def test_one_return_after_a_long_silence_does_not_drown_the_rest() -> None:
    state = fresh(ewma_span=15.0)
    prices = walk(1e-5, np.ones(300), 0.0, 6).tolist()
    for i, price in enumerate(prices):
        volatility.update(state, price, (i + 1) * SECOND)
    before = float(state["ewma_variance"])
    volatility.update(state, prices[-1], 10_000 * SECOND)
    assert 0.5 * before < state["ewma_variance"] < before


def test_reset_keeps_the_settings() -> None:
    state, other = fresh(min_samples=2), fresh(min_samples=2)
    for i in range(20):
        volatility.update(state, 100.0 + i, (i + 1) * SECOND)
    volatility.reset(state)
    for i in range(5):
        assert volatility.update(state, 50.0 + i, i + 1) == volatility.update(other, 50.0 + i, i + 1)
    assert state["min_samples"] == 2


def test_bandwidth_as_published() -> None:
    # n = 200 returns, noise bound RV/(2n) with RV = 3 and a sparse variance of 1.2: xi^2 = 0.00625.
    assert volatility.bandwidth(3.0, 1.2, 200) == math.ceil(3.5134 * 0.00625**0.4 * 200**0.6)
    assert volatility.bandwidth(0.0, 1.0, 200) == volatility.bandwidth(math.nan, 1.0, 200) == 0
    assert volatility.bandwidth(1e9, 1e-9, 90) == 30


def test_annual_fractions() -> None:
    assert volatility.rate_from_annual(0.5) == pytest.approx(0.5 / math.sqrt(31_536_000.0), rel=1e-15)
    assert volatility.annual_from_rate(volatility.rate_from_annual(0.37)) == pytest.approx(0.37, rel=1e-15)


@given(st.floats(-1.5, 1.5))
def test_parzen(x: float) -> None:
    assert volatility.parzen(x) == pytest.approx(reference.parzen(x), abs=1e-15)
