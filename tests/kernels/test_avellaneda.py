"""Closed forms, limits, units and symmetry of the finite-horizon quotes."""

import math
from decimal import Decimal, getcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import avellaneda

getcontext().prec = 50

gammas = st.floats(1e-6, 10.0)
kappas = st.floats(1e-3, 100.0)
sigmas = st.floats(0.0, 50.0)
taus = st.floats(0.0, 1000.0)
inventories = st.floats(-50.0, 50.0)
scales = st.sampled_from([0.001, 0.1, 10.0, 1000.0])


def test_the_papers_numbers() -> None:
    assert 2 * avellaneda.liquidity_usd(0.1, 1.5) == pytest.approx(20 * math.log(1 + 0.1 / 1.5), rel=1e-15)
    assert avellaneda.total_spread(0.1, 1.5, 2.0, 1.0) == pytest.approx(0.4 + 1.2907704227514234, rel=1e-14)
    assert avellaneda.reservation_price(100.0, 3.0, 0.1, 2.0, 0.5) == pytest.approx(99.4, rel=1e-15)
    assert avellaneda.indifference_prices(100.0, 0.0, 0.1, 2.0, 1.0) == pytest.approx((99.8, 100.2))


@given(st.floats(1e-14, 1e3), kappas)
def test_liquidity_against_fifty_digits(gamma: float, kappa: float) -> None:
    exact = (1 + Decimal(gamma) / Decimal(kappa)).ln() / Decimal(gamma)
    assert avellaneda.liquidity_usd(gamma, kappa) == pytest.approx(float(exact), rel=1e-12)


def test_risk_neutral_limit() -> None:
    assert avellaneda.liquidity_usd(0.0, 1.5) == pytest.approx(1 / 1.5, rel=1e-15)


@given(inventories, gammas, kappas, sigmas, taus)
def test_distances_are_the_reservation_price_and_the_spread(
    q: float, gamma: float, kappa: float, sigma: float, tau: float
) -> None:
    bid, ask = avellaneda.distances(q, gamma, kappa, sigma, tau)
    unit = gamma * sigma**2 * tau
    tolerance = 1e-12 * (1.0 + abs(q)) * (1.0 + unit) + 1e-12 / kappa
    assert bid == pytest.approx(
        (1 + 2 * q) * unit / 2 + avellaneda.liquidity_usd(gamma, kappa), rel=1e-9, abs=tolerance
    )
    assert bid + ask == pytest.approx(avellaneda.total_spread(gamma, kappa, sigma, tau), rel=1e-9, abs=tolerance)
    middle = (ask - bid) / 2
    assert middle == pytest.approx(avellaneda.reservation_price(0.0, q, gamma, sigma, tau), rel=1e-9, abs=tolerance)
    assert avellaneda.distances(-q, gamma, kappa, sigma, tau) == (ask, bid)


@given(inventories, gammas, kappas, sigmas, taus, scales)
def test_prices_scale(q: float, gamma: float, kappa: float, sigma: float, tau: float, c: float) -> None:
    plain = avellaneda.distances(q, gamma, kappa, sigma, tau)
    scaled = avellaneda.distances(q, gamma / c, kappa / c, sigma * c, tau)
    size = 1e-12 * (1.0 + abs(q)) * (1.0 + gamma * sigma**2 * tau)
    assert scaled[0] / c == pytest.approx(plain[0], rel=1e-9, abs=size)
    assert scaled[1] / c == pytest.approx(plain[1], rel=1e-9, abs=size)


@given(inventories, gammas, kappas, sigmas)
def test_no_time_left_leaves_the_liquidity_term(q: float, gamma: float, kappa: float, sigma: float) -> None:
    term = avellaneda.liquidity_usd(gamma, kappa)
    assert avellaneda.distances(q, gamma, kappa, sigma, 0.0) == (term, term)


@given(inventories, gammas, sigmas, taus)
def test_indifference_prices_are_one_trade_apart(q: float, gamma: float, sigma: float, tau: float) -> None:
    bid, ask = avellaneda.indifference_prices(0.0, q, gamma, sigma, tau)
    unit = gamma * sigma**2 * tau
    assert ask - bid == pytest.approx(unit, rel=1e-6, abs=1e-12 * (1 + abs(q)) * unit + 1e-300)
    # A frozen position is worth q s - q^2 unit / 2 for certain: buying one at the bid changes nothing.
    assert -bid - ((q + 1) ** 2 - q**2) * unit / 2 == pytest.approx(0.0, abs=1e-9 * (1 + q * q) * (1 + unit))


@pytest.mark.parametrize("gamma, kappa", [(math.nan, 1.0), (0.1, math.nan), (-0.1, 1.0), (0.1, 0.0), (0.1, -1.0)])
def test_outside_the_domain_is_nan(gamma: float, kappa: float) -> None:
    assert math.isnan(avellaneda.liquidity_usd(gamma, kappa))
    assert math.isnan(avellaneda.distances(1.0, gamma, kappa, 1.0, 1.0)[0])
