"""Closed form and exact solution: published numbers, an integrator as slow twin, limits, monotony, symmetry, units."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import avellaneda, glft
from tests.reference import glft as reference

PAPER = {"gamma": 0.01, "kappa": 0.3, "intensity": 0.9}

gammas = st.floats(1e-4, 1.0)
kappas = st.floats(0.05, 5.0)
intensities = st.floats(0.05, 20.0)
sigmas = st.floats(0.05, 5.0)


def closed(
    q: float, sigma: float, *, drift: float = 0.0, impact: float = 0.0, size: float = 1.0, **k: float
) -> tuple[float, float]:
    p = {**PAPER, **k}
    return glft.distances(q, p["gamma"], p["kappa"], p["intensity"], sigma, drift, impact, size)


@pytest.mark.parametrize("sigma, approximate, exact", [(0.3, 3.312915, 3.313045), (0.4, 3.324226, 3.324458)])
def test_the_papers_numbers(sigma: float, approximate: float, exact: float) -> None:
    assert closed(0.0, sigma)[0] == pytest.approx(approximate, abs=5.1e-7)
    assert glft.exact(**PAPER, sigma_usd=sigma, bound=30).bid_usd[30] == pytest.approx(exact, abs=5.1e-7)
    if sigma == 0.3:
        assert sum(closed(0.0, sigma)) == pytest.approx(6.62583, abs=5.1e-6)


@given(gammas, kappas, intensities, sigmas, st.floats(0.001, 10.0))
def test_gamma_of_a_skew_is_the_inverse(gamma: float, kappa: float, a: float, sigma: float, size: float) -> None:
    skew = kappa * sigma * glft.coefficients(gamma, gamma, kappa, a, size)[1]
    assert glft.gamma_of_skew(skew, kappa, a, sigma, size) == pytest.approx(gamma, rel=1e-9)


def test_gamma_of_a_skew_of_the_smallest_risk_and_of_nonsense() -> None:
    tiny = 0.3 * 2.0 * glft.coefficients(1e-14, 1e-14, 0.3, 0.9, 1.0)[1]
    assert glft.gamma_of_skew(tiny, 0.3, 0.9, 2.0, 1.0) == pytest.approx(1e-14, rel=1e-6)
    for wrong in (0.0, -1.0, math.nan, math.inf):
        for at in range(5):
            arguments = [1.0] * 5
            arguments[at] = wrong
            assert not glft.gamma_of_skew(*arguments) > 0.0


@given(gammas, kappas, intensities, sigmas, st.floats(-20, 20))
def test_closed_form_as_the_paper_writes_it(gamma: float, kappa: float, a: float, sigma: float, q: float) -> None:
    root = math.sqrt(sigma**2 * gamma / (2 * kappa * a) * (1 + gamma / kappa) ** (1 + kappa / gamma))
    bid, ask = glft.distances(q, gamma, kappa, a, sigma, 0.0, 0.0, 1.0)
    fee = math.log(1 + gamma / kappa) / gamma
    assert bid == pytest.approx(fee + (2 * q + 1) / 2 * root, rel=1e-9, abs=1e-9)
    assert ask == pytest.approx(fee - (2 * q - 1) / 2 * root, rel=1e-9, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(gammas, kappas, intensities, sigmas, st.integers(1, 5), st.floats(0.01, 0.5))
def test_finite_horizon_against_the_integrator(
    gamma: float, kappa: float, a: float, sigma: float, bound: int, horizon: float
) -> None:
    quotes = glft.exact(gamma, kappa, a, sigma, bound, horizon_s=horizon)
    bid, ask = reference.finite(gamma, kappa, a, sigma, bound, horizon, steps=4000)
    np.testing.assert_allclose(quotes.bid_usd, bid, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(quotes.ask_usd, ask, rtol=1e-7, atol=1e-7)


def test_a_long_horizon_becomes_stationary_and_none_leaves_the_liquidity_term() -> None:
    stationary = glft.exact(**PAPER, sigma_usd=0.3, bound=10)
    far = glft.exact(**PAPER, sigma_usd=0.3, bound=10, horizon_s=1e5)
    np.testing.assert_allclose(far.bid_usd, stationary.bid_usd, rtol=1e-9)
    now = glft.exact(**PAPER, sigma_usd=0.3, bound=10, horizon_s=0.0)
    np.testing.assert_allclose(now.bid_usd[:-1], avellaneda.liquidity_usd(0.01, 0.3), rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(gammas, kappas, intensities, sigmas, st.integers(1, 40), st.sampled_from([math.inf, 0.3, 30.0]))
def test_exact_quotes_are_symmetric_rise_with_inventory_and_stop_at_the_bound(
    gamma: float, kappa: float, a: float, sigma: float, bound: int, horizon: float
) -> None:
    quotes = glft.exact(gamma, kappa, a, sigma, bound, horizon_s=horizon)
    assert quotes.inventory.tolist() == list(range(-bound, bound + 1))
    assert math.isinf(quotes.bid_usd[-1])
    assert math.isinf(quotes.ask_usd[0])
    assert np.isfinite(quotes.bid_usd[:-1]).all()
    np.testing.assert_allclose(quotes.bid_usd, quotes.ask_usd[::-1], rtol=1e-6, atol=1e-9)
    # With little time left and tails far below 1, neighbours may differ by less than rounding.
    assert (np.diff(quotes.bid_usd[:-1]) > -1e-9 * (1 + np.abs(quotes.bid_usd[:-2]))).all()


def test_closed_form_nears_the_exact_one_as_risk_against_flow_vanishes() -> None:
    gaps = []
    for gamma in (0.16, 0.04, 0.01, 0.0025):
        exact = glft.exact(gamma, 0.3, 0.9, 0.3, 80).bid_usd[80 + 3]
        gaps.append(abs(closed(3.0, 0.3, gamma=gamma)[0] - exact))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 3e-4 < gaps[0] / 10


def test_spread_rises_with_sigma_and_falls_with_intensity() -> None:
    spreads = [sum(closed(2.0, sigma)) for sigma in (0.1, 0.2, 0.4, 0.8)]
    assert spreads == sorted(spreads)
    spreads = [sum(closed(2.0, 0.3, intensity=a)) for a in (0.1, 0.3, 0.9, 2.7)]
    assert spreads == sorted(spreads, reverse=True)


@pytest.mark.parametrize("drift", [-0.002, 0.002])
def test_drift_and_impact_move_closed_and_exact_form_alike(drift: float) -> None:
    exact = glft.exact(**PAPER, sigma_usd=0.3, bound=60, drift_usd_s=drift, impact_usd=0.5)
    for q in (-3, 0, 4):
        bid, ask = closed(q, 0.3, drift=drift, impact=0.5)
        assert bid == pytest.approx(exact.bid_usd[60 + q], abs=4e-3)
        assert ask == pytest.approx(exact.ask_usd[60 + q], abs=4e-3)
    plain = closed(0.0, 0.3, impact=0.5)
    moved = closed(0.0, 0.3, drift=drift, impact=0.5)
    assert (moved[0] < plain[0]) == (drift > 0)
    assert (moved[1] > plain[1]) == (drift > 0)
    assert closed(0.0, 0.3, drift=-drift, impact=0.5) == pytest.approx((moved[1], moved[0]), rel=1e-12)


def test_impact_and_order_size_as_published() -> None:
    base_half, base_skew = sum(closed(0.0, 0.3)) / 2, closed(1.0, 0.3)[0] - closed(0.0, 0.3)[0]
    skew = closed(1.0, 0.3, impact=0.5)[0] - closed(0.0, 0.3, impact=0.5)[0]
    assert skew == pytest.approx(base_skew * math.exp(0.3 * 0.5 / 4), rel=1e-9)
    half = sum(closed(0.0, 0.3, impact=0.5)) / 2
    assert half == pytest.approx(base_half - base_skew / 2 + 0.25 + skew / 2, rel=1e-9)
    xi, delta, k, a, gamma = 0.02, 2.0, 0.3, 0.9, 0.01
    c1, c2 = glft.coefficients(gamma, xi, k, a, delta)
    assert c1 == pytest.approx(math.log(1 + xi * delta / k) / (xi * delta), rel=1e-12)
    power = k / (xi * delta) + 1
    assert c2 == pytest.approx(math.sqrt(gamma / (2 * a * delta * k) * (1 + xi * delta / k) ** power), rel=1e-12)
    assert glft.coefficients(gamma, 0.0, k, a, delta)[1] == pytest.approx(
        math.sqrt(gamma * math.e / (2 * a * delta * k)), rel=1e-12
    )


def test_order_size_in_the_exact_form() -> None:
    for size in (0.25, 2.0):
        exact = glft.exact(**PAPER, sigma_usd=0.3, bound=80, order_size=size)
        for n in (-2, 0, 3):
            assert exact.inventory[80 + n] == n * size
            assert closed(n * size, 0.3, size=size)[0] == pytest.approx(exact.bid_usd[80 + n], abs=2e-3)


@given(gammas, kappas, intensities, sigmas, st.floats(-5, 5), st.sampled_from([0.01, 10.0, 1000.0]))
def test_prices_scale(gamma: float, kappa: float, a: float, sigma: float, q: float, c: float) -> None:
    plain = glft.distances(q, gamma, kappa, a, sigma, 0.001, 0.2, 0.7)
    scaled = glft.distances(q, gamma / c, kappa / c, a, sigma * c, 0.001 * c, 0.2 * c, 0.7)
    for x, y in zip(plain, scaled, strict=True):
        assert y / c == pytest.approx(x, rel=1e-9, abs=1e-9 * (abs(plain[0]) + abs(plain[1])))


def test_running_penalty_quotes() -> None:
    # The CARA model's system with kappa phi for kappa gamma sigma^2 / 2, A/e for eta, and 1/kappa as the fee.
    kappa, a, gamma, sigma = 0.3, 0.9, 1e-7, 30.0
    cara = glft.exact(gamma, kappa, a, sigma, 20)
    penalised = glft.cartea_jaimungal(kappa, a, gamma * sigma**2 / 2, 20)
    np.testing.assert_allclose(penalised.bid_usd, cara.bid_usd, rtol=1e-5)
    np.testing.assert_allclose(penalised.bid_usd, penalised.ask_usd[::-1], rtol=1e-9)
    now = glft.cartea_jaimungal(kappa, a, 0.01, 5, horizon_s=0.0)
    np.testing.assert_allclose(now.bid_usd[:-1], 1 / kappa, rtol=1e-12)
    up = glft.cartea_jaimungal(kappa, a, 0.01, 5, drift_usd_s=0.01)
    level = glft.cartea_jaimungal(kappa, a, 0.01, 5)
    assert (up.bid_usd[:-1] < level.bid_usd[:-1]).all()
    assert (up.ask_usd[1:] > level.ask_usd[1:]).all()


@pytest.mark.parametrize(
    "bad",
    [
        {"gamma": 0.0},
        {"kappa": -1.0},
        {"intensity": math.nan},
        {"bound": 0},
        {"bound": 501},
        {"sigma_usd": math.nan},
        {"horizon_s": -1.0},
    ],
)
def test_outside_the_domain_is_refused(bad: dict[str, float]) -> None:
    arguments = {**PAPER, "sigma_usd": 0.3, "bound": 3, **bad}
    with pytest.raises(ValueError, match="must be"):
        glft.exact(**arguments)  # type: ignore[arg-type]


def test_closed_form_outside_its_domain_is_nan() -> None:
    for gamma, kappa, a, size in [
        (-1.0, 1.0, 1.0, 1.0),
        (1.0, 0.0, 1.0, 1.0),
        (1.0, 1.0, 0.0, 1.0),
        (1.0, 1.0, 1.0, 0.0),
    ]:
        assert math.isnan(glft.coefficients(gamma, gamma, kappa, a, size)[1])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30), st.floats(1e-6, 50))
def test_lowest_eigenvalue_against_a_dense_solver(diagonal: list[float], coupling: float) -> None:
    n = len(diagonal)
    dense = np.diag(diagonal) - coupling * (np.eye(n, k=1) + np.eye(n, k=-1))
    found = glft.lowest_eigenvalue(np.array(diagonal), coupling)
    assert found == pytest.approx(np.linalg.eigvalsh(dense)[0], rel=1e-12, abs=1e-11)
