"""Avellaneda-Stoikov quotes with a finite horizon (Quantitative Finance 8(3), 2008, 217-224).

Units: prices in USD, inventory in contracts (signed), sigma in USD per square root of a second, tau (time left) in
seconds, gamma in 1/(USD contract), kappa (decay of the fill intensity) in 1/USD. Outside the domain (kappa <= 0,
gamma < 0, NaN) the result is NaN; callers test it. Called per tick by the quote kernel, and from Python.
"""

import math

from kernels.kernel import f8, kernel, pair


@kernel(f8(f8, f8))
def liquidity_usd(gamma: float, kappa: float) -> float:
    """(1/gamma) ln(1 + gamma/kappa): the half-spread in USD that pays for fill risk alone; 1/kappa as gamma goes to
    0.
    """
    if not (kappa > 0.0 and gamma >= 0.0):
        return math.nan
    ratio = gamma / kappa
    if ratio < 1e-9:
        return (1.0 - 0.5 * ratio) / kappa
    return math.log1p(ratio) / gamma


@kernel(f8(f8, f8, f8, f8, f8))
def reservation_price(mid_usd: float, inventory: float, gamma: float, sigma_usd: float, tau_s: float) -> float:
    """s - q gamma sigma^2 tau (equation 2.6): the price in USD at which one more contract changes no utility."""
    return mid_usd - inventory * gamma * sigma_usd * sigma_usd * tau_s


@kernel(f8(f8, f8, f8, f8))
def total_spread(gamma: float, kappa: float, sigma_usd: float, tau_s: float) -> float:
    """gamma sigma^2 tau + (2/gamma) ln(1 + gamma/kappa) (equation 3.18): ask minus bid in USD, whatever the
    inventory.
    """
    return gamma * sigma_usd * sigma_usd * tau_s + 2.0 * liquidity_usd(gamma, kappa)


@kernel(pair(f8, f8, f8, f8, f8))
def distances(inventory: float, gamma: float, kappa: float, sigma_usd: float, tau_s: float) -> tuple[float, float]:
    """(mid - bid, ask - mid) in USD of the optimal quotes: (1 +- 2q) gamma sigma^2 tau / 2 + (1/gamma) ln(1 +
    gamma/kappa).
    """
    half = 0.5 * total_spread(gamma, kappa, sigma_usd, tau_s)
    skew = inventory * gamma * sigma_usd * sigma_usd * tau_s
    return half + skew, half - skew


@kernel(pair(f8, f8, f8, f8, f8))
def indifference_prices(
    mid_usd: float, inventory: float, gamma: float, sigma_usd: float, tau_s: float
) -> tuple[float, float]:
    """(bid, ask) in USD at which a frozen-inventory agent is indifferent to one trade: s + (-+1 - 2q) gamma sigma^2
    tau / 2.
    """
    unit = 0.5 * gamma * sigma_usd * sigma_usd * tau_s
    return mid_usd + (-1.0 - 2.0 * inventory) * unit, mid_usd + (1.0 - 2.0 * inventory) * unit
