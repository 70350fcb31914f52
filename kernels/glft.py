"""Gueant-Lehalle-Fernandez-Tapia quotes: the stationary closed form per tick, and the exact solution with inventory
bounds.

Sources: arXiv 1105.3115v5 (Math. Financ. Econ. 7, 2013) for the model, drift, impact and the bounded system; arXiv
1605.01862 (equations 4.6 and 4.7) for order size and a separate fill aversion; Cartea-Jaimungal-Ricci 2014 for the
running penalty, which obeys the same linear system. Units as in kernels.avellaneda; intensity (A) is in 1/s, drift in
USD/s, impact in USD. The closed form is compiled; the exact solution is for set-up time and uses NumPy.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.avellaneda import liquidity_usd
from kernels.kernel import f8, kernel, pair

BOUND_MAX = 500  # inventory steps a side; the exact solution is dense in them

Floats = NDArray[np.float64]


@kernel(pair(f8, f8, f8, f8, f8))
def coefficients(
    gamma: float, fill_aversion: float, kappa: float, intensity: float, order_size: float
) -> tuple[float, float]:
    """(c1, c2) of arXiv 1605.01862 4.6/4.7: half-spread = c1 + order_size/2 sigma c2 (USD), skew = sigma c2 per
    contract held.

    ``fill_aversion`` is the paper's xi, in 1/(USD contract); the 2013 model is xi = gamma, and xi = 0 is its
    risk-neutral limit. NaN unless kappa, intensity and order_size are positive and both aversions are not negative.
    """
    if not (kappa > 0.0 and intensity > 0.0 and order_size > 0.0 and gamma >= 0.0 and fill_aversion >= 0.0):
        return math.nan, math.nan
    ratio = fill_aversion * order_size / kappa
    power = 1.0 + 0.5 * ratio if ratio < 1e-9 else (1.0 + 1.0 / ratio) * math.log1p(ratio)
    skew = math.sqrt(gamma / (2.0 * intensity * order_size * kappa) * math.exp(power))
    return liquidity_usd(fill_aversion * order_size, kappa), skew


@kernel(f8(f8, f8, f8))
def skew_per_sigma(gamma: float, kappa: float, intensity: float) -> float:
    """sqrt(gamma/(2 kappa A) (1 + gamma/kappa)^(1 + kappa/gamma)): USD of skew per contract held and unit of sigma."""
    return coefficients(gamma, gamma, kappa, intensity, 1.0)[1]


@kernel(f8(f8, f8, f8, f8, f8))
def gamma_of_skew(skew: float, kappa: float, intensity: float, sigma_usd: float, order_size: float) -> float:
    """The gamma, in 1/(USD contract), whose stationary skew is ``skew``/kappa USD per contract; NaN unless all are
    positive and finite.

    ``coefficients`` inverted: with x = gamma size/kappa, x (1 + x)^(1 + 1/x) = 2 A (size skew/(kappa sigma))^2.
    Newton's method on the logarithms, whose slope is between 1 and 2.
    """
    known = kappa > 0.0 and intensity > 0.0 and sigma_usd > 0.0 and order_size > 0.0 and skew > 0.0
    wanted = math.log(2.0 * intensity) + 2.0 * math.log(order_size * skew / (kappa * sigma_usd)) if known else math.nan
    if not (-300.0 < wanted < 300.0):
        return math.nan
    u = wanted - 1.0
    for _ in range(60):
        x = math.exp(u)
        tail = 1.0 + 0.5 * x if x < 1e-9 else (1.0 + 1.0 / x) * math.log1p(x)
        slope = 1.0 + 0.5 * x if x < 1e-9 else 2.0 - math.log1p(x) / x
        change = (u + tail - wanted) / slope
        u -= change
        if abs(change) < 1e-13:
            break
    return math.exp(u) * kappa / order_size


@kernel(pair(f8, f8, f8, f8, f8, f8, f8, f8))
def distances(
    inventory: float,
    gamma: float,
    kappa: float,
    intensity: float,
    sigma_usd: float,
    drift_usd_s: float,
    impact_usd: float,
    order_size: float,
) -> tuple[float, float]:
    """(mid - bid, ask - mid) in USD of the stationary closed form, with drift, market impact and order size.

    c1 + impact/2 + (order_size/2 +- (inventory - drift/(gamma sigma^2))) sigma c2 e^(kappa impact/4). A drift needs
    gamma and sigma above 0 (the result is not finite otherwise); without drift both may be 0.
    """
    liquidity, per_sigma = coefficients(gamma, gamma, kappa, intensity, order_size)
    slope = sigma_usd * per_sigma * math.exp(0.25 * kappa * impact_usd)
    centre = inventory
    if drift_usd_s != 0.0:
        centre -= drift_usd_s / (gamma * sigma_usd * sigma_usd)
    half = liquidity + 0.5 * impact_usd + 0.5 * order_size * slope
    return half + centre * slope, half - centre * slope


@kernel(f8(f8[::1], f8))
def lowest_eigenvalue(diagonal: Floats, coupling: float) -> float:
    """Smallest eigenvalue of the symmetric tridiagonal matrix with this diagonal and -coupling beside it, to the last
    digit.

    Bisection: below it, and only there, every pivot of the matrix less a multiple of the identity is positive
    (Sturm).
    """
    high = diagonal.min()
    low = high - 2.0 * coupling
    while True:
        middle = 0.5 * (low + high)
        if not (low < middle < high):
            return float(low)
        pivot = math.inf
        for value in diagonal:
            pivot = value - middle - coupling * coupling / pivot
            if not (pivot > 0.0):
                break
        if pivot > 0.0:
            low = middle
        else:
            high = middle


class Quotes(NamedTuple):
    """Optimal distances over the whole inventory range; inf where the bound forbids the side."""

    inventory: Floats  # contracts, from -bound to +bound in steps of the order size
    bid_usd: Floats  # mid - bid
    ask_usd: Floats  # ask - mid


def exact(
    gamma: float,
    kappa: float,
    intensity: float,
    sigma_usd: float,
    bound: int,
    *,
    horizon_s: float = math.inf,
    drift_usd_s: float = 0.0,
    impact_usd: float = 0.0,
    order_size: float = 1.0,
) -> Quotes:
    """Exact quotes for inventories of -bound to bound orders (arXiv 1105.3115 theorem 1; its theorem 2 where the
    horizon is inf).

    Raises ValueError outside the domain (gamma, kappa, intensity, order_size > 0; sigma >= 0; 1 <= bound <=
    BOUND_MAX).
    """
    _require(gamma=gamma, kappa=kappa, intensity=intensity, order_size=order_size)
    # Measured in orders instead of contracts the problem is the one-contract problem with this aversion.
    aversion = gamma * order_size
    steps = _steps(bound)
    diagonal = 0.5 * kappa * aversion * sigma_usd**2 * steps**2 - kappa * drift_usd_s * steps
    power = (1.0 + kappa / aversion) * math.log1p(aversion / kappa)
    coupling = intensity * math.exp(-power - 0.5 * kappa * impact_usd)
    liquidity = liquidity_usd(aversion, kappa) + 0.5 * impact_usd
    return _quotes(diagonal, coupling, liquidity, kappa, horizon_s, order_size)


def cartea_jaimungal(
    kappa: float,
    intensity: float,
    penalty: float,
    bound: int,
    *,
    horizon_s: float = math.inf,
    drift_usd_s: float = 0.0,
) -> Quotes:
    """Exact quotes of a risk-neutral maker who pays penalty * inventory^2 USD per second (Cartea-Jaimungal-Ricci 2014).

    Raises ValueError outside the domain (kappa, intensity, penalty > 0; 1 <= bound <= BOUND_MAX).
    """
    _require(kappa=kappa, intensity=intensity, penalty=penalty)
    steps = _steps(bound)
    diagonal = kappa * penalty * steps**2 - kappa * drift_usd_s * steps
    return _quotes(diagonal, intensity / math.e, 1.0 / kappa, kappa, horizon_s, 1.0)


def _require(**positive: float) -> None:
    for name, value in positive.items():
        if not (0.0 < value < math.inf):
            raise ValueError(f"{name} must be positive and finite, not {value}")


def _steps(bound: int) -> Floats:
    if not 1 <= bound <= BOUND_MAX:
        raise ValueError(f"bound must be between 1 and {BOUND_MAX}, not {bound}")
    return np.arange(-bound, bound + 1, dtype=np.float64)


def _quotes(
    diagonal: Floats, coupling: float, liquidity: float, kappa: float, horizon_s: float, order_size: float
) -> Quotes:
    if not np.isfinite(diagonal).all() or not horizon_s >= 0.0:
        raise ValueError("sigma and drift must be finite and the horizon not negative")
    if math.isinf(horizon_s):
        log_up, log_down = _stationary_ratios(diagonal, coupling)
    else:
        log_up, log_down = _finite_ratios(diagonal, coupling, horizon_s)
    bid = np.full(diagonal.size, np.inf)
    ask = np.full(diagonal.size, np.inf)
    bid[:-1] = liquidity - log_up / kappa
    ask[1:] = liquidity - log_down / kappa
    return Quotes(_steps(diagonal.size // 2) * order_size, bid, ask)


def _stationary_ratios(diagonal: Floats, coupling: float) -> tuple[Floats, Floats]:
    """ln(v[q+1]/v[q]) and ln(v[q-1]/v[q]) of the eigenvector of the smallest eigenvalue.

    The eigenvector's tails fall below the rounding error of a dense solver, so the ratios come from the three-term
    recurrence, run from both ends towards the centre, the direction in which the vector grows.
    """
    lowest = lowest_eigenvalue(diagonal, coupling)
    centre = int(np.argmin(diagonal))
    rise = (diagonal - lowest) / coupling
    up = np.empty(diagonal.size - 1)
    previous = math.inf
    for q in range(centre):
        up[q] = previous = rise[q] - 1.0 / previous
    previous = math.inf
    for q in range(diagonal.size - 1, centre, -1):
        previous = rise[q] - 1.0 / previous
        up[q - 1] = 1.0 / previous
    log_up = np.log(up)
    return log_up, -log_up


def _finite_ratios(diagonal: Floats, coupling: float, horizon_s: float) -> tuple[Floats, Floats]:
    """ln(v[q+1]/v[q]) and ln(v[q-1]/v[q]) of v = exp(-M horizon) 1.

    A multiple of the identity makes -M non-negative, so that the exponential, by scaling and squaring, adds only
    positive terms and every component keeps its relative accuracy; the multiple cancels in the ratios.
    """
    identity = np.eye(diagonal.size)
    positive = np.diag(diagonal.max() - diagonal) + coupling * (
        np.eye(diagonal.size, k=1) + np.eye(diagonal.size, k=-1)
    )
    norm = float(positive.sum(axis=1).max()) * horizon_s
    doublings = max(0, math.ceil(math.log2(norm)) + 1) if norm > 0.0 else 0
    scaled = positive * (horizon_s / 2.0**doublings)
    term = identity.copy()
    exponential = identity.copy()
    for n in range(1, 20):
        term = term @ scaled / n
        exponential += term
    for _ in range(doublings):
        exponential = exponential @ exponential
        exponential /= exponential.max()
    log_up = np.diff(np.log(exponential.sum(axis=1)))
    return log_up, -log_up
