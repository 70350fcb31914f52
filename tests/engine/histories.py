"""Made-up histories with known truth, for the tests of the analysis."""

import numpy as np

from engine.analysis.history import History

TICK_USD = 0.01


def history(
    seconds: float,
    sigma_usd: float,
    intensity: float,
    kappa: float,
    seed: int = 1,
    half_ticks: int = 10,
    alpha: float = 0.0,
) -> History:
    """A mid that walks every tenth of a second, and market orders on both sides at A exp(-k d) in all.

    ``alpha`` in [0, 1]: how often a market order has the sign of the mid's move over the next second.
    """
    rng = np.random.default_rng(seed)
    n = int(seconds * 10)
    mid = 200_000 + np.cumsum(rng.normal(0.0, sigma_usd * np.sqrt(0.1) / TICK_USD, n))
    mid_ticks = np.rint(mid).astype(np.int64)
    top_ns = np.arange(n, dtype=np.int64) * 100_000_000
    count = rng.poisson(intensity * seconds)
    at = np.sort(rng.uniform(0.0, seconds - 1.2, count))
    top = (at * 10).astype(np.int64)
    ahead = np.sign(mid_ticks[np.minimum(top + 10, n - 1)] - mid_ticks[top])
    side = np.where(rng.random(count) < alpha, np.where(ahead == 0, 1, ahead), rng.choice([-1, 1], count))
    away = rng.exponential(1.0 / kappa, count) / TICK_USD
    price = np.rint(mid_ticks[top] + side * away).astype(np.int64)
    lots = rng.integers(1, 100, n)
    return History(
        "TEST-PERPETUAL",
        TICK_USD,
        0.001,
        seconds,
        top_ns,
        mid_ticks - half_ticks,
        lots,
        mid_ticks + half_ticks,
        rng.integers(1, 100, n),
        (at * 1e9).astype(np.int64),
        side.astype(np.int64),
        price,
        rng.integers(1, 50, count),
        top,
    )
