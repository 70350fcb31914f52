"""A and k of the fill intensity A exp(-k d) from one's own quotes, the unhit ones counted with their time.

    python examples/calibration.py

Quotes are simulated with known A and k, then estimated back; beside it the estimate that looks at fills only. Last the
risk aversion with which the position stays within 5 contracts for 95 % of the time.
"""

import numpy as np

from kernels.intensity import Fit, from_quotes, gamma_for

A, K = 0.8, 0.15
"""The truth: 1/s and 1/USD."""
SIGMA_USD = 6.0
SECONDS_EACH = 2.0


def simulated(quotes: int = 10_000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(distance in USD, seconds until hit or withdrawn, 1 where hit) of quotes on a ladder of distances."""
    rng = np.random.default_rng(seed)
    distance = rng.choice(np.arange(4.0, 33.0, 4.0), quotes)
    hit_after = rng.exponential(1.0 / (A * np.exp(-K * distance)))
    return distance, np.minimum(hit_after, SECONDS_EACH), (hit_after < SECONDS_EACH).astype(np.float64)


def shown(name: str, fit: Fit) -> str:
    """Estimates with their intervals in one line."""
    return (
        f"{name:<12} A {fit.intensity:.3f} [{fit.intensity_low:.3f}, {fit.intensity_high:.3f}] 1/s, "
        f"k {fit.kappa:.4f} [{fit.kappa_low:.4f}, {fit.kappa_high:.4f}] 1/USD"
    )


def main() -> tuple[Fit, Fit, float]:
    """Estimate, compare, and solve for gamma."""
    distance, exposure_s, fills = simulated()
    hit = fills > 0
    right, wrong = from_quotes(distance, exposure_s, fills), from_quotes(distance[hit], exposure_s[hit], fills[hit])
    print(f"{'truth':<12} A {A:.3f} 1/s, k {K:.4f} 1/USD")
    print(shown("all quotes", right))
    print(shown("fills only", wrong))
    gamma = gamma_for(right.kappa, right.intensity, SIGMA_USD, bound=5, share=0.95)
    print(f"gamma {gamma:.3g} 1/(USD contract) holds ±5 contracts 95 % of the time")
    return right, wrong, gamma


if __name__ == "__main__":
    main()
