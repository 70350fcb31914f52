"""A and k of the fill intensity A exp(-k d), with confidence intervals: set-up time and offline, NumPy.

Two sources, one estimator. The tape: how deep each market order swept, counted in cells of distance over the whole
time watched. Own quotes: how long a quote stood at each distance, and how often it was hit; quotes that were never hit
count with their time, without which both numbers are biased. Both are Poisson regressions with exposure,
ln(rate) = ln A - k d, whose likelihood is concave; covariance is the observed information's inverse, widened by the
dispersion where the counts vary more than Poisson counts do.

Units: distance in USD from the mid, k in 1/USD, A in 1/s. Sources: Avellaneda and Stoikov 2008 section 2.3; the
likelihood is that of a Poisson process with covariates. Nothing here raises for poor data: the answer says why it is
not sufficient.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.glft import skew_per_sigma

Floats = NDArray[np.float64]

Z_95 = 1.959963984540054
FILLS_LEAST = 30  # fewer events do not determine two numbers
DISTANCES_LEAST = 3  # distinct distances with exposure
RELATIVE_ERROR_MOST = 0.5  # of k: a wider interval determines nothing
DISPERSION_MOST = 5.0  # counts that vary more do not fall exponentially: A and k are means over the range
STEPS_MOST = 100


@dataclass(frozen=True, slots=True)
class Fit:
    """Estimates with 95 % intervals; NaN where there is none.

    ``events``: fills or sweeps counted. ``dispersion``: variance of the counts over a Poisson's; about 1 where the
    model holds. ``correlation`` is that of ln A and k. ``reason`` is empty when ``sufficient``.
    """

    intensity: float
    intensity_low: float
    intensity_high: float
    kappa: float
    kappa_low: float
    kappa_high: float
    correlation: float
    dispersion: float
    events: int
    exposure_s: float
    sufficient: bool
    reason: str


def from_quotes(distance_usd: Floats, exposure_s: Floats, fills: Floats, together: Floats | None = None) -> Fit:
    """A and k of one side from own quotes: element i stood at ``distance_usd[i]`` for ``exposure_s[i]`` seconds and
    was hit ``fills[i]`` times, mostly 0. A quote that is hit stands until then.

    The log-likelihood is sum(fills (ln A - k d)) - sum(A exp(-k d) exposure). Rows without exposure, or with a
    distance or count that is not finite or negative, are left out.

    Several quotes stand at once and one market order hits all it reaches, so their counts are not independent: with
    ``together``, the 2x2 sum over market orders of (n, sum of d)(n, sum of d)', n quotes hit at distances d, the
    covariance is the sandwich of the observed information around it.
    """
    known = np.isfinite(distance_usd) & np.isfinite(exposure_s) & np.isfinite(fills) & (exposure_s > 0) & (fills >= 0)
    return _fit(distance_usd[known], exposure_s[known], fills[known], pooled=True, together=together)


def from_tape(depth_usd: Floats, exposure_s: float, *, nearest_usd: float, farthest_usd: float, cells: int = 12) -> Fit:
    """A and k of one side from market orders seen in ``exposure_s`` seconds, each with the distance from the mid of
    its deepest fill.

    A quote at d is hit by the orders that go as deep as d, so the number that ends in [d, d + w) has the mean
    exposure A exp(-k d) (1 - exp(-k w)): log-linear in d with slope -k. Cells of equal width between the two
    distances are independent Poisson counts; what ends nearer or deeper is left out, and needs no model. Raises
    ValueError unless nearest < farthest and cells >= 3.
    """
    if not (math.isfinite(nearest_usd) and nearest_usd < farthest_usd < math.inf) or cells < DISTANCES_LEAST:
        raise ValueError("needs nearest < farthest and at least 3 cells")
    counts, edges = np.histogram(depth_usd[np.isfinite(depth_usd)], bins=cells, range=(nearest_usd, farthest_usd))
    width = (farthest_usd - nearest_usd) / cells
    exposure = np.full(cells, exposure_s if exposure_s > 0.0 else math.nan)
    return _fit(edges[:-1], exposure, counts.astype(np.float64), pooled=False, cell_usd=width)


def _fit(
    distance: Floats,
    exposure: Floats,
    counts: Floats,
    *,
    pooled: bool,
    cell_usd: float = 0.0,
    together: Floats | None = None,
) -> Fit:
    """The regression, and whether its answer is worth anything."""
    events = int(counts.sum()) if counts.size else 0
    seconds = float(exposure.sum() if pooled else exposure[0]) if exposure.size else 0.0
    if not (seconds > 0.0):
        return _none(events, 0.0, "no time was watched")
    if np.unique(distance).size < DISTANCES_LEAST:
        return _none(events, seconds, f"less than {DISTANCES_LEAST} distances were quoted: k cannot be told from A")
    if events < FILLS_LEAST:
        return _none(events, seconds, f"{events} events, {FILLS_LEAST} are needed")
    found = poisson_regression(distance, exposure, counts)
    if found is None:
        return _none(events, seconds, "the likelihood has no maximum: all events at one end of the distances")
    log_rate, slope, covariance = found
    dispersion = 1.0 if pooled else _dispersion(distance, exposure, counts, log_rate, slope)
    covariance = covariance * max(dispersion, 1.0)
    if together is not None:
        covariance = covariance @ together @ covariance
    kappa, log_a, gradient = -slope, log_rate, np.array([1.0, 0.0])
    if cell_usd > 0.0 and kappa > 0.0:
        # A = exp(intercept)/(1 - exp(-k w)); the second member is its derivative along the slope.
        log_a = log_rate - math.log(-math.expm1(-kappa * cell_usd))
        gradient = np.array([1.0, cell_usd / math.expm1(kappa * cell_usd)])
    kappa_error = math.sqrt(covariance[1, 1])
    log_error = math.sqrt(float(gradient @ covariance @ gradient))
    correlation = -float(gradient @ covariance[:, 1]) / max(log_error * kappa_error, 1e-300)
    reason = ""
    if not (kappa > 0.0):
        reason = "fills do not become rarer with distance in these data"
    elif Z_95 * kappa_error > RELATIVE_ERROR_MOST * kappa:
        cause = "too few events" if dispersion <= DISPERSION_MOST else "fills do not fall exponentially with distance"
        reason = f"k is known to within {100.0 * Z_95 * kappa_error / kappa:.0f} % only: {cause}"
    return Fit(
        math.exp(min(log_a, 700.0)),
        math.exp(min(log_a - Z_95 * log_error, 700.0)),
        math.exp(min(log_a + Z_95 * log_error, 700.0)),
        kappa,
        kappa - Z_95 * kappa_error,
        kappa + Z_95 * kappa_error,
        correlation,
        dispersion,
        events,
        seconds,
        not reason,
        reason,
    )


def _none(events: int, seconds: float, reason: str) -> Fit:
    nan = math.nan
    return Fit(nan, nan, nan, nan, nan, nan, nan, nan, events, seconds, False, reason)


def _dispersion(distance: Floats, exposure: Floats, counts: Floats, log_rate: float, slope: float) -> float:
    """Pearson's chi squared over its degrees of freedom."""
    mean = exposure * np.exp(log_rate + slope * distance)
    return float(np.sum((counts - mean) ** 2 / np.maximum(mean, 1e-12)) / max(counts.size - 2, 1))


def poisson_regression(distance: Floats, exposure: Floats, counts: Floats) -> tuple[float, float, Floats] | None:
    """(a, b, covariance of both) that maximise the likelihood of counts with mean exposure exp(a + b distance).

    Newton's method on the concave log-likelihood, each step halved until it does not fall. None where no maximum
    exists (no events, one distance, or all events at the nearest or farthest distance).
    """
    hit = distance[counts > 0]
    if not hit.size or distance.min() == distance.max() or hit.max() == distance.min() or hit.min() == distance.max():
        return None
    centre, width = float(np.mean(distance)), float(np.ptp(distance))
    x = (distance - centre) / width  # of order one, whatever the unit
    total = float(counts.sum())
    a, b = math.log(total / float(exposure.sum())), 0.0

    def likelihood(a: float, b: float) -> float:
        with np.errstate(over="ignore"):
            return float(np.sum(counts * (a + b * x)) - np.sum(exposure * np.exp(a + b * x)))

    value = likelihood(a, b)
    for _ in range(STEPS_MOST):
        mean = exposure * np.exp(a + b * x)
        score = np.array([total - mean.sum(), float(np.sum((counts - mean) * x))])
        information = np.array([[mean.sum(), np.sum(mean * x)], [np.sum(mean * x), np.sum(mean * x * x)]])
        step = np.linalg.solve(information, score)
        size = 1.0
        while size > 1e-10 and not likelihood(a + size * step[0], b + size * step[1]) >= value:
            size *= 0.5
        a, b = a + size * step[0], b + size * step[1]
        value = max(value, likelihood(a, b))
        if float(np.abs(size * step).max()) < 1e-10:
            break
    mean = exposure * np.exp(a + b * x)
    information = np.array([[mean.sum(), np.sum(mean * x)], [np.sum(mean * x), np.sum(mean * x * x)]])
    back = np.array([[1.0, -centre / width], [0.0, 1.0 / width]])  # from the scaled distance to USD
    covariance: Floats = back @ np.linalg.inv(information) @ back.T
    return float(a - b * centre / width), float(b / width), covariance


def within_share(gamma: float, kappa: float, intensity: float, sigma_usd: float, bound: int) -> float:
    """Share of the time that the stationary (GLFT) quotes hold at most ``bound`` contracts, long or short.

    Skewing linearly makes the inventory a birth and death chain with pi(q) proportional to exp(-k s q^2), s the skew
    in USD per contract.
    """
    rate = kappa * sigma_usd * skew_per_sigma(gamma, kappa, intensity)
    if not (rate > 0.0):
        return 0.0
    # Weights are summed until the next is nothing; beyond 1e6 contracts the share inside any usual bound is nothing.
    reach = min(max(bound, math.ceil(math.sqrt(750.0 / rate))), 1_000_000)
    weights = np.exp(-rate * np.arange(reach + 1, dtype=np.float64) ** 2)
    weights[1:] *= 2.0
    return float(weights[: bound + 1].sum() / weights.sum())


def gamma_for(
    kappa: float, intensity: float, sigma_usd: float, bound: int, *, share: float = 0.95, order_contracts: float = 1.0
) -> float:
    """The risk aversion, in 1/(USD contract), with which the inventory is within ±``bound`` orders for ``share`` of
    the time.

    Solved by bisection: more aversion, more skew, less inventory. One order trades ``order_contracts``. Raises
    ValueError outside the domain (kappa, intensity, sigma, size > 0; bound >= 1; 0 < share < 1) or where no
    aversion between 1e-12 and 1e6 times kappa does it.
    """
    for name, value in (("kappa", kappa), ("intensity", intensity), ("sigma", sigma_usd), ("size", order_contracts)):
        if not (0.0 < value < math.inf):
            raise ValueError(f"{name} must be positive and finite, not {value}")
    if bound < 1 or not 0.0 < share < 1.0:
        raise ValueError("bound must be at least 1 and the share between 0 and 1")
    low, high = math.log(1e-12 * kappa), math.log(1e6 * kappa)
    if within_share(math.exp(high), kappa, intensity, sigma_usd, bound) < share:
        raise ValueError("no risk aversion holds the inventory there")
    if within_share(math.exp(low), kappa, intensity, sigma_usd, bound) > share:
        raise ValueError("the inventory stays there without any risk aversion")
    for _ in range(80):
        middle = 0.5 * (low + high)
        if within_share(math.exp(middle), kappa, intensity, sigma_usd, bound) < share:
            low = middle
        else:
            high = middle
    return math.exp(high) / order_contracts
